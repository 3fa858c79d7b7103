"""From pasted text to an authenticated Usage Request: finds the block, checks the signature, finds the license."""

from __future__ import annotations

from dataclasses import dataclass

from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.clean import readable
from chariot_license.protocol.errors import BlockError, ProtocolError
from chariot_license.protocol.reader import find_blocks
from chariot_license.protocol.request import UsageRequest, proof_holds, read_request
from django.utils import timezone

from activations.domain.words import Actor
from activations.models import IntakeEntry, License, RetiredKey
from activations.models import UsageRequest as StoredRequest
from activations.services.licenses import license_key
from activations.services.results import BadInput, Unanswerable
from activations.services.secret_text import without_secrets as without_secrets  # noqa: PLC0414 (mypy wants it so)
from activations.services.vault import key_digest


@dataclass(frozen=True)
class Authenticated:
    """A Usage Request whose signature and license proof hold. `text` is the block, repaired; `received` all of it."""

    request: UsageRequest
    payload: bytes
    text: str
    received: str
    repaired: tuple[int, ...]
    license_pk: int
    license_id: str


def read_pasted(source: str | bytes) -> Authenticated | Unanswerable | BadInput:
    """The one Usage Request in a pasted text or mail. Reads only; see `keep_refused` for the intake log."""
    try:
        blocks = find_blocks(source)
    except BlockError as error:
        return BadInput(error.code, str(error), dict(error.detail))
    found = _one_request(blocks)
    if not isinstance(found, FoundBlock):
        return found
    return authenticate(found, kept_text(source))


def _one_request(blocks: list[FoundBlock | DamagedBlock]) -> FoundBlock | BadInput:
    whole = [block for block in blocks if isinstance(block, FoundBlock) and block.kind is BlockKind.REQUEST]
    if len(whole) > 1:
        return BadInput(
            "several-requests",
            f"There are {len(whole)} different Usage Requests in this text. Give them one at a time.",
        )
    if whole:
        return whole[0]
    damaged = [block for block in blocks if isinstance(block, DamagedBlock)]
    if damaged:
        lines = sorted({*damaged[0].damaged, *damaged[0].missing})
        return BadInput("block-damaged", damaged[0].message, {"lines": lines})
    if blocks:
        return BadInput(
            "wrong-kind",
            "This is a Usage License, the answer that goes to the customer. Paste the Usage Request that Chariot made.",
        )
    return BadInput(
        "no-block",
        'There is no Usage Request in this text. It begins with a line that says "CHARIOT USAGE REQUEST"; copy the '
        "whole of it, with its numbered lines.",
    )


def authenticate(found: FoundBlock, received: str) -> Authenticated | Unanswerable | BadInput:
    """Checks signature and license proof of one found block; `received` is the text it was found in."""
    try:
        request = read_request(found.data)
    except ProtocolError as error:
        return Unanswerable(error.code, str(error), dict(error.detail))
    digest = key_digest(request.lookup_id)
    license = License.objects.filter(key_digest=digest).first()
    if license is None:
        return _unknown_key(digest)
    if not proof_holds(request, license_key(license).proof_key):
        return Unanswerable(
            "license-proof-wrong",
            "The Usage Request names a License Key but does not prove that its sender has it. It was altered, or made "
            "by another program. Ask the customer for a new one from Chariot.",
            {"license_id": license.license_id},
        )
    return Authenticated(request, found.data, found.text, received, found.repaired, license.pk, license.license_id)


def contradiction(read: Authenticated, license: License) -> Unanswerable | None:
    """What speaks against the request once its license is locked: the License Key may have been replaced since it was
    read, and its number may be that of another request, which must not be taken for this one.
    """
    digest = key_digest(read.request.lookup_id)
    if license.key_digest != digest:
        return _unknown_key(digest)
    stored = StoredRequest.objects.filter(request_id=read.request.request_id.hex()).first()
    if stored is None or (stored.license_id == license.pk and bytes(stored.payload) == read.payload):
        return None
    return Unanswerable(
        "request-id-repeated",
        "Another Usage Request with the same number was received before, and its content was different. Ask the "
        "customer to make a new Usage Request on that Chariot.",
        {"license_id": license.license_id},
    )


def _unknown_key(digest: str) -> Unanswerable:
    retired = RetiredKey.objects.filter(key_digest=digest).select_related("license").first()
    if retired is not None:
        return Unanswerable(
            "license-key-replaced",
            f"The License Key behind this request was replaced on {retired.retired_at:%Y-%m-%d} "
            f"({retired.license.license_id}). The customer needs the new key and a new Usage Request.",
            {"license_id": retired.license.license_id},
        )
    return Unanswerable(
        "license-key-unknown",
        "No license has the License Key this request was made with. Ask the customer to check the key in their "
        "purchase email and to make a new Usage Request.",
    )


def kept_text(source: str | bytes) -> str:
    """What was submitted, as it is kept: no License Key in it, and nothing that a text column cannot hold."""
    return without_secrets(readable(source)).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def keep_refused(*, source: str | bytes, problem: Unanswerable | BadInput, actor: Actor) -> None:
    """Keeps what was submitted and could not be authenticated, so that nothing a customer sent is lost."""
    license_id = problem.detail.get("license_id")
    IntakeEntry.objects.create(
        received_at=timezone.now(),
        received_by=actor.name,
        text=kept_text(source),
        code=problem.code,
        message=problem.message,
        license=License.objects.filter(license_id=license_id).first() if license_id else None,
    )
