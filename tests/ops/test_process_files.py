"""Procfile, docker-compose.yml and Dockerfile say the same, and the processes they name really run."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from tests.mailroom.imap import ImapServer
from tests.mailroom.smtp import catching
from tests.ops.processes import ROOT, answer, environment, free_port, manage, production, run, started, until
from tests.ops.procfile import PROCFILE, running
from tests.ops.test_configuration import documented
from tests.system.post_office import PostOffice, imaps_url, staffed_portal

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PORTAL_SERVICES = ("release", "web", "worker", "beat")


def test_compose_runs_the_procfiles_processes() -> None:
    assert set(PROCFILE) == set(PORTAL_SERVICES)
    assert {name: COMPOSE["services"][name]["command"] for name in PORTAL_SERVICES} == PROCFILE
    assert set(COMPOSE["services"]) == {*PORTAL_SERVICES, "postgres", "redis"}


def test_the_image_runs_the_web_process_unless_told_otherwise() -> None:
    command = yaml.safe_load(DOCKERFILE.rsplit("\nCMD ", 1)[1])
    assert shlex.join(command) == PROCFILE["web"]


@pytest.mark.parametrize("name", [*PORTAL_SERVICES[1:], "postgres", "redis"])
def test_everything_that_stays_up_has_a_health_check_and_comes_back(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", PORTAL_SERVICES[1:])
def test_the_portals_processes_wait_for_migrations_and_services(name: str) -> None:
    assert COMPOSE["services"][name]["depends_on"] == {
        "release": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }


SET_BY_COMPOSE = {"PORTAL_PROFILE", "DATABASE_URL", "REDIS_URL"}


@pytest.mark.parametrize("name", PORTAL_SERVICES)
def test_every_documented_variable_reaches_every_process_of_the_portal(name: str) -> None:
    """From the shell or from .env: NAME without a value is passed on where it is set, and else not set at all."""
    handed = COMPOSE["services"][name]["environment"]
    by_image = set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE, flags=re.MULTILINE))
    assert set(handed) | by_image >= documented()
    assert set(handed) <= documented()
    for variable in set(handed) - SET_BY_COMPOSE:
        value = handed[variable]
        assert value is None or value.startswith(f"${{{variable}:"), variable
        assert value is not None or variable not in by_image, f"{variable} would be unset in the container"


def test_the_first_lines_of_compose_name_all_that_must_be_set() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    needed = set(re.findall(r"\$\{([A-Z_]+):\?set \1", text))
    assert needed == {
        "SECRET_KEY",
        "KEY_ENCRYPTION_KEY",
        "ALLOWED_HOSTS",
        "POSTGRES_PASSWORD",
        "EMAIL_URL",
        "LEDGER_ORIGIN",
    }
    assert set(re.findall(r"([A-Z_]+)=", text.split("x-portal:")[0])) == needed


def test_no_secret_stands_in_the_files_and_none_has_a_default() -> None:
    variables = COMPOSE["services"]["web"]["environment"]
    for name in ("SECRET_KEY", "KEY_ENCRYPTION_KEY", "ALLOWED_HOSTS", "EMAIL_URL", "LEDGER_ORIGIN"):
        assert variables[name].startswith(f"${{{name}:?set {name}"), variables[name]
    assert "${POSTGRES_PASSWORD:?" in variables["DATABASE_URL"]
    assert "${POSTGRES_PASSWORD:?" in COMPOSE["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_data_lives_in_volumes() -> None:
    mounted = {
        volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])
    }
    assert mounted == set(COMPOSE["volumes"]) == {"portal", "postgres", "redis"}


def test_images_are_pinned_and_the_portal_is_not_root() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    images += [COMPOSE["services"][name]["image"] for name in ("postgres", "redis")]
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", image), image
    users = re.findall(r"^USER (\S+)", DOCKERFILE, flags=re.MULTILINE)
    assert users == ["portal"]
    assert DOCKERFILE.index("\nUSER portal") < DOCKERFILE.index("\nCMD ")


def test_what_the_image_copies_exists() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


@pytest.fixture(scope="module")
def deployment(
    postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> dict[str, str]:
    """A production environment on a PostgreSQL database of its own, migrated as the Procfile's release does."""
    name = f"deployment_{worker_id}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    folder = tmp_path_factory.mktemp("deployment")
    env = production(
        folder,
        DATABASE_URL=postgres_url.rsplit("/", 1)[0] + f"/{name}",
        REDIS_URL=redis_url.rsplit("/", 1)[0] + "/7",
        EMAIL_URL="smtp+tls://portal@mail.example.com:587",
        STATIC_ROOT=str(folder / "static"),
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    )
    for command in (PROCFILE["release"], "python manage.py collectstatic --noinput"):
        done = run(shlex.split(command), env)
        assert done.returncode == 0, done.stderr
    return env


def test_a_migrated_deployment_passes_every_check(deployment: dict[str, str]) -> None:
    done = manage("check", "--deploy", "--database", "default", "--fail-level", "WARNING", env=deployment)
    assert done.returncode == 0, done.stderr


def test_the_web_process_serves_production(deployment: dict[str, str], tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "web.log"
    env = {**deployment, "PORT": str(port), "PORTAL_BEHIND_TLS_PROXY": "true"}
    host = {"Host": "licensing.example.com", "X-Forwarded-Proto": "https"}
    address = f"http://127.0.0.1:{port}"
    assert run([sys.executable, "bin/healthcheck"], env).returncode == 1

    with started(shlex.split(PROCFILE["web"]), env, log):
        until(lambda: answer(f"{address}/healthz", **host) is not None, "an answer", log)
        assert answer(f"{address}/healthz", **host) == (200, '{"status": "ok"}')
        assert run([sys.executable, "bin/healthcheck"], env).returncode == 0

        status, page = answer(f"{address}/admin/login/", **host) or (0, "")
        assert status == 200, log.read_text()
        (style,) = re.findall(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page)
        assert (answer(address + style, **host) or (0, ""))[0] == 200
        assert (answer(f"{address}/admin/login/", Host="licensing.example.com") or (0, ""))[0] == 301
        assert (answer(f"{address}/admin/login/", Host="other.example.com") or (0, ""))[0] == 400
    assert "Traceback" not in log.read_text()


def test_all_processes_together_carry_a_request_in_and_its_answer_out(
    deployment: dict[str, str], imap_server: ImapServer, tmp_path: Path
) -> None:
    """A customer's mail comes in by IMAP, an agent books it in the web page, the answer goes out by SMTP."""
    home = Path(os.environ["TEST_SERVICES_FOLDER"]) / "imap"
    with catching() as smtp:
        env = {
            **deployment,
            "PORT": str(free_port()),
            "PORTAL_BEHIND_TLS_PROXY": "true",
            "IMAP_URLS": imaps_url(imap_server, int((home / "tls-port").read_text())),
            "SSL_CERT_FILE": str(home / "certificate.pem"),
            "EMAIL_URL": smtp.url,
            "MAIL_EVERY": "1",
        }
        with staffed_portal(env) as portal, running(env, tmp_path) as processes:
            log = tmp_path / "worker.log"
            office = PostOffice(portal, smtp, 60, log.read_text)
            office.writes("pump-house", imap_server)
            office.answered("pump-house")
            office.wait(lambda: office.is_sent("pump-house"), "sending the answer")
            ping = shlex.split("celery -A licensing_portal inspect ping --timeout 2")
            until(lambda: "pong" in run(ping, env).stdout, "the worker's pong", log)
            assert any(Path(env["PORTAL_VAR_DIR"]).glob("celerybeat-schedule*")), "by which beat's health is judged"
            assert {name: process.poll() for name, process in processes.items()} == dict.fromkeys(processes)
        (reply,) = smtp.messages
    assert office.received() == {"pump-house": 1}
    assert office.answers_its_request("pump-house", str(reply.get_body(("plain",))))
    ((asked,),) = portal.rows("SELECT message_id FROM activations_incomingmail")
    assert reply["In-Reply-To"] == f"<{asked}>"
    assert "Traceback" not in "".join(file.read_text() for file in tmp_path.glob("*.log"))


def test_without_a_broker_jobs_run_in_this_process(tmp_path: Path) -> None:
    code = (
        "import django, os, threading; django.setup()\n"
        "from celery import shared_task\n"
        "ran = []\n"
        "@shared_task\n"
        "def where(): ran.append((os.getpid(), threading.get_ident()))\n"
        "where.delay()\n"
        "print(ran == [(os.getpid(), threading.get_ident())])"
    )
    done = run([sys.executable, "-c", code], environment(tmp_path))
    assert done.stdout.strip() == "True", done.stderr
