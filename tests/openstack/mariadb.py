"""A private MariaDB server of a test: as Neutron is run in earnest. (SQLite knows one writer at a time, and answers the
others with an error that Neutron does not try again.)"""

import os
import signal
import subprocess

from namespace import run
from process import Process, wait_until

SERVER = "/usr/sbin/mariadbd"


class MariaDb:
    """`directory` is its own. It listens on a socket there, for every process that may open the socket. It is fast, since its data need
    not outlive a power cut. It has no system tables: clients do not log in, and making the tables takes seconds."""

    def __init__(self, directory):
        self.directory = directory
        self.socket = os.path.join(directory, "sock")
        data = os.path.join(directory, "data")
        os.makedirs(data)
        argv = [
            SERVER,
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={self.socket}",
            f"--pid-file={directory}/pid",
            "--skip-networking",
            "--skip-grant-tables",
            "--max-connections=500",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            "--sync-frm=0",
            "--skip-log-bin",
        ]
        self.process = Process(argv, os.path.join(directory, "log"))
        try:
            wait_until(self._answers, 60, "MariaDB answers", interval=0.05)
        except BaseException:
            self.close()
            raise

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
        run(*self._client(f"create database {name} character set utf8"))
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}&charset=utf8"

    def close(self):
        self.process.end(signal.SIGKILL)
