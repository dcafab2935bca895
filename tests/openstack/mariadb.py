"""A private MariaDB server in a namespace: as Neutron is run in earnest. (SQLite knows one writer at a time, and answers the
others with an error that Neutron does not try again.)"""

import os
import signal
import subprocess

from namespace import run
from process import Process, wait_until

PROGRAMS = ("/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db")


class MariaDb:
    """`directory` is its own. Reached at 127.0.0.1 inside the namespace."""

    def __init__(self, namespace, directory, port=3306):
        self.directory, self.port = directory, port
        self.socket = os.path.join(directory, "sock")
        os.makedirs(directory)
        data = os.path.join(directory, "data")
        run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal")
        argv = ["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={self.socket}",
                f"--pid-file={directory}/pid", "--bind-address=127.0.0.1", f"--port={port}", "--max-connections=500",
                "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
        self.process = Process(namespace.command(*argv), os.path.join(directory, "log"))
        wait_until(self._answers, 60, "MariaDB answers", interval=0.05)

    def _answers(self):
        if not self.process.running():
            raise AssertionError(f"MariaDB ended:\n{self.process.output()[-3000:]}")
        return subprocess.run(self._client("select 1"), capture_output=True, check=False).returncode == 0

    def _client(self, statement):
        return ["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-N", "-B", "-e", statement]

    def ask(self, statement):
        """The lines of the answer, each a list of columns."""
        return [line.split("\t") for line in run(*self._client(statement)).splitlines()]

    def database(self, name):
        """Makes an empty database; its URL."""
        run(*self._client(f"create database {name} character set utf8; grant all on {name}.* to 'midonet'@'%' "
                          "identified by 'midonet'; grant all on "
                          f"{name}.* to 'midonet'@'localhost' identified by 'midonet'"))
        return f"mysql+pymysql://midonet:midonet@127.0.0.1:{self.port}/{name}?charset=utf8"

    def close(self):
        self.process.end(signal.SIGKILL)
