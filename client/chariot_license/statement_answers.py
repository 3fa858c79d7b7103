"""What `chariot-license statement` prints."""

from typing import Any

from chariot_license import words
from chariot_license.results import StatementChecked


def statement_json(checked: StatementChecked) -> dict[str, object]:
    return {
        "outcome": "genuine",
        "license_id": checked.document["license_id"],
        "made_at": words.iso(checked.made_at),
        "as_of": checked.document["as_of"],
        "signing_serial": checked.serial,
        "pdf": checked.in_pdf,
        "compared": checked.agrees,
        "compared_words": checked.comparison,
        "document": checked.document,
        "warnings": list(checked.warnings),
    }


def statement_text(checked: StatementChecked) -> str:
    document = checked.document
    pages = " The pages of this PDF are those that were signed." if checked.in_pdf else ""
    lines = [
        f"This statement is genuine: the vendor signed it (key {checked.serial}), and it was not changed since.{pages}",
        checked.comparison,
        "",
        *_facts(document),
        "",
        "Activations:",
        *([f"  {_activation(row)}" for row in document["activations"]] or ["  This license was never activated."]),
        "",
        "History (times are UTC; numbers that are missing are entries that Support keeps for itself):",
        *[f"  {_entry(row)}" for row in document["history"]],
        "",
        *_ledger(document["ledger"]),
    ]
    return "\n".join(_visible(line) for line in lines)


def _facts(document: dict[str, Any]) -> list[str]:
    terms, seats = document["terms"], document["seats"]
    rows = [
        ("License ID", f"{document['license_id']}, {document['status']}"),
        ("Customer", document["customer"]),
        ("Product", document["product"]),
        ("As of", f"{_moment(document['as_of'])} UTC (made {_moment(document['made_at'])} UTC)"),
        ("Terms", f"revision {terms['revision']}, {_versions(*terms['versions'])}"),
        *[("Feature", f"{one['code']}, {_until(one['expires'])}") for one in terms["features"]],
        (
            "Seats",
            f"{seats['allowed']} allowed: {seats['active']} active, {seats['lost']} lost, {seats['free']} free",
        ),
    ]
    return [f"{name + ':':18} {value}".rstrip() for name, value in rows]


def _versions(low: str, high: str) -> str:
    if not low and not high:
        return "every version of Chariot"
    return f"Chariot {low or 'any version'} up to {high or 'the newest'}"


def _until(expires: str | None) -> str:
    return f"last day {expires}" if expires else "never expires"


def _activation(row: dict[str, Any]) -> str:
    seat = f", seat {row['seat']}" if row["seat"] else ""
    given = f", {row['usage_license_id']}" if row["usage_license_id"] else ""
    return (
        f"{row['activation_id']}  {row['state']}{seat}, host {row['host'] or '-'}, Chariot {row['version']}, since"
        f" {_moment(row['since'])}{given}"
    )


def _entry(row: dict[str, Any]) -> str:
    which = "; ".join(part for part in (row["activation_id"], row["detail"]) if part)
    return f"{row['seq']:>5}  {_moment(row['at'])}  {row['what']}{f': {which}' if which else ''}"


def _ledger(ledger: dict[str, Any]) -> list[str]:
    rows = [("Ledger", ledger["origin"]), ("Entries", str(ledger["length"])), ("Last hash", ledger["head"])]
    return [f"{name + ':':18} {value}" for name, value in rows]


def _moment(at: str) -> str:
    return at[:16].replace("T", " ")


def _visible(line: str) -> str:
    """Letters that nobody sees, or that make a line read otherwise than it is, by their number."""
    return "".join(letter if letter.isprintable() else f"[U+{ord(letter):04X}]" for letter in line)
