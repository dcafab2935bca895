"""A client of Midolman's REST API: requests with deadlines, errors that say what was tried, login, the event stream.

Used by the request that changes something (through the journal), by the worker and by the command-line tools. One
`RestClient` may be shared by all (green) threads of a process. It keeps connections and a login token, nothing else.

A failure is a `RestError`: `Unavailable` when no answer came or the server could not serve (try later), `Refused` when the
server answered and said no.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http import cookies
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from oslo_config import cfg

from midonet_neutron import config
from midonet_neutron.records import Json

JSON_TYPE = "application/json"
MESSAGE_LIMIT = 300


class RestError(Exception):
    """A request that failed; the text names the request and why."""


class Unavailable(RestError):
    """No answer, or one that says that the server cannot serve now. The request may or may not have been carried out."""


class Refused(RestError):
    """The server said no."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class RestClient:
    """See the head of the file."""

    def __init__(self, conf: cfg.ConfigOpts = cfg.CONF) -> None:
        config.register(conf)
        self._conf = conf.midonet
        self._root = self._conf.api_url.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=32, block=False, retries=False, ca_certs=self._conf.ca_file)
        self._token: str | None = None

    # ---- what the driver asks for

    def get(self, path: str, query: dict[str, str] | None = None, is_list: bool = False) -> Any:
        """The JSON at `path`; None when there is nothing (404). Asked again, as configured, while unavailable."""
        for left in range(self._conf.retries, -1, -1):
            try:
                return self._json("GET", path, query=query, timeout=self._conf.list_timeout if is_list else None)
            except Refused as error:
                if error.status == 404:
                    return None
                raise
            except Unavailable:
                if left == 0:
                    raise
                time.sleep(0.2 * (self._conf.retries - left + 1))
        raise AssertionError("not reached")

    def post(self, path: str, body: Json) -> None:
        """Makes something."""
        self._json("POST", path, body=body)

    def put(self, path: str, body: Json) -> None:
        """Changes something."""
        self._json("PUT", path, body=body)

    def delete(self, path: str) -> None:
        """Deletes something; a success too when it was not there."""
        try:
            self._json("DELETE", path)
        except Refused as error:
            if error.status != 404:
                raise

    def bridge(self, network_id: str) -> Json | None:
        """The bridge of a network."""
        return self.get("/bridges/" + quote(network_id))

    def port(self, port_id: str) -> Json | None:
        """The port, with its `status`."""
        return self.get("/ports/" + quote(port_id))

    def host(self, host_id: str) -> Json | None:
        """A host by its id."""
        return self.get("/hosts/" + quote(host_id))

    def hosts_named(self, name: str) -> list[Json]:
        """The hosts of that name; as names are not unique, the name is looked at here too."""
        return [host for host in self.get("/hosts", {"name": name}) or [] if host.get("name") == name]

    # ---- the stream

    def stream(self, path: str, last_event_id: str | None) -> Iterator[bytes]:
        """The bytes of an event stream as they arrive. Ends when the server closes it; raises `Unavailable` when it breaks
        or stays silent for `events_timeout`."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        response = self._send("GET", self._root + path, None, headers, self._conf.events_timeout, stream=True)
        try:
            if response.status != 200:
                raise _error("GET", self._root + path, response.status, response.read(4096))
            for chunk in response.stream(65536):
                yield chunk
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"GET {self._root}{path}: the stream broke: {_reason(error)}") from error
        finally:
            response.close()

    # ---- below

    def _json(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        timeout: float | None = None,
    ) -> Any:
        url = self._root + path + ("?" + urlencode(query) if query else "")
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Accept": JSON_TYPE} | ({"Content-Type": JSON_TYPE} if data is not None else {})
        response = self._send(method, url, data, headers, timeout or self._conf.timeout)
        if response.status >= 300:
            raise _error(method, url, response.status, response.data)
        try:
            return json.loads(response.data) if response.data else None
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{method} {url}: the answer is not JSON: {error}") from error

    def _send(
        self, method: str, url: str, data: bytes | None, headers: dict[str, str], timeout: float, stream: bool = False
    ) -> urllib3.HTTPResponse:
        """One request; logs in before it when configured, and once more when the token is no longer taken."""
        response = None
        for renew in (False, True):
            response = self._request(method, url, data, headers | self._auth(renew), timeout, stream)
            if response.status != 401 or not self._conf.username:
                break
            if not renew and stream:
                response.close()
        assert response is not None
        return response

    def _auth(self, renew: bool) -> dict[str, str]:
        if not self._conf.username:
            return {}
        if renew or self._token is None:
            self._token = self._login()
        return {"X-Auth-Token": self._token}

    def _login(self) -> str:
        url = self._root + "/login"
        secret = f"{self._conf.username}:{self._conf.password or ''}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(secret).decode(), "Accept": JSON_TYPE}
        if self._conf.project:
            headers["X-Auth-Project"] = self._conf.project
        response = self._request("POST", url, b"{}", headers | {"Content-Type": JSON_TYPE}, self._conf.timeout, False)
        if response.status != 200:
            raise _error(f"log in as {self._conf.username}: POST", url, response.status, response.data)
        jar: cookies.SimpleCookie[str] = cookies.SimpleCookie(response.headers.get("Set-Cookie", ""))
        if "sessionId" in jar:
            return jar["sessionId"].value
        raise Unavailable(f"log in as {self._conf.username}: POST {url}: the answer has no cookie sessionId")

    def _request(
        self, method: str, url: str, data: bytes | None, headers: dict[str, str], timeout: float, stream: bool
    ) -> urllib3.HTTPResponse:
        limits = urllib3.Timeout(connect=self._conf.connect_timeout, read=timeout)
        for fresh in (False, True):
            try:
                return self._pool.request(
                    method, url, body=data, headers=headers, timeout=limits, redirect=False, preload_content=not stream
                )
            except urllib3.exceptions.ProtocolError as error:
                # A kept connection that the server closed meanwhile: the request never reached it. Anything that was
                # possibly carried out is safe to send again as well, because every change of ours is idempotent.
                if fresh:
                    raise Unavailable(f"{method} {url}: {_reason(error)}") from error
            except urllib3.exceptions.HTTPError as error:
                raise Unavailable(f"{method} {url}: {_reason(error)}") from error
        raise AssertionError("not reached")


def _reason(error: Exception) -> str:
    """urllib3 wraps its errors; the innermost says what happened."""
    at: object = error
    while isinstance(getattr(at, "reason", None), Exception):
        at = at.reason  # type: ignore[attr-defined]
    return f"{type(at).__name__}: {at}"


def _error(method: str, url: str, status: int, body: bytes) -> RestError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        message = body[:MESSAGE_LIMIT].decode("utf-8", "replace")
    text = f"{method} {url}: {status} {message[:MESSAGE_LIMIT]}"
    # 401 and 403 too: credentials are repaired by people, and until then nothing that Neutron accepted may be dropped.
    return Unavailable(text) if status >= 500 or status in (401, 403, 408, 429) else Refused(text, status)
