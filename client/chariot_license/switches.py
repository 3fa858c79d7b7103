"""The test switches of the command line: what they replace, and the mark they leave (Design 7, 9.20)."""

from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.results import Refused
from chariot_license.roots import pinned_roots
from chariot_license.state import State


@dataclass(frozen=True)
class Switches:
    """What the command line may replace for tests; None leaves the real thing."""

    roots: tuple[x509.Certificate, ...] | None = None
    facts: HostFacts | None = None

    @property
    def used(self) -> bool:
        return self.roots is not None or self.facts is not None

    def marked(self, state: State) -> State | Refused:
        """Return `state`, marked as a test state for good if a switch is in use.

        Refused where there is a real Instance key, also one that only waits for an answer or was deactivated: a
        customer's seat, counter and deactivation code hang on it.
        """
        if not self.used:
            return state
        if state.private_key is not None and not state.test:
            return Refused(
                "real-state",
                "This state directory belongs to a real Chariot. A test switch (--trust-root, CHARIOT_TRUST_ROOT,"
                " CHARIOT_HOST_FACTS) would make it useless for good. Use another --state-dir for tests, or leave the"
                " switch away.",
            )
        kept = state.test_roots if self.roots is None else tuple(_der(root) for root in self.roots)
        return replace(state, test=True, test_roots=kept)

    def trusted(self, state: State) -> tuple[x509.Certificate, ...]:
        """Return the roots to verify by: those named now, those a test state remembers, or the pinned ones."""
        if self.roots is not None:
            return self.roots
        if state.test_roots:
            return tuple(x509.load_der_x509_certificate(der) for der in state.test_roots)
        return pinned_roots()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
