#!/usr/bin/env python3
"""The README's own commands, to the letter, on a machine of the test's own: the install step of «Build», then «Five minutes»."""

import os
import re
import subprocess

from bed import BIN, TOP, SystemTest, main, wait_until
from machine import Machine


def blocks(section):
    """The commands of a section: what stands between its ``` lines."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        text = re.search(rf"^## {section}\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Readme(SystemTest):
    def test_five_minutes_reach_a_ping_and_leave_nothing(self):
        (install,) = re.findall(r"^cmake --install.*$", blocks("Build")[0], re.MULTILINE)
        minutes = "".join(blocks("Five minutes"))
        self.assertIn("ping", minutes)
        box = Machine(self.directory, "box")
        self.addCleanup(box.close)
        # The clone is where a reader stands; its build is the one that is tested.
        script = f"trap 'kill $(jobs -p)' EXIT\ncd {TOP}\n{install.replace('build/release', os.path.dirname(BIN))}\n{minutes}\ntrap - EXIT\necho THE END\n"
        done = subprocess.run(
            box.command(["bash", "-e", "-c", script]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["THE END"]), done.stdout[-4000:])
        self.assertIn("3 packets transmitted, 3 received", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^hosts +1 alive$")
        self.assertEqual(len(re.findall(r"(?m)^  port [0-9a-f]+ +on web +tap[12] +active", done.stdout)), 4, done.stdout)
        # Within the second of `wait` it is down, unless the machine is very busy.
        self.assertRegex(done.stdout, r"(?m)^  port [0-9a-f]+ +on web +tap3 +(down|pending-host)")
        self.assertNotIn("http server=", done.stdout, "the log of requests stays out of the operator's terminal")
        self.assertEqual(box.run("find", "/sys/fs/bpf/midolman", "-type", "f", check=False), "")
        # The kernel takes a namespace down, and with it the other end of a veth pair, in its own time.
        wait_until(lambda: box.namespace.links() == {"lo"}, 30, "the guests' links are gone", interval=0.05)


if __name__ == "__main__":
    main()
