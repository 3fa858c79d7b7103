"""A folder as a witness: laid out as C2SP tlog-tiles, in `checkpoints/` one file for each checkpoint ever sent, and in
`keys/` one for each key that signed them.

Every file but `checkpoint` is written once and never again. A file appears whole or not at all, and is on disk before
`checkpoint` names a tree that needs it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from activations.domain.checkpoint import Checkpoint, read_note
from activations.domain.tiles import tiles_of
from activations.models import LedgerCheckpoint
from activations.services.tiles import Tree
from activations.services.witnessing.keys import key_of
from activations.services.witnessing.outcomes import Failed, Kept, contradiction

NEWEST, EACH, KEYS, PART = "checkpoint", "checkpoints", "keys", ".part-"


class _OtherContentError(Exception):
    """A file that we would write is there and holds something else."""


def keep(folder: Path, checkpoint: LedgerCheckpoint) -> Kept | Failed:
    """Brings the folder up to the checkpoint, or leaves it as it is and says why."""
    if not folder.is_dir():
        return Failed(f"There is no folder {folder}. Mount it or make it, and let the portal write to it.")
    try:
        return _keep(folder, checkpoint)
    except _OtherContentError as error:
        return contradiction(f"{error} in {folder} holds something else than the ledger has now.")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Failed(f"The folder {folder} cannot be read or written: {why}. Check its disk and permissions.")


def _keep(folder: Path, checkpoint: LedgerCheckpoint) -> Kept | Failed:
    tree, ours = Tree(), read_note(checkpoint.note)[0]
    kept = _kept(folder)
    wrong = kept if isinstance(kept, str) else _contradicts(kept, ours, tree)
    if wrong:
        return contradiction(f"The folder {folder} keeps {wrong}.")
    for left in folder.glob(f"{PART}*"):  # of a process that was killed
        left.unlink(missing_ok=True)
    since = kept.size if isinstance(kept, Checkpoint) else 0
    for tile in tiles_of(ours.size, since=since):
        _put(folder, tile.path, tree.tile(tile))
    key = key_of(checkpoint)
    if key is not None:
        _put(folder, f"{KEYS}/{key.id.hex()}", f"{key}\n".encode())
    note = checkpoint.note.encode()
    _put(folder, f"{EACH}/{ours.size}", note)
    _replace(folder, NEWEST, note)
    return Kept(leaves=ours.size)


def _kept(folder: Path) -> Checkpoint | str | None:
    """The checkpoint that the folder has, none if it is new, or what is wrong with it."""
    try:
        return read_note((folder / NEWEST).read_bytes().decode())[0]
    except FileNotFoundError:
        return None
    except ValueError as error:
        return f"a checkpoint that cannot be read ({error})"


def _contradicts(kept: Checkpoint | None, ours: Checkpoint, tree: Tree) -> str:
    if kept is None:
        return ""
    if kept.origin != ours.origin:
        return f"checkpoints of another ledger, {kept.origin}, and not of {ours.origin}"
    if kept.size > ours.size:
        return f"a checkpoint of {kept.size} entries, and the ledger's newest has {ours.size}"
    if tree.root(kept.size) != kept.root:
        return f"a checkpoint of {kept.size} entries with another root than those entries have now"
    return ""


def _put(folder: Path, name: str, content: bytes) -> None:
    """Makes a file, unless it is there with this content. Raises _OtherContentError, and then nothing is changed."""
    path = folder / name
    if not path.exists():
        _folder_for(folder, path)
        part = _part(folder, content)
        try:
            _name_it(part, path)
        finally:
            part.unlink(missing_ok=True)
        _sync(path.parent)
    if path.read_bytes() != content:
        raise _OtherContentError(name)


def _name_it(part: Path, path: Path) -> None:
    """Gives a written file its name, and never takes the name from another."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return
    except OSError:  # a file system that knows no links
        if not path.exists():
            part.rename(path)


def _replace(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    _part(folder, content).replace(path)
    _sync(folder)


def _part(folder: Path, content: bytes) -> Path:
    """The content in a file of its own, on disk. Parts lie in the folder itself, where the next run clears them up."""
    part = folder / f"{PART}{secrets.token_hex(8)}"
    with part.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return part


def _folder_for(folder: Path, path: Path) -> None:
    for parent in reversed(path.parents):
        if folder in parent.parents and not parent.is_dir():
            parent.mkdir(exist_ok=True)
            _sync(parent.parent)


def _sync(folder: Path) -> None:
    """A new name is on disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot, and do it by themselves
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
