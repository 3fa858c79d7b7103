"""Fuzzes the readers of signed messages with atheris: whatever comes in, only named errors come out.

    python bench/fuzz_messages.py [SECONDS]     (60 by default)

What is accepted must say what was signed. Needs atheris, which is no dependency of the project: pip install atheris
"""

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
    from chariot_license.protocol.errors import ProtocolError
    from chariot_license.protocol.license import read_license, sign_license
    from chariot_license.protocol.request import read_request, sign_request

    from tests.protocol import samples

REQUEST, LICENSE = samples.usage_request(), samples.usage_license()
SIGNED_REQUEST = sign_request(REQUEST, samples.INSTANCE_KEY)
SIGNED_LICENSE = sign_license(LICENSE, samples.SIGNING_KEY, samples.certificate())


def one_input(data: bytes) -> None:
    """Read `data` as a Usage Request and as a Usage License."""
    try:
        read_request(data)  # an attacker may sign requests with a key of their own, so any value is fine
    except ProtocolError as error:
        _has_words(error)
    try:
        if read_license(data, samples.ROOTS) != LICENSE:
            raise AssertionError("accepted a license that was never signed")
    except ProtocolError as error:
        _has_words(error)


def _has_words(error: ProtocolError) -> None:
    if not error.code or not error.message:
        raise AssertionError("an error without words") from error


def main() -> None:
    """Run for the time given, from a corpus in a folder of its own."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate((SIGNED_REQUEST, SIGNED_LICENSE)):
            (Path(folder) / f"{number:03d}").write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
