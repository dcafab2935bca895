"""Names that several files share."""

# What Nova's libvirt driver knows the binding by; it then runs `mm-ctl --bind-port <port> <tap>` on the host.
VIF_TYPE = "midonet"

# Segment types that a port is bound to. What the overlay carries does not depend on the segment: the bridge has a VNI of
# its own. Flat networks and VLANs are left out: they promise a physical network, and nothing would carry frames to it.
SEGMENT_TYPES = ("vxlan", "geneve", "gre", "local")
