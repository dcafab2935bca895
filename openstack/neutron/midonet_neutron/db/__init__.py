"""The driver's own two tables in Neutron's database."""
