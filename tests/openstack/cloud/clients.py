"""REST clients of the cloud's services, with the administrator's token."""

from __future__ import annotations

from typing import Any

import rest
from namespace import Namespace
from process import wait_until

PASSWORD = "secret"
PORTS = {
    "identity": (5000, "/v3"),
    "compute": (8774, "/v2.1"),
    "image": (9292, "/v2"),
    "network": (9696, "/v2.0"),
    "placement": (8778, ""),
}
Record = dict[str, Any]


class MidoNet(rest.Client):
    """Our REST API with the administrator's token: it asks Keystone whose that is."""

    openstack: OpenStack

    @classmethod
    def of(cls, namespace: Namespace, openstack: OpenStack) -> MidoNet:
        made = cls.tcp(namespace, timeout=60)
        made.openstack = openstack
        return made

    def call(
        self, method: str, uri: str, body: Any = None, headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> rest.Answer:
        return super().call(method, uri, body, {"X-Auth-Token": self.openstack.token(), **(headers or {})}, raw)

    def asks_who_is_there(self) -> bool:
        try:
            return super().call("GET", "/").status == 401
        except OSError:
            return False


class OpenStack:
    """Reached inside the controller's namespace. A token is asked for when the first call needs one, and lives for the run."""

    def __init__(self, namespace: Namespace) -> None:
        self._clients = {kind: rest.Client.tcp(namespace, port, root, timeout=120) for kind, (port, root) in PORTS.items()}
        self._token = ""

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def answers(self, kind: str) -> bool:
        try:
            return self._clients[kind].call("GET", "").status in (200, 300, 401)  # 401: it is there, and wants a token
        except OSError:
            return False

    def token(self) -> str:
        if not self._token:
            user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
            body = {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
                }
            }
            answer = self._clients["identity"].expect(201, "POST", "/auth/tokens", body)
            self._token = answer.headers["X-Subject-Token"]
        return self._token

    def call(
        self,
        kind: str,
        method: str,
        uri: str,
        body: Any = None,
        raw: bytes | None = None,
        okay: tuple[int, ...] = (200, 201, 202, 204),
    ) -> Any:
        headers = {"X-Auth-Token": self.token(), "X-OpenStack-Nova-API-Version": "2.93"}
        if raw is not None:
            headers["Content-Type"] = "application/octet-stream"
        answer = self._clients[kind].call(method, uri, body, headers, raw)
        if answer.status not in okay:
            raise AssertionError(f"{kind}: {method} {uri} {body}: {answer.status}: {answer.raw[:2000]!r}")
        return answer.json

    # -- what the steps say

    def image(self, name: str, data: bytes, **properties: str) -> str:
        made = self.call(
            "image",
            "POST",
            "/images",
            {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public", **properties},
        )
        self.call("image", "PUT", f"/images/{made['id']}/file", raw=data)
        return made["id"]

    def server(self, server: str) -> Record:
        return self.call("compute", "GET", f"/servers/{server}")["server"]

    def server_is_gone(self, server: str) -> bool:
        return self.call("compute", "GET", f"/servers/{server}", okay=(200, 404)).get("itemNotFound") is not None

    def act(self, server: str, action: str, argument: Any = None) -> None:
        self.call("compute", "POST", f"/servers/{server}/action", {action: argument})

    def wait_server(self, server: str, status: str, seconds: float = 600) -> Record:
        """Until it has that status and does nothing; an ERROR that was not asked for ends it."""
        last: Record = {}

        def reached() -> bool:
            last.update(self.server(server))
            if last["status"] == "ERROR" and status != "ERROR":
                raise AssertionError(f"server {last['name']} is in ERROR: {last.get('fault')}")
            return last["status"] == status and last["OS-EXT-STS:task_state"] is None

        try:
            wait_until(reached, seconds, interval=0.2)
        except AssertionError as error:
            if "ERROR" in str(error):
                raise
            raise AssertionError(
                f"server {last['name']} is not {status} within {seconds} s but {last['status']}, "
                f"{last['OS-EXT-STS:task_state']}: {last.get('fault')}"
            ) from None
        return last

    def port(self, port: str) -> Record:
        return self.call("network", "GET", f"/ports/{port}")["port"]

    def ports(self, **filters: str) -> list[Record]:
        query = "&".join(f"{key}={value}" for key, value in filters.items())
        return self.call("network", "GET", "/ports?" + query)["ports"]

    def bindings(self, port: str) -> dict[str, str]:
        """Host to status (ACTIVE, INACTIVE)."""
        return {each["host"]: each["status"] for each in self.call("network", "GET", f"/ports/{port}/bindings")["bindings"]}

    def delete_binding(self, port: str, host: str) -> None:
        self.call("network", "DELETE", f"/ports/{port}/bindings/{host}")

    def create(self, kind: str, what: str, **fields: Any) -> Record:
        return self.call(kind, "POST", f"/{what}s", {what: fields})[what]
