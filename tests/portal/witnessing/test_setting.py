"""LEDGER_WITNESSES: what is wrong with it is said at the start, in words."""

from __future__ import annotations

import pytest
from django.core.checks import ERROR, WARNING, run_checks
from pytest_django import Settings

from activations import tasks
from activations.ledger_queries import witness_states
from activations.models import WitnessReceipt
from licensing_portal.settings import CELERY_BEAT_SCHEDULE
from tests.portal.test_checkpoints import checkpoint
from tests.portal.witnessing.server import Network

KEY = "witness.example.com/w1+8d66cf3f+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def said() -> list[tuple[int, str]]:
    return [
        (int(message.level), message.msg)
        for message in run_checks(include_deployment_checks=False)
        if message.id in ("activations.E010", "activations.W010")
    ]


def test_none_is_fine(settings: Settings) -> None:
    settings.LEDGER_WITNESSES = []
    assert said() == []


def test_addresses_that_will_do(settings: Settings) -> None:
    settings.LEDGER_WITNESSES = ["file:///mnt/auditor", "mailto:ada@audit.example"]
    assert said() == []


@pytest.mark.parametrize(
    ("texts", "level", "words"),
    [
        (["/mnt/auditor"], ERROR, "Witness 1 of LEDGER_WITNESSES gets no checkpoints: it begins with none of"),
        (["file:///a", "http://w.example"], ERROR, "Witness 2 of LEDGER_WITNESSES gets no checkpoints: checkpoints go"),
        (["https://ada:secret@w.example"], ERROR, "a name or a password"),
        (["file:///a", "file:///a/"], ERROR, "Witness 2 of LEDGER_WITNESSES, file:///a, is there twice"),
        ([f"https://w.example#{KEY}"], ERROR, "not the key of a witness"),
        (["https://w.example"], WARNING, "The cosignatures of https://w.example are kept and not checked"),
    ],
)
def test_what_will_not_do_is_named(settings: Settings, texts: list[str], level: int, words: str) -> None:
    settings.LEDGER_WITNESSES = texts

    [(found, message)] = said()

    assert found == level
    assert words in message
    assert "secret" not in message


def test_after_each_checkpoint_the_witnesses_get_it(network: Network) -> None:
    """In the embedded default the job runs at once; with a broker a worker does it, and beat sees to the rest."""
    assert tasks.checkpoint_ledger_job() > 0

    assert WitnessReceipt.objects.count() == 1
    assert {"task": "activations.send_checkpoints", "schedule": 60.0} in CELERY_BEAT_SCHEDULE.values()


def test_the_periodic_job_sends_what_a_command_made(network: Network) -> None:
    checkpoint()
    assert not WitnessReceipt.objects.exists()

    assert tasks.send_checkpoints_job() == 1
    assert tasks.send_checkpoints_job() == 0


def test_a_witness_that_is_taken_off_the_setting_is_shown_no_more(network: Network, settings: Settings) -> None:
    checkpoint()
    tasks.send_checkpoints_job()
    settings.LEDGER_WITNESSES = []

    assert witness_states() == []
