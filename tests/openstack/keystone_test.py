#!/usr/bin/python3
"""midonet-api with `--auth keystone` and a real Keystone: its tokens, logins, roles, what is remembered of them, and what is
answered while it is away."""

import base64
import datetime
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from openstack_bed import OpenStackTest, main, wait_until
import bed
import keystone
import mariadb
from cluster import Api
import rest

CACHE_SECONDS = 3  # of the first REST server; the second has what is the default
TOKEN_LIFE = 4  # of the second Keystone


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# ctest-class: with_midonet_api TIMEOUT 600 COST 60
class Keystone(OpenStackTest):
    """operator is admin in the project network and member in the project other; guest is member in network. chief is boss in
    the project theirs, all of the domain Theirs."""

    needs = (
        *keystone.NEEDS,
        (mariadb.SERVER, "mariadb-server-core"),
        ("/usr/lib/python3/dist-packages/pymysql", "python3-pymysql"),
    )

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        directory = os.path.join(cluster.directory, "keystone")
        database = mariadb.MariaDb(os.path.join(cluster.directory, "mariadb"))
        cls.shared.callback(database.close)
        url = database.database("keystone")
        cls.keystone = keystone.Server(cluster.control, directory, url)
        cls.hasty = keystone.Server(cluster.control, directory, url, 5001, TOKEN_LIFE)
        with ThreadPoolExecutor() as background:
            made = background.submit(cls.keystone.make_database)
            cluster.start_store()
            made.result()
        for server in (cls.keystone, cls.hasty):
            cls.shared.callback(server.close)
            server.start()
        for server in (cls.keystone, cls.hasty):
            server.wait_answering()
        auth = ("--auth", "keystone", "--keystone-url", cls.keystone.url + "/v3/")
        cls.api = cls.start_api(0, *auth, "--keystone-cache", CACHE_SECONDS)
        cls.other_api = cls.start_api(
            1,
            *auth,
            "--keystone-domain",
            "Theirs",
            "--keystone-project",
            "theirs",
            "--admin-role",
            "boss",
            "--admin-role",
            "admin",
        )
        cls.make_people()

    @classmethod
    def start_api(cls, number, *flags):
        made = Api(cls.cluster, number)
        cls.shared.callback(made.close)
        made.start(*map(str, flags))

        def answers():
            if not made.process.running():
                raise AssertionError(f"midonet-api ended:\n{made.process.output()[-3000:]}")
            try:
                return made.rest.call("GET", "/").status == 401
            except OSError:
                return False

        wait_until(answers, 90, "the REST API asks who is there", interval=0.02)
        return made.rest

    @classmethod
    def make_people(cls):
        server = cls.keystone
        cls.admin, _ = server.issue("admin", keystone.PASSWORD, "admin")

        def make(kind, name, **more):
            return server.call("POST", f"/{kind}s", {kind: {"name": name, **more}}, cls.admin)[kind]["id"]

        def grant(project, user, role):
            server.call("PUT", f"/projects/{project}/users/{user}/roles/{role}", token=cls.admin)

        roles = {role["name"]: role["id"] for role in server.call("GET", "/roles", token=cls.admin)["roles"]}
        roles["boss"] = make("role", "boss")
        theirs = make("domain", "Theirs")
        cls.network = make("project", "network")
        other, of_theirs = make("project", "other"), make("project", "theirs", domain_id=theirs)
        operator = make("user", "operator", password="operator's")
        guest = make("user", "guest", password="guest's")
        chief = make("user", "chief", password="chief's", domain_id=theirs)
        grant(cls.network, operator, roles["admin"])
        grant(other, operator, roles["member"])
        grant(cls.network, guest, roles["member"])
        grant(of_theirs, chief, roles["boss"])

    def setUp(self):
        super().setUp()
        if not self.keystone.process.running():
            self.keystone.start()
            self.keystone.wait_answering()

    def show_more(self):
        super().show_more()
        print("---- Keystone:", *self.keystone.output().splitlines()[-60:], sep="\n", file=sys.stderr)

    # -- what tests are made of

    def login(self, user, password, project=None, api=None):
        headers = {"Authorization": basic(user, password), **({"X-Auth-Project": project} if project else {})}
        return (api or self.api).call("POST", "/login", {}, headers)

    def get(self, token, api=None, **headers):
        return (api or self.api).call("GET", "/bridges", headers={"X-Auth-Token": token, **headers})

    def token(self, user="operator", project="network"):
        return self.keystone.issue(user, f"{user}'s", project)[0]

    def assert_refused(self, answer, status, message):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(message, answer.message)
        self.assertEqual(answer.headers["Content-Type"], "application/vnd.org.midonet.Error-v1+json")

    # -- tests

    def test_a_token_of_keystones_is_good_and_keystone_is_asked_about_it_once(self):
        token = self.token()
        before = self.keystone.asked("GET")
        for _ in range(20):
            self.assertEqual(self.get(token).status, 200)
        self.assertEqual(self.api.call("GET", "/bridges", headers={"Cookie": f"sessionId={token}"}).status, 200)
        made = self.api.call("POST", "/bridges", {"name": "of keystone"}, {"X-Auth-Token": token})
        self.assertEqual(made.status, 201, made)
        self.assertEqual(self.api.call("DELETE", made.headers["Location"], headers={"X-Auth-Token": token}).status, 204)
        self.assertEqual(self.keystone.asked("GET") - before, 1)

    def test_many_requests_at_once_with_a_new_token_ask_keystone_once(self):
        token = self.token()
        before = self.keystone.asked("GET")

        def get(_):
            client = rest.Client.tcp(self.cluster.control)
            try:
                return client.call("GET", "/bridges", headers={"X-Auth-Token": token}).status
            finally:
                client.close()

        with ThreadPoolExecutor(16) as pool:
            self.assertEqual(set(pool.map(get, range(64))), {200})
        self.assertEqual(self.keystone.asked("GET") - before, 1)

    def test_what_is_no_token_is_refused(self):
        for token in ("x", "gAAAAABl" + "A" * 180, "00000000-0000-0000-0000-000000000000", "a" * 5000):
            self.assert_refused(self.get(token), 401, "The token is not valid (any more).")
        refused = self.api.call("GET", "/bridges")
        self.assert_refused(refused, 401, "A token is needed; POST /midonet-api/login gives one.")
        self.assertRegex(refused.headers["WWW-Authenticate"], "^Basic ")

    def test_a_login_gives_a_token_of_keystones(self):
        for project in ("network", self.network):
            asked = self.keystone.asked("POST"), self.keystone.asked("GET")
            answer = self.login("operator", "operator's", project)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.headers["Content-Type"], "application/vnd.org.midonet.Token-v1+json")
            token = answer.json["key"]
            self.assertEqual(answer.headers["Set-Cookie"], f"sessionId={token}; Path=/midonet-api; HttpOnly; SameSite=Strict")
            for _ in range(3):
                self.assertEqual(self.get(token).status, 200)
            self.assertEqual((self.keystone.asked("POST"), self.keystone.asked("GET")), (asked[0] + 1, asked[1]))
            # Keystone knows it, as what it says that it is.
            said = self.about(token)
            self.assertEqual((said["user"]["name"], said["project"]["name"]), ("operator", "network"))
            self.assertEqual(answer.json["expires"], said["expires_at"].replace(".000000Z", ".000Z"))
            self.assertEqual(self.get(token, self.other_api).status, 200, "a token is good at every server")

    def about(self, token):
        client = rest.Client.tcp(self.cluster.control, self.keystone.port, "")
        try:
            headers = {"X-Auth-Token": self.admin, "X-Subject-Token": token}
            return client.expect(200, "GET", "/v3/auth/tokens", headers=headers).json["token"]
        finally:
            client.close()

    def test_a_login_that_names_no_project_is_one_to_the_configured_one(self):
        answer = self.login("admin", keystone.PASSWORD)
        self.assertEqual(self.about(answer.json["key"])["project"]["name"], "admin")
        answer = self.login("chief", "chief's", api=self.other_api)
        said = self.about(answer.json["key"])
        self.assertEqual((said["project"]["name"], said["project"]["domain"]["name"]), ("theirs", "Theirs"))

    def test_who_is_not_known_is_refused_without_saying_more(self):
        refused = [
            self.login("operator", "wrong", "network"),
            self.login("nobody", "operator's", "network"),
            self.login("operator", "", "network"),
            self.login("operator", "operator's", "no such project"),
            self.login("operator", "operator's"),  # of no role in the project admin
            self.login("chief", "chief's", "network"),
            self.login("opérator", "ü", "network"),
        ]
        for answer in refused:
            self.assert_refused(answer, 401, "Keystone knows no such user with this password in this project.")
            self.assertRegex(answer.headers["WWW-Authenticate"], "^Basic ")

    def test_the_role_counts_that_its_user_has_in_the_tokens_project(self):
        for refused in (
            self.login("guest", "guest's", "network"),
            self.login("operator", "operator's", "other"),
            self.get(self.token("guest")),
            self.get(self.token(project="other")),
        ):
            self.assert_refused(refused, 403, "The role admin is needed.")
        self.assert_refused(self.get(self.keystone.issue("guest", "guest's")[0]), 403, "The role admin is needed.")
        chiefs, _ = self.keystone.issue("chief", "chief's", "theirs", "Theirs")
        self.assert_refused(self.get(chiefs), 403, "The role admin is needed.")
        self.assertEqual(self.get(chiefs, self.other_api).status, 200)
        self.assert_refused(self.get(self.token("guest"), self.other_api), 403, "The role boss or admin is needed.")

    def test_a_revoked_token_is_good_until_what_was_remembered_of_it_is_over(self):
        token = self.token()
        self.assertEqual(self.get(token).status, 200)
        since = time.monotonic()
        self.keystone.revoke(token, self.admin)
        answer = self.get(token)
        if time.monotonic() - since < CACHE_SECONDS - 0.5:
            self.assertEqual(answer.status, 200, "remembered")
        time.sleep(max(0.0, since + CACHE_SECONDS - time.monotonic()))
        for _ in range(2):
            self.assert_refused(self.get(token), 401, "The token is not valid (any more).")

    def test_a_token_that_is_over_is_refused_though_it_is_remembered(self):
        token, over = self.hasty.issue("operator", "operator's", "network")
        asked = self.keystone.asked("GET")
        answer = self.get(token, self.other_api)
        left = (over - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertTrue(answer.status == 200 or left < 0, answer)
        time.sleep(max(0.0, left + 0.2))
        self.assert_refused(self.get(token, self.other_api), 401, "The token is not valid (any more).")
        self.assertEqual(self.keystone.asked("GET") - asked, 2)

    def test_while_keystone_is_away_what_is_remembered_holds_and_all_else_is_503(self):
        known, new = self.token(), self.token()
        self.assertEqual(self.get(known, self.other_api).status, 200)
        self.assertEqual(self.get(known).status, 200)
        since = time.monotonic()
        self.keystone.close()
        answer = self.get(known)
        if time.monotonic() - since < CACHE_SECONDS - 0.5:
            self.assertEqual(answer.status, 200, "remembered")
        for refused in (self.get(new), self.login("operator", "operator's", "network")):
            self.assert_refused(refused, 503, "Keystone cannot say")
            self.assertIn(f"{self.keystone.url}: cannot connect: Connection refused", refused.message)
            self.assertGreater(int(refused.headers["Retry-After"]), 0)
        time.sleep(max(0.0, since + CACHE_SECONDS - time.monotonic()))
        self.assert_refused(self.get(known), 503, "Keystone cannot say")
        self.assertEqual(self.get(known, self.other_api).status, 200, "remembered for longer there")
        self.keystone.start()
        self.keystone.wait_answering()
        for token in (known, new):
            self.assertEqual(self.get(token).status, 200)

    # -- Neutron's mechanism driver

    def test_the_drivers_client_logs_in_and_again_when_its_token_is_revoked(self):
        script = (
            "import sys; from oslo_config import cfg; from midonet_neutron.rest import RestClient; "
            "conf = cfg.ConfigOpts(); client = RestClient(conf); [conf.set_override(*pair.split('=', 1), group='midonet') "
            "for pair in sys.argv[1:]]; conf([]); client = RestClient(conf); client.hosts_named('x'); "
            "print(client._token, flush=True); sys.stdin.readline(); client.hosts_named('x'); print(client._token)"
        )
        argv = [
            "env",
            f"PYTHONPATH={os.path.join(bed.TOP, 'openstack', 'neutron')}",
            "PYTHONDONTWRITEBYTECODE=1",
            "/usr/bin/python3",
            "-c",
            script,
            "api_url=http://127.0.0.1:8181/midonet-api",
            "username=operator",
            "password=operator's",
            "project=network",
        ]
        client = subprocess.Popen(
            self.cluster.control.command(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        first = client.stdout.readline().strip()
        self.assertEqual(self.get(first).status, 200)
        self.keystone.revoke(first, self.admin)
        time.sleep(CACHE_SECONDS + 0.5)
        second, _ = client.communicate("\n", 300)
        self.assertNotIn(second.strip(), ("", first))
        self.assertEqual(self.get(second.strip()).status, 200)

    # -- midonet, the operator's command

    def midonet(self, variables, *arguments):
        argv = [
            "env",
            "-i",
            *(f"{name}={value}" for name, value in variables.items()),
            os.path.join(bed.BIN, "midonet"),
            *arguments,
        ]
        return subprocess.run(
            self.cluster.control.command(*argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=300,
        )

    def test_midonet_logs_in_once_with_what_openstacks_variables_say(self):
        openrc = {
            "OS_AUTH_URL": self.keystone.url,
            "OS_USERNAME": "operator",
            "OS_PASSWORD": "operator's",
            "OS_PROJECT_NAME": "network",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
        }
        asked = self.keystone.asked("POST"), self.keystone.asked("GET")
        done = self.midonet(openrc, "status")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("v5.0", done.stdout)
        self.assertEqual((self.keystone.asked("POST"), self.keystone.asked("GET")), (asked[0] + 1, asked[1]))
        done = self.midonet({"MIDONET_TOKEN": self.token()}, "bridge", "create", "of midonet")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        secret = os.path.join(self.directory, "password")
        with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            print("operator's", file=file)
        who = "--user", "operator", "--password-file", secret, "--project", "network"
        self.assertEqual(self.midonet({}, *who, "bridge", "delete", "of midonet").returncode, 0)

    def test_midonet_says_what_is_missing(self):
        done = self.midonet({}, "show")
        self.assertEqual(done.returncode, 3)
        self.assertIn("needs a login: set --user and --password-file", done.stderr)
        who = {"MIDONET_USER": "operator", "MIDONET_PASSWORD": "operator's"}
        done = self.midonet({**who, "MIDONET_PROJECT": "other"}, "show")
        self.assertEqual(done.returncode, 3)
        self.assertIn("as 'operator' of project 'other': The role admin is needed.", done.stderr)
        done = self.midonet({**who, "MIDONET_PASSWORD": "wrong"}, "show")
        self.assertEqual(done.returncode, 3)
        self.assertIn("Keystone knows no such user with this password in this project. Set --user", done.stderr)


if __name__ == "__main__":
    main()
