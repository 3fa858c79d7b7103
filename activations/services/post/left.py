"""What of the mails of a conversation is left to answer: each Usage Request and each code for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chariot_license.protocol.block import FoundBlock
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.reader import find_blocks
from chariot_license.protocol.request import UsageRequest as Claims
from chariot_license.protocol.request import read_request
from django.db.models import Max

from activations.domain.words import FindingKind, RequestState
from activations.models import Conversation, Finding, OutgoingMail, UsageRequest

MOST_READ = 100  # unbooked requests of a conversation that are read again; more of them are simply left


@dataclass(frozen=True)
class Standing:
    """How a finding stands. `left`: it waits for us. `booked`: a Usage Request that the ledger tells of."""

    words: str
    left: bool
    booked: bool = True


TOLD = Standing("Answered in this conversation.", left=False)
BOOKED = Standing("Booked; no mail of this conversation tells the customer.", left=False)
PARKED = Standing("On the desk for a lead; the customer waits for the answer.", left=True)
LATER = Standing("A later request of this Chariot came: nothing is left to answer here.", left=False, booked=False)
SAME = Standing("The same Usage Request is in the other copy of this mail; it is answered once.", left=False)
WAITS = Standing("Waits for our answer.", left=True, booked=False)


def standings(findings: Iterable[Finding], conversation: Conversation) -> dict[int, Standing]:
    """How the Usage Requests of our licenses among the findings stand, by key; others are not there."""
    rows = [row for row in findings if row.kind == FindingKind.REQUEST and row.license_id and row.request_id]
    ids = {row.request_id for row in rows}
    states = dict(UsageRequest.objects.filter(request_id__in=ids).values_list("request_id", "state"))
    told = set(
        OutgoingMail.objects.filter(conversation=conversation, reply__request__request_id__in=ids).values_list(
            "reply__request__request_id", flat=True
        )
    )
    later = _superseded([row for row in rows if row.request_id not in states])
    return {row.pk: _standing(row.request_id, states, told, later) for row in rows}


def _standing(request_id: str, states: dict[str, str], told: set[str], later: set[str]) -> Standing:
    state = states.get(request_id)
    if state == RequestState.PENDING:
        return PARKED
    if state is not None:
        return TOLD if request_id in told else BOOKED
    return LATER if request_id in later else WAITS


def left_in(conversation: Conversation) -> list[Finding]:
    """The findings that wait for our answer, oldest mail first; of a request that came twice, the first."""
    found = Finding.objects.filter(mail__conversation=conversation).select_related("mail")
    rows = list(found.filter(kind=FindingKind.REQUEST, license__isnull=False).exclude(request_id=""))
    rows.sort(key=lambda row: (row.mail.fetched_at, row.pk))
    once = list({row.request_id: row for row in reversed(rows)}.values())[::-1]
    stand = standings(once, conversation)
    return [row for row in once if stand[row.pk].left] + _codes_left(conversation, found.filter(kind=FindingKind.CODE))


def _codes_left(conversation: Conversation, codes: Iterable[Finding]) -> list[Finding]:
    """A code stands in no table until it is used, so they are counted: as many answers as one mail had codes is all."""
    rows = list(codes)
    if not rows:
        return []
    most = max(Counter(row.mail_id for row in rows).values())
    answers = OutgoingMail.objects.filter(
        conversation=conversation, again__isnull=True, reply__activation__isnull=False, reply__request__isnull=True
    ).count()
    newest = max(rows, key=lambda row: (row.mail.fetched_at, row.pk)).mail_id
    return [row for row in rows if row.mail_id == newest][: max(0, most - answers)]


def _superseded(rows: Sequence[Finding]) -> set[str]:
    """The ids of those after which a later request of the same Chariot was booked."""
    claims = {row.request_id: read for row in rows[-MOST_READ:] if (read := _claims(row.text)) is not None}
    names = {each.thumbprint.hex() for each in claims.values()}
    latest = dict(
        UsageRequest.objects.filter(instance__thumbprint__in=names, in_line=True)
        .order_by()
        .values_list("instance__thumbprint")
        .annotate(Max("counter"))
    )
    return {name for name, each in claims.items() if latest.get(each.thumbprint.hex(), 0) > each.counter}


def _claims(text: str) -> Claims | None:
    try:
        return next((read_request(block.data) for block in find_blocks(text) if isinstance(block, FoundBlock)), None)
    except ProtocolError:
        return None
