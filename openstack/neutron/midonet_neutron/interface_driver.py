"""The interface driver of Neutron's DHCP agent: `interface_driver = midonet` (or the class's full name) in dhcp_agent.ini.

    namespace qdhcp-<network>          host
      ns-XXXXXXXX-XX  <── veth ──>  tapXXXXXXXX-XX   bound to the Neutron port by mm-ctl --bind-port

The host's agent attaches to any interface of the bound name, so a DHCP port is served like a guest's. The port's id stands
in the alias of the host's end: when the agent unplugs, it says no more than a device name.
"""

from __future__ import annotations

from neutron.agent.linux import interface, ip_lib, utils
from neutron_lib import constants, exceptions
from oslo_config import cfg
from oslo_log import log as logging

from midonet_neutron import config

LOG = logging.getLogger(__name__)

ALIAS = "midonet:"


class MidonetInterfaceDriver(interface.LinuxInterfaceDriver):
    """See the head of the file."""

    DEV_NAME_PREFIX = "ns-"

    def __init__(self, conf: cfg.ConfigOpts, **kwargs: object) -> None:
        super().__init__(conf, **kwargs)
        config.register_agent(conf)

    def plug_new(
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
        mtu: int | None = None,
    ) -> None:
        """Makes the veth pair and binds the port. When the binding fails, nothing is left and the agent tries again."""
        tap_name = self._tap_name(device_name, prefix)
        if ip_lib.device_exists(tap_name):
            # Left by an agent whose namespace end is gone, or never got there.
            ip_lib.IPDevice(tap_name).link.delete()
        tap, inner = ip_lib.IPWrapper().add_veth(tap_name, device_name, namespace2=namespace)
        try:
            tap.disable_ipv6()
            tap.link.set_alias(ALIAS + port_id)
            inner.link.set_address(mac_address)
            if mtu:
                tap.link.set_mtu(mtu)
                inner.link.set_mtu(mtu)
            else:
                LOG.warning("port %s: its network has no MTU; %s keeps the default", port_id, device_name)
            tap.link.set_up()
            inner.link.set_up()
            self._mm_ctl("--bind-port", port_id, tap_name)
        except Exception:
            tap.link.delete()
            raise

    def plug(
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
        mtu: int | None = None,
    ) -> None:
        """As the base class; a device that is there already is bound again, which changes nothing when it was bound."""
        fresh = not ip_lib.device_exists(device_name, namespace=namespace)
        super().plug(network_id, port_id, device_name, mac_address, bridge, namespace, prefix, mtu)
        if not fresh:
            self._mm_ctl("--bind-port", port_id, self._tap_name(device_name, prefix))

    def unplug(
        self, device_name: str, bridge: str | None = None, namespace: str | None = None, prefix: str | None = None
    ) -> None:
        """Unbinds the port and deletes the pair. A binding that could not be taken back goes with the port itself."""
        tap_name = self._tap_name(device_name, prefix)
        alias = ip_lib.IPDevice(tap_name).link.alias if ip_lib.device_exists(tap_name) else None
        if alias and alias.startswith(ALIAS):
            try:
                self._mm_ctl("--unbind-port", alias[len(ALIAS) :])
            except exceptions.ProcessExecutionError as error:
                LOG.error("%s: not unbound: %s", tap_name, error)
        for device in (ip_lib.IPDevice(device_name, namespace=namespace), ip_lib.IPDevice(tap_name)):
            try:
                if device.exists():
                    device.link.delete()
            except RuntimeError as error:
                LOG.error("%s: not deleted: %s", device.name, error)

    def set_mtu(self, device_name: str, mtu: int, namespace: str | None = None, prefix: str | None = None) -> None:
        """Both ends."""
        for device in (
            ip_lib.IPDevice(self._tap_name(device_name, prefix)),
            ip_lib.IPDevice(device_name, namespace=namespace),
        ):
            device.link.set_mtu(mtu)

    def _tap_name(self, device_name: str, prefix: str | None) -> str:
        return constants.TAP_DEVICE_PREFIX + device_name.removeprefix(prefix or self.DEV_NAME_PREFIX)

    def _mm_ctl(self, *arguments: str) -> None:
        utils.execute([self.conf.midonet.mm_ctl, *arguments], run_as_root=True)
