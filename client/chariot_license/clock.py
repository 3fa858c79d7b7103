"""The host's clock: what is remembered of it, and what an answer mends. Values alone, nothing read here.

The high-water clock is the latest time this host has ever shown; expiry is judged by it, so that a clock set back
brings nothing back. A clock that once jumped ahead would expire the host for good; so installing the answer to the
pending request lowers it again (Design 9.9), by this rule:

    high water = the latest of the issue time, what the clock showed since that request was made, and now

- The portal issues after the request was made. So the true time of everything shown before the request lies before
  the issue time: what is later than that was a wrong jump and is forgotten, and the rest the issue time covers.
- What was shown since the request may be right. It stays, so an answer that is kept back until its term has passed
  begins no second term: the time that passed is still known.
- A host whose clock is right from the making of a new request on is therefore healed by that one round trip. A jump
  between request and install is not proven wrong by that answer; the next round trip heals it.
"""

from collections.abc import Iterable

from chariot_license import words
from chariot_license.protocol.license import UsageLicense
from chariot_license.state import Pending, State

# Clocks drift and are corrected; less than this is not worth a word to anyone.
CLOCK_SLACK_SECONDS = 300
# The time is written at most this often, so that a status asked every second does not wear out a disk.
CLOCK_RECORD_SECONDS = 60
# The latest time a Usage Request can carry; a clock beyond it is broken, and must not stop a request.
LATEST_TIME = 2**32 - 1


def usable_time(seconds: float) -> int:
    """Return what a clock shows as whole Unix seconds that a Usage Request can carry."""
    return int(min(max(seconds, 0), LATEST_TIME))


def high_water_after(answered: Pending, license: UsageLicense, now: int) -> int:
    """Return the high-water clock after installing the answer to `answered`: the rule above."""
    return max(license.issued_at, answered.latest_seen, now)


def must_be_recorded(state: State, now: int, expiries: Iterable[int | None]) -> bool:
    """Say whether `now` has to be written.

    At once if it is the end of a feature (`expiries`): else setting the clock back by less than a minute would
    bring it back.
    """
    unrecorded = now - state.high_water
    if state.pending is not None:
        unrecorded = max(unrecorded, now - state.pending.latest_seen)
    return unrecorded >= CLOCK_RECORD_SECONDS or any(
        expires is not None and state.high_water < expires <= now for expires in expiries
    )


def clock_set_back(state: State, now: int) -> str | None:
    """Return a warning if the clock stands before a time this host has already seen."""
    behind = state.high_water - now
    if behind <= CLOCK_SLACK_SECONDS:
        return None
    return (
        f"The clock of this host reads {words.moment(now)}, {words.span(behind)} behind the latest time known here,"
        f" {words.moment(state.high_water)}: it was set back, or never set, or had jumped ahead. Expiry is judged by"
        " the later time. Set the clock right; then the answer to a new Usage Request puts the latest time right."
    )


def clock_behind_issue(license: UsageLicense, now: int) -> str | None:
    """Return a warning if the license was issued in what this host's clock calls the future."""
    ahead = license.issued_at - now
    if ahead <= CLOCK_SLACK_SECONDS:
        return None
    return (
        f"The license was issued on {words.moment(license.issued_at)}, {words.span(ahead)} ahead of this host's clock"
        f" ({words.moment(now)}). It is installed all the same. Set the clock right."
    )
