"""Unit tests, against Debian's python3-neutron: the real ML2 plugin on SQLite, and a small server that speaks our wire form.

    cd openstack/neutron && /usr/bin/python3 -m unittest discover -t . -s midonet_neutron/tests
"""
