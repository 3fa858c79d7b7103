"""What every answer carries, and where the addresses lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from tests.ops.processes import environment, production, python

pytestmark = pytest.mark.django_db


def test_the_root_leads_to_the_admin_and_the_admin_to_its_sign_in(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"


def test_pages_carry_the_strict_policy(client: Client) -> None:
    page = client.get("/admin/login/")
    assert page.status_code == 200
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
    }
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.cookies["csrftoken"]["httponly"]


def test_static_files_are_served_without_being_collected_and_carry_the_policy(client: Client) -> None:
    style = client.get("/static/admin/css/base.css")
    assert style.status_code == 200
    assert b"--primary" in b"".join(style.streaming_content)  # type: ignore[attr-defined]
    assert "default-src 'self'" in style.headers["Content-Security-Policy"]


def test_the_health_check_asks_the_database(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-cache" in answer.headers["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_the_health_check_fails_when_the_database_does(client: Client) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("host db.internal refused portal")

    with connection.execute_wrapper(refuse):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "error", "database": "unreachable"})


def test_unknown_hosts_are_refused(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["licensing.example.com"]
    assert client.get("/admin/login/", headers={"host": "evil.example.com"}).status_code == 400


ASK_PRODUCTION = """
from django.test import Client
client = Client(headers={"host": "licensing.example.com"})
plain = client.get("/admin/login/")
print(plain.status_code, plain.headers["Location"])
secure = client.get("/admin/login/", secure=True)
print(secure.status_code, b'href="/static/admin/css/base.css"' in secure.content)
print(client.get("/static/admin/css/base.css", secure=True).status_code)
print(client.get("/healthz").status_code)
from django.conf import settings
print(settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS, settings.DEBUG)
print(client.get("/healthz", headers={"x-forwarded-proto": "https"}).headers.get("Strict-Transport-Security"))
"""


def test_production_insists_on_tls_but_not_for_the_health_check(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    done = python(ASK_PRODUCTION, production(tmp_path, DATABASE_URL=database))
    assert done.stdout.splitlines() == [
        "301 https://licensing.example.com/admin/login/",
        "200 True",
        "200",
        "200",
        "True True 31536000 False",
        "None",
    ], done.stderr


def test_the_proxys_word_counts_only_when_asked_for(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    env = production(tmp_path, DATABASE_URL=database, PORTAL_BEHIND_TLS_PROXY="true")
    assert python(ASK_PRODUCTION, env).stdout.splitlines()[-1] == "max-age=31536000"


def test_mail_goes_to_files_unless_a_server_is_given(tmp_path: Path) -> None:
    code = "from django.core.mail import send_mail; send_mail('Subject', 'Body', None, ['user@example.com'])"
    done = python(code, environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Subject: Subject" in next((tmp_path / "mail").iterdir()).read_text()

    code = (
        "from django.conf import settings as s\n"
        "print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_HOST_USER, s.EMAIL_USE_TLS)"
    )
    done = python(code, environment(tmp_path, EMAIL_URL="smtp+tls://user:pass@mail.example.com:587"))
    assert done.stdout.split() == [
        "django.core.mail.backends.smtp.EmailBackend",
        "mail.example.com",
        "587",
        "user",
        "True",
    ]
