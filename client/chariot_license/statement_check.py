"""Whether a license statement is genuine, and tells the history in which this host's Usage License was issued."""

from collections.abc import Collection, Sequence

from cryptography import x509

from chariot_license.protocol.errors import CertificateError, StatementError
from chariot_license.protocol.license import UsageLicense
from chariot_license.protocol.statement import Statement, open_statement
from chariot_license.results import Refused, StatementChecked
from chariot_license.words import moment

# Not a forgery but another file: bad input, and the errors that the caller sees.
NO_STATEMENT = frozenset({"statement-file-too-large", "statement-not-found", "statement-file-malformed"})
TEST_ROOT = (
    "The signature was checked with a root certificate that was named for a test portal, not with the vendor's that"
    " came with Chariot. Whoever gave you that certificate can have made this statement."
)
_NOT_COMPARED = "It was not compared with a Usage License"


def check(
    data: bytes,
    roots: Sequence[x509.Certificate],
    denied: Collection[str],
    license: UsageLicense | Refused | None,
    *,
    problem: str,
    warnings: tuple[str, ...],
) -> StatementChecked | Refused:
    """Verify the statement in a file and compare it with `license`, the one installed here.

    `problem` says why that could not be read. Raises StatementError for one of NO_STATEMENT.
    """
    try:
        statement = open_statement(data, roots, denied)
    except (StatementError, CertificateError) as error:
        if error.code in NO_STATEMENT:
            raise
        return Refused(error.code, error.message, error.detail)
    if license is None:
        agrees, words = None, f"{_NOT_COMPARED}: {problem or 'none is installed here.'}"
    else:
        found = compared(statement, license)
        if isinstance(found, Refused):
            return found
        agrees, words = found
    return StatementChecked(
        document=statement.document,
        made_at=statement.claims.made_at,
        serial=statement.serial,
        in_pdf=statement.in_pdf,
        agrees=agrees,
        comparison=words,
        warnings=warnings,
    )


def compared(statement: Statement, license: UsageLicense | Refused) -> tuple[bool | None, str] | Refused:
    """Whether the statement agrees with the Usage License installed here, None if that cannot be said, and words.

    Each Usage License carries half of the hash that its license's chain ended in before it was issued, so a history
    that reaches beyond must hold that hash, something after it, and the activation.
    """
    why_not = _why_not(statement, license)
    if isinstance(license, Refused) or why_not:
        return None, f"{_NOT_COMPARED}: {why_not}"
    hashes = statement.document["ledger"]["entry_hashes"]
    before = [number for number, entry in enumerate(hashes, 1) if entry.startswith(license.ledger_head.hex())]
    listed = {row["activation_id"] for row in statement.document["activations"]}
    if not before or before[-1] == len(hashes) or license.activation_id not in listed:
        return Refused(
            "statement-contradicts",
            "This statement leaves out or changes the history your Usage License was issued in. Its signature is good,"
            " so it came from the vendor. Keep it and the state directory, and ask Support in writing how"
            f" {license.usage_license_id}, issued {moment(license.issued_at)}, came about.",
            {"usage_license_id": license.usage_license_id, "ledger_head": license.ledger_head.hex()},
        )
    return True, (
        f"It holds the history that Usage License {license.usage_license_id} on this host was issued in: entry"
        f" {before[-1]} was the last one before it."
    )


def _why_not(statement: Statement, license: UsageLicense | Refused) -> str:
    """Why the Usage License says nothing about this statement; "" when it does."""
    if isinstance(license, Refused):
        return f"the one installed here cannot be used. {license.message}"
    claims, given = statement.claims, {row["usage_license_id"] for row in statement.document["activations"]}
    if license.license_id != claims.license_id:
        return f"the one installed here is of another license, {license.license_id}."
    # Issue times are whole seconds: one of the statement's last second may have come after it.
    if license.issued_at >= claims.as_of and license.usage_license_id not in given:
        return (
            f"the one installed here was issued {moment(license.issued_at)}, when this statement had ended. Ask for a"
            " newer statement."
        )
    return ""
