"""Goes through an export entry by entry and stops at the first that is not what was kept, or contradicts the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from chariot_ledger_kept import Kept, Leaf
from chariot_ledger_read import Entry, Export, Key, Note, Tree, Unreadable, consistent, inclusion_root, named, signed_by

GENESIS = "0" * 64
WINDOW = 10_000  # how many entries behind a difference are looked at to tell an added from a removed one
PROGRESS = 100_000


class Broken(Exception):
    """The first thing that is wrong: `what` was done (a word of README.md), in a sentence, and to which entry."""

    def __init__(self, what: str, sentence: str, entry: Entry | None = None, **known: str | int) -> None:
        super().__init__(sentence)
        self.first: dict[str, object] = dict.fromkeys(("license", "seq", "index", "kind", "time"))
        if entry is not None:
            self.first["index"] = entry.index
            if entry.chain:
                self.first |= {"license": entry.chain, "seq": entry.seq, "kind": entry.kind, "time": entry.at}
        self.first |= {"what": what, **known}


class Cursor:
    """Goes through the leaf hashes of a kept thing beside the export."""

    def __init__(self, kept: Kept) -> None:
        self.kept, self._rest = kept, iter(kept.leaves())
        self.next: Leaf | None = next(self._rest, None)

    def before(self, index: int) -> Iterator[Leaf]:
        """What it holds before this index and was not asked for; afterwards `next` is at the index or behind it."""
        while self.next is not None and self.next[0] < index:
            yield self.next
            self.next = next(self._rest, None)

    def take(self, index: int) -> Leaf | None:
        found = self.next
        if found is None or found[0] != index:
            return None
        self.next = next(self._rest, None)
        return found


@dataclass
class Check:
    """One run over an export. Raises Broken or Unreadable at the first thing that is wrong."""

    export: Export
    kept: list[Kept]
    keys: list[Key]
    proofs: list[tuple[int, list[bytes], Note]]
    older: bool = False
    tell: Callable[[str], None] = lambda text: None
    checked: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    entries: int = 0

    def run(self) -> None:
        self.tree = Tree()
        self.chains: dict[str, Entry] = {}  # the latest entry of each
        self.newest = self.floor = ""
        self.good = 0  # the entries before this index are as they were kept
        self.suspect: Entry | None = None  # the one at that index
        self.cursors = [Cursor(kept) for kept in self.kept]
        self.whole, self.size = self.export.filter is None, self.export.note.size
        self.due: dict[int, list[tuple[Note, Kept | None]]] = {self.size: [(self.export.note, None)]}
        for kept in self.kept:
            for note in kept.notes:
                self.due.setdefault(note.size, []).append((note, kept))
        self._kept_signatures()
        previous: Entry | None = None
        for entry in self.export.entries():
            self._place(entry, previous)
            self._as_kept(entry)
            if entry.fault:
                raise Broken("changed", f"{entry} was changed: {entry.fault}.", entry)
            self._chain(entry)
            if self.whole:
                self._grow(entry)
            else:
                self._proved(entry)
            previous = entry
            self.entries += 1
            if self.entries % PROGRESS == 0:
                self.tell(f"{self.entries} entries read, of a ledger of {self.size}")
        self._end()
        self._signature()

    # -- signatures -------------------------------------------------------------------------------------------

    def _kept_signatures(self) -> None:
        for kept in self.kept if self.keys else ():
            for note in kept.notes:
                signed = signed_by(note, self.keys)
                if signed is False:
                    raise Unreadable(f"{kept.name} is damaged: its signature does not fit its checkpoint.")
                if signed is None:
                    self.remarks.append(f"{kept.name} (size {note.size}) is signed by a key that you did not give.")

    def _signature(self) -> None:
        """Last, so that an entry is named where one can be: whoever rewrites the ledger may sign with another key."""
        if not self.keys:
            self.remarks.append("No signature was checked against a key of yours: none was given (--key).")
            return
        if not signed_by(self.export.note, self.keys):
            raise Broken(
                "signature",
                "The checkpoint of the export is not signed by a key that you gave. If the portal has a new checkpoint "
                "key by now, have it confirmed and give both keys.",
            )
        self.checked.append("the signature of the export's checkpoint, by your key")

    # -- one entry --------------------------------------------------------------------------------------------

    def _place(self, entry: Entry, previous: Entry | None) -> None:
        """Whole exports hold every index once, in order; filtered ones leave some out."""
        expected = previous.index + 1 if previous else 0
        if entry.index < expected:
            raise Broken("added", f"{entry} was added: it stands in the export behind index {expected - 1}.", entry)
        if entry.index >= self.size:
            raise Broken("added", f"{entry} was added: the export's checkpoint covers {self.size} entries.", entry)
        if self.whole and entry.index > expected:
            self._gap(expected, entry)

    def _gap(self, index: int, behind: Entry) -> None:
        known = self._known(index)
        late = next((entry for entry in self.export.entries() if entry.index == index), None)
        if late is not None:
            raise Broken("reordered", f"{late} was reordered: {behind} stands before it.", late)
        if known is not None:
            raise Broken("removed", f"{known} was removed.", known)
        lost = self._lost(behind.index)
        what = f"{named(*lost)}, at index {index}," if lost else f"The entry at index {index}"
        about = _about(*lost) if lost else {}
        raise Broken("removed", f"{what} was removed: {behind} comes next.", None, **about, index=index)

    def _known(self, index: int) -> Entry | None:
        """The entry itself, from an export that was kept."""
        for cursor in self.cursors:
            for _ in cursor.before(index):
                pass
            found = cursor.take(index)
            if found is not None and found[2] is not None:
                return found[2]
        return None

    def _lost(self, start: int) -> tuple[str, int] | None:
        """The first chain with a gap among the entries from an index on: License ID, and the number it lacks."""
        last = {chain: entry.seq for chain, entry in self.chains.items()}
        for entry in self.export.entries():
            if entry.index < start or not entry.chain:
                continue
            if entry.seq > last.get(entry.chain, 0) + 1:
                return entry.chain, last.get(entry.chain, 0) + 1
            last[entry.chain] = entry.seq
        return None

    def _as_kept(self, entry: Entry) -> None:
        for cursor in self.cursors:
            for _, _, skipped in cursor.before(entry.index):
                self._not_left_out(skipped, cursor.kept)
            found = cursor.take(entry.index)
            if found is None:
                continue
            if found[1] != entry.leaf:
                if not cursor.kept.sound():
                    raise _damaged(cursor.kept)
                raise self._difference(entry, found, cursor.kept)
            if self.good == entry.index:
                self.good = entry.index + 1

    def _not_left_out(self, skipped: Entry | None, kept: Kept) -> None:
        if skipped is not None and not self.whole and self.export.covers(skipped):
            raise Broken("removed", f"{skipped} was removed: {kept.name} has it.", skipped)

    def _difference(self, entry: Entry, found: Leaf, kept: Kept) -> Broken:
        """What was done at the first place where the export is not what was kept."""
        index, leaf, known = found
        what, moved = self._done(entry, leaf, kept) if self.whole else ("changed", None)
        if what == "added":
            return Broken(what, f"{entry} was added: {kept.name} does not have it there.", entry)
        if what == "reordered":
            was = f"{kept.name} has it at index {moved}"
            return Broken(what, f"{entry} was reordered: {was}.", entry)
        if what == "removed":
            if known is not None:
                return Broken(what, f"{known} was removed: {entry} stands in its place.", known)
            lost = self._lost(index)
            name = f"{named(*lost)}, at index {index}," if lost else f"the entry at index {index}"
            about = _about(*lost) if lost else {}
            sentence = f"{name} was removed: {kept.name} has its hash, and {entry} stands in its place."
            return Broken(what, sentence, None, **about, index=index)
        before = f" There it is {known}." if known is not None and str(known) != str(entry) else ""
        return Broken(what, f"{entry} was changed: it is not what {kept.name} has there.{before}", entry)

    def _done(self, entry: Entry, leaf: bytes, kept: Kept) -> tuple[str, int | None]:
        """`entry` stands where the kept thing has `leaf`: changed, added, removed or reordered; and where it was."""

        def ours() -> Iterator[Leaf]:
            return ((e.index, e.leaf, None) for e in self.export.entries() if e.index > entry.index)

        def theirs() -> Iterator[Leaf]:
            return (kept_leaf for kept_leaf in kept.leaves() if kept_leaf[0] > entry.index)

        still = next((index for index, other, _ in ours() if other == leaf), None)
        was = next((index for index, other, _ in theirs() if other == entry.leaf), None)
        if still is not None:
            return ("added", None) if was is None else ("reordered", was)
        if was is not None:
            return "removed", None
        near = {other: index for index, other, _ in islice(ours(), WINDOW)}
        for index, other, _ in islice(theirs(), WINDOW):
            if other in near and near[other] != index:
                return "added" if near[other] > index else "removed", None
            if other in near:
                break
        return "changed", None

    def _chain(self, entry: Entry) -> None:
        last = self.chains.get(entry.chain)
        seq, head, at = (last.seq, last.hash, last.at) if last else (0, GENESIS, "")
        if entry.seq <= seq:
            raise Broken("added", f"{entry} was added: entry {seq} of that chain stands before it.", entry)
        if entry.seq > seq + 1 and self.export.unbroken:
            late = next((e for e in self.export.entries() if (e.chain, e.seq) == (entry.chain, seq + 1)), None)
            if late is not None:
                raise Broken(
                    "reordered", f"{entry} was reordered: entry {seq + 1} stands behind it, not before.", entry
                )
            name = named(entry.chain, seq + 1)
            about = _about(entry.chain, seq + 1)
            raise Broken("removed", f"{name} was removed: {entry} comes next in its chain.", None, **about)
        if entry.seq == seq + 1 and entry.prev != head:
            before = f"{last} before it" if last else "the beginning of its chain"
            raise Broken("changed", f"{entry} was changed, or {before}: it does not continue the chain.", entry)
        if entry.at < at:
            raise Broken("changed", f"{entry} was changed: it is dated before the entry it follows.", entry)
        self.chains[entry.chain] = entry

    def _grow(self, entry: Entry) -> None:
        if entry.at < self.floor:
            raise Broken(
                "added",
                f"{entry} was added later than it says: a checkpoint that you kept covers entries of {self.floor}, "
                "and does not cover this one.",
                entry,
            )
        if entry.index == self.good or self.suspect is None or self.suspect.index < self.good:
            self.suspect = entry
        self.newest = max(self.newest, entry.at)
        self.tree.add(entry.leaf)
        for note, kept in self.due.get(self.tree.size, ()):
            if note.root != self.tree.root:
                raise self._rewritten(note, kept)
            if kept is not None:
                self.good = max(self.good, note.size)
                self.floor = self.newest

    def _rewritten(self, note: Note, kept: Kept | None) -> Broken | Unreadable:
        if kept is not None and not kept.sound():
            return _damaged(kept)
        whose = f"{kept.name} (size {note.size})" if kept else f"the export's own checkpoint (size {note.size})"
        other = "" if note.origin == self.export.note.origin else f" It is a checkpoint of {note.origin}."
        return Broken(
            "rewritten",
            f"The entries from index {self.good} to {note.size - 1} are not those that {whose} covers: they give "
            f"another root. The first of them is {self.suspect}.{other} Which of them was changed, removed, added or "
            "reordered can be told with leaf hashes or an earlier export.",
            self.suspect,
            last_index=note.size - 1,
        )

    def _proved(self, entry: Entry) -> None:
        root = inclusion_root(entry.leaf, entry.index, self.size, entry.proof)
        if root != self.export.note.root:
            raise Broken("changed", f"{entry} was changed: it is not in the tree of the export's checkpoint.", entry)

    # -- the end ----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        if self.whole and self.tree.size < self.size:
            raise self._cut_off(self.tree.size, f"the export's own checkpoint of size {self.size}")
        if self.entries != self.export.announced:
            raise Unreadable(f"The end line of the export says {self.export.announced} entries; it has {self.entries}.")
        for cursor in self.cursors:
            for _, _, skipped in cursor.before(self.size):
                self._not_left_out(skipped, cursor.kept)
        if not self.whole:
            self._filtered()
        else:
            self.checked.append(
                f"the chains of {len(self.chains)} licenses and of the portal, and the root of the tree"
            )
        for kept in self.kept:
            self._compared(kept)
        if not self.kept:
            self.unchecked.append(
                "Nothing that you kept was given (--kept): the export was compared with itself alone."
            )

    def _cut_off(self, index: int, whose: str, hint: str = "") -> Broken:
        first = self._known(index)
        named_first = f" The first of them is {first}." if first else ""
        sentence = f"The entries from index {index} on that {whose} covers are missing.{named_first}{hint}"
        return Broken("cut-off", sentence, first, index=index)

    def _compared(self, kept: Kept) -> None:
        if kept.end <= self.size:
            self.checked.append(f"{kept.name}, size {kept.end}")
            return
        newer = f"{kept.name} covers {kept.end} entries, the export {self.size}"
        if self.older:
            held = max((index for index, _, _ in kept.leaves()), default=-1) + 1
            if held >= self.size:
                self.checked.append(f"{newer}: it is newer, and what both hold is the same")
            else:
                self.unchecked.append(f"{newer}: it is newer, and cannot be compared. Export again.")
        elif "" < self.export.made_at < kept.made_at:
            self.unchecked.append(
                f"{newer}. The export says that it is the older one ({self.export.made_at}, yours {kept.made_at}). "
                "If you got it after that, its end was cut off; if not, give --older."
            )
        else:
            size = kept.end if kept.notes else f"of {kept.end} entries"
            whose = f"{kept.name} (size {size})"
            hint = " If the export was made before that, it is only older: give --older."
            raise self._cut_off(self.size, whose, hint)

    def _filtered(self) -> None:
        """An entry's proof leads to the export's checkpoint; from there to what was kept it takes more."""
        self.checked.append(f"the proof of each entry to the export's checkpoint of size {self.size}")
        if not self.export.unbroken:
            self.unchecked.append("Whether entries were left out of this filter cannot be told from the export.")
        for kept in self.kept:
            if kept.end <= self.size and not self._linked(kept):
                self.unchecked.append(
                    f"{kept.name} (size {kept.end}) cannot be compared with an export of size {self.size} that holds "
                    f"only some entries: give a consistency proof from {kept.end} to {self.size} (--proof)."
                )

    def _linked(self, kept: Kept) -> bool:
        """Whether the tree of the export's checkpoint is known to be that of the kept thing, grown."""
        ours = self.export.note
        roots = {note.size: note.root for note in kept.notes} | kept.roots([self.size])
        if self.size in roots:
            if roots[self.size] != ours.root:
                raise self._other_tree(kept, self.size) if kept.sound() else _damaged(kept)
            return True
        for old, proof, note in self.proofs:
            if (note.size, note.root) != (ours.size, ours.root):
                raise Unreadable(f"The proof from {old} to {note.size} does not lead to the export's checkpoint.")
            if old == kept.end and old in roots:
                if not consistent(old, roots[old], ours.size, ours.root, proof):
                    raise self._other_tree(kept, old)
                return True
        return False

    def _other_tree(self, kept: Kept, size: int) -> Broken:
        return Broken(
            "rewritten",
            f"The ledger was rewritten: the tree of the export's checkpoint (size {self.size}) does not begin with "
            f"that of {kept.name} (size {size}). Which entry was changed can be told from a whole export.",
        )


def _damaged(kept: Kept) -> Unreadable:
    return Unreadable(f"{kept.name} is damaged itself: its hashes do not give the root of its own checkpoint.")


def _about(chain: str, seq: int) -> dict[str, str | int]:
    return {"license": chain, "seq": seq}
