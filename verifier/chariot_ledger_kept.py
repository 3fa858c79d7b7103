"""Reads what an auditor kept: checkpoints, leaf hashes, earlier exports, the folder of a witness; and proofs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chariot_ledger_read import Entry, Export, Note, Tree, Unreadable, hashes, read_note

LEAVES = "chariot-ledger-leaves-1"
TILE = 256  # leaf hashes of a full tile (C2SP tlog-tiles)
Leaf = tuple[int, bytes, Entry | None]  # index, leaf hash, and the entry itself where it was kept


@dataclass(frozen=True)
class Kept:
    """One kept thing: its checkpoints, and the leaf hashes it holds, in order of index.

    `end` is the number of entries it knows of, from the first one on; `made_at` is known of exports alone.
    """

    name: str
    notes: tuple[Note, ...]
    end: int
    leaves: Callable[[], Iterable[Leaf]] = tuple
    made_at: str = ""

    def roots(self, sizes: Iterable[int]) -> dict[int, bytes]:
        """The roots of the trees of these sizes, by its leaf hashes, as far as they go without a gap."""
        wanted, tree, found = set(sizes), Tree(), dict[int, bytes]()
        for index, leaf, _ in self.leaves():
            if index != tree.size:
                break
            tree.add(leaf)
            if tree.size in wanted:
                found[tree.size] = tree.root
        return found

    def sound(self) -> bool:
        """Whether its leaf hashes give the roots of its own checkpoints, as far as it holds both."""
        roots = self.roots(note.size for note in self.notes)
        return all(roots.get(note.size, note.root) == note.root for note in self.notes)


def read_kept(path: Path) -> list[Kept]:
    """A checkpoint, a file of leaf hashes, an earlier export, the folder of a witness, or a folder of such files."""
    try:
        if path.is_dir():
            if (path / "tile").is_dir() or (path / "checkpoint").is_file():
                return [_folder(path)]
            return [kept for file in sorted(path.iterdir()) if file.is_file() for kept in read_kept(file)]
        with path.open("rb") as file:
            start = file.read(len(LEAVES))
        if start[:1] == b"{":
            return [_earlier(Export(path))]
        if start == LEAVES.encode():
            return [_leaves_file(path)]
        note = read_note(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path} is neither a checkpoint nor an export nor a file of leaf hashes.") from None
    return [Kept(f"your checkpoint {path.name}", (note,), note.size)]


def _earlier(export: Export) -> Kept:
    def leaves() -> Iterator[Leaf]:
        return ((entry.index, entry.leaf, entry) for entry in export.entries())

    name = f"your earlier export {export.path.name}"
    return Kept(name, (export.note,), export.note.size, leaves, export.made_at)


def _leaves_file(path: Path) -> Kept:
    lines = path.read_text("utf-8").splitlines()
    try:
        begin, end = (int(number) for number in lines[0].split(" ")[1:])
        found = hashes(lines[1 : 1 + end - begin])
        if begin < 0 or len(found) != end - begin:
            raise ValueError("too few hashes")
    except ValueError:
        raise Unreadable(f"{path} is not a whole file of leaf hashes ({LEAVES} FROM TO).") from None
    rest = "\n".join(lines[1 + end - begin :]).strip("\n")
    notes = (read_note(rest, f"The checkpoint in {path}"),) if rest else ()
    leaves = [(begin + place, leaf, None) for place, leaf in enumerate(found)]
    covers = max([end, *(note.size for note in notes)])  # the hashes may stop short of the checkpoint they come with
    return Kept(f"your leaf hashes {path.name}", notes, covers, lambda: leaves)


def _folder(path: Path) -> Kept:
    """Laid out as C2SP tlog-tiles, with every checkpoint that was ever sent under `checkpoints`."""
    files = [path / "checkpoint", *sorted((path / "checkpoints").glob("*"))]
    notes = tuple(read_note(file.read_text("utf-8"), str(file)) for file in files if file.is_file())
    end = max([note.size for note in notes], default=0) or sum(1 for _ in _tiles(path))
    return Kept(f"your folder {path.name}", notes, end, lambda: _tiles(path))


def _tiles(path: Path) -> Iterator[Leaf]:
    """Level 0 alone: full tiles, then the widest partial one."""
    for number in range(10**15):
        digits = str(number)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        tile = path.joinpath("tile", "0", *(f"x{group}" for group in groups[:-1]), groups[-1])
        width, file = TILE, tile
        if not tile.is_file():
            partial = [(int(file.name), file) for file in Path(f"{tile}.p").glob("*") if file.name.isdigit()]
            width, file = max(partial, default=(0, tile))
        data = file.read_bytes() if width else b""
        if len(data) != width * 32:
            raise Unreadable(f"{file} is not a whole tile of {width} hashes.")
        yield from ((number * TILE + at, data[32 * at : 32 * at + 32], None) for at in range(width))
        if width < TILE:
            return


def read_proof(path: Path) -> tuple[int, list[bytes], Note]:
    """A consistency proof: `old N`, hashes in base64, an empty line, the newer checkpoint (C2SP tlog-witness)."""
    try:
        head, _, note = path.read_text("utf-8").replace("\r\n", "\n").partition("\n\n")
        old, *proof = head.split("\n")
        if not re.fullmatch("old (0|[1-9][0-9]{0,18})", old):
            raise ValueError("no old size")
        return int(old[4:]), hashes(proof), read_note(note, f"The checkpoint in {path}")
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise Unreadable(f"{path} is no consistency proof.") from None
