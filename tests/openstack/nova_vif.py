#!/usr/bin/python3
"""Nova's own VIF driver, driven over stdin and stdout: what the compute service does with a vNIC, without the compute
service. compute.py starts it with `ip netns exec` in a host's namespace, and in mount namespaces of its own, where it lays out what a
compute host has: mm-ctl in /usr/local/bin and the agent's configuration in /etc/midolman.

Each line of stdin is a list of calls, made at once, each on a thread of its own; each line of stdout is the list of what came
of them: {"value": …, "seconds": …, "raised": null or "…", "log": what Nova logged as an error meanwhile}.
"""

import json
import logging
import os
import pwd
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ETC_FILES = ("/etc/midolman", "/etc/midonet_host_id.properties")


def mount(*argv):
    subprocess.run(["mount", *argv], check=True)


def lay_out(settings):
    """Over /etc a copy of it, with the agent's files; over /usr/local/bin nothing but mm-ctl. Seen by this process and its
    children alone."""
    scratch = settings["directory"]
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", scratch)
    etc = os.path.join(scratch, "etc")
    subprocess.run(["cp", "-a", "/etc", etc], check=True)
    for path in ETC_FILES:
        assert not os.path.exists(path), f"{path} is this machine's own: this would not show what the test's mm-ctl reads"
    os.mkdir(os.path.join(etc, "midolman"), 0o755)
    with open(os.path.join(etc, "midolman/midolman.conf"), "w", encoding="ascii") as file:
        file.write("".join(f"{key} = {value}\n" for key, value in settings["agent"].items()))
    mount("--bind", etc, "/etc")
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/usr/local/bin")
    shutil.copy(settings["mm_ctl"], "/usr/local/bin/mm-ctl")
    state = os.path.join(scratch, "state")
    os.mkdir(state, 0o700)
    # privsep-helper runs under sudo and reads its section from a file, as the packaged configuration has it.
    config = os.path.join(etc, "nova-vif.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(
            f"[DEFAULT]\nstate_path = {state}\nmy_ip = 127.0.0.1\n[oslo_concurrency]\nlock_path = {state}\n"
            "[libvirt]\nvirt_type = qemu\n"
            "[nova_sys_admin]\nhelper_command = sudo privsep-helper --config-file /etc/nova-vif.conf\n"
        )
    if settings["user"] != "root":
        user = pwd.getpwnam(settings["user"])
        os.chown(state, user.pw_uid, user.pw_gid)
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ["HOME"] = user.pw_dir
    os.environ["XDG_CACHE_HOME"] = state
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.chdir("/")
    os.umask(0)


class Errors(logging.Handler):
    """What was logged as an error, apart for each thread."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.of_thread = threading.local()

    def emit(self, record):
        getattr(self.of_thread, "lines", []).append(self.format(record))


class Driver:
    def __init__(self, settings):
        import nova.conf
        import os_vif
        from nova import objects, privsep, utils
        from nova.network import model
        from nova.virt.libvirt import vif
        from oslo_privsep import priv_context

        nova.conf.CONF(["--config-file", "/etc/nova-vif.conf"], project="nova", default_config_files=[])
        if settings["user"] == "root":
            privsep.sys_admin_pctxt.set_client_mode(False)
        else:
            priv_context.init(root_helper=utils.get_root_helper().split())
        os_vif.initialize()
        objects.register_all()
        self.objects, self.model = objects, model
        self.driver = vif.LibvirtGenericVIFDriver()
        self.instance = objects.Instance(
            id=1,
            uuid="7f0b2c9e-0000-4000-8000-00000000abcd",
            project_id="p",
            user_id="u",
            display_name="vm1",
            host="h1",
            node="h1",
        )
        self.errors = Errors()
        logging.getLogger().addHandler(self.errors)

    def vif(self, port):
        """As nova.network.neutron makes it of a port with vif_type midonet."""
        model = self.model
        subnet = model.Subnet(
            cidr="10.0.0.0/24", dns=[], gateway=None, ips=[model.FixedIP(address="10.0.0.5", version=4)], routes=[], version=4
        )
        network = model.Network(
            id="0d6eb45a-9df0-4b6f-8d3c-3e8f0f1f0001", bridge=None, label="net", subnets=[subnet], mtu=1450
        )
        return model.VIF(
            id=port,
            address="fa:16:3e:1a:2b:3c",
            network=network,
            type=model.VIF_TYPE_MIDONET,
            vnic_type=model.VNIC_TYPE_NORMAL,
            devname=("tap" + port)[: model.NIC_NAME_LEN],
            details={"port_filter": False},
            active=False,
            profile={},
        )

    def plug(self, port):
        self.driver.plug(self.instance, self.vif(port))

    def unplug(self, port):
        self.driver.unplug(self.instance, self.vif(port))

    def config(self, port):
        """The <interface> that libvirt is given."""
        flavor = self.objects.Flavor(id=1, name="f", flavorid="1", memory_mb=128, vcpus=1, root_gb=0, extra_specs={})
        image = self.objects.ImageMeta.from_dict({"disk_format": "raw", "properties": {}})
        return self.driver.get_config(self.instance, self.vif(port), image, flavor, "qemu").to_xml()

    def call(self, verb, port):
        self.errors.of_thread.lines = lines = []
        raised, value, since = None, None, time.monotonic()
        try:
            value = getattr(self, verb)(port)
        except Exception as error:  # pylint: disable=broad-except; it is what the caller asks for
            raised = repr(error)
        return {"value": value, "seconds": time.monotonic() - since, "raised": raised, "log": lines}


def main():
    settings = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a stray print is not an answer
    lay_out(settings)
    driver = Driver(settings)
    with ThreadPoolExecutor(max_workers=32) as threads:
        print(json.dumps("ready"), file=answers, flush=True)
        for line in sys.stdin:
            calls = [threads.submit(driver.call, *call) for call in json.loads(line)]
            print(json.dumps([call.result() for call in calls]), file=answers, flush=True)


if __name__ == "__main__":
    main()
