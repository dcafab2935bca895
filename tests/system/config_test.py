#!/usr/bin/env python3
"""What is shipped starts as it is shipped: `cmake --install`, each systemd unit's own command line, each configuration file; and
what the programs say of a file that is wrong."""

import glob
import os
import re
import shlex
import subprocess

from bed import BIN, TOP, SystemTest, main, wait_until
from machine import Machine
import rest

SHIPPED = os.path.join(TOP, "packaging")
FILES = {"midolman": "midolman.conf", "midonet-api": "midonet-api.conf", "midonet": "midonet.conf"}


def run(*argv, **more):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **more)


class Shipped(SystemTest):
    """Installed below /usr/local on a machine of the test's own, with the files of packaging/ in /etc/midolman."""

    def machine(self):
        made = Machine(self.directory, "box")
        self.addCleanup(made.close)
        made.run("cmake", "--install", os.path.dirname(BIN), "--prefix", "/usr/local")
        for path in sorted(glob.glob(os.path.join(SHIPPED, "*.conf"))):
            with open(path, encoding="utf-8") as file:
                made.write("/etc/midolman/" + os.path.basename(path), file.read())
        return made

    def command_of(self, machine, unit):
        text = machine.read("/usr/local/lib/systemd/system/" + unit)
        return shlex.split(re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1])

    def answers(self, machine, service, socket_path, port):
        """Whether the program answers where its configuration says: the agent at its socket, the API at its port."""
        service.must_run()
        client = (
            rest.Client.unix(machine.path(socket_path)) if socket_path else rest.Client.tcp(machine.namespace, port, root="")
        )
        try:
            return client.call("GET", "/status" if socket_path else "/metrics").status == 200
        except OSError:
            return False
        finally:
            client.close()

    def starts(self, unit, *places):
        machine = self.machine()
        service = machine.start("service", *self.command_of(machine, unit))
        for socket_path, port in places:
            wait_until(lambda at=(socket_path, port): self.answers(machine, service, *at), 60, f"{unit} answers", 0.05)
        self.assertEqual(service.end(), 0, service.output())

    def test_the_agent_starts(self):
        self.starts("midolman.service", ("/run/midolman/midolman.sock", None))

    def test_the_api_starts(self):
        self.starts("midonet-api.service", (None, 8181))

    def test_standalone_starts(self):
        self.starts("midolman-standalone.service", ("/run/midolman/midolman.sock", None), (None, 8181))

    def test_mm_ctl_and_midonet_read_their_files(self):
        machine = self.machine()
        bind = run(*machine.command(["mm-ctl", "--timeout", "0.2", "--unbind-port", "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01"]))
        # Without an agent there is no host id yet: the file was read, and what comes next is what is missing.
        self.assertEqual((bind.returncode, "there is no host id" in bind.stderr), (2, True), bind)
        show = run(*machine.command(["midonet", "show"]))
        self.assertEqual((show.returncode, "http://127.0.0.1:8181" in show.stderr), (4, True), show)

    def test_a_file_that_the_user_may_not_read_is_not_passed_over(self):
        machine = self.machine()
        for program, name in FILES.items():
            machine.run("chmod", "600", "/etc/midolman/" + name)
            done = run(*machine.command([program, *(["show"] if program == "midonet" else [])], user="daemon"))
            self.assertIn(done.returncode, (1, 2), done)
            self.assertIn(f"read /etc/midolman/{name}: Permission denied (EACCES)", done.stderr)

    def test_every_key_that_is_commented_out_is_one(self):
        for program, name in FILES.items():
            with open(os.path.join(SHIPPED, name), encoding="utf-8") as file:
                text = re.sub(r"^#([a-z-]+ = )", r"\1", file.read(), flags=re.MULTILINE)
            path = os.path.join(self.directory, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assertGreater(len(re.findall("^[a-z-]+ = ", text, re.MULTILINE)), 5)
            shown = run(os.path.join(BIN, program), "--config", path, "--help")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            if program == "midolman":
                bind = run(
                    os.path.join(BIN, "mm-ctl"),
                    "--config",
                    path,
                    "--timeout",
                    "0.1",
                    "--run-dir",
                    self.directory,
                    "--host-id-file",
                    "/nowhere",
                    "--unbind-port",
                    "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01",
                )
                self.assertEqual(bind.returncode, 2, bind.stderr)


class Wrong(SystemTest):
    """A line that is wrong is named with its file, its number and the nearest key, by every program."""

    def said(self, program, text, *arguments):
        path = os.path.join(self.directory, "x.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = run(os.path.join(BIN, program), "--config", path, *arguments)
        self.assertNotEqual(done.returncode, 0, text)
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr.replace(path, "FILE")

    def test_an_unknown_key(self):
        bind = ("--unbind-port", "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01")
        for program, arguments, status in (
            ("midolman", (), 2),
            ("midonet-api", (), 2),
            ("midonet", ("show",), 1),
            ("mm-ctl", bind, 3),
        ):
            key, near = ("apy", "api") if program == "midonet" else ("stroe", "store")
            code, said = self.said(program, f"# a comment\n\n{key} = http://127.0.0.1:1\n", *arguments)
            self.assertEqual(code, status, said)
            self.assertIn(f"FILE:3: unknown key '{key}'; did you mean '{near}'?", said)

    def test_an_ill_formed_line_or_value(self):
        for program, text, expected in (
            (
                "midonet-api",
                "store zookeeper://a:2181/x\n",
                "FILE:1: 'store zookeeper://a:2181/x' is no key: write `key = value`",
            ),
            ("midonet-api", "store = embedded:/x\nstore = embedded:/y\n", "FILE:2: the key 'store' stands in line 1 already"),
            ("midonet-api", "store =\n", "FILE:1: the key 'store' has no value"),
            ("midonet-api", "store\n", "FILE:1: the key 'store' needs a value"),
            ("midonet-api", "store = embedded:/x\nauth = magic\n", "FILE:2: auth: magic not in"),
            ("midonet-api", "\nsession-timeout = 5\n", "FILE:2: session-timeout: Value 5 not in range"),
            ("midonet-api", "session-timeout = soon\n", "FILE:1: "),
            ("midonet-api", "allow-unauthenticated = perhaps\n", "FILE:1: "),
            ("midonet-api", "[standalone]\nauth = none\n", "FILE:2: unknown section [standalone]"),
            ("midolman", "listen = 127.0.0.1:1\n", "FILE:1: the key 'listen' belongs below a line [standalone]"),
            ("midolman", "[standalone]\nstore = embedded:/x\n", "FILE:2: the key 'store' belongs above the first [section]"),
            ("midolman", "[standalone]\nlistn = 127.0.0.1:1\n", "FILE:2: unknown key 'listn'; did you mean 'listen'?"),
            ("midolman", "store = 'embedded:/x\n", "FILE:1: store: the closing ' is missing"),
            ("midolman", "tunnel-port = 0\n", "FILE:1: tunnel-port: Value 0 not in range"),
        ):
            code, said = self.said(program, text)
            self.assertEqual(code, 2, said)
            self.assertIn(expected, said)

    def test_what_the_command_line_says_counts_before_the_file(self):
        path = os.path.join(self.directory, "x.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("api = http://127.0.0.1:1\nrelease_tap = no\n")
        done = run(os.path.join(BIN, "midonet"), "--config", path, "show")
        self.assertIn("unknown key 'release-tap'", done.stderr)
        with open(path, "w", encoding="utf-8") as file:
            file.write("api = http://127.0.0.1:1\n")
        done = run(os.path.join(BIN, "midonet"), "--config", path, "--api", "http://127.0.0.1:2", "show")
        self.assertIn("127.0.0.1:2", done.stderr)
        done = run(os.path.join(BIN, "midonet"), "--config", path, "show", env={"MIDONET_API": "http://127.0.0.1:2"})
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_mm_ctl_knows_every_key_of_the_agent(self):
        shown = run(os.path.join(BIN, "midolman"), "--help").stdout
        keys = set(re.findall(r"^  (?:-\w,)?--([a-z-]+)", shown, re.MULTILINE)) - {"help", "version", "config"}
        self.assertTrue({"store", "run-dir", "release-tap", "zookeeper-secret-file"} < keys, keys)
        for key in sorted(keys):
            # Some are for the command line alone.
            _, said = self.said("midolman", f"{key} =\n")
            if "unknown key" in said:
                continue
            _, said = self.said(
                "mm-ctl",
                f"{key} = auto\n",
                "--timeout",
                "0.1",
                "--run-dir",
                self.directory,
                "--host-id-file",
                "/nowhere",
                "--unbind-port",
                "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01",
            )
            self.assertNotIn("unknown key", said)


if __name__ == "__main__":
    main()
