"""What the desk suggests to the person who decides a restoration, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.restoring import LossFacts, Quota, Verdict, a_year_before, suggest
from activations.domain.words import LicenseStatus

NOW = datetime(2026, 6, 20, 9, 30, tzinfo=UTC)
FIRST = LossFacts(
    now=NOW,
    lost_at=NOW - timedelta(days=3),
    last_request_at=datetime(2026, 5, 2, 8, 0, tzinfo=UTC),
    quota=Quota(count=0, allowed=2),
)


def ago(*days: int) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(days=day) for day in days)


SILENT = "Its Chariot has been silent since 2026-05-02."
CASES = [
    ({}, Verdict.APPROVE, ("First loss of this customer.", SILENT)),
    (
        {"other_losses": ago(500)},
        Verdict.APPROVE,
        ("First loss of this customer within 12 months; 1 earlier.", SILENT),
    ),
    ({"other_losses": ago(30)}, Verdict.APPROVE, ("Second loss of this customer within 12 months.", SILENT)),
    (
        {"other_losses": ago(10, 40, 800)},
        Verdict.LOOK_CLOSER,
        ("Third loss of this customer within 12 months.", SILENT),
    ),
    (
        {"other_losses": ago(*range(1, 13))},
        Verdict.LOOK_CLOSER,
        ("Loss number 13 of this customer within 12 months.", SILENT),
    ),
    (
        {"request_after_loss": datetime(2026, 6, 19, 7, 5, tzinfo=UTC)},
        Verdict.DENY,
        (
            "The host sent a request after it was reported lost, on 2026-06-19 07:05 UTC: it may still run.",
            "First loss of this customer.",
        ),
    ),
    (
        {"seen_again": ("TMB-1",)},
        Verdict.DENY,
        (
            "An earlier written-off host of this customer was seen again and is unsettled: TMB-1.",
            "First loss of this customer.",
            SILENT,
        ),
    ),
    (
        {"seen_and_settled": ("TMB-1", "TMB-2")},
        Verdict.LOOK_CLOSER,
        (
            "Earlier written-off hosts of this customer were seen again, which is settled: TMB-1, TMB-2.",
            "First loss of this customer.",
            SILENT,
        ),
    ),
    (
        {"quota": Quota(2, 2)},
        Verdict.LOOK_CLOSER,
        (
            "The quota is reached: 2 of 2 restorations approved in the last 12 months. Approving goes above it.",
            "First loss of this customer.",
            SILENT,
        ),
    ),
    (
        {"quota": Quota(0, 0)},
        Verdict.LOOK_CLOSER,
        (
            "No restoration is allowed without going above the quota, which is 0.",
            "First loss of this customer.",
            SILENT,
        ),
    ),
    (
        {"denied_before": ("RES-1",)},
        Verdict.LOOK_CLOSER,
        ("The restoration of this very activation was denied before: RES-1.", "First loss of this customer.", SILENT),
    ),
    (
        {"container": "docker"},
        Verdict.LOOK_CLOSER,
        (
            "It ran in a container (docker), whose host is not compared: installed again there, nobody would notice.",
            "First loss of this customer.",
            SILENT,
        ),
    ),
    (
        {"license_status": LicenseStatus.REVOKED},
        Verdict.LOOK_CLOSER,
        ("The license is revoked: a free seat is of no use to it.", "First loss of this customer.", SILENT),
    ),
    (
        {"seen_again": ("TMB-1", "TMB-2"), "other_losses": ago(10, 40), "quota": Quota(3, 2)},
        Verdict.DENY,
        (
            "Earlier written-off hosts of this customer were seen again and are unsettled: TMB-1, TMB-2.",
            "Third loss of this customer within 12 months.",
            "The quota is reached: 3 restorations approved in the last 12 months, which is more than the 2 allowed. "
            "Approving goes above it.",
            SILENT,
        ),
    ),
]


@pytest.mark.parametrize(("changes", "verdict", "reasons"), CASES)
def test_the_suggestion_and_its_reasons(changes: dict[str, object], verdict: Verdict, reasons: tuple[str, ...]) -> None:
    suggestion = suggest(replace(FIRST, **changes))  # type: ignore[arg-type]

    assert (suggestion.verdict, suggestion.reasons) == (verdict, reasons)


@pytest.mark.parametrize(
    ("at", "year_before"),
    [
        ("2026-06-20", "2025-06-20"),
        ("2024-02-29", "2023-02-28"),
        ("2025-02-28", "2024-02-28"),
    ],
)
def test_a_year_is_a_calendar_year(at: str, year_before: str) -> None:
    start = datetime.fromisoformat(f"{at}T12:00:00+00:00")

    assert a_year_before(start) == datetime.fromisoformat(f"{year_before}T12:00:00+00:00")


def test_a_loss_of_exactly_a_year_ago_counts_no_more() -> None:
    within = replace(FIRST, other_losses=(a_year_before(NOW) + timedelta(seconds=1),))
    past = replace(FIRST, other_losses=(a_year_before(NOW),))

    assert suggest(within).reasons[0] == "Second loss of this customer within 12 months."
    assert suggest(past).reasons[0] == "First loss of this customer within 12 months; 1 earlier."


@pytest.mark.parametrize(
    ("quota", "reached", "words"),
    [
        (Quota(0, 2), False, "0 of 2 restorations approved in the last 12 months"),
        (Quota(1, 1), True, "1 of 1 restoration approved in the last 12 months"),
        (Quota(3, 2), True, "3 restorations approved in the last 12 months, which is more than the 2 allowed"),
        (Quota(0, 0), True, "0 restorations approved in the last 12 months; each needs to go above the quota of 0"),
        (Quota(1, 0), True, "1 restoration approved in the last 12 months; each needs to go above the quota of 0"),
    ],
)
def test_the_quota_in_words(quota: Quota, reached: bool, words: str) -> None:
    assert (quota.reached, quota.words) == (reached, words)


_FACTS = st.builds(
    LossFacts,
    now=st.just(NOW),
    lost_at=st.just(FIRST.lost_at),
    last_request_at=st.just(FIRST.last_request_at),
    quota=st.builds(Quota, st.integers(0, 5), st.integers(0, 5)),
    request_after_loss=st.none() | st.just(NOW),
    other_losses=st.lists(st.integers(0, 900), max_size=6).map(lambda days: ago(*days)),
    denied_before=st.sampled_from([(), ("RES-1",)]),
    seen_again=st.sampled_from([(), ("TMB-1",)]),
    seen_and_settled=st.sampled_from([(), ("TMB-2",)]),
    container=st.sampled_from(["", "docker"]),
    license_status=st.sampled_from(LicenseStatus),
)


@given(_FACTS)
def test_it_is_never_more_lenient_than_a_single_fact(facts: LossFacts) -> None:
    """A host that was heard of after its loss, or another one that was: never a suggestion to approve."""
    suggestion = suggest(facts)

    assert (suggestion.verdict is Verdict.DENY) == bool(facts.request_after_loss or facts.seen_again)
    if suggestion.verdict is Verdict.APPROVE:
        assert not facts.quota.reached
        assert not facts.denied_before
        assert facts.license_status is LicenseStatus.ACTIVE
    assert len(set(suggestion.reasons)) == len(suggestion.reasons) > 0
