"""The options of the section [midonet], for neutron-server and for the DHCP agent.

`register()` may be called any number of times. `oslo-config-generator --namespace midonet_neutron` prints all of them.
"""

from __future__ import annotations

from oslo_config import cfg

GROUP = "midonet"

OPTIONS = [
    cfg.URIOpt(
        "api_url",
        schemes=["http", "https"],
        default="http://127.0.0.1:8181/midonet-api",
        help="Root of the REST API of Midolman.",
    ),
    cfg.StrOpt("username", help="The user to log in as at the REST API. Unset: no login, for a server that needs none."),
    cfg.StrOpt("password", secret=True, help="The password of that user."),
    cfg.StrOpt("project", help="The project to log in to; sent as X-Auth-Project."),
    cfg.StrOpt("ca_file", help="Certificates that the REST server's is checked against. Unset: those of the system."),
    cfg.FloatOpt(
        "connect_timeout", default=2.0, min=0.1, help="Seconds to wait for a connection to the REST server, each try."
    ),
    cfg.FloatOpt("timeout", default=10.0, min=0.1, help="Seconds to wait for an answer of the REST server, each try."),
    cfg.FloatOpt(
        "list_timeout", default=120.0, min=1.0, help="Seconds to wait for a whole list of bridges or ports, each try."
    ),
    cfg.IntOpt(
        "retries",
        default=2,
        min=0,
        help="How often a question (a GET) is asked again when no answer came or the server is unavailable. "
        "Changes are not tried again by the request that makes them: the journal does that.",
    ),
    cfg.FloatOpt(
        "journal_interval",
        default=10.0,
        min=0.5,
        help="Seconds between two looks of the worker for journal rows whose time has come. New rows do not wait "
        "for this: they are worked on at once by the request that made them.",
    ),
    cfg.FloatOpt("backoff_min", default=1.0, min=0.1, help="Seconds before a failed journal row is tried again."),
    cfg.FloatOpt("backoff_max", default=60.0, min=1.0, help="The wait doubles with each failure, up to this many seconds."),
    cfg.FloatOpt(
        "lease",
        default=120.0,
        min=10.0,
        help="Seconds after which an object is taken from a worker that died while it worked on it. "
        "Must be more than ten times `timeout`.",
    ),
    cfg.FloatOpt(
        "tombstone_days",
        default=30.0,
        min=0.0,
        help="How many days the ids of deleted networks and ports are remembered. A record at the REST server whose id "
        "is remembered is Neutron's, and is deleted by a resync when Neutron no longer has it.",
    ),
    cfg.FloatOpt(
        "events_timeout",
        default=45.0,
        min=5.0,
        help="Seconds without data from the stream of statuses after which it is opened again. "
        "The server sends something every 15 seconds.",
    ),
    cfg.IntOpt("status_threads", default=8, min=1, help="How many statuses a worker carries into Neutron at once."),
]

AGENT_OPTIONS = [
    cfg.StrOpt("mm_ctl", default="mm-ctl", help="The program that binds ports to interfaces on this host."),
]


def register(conf: cfg.ConfigOpts = cfg.CONF) -> None:
    """Makes the options of neutron-server known."""
    conf.register_opts(OPTIONS, group=GROUP)


def register_agent(conf: cfg.ConfigOpts = cfg.CONF) -> None:
    """Makes the options of the DHCP agent's interface driver known."""
    conf.register_opts(AGENT_OPTIONS, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """For oslo-config-generator."""
    return [(GROUP, OPTIONS + AGENT_OPTIONS)]
