"""Several things in one text: each with the verdict of its own dry run, and the way back to those that are left.

What is left is kept in the session, since it must outlive the redirect after a booking, which a hidden field of a form
does not. It is encrypted there, because deactivation codes are in it; only what can be gone on with is kept, not the
mail around it; and no more than MOST_KEPT letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.request import UsageRequest, read_request
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations import queries
from activations.admin import deactivation, showing
from activations.admin.access import DESK, actor_of, needs
from activations.admin.forms import PasteForm
from activations.admin.pages import desk_page
from activations.admin.pasted import Pasted, recognise
from activations.domain.letters import listed
from activations.domain.words import Actor
from activations.models import License
from activations.services import vault
from activations.services.issue import Submission, submit_usage_request

ORIGIN = "desk"
MOST_LOOKED_AT = 10  # dry runs for one page; the others are looked at when it is their turn
MOST_LISTED = 50
MOST_KEPT = 100_000
SESSION, USE = "desk_rest", "desk-rest"


@dataclass(frozen=True)
class Thing:
    """One of several: a Usage Request or a deactivation code. `name` is what booking it will be called, if it can be.

    `text` is what the desk goes on with; empty where there is nothing to go on with.
    """

    what: str
    text: str
    verdict: str
    tone: str
    sentence: str
    name: str = ""
    license_id: str = ""
    license: License | None = None
    done: bool = False
    code: bool = False
    next: bool = False  # the first that is not done


def is_several(found: Pasted) -> bool:
    """More than one thing to look at. A damaged block beside a whole one is mostly a quotation of it."""
    requests = len(found.requests) or len(found.blocks)
    return requests > 1 or (len(found.codes.deactivation_codes) > 1 and bool(found.codes.license_ids))


def several_page(request: HttpRequest, text: str, found: Pasted, *, keep: bool = True) -> HttpResponse:
    """Everything in the text, one after the other. `keep` remembers it for the way back."""
    things = _things(request, found)
    kept = remember(request, things) if keep else True
    requests, codes = len(found.blocks), len(found.codes.deactivation_codes)
    counted = [f"{requests} Usage Request{'s' * (requests > 1)}"] if requests else []
    counted += [f"{codes} deactivation code{'s' * (codes > 1)}"] if codes else []
    return desk_page(
        request,
        PasteForm(initial={"text": text}),
        several=things,
        several_title=f"{' and '.join(counted)} in one text",
        all_done=all(thing.done for thing in things if thing.text),
        not_kept=not kept,
        not_listed=requests + codes - len(things),
    )


@never_cache
@needs(*DESK)
@require_safe
def rest(request: HttpRequest) -> HttpResponse:
    """The same list again, as things stand now."""
    text = _kept_text(request)
    if not text:
        messages.info(request, "Nothing is left of an earlier text. Paste the next one.")
        return redirect("admin:desk")
    return several_page(request, text, recognise(text), keep=False)


def remember(request: HttpRequest, things: Iterable[Thing]) -> bool:
    """Keeps the things that can be booked; whether they could be kept."""
    bookable = [thing for thing in things if thing.text]
    text = "\n".join(thing.text for thing in bookable)
    if len(text) > MOST_KEPT:
        return False
    names = [thing.name for thing in bookable if thing.name]
    encrypted = vault.encrypt(text.encode(), use=USE).decode()
    request.session[SESSION] = {"text": encrypted, "names": names, "done": []}
    return True


def remember_pair(request: HttpRequest, found: Pasted) -> None:
    """One Usage Request with a deactivation code beside it: whichever is booked first, the other is not forgotten."""
    remember(request, _things(request, found))


def forget(request: HttpRequest) -> None:
    """A new text takes the place of the one before. What was refused then is looked at anew: a seat may be free now."""
    request.session.pop(SESSION, None)
    results = request.session.get("desk_results", {})
    answered = {name: kept for name, kept in results.items() if kept.get("outcome") not in ("refused", "pending")}
    if len(answered) < len(results):
        request.session["desk_results"] = answered


def note_done(request: HttpRequest) -> None:
    """Notes what was booked so far, since the session keeps only the latest results."""
    kept = _kept(request)
    if kept:
        request.session[SESSION] = {**kept, "done": sorted(_done(request))}


def left(request: HttpRequest) -> dict[str, int] | None:
    """How many of how many are not booked yet; None when nothing is left. Asks the session only, not the database."""
    names = _kept(request).get("names", [])
    missing = len(set(names) - _done(request))
    return {"left": missing, "of": len(names)} if missing and len(names) > 1 else None


def _kept(request: HttpRequest) -> dict[str, Any]:
    kept = request.session.get(SESSION)
    return kept if isinstance(kept, dict) else {}


def _done(request: HttpRequest) -> set[str]:
    """The names of what was booked in this session."""
    return {*_kept(request).get("done", []), *request.session.get("desk_results", {})}


def _kept_text(request: HttpRequest) -> str:
    kept = _kept(request)
    return vault.decrypt(kept["text"].encode(), use=USE).decode() if kept else ""


def _things(request: HttpRequest, found: Pasted) -> list[Thing]:
    actor, done = actor_of(request), _done(request)
    things: list[Thing] = []
    for block in found.blocks[:MOST_LISTED]:
        looked_at = sum(bool(thing.license_id) for thing in things)
        things.append(_of_block(block, actor, done, look=looked_at < MOST_LOOKED_AT))
    things += _of_codes(found, actor)
    ids = tuple({thing.license_id for thing in things if thing.license_id})
    licenses = {license.license_id: license for license in queries.licenses_named(ids)} if ids else {}
    things = [
        replace(thing, license=licenses.get(thing.license_id), done=thing.name in done)
        for thing in things[:MOST_LISTED]
    ]
    first = next((thing for thing in things if thing.text and not thing.done), None)
    return [replace(thing, next=thing is first) for thing in things]


def _of_block(block: FoundBlock | DamagedBlock, actor: Actor, done: set[str], *, look: bool) -> Thing:
    """`look` allows a dry run; what is booked by now needs none."""
    if isinstance(block, DamagedBlock):
        lines = listed(sorted({*block.damaged, *block.missing}))
        sentence = f"Ask the customer for {lines or 'the whole of it'} again; pasted alone, it drafts that reply."
        return Thing("A damaged Usage Request", "", "Damaged", "bad", sentence)
    claims = _claims(block)
    if not isinstance(claims, UsageRequest):
        return Thing("A Usage Request", block.text, "Refused", "bad", claims)
    what = f"{claims.hostname or 'unnamed host'}, request number {claims.counter}, Chariot {claims.version}"
    name = claims.request_id.hex()
    if name in done or not look:
        return Thing(what, block.text, "Not looked at yet", "wait", "Look at it when those above are done.", name)
    result = submit_usage_request(source=block.text, actor=actor, origin=ORIGIN, dry_run=True)
    if not isinstance(result, Submission):
        return Thing(what, block.text, "Refused", "bad", result.message)
    verdict, tone = showing.VERDICTS[result.decision.outcome]
    return Thing(what, block.text, verdict, tone, result.decision.staff, name, result.license_id)


def _claims(block: FoundBlock) -> UsageRequest | str:
    try:
        return read_request(block.data)
    except ProtocolError as error:
        return error.message


def _of_codes(found: Pasted, actor: Actor) -> list[Thing]:
    tries = deactivation.MOST_PAIRS
    things = []
    for code in found.codes.deactivation_codes:
        licenses = list(islice(found.codes.license_ids, tries))
        tries -= len(licenses)
        things.append(_of_code(code, licenses, actor))
    return things


def _of_code(code: str, license_ids: list[str], actor: Actor) -> Thing:
    """The code with the License ID of those in the text that it fits."""
    sentence = "Its License ID is missing, or there are too many in one text."
    for license_id in license_ids:
        tried = deactivation.preview(license_id, code, actor)
        if isinstance(tried, deactivation.Preview):
            host = tried.activation.hostname or "unnamed host"
            text, name = f"{license_id}\n{code}", tried.result.activation_id
            about = f"{host}, deactivation code {code}"
            return Thing(about, text, tried.title, tried.tone, tried.sentence, name, license_id, code=True)
        sentence = tried.message
    return Thing(f"Deactivation code {code}", "", "Frees nothing", "bad", sentence)
