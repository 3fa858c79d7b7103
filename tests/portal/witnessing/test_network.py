"""Checkpoints to a real witness over HTTP, which checks everything by code of its own."""

from __future__ import annotations

import base64
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from django.utils import timezone
from pytest_django import Settings

from activations.domain.checkpoint import read_note
from activations.domain.cosignatures import COSIGNATURE, read_key
from activations.ledger_queries import WitnessStanding, witness_states
from activations.models import (
    KeyPurpose,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    WitnessReceipt,
    WitnessState,
)
from activations.services.signing import rotate_key
from activations.services.witnessing import http
from activations.services.witnessing.sending import WAITS, send_checkpoints
from tests.domain.test_published_notes import REAL, REAL_WITNESSES
from tests.portal.cast import ADMINISTRATOR, SOURCE, book_many
from tests.portal.tampering import unguarded
from tests.portal.test_checkpoint_beside import beside
from tests.portal.test_checkpoints import checkpoint
from tests.portal.witnessing.conftest import log_public
from tests.portal.witnessing.server import NAME, TIME, Log, Network


def standing() -> WitnessStanding:
    [found] = witness_states()
    return found


def waiting_is_over() -> None:
    WitnessState.objects.update(next_attempt_at=timezone.now())


def test_a_checkpoint_is_cosigned_and_the_cosignature_kept(network: Network) -> None:
    made = checkpoint()

    assert send_checkpoints() == 1

    receipt = WitnessReceipt.objects.get()
    assert (receipt.witness, receipt.size) == (network.url, made.size)
    dash, name, encoded = receipt.answer.rstrip("\n").split(" ")
    blob = base64.b64decode(encoded)
    assert (dash, name, blob[:4]) == ("—", NAME, network.key_id)
    text = made.note.split("\n\n")[0]
    network.private.public_key().verify(blob[12:], f"cosignature/v1\ntime {TIME}\n{text}\n".encode())
    assert standing() == WitnessStanding(
        network.url, standing().kind, made.size, receipt.at, made.size, "", False, None, None
    )
    assert standing().behind == 0


def test_each_next_one_goes_with_the_proof_from_the_one_before(network: Network) -> None:
    sizes = [checkpoint().size]
    send_checkpoints()
    for count in (1, 250, 3, 300):
        book_many(count)
        sizes.append(checkpoint().size)
        assert send_checkpoints() == 1

    assert [body.split("\n")[0] for body in network.bodies] == [f"old {size}" for size in (0, *sizes[:-1])]
    assert [*WitnessReceipt.objects.order_by("size").values_list("size", flat=True)] == sizes
    [log] = network.logs.values()
    assert log.size == sizes[-1]


def test_nothing_is_sent_twice(network: Network) -> None:
    assert send_checkpoints() == 0, "there is no checkpoint yet"
    checkpoint()
    assert (send_checkpoints(), send_checkpoints()) == (1, 0)
    assert len(network.bodies) == 1


def test_only_the_newest_is_sent_of_several_that_were_missed(network: Network) -> None:
    for _ in range(3):
        book_many(5)
        made = checkpoint()

    assert send_checkpoints() == 1
    assert WitnessReceipt.objects.get().size == made.size
    assert len(network.bodies) == 1


def test_a_witness_that_has_more_than_we_knew_says_so_and_gets_that_proof(network: Network) -> None:
    """Our receipt was lost, or it got a checkpoint another way."""
    checkpoint()
    send_checkpoints()
    with unguarded():
        WitnessReceipt.objects.all()._raw_delete("default")
    book_many(9)
    made = checkpoint()

    assert send_checkpoints() == 1
    assert [body.split("\n")[0] for body in network.bodies] == ["old 0", "old 0", f"old {made.size - 9}"]


def test_a_size_that_changes_again_is_followed_once_only(network: Network) -> None:
    book_many(20)
    checkpoint()
    network.says = [(409, "7\n"), (409, "9\n")]

    assert send_checkpoints() == 0
    assert len(network.bodies) == 2
    assert (standing().contradicts, "another checkpoint meanwhile" in standing().problem) == (False, True)


def make_anew() -> None:
    """One entry says something else, and no leaf, tile or checkpoint is left that knows better."""
    entry = LedgerEntry.objects.get(leaf__index=1)
    with unguarded():
        LedgerEntry.objects.filter(pk=entry.pk).update(body=entry.body.replace("administrator", "somebody-else"))
        for model in (LedgerCheckpoint, LedgerTile, LedgerLeaf):
            model._default_manager.all()._raw_delete("default")


def test_a_rewritten_ledger_is_refused_and_shown_loudly(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody who owns the database changes an entry and makes the whole tree anew; the witness remembers."""
    book_many(300)
    first = checkpoint()
    send_checkpoints()
    make_anew()
    book_many(3)
    made = checkpoint()
    assert (made.size, made.new) == (first.size + 3, first.size + 3)

    assert send_checkpoints() == 0

    assert standing().contradicts
    assert standing().size == first.size
    assert "verify_ledger" in standing().problem
    assert "tell the auditor" in caplog.text


@pytest.mark.parametrize(
    ("answer", "contradicts", "said"),
    [
        ((422, "inconsistent\n"), True, "does not accept that our ledger continues the 0 entries"),
        ((409, "100000\n"), True, "has a checkpoint of 100000 entries, and our newest has"),
        ((409, "junk"), False, "another checkpoint meanwhile"),
        ((409, "0\n"), False, "another checkpoint meanwhile"),
        ((400, "what?\n"), False, "answered 400: what?"),
        ((500, "<html>oh\x07 no"), False, "answered 500: <html>oh no"),
        ((503, ""), False, "answered 503: nothing more"),
        ((302, ""), False, "answered 302"),
        ((200, ""), False, "no cosignature"),
        ((200, "— witness.example/w1 junk\n"), False, "no cosignature"),
        ((200, f"— {NAME} {base64.b64encode(bytes(76)).decode()}\n"), False, "did not cosign"),
    ],
)
def test_what_else_a_witness_may_answer(
    network: Network, answer: tuple[int, str], contradicts: bool, said: str
) -> None:
    checkpoint()
    network.says = [answer]

    assert send_checkpoints() == 0

    assert said in standing().problem
    assert standing().contradicts is contradicts
    assert not WitnessReceipt.objects.exists()
    assert len(network.bodies) == 1
    waiting_is_over()
    assert send_checkpoints() == 1
    assert (standing().problem, standing().contradicts, standing().since) == ("", False, None)


def test_the_same_size_with_another_root(network: Network, settings: Settings) -> None:
    made = checkpoint()
    log = network.logs[settings.LEDGER_ORIGIN]
    log.size, log.root = made.size, bytes(32)

    assert send_checkpoints() == 0
    assert standing().contradicts
    assert f"another checkpoint of the same {made.size} entries" in standing().problem


def test_a_cosignature_by_another_key_does_not_count(network: Network, settings: Settings) -> None:
    checkpoint()
    vkey, network.private = network.vkey, Ed25519PrivateKey.generate()
    settings.LEDGER_WITNESSES = [f"{network.url}#{vkey}"]

    assert send_checkpoints() == 0
    assert "did not cosign it with the key" in standing().problem


def test_the_real_cosignatures_of_public_witnesses_count() -> None:
    checkpoint, signatures = LedgerCheckpoint(note=REAL), read_note(REAL)[1]
    for text in REAL_WITNESSES:
        key = read_key(text, COSIGNATURE)
        assert [http._holds(key, checkpoint, name, blob) for name, blob in signatures].count(True) == 1
        other = LedgerCheckpoint(note=REAL.replace("1432088532", "1432088533"))
        assert not any(http._holds(key, other, name, blob) for name, blob in signatures)


def test_without_a_key_the_cosignature_is_kept_unchecked(network: Network, settings: Settings) -> None:
    settings.LEDGER_WITNESSES = [f"{network.url}/"]
    checkpoint()

    assert send_checkpoints() == 1
    assert WitnessReceipt.objects.get().answer.startswith(f"— {NAME} ")


def test_a_witness_that_does_not_know_us_is_told_of_with_the_key_it_needs(network: Network, settings: Settings) -> None:
    checkpoint()
    network.logs.clear()
    assert send_checkpoints() == 0
    key = standing().problem.rpartition(" ")[2]
    name, key_id, encoded = key.split("+", 2)
    assert (name, base64.b64decode(encoded)) == (settings.LEDGER_ORIGIN, b"\x01" + log_public())
    assert "does not know this ledger" in standing().problem

    network.logs[settings.LEDGER_ORIGIN] = Log(log_public())
    waiting_is_over()
    assert send_checkpoints() == 1
    rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    checkpoint()
    assert send_checkpoints() == 0
    assert "does not know the key that signed the checkpoint" in standing().problem
    assert standing().problem.endswith(base64.b64encode(b"\x01" + log_public()).decode())
    assert key_id


def test_one_that_cannot_be_reached_is_tried_ever_later(network: Network, settings: Settings) -> None:
    checkpoint()
    settings.LEDGER_WITNESSES = ["http://127.0.0.1:1/w"]
    waits = []
    for attempt in range(len(WAITS) + 2):
        before = timezone.now()
        assert send_checkpoints() == 0
        state = WitnessState.objects.get()
        assert state.attempts == attempt + 1
        waits.append(min(range(len(WAITS)), key=lambda n: abs(state.next_attempt_at - before - WAITS[n])))
        assert send_checkpoints() == 0
        assert WitnessState.objects.get().attempts == attempt + 1, "not before its time"
        waiting_is_over()
    assert waits == [*range(len(WAITS)), len(WAITS) - 1, len(WAITS) - 1]
    assert "cannot be reached" in standing().problem
    assert standing().since is not None


def test_one_that_fails_keeps_no_other_from_its_checkpoint(network: Network, settings: Settings) -> None:
    settings.LEDGER_WITNESSES = ["http://127.0.0.1:1/w", *settings.LEDGER_WITNESSES, "nonsense"]
    checkpoint()

    assert send_checkpoints() == 1
    assert [state.problem[:20] for state in witness_states()] == ["It cannot be reached", ""]


def test_a_turn_that_was_begun_is_not_begun_again_at_once(network: Network) -> None:
    """Two workers, or one that was killed: the turn ends by itself."""
    checkpoint()
    WitnessState.objects.create(witness=network.url, next_attempt_at=timezone.now() + datetime.timedelta(minutes=9))

    assert send_checkpoints() == 0
    waiting_is_over()
    assert send_checkpoints() == 1


def test_four_workers_send_it_once(transactional_db: None, network: Network) -> None:
    checkpoint()
    begin, took = threading.Barrier(4), list[int]()

    def work() -> None:
        begin.wait(20)
        took.append(send_checkpoints())

    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(beside(work))

    assert sorted(took) == [0, 0, 0, 1]
    assert len(network.bodies) == 1


def test_one_that_answers_no_http(network: Network, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    checkpoint()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings.LEDGER_WITNESSES = [f"http://127.0.0.1:{deaf.getsockname()[1]}/w"]
        assert send_checkpoints() == 0
    assert "cannot be reached: timed out" in standing().problem


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[int]:
    """The port of an HTTPS server whose certificate nobody vouches for; whoever comes in fails the test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_certificate_that_does_not_hold(signing_keys: None, settings: Settings, self_signed: int) -> None:
    settings.LEDGER_WITNESSES = [f"https://localhost:{self_signed}/w"]
    checkpoint()

    assert send_checkpoints() == 0
    assert "certificate does not hold: self-signed certificate" in standing().problem
    assert LedgerLeaf.objects.exists()
