"""The sentences that go with each decision: one for staff, one that can be mailed to the customer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from activations.domain.facts import ActivationFacts, SeenRequest

OPTIONS: dict[str, str] = {
    "rebind": "The hardware of this host was changed: the activation moves to it. Takes no seat; say what was changed.",
    "reinstalled": "Chariot was installed again on this host: the new installation takes over that "
    "activation. Takes no seat.",
    "second": "A second Chariot runs on this host: a new activation. Takes a seat.",
    "second-tombstone": "Accept this Chariot as a new activation and settle the earlier case. Takes a seat.",
    "found-again": "The lost host is back: its activation becomes active again, in the seat it already has.",
    "found-again-reinstalled": "The lost host is back with Chariot installed again: its activation becomes "
    "active again, in the seat it already has.",
    "restored-backup": "The host was put back from a backup or snapshot: accept it and go on. From then on "
    "only this request and later ones count.",
    "accept-host": "Accept this host as it is: the license is then bound to this Chariot's key and hardly to its "
    "hardware, and each update of it waits for a lead again. Takes a seat; say why.",
    "refuse": "Refuse this request for good. The customer is told to make a new one.",
}

TEST_REQUEST = "This request was made with a test switch, not on a real host."
NOT_COMPARABLE = (
    "The host names fewer than two of machine id, board, disk and network card: it cannot be recognised again."
)
TERMS_CHANGED_SINCE = (
    "The terms of the license changed after this answer was made. To get them the customer needs a new Usage Request."
)
BACKUP_ACCEPTED = (
    "Taken as restored from a backup: once this is answered, earlier requests of this Chariot no longer count."
)

_NEW_REQUEST = "Please make a new Usage Request on that Chariot (Offline > Generate Usage Request) and send it to us."
_REVIEW = "Your Usage Request needs a review on our side, because "
_REPLY_CODE = (
    "If you pressed Deactivate on it, please send us the Deactivation Request code it shows. Otherwise "
    "please tell us what happened to the host, for example that it was cloned or put back from a backup."
)


def active_elsewhere(license_ids: Iterable[str]) -> str:
    return (
        f"This Chariot also holds an active activation of {', '.join(license_ids)}. That seat stays taken "
        "until its deactivation code arrives or a lead settles it."
    )


def sighting(activation_id: str, restoration_id: str | None) -> str:
    case = f" (case {restoration_id})" if restoration_id else ""
    return f"Sighting: this host or Chariot was written off with activation {activation_id}{case}."


def settles(cases: Iterable[str]) -> str:
    return f"The sighting is accepted, which settles the earlier case: {', '.join(cases)}."


def host_drift(words: str) -> str:
    return f"The host changed a little and is still recognised: {words}."


def unlike(words: str, comparable: int) -> str:
    """Why a host is not recognised: too little to go by sounds like agreement unless it is said."""
    return words if comparable != 1 else f"{words}; too little to recognise it by"


def closes_restoration(restoration_id: str) -> str:
    return f"The open restoration case {restoration_id} is closed by this: the host exists."


def sentences(code: str, **details: Any) -> tuple[str, str]:
    """The sentence for staff and the one for the customer, for a decision code."""
    return SENTENCES[code](**details)


def _fixed(staff: str, customer: str) -> Callable[..., tuple[str, str]]:
    return lambda **details: (staff.format(**details), customer.format(**details))


def _superseded(counter: int, latest: SeenRequest) -> tuple[str, str]:
    return (
        f"Superseded: this is request number {counter} of its Chariot, but number {latest.counter} "
        f"({latest.request_id}) was received on {latest.at}.",
        "This Usage Request is no longer valid, because a newer one was made on the same Chariot and reached "
        f"us on {latest.at}. Please send us the newest Usage Request.",
    )


def _version(asked: str, versions: tuple[str, str]) -> tuple[str, str]:
    low, high = versions
    if low and high:
        covered = f"versions {low} to {high}"
    else:
        covered = f"version {low} and later" if low else f"versions up to {high}"
    return (
        f"Chariot {asked} is not covered: this license covers {covered}.",
        f"Your license covers Chariot {covered}; the Usage Request comes from version {asked}. Please ask "
        "your sales contact for an upgrade, or install a version that is covered and make a new Usage "
        "Request.",
    )


def _no_seat(active: Sequence[ActivationFacts], lost: Sequence[ActivationFacts], allowed: int) -> tuple[str, str]:
    staff = f"No seat is free; the license allows {allowed}."
    customer = "All activations of your license are in use."
    if active:
        staff += f" Active: {'; '.join(map(_holder, active))}."
        customer += (
            f" Active: {'; '.join(f'{_host(a)} since {a.since}' for a in active)}. Deactivate a Chariot you "
            "no longer need and send us its Deactivation Request code."
        )
    if lost:
        staff += f" Lost, could be restored after review: {'; '.join(map(_holder, lost))}."
        customer += (
            f" Reported lost: {'; '.join(map(_host, lost))}. Please write to us what happened, and we will "
            "review whether an activation can be restored."
        )
    return staff, customer


def _host(activation: ActivationFacts) -> str:
    return activation.hostname or activation.activation_id


def _holder(activation: ActivationFacts) -> str:
    host = f"{activation.hostname}, " if activation.hostname else ""
    case = f", case {activation.open_restoration} is open" if activation.open_restoration else ""
    return f"{activation.activation_id} ({host}since {activation.since}{case})"


def _no_seat_tombstone(cases: Sequence[str], **holders: Any) -> tuple[str, str]:
    staff, customer = _no_seat(**holders)
    return f"{staff} This host or Chariot was written off in {', '.join(cases)}.", customer


def _same_host(activation_ids: Sequence[str], free: int) -> tuple[str, str]:
    staff = f"A new Chariot on a host that already holds {', '.join(activation_ids)}. "
    if free > 0:
        staff += "Choose: installed again, or a second Chariot on the same host."
    else:
        staff += "Choose whether it was installed again; no seat is free for a second Chariot."
    return staff, (
        "Your Usage Request comes from a host that already has an activated Chariot. Please tell us whether "
        "Chariot was installed again there, or whether this is a second one."
    )


def _listed(staff: str, customer: str, name: str) -> Callable[..., tuple[str, str]]:
    return lambda **details: (staff.format(", ".join(details[name])), customer)


SENTENCES: dict[str, Callable[..., tuple[str, str]]] = {
    "superseded": _superseded,
    "superseded-by-backup": _fixed(
        "Superseded: this request, number {counter} of its Chariot, was received before a backup of that "
        "Chariot was accepted. It no longer counts.",
        "This Usage Request is no longer valid, because a newer one was made on the same Chariot. Please "
        "send us the newest Usage Request.",
    ),
    "test-request": _fixed(
        "The request was made with a test switch, and this portal answers real hosts only.",
        "This Usage Request was made in a test mode of the license tool. Please make it on the Chariot License page.",
    ),
    "license-suspended": _fixed(
        "License {license_id} is suspended. A license manager can reinstate it.",
        "License {license_id} is suspended at the moment. Please contact your sales representative.",
    ),
    "license-revoked": _fixed(
        "License {license_id} was revoked.",
        "License {license_id} has been revoked and cannot be activated. Please contact your sales representative.",
    ),
    "license-expired": _fixed(
        "Every feature of license {license_id} has expired. A license manager can extend it.",
        "License {license_id} has expired. Please contact your sales representative to renew it, then send "
        "us a new Usage Request.",
    ),
    "product-mismatch": _fixed(
        "The request comes from {asked}, the license is for {licensed}.",
        "The Usage Request comes from the product {asked}, but the License Key is for {licensed}. Please use "
        "the License Key of the product you run.",
    ),
    "version-not-covered": _version,
    "re-sent": _fixed(
        "This request was answered before: the stored answer {usage_license_id} is sent again. Takes no seat.",
        "Here is your Usage License once more.",
    ),
    "answer-withdrawn": _fixed(
        "This request was answered, but its activation {activation_id} is no longer active with this "
        "Chariot. The customer needs a new request.",
        "The activation that answered this Usage Request is no longer active. " + _NEW_REQUEST,
    ),
    "declined-earlier": _fixed(
        "A person refused this request earlier: {why}",
        "This Usage Request has been refused. " + _NEW_REQUEST,
    ),
    "declined-by-person": _fixed(
        "Refused by a person; the case was: {was}.",
        "We could not accept this Usage Request. " + _NEW_REQUEST,
    ),
    "counter-repeated": _fixed(
        "Clone or restored snapshot: request number {counter} of this Chariot was received before with other "
        "content. A lead decides.",
        _REVIEW + "another one with the same number came from this Chariot before. " + _REPLY_CODE,
    ),
    "deactivated-earlier": _fixed(
        "Restored snapshot: the deactivation code of this Chariot was received, yet request number {counter} "
        "comes from the state before it was deactivated. A lead decides.",
        _REVIEW + "it comes from a Chariot that was deactivated before. Please tell us what happened to the host, "
        "for example that it was put back from a backup.",
    ),
    "previous-license-unknown": _fixed(
        "Clone or restored snapshot: the request names an installed Usage License that this Chariot was "
        "never sent. A lead decides.",
        _REVIEW + "the license installed on that Chariot is not one we sent to it. " + _REPLY_CODE,
    ),
    "previous-license-forgotten": _fixed(
        "Clone, restored snapshot, or deactivated without sending the code: an earlier request had a Usage "
        "License installed, this one has none. Ask for the deactivation code first; otherwise a lead "
        "decides.",
        _REVIEW + "that Chariot no longer has the Usage License it had before. " + _REPLY_CODE,
    ),
    "previous-license-backwards": _fixed(
        "Clone or restored snapshot: the request names an older Usage License as installed than an earlier "
        "request did. A lead decides.",
        _REVIEW + "that Chariot has gone back to an older Usage License. " + _REPLY_CODE,
    ),
    "updated": _fixed(
        "Update of activation {activation_id} on the same host, with the current terms. Takes no seat.",
        "Here is the updated Usage License for your Chariot. It replaces the earlier one.",
    ),
    "rebound": _fixed(
        "Activation {activation_id} moves to the changed hardware ({words}). Takes no seat.",
        "Here is the Usage License for your Chariot on its changed hardware. It replaces the earlier one.",
    ),
    "host-changed": _fixed(
        "Activation {activation_id} is held by this Chariot, but the host is not recognised: {words}. A lead "
        "decides: hardware changed, or a clone.",
        _REVIEW + "the host is not recognised as the one that was activated: {words}. Please tell us what was "
        "changed on the host.",
    ),
    "found-again": _fixed(
        "Lost activation {activation_id} is found again and becomes active, in the seat it already has.",
        "The activation that was reported lost is active again. Here is its Usage License.",
    ),
    "lost-host-seen": _listed(
        "This host or Chariot belongs to an activation that is marked as lost: {}. Choose what happened.",
        "Your Usage Request comes from a host that was reported lost. Please tell us what happened to it.",
        "activation_ids",
    ),
    "tombstone-seen": _listed(
        "This host or Chariot was written off in {}, and it still exists. A lead decides.",
        _REVIEW + "it comes from a host or an installation that we had noted as gone. Please tell us what "
        "happened to it.",
        "cases",
    ),
    "sighting-accepted": _listed(
        "Accepted as a new activation, although it was written off in {}. Takes a seat.",
        "Here is the Usage License for your Chariot.",
        "cases",
    ),
    "host-not-recognisable": _fixed(
        "A new Chariot whose host names fewer than two of machine id, board, disk and network card: its license "
        "could be copied to other hosts unnoticed. Ask the customer to run it as an administrator, or to mount "
        "/etc/machine-id into its container, and to send a new Usage Request; otherwise a lead decides.",
        _REVIEW + "it names too little of the host to recognise it by. Please run Chariot as an administrator (in a "
        "container, mount the host's /etc/machine-id read-only), make a new Usage Request and send it to us. If that "
        "is not possible, please tell us why.",
    ),
    "host-accepted": _fixed(
        "New activation on a host that can hardly be recognised, accepted by a lead. Takes a seat; free afterwards: "
        "{free} of {allowed}.",
        "Here is the Usage License for your Chariot.",
    ),
    "no-seat-tombstone": _no_seat_tombstone,
    "same-host": _same_host,
    "reinstalled": _fixed(
        "Chariot was installed again: activation {activation_id} passes to the new installation. Takes no seat.",
        "Here is the Usage License for your reinstalled Chariot. It replaces the earlier one.",
    ),
    "second-chariot": _fixed(
        "A second Chariot on the same host: a new activation. Takes a seat.",
        "Here is the Usage License for your second Chariot on this host.",
    ),
    "activated": _fixed(
        "New activation. Takes a seat; free afterwards: {free} of {allowed}.",
        "Here is the Usage License for your Chariot.",
    ),
    "no-seat": _no_seat,
    "online-activation-off": _fixed(
        "Came in online, and license {license_id} is not answered online: it waits for Support. A license manager can "
        "allow online activation.",
        "Usage Requests of license {license_id} are answered by Support.",
    ),
}
