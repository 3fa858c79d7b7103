"""One Chariot's license: the API that Chariot embeds and the command line uses.

    chariot = Instance("/var/lib/chariot/license", version="2.4.1")
    made = chariot.request("K...")             RequestMade (its `block` goes to Support) or Refused
    done = chariot.install(pasted_text)        Installed or Refused
    status = chariot.status()                  Status; status.allows("mqtt-server")
    gone = chariot.deactivate()                Deactivated (its `code` goes to Support) or Refused

Bad input raises ProtocolError (a mistyped License Key, a damaged block); a state directory that cannot be used
raises StateError. Both have a `code` and a `message` for people.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license import rules
from chariot_license.errors import StateError
from chariot_license.host import probe_host
from chariot_license.protocol.block import FoundBlock, Kind, write_block
from chariot_license.protocol.codes import LicenseKey, commitment, format_deactivation_code
from chariot_license.protocol.errors import BlockError, CertificateError, LicenseError
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.license import UsageLicense, read_license
from chariot_license.protocol.reader import find_blocks, read_block
from chariot_license.protocol.request import (
    MAX_PRODUCT_AND_VERSION,
    UsageRequest,
    fit_hostname,
    request_proof,
    sign_request,
    thumbprint,
)
from chariot_license.results import Deactivated, HostMatch, Installed, Refused, RequestMade, Status
from chariot_license.roots import pinned_roots
from chariot_license.state import InstalledLicense, Pending, State
from chariot_license.store import StateStore

PRODUCT = "chariot-mqtt-server"
# The high water is written at most this often, so that a status asked every second does not wear out a disk.
CLOCK_RECORD_SECONDS = 60
# The latest time a Usage Request can carry; a clock beyond it is broken, and must not stop a request.
LATEST_TIME = 2**32 - 1


@dataclass(frozen=True)
class Switches:
    """What the command line may replace for tests; None leaves the real thing."""

    roots: tuple[x509.Certificate, ...] | None = None
    facts: HostFacts | None = None

    @property
    def used(self) -> bool:
        return self.roots is not None or self.facts is not None


class Instance:
    """The license of the Chariot whose state lives in `state_dir`.

    Made this way it trusts the pinned vendor root and the real host only, and refuses a test state with
    StateError "test-state" (Design 9.20). Each call reads the state, probes the host and verifies the license
    anew. `version` is the running version of `product`; `clock` returns Unix seconds.
    """

    def __init__(
        self,
        state_dir: Path | str,
        *,
        version: str,
        product: str = PRODUCT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = StateStore(Path(state_dir))
        self._version = version
        self._product = product
        self._clock = clock
        self._switches: Switches | None = None
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
        """Return an Instance that also works on a test state.

        A request or an install with `roots` or `facts` marks the state as a test state for good; the request
        says so under its signature. Never embed this one.
        """
        made = cls.__new__(cls)
        made._store = StateStore(Path(state_dir))
        made._version = version
        made._product = product
        made._clock = clock
        made._switches = Switches(None if roots is None else tuple(roots), facts)
        return made

    def request(self, license_key: str) -> RequestMade | Refused:
        """Make a new Usage Request, which invalidates the one before. Makes the Instance key on first use.

        The License Key is neither kept nor logged. Raises CodeError for a mistyped key, StateError.
        """
        key = LicenseKey.parse(license_key)
        with self._store.locked():
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
            request = self._composed(state, key, facts)
            data = sign_request(request, Ed25519PrivateKey.from_private_bytes(private_key))
            block = write_block(Kind.REQUEST, data)
            # On disk before anyone sees it: a counter shown twice would look like a cloned host.
            self._store.save(state)
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
            warnings=(*warnings, *self._store.warnings),
        )

    def install(self, source: str | bytes) -> Installed | Refused:
        """Install the Usage License found in `source`: a block, a whole email or a scanned QR code.

        Of several in one mail the one that answers the pending request is taken. Installing the license in force
        again succeeds and changes nothing. Raises BlockError if there is no readable Usage License in it, or none
        of several is the one; StateError.
        """
        blocks = _license_blocks(source)
        with self._store.locked():
            before = self._load()
            state = self._marked(before)
            if isinstance(state, Refused):
                return state
            data = self._meant(state, blocks, source)
            license = self._verified(state, data)
            if isinstance(license, Refused):
                return license
            now = self._now()
            refusal = rules.why_not_ours(state, license, data, product=self._product)
            if refusal:
                return refusal
            again = rules.is_in_force(state, data)
            answered = state.installed if again else state.pending
            fit = self._host_fit(license, answered)
            if not fit.matched:
                return rules.wrong_host(fit)
            after = state if again else rules.after_install(state, license, data, now)
            if after != before:
                self._store.save(after)
        clock = (rules.clock_set_back(before, now), rules.clock_behind_issue(license, now))
        return Installed(
            usage_license_id=license.usage_license_id,
            license_id=license.license_id,
            activation_id=license.activation_id,
            again=again,
            host_words=fit.words,
            test_state=after.test,
            warnings=(*filter(None, clock), *self._store.warnings),
        )

    def status(self) -> Status:
        """Say how things stand, after verifying the stored license and probing the host anew.

        Raises StateError if the state cannot be read; a state that cannot be written only adds a warning.
        """
        state = self._load()
        now = self._now()
        status = self._licensed(state, now) if state.installed else _unlicensed(state)
        problem = self._record_time(state, now)
        known = state.tenure.license_ids if state.tenure else ()
        return replace(
            status,
            license_id=status.license_id or (known[-1] if known else None),
            pending_since=state.pending.made_at if state.pending else None,
            deactivated_at=state.tenure.revealed_at if state.tenure else None,
            test_state=state.test,
            clock_warning=rules.clock_set_back(state, now),
            warnings=(*([problem] if problem else []), *self._store.warnings),
        )

    def deactivate(self) -> Deactivated | Refused:
        """Destroy the license and the pending request, and show the code that frees the activation.

        Asked again it shows the same code, until a new request begins a new tenure. Raises StateError.
        """
        with self._store.locked():
            before = self._load()
            after = rules.after_deactivation(before, self._now())
            if isinstance(after, Refused):
                return after
            if after != before:
                self._store.save(after)
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
            warnings=tuple(self._store.warnings),
        )

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
        if state.private_key is None or license.instance != rules.instance_thumbprint(state.private_key):
            return Status("invalid", "The stored license was made for another Chariot. Make a new Usage Request.")
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

    def _composed(self, state: State, key: LicenseKey, facts: HostFacts) -> UsageRequest:
        if state.private_key is None or state.pending is None or state.tenure is None:
            raise ValueError("the state has no pending request")
        public = Ed25519PrivateKey.from_private_bytes(state.private_key).public_key().public_bytes_raw()
        print_of_key = thumbprint(public)
        return UsageRequest(
            request_id=state.pending.request_id,
            issued_at=state.pending.made_at,
            counter=state.counter,
            instance_key=public,
            lookup_id=key.lookup_id,
            proof=request_proof(key, print_of_key, state.pending.request_id),
            previous=rules.previous_digest(state),
            fingerprint=fingerprint_of(facts, key.salt),
            container=facts.container,
            virtual=facts.virtual,
            hostname=fit_hostname(facts.hostname or ""),
            product=self._product,
            # What does not fit is the suffix, which no version range looks at.
            version=self._version[: MAX_PRODUCT_AND_VERSION - len(self._product)],
            commitment=commitment(print_of_key, state.tenure.secret),
            test=state.test,
        )

    def _verified(self, state: State, data: bytes) -> UsageLicense | Refused:
        roots = self._roots(state)
        if not roots:
            return Refused(
                "no-trust-root",
                "This build of Chariot has no vendor root certificate, so it can verify no Usage License. Install a"
                " released build; for a test portal name its root with --trust-root.",
            )
        try:
            return read_license(data, roots, state.denied)
        except (LicenseError, CertificateError) as error:
            return Refused(error.code, error.message, error.detail)

    def _roots(self, state: State) -> tuple[x509.Certificate, ...]:
        if self._switches is not None:
            if self._switches.roots is not None:
                return self._switches.roots
            if state.test_roots:
                return tuple(x509.load_der_x509_certificate(der) for der in state.test_roots)
        return pinned_roots()

    def _load(self) -> State:
        state = self._store.load()
        if state.test and self._switches is None:
            raise StateError(
                "test-state",
                f"{self._store.folder} was used with a test switch and can never license Chariot. Use a new state"
                " directory and make a new Usage Request.",
            )
        return state

    def _marked(self, state: State) -> State | Refused:
        """Return `state`, marked as a test state if a test switch is in use."""
        if self._switches is None or not self._switches.used:
            return state
        if state.installed is not None and not state.test:
            return Refused(
                "real-state",
                "This state directory holds a license in force. A test switch (--trust-root, CHARIOT_TRUST_ROOT,"
                " CHARIOT_HOST_FACTS) would make it useless for good; use another --state-dir for tests.",
            )
        roots = self._switches.roots
        kept = state.test_roots if roots is None else tuple(_der(root) for root in roots)
        return replace(state, test=True, test_roots=kept)

    def _record_time(self, state: State, now: int) -> str | None:
        """Write the high water if it moved on; return what went wrong, since no license may fail for that."""
        foreign = self._switches is not None and self._switches.used and not state.test
        if state.private_key is None or foreign or now - state.high_water < CLOCK_RECORD_SECONDS:
            return None
        try:
            with self._store.locked(seconds=0):
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
        return min(max(int(self._clock()), 0), LATEST_TIME)


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


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
