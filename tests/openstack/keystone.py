"""A real Keystone in a namespace, under uwsgi, where Debian's package runs it, too. Its database is MariaDB: with SQLite, a wrong
password locks Keystone 22 out of it (it writes that down while it still reads)."""

import datetime
import json
import os
import signal
import subprocess

import rest
from process import Process, wait_until

PASSWORD = "keystone's administrator's"
MANAGE, UWSGI, WSGI = "/usr/bin/keystone-manage", "/usr/bin/uwsgi", "/usr/bin/keystone-wsgi-public"
NEEDS = (
    (MANAGE, "keystone"),
    (WSGI, "keystone"),
    (UWSGI, "uwsgi-core"),
    ("/usr/lib/uwsgi/plugins/python3_plugin.so", "uwsgi-plugin-python3"),
)

# A hash is as cheap as it can be: what it is worth is not what is tested.
CONFIG = """
[DEFAULT]
use_stderr = true
[database]
connection = {database}
[identity]
password_hash_rounds = 4
[token]
expiration = {token_life}
[fernet_tokens]
key_repository = {directory}/keys
[fernet_receipts]
key_repository = {directory}/keys
"""


class Refusal(Exception):
    """Keystone said no."""


class Server:
    """A Keystone on a port, with `token_life` for the tokens that it issues; all of a directory are one, with one database."""

    def __init__(self, namespace, directory, database, port=5000, token_life=3600):
        self.namespace, self.directory, self.port = namespace, directory, port
        self.config = os.path.join(directory, f"{port}")
        self.log = os.path.join(directory, f"{port}.log")
        self.url = f"http://127.0.0.1:{port}"
        self.process, self.marks = None, 0
        os.makedirs(self.config)
        with open(os.path.join(self.config, "keystone.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=directory, database=database, token_life=token_life))

    def make_database(self):
        """And the user `admin`, with the role `admin` in the project `admin`."""
        os.makedirs(os.path.join(self.directory, "keys"), mode=0o700)
        self._manage("db_sync")
        self._manage("fernet_setup", "--keystone-user", "root", "--keystone-group", "root")
        self._manage(
            "bootstrap",
            "--bootstrap-password",
            PASSWORD,
            "--bootstrap-region-id",
            "RegionOne",
            "--bootstrap-public-url",
            self.url + "/v3",
        )

    def _manage(self, *arguments):
        argv = self.namespace.command(MANAGE, "--config-file", os.path.join(self.config, "keystone.conf"), *arguments)
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise AssertionError(f"keystone-manage {arguments[0]}: exit {done.returncode}:\n{done.stdout[-4000:]}")

    def start(self):
        """As /etc/keystone/keystone-uwsgi.ini has it, where that is seen from outside: answers have no length and end with the
        connection. To be called by the main thread."""
        argv = [
            UWSGI,
            "--plugins",
            "python3",
            "--http-socket",
            f"127.0.0.1:{self.port}",
            "--master",
            "--no-orphans",
            "--die-on-term",
            "--enable-threads",
            "--processes",
            "1",
            "--buffer-size",
            "65535",
            "--rem-header",
            "Content-Length",
            "--wsgi-file",
            WSGI,
        ]
        self.process = Process(
            self.namespace.command("env", f"OS_KEYSTONE_CONFIG_DIR={self.config}", "PYTHONDONTWRITEBYTECODE=1", *argv),
            self.log,
        )

    def wait_answering(self):
        def answers():
            if not self.process.running():
                raise AssertionError(f"Keystone ended:\n{self.output()[-4000:]}")
            try:
                return self._client_call("GET", "/v3").status == 200
            except OSError:
                return False

        wait_until(answers, 300, "Keystone answers", interval=0.1)

    def close(self):
        """At once: uwsgi kills its workers."""
        if self.process and self.process.running():
            self.process.end(signal.SIGINT, 60)

    def output(self):
        return self.process.output() if self.process else ""

    def asked(self, method):
        """How often it was asked for a token (POST), or about one (GET), by uwsgi's log of requests. A line is written after
        the answer, and before the next one: this waits for that of a request of its own."""
        self.marks += 1
        mark = f"/v3?mark={self.marks} "
        self._client_call("GET", mark.strip())
        wait_until(lambda: mark in self.output(), 60, "uwsgi writes its log")
        return sum(f"] {method} /v3/auth/tokens" in line for line in self.output().splitlines())

    # -- its API

    def _client_call(self, method, path, body=None, token=None):
        client = rest.Client.tcp(self.namespace, self.port, "", timeout=300)
        try:
            return client.call(method, path, body, {"X-Auth-Token": token} if token else {})
        finally:
            client.close()

    def call(self, method, path, body=None, token=None):
        """The answer's JSON; Refusal when it is an error."""
        answer = self._client_call(method, "/v3" + path, body, token)
        if answer.status >= 300:
            raise Refusal(f"{method} {path} {body}: {answer!r}")
        return answer.json

    def issue(self, user, password, project=None, domain="Default"):
        """A token, of that project or of none; and when it is over."""
        of_domain = {"domain": {"name": domain}}
        auth = {"identity": {"methods": ["password"], "password": {"user": {"name": user, "password": password, **of_domain}}}}
        if project:
            auth["scope"] = {"project": {"name": project, **of_domain}}
        answer = self._client_call("POST", "/v3/auth/tokens", {"auth": auth})
        if answer.status != 201:
            raise Refusal(f"{user} in {project}: {answer!r}")
        over = datetime.datetime.strptime(json.loads(answer.raw)["token"]["expires_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
        return answer.headers["X-Subject-Token"], over

    def revoke(self, token, by):
        client = rest.Client.tcp(self.namespace, self.port, "", timeout=300)
        try:
            client.expect(204, "DELETE", "/v3/auth/tokens", headers={"X-Auth-Token": by, "X-Subject-Token": token})
        finally:
            client.close()
