"""The driver's branch of neutron-db-manage: `neutron-db-manage --subproject midonet-neutron upgrade head`."""
