"""An ML2 mechanism driver that writes down what it is called for, and does nothing: which calls the driver `midonet` gets
from this release of Neutron, and in which order. A line of JSON each, in the file ml2_calls beside this one."""

import json
import os

from neutron_lib.plugins.ml2 import api

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ml2_calls")
METHODS = [
    f"{verb}_{noun}_{when}"
    for noun in ("network", "subnet", "port")
    for verb in ("create", "update", "delete")
    for when in ("precommit", "postcommit")
]


def record(call, context):
    current = context.current
    said = {"call": call, "id": current["id"]}
    if "_port" in call:
        said |= {"status": current["status"], "vif_type": context.vif_type, "host": context.host}
    # One write: several processes append.
    fd = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, json.dumps(said).encode() + b"\n")
    finally:
        os.close(fd)


class Recorder(api.MechanismDriver):
    def initialize(self):
        pass

    def bind_port(self, context):
        record("bind_port", context)


def _method(name):
    def method(self, context):
        record(name, context)

    return method


for _name in METHODS:
    setattr(Recorder, _name, _method(_name))
