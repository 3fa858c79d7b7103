"""What the desk can act on in a mail, with what a dry run says of it. Nothing is booked and nothing is seen here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.codes import find_codes
from chariot_license.protocol.errors import BlockError, ProtocolError
from chariot_license.protocol.reader import find_blocks
from chariot_license.protocol.request import read_request

from activations.domain.words import Ability, Actor, FindingKind
from activations.mailtext.values import Mail
from activations.models import Finding as Row
from activations.models import IncomingMail, License
from activations.services.issue import Submission, submit_usage_request

AUTOMATIC = Actor("automatic", frozenset({Ability.ISSUE}))
MOST = 50  # findings of one mail


@dataclass(frozen=True)
class Finding:
    """One thing to act on. `license_id` is proved only where `kind` is a Usage Request that was authenticated."""

    kind: FindingKind
    text: str = ""
    request_id: str = ""
    license_id: str = ""
    hostname: str = ""
    outcome: str = ""
    code: str = ""
    sentence: str = ""
    lines: tuple[int, ...] = ()  # of a damaged block: what to ask for


@dataclass(frozen=True)
class Findings:
    rows: tuple[Finding, ...] = ()
    license: License | None = None  # of the first Usage Request that proved one, else the one License ID that is named
    proved: bool = False

    @property
    def asks(self) -> bool:
        """Whether there is something to act on; a License ID alone stands in every quote of ours."""
        return any(row.kind is not FindingKind.LICENSE_ID for row in self.rows)

    def write(self, mail: IncomingMail) -> None:
        ids = {row.license_id for row in self.rows if row.license_id}
        licenses = {license.license_id: license for license in License.objects.filter(license_id__in=ids)}
        Row.objects.bulk_create(
            Row(
                mail=mail,
                position=position,
                kind=row.kind,
                request_id=row.request_id,
                license=licenses.get(row.license_id),
                hostname=row.hostname,
                outcome=row.outcome,
                code=row.code,
                sentence=row.sentence,
                text=row.text,
                lines=list(row.lines),
            )
            for position, row in enumerate(self.rows, 1)
        )


def find_in(mail: Mail) -> Findings:
    """Looks through every text of the mail; the same request in two of its parts is one finding."""
    rows = tuple(_rows(mail))[:MOST]
    proved = list(dict.fromkeys(row.license_id for row in rows if row.kind is FindingKind.REQUEST and row.license_id))
    named = [row.license_id for row in rows if row.kind is FindingKind.LICENSE_ID]
    wanted = proved or (named if len(named) == 1 else [])
    found = {each.license_id: each for each in License.objects.select_related("customer").filter(license_id__in=wanted)}
    license = next((found[license_id] for license_id in wanted if license_id in found), None)
    return Findings(rows, license, bool(proved and license))


def _rows(mail: Mail) -> Iterator[Finding]:
    blocks = list(_blocks(mail))
    requests = {block.data: block for block in blocks if isinstance(block, FoundBlock)}
    for block in requests.values():
        yield _request(block)
    if not requests:
        # Beside whole ones a damaged one is mostly the same, quoted by a mail program.
        yield from (_damaged(block) for block in blocks if isinstance(block, DamagedBlock))
    codes, ids = codes_in(mail)
    # The code itself is a secret until it is used: the desk reads it out of the original again.
    yield from (Finding(FindingKind.CODE) for _ in codes)
    known = set(License.objects.filter(license_id__in=ids[:MOST]).values_list("license_id", flat=True))
    yield from (Finding(FindingKind.LICENSE_ID, license_id=each) for each in ids if each in known)


def codes_in(mail: Mail) -> tuple[list[str], list[str]]:
    """The deactivation codes and the License IDs of a mail, each once, in the order in which they stand in it."""
    codes: dict[str, None] = {}
    license_ids: dict[str, None] = {}
    for text in mail.searchable:
        try:
            found = find_codes(text)
        except ProtocolError:
            continue
        codes.update(dict.fromkeys(found.deactivation_codes))
        license_ids.update(dict.fromkeys(found.license_ids))
    return list(codes), list(license_ids)


def _blocks(mail: Mail) -> Iterator[FoundBlock | DamagedBlock]:
    for text in mail.searchable:
        try:
            found = find_blocks(text)
        except BlockError:
            continue
        yield from (block for block in found if block.kind is not BlockKind.LICENSE)


def _damaged(block: DamagedBlock) -> Finding:
    lines = tuple(sorted({*block.damaged, *block.missing}))
    return Finding(FindingKind.DAMAGED, code="block-damaged", sentence=block.message, lines=lines)


def _request(block: FoundBlock) -> Finding:
    blank = Finding(FindingKind.REQUEST, text=block.text)
    try:
        claims = read_request(block.data)
    except ProtocolError as error:
        return replace(blank, outcome="refused", code=error.code, sentence=str(error))
    named = replace(blank, request_id=claims.request_id.hex(), hostname=claims.hostname)
    result = submit_usage_request(source=block.text, actor=AUTOMATIC, origin="mail", dry_run=True)
    if isinstance(result, Submission):
        decision = result.decision
        return replace(
            named,
            license_id=result.license_id,
            outcome=decision.outcome.value,
            code=decision.code,
            sentence=decision.staff,
        )
    # Whoever knows a License ID may name it; only a proof that holds says whose the request is.
    return replace(named, outcome="refused", code=result.code, sentence=result.message)
