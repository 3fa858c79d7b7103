"""What the rules of one table refuse: the chain, the requests, the seats, the states."""

from __future__ import annotations

from collections.abc import Iterator

from tests.database.factory import AT, LATER, entry
from tests.database.statements import PG, SQLITE, Case, add, copy

_OTHER_LICENSE = "(SELECT id FROM activations_license WHERE license_id = 'LIC-B')"
_EARLIER = "'2020-01-01 00:00:00'"
_USL = "usage_license_id = 'USL of ACT-GONE'"


def ledger() -> Iterator[Case]:
    first = entry("LIC-A", 1, AT)
    second = entry("LIC-A", 2, LATER, first.hash)
    third = entry("LIC-A", 3, LATER, second.hash)
    yield Case("ledger: a gap", add(entry("LIC-A", 4, LATER, second.hash)), NO_GAPS)
    yield Case("ledger: a chain that does not begin with 1", add(entry("LIC-NEW", 2, AT)), NO_GAPS)
    foreign = "a ledger entry names the hash of the entry before it"
    yield Case("ledger: follows another entry", add(entry("LIC-A", 3, LATER, first.hash)), foreign)
    yield Case("ledger: begins with another hash", add(entry("LIC-NEW", 1, AT, first.hash)), foreign)
    yield Case(
        "ledger: dated back",
        add(entry("LIC-A", 3, AT, second.hash)),
        "a ledger entry is not dated before the entry it follows",
    )
    yield Case(
        "ledger: a hash of something else",
        add(third, hash="ab" * 32),
        "the hash of a ledger entry is the SHA-256 of its body",
        PG,
    )
    for bad in ("ab" * 31, "AB" * 32, "zz" * 32):
        yield Case(
            f"ledger: no hash, {bad[:4]} {len(bad)}",
            add(third, hash=bad),
            "the hash of a ledger entry is the SHA-256 of its body, in 64 hex digits",
            SQLITE,
        )
    yield Case("ledger: no JSON", add(third, body="{"), "the body of a ledger entry is JSON", SQLITE)
    for column, value in {
        "at": "2026-01-05 09:30:01",
        "actor": "lead",
        "kind": "license.revoked",
        "reason": "none",
        "source": "admin",
    }.items():
        yield Case(f"ledger: another {column} than its body says", add(third, **{column: value}), COLUMNS)
    yield Case("ledger: the body of another chain", add(third, chain="LIC-NEW", seq=1, prev="0" * 64), COLUMNS)

    head = "the length and head of a ledger chain are those of one of its entries"
    where = "WHERE name = 'LIC-A'"
    yield Case(
        "chain: shorter",
        f"UPDATE activations_ledgerchain SET length = 1, head = '{first.hash}' {where}",
        "a ledger chain never gets shorter",
    )
    yield Case("chain: longer", f"UPDATE activations_ledgerchain SET length = 3 {where}", head)
    yield Case("chain: another head", f"UPDATE activations_ledgerchain SET head = '{first.hash}' {where}", head)
    yield Case(
        "chain: a head from nowhere",
        f"INSERT INTO activations_ledgerchain (name, length, head) VALUES ('LIC-NEW', 1, '{first.hash}')",
        head,
    )
    for size in (0, 2):
        yield Case(
            f"checkpoint: of {size} where there is 1",
            copy("ledgercheckpoint", "size = 1", size=str(size)),
            "a ledger checkpoint covers exactly the leaves there are",
        )
    yield from _tiles()
    yield Case(
        "receipt: of a checkpoint that there is not",
        copy("witnessreceipt", "size = 1", size="2"),
        "a witness has got a checkpoint that there is",
    )
    yield Case(
        "leaf: a gap",
        copy("ledgerleaf", '"index" = 0', index="2", entry_id="(SELECT max(id) FROM activations_ledgerentry)"),
        "the leaves of the ledger's tree are numbered from 0 without gaps",
    )
    for name, which in {"one": "WHERE id = (SELECT max(id) FROM activations_ledgeruncovered)", "all": ""}.items():
        yield Case(
            f"mark: {name} of entries without a leaf",
            f"DELETE FROM activations_ledgeruncovered {which}".rstrip(),
            "the mark of a ledger entry goes once the entry has its leaf",
        )


def _tiles() -> Iterator[Case]:
    full = "a tile of the ledger's tree is full: 256 hashes of 32 bytes"
    for column in ("hashes", "root"):
        for size, value in {"a byte less": f'substr("{column}", 2)', "twice": f'"{column}" || "{column}"'}.items():
            doubled = value if "||" not in value else f'CAST("{column}" || "{column}" AS BLOB)'
            for vendor, written in {PG: value, SQLITE: doubled}.items():
                name = f"tile: {column}, {size}"
                yield Case(name, copy("ledgertile", "level = 0", index="1", **{column: written}), full, vendor)
    for column, length in {"hashes": 8192, "root": 32}.items():
        text = "'" + "x" * length + "'"
        yield Case(
            f"tile: {column} as text",
            copy("ledgertile", "level = 0", index="1", **{column: text}),
            "the hashes of a tile are bytes",
            SQLITE,
        )
    for level, index in ((0, 2), (1, 1), (7, 9)):
        yield Case(
            f"tile: a gap on level {level}",
            copy("ledgertile", "level = 0", level=str(level), index=str(index)),
            "the tiles of a level are numbered from 0 without gaps",
        )
    for level, index in ((0, 1), (1, 0), (2, 0)):
        yield Case(
            f"tile: over nothing, {level}/{index}",
            copy("ledgertile", "level = 0", level=str(level), index=str(index)),
            "a tile of the ledger's tree stands over leaves or tiles that are there",
        )


NO_GAPS = "the sequence of a ledger chain has no gaps and no repeats"
COLUMNS = "the columns of a ledger entry say what its body says"


def requests() -> Iterator[Case]:
    for request_id, change in (
        ("REQ of ACT-ACTIVE", "state = 'pending'"),
        ("REQ of ACT-ACTIVE", "state = 'refused'"),
        ("REQ of ACT-ACTIVE", "code = 'other'"),
        ("REQ of ACT-ACTIVE", "in_line = NOT in_line"),
        ("REQ-DECLINED", "state = 'pending'"),
        ("REQ-DECLINED", "state = 'answered'"),
        ("REQ-DECLINED", "refusal = 'other'"),
        ("REQ-DECLINED", "epoch = 3"),
    ):
        yield Case(
            f"request: {request_id}, {change}",
            f"UPDATE activations_usagerequest SET {change} WHERE request_id = '{request_id}'",
            "a Usage Request that was answered or declined stays as it is",
        )
    yield Case(
        "request: answered by nothing",
        "UPDATE activations_usagerequest SET state = 'answered' WHERE request_id = 'REQ-PENDING'",
        "a Usage Request is answered only by a stored Usage License",
    )
    yield Case(
        "request: stored as answered",
        copy("usagerequest", "request_id = 'REQ of ACT-GONE'", request_id="'REQ-NEW'", counter="99"),
        "a Usage Request is stored before its Usage License and marked answered after it",
    )
    misfit = "a Usage License answers one open Usage Request with an activation of the same license"
    for request_id in ("REQ-DECLINED", "REQ-B"):
        yield Case(
            f"Usage License: for {request_id}",
            copy(
                "usagelicense",
                _USL,
                usage_license_id="'USL-NEW'",
                request_id=f"(SELECT id FROM activations_usagerequest WHERE request_id = '{request_id}')",
            ),
            misfit,
        )
    yield Case(
        "instance: epoch goes back",
        "UPDATE activations_instance SET epoch = 1",
        "the epoch of an Instance only grows",
    )


def seats_and_licenses() -> Iterator[Case]:
    full = "a license has no more seats than allowed activations"
    whole = "the number of a seat is a whole number"
    yield Case("seat: between two others", copy("seat", "number = 3", number="1.5"), whole, SQLITE)
    yield Case("seat: one too many", copy("seat", "number = 3", number="5"), full)
    yield Case("seat: number 999", copy("seat", "number = 3", number="999"), full)
    yield Case(
        "seat: two at once where one is left",
        "INSERT INTO activations_seat (license_id, number) SELECT id, 2 FROM activations_license "
        "WHERE license_id = 'LIC-B' UNION ALL SELECT id, 3 FROM activations_license WHERE license_id = 'LIC-B'",
        full,
    )
    yield Case(
        "seat: held, deleted",
        "DELETE FROM activations_seat WHERE number = 2",
        "a seat that an activation holds is not deleted",
    )
    for allowed in (0, 2):
        yield Case(
            f"license: {allowed} allowed below its seats",
            f"UPDATE activations_license SET allowed = {allowed} WHERE license_id = 'LIC-A'",
            "allowed activations are not set below the seats there are: delete free seats first",
        )
    for column in ("terms_revision", "key_serial"):
        yield Case(
            f"license: {column} goes back",
            f"UPDATE activations_license SET {column} = 1 WHERE license_id = 'LIC-A'",
            "terms_revision and key_serial of a license only grow",
        )


def activations() -> Iterator[Case]:
    moves = "an activation goes only from active to deactivated or lost; lost to active or deactivated or restored"
    free = "seat_id = NULL"
    for activation_id, change in (
        ("ACT-ACTIVE", f"state = 'restored', {free}"),
        ("ACT-RESTORED", "state = 'deactivated'"),
        ("ACT-GONE", "state = 'restored'"),
    ):
        yield Case(
            f"activation: {activation_id} becomes {change}",
            f"UPDATE activations_activation SET {change} WHERE activation_id = '{activation_id}'",
            moves,
        )
    own = "an activation takes a seat of its own license"
    foreign_seat = f"(SELECT id FROM activations_seat WHERE license_id = {_OTHER_LICENSE})"
    for activation_id in ("ACT-RESTORED", "ACT-GONE"):
        yield Case(
            f"activation: {activation_id} takes another license's seat",
            f"UPDATE activations_activation SET state = 'active', seat_id = {foreign_seat} "
            f"WHERE activation_id = '{activation_id}'",
            own,
        )
        yield Case(
            f"activation: {activation_id} back in a seat",
            f"UPDATE activations_activation SET state = 'lost', seat_id = (SELECT id FROM activations_seat "
            f"WHERE number = 4) WHERE activation_id = '{activation_id}'",
            moves,
        )
    yield Case(
        "activation: a new one in another license's seat",
        copy(
            "activation",
            "activation_id = 'ACT-GONE'",
            activation_id="'ACT-NEW'",
            usage_license_id="NULL",
            state="'active'",
            seat_id=foreign_seat,
        ),
        own,
    )
    yield Case(
        "activation: another one's Usage License",
        "UPDATE activations_activation SET usage_license_id = "
        "(SELECT id FROM activations_usagelicense WHERE usage_license_id = 'USL-SPARE') "
        "WHERE activation_id = 'ACT-GONE'",
        "the current Usage License of an activation is one of its own",
    )


def end_states() -> Iterator[Case]:
    yield Case(
        "license: a revoked one reinstated",
        "UPDATE activations_license SET status = 'active' WHERE license_id = 'LIC-REVOKED'",
        "a revoked license stays revoked",
    )
    for change in ("state = 'denied'", "state = 'closed'", "decision_reason = 'other'", "decided_by = 'other'"):
        yield Case(
            f"restoration: a decided one, {change}",
            f"UPDATE activations_restoration SET {change} WHERE restoration_id = 'RES-DECIDED'",
            "a restoration is decided once and stays as decided",
        )
    yield Case(
        "restoration: approved from the start",
        copy("restoration", "restoration_id = 'RES-DECIDED'", restoration_id="'RES-NEW'"),
        "a restoration begins as requested and is decided afterwards",
    )
    for change in ("settled_at = NULL, settled_by = ''", f"settled_at = {_EARLIER}", "settled_by = 'other'"):
        yield Case(
            f"tombstone: a settled one, {change}",
            f"UPDATE activations_tombstone SET {change} WHERE tombstone_id = 'TOMB-SETTLED'",
            "a tombstone is settled once and stays as settled",
        )
