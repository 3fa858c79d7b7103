"""License Keys and deactivation codes in any text: found however they are grouped, and nothing else taken for one."""

from __future__ import annotations

import base64
import json
import random
import textwrap
from collections.abc import Callable
from email.header import Header
from pathlib import Path
from urllib.parse import quote

import pytest
from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code

from activations.services.mail_text import everything_in
from activations.services.secret_text import CODE, KEY, UNSEARCHED, secret_in, secret_in_bytes, without_secrets

LICENSE_KEY = LicenseKey(seed=b"seed-012", secret=b"secret-012345678").text
LETTERS = LICENSE_KEY.replace("-", "")
DEACTIVATION = format_deactivation_code(b"0123456789abcdef")
VECTORS = Path(__file__).resolve().parents[2] / "docs" / "vectors"


def grouped(letters: str, size: int, between: str) -> str:
    return between.join(textwrap.wrap(letters, size))


@pytest.mark.parametrize("between", [" ", ".", "\n", "\r\n> ", " - "])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 14, 21, 42])
def test_a_key_in_any_groups_is_blacked_out(size: int, between: str) -> None:
    text = f"The key is: {grouped(LETTERS, size, between)} thanks"
    assert secret_in(text) == KEY
    assert without_secrets(text) == "The key is: [License Key] thanks"


@pytest.mark.parametrize("between", [" ", ".", "\n"])
@pytest.mark.parametrize("size", [*range(1, 15), 28])
def test_a_code_in_other_groups_is_blacked_out(size: int, between: str) -> None:
    text = f"The code is: {grouped(DEACTIVATION.replace('-', ''), size, between)} thanks"
    assert secret_in(text) == CODE
    assert without_secrets(text) == "The code is: [deactivation code] thanks"


@pytest.mark.parametrize(
    "written",
    [
        LICENSE_KEY.replace("0", "O").replace("1", "l"),
        LICENSE_KEY.translate(
            dict(zip(map(ord, "AKCEHMTXP"), "\u0410\u041a\u0421\u0415\u041d\u041c\u0422\u0425\u0420", strict=True))
        ),
        f"{LICENSE_KEY[:20]}\n> {LICENSE_KEY[20:]}",
        f"{LICENSE_KEY[:20]}=\n{LICENSE_KEY[20:]}",
        LICENSE_KEY.replace("-", "=2D"),
        LICENSE_KEY.replace("-", "\u200b-"),
        "<td>" + LICENSE_KEY.replace("-", "</td><td>") + "</td>",
    ],
)
def test_a_key_as_mail_programs_and_keyboards_leave_it(written: str) -> None:
    assert secret_in(f"Our key: {written}.") == KEY
    masked = without_secrets(f"Our key: {written}.")
    assert "License Key]" in masked
    assert secret_in(masked) == ""
    assert LICENSE_KEY[7:13] not in masked


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_encoded_parts_of_a_mail_are_cut_out(encoding: str) -> None:
    body = base64.encodebytes(f"Dear Support, the key is {LICENSE_KEY}, thanks.".encode(encoding)).decode()
    subject = Header(f"Key {LICENSE_KEY} \u00fc", "utf-8").encode()
    text = f"Subject: {subject}\nContent-Transfer-Encoding: base64\n\n{body}\n-- \nPlant"
    masked = without_secrets(text)
    assert masked.count("[encoded text with a License Key]") == 2
    assert masked.endswith("-- \nPlant")
    assert secret_in(text) == KEY
    assert secret_in(masked) == ""


def views(block: str) -> list[str]:
    """A block as it stands, wrapped at odd widths, in lower case, quoted, and in one line."""
    wrapped = ["\n".join(textwrap.fill(line, width) for line in block.splitlines()) for width in (28, 42, 47)]
    hard = "\n".join(block[at : at + 31] for at in range(0, len(block), 31))
    return [block, *wrapped, hard, block.lower(), block.replace("\n", "\n> "), block.replace("\n", " ")]


def test_no_usage_request_is_ever_blacked_out() -> None:
    """Five hundred blocks in eight shapes each, and every block of the golden vectors."""
    chance = random.Random(7)
    blocks = [write_block(Kind.REQUEST, chance.randbytes(366)) for _ in range(500)]
    for path in VECTORS.glob("*.json"):
        blocks += [text for text in strings(json.loads(path.read_text())) if "CHARIOT USAGE" in text]
    assert len(blocks) > 500
    for block in blocks:
        for shape in views(block):
            assert without_secrets(shape) == shape
            assert secret_in(shape) == ""


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings(one)]


@pytest.mark.parametrize("read", [lambda data: data, lambda data: data.decode("latin-1").encode("utf-16-le")])
def test_a_key_in_the_middle_of_any_file(read: Callable[[bytes], bytes]) -> None:
    noise = random.Random(3).randbytes(200_000)
    assert secret_in_bytes(noise) == ""
    assert secret_in_bytes(noise + read(LICENSE_KEY.encode() + b"\n") + noise) == KEY
    assert secret_in_bytes(noise + read(DEACTIVATION.encode() + b"\n") + noise) == CODE


def test_a_mail_of_too_many_parts_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="more parts"):
        list(everything_in(b"Subject: x\n\n" + b"--b\n" * 1000))


@pytest.mark.parametrize("before", [0, 49, 50, 120])
def test_a_long_row_of_encoded_words_is_searched_to_its_end(before: int) -> None:
    word = f"=?utf-8?b?{base64.b64encode(LICENSE_KEY.encode()).decode()}?="
    assert secret_in("=?utf-8?q?abc?= " * before + word) == KEY


def mistyped(code: str) -> list[str]:
    """The code with another letter in each group in turn, and with two neighbours of each group swapped."""
    groups = code.split("-")
    wrong = [
        "-".join([*groups[:at], changed, *groups[at + 1 :]])
        for at, group in enumerate(groups)
        for changed in (
            group[:-1] + ("7" if group[-1] != "7" else "8"),
            group[:-2] + group[-1] + group[-2],
            group[:-1] + "U",
        )
    ]
    return [one for one in wrong if one != code]


@pytest.mark.parametrize("between", ["-", " ", " - ", "%2D", "\\u002d", "&nbsp;"])
@pytest.mark.parametrize(
    ("code", "kind", "name"), [(LICENSE_KEY, KEY, "License Key"), (DEACTIVATION, CODE, "deactivation code")]
)
def test_a_secret_with_a_typing_mistake_is_found_and_blacked_out(code: str, kind: str, name: str, between: str) -> None:
    for wrong in mistyped(code):
        text = f"They say that {wrong.replace('-', between)} fails."
        assert secret_in(text) == kind, text
        masked = without_secrets(text)
        assert f"[{name}]" in masked or masked == f"[This text holds a {name} and is not kept.]"
        assert wrong[7:11] not in masked


def test_words_before_a_mistyped_code_do_not_hide_it() -> None:
    wrong = mistyped(DEACTIVATION)[0]
    text = f"code will free your seat {wrong} today"
    assert secret_in(text) == CODE
    assert without_secrets(text) == "code [deactivation code] today"


@pytest.mark.parametrize("code", [LICENSE_KEY, DEACTIVATION])
@pytest.mark.parametrize(
    "escaped",
    [
        lambda code: code.replace("-", "%2D"),
        lambda code: code.replace("-", "%2d"),
        lambda code: code.replace("-", "%20"),
        lambda code: code.replace("-", "%252D"),
        lambda code: code.replace("-", "%0D%0A"),
        lambda code: code.replace("-", "\\u002d"),
        lambda code: code.replace("-", "\\x2D"),
        lambda code: code.replace("-", "\\n"),
        lambda code: code.replace("-", "\\055"),
        lambda code: code.replace("-", "\\u{2d}"),
        lambda code: code.replace("-", "%u002D"),
        lambda code: "".join(f"%{ord(letter):02X}" for letter in code),
        lambda code: "".join(f"\\u{ord(letter):04x}" for letter in code),
        lambda code: quote(code.replace("-", "\u2011")),
        lambda code: quote(code.replace("A", "\u0410").replace("C", "\u0421")),
        lambda code: quote(code.replace("-", "\u00b7"), encoding="latin-1"),
        lambda code: f"key%3D{code}",
    ],
)
def test_a_secret_in_a_link_is_cut_out_of_it(code: str, escaped: Callable[[str], str]) -> None:
    name = "License Key" if code == LICENSE_KEY else "deactivation code"
    text = f"See https://x.example/?a=%41&k={escaped(code)}&b=%42 or ask."
    assert secret_in(text) == (KEY if code == LICENSE_KEY else CODE)
    masked = without_secrets(text)
    assert masked.startswith("See https://x.example/?a=%41&k=")
    assert masked.endswith(f"[{name}]&b=%42 or ask.")
    assert secret_in(masked) == ""


@pytest.mark.parametrize("code", [LICENSE_KEY, DEACTIVATION])
@pytest.mark.parametrize(
    "written",
    [
        lambda code: f"\\n{code}\\n",
        lambda code: f"\\r\\n\\t{code}",
        lambda code: f"Key{code}",
        lambda code: f"{code}Thanks",
        lambda code: "".join(f"{letter}\u0332" for letter in code),
        lambda code: "".join(f"{letter}\ufe0f\u20e3" if letter.isdigit() else letter for letter in code),
        lambda code: "".join(chr(0x660 + int(letter)) if letter.isdigit() else letter for letter in code),
    ],
)
def test_a_secret_that_something_touches_is_found(code: str, written: Callable[[str], str]) -> None:
    text = f'{{"text": "It is:{written(code)}"}}'
    assert secret_in(text) == (KEY if code == LICENSE_KEY else CODE)
    masked = without_secrets(text)
    assert masked.startswith('{"text": "It is:')
    assert secret_in(masked) == ""


def test_network_addresses_of_single_digits_and_pairs_are_no_codes() -> None:
    chance = random.Random(4)
    for _ in range(20_000):
        row = ":".join(f"{byte:02X}" for byte in chance.randbytes(14))
        assert secret_in(row) == ""


@pytest.mark.parametrize(
    "junk", ["%", "%41", "%4B%20", "%25", "\\u004b ", "%E2%80%91K", f"%20{'K' * 98}", f"\u041a%2D{'K1' * 49}"]
)
def test_a_key_behind_a_megabyte_of_escapes_is_kept_by_nobody(junk: str) -> None:
    """Found, or said to be more than is searched; how long it takes: `python -m bench.secret_search`."""
    text = f"{(junk * 1_000_000)[:1_000_000]} {LICENSE_KEY}"
    assert secret_in(text) in (KEY, UNSEARCHED)
    assert LICENSE_KEY not in without_secrets(text)
