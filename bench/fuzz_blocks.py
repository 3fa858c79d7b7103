"""Fuzzes the reader of text blocks with atheris: whatever comes in, only named errors come out.

    python bench/fuzz_blocks.py [SECONDS]     (60 by default)

The seeds are blocks, mails and QR texts; what is found must be one of the blocks that were written, byte for
byte. Needs atheris, which is no dependency of the project: pip install atheris
"""

import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

try:
    import atheris
except ImportError:
    sys.exit("This needs atheris, a fuzzer for CPython on Linux: pip install atheris")

with atheris.instrument_imports(include=["chariot_license"]):
    from chariot_license.protocol.block import FoundBlock, Kind, write_block
    from chariot_license.protocol.errors import BlockError
    from chariot_license.protocol.qr_text import make_payload
    from chariot_license.protocol.reader import find_blocks, read_block

    from tests.protocol.damage_by_mail import KINDS

RNG = random.Random(1)
CONTENTS = [(kind, RNG.randbytes(size)) for kind in Kind for size in (0, 20, 100, 366)]


def seeds() -> list[bytes]:
    """Return whole blocks, one of each kind of damage, and QR texts."""
    sources: list[str | bytes] = [write_block(*content) for content in CONTENTS]
    sources += [make_payload(*content) for content in CONTENTS]
    sources += [one.apply(RNG, write_block(*CONTENTS[-1])) for one in KINDS.values()]
    return [source if isinstance(source, bytes) else source.encode("utf-8", "replace") for source in sources]


def one_input(data: bytes) -> None:
    """Read `data` as bytes and as text."""
    text = data.decode("utf-8", "surrogateescape")
    for source in (data, text):
        for block in find_blocks(source):
            if isinstance(block, FoundBlock) and (block.kind, block.data) not in CONTENTS:
                raise AssertionError(f"read what was never written: {block}")
        for kind in Kind:
            try:
                read_block(source, kind)
            except BlockError as error:
                if not error.code or not error.message:
                    raise AssertionError("an error without words") from error


def main() -> None:
    """Run for the time given, from a corpus in a folder of its own."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / f"{number:03d}").write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=8192", "-timeout=10", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
