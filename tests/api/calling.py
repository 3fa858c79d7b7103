"""Other systems and staff as they call the API, over Django's own test client."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from activations.domain.scopes import Scope
from activations.services.actors import create_staff
from activations.services.tokens import TokenGiven, create_token
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.web import ROLE_OF

ROOT = "/api/v1"


class Answer:
    """What came back."""

    def __init__(self, response: Any) -> None:
        self.status = int(response.status_code)
        self.headers = response.headers
        self.text = response.content.decode() if not response.streaming else ""
        self.json = response.json() if self.text and "json" in response.headers.get("Content-Type", "") else None

    def __getitem__(self, name: str) -> Any:
        assert self.json is not None, self
        return self.json[name]

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self["status"] == self.status, self
        assert self["type"].endswith(self["code"]), self
        return str(self["code"])

    def __repr__(self) -> str:
        return f"<{self.status} {dict(self.headers)} {self.text[:2000]}>"


class Caller:
    """Sends JSON, with a new Idempotency-Key for each call that is not a GET, unless one is given."""

    def __init__(self, token: str = "", client: Client | None = None) -> None:
        self.client = client or Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **asked: Any) -> Answer:
        headers = {**self.headers, **asked.pop("headers", {})}
        return Answer(self.client.get(ROOT + path, asked, headers=headers))

    def post(self, path: str, sent: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        return self._send("post", path, sent, key, headers)

    def patch(self, path: str, sent: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        return self._send("patch", path, sent, key, headers)

    def _send(self, method: str, path: str, sent: Any, key: str | None, headers: dict[str, str]) -> Answer:
        given = {"Idempotency-Key": str(uuid.uuid4()) if key is None else key, **self.headers}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if not given["Idempotency-Key"]:
            del given["Idempotency-Key"]
        call = getattr(self.client, method)
        return Answer(call(ROOT + path, {} if sent is None else sent, content_type="application/json", headers=given))


def staff_account(name: str) -> User:
    """One of the cast, by user name; made on first use."""
    if not User.objects.filter(username=name).exists():
        create_staff(username=name, role=ROLE_OF[name], password=None, actor=ADMINISTRATOR, source=SOURCE)
    return User.objects.get(username=name)


def made_token(*scopes: Scope, name: str = "purchase-system", owner: str = "administrator", **how: Any) -> TokenGiven:
    staff_account(owner)
    made = create_token(
        name=name,
        scopes=[scope.value for scope in scopes],
        owner=owner,
        actor=ADMINISTRATOR,
        source=SOURCE,
        reason="It has to work",
        **how,
    )
    assert isinstance(made, TokenGiven), made
    return made


def machine(*scopes: Scope, **how: Any) -> Caller:
    """Another system, with a token of these scopes."""
    return Caller(made_token(*scopes, **how).token)


def person(name: str) -> Caller:
    """One of the cast, signed in."""
    client = Client(raise_request_exception=False)
    client.force_login(staff_account(name))
    return Caller(client=client)


def all_scopes() -> Iterable[Scope]:
    return tuple(Scope)
