"""Exports of the ledger over the API: asked for, written by a job, fetched, and booked."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from activations.domain.scopes import Scope
from activations.models import Job, StaffEvent
from activations.services.jobs import queue
from activations.services.jobs.running import run
from activations.services.licenses import LicenseCreated
from activations.services.tokens import revoke_token
from tests.api.calling import Answer, Caller, machine, person
from tests.portal.cast import ADMINISTRATOR, SOURCE, entries, length

pytestmark = pytest.mark.django_db


@pytest.fixture
def archive(signing_keys: None) -> Caller:
    return machine(Scope.READ_LEDGER, name="archive")


def asked(caller: Caller, **how: object) -> Answer:
    answer = caller.post("/ledger/exports", how)
    assert answer.status == 202, answer
    assert answer.headers["Location"] == f"/api/v1/ledger/exports/{answer['id']}"
    return answer


def fetched(caller: Caller, path: str) -> bytes:
    response = caller.client.get(f"/api/v1{path}/file", headers=caller.headers)
    assert response.status_code == 200, response
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_the_whole_ledger_is_asked_for_written_and_fetched(archive: Caller, license: LicenseCreated) -> None:
    before = length("portal")
    answer = asked(archive)
    path = f"/ledger/exports/{answer['id']}"
    assert archive.get(path)["state"] == "queued"
    assert archive.client.get(f"/api/v1{path}/file", headers=archive.headers).status_code == 409
    assert run(answer["id"]) == "done"
    told = archive.get(path)
    lines = fetched(archive, path).splitlines()
    assert told["state"] == "done"
    assert (told["entries"], told["bytes"]) == (len(lines) - 2, sum(len(line) + 1 for line in lines))
    assert json.loads(lines[0])["checkpoint"] == told["checkpoint"]
    assert json.loads(lines[-1]) == {"end": told["entries"]}
    assert entries("portal", after=before)[-1][1:3] == ("token:archive", "ledger.exported")
    event = StaffEvent.objects.filter(kind="file.downloaded").get()
    assert (event.actor, event.subject) == ("token:archive", f"export {answer['id']}")


def test_one_license_up_to_a_time_as_csv(archive: Caller, license: LicenseCreated) -> None:
    answer = asked(archive, format="csv", license_id=license.license_id, until="2199-01-01T00:00:00Z")
    assert run(answer["id"]) == "done"
    rows = fetched(archive, f"/ledger/exports/{answer['id']}").decode().splitlines()
    assert len(rows) == 2
    assert license.license_id in rows[1]


def test_what_cannot_be_exported_is_refused(archive: Caller) -> None:
    assert archive.post("/ledger/exports", {"format": "xml"}).code == "invalid"
    assert archive.post("/ledger/exports", {"license_id": "LIC-1"}).status == 422
    assert not Job.objects.exists()


def test_a_license_that_the_ledger_does_not_know_fails_in_words(archive: Caller) -> None:
    from chariot_license.protocol.codes import format_public_id

    answer = asked(archive, license_id=format_public_id("LIC", bytes(10)))
    assert run(answer["id"]) == "failed"
    assert "has no entry of" in archive.get(f"/ledger/exports/{answer['id']}")["problem"]


def test_exports_of_others_are_not_there(archive: Caller) -> None:
    answer = asked(archive)
    other = machine(Scope.READ_LEDGER, name="other")
    auditor = person("auditor")
    for caller in (other, auditor):
        assert caller.get(f"/ledger/exports/{answer['id']}").code == "export-unknown"
        assert caller.get(f"/ledger/exports/{answer['id']}/file").code == "export-unknown"
        assert caller.get("/ledger/exports")["results"] == []
    assert [each["id"] for each in archive.get("/ledger/exports")["results"]] == [answer["id"]]


def test_it_can_be_cancelled(archive: Caller) -> None:
    answer = asked(archive)
    path = f"/api/v1/ledger/exports/{answer['id']}"
    assert archive.client.delete(path, headers=archive.headers).status_code == 204
    assert archive.get(f"/ledger/exports/{answer['id']}")["state"] == "cancelled"
    assert archive.client.delete(path, headers=archive.headers).status_code == 409
    assert run(answer["id"]) == ""


def test_a_revoked_token_gets_nothing_written(archive: Caller) -> None:
    answer = asked(archive)
    revoke_token(name="archive", actor=ADMINISTRATOR, source=SOURCE, reason="It leaked")
    assert run(answer["id"]) == "failed"
    assert "revoked" in Job.objects.get(pk=answer["id"]).problem


def test_the_file_goes_after_a_week(archive: Caller) -> None:
    answer = asked(archive)
    assert run(answer["id"]) == "done"
    later = timezone.now() + queue.KEPT + timedelta(minutes=1)
    with time_machine.travel(later):
        queue.sweep(timezone.now())
        gone = archive.client.get(f"/api/v1/ledger/exports/{answer['id']}/file", headers=archive.headers)
    assert (gone.status_code, gone.json()["code"]) == (409, "file-not-there")
