"""The verifier's own pieces, each against the portal's or a published example; and files that are not what they say."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from chariot_ledger_kept import read_kept, read_proof
from chariot_ledger_read import Export, Tree, Unreadable, consistent, inclusion_root, read_key, read_note, signed_by

from activations.domain.merkle import Range, consistency_proof, inclusion_proof
from tests.verifier.conftest import Verify
from tests.verifier.ledger import Files, Ledger, export_text, made, vkey

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "verifier").glob("*.py"))
LEDGER = made(40)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_it_imports_the_standard_library_and_cryptography_alone(module: Path) -> None:
    allowed = {*sys.stdlib_module_names, "cryptography", *(path.stem for path in MODULES)}
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            found.add(str(node.module).partition(".")[0])
    assert found - allowed == set()


def test_the_package_holds_every_module() -> None:
    project = tomllib.loads((ROOT / "verifier/pyproject.toml").read_text())

    assert sorted(project["tool"]["setuptools"]["py-modules"]) == [path.stem for path in MODULES]
    assert project["project"]["scripts"] == {"chariot-ledger-verify": "chariot_ledger_verify:main"}
    assert [name.partition(">")[0] for name in project["project"]["dependencies"]] == ["cryptography"]


def test_it_runs_as_a_program_from_anywhere(files: Files) -> None:
    """Without the environment, so that nothing of the portal is found by chance."""
    command = [sys.executable, "-E", "-s", str(ROOT / "verifier/chariot_ledger_verify.py"), files.export(LEDGER)]
    done = subprocess.run(
        [*command, "--kept", files.write(LEDGER.note(30))],
        check=False, capture_output=True, text=True, cwd=files.folder, env={"LC_ALL": "C"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OK: The 40 entries of licensing.example.com/ledger are what was kept.\nchecked: ")
    assert done.stderr == ""


def test_the_root_of_every_size() -> None:
    tree, ours = Tree(), Range()
    assert tree.root == ours.root
    for leaf in LEDGER.leaves():
        tree.add(leaf)
        ours = ours.grown([leaf])
        assert tree.root == ours.root


def test_proofs_of_every_place_and_size() -> None:
    leaves = LEDGER.leaves()

    def subtree(level: int, index: int) -> bytes:
        return Range().grown(leaves[index << level : (index + 1) << level]).root

    roots = [Range().grown(leaves[:size]).root for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            proof = inclusion_proof(index, size, subtree)
            assert inclusion_root(leaves[index], index, size, proof) == roots[size]
            assert inclusion_root(leaves[index], index, size, [*proof, leaves[0]]) is None
            assert not proof or inclusion_root(leaves[index], index, size, proof[:-1]) is None
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, subtree)
            assert consistent(old, roots[old], size, roots[size], proof)
            assert not consistent(old, roots[old], size, roots[size - 1], proof)
            assert not consistent(old, roots[old - 1], size, roots[size], proof)
            assert not consistent(old, roots[old], size, roots[size], [*proof, leaves[0]])
    assert not consistent(0, roots[0], 4, roots[4], [])


def test_the_key_and_the_note_of_the_published_format() -> None:
    """C2SP signed-note.md, and the test of golang.org/x/mod/sumdb/note."""
    key = read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    note = read_note(LEDGER.note(), "it")
    signed = type(note)("", 0, b"", text, (("PeterNeumann", base64.b64decode(signature)),))

    assert signed_by(signed, [key]) is True
    assert signed_by(type(note)("", 0, b"", text + "?", signed.signatures), [key]) is False
    assert signed_by(note, [key]) is None
    assert signed_by(note, [read_key(vkey())]) is True


@pytest.mark.parametrize(
    "text",
    ["", "x", "a+b+c", vkey()[:-4], vkey().replace("ledger", "ledges"), vkey().replace("+AQ", "+Ag"), f"{vkey()}A"],
)
def test_a_mistyped_key(files: Files, verify: Verify, text: str) -> None:
    answer = verify(files.export(LEDGER), key=[text])

    assert (answer["exit_code"], answer["verdict"]) == (2, "unreadable")
    assert "verifier key" in answer["message"]


@pytest.mark.parametrize(
    "change",
    [
        lambda note: "",
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\n40\n", "\n040\n"),
        lambda note: note.replace("\n40\n", "\n-1\n"),
        lambda note: note.replace("—", "-"),
        lambda note: note.replace("=\n\n", "\n\n"),
        lambda note: note.replace("\n40\n", "\n40\nAAAA\n").replace("40\nAAAA\n", "40\n"[::-1]),
    ],
)
def test_what_is_no_checkpoint(files: Files, verify: Verify, change: object) -> None:
    answer = verify(files.export(LEDGER), kept=[files.write(change(LEDGER.note()))])  # type: ignore[operator]

    assert answer["exit_code"] == 2
    assert "is not a signed checkpoint" in answer["message"]


def test_a_checkpoint_as_a_mail_program_saves_it(files: Files, verify: Verify) -> None:
    file = Path(files.write(""))
    file.write_bytes(LEDGER.note(30).replace("\n", "\r\n").encode() + b"\r\n\r\n")

    assert verify(files.export(LEDGER), kept=[str(file)], key=[vkey()])["exit_code"] == 0


def lines() -> list[str]:
    return export_text(LEDGER).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cut off in line 1"),
        ("{}\n", "is no export of the ledger"),
        ("[]\n", "line 1 is unreadable"),
        ("\x00\n", "line 1 is unreadable"),
        ("".join(lines()[:-1]), "cut off in line 42"),
        ("".join(lines())[:-1], "cut off in line 42"),
        ("".join(lines()[:20]), "cut off in line 21"),
        ("".join(lines()) + "x\n", "goes on after its end line"),
        ("".join([*lines()[:5], "x\n", *lines()[6:]]), "line 6 is unreadable"),
        ("".join([*lines()[:5], "{}\n", *lines()[6:]]), "line 6 is not an entry"),
        ("".join([*lines()[:5], '{"index": true, "hash": "", "body": ""}\n', *lines()[6:]]), "line 6 is not an entry"),
        ("".join([*lines()[:5], '{"index": 4, "hash": 1, "body": ""}\n', *lines()[6:]]), "line 6 is not an entry"),
        ("".join([*lines()[:5], "[" * 100_000 + "\n", *lines()[6:]]), "line 6 is unreadable"),
        ("".join([*lines()[:-1], '{"end": 39}\n']), "says 39 entries; it has 40"),
    ],
)
def test_a_file_that_is_no_whole_export(files: Files, verify: Verify, text: str, said: str) -> None:
    answer = verify(files.write(text))

    assert answer["exit_code"] == 2
    assert said in answer["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body": "x"}, "its content is not JSON"),
        ({"body": "[" * 100_000}, "its content is not JSON"),
        ({"body": "{}"}, "not that of a ledger entry"),
        ({"body": "\ud800"}, "its content is not JSON"),
        ({"body": None}, "its content is not what its hash was made of"),
        ({"body": ("}", " }")}, "is not written as the ledger writes"),
        ({"body": ('"seq":', '"seq":1,"seq":')}, "is not written as the ledger writes"),
        ({"body": ('"v":1', '"v":2')}, "is not written as the ledger writes"),
        ({"body": ('"v":1', '"v":1.0')}, "its content is not JSON"),
        ({"body": ('"v":1', '"v":true')}, "not that of a ledger entry"),
    ],
)
def test_an_entry_that_is_none(files: Files, verify: Verify, change: dict[str, object], said: str) -> None:
    body = LEDGER.bodies[7]
    match change["body"]:
        case (str(old), str(new)):
            forged = LEDGER.put(7, body.replace(old, new), instead=1)
        case str(text):
            forged = LEDGER.put(7, text, instead=1)
        case _:
            forged = LEDGER
    found = forged.lines()
    if change["body"] is None:
        found[7]["hash"] = found[8]["hash"]

    answer = verify(files.export(forged, lines=found))

    assert (answer["exit_code"], answer["first"]["what"], answer["first"]["index"]) == (1, "changed", 7)
    assert said in answer["message"]


def test_files_that_are_not_there(files: Files, verify: Verify) -> None:
    export = files.export(LEDGER)
    assert verify("/no/such/file")["exit_code"] == 2
    assert verify(str(files.folder))["exit_code"] == 2
    assert "pipe" in verify("/dev/null")["message"]
    assert verify(export, kept=["/no/such/file"])["exit_code"] == 2
    assert verify(export, proof=["/no/such/file"])["exit_code"] == 2
    assert verify(export, proof=[export])["exit_code"] == 2


def test_a_file_of_leaf_hashes(files: Files) -> None:
    [kept] = read_kept(Path(files.leaves(LEDGER, 10, 20, LEDGER.note(20))))
    assert [(index, leaf) for index, leaf, _ in kept.leaves()] == list(enumerate(LEDGER.leaves()))[10:20]
    assert ([note.size for note in kept.notes], kept.end) == ([20], 20)
    assert [leaf for _, leaf, _ in read_kept(Path(files.leaves(LEDGER, 5, 5)))[0].leaves()] == []
    whole = Path(files.leaves(LEDGER, 10, 20)).read_text()
    for text in (whole.replace(" 20", " 21"), whole.replace(" 20", ""), whole.replace("=", "", 1), whole[:-3]):
        with pytest.raises(Unreadable, match=r"leaf hashes|signed checkpoint"):
            read_kept(Path(files.write(text)))


def test_the_folder_of_a_witness(files: Files) -> None:
    ledger = Ledger(made(700).bodies)
    folder = Path(files.witness(ledger, 100, 700, partial=(100, 600)))

    [kept] = read_kept(folder)

    assert [leaf for _, leaf, _ in kept.leaves()] == ledger.leaves()
    assert sorted(note.size for note in kept.notes) == [100, 700, 700]
    assert kept.sound()
    (folder / "tile/0/002.p/188").write_bytes(b"short")
    with pytest.raises(Unreadable, match="not a whole tile"):
        list(kept.leaves())


def test_tiles_beyond_a_thousand(tmp_path: Path) -> None:
    folder = tmp_path / "tile/0"
    for number in range(1003):
        name = f"{number:03}" if number < 1000 else f"x001/{number % 1000:03}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(number.to_bytes(32) * 256)

    [kept] = read_kept(tmp_path)

    assert kept.end == 1003 * 256
    assert [leaf for index, leaf, _ in kept.leaves() if index % 256 == 255] == [n.to_bytes(32) for n in range(1003)]


def test_a_folder_of_kept_files(files: Files, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    inner = Files(folder)
    inner.write(LEDGER.note(20))
    inner.leaves(LEDGER, 0, 20)
    inner.export(LEDGER)

    assert [kept.name.rsplit(" ", 1)[0] for kept in read_kept(folder)] == [
        "your checkpoint", "your leaf hashes", "your earlier export",
    ]  # fmt: skip


def test_kept_hashes_that_are_damaged_are_no_alarm(files: Files, verify: Verify) -> None:
    folder = Path(files.witness(LEDGER, 30))
    tile = folder / "tile/0/000.p/30"
    tile.write_bytes(tile.read_bytes()[:320] + bytes(32) + tile.read_bytes()[352:])

    answer = verify(files.export(LEDGER), kept=[str(folder)])

    assert answer["exit_code"] == 2
    assert "is damaged itself" in answer["message"]


def test_a_proof_file(files: Files) -> None:
    line = base64.b64encode(bytes(32)).decode()
    old, proof, note = read_proof(Path(files.write(f"old 12\n{line}\n{line}\n\n{LEDGER.note()}")))
    assert (old, proof, note.size) == (12, [bytes(32)] * 2, 40)
    for text in (f"new 12\n{line}\n\n{LEDGER.note()}", f"old 12\nAA==\n\n{LEDGER.note()}", f"old 12\n{line}\n"):
        with pytest.raises(Unreadable):
            read_proof(Path(files.write(text)))


def test_the_header_says_what_it_says(files: Files) -> None:
    export = Export(Path(files.export(LEDGER, filter={"license": "LIC-AAAA-0001"}, lines=LEDGER.lines([]))))
    assert (export.note.size, export.filter, export.unbroken) == (40, {"license": "LIC-AAAA-0001"}, True)
    assert list(export.entries()) == []
    text = json.loads(export_text(LEDGER).splitlines()[0])
    assert set(text) == {"export", "origin", "checkpoint", "filter", "entries", "made_at", "by"}
