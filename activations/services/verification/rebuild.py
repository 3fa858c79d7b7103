"""The rebuild check: every table against the ledger that it is a projection of (Design 5), and against stored bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.request import thumbprint

from activations.domain import lines
from activations.domain.fold import difference, differences, fold
from activations.domain.ledger import PORTAL_CHAIN, Entry, Kind, read_body
from activations.models import (
    Evidence,
    Instance,
    LedgerEntry,
    License,
    PortalSecret,
    ReplyText,
    RevealedCode,
    UsageRequest,
)
from activations.services.booking import iso
from activations.services.licenses import license_key
from activations.services.vault import VaultError, key_digest
from activations.services.verification.automatic import automatic_answer_problems
from activations.services.verification.erasures import erasure_problems
from activations.services.verification.keys import KnownKeys
from activations.services.verification.payloads import payload_problems
from activations.services.verification.staff_trail import staff_trail_problems
from activations.services.verification.tables import Rows, rows_of

CHUNK = 2000
LICENSES = 200  # how many are compared at a time: a few queries for all of them
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)  # what a row that no portal wrote can raise when read


def rebuild_problems(keys: KnownKeys, passed: Callable[[int], None]) -> Iterator[str]:
    """All differences between the ledger and the tables; costs what there is to read, once. `passed` is told how many
    more entries were folded.
    """
    yield from keys.problems
    folded: set[str] = set()
    entries = LedgerEntry.objects.exclude(chain=PORTAL_CHAIN).order_by("chain", "seq")
    chains = _chains(entries.values_list("chain", "body").iterator(CHUNK))
    digests = _Digests()
    yield from digests.problems
    while batch := dict(islice(chains, LICENSES)):
        folded |= batch.keys()
        yield from _batch_problems(batch, keys, digests)
        passed(sum(map(len, batch.values())))
    names = License.objects.order_by("license_id").values_list("license_id", flat=True)
    for name in names.iterator(CHUNK):
        if name not in folded:
            yield f"{name}: the tables have a license that the ledger does not tell of"
    yield from _line_problems()
    yield from _evidence_problems()
    yield from _reply_text_problems()
    yield from staff_trail_problems()
    yield from erasure_problems()
    yield from automatic_answer_problems()


def _chains(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for chain, group in groupby(rows, key=lambda row: row[0]):
        yield chain, [body for _, body in group]


class _Digests:
    """The keyed digests of License Keys; one that was computed is kept, because every request names one again."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self.problems: list[str] = []
        # Looked for first: `key_digest` would make the secret, and nothing is written here.
        if License.objects.exists() and not PortalSecret.objects.filter(name="key-digest").exists():
            self.problems.append("the secret behind the digests of License Keys is missing, so no key was checked")
        else:
            self._probe()

    def _probe(self) -> None:
        if not License.objects.exists():
            return
        try:
            self.of(bytes(8))
        except VaultError as error:
            self.problems.append(f"License Keys cannot be checked. {error}")

    def of(self, lookup_id: bytes) -> str:
        if lookup_id not in self._known:
            self._known[lookup_id] = key_digest(lookup_id)
        return self._known[lookup_id]


def _batch_problems(batch: dict[str, list[str]], keys: KnownKeys, digests: _Digests) -> Iterator[str]:
    licenses = {
        license.license_id: license
        for license in License.objects.filter(license_id__in=batch).select_related("customer", "product")
    }
    try:
        rows = {found.license.license_id: found for found in rows_of(list(licenses.values()))}
    except UNREADABLE:
        rows = {}  # one of them cannot be read: each is read alone, so that it is named
    for name, bodies in batch.items():
        if name not in licenses:
            yield f"{name}: the ledger tells of a license that the tables do not have"
            continue
        try:
            mine = rows.get(name) or rows_of([licenses[name]])[0]
            yield from _license_problems(name, bodies, mine, keys, digests)
        except UNREADABLE as error:
            yield f"{name}: its rows cannot be read ({type(error).__name__}: {error})"


def _license_problems(name: str, bodies: list[str], rows: Rows, keys: KnownKeys, digests: _Digests) -> Iterator[str]:
    try:
        ledger = fold(read_body(body) for body in bodies)
    except (ValueError, KeyError) as error:
        yield f"{name}: cannot be folded ({error})"
        return
    yield from (f"{name} {found}" for found in ledger.differences(rows.state()))
    yield from (f"{name} {found}" for found in payload_problems(rows, ledger, keys))
    if not digests.problems:
        yield from (f"{name} {found}" for found in _license_key_problems(rows, digests))


def _license_key_problems(rows: Rows, digests: _Digests) -> Iterator[str]:
    """The key that is kept is the one whose digest finds the license; each request names it or an earlier one."""
    license = rows.license
    try:
        if digests.of(license_key(license).lookup_id) != license.key_digest:
            yield "license key_digest: is not that of the License Key that is kept"
    except VaultError:
        yield "license key_encrypted: does not open under KEY_ENCRYPTION_KEY"
    except ProtocolError:
        yield "license key_encrypted: is no License Key"
    known = {license.key_digest, *(retired.key_digest for retired in rows.retired_keys)}
    for request_id, lookup_id in rows.lookup_ids.items():
        if digests.of(lookup_id) not in known:
            yield f"requests {request_id}: was made with a License Key that the license never had"


def _line_problems() -> Iterator[str]:
    """Instances, the line of their requests and the codes they revealed: through all licenses in order of booking."""
    try:
        told = lines.follow(_line_entries())
    except ValueError as error:
        yield f"the lines of the Instances cannot be followed ({error})"
        return
    requests = UsageRequest.objects.order_by("id").values_list("license__license_id", "request_id", "in_line")
    for name, request_id, in_line in requests.iterator(CHUNK):
        if told.in_line.get(request_id, in_line) != in_line:
            said = difference(f"requests {request_id}", {"in_line": not in_line}, {"in_line": in_line})
            yield f"{name} {said}"
    yield from _instance_problems(told)
    yield from (f"revealed {found}" for found in _code_problems(told))


def _line_entries() -> Iterator[Entry]:
    entries = LedgerEntry.objects.filter(kind__in=lines.KINDS).order_by("id")
    for body in entries.values_list("body", flat=True).iterator(CHUNK):
        yield read_body(body)


def _instance_problems(told: lines.Lines) -> Iterator[str]:
    """`first_seen` is a moment before the first entry, and no entry says which: it cannot be later."""
    rows = Instance.objects.order_by("id").values_list("thumbprint", "public_key", "epoch", "first_seen")
    for name, public_key, epoch, first_seen in rows.iterator(CHUNK):
        if thumbprint(bytes(public_key)).hex() != name:
            yield f"Instance {name}: its public_key is that of another Instance"
        if epoch != told.epochs.get(name, 1):
            yield difference(f"Instance {name}", {"epoch": told.epochs.get(name, 1)}, {"epoch": epoch})
        first = told.first_received.get(name)
        if first is not None and iso(first_seen) > first:
            yield f"Instance {name}: its first_seen is after its first Usage Request ({first})"


def _code_problems(told: lines.Lines) -> list[str]:
    rows = RevealedCode.objects.order_by("id").values_list(
        "license__license_id", "activation__activation_id", "commitment", "epoch",
        "instance__thumbprint", "revealed_at", "revealed_by",
    )  # fmt: skip
    stored = {
        f"{license} {activation} {commitment} epoch {epoch}": {
            "instance": instance,
            "revealed_at": iso(at),
            "revealed_by": by,
        }
        for license, activation, commitment, epoch, instance, at, by in rows.iterator(CHUNK)
    }
    booked = {f"{code[0]} {code[1]} {code[2]} epoch {code[3]}": said for code, said in told.codes.items()}
    return differences("code", booked, stored)


def _evidence_problems() -> Iterator[str]:
    """The files themselves, one after the other: each may be large. What is booked of them is folded."""
    rows = Evidence.objects.order_by("id").values_list("restoration__restoration_id", "content", "size", "sha256")
    for case, content, size, sha256 in rows.iterator(1):
        data = bytes(content)
        if (len(data), hashlib.sha256(data).hexdigest()) != (size, sha256):
            yield f"evidence {case} {sha256}: its content is not of that size and digest"


def _reply_text_problems() -> Iterator[str]:
    booked: dict[str, dict[str, Any]] = {}
    entries = LedgerEntry.objects.filter(chain=PORTAL_CHAIN, kind=Kind.REPLY_TEXT_CHANGED).order_by("seq")
    for body in entries.values_list("body", flat=True).iterator(CHUNK):
        try:
            entry = read_body(body)
            said = {"sha256": entry.data["sha256"], "reason": entry.reason}
            name = f"{entry.data['kind']} version {entry.data['version']}"
        except (ValueError, KeyError) as error:
            yield f"the reply texts cannot be told ({error})"
            return
        booked[name] = {**said, "written_at": entry.at, "written_by": entry.actor}
    stored = {
        f"{row.kind} version {row.version}": {
            "sha256": hashlib.sha256(row.body.encode()).hexdigest(),
            "reason": row.reason,
            "written_at": iso(row.written_at),
            "written_by": row.written_by,
        }
        for row in ReplyText.objects.order_by("id").iterator(CHUNK)
    }
    yield from differences("reply text", booked, stored)
