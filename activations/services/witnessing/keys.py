"""The ledger's own key, for those who keep its checkpoints."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activations.domain.checkpoint import KEY_ID_BYTES, read_note
from activations.domain.cosignatures import VerifierKey, log_key
from activations.models import KeyPurpose, LedgerCheckpoint, SigningKey


def key_of(checkpoint: LedgerCheckpoint) -> VerifierKey | None:
    """The key that signed the note, if its id is that of one of our checkpoint keys."""
    noted, [(_, signature), *_] = read_note(checkpoint.note)
    for row in SigningKey.objects.filter(purpose=KeyPurpose.CHECKPOINT).order_by("-id"):
        key = verifier_key(row, noted.origin)
        if key is not None and key.id == signature[:KEY_ID_BYTES]:
            return key
    return None


def verifier_key(row: SigningKey, origin: str) -> VerifierKey | None:
    """The public half of a checkpoint key, as those who verify take it; None for a key of another purpose."""
    public = x509.load_der_x509_certificate(bytes(row.certificate)).public_key()
    if row.purpose != KeyPurpose.CHECKPOINT or not isinstance(public, Ed25519PublicKey):
        return None
    return log_key(origin, public.public_bytes_raw())
