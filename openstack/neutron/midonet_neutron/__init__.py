"""Midolman as a network backend of OpenStack Neutron: an ML2 mechanism driver and a DHCP interface driver."""
