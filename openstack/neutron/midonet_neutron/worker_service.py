"""The command `midonet-neutron-worker`: the driver's worker as a service of its own.

    midonet-neutron-worker --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini

neutron-server starts a worker by itself. Where Neutron's API runs under a WSGI server beside neutron-rpc-server (as Debian sets
it up), no service starts the workers of drivers: there this command is needed. One more than needed does no harm.
"""

# Before anything else is imported, as in every process of Neutron: threads and sockets become green.
from neutron.common import eventlet_utils

eventlet_utils.monkey_patch()

# pylint: disable=wrong-import-position
import sys  # noqa: E402

from neutron import manager  # noqa: E402
from neutron.api import extensions  # noqa: E402
from neutron.common import config as common_config  # noqa: E402
from neutron_lib.api import attributes  # noqa: E402
from neutron_lib.db import api as db_api  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_service import service  # noqa: E402

from midonet_neutron.worker import MidonetWorker  # noqa: E402


def main() -> int:
    """Runs until it is told to end."""
    common_config.register_common_config_options()
    common_config.init(sys.argv[1:])
    common_config.setup_logging()
    manager.init()
    extensions.PluginAwareExtensionManager.get_instance().extend_resources("2.0", attributes.RESOURCES)
    # As neutron-server does: a parent that starts the worker again when it dies, and does not share a connection with it.
    launcher = service.ProcessLauncher(cfg.CONF, wait_interval=1.0, restart_method="mutate")
    db_api.get_context_manager().dispose_pool()
    launcher.launch_service(MidonetWorker(), 1)
    launcher.wait()
    return 0
