"""Storing an authenticated Usage Request: once, as received, with the sightings it is."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.db.models import QuerySet

from activations.domain.ledger import Kind
from activations.domain.words import RequestState
from activations.models import Instance, License, Sighting, Tombstone, UsageRequest
from activations.services.booking import Book, lock_chain
from activations.services.case import Case

_END_KINDS = {
    RequestState.PENDING: Kind.REQUEST_PENDING,
    RequestState.REFUSED: Kind.REQUEST_REFUSED,
    RequestState.DECLINED: Kind.REQUEST_DECLINED,
}
_FINAL = (RequestState.ANSWERED, RequestState.DECLINED)


def record_request(case: Case) -> UsageRequest:
    """The stored request, stored now if it is new; books its arrival and each new sighting (Design 9.2)."""
    request = UsageRequest.objects.filter(request_id=case.read.request.request_id.hex()).first()
    if request is None:
        request = _store(case)
    known = set(Sighting.objects.filter(request=request).values_list("tombstone__tombstone_id", flat=True))
    for tombstone_id in case.decision.sighted:
        if tombstone_id not in known:
            tombstone = Tombstone.objects.get(tombstone_id=tombstone_id)
            Sighting.objects.create(tombstone=tombstone, request=request, seen_at=case.book.now)
            data = {"tombstone_id": tombstone_id, "request_id": request.request_id}
            case.book.add(Kind.TOMBSTONE_SIGHTED, data)
    return request


def _store(case: Case) -> UsageRequest:
    instance, book = case.instance, case.book
    claims = case.read.request
    ahead = not UsageRequest.objects.filter(
        instance=instance, epoch=instance.epoch, in_line=True, counter__gte=claims.counter
    ).exists()
    request = UsageRequest.objects.create(
        request_id=claims.request_id.hex(),
        license=case.license,
        instance=instance,
        counter=claims.counter,
        epoch=instance.epoch,
        in_line=ahead,
        text=case.read.text,
        received=case.read.received,
        payload=case.read.payload,
        sha256=hashlib.sha256(case.read.payload).hexdigest(),
        previous=claims.previous.hex() if claims.previous is not None else "",
        commitment=claims.commitment.hex(),
        fingerprint=claims.fingerprint.to_json(),
        container=claims.container or "",
        virtual=claims.virtual or "",
        hostname=claims.hostname,
        version=claims.version,
        made_at=_host_time(claims.issued_at),
        test=claims.test,
        received_at=book.now,
        received_by=book.actor.name,
        state=RequestState.REFUSED,
        code="",
    )
    book.add(
        Kind.REQUEST_RECEIVED,
        {
            "request_id": request.request_id,
            "instance": instance.thumbprint,
            "counter": request.counter,
            "epoch": request.epoch,
            "sha256": request.sha256,
            "previous": request.previous,
            "fingerprint": request.fingerprint,
            "hostname": request.hostname,
            "version": request.version,
            "test": request.test,
        },
        reason="",
    )
    if ahead:
        _end_superseded(request, book)
    return request


def _end_superseded(newer: UsageRequest, book: Book) -> None:
    """A new Usage Request invalidates the ones before it (Design 1): none of them waits for a person any more."""
    earlier = _waiting(newer.instance).filter(epoch=newer.epoch).exclude(pk=newer.pk)
    _end_all(earlier, "superseded", newer.license, book)


def end_before_backup(kept: UsageRequest, book: Book) -> None:
    """The line of history that a restored backup took the place of is void: none of its requests waits any more."""
    _end_all(_waiting(kept.instance).filter(epoch__lt=kept.epoch), "superseded-by-backup", kept.license, book)


def lock_chains(license: License, instance: Instance) -> None:
    """Locks every chain that booking a request of this Instance may write to. An Instance is global (Design 9.8): what
    ends with the request may be on the chains of other licenses. In the order of their names, so that two such
    bookings never wait for each other; the requests themselves are held by the lock on the Instance.
    """
    others = _waiting(instance).exclude(license=license).order_by().values_list("license__license_id", flat=True)
    names = {license.license_id, *others}
    if len(names) > 1:
        for name in sorted(names):
            lock_chain(name)


def _waiting(instance: Instance) -> QuerySet[UsageRequest]:
    return UsageRequest.objects.filter(instance=instance, state=RequestState.PENDING)


def _end_all(requests: QuerySet[UsageRequest], code: str, license: License, book: Book) -> None:
    """Ends requests that waited, each on the chain of its own license."""
    by_license: dict[str, list[UsageRequest]] = {}
    for request in requests.select_related("license").order_by("id"):
        by_license.setdefault(request.license.license_id, []).append(request)
    for request in by_license.pop(license.license_id, []):
        record_end(request, RequestState.REFUSED, code, book, reason="")
    for chain, ended in by_license.items():
        with Book(chain=chain, actor=book.actor, source=book.source) as other:
            for request in ended:
                record_end(request, RequestState.REFUSED, code, other, reason="")


def record_end(request: UsageRequest, state: RequestState, code: str, book: Book, *, reason: str | None = None) -> None:
    """Books that a request was refused, declined or waits for a person; nothing when it says so already.

    `reason`: in place of the book's, which speaks of the request that is being answered.
    """
    if request.state in _FINAL or (request.state == state and request.code == code):
        return
    refusal = book.reason if state is RequestState.DECLINED else ""
    UsageRequest.objects.filter(pk=request.pk).update(state=state, code=code, refusal=refusal)
    book.add(_END_KINDS[state], {"request_id": request.request_id, "code": code}, reason=reason)


def _host_time(seconds: int) -> datetime:
    """The host's clock is information only, and may say anything; a time no calendar has becomes the epoch."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
