"""Whoever owns the database and the portal's own keys rewrites the ledger: an auditor finds it with what was kept.

Every attack is made with the triggers gone, by the superuser of the test's database; then the portal itself makes the
export, as it would for the auditor, and the standalone verifier, a process of its own, compares it with what was kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from activations.domain.ledger import Kind, read_body
from activations.models import LedgerChain, LedgerCheckpoint, LedgerEntry, LedgerLeaf, LedgerTile, StaffEvent
from activations.services.booking import portal_book
from activations.services.licenses import LicenseCreated
from tests.portal.cast import ADMINISTRATOR, SOURCE, answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import answer
from tests.portal.test_checkpoints import checkpoint
from tests.portal.verifying import verdict, witness_folder
from tests.support import without_triggers
from tests.verifier.ledger import Ledger


@dataclass
class World:
    """A ledger of more than a full tile, what an auditor kept of it, and what was booked since."""

    license: LicenseCreated
    folder: Path
    bodies: Ledger
    sizes: tuple[int, int]
    here: Path
    warnings: list[str] = field(default_factory=list)

    @property
    def old(self) -> int:
        """The index of an old entry in the middle of the license's chain."""
        return self.bodies.of(self.license.license_id)[3]

    def kept(self, what: str) -> list[Path]:
        if what == "folder":
            return [self.folder]
        return [self.folder / "checkpoints" / str(size) for size in self.sizes]

    def found(self, what: str) -> dict[str, Any]:
        """The verdict over an export that the portal makes now."""
        out = self.here / "export.jsonl"
        self.warnings += answer("export_ledger", "--format", "jsonl", "--out", str(out))["warnings"]
        return verdict(out, *self.kept(what)) if what else verdict(out)


@pytest.fixture
def world(license: LicenseCreated, tmp_path: Path) -> World:
    _fill(100)
    first = checkpoint().size
    for name in ("pump-house", "mill"):
        answered(Chariot(license.license_key, host(name)).request())
    _fill(200)
    make_license(customer="Beta Mills")
    second = checkpoint().size
    folder = witness_folder(tmp_path / "witness")
    make_license(customer="Gamma Ports")
    bodies = LedgerEntry.objects.order_by("id").values_list("body", flat=True)
    return World(license, folder, Ledger(tuple(bodies)), (first, second), tmp_path)


def _fill(count: int) -> None:
    with transaction.atomic(), portal_book(actor=ADMINISTRATOR, source=SOURCE) as book:
        for number in range(count):
            book.add(Kind.LIST_EXPORTED, {"list": "licenses", "format": "csv", "rows": number})


def attack(do: Callable[[], object]) -> None:
    """With the triggers gone, and back afterwards, so that nothing shows."""
    connection.check_constraints()
    with without_triggers(connection):
        do()
        connection.check_constraints()


def sql(statement: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def forged(ledger: Ledger, *, checkpoints_too: bool) -> None:
    """Puts this in place of the whole ledger; the portal's next checkpoint, with its own key, gives it a new tree."""
    for model in (LedgerLeaf, LedgerTile, LedgerEntry, *([LedgerCheckpoint] if checkpoints_too else [])):
        sql(f'DELETE FROM "{model._meta.db_table}"')
    rows = []
    for body in ledger.bodies:
        said = read_body(body)
        columns = {name: getattr(said, name) for name in ("chain", "seq", "actor", "kind", "reason", "source", "prev")}
        rows.append(LedgerEntry(**columns, at=datetime.fromisoformat(said.at), hash=said.hash, body=body))
    LedgerEntry.objects.bulk_create(rows)
    for name in LedgerChain.objects.values_list("name", flat=True):
        last = LedgerEntry.objects.filter(chain=name).order_by("-seq").first()
        assert last is not None
        LedgerChain.objects.filter(name=name).update(length=last.seq, head=last.hash, latest_at=last.at)


def first(found: dict[str, Any]) -> tuple[object, ...]:
    assert (found["exit_code"], found["verdict"]) == (1, "broken"), found
    return tuple(found["first"][name] for name in ("what", "license", "seq", "index"))


def at(index: int, what: str, ledger: Ledger) -> tuple[object, ...]:
    entry = ledger.entry(index)
    return what, entry.chain, entry.seq, index


KEPT = pytest.mark.parametrize("what", ["folder", "checkpoints"])


@KEPT
def test_an_untouched_ledger_is_ok(world: World, what: str) -> None:
    found = world.found(what)

    assert (found["exit_code"], found["verdict"]) == (0, "ok"), found
    assert found["entries"] == len(world.bodies.bodies)


@KEPT
@pytest.mark.parametrize("hash_too", [False, True])
def test_one_byte_of_an_old_entry(world: World, what: str, hash_too: bool) -> None:
    changed = world.bodies.told(world.old, actor="agenT")
    body, said = changed.bodies[world.old], changed.entry(world.old)
    rows = LedgerEntry.objects.filter(chain=said.chain, seq=said.seq)

    attack(lambda: rows.update(body=body, **({"hash": said.hash} if hash_too else {})))

    found = world.found(what)
    if hash_too and what == "checkpoints":  # the next of its chain does not continue it: one of the two
        assert first(found) == at(world.bodies.of(said.chain)[said.seq], "changed", world.bodies)
        assert f"entry {said.seq} of {said.chain} (index {world.old}" in found["message"]
    else:
        assert first(found) == at(world.old, "changed", world.bodies)


def _delete(index: int) -> None:
    entry = LedgerLeaf.objects.get(index=index).entry_id
    sql(f'DELETE FROM "{LedgerLeaf._meta.db_table}" WHERE "index" = %s', index)
    sql(f'DELETE FROM "{LedgerEntry._meta.db_table}" WHERE "id" = %s', entry)


@KEPT
def test_one_deleted(world: World, what: str) -> None:
    attack(lambda: _delete(world.old))

    assert first(world.found(what)) == at(world.old, "removed", world.bodies)


@KEPT
def test_one_deleted_and_the_tree_made_again(world: World, what: str) -> None:
    without = world.bodies.put(world.old, instead=1)

    attack(lambda: forged(without, checkpoints_too=True))

    license_id, seq = world.license.license_id, world.bodies.entry(world.old).seq
    expected = ("removed", license_id, seq, world.old if what == "folder" else None)
    assert first(world.found(what)) == expected


@KEPT
def test_one_inserted_with_a_chain_that_looks_good(world: World, what: str) -> None:
    planted = replace(world.bodies.entry(world.old), kind="activation.lost", reason="flooded").body
    ledger = world.bodies.put(world.old + 1, planted).rehashed()

    attack(lambda: forged(ledger, checkpoints_too=True))

    found = world.found(what)
    if what == "folder":
        assert first(found) == at(world.old + 1, "added", ledger)
    else:
        _between_the_checkpoints(world, found, ledger)


@KEPT
def test_one_added_at_the_end_and_dated_back(world: World, what: str) -> None:
    """No triggers need be gone for the place in the tree, only for the date; the chain goes on as it should."""
    size = len(world.bodies.bodies)
    last = world.bodies.entry(world.bodies.of(world.license.license_id)[-1])
    ledger = world.bodies.put(size, replace(last, kind="license.suspended").body).rehashed()

    attack(lambda: _append(ledger))

    assert first(world.found(what)) == at(size, "added", ledger)


def _append(ledger: Ledger) -> None:
    said, body = read_body(ledger.bodies[-1]), ledger.bodies[-1]
    columns = {name: getattr(said, name) for name in ("chain", "seq", "actor", "kind", "reason", "source", "prev")}
    LedgerEntry.objects.create(**columns, at=datetime.fromisoformat(said.at), hash=said.hash, body=body)
    LedgerChain.objects.filter(name=said.chain).update(length=said.seq, head=said.hash)


@KEPT
@pytest.mark.parametrize("same_chain", [False, True])
def test_two_swapped(world: World, what: str, same_chain: bool) -> None:
    """Their places in the tree, as if they had happened the other way round; of two chains, each stays in its order."""
    chains = [world.bodies.entry(index).chain for index in range(world.sizes[1])]
    one = next(i for i in range(world.old, world.sizes[1]) if (chains[i] == chains[i + 1]) == same_chain)
    bodies = list(world.bodies.bodies)
    bodies[one], bodies[one + 1] = bodies[one + 1], bodies[one]
    swapped = Ledger(tuple(bodies))

    attack(lambda: _swap(one, one + 1))

    found = world.found(what)
    if what == "folder" or same_chain:
        assert first(found) == at(one, "reordered", swapped)
    else:
        _between_the_checkpoints(world, found, swapped)


def _swap(one: int, other: int) -> None:
    far = 1_000_000
    for old, new in ((one, far), (other, one), (far, other)):
        LedgerLeaf.objects.filter(index=old).update(index=F("index") + (new - old))


@KEPT
@pytest.mark.parametrize(("checkpoints_too", "trail_too"), [(True, True), (False, True), (True, False)])
def test_the_tail_cut_off(world: World, what: str, checkpoints_too: bool, trail_too: bool) -> None:
    """Down to before what was kept. With the portal's checkpoints left, it can make no further one; with the rows of
    the staff trail left, it can book nothing more where those stand, and the export comes with a warning.
    """
    left = world.sizes[1] - 20

    attack(lambda: _cut(left, checkpoints_too, trail_too))

    found = world.found(what)
    assert bool([said for said in world.warnings if "did not take" in said]) != trail_too
    assert first(found)[0] == "cut-off"
    assert found["first"]["index"] == left
    assert f"The entries from index {left} on that" in found["message"]
    assert f"size {world.sizes[1]}" in found["message"]


def _cut(left: int, checkpoints_too: bool, trail_too: bool) -> None:
    entries = list(LedgerLeaf.objects.filter(index__gte=left).values_list("entry", flat=True))
    entries += LedgerEntry.objects.filter(leaf__isnull=True).values_list("id", flat=True)
    sql(f'DELETE FROM "{LedgerLeaf._meta.db_table}" WHERE "index" >= %s', left)
    sql(f'DELETE FROM "{LedgerTile._meta.db_table}" WHERE ("index" + 1) * 256 > %s', left)
    for entry in entries:
        sql(f'DELETE FROM "{LedgerEntry._meta.db_table}" WHERE "id" = %s', entry)
    if checkpoints_too:  # and the places they gave, which the next one gives again
        sql(f'DELETE FROM "{LedgerCheckpoint._meta.db_table}"')
        sql(f'DELETE FROM "{LedgerLeaf._meta.db_table}"')
    for chain in LedgerChain.objects.all():
        last = LedgerEntry.objects.filter(chain=chain.name).order_by("-seq").first()
        if last is None:
            sql(f'DELETE FROM "{LedgerChain._meta.db_table}" WHERE "name" = %s', chain.name)
            continue
        if trail_too:
            sql(f'DELETE FROM "{StaffEvent._meta.db_table}" WHERE "chain" = %s AND "seq" > %s', chain.name, last.seq)
        LedgerChain.objects.filter(name=chain.name).update(length=last.seq, head=last.hash, latest_at=last.at)


@KEPT
def test_everything_rewritten_consistently(world: World, what: str) -> None:
    """Every chain hashed again, every leaf made again, and a new checkpoint that the portal's own key signs."""
    ledger = world.bodies.told(world.old, actor="manager").rehashed()

    attack(lambda: forged(ledger, checkpoints_too=True))

    found = world.found(what)
    if what == "folder":
        assert first(found) == at(world.old, "changed", ledger)
    else:
        _between_the_checkpoints(world, found, ledger)
    assert world.found("")["verdict"] == "unchecked"  # by itself nothing is wrong with it: that is why one keeps


def _between_the_checkpoints(world: World, found: dict[str, Any], ledger: Ledger) -> None:
    """With checkpoints alone: it is somewhere between the last that holds and the first that does not."""
    assert first(found) == at(world.sizes[0], "rewritten", ledger)
    assert found["first"]["last_index"] == world.sizes[1] - 1
    assert world.sizes[0] <= world.old < world.sizes[1]
