"""One Chariot's license: the API that Chariot embeds and the command line uses.

    chariot = Instance("/var/lib/chariot/license", version="2.4.1")
    made = chariot.request("K...")             RequestMade (its `block` goes to Support) or Refused
    block = chariot.pending_request("K...")    the block of the request that waits, to send it again; or None
    done = chariot.install(pasted_text)        Installed or Refused
    status = chariot.status()                  Status; status.allows("mqtt-server")
    gone = chariot.deactivate()                Deactivated (its `code` goes to Support) or Refused
    said = chariot.check_statement(file_bytes) StatementChecked or Refused; changes nothing

Bad input raises ProtocolError (a mistyped License Key, a damaged block); a state directory that cannot be used
raises StateError; a `version` that is none raises InputError "chariot-version-invalid" when the Instance is made. All
have a `code` and a `message` for people.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license import rules, statement_check
from chariot_license.clock import clock_behind_issue, clock_set_back, must_be_recorded, usable_time
from chariot_license.errors import StateError
from chariot_license.host import probe_host
from chariot_license.protocol.block import FoundBlock, Kind, write_block
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from chariot_license.protocol.errors import BlockError, CertificateError, LicenseError
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.license import UsageLicense, read_license
from chariot_license.protocol.reader import find_blocks, read_block
from chariot_license.protocol.request import sign_request
from chariot_license.results import Deactivated, HostMatch, Installed, Refused, RequestMade, StatementChecked, Status
from chariot_license.roots import pinned_roots
from chariot_license.state import InstalledLicense, Pending, State
from chariot_license.store import LOCK_SECONDS, StateStore
from chariot_license.switches import Switches
from chariot_license.usage_request import checked_version, compose, kept_block

PRODUCT = "chariot-mqtt-server"


class Instance:
    """The license of the Chariot whose state lives in `state_dir`.

    Made this way it trusts the pinned vendor root and the real host only, and refuses a test state with
    StateError "test-state" (Design 9.20). Each call reads the state, probes the host and verifies the license
    anew. `version` is the running version of `product`, which must begin with its number: by it is judged what
    the license covers; `clock` returns Unix seconds.
    """

    def __init__(
        self,
        state_dir: Path | str,
        *,
        version: str,
        product: str = PRODUCT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prepare(state_dir, checked_version(version, product), product, clock, None)
        self._load()

    @classmethod
    def for_command_line(
        cls,
        state_dir: Path | str,
        *,
        version: str = rules.UNKNOWN_VERSION,
        product: str = PRODUCT,
        roots: Sequence[x509.Certificate] | None = None,
        facts: HostFacts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Instance":
        """Return an Instance that also works on a test state, and without being told the version of Chariot.

        A request or an install with `roots` or `facts` marks the state as a test state for good; the request
        says so under its signature. Never embed this one.
        """
        if version != rules.UNKNOWN_VERSION:
            version = checked_version(version, product)
        made = cls.__new__(cls)
        made._prepare(state_dir, version, product, clock, Switches(None if roots is None else tuple(roots), facts))
        return made

    def _prepare(
        self,
        state_dir: Path | str,
        version: str,
        product: str,
        clock: Callable[[], float],
        switches: Switches | None,
    ) -> None:
        self._store = StateStore(Path(state_dir))
        self._untold: list[str] = []
        self._version = version
        self._product = product
        self._clock = clock
        self._switches = switches

    def request(self, license_key: str) -> RequestMade | Refused:
        """Make a new Usage Request, which invalidates the one before. Makes the Instance key on first use.

        The License Key is neither kept nor logged. Raises CodeError for a mistyped key, StateError.
        """
        key = LicenseKey.parse(license_key)
        with self._locked():
            before = self._load()
            state = self._marked(before)
            if isinstance(state, Refused):
                return state
            now = self._now()
            facts = self._facts()
            private_key = state.private_key or Ed25519PrivateKey.generate().private_bytes_raw()
            state = rules.begin_request(
                replace(state, private_key=private_key),
                request_id=secrets.token_bytes(16),
                salt=key.salt,
                secret=secrets.token_bytes(16),
                now=now,
            )
            request = compose(state, key, facts, product=self._product, version=self._version)
            data = sign_request(request, Ed25519PrivateKey.from_private_bytes(private_key))
            block = write_block(Kind.REQUEST, data)
            # On disk before anyone sees it: a counter shown twice would look like a cloned host.
            self._store.save(state)
            self._store.keep_request(block)
        warnings = rules.request_warnings(
            before, salt=key.salt, fingerprint=request.fingerprint, now=now, shown_code=_revealed_code(before)
        )
        return RequestMade(
            block=block,
            data=data,
            request_id=request.request_id,
            counter=request.counter,
            made_at=now,
            replaces=before.pending.made_at if before.pending else None,
            test_state=state.test,
            warnings=(*warnings, *self._told()),
        )

    def pending_request(self, license_key: str) -> str | None:
        """Return the block of the Usage Request that waits for its answer, if it was made with this License Key: it can
        be sent again, where a new one would invalidate it. Raises CodeError for a mistyped key, StateError.
        """
        key = LicenseKey.parse(license_key)
        return kept_block(self._store.kept_request(), self._load(), key)

    def install(self, source: str | bytes) -> Installed | Refused:
        """Install the Usage License found in `source`: a block, a whole email or a scanned QR code.

        Of several in one mail the one that answers the pending request is taken. Installing the license in force
        again succeeds and changes nothing. Raises BlockError if there is no readable Usage License in it, or none
        of several is the one; StateError.
        """
        blocks = _license_blocks(source)
        with self._locked():
            before = self._load()
            state = self._marked(before)
            if isinstance(state, Refused):
                return state
            data = self._meant(state, blocks, source)
            license = self._verified(state, data)
            if isinstance(license, Refused):
                return license
            now = self._now()
            again = rules.is_in_force(state, data)
            refusal = rules.why_not_ours(state, license, product=self._product)
            if refusal is None and not again:
                refusal = rules.why_not_answer(state, license)
            if refusal:
                return refusal
            answered = state.installed if again else state.pending
            fit = self._host_fit(license, answered)
            if not fit.matched:
                return rules.wrong_host(fit)
            after = state if again else rules.after_install(state, license, data, now)
            if after != before:
                self._store.save(after)
                self._store.forget_request()
        # An issue time ahead of the clock puts the latest time known ahead of it too; one sentence is enough.
        clock = clock_behind_issue(license, now) or clock_set_back(after, now)
        return Installed(
            usage_license_id=license.usage_license_id,
            license_id=license.license_id,
            activation_id=license.activation_id,
            again=again,
            host_words=fit.words,
            test_state=after.test,
            warnings=(*([clock] if clock else []), *self._told()),
        )

    def status(self) -> Status:
        """Say how things stand, after verifying the stored license and probing the host anew.

        Raises StateError if the state cannot be read; a state that cannot be written only adds a warning.
        """
        state = self._load()
        now = self._now()
        status = self._licensed(state, now) if state.installed else _unlicensed(state)
        problem = self._record_time(state, status, now)
        known = state.tenure.license_ids if state.tenure else ()
        return replace(
            status,
            license_id=status.license_id or (known[-1] if known else None),
            pending_since=state.pending.made_at if state.pending else None,
            deactivated_at=state.tenure.revealed_at if state.tenure else None,
            test_state=state.test,
            test_switch=self._switches is not None and self._switches.used,
            clock_warning=clock_set_back(state, now),
            warnings=(*([problem] if problem else []), *self._told()),
        )

    def deactivate(self) -> Deactivated | Refused:
        """Destroy the license and the pending request, and show the code that frees the activation.

        Asked again it shows the same code, until a new request begins a new tenure. Raises StateError.
        """
        with self._locked():
            before = self._load()
            after = rules.after_deactivation(before, self._now())
            if isinstance(after, Refused):
                return after
            if after != before:
                self._store.save(after)
                self._store.forget_request()
        tenure = after.tenure
        if tenure is None or tenure.revealed_at is None:
            raise ValueError("a deactivated state has a revealed tenure")
        *others, license_id = tenure.license_ids or (None,)
        return Deactivated(
            code=format_deactivation_code(tenure.secret),
            license_id=license_id,
            other_license_ids=tuple(other for other in others if other),
            deactivated_at=tenure.revealed_at,
            again=after == before,
            test_state=after.test,
            warnings=self._told(),
        )

    def check_statement(self, data: bytes) -> StatementChecked | Refused:
        """Verify a license statement (JSON or PDF), and compare it with the Usage License installed here, if any.

        Raises StatementError for a file that holds none. A state that cannot be read only leaves it uncompared.
        """
        try:
            state, problem = self._load(), ""
        except StateError as error:
            state, problem = State(), error.message
        roots = self._trusted(state)
        if isinstance(roots, Refused):
            return roots
        license = self._verified(state, state.installed.data) if state.installed else None
        told = (*self._told(), *([] if roots == pinned_roots() else [statement_check.TEST_ROOT]))
        return statement_check.check(data, roots, state.denied, license, problem=problem, warnings=told)

    def _meant(self, state: State, blocks: Sequence[bytes], source: str | bytes) -> bytes:
        """Return the one Usage License of a mail that counts; answers to earlier requests are often quoted in it."""
        if len(blocks) == 1:
            return blocks[0]
        if state.pending is not None:
            for data in blocks:
                license = self._verified(state, data)
                if isinstance(license, UsageLicense) and license.request_id == state.pending.request_id:
                    return data
        return read_block(source, Kind.LICENSE).data

    def _licensed(self, state: State, now: int) -> Status:
        installed = state.installed
        if installed is None:
            raise ValueError("no license is installed")
        license = self._verified(state, installed.data)
        if isinstance(license, Refused):
            return Status("invalid", f"The stored license cannot be used. {license.message}")
        if refusal := rules.why_not_ours(state, license, product=self._product):
            return Status("invalid", f"The stored license cannot be used. {refusal.message}")
        fit = self._host_fit(license, installed)
        judged_at = max(now, state.high_water)
        features = tuple(rules.feature_status(feature, judged_at) for feature in license.features)
        word, message = rules.licensed_state(features, fit, covered=rules.covers(license, self._version))
        return Status(
            word,
            message,
            license_id=license.license_id,
            activation_id=license.activation_id,
            usage_license_id=license.usage_license_id,
            customer=license.customer,
            product=license.product,
            versions=license.versions,
            terms_revision=license.terms_revision,
            issued_at=license.issued_at,
            features=features,
            host_match=fit,
        )

    def _verified(self, state: State, data: bytes) -> UsageLicense | Refused:
        roots = self._trusted(state)
        if isinstance(roots, Refused):
            return roots
        try:
            return read_license(data, roots, state.denied)
        except (LicenseError, CertificateError) as error:
            return Refused(error.code, error.message, error.detail)

    def _trusted(self, state: State) -> tuple[x509.Certificate, ...] | Refused:
        roots = pinned_roots() if self._switches is None else self._switches.trusted(state)
        return roots or Refused(
            "no-trust-root",
            "This build of Chariot has no vendor root certificate, so it can verify no Usage License. Install a"
            " released build; for a test portal name its root with --trust-root.",
        )

    @contextlib.contextmanager
    def _locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        with self._store.locked(seconds):
            self._note_warnings()
            yield

    def _load(self) -> State:
        state = self._store.load()
        self._note_warnings()
        if state.test and self._switches is None:
            raise StateError(
                "test-state",
                f"{self._store.folder} was used with a test switch and can never license Chariot. Use a new state"
                " directory and make a new Usage Request.",
            )
        return state

    def _note_warnings(self) -> None:
        """Keep what the store found, also while the Instance was made, until a call has told it."""
        self._untold += [warning for warning in self._store.warnings if warning not in self._untold]
        self._store.warnings.clear()

    def _told(self) -> tuple[str, ...]:
        told = tuple(self._untold)
        self._untold.clear()
        return told

    def _marked(self, state: State) -> State | Refused:
        return state if self._switches is None else self._switches.marked(state)

    def _record_time(self, state: State, status: Status, now: int) -> str | None:
        """Write the time if it must be kept; return what went wrong, since no license may fail for that."""
        foreign = self._switches is not None and self._switches.used and not state.test
        expiries = [feature.expires for feature in status.features]
        if state.private_key is None or foreign or not must_be_recorded(state, now, expiries):
            return None
        try:
            with self._locked(seconds=0):
                self._store.save(self._load().seen_at(now))
        except StateError as error:
            # Whoever holds the lock records the time as well.
            return None if error.code == "state-busy" else error.message
        return None

    def _host_fit(self, license: UsageLicense, kept: Pending | InstalledLicense | None) -> HostMatch:
        if kept is None:
            raise ValueError("neither a license nor a request is kept")
        return rules.host_fit(license.fingerprint, fingerprint_of(self._facts(), kept.salt))

    def _facts(self) -> HostFacts:
        if self._switches is not None and self._switches.facts is not None:
            return self._switches.facts
        return probe_host()

    def _now(self) -> int:
        return usable_time(self._clock())


def _license_blocks(source: str | bytes) -> list[bytes]:
    try:
        return [read_block(source, Kind.LICENSE).data]
    except BlockError as error:
        if error.code != "several-blocks":
            raise
    blocks = find_blocks(source)
    return [block.data for block in blocks if isinstance(block, FoundBlock) and block.kind is Kind.LICENSE]


def _unlicensed(state: State) -> Status:
    if state.pending:
        return Status(
            "request-pending", "A Usage Request waits for its answer. Install the Usage License that Support sends."
        )
    if state.tenure:
        return Status(
            "deactivated",
            "This Chariot was deactivated. `deactivate` shows the code again; a new Usage Request licenses it anew.",
        )
    return Status("unlicensed", "No license is installed. Make a Usage Request and send it to Support.")


def _revealed_code(state: State) -> str | None:
    tenure = state.tenure
    return format_deactivation_code(tenure.secret) if tenure and tenure.revealed_at is not None else None
