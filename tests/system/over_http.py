"""The browser of the admin's tests (`tests.portal.web`) on a portal that is really served, behind a proxy that speaks
TLS as in production.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.portal.web import Browser, Page

PATIENCE = 60  # seconds for one answer


@dataclass
class Answer:
    """What `Page` reads of an answer."""

    status_code: int
    headers: dict[str, str]
    content: bytes
    request: dict[str, str]
    redirect_chain: list[tuple[str, int]] = field(default_factory=list)


class HttpClient:
    """Keeps cookies and follows redirects; each request on a connection of its own."""

    def __init__(self, port: int, host: str) -> None:
        self._port, self._host = port, host
        self._cookies: SimpleCookie = SimpleCookie()

    def get(self, address: str, follow: bool = True) -> Answer:
        return self._followed(self._ask("GET", address, None))

    def post(self, address: str, data: dict[str, Any], follow: bool = True) -> Answer:
        return self._followed(self._ask("POST", address, urlencode(data)))

    def _followed(self, answer: Answer) -> Answer:
        chain: list[tuple[str, int]] = []
        while answer.status_code in (301, 302, 303) and len(chain) < 10:
            target = urljoin(answer.request["PATH_INFO"], urlsplit(answer.headers["location"])._replace(
                scheme="", netloc="").geturl())  # fmt: skip
            chain.append((target, answer.status_code))
            answer = self._ask("GET", target, None)
        answer.redirect_chain = chain
        return answer

    def _ask(self, method: str, address: str, body: str | None) -> Answer:
        origin = f"https://{self._host}"
        headers = {"Host": self._host, "X-Forwarded-Proto": "https", "Origin": origin, "Referer": f"{origin}/"}
        headers["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, address, body, headers)
            reply = connection.getresponse()
            for value in reply.headers.get_all("Set-Cookie", []):
                self._cookies.load(value)
            named = {name.lower(): value for name, value in reply.headers.items()}
            return Answer(reply.status, named, reply.read(), {"PATH_INFO": urlsplit(address).path})
        finally:
            connection.close()


class ServedBrowser(Browser):
    """Signed in with a password on the sign-in page."""

    def __init__(self, port: int, host: str, username: str, password: str) -> None:
        self.client = HttpClient(port, host)  # type: ignore[assignment]
        page = self.get("/admin/login/?next=/admin/")
        (form,) = [form for form in page.forms if "username" in form.fields]
        page = self.post("/admin/login/?next=/admin/", {**form.fields, "username": username, "password": password})
        assert page.path == "/admin/", page.words[:1000]


__all__ = ["Page", "ServedBrowser"]
