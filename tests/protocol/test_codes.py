"""License ID, License Key, deactivation code: how they are written, read, and told from each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from chariot_license.protocol import base32
from chariot_license.protocol.clean import MAX_SOURCE
from chariot_license.protocol.codes import (
    MAX_CANDIDATES,
    PUBLIC_IDS,
    LicenseKey,
    commitment,
    find_codes,
    format_deactivation_code,
    format_public_id,
    parse_deactivation_code,
    parse_public_id,
)
from chariot_license.protocol.errors import CodeError, ProtocolError
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.samples import LICENSE_KEY, some_bytes

LICENSE_ID = format_public_id("LIC", some_bytes("lic", 10))
CODE = format_deactivation_code(some_bytes("deactivation", 16))
LETTERS = st.text(alphabet=base32.ALPHABET, min_size=1, max_size=45)


@given(st.binary(max_size=60))
def test_base32_gives_back_the_bytes(data: bytes) -> None:
    text = base32.encode(data)
    assert len(text) == -(-len(data) * 8 // 5)
    assert base32.decode(text, len(data)) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\x00", "00"), (b"\xff", "ZW"), (b"foobar", "CSQPYRK1E8"), (bytes(range(5)), "000G40R4")],
)
def test_base32_vectors(data: bytes, text: str) -> None:
    assert base32.encode(data) == text


@pytest.mark.parametrize(
    ("text", "length", "code"),
    [
        ("ZU", 1, "base32-character"),
        ("Z", 1, "base32-length"),
        ("ZWZ", 1, "base32-length"),
        ("ZZ", 1, "base32-padding"),
    ],
)
def test_base32_refuses(text: str, length: int, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        base32.decode(text, length)
    assert caught.value.code == code


def test_normalise_takes_what_mail_programs_and_people_make_of_a_code() -> None:
    assert base32.normalise(" \uff4c\uff49\uff43-7o2m\u00a0>9\u200bq\u00ad4t_“x.y”\u202e") == "11C702M9Q4TXY"


@given(LETTERS, st.integers(0, 44), st.sampled_from(base32.ALPHABET), st.sampled_from([1, 2]))
def test_any_wrong_character_is_noticed(data: str, place: int, letter: str, count: int) -> None:
    place %= len(data)
    changed = data[:place] + letter + data[place + 1 :]
    same = base32.check_characters("LABEL", changed, count) == base32.check_characters("LABEL", data, count)
    assert same == (changed == data)


@given(LETTERS, st.integers(0, 45), st.sampled_from([1, 2]))
def test_two_neighbours_swapped_are_noticed_check_characters_included(data: str, place: int, count: int) -> None:
    whole = data + base32.check_characters("LABEL", data, count)
    place %= len(whole) - 1
    swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    fits = base32.check_characters("LABEL", swapped[:-count], count) == swapped[-count:]
    assert fits == (swapped == whole)


def test_two_wrong_characters_close_together_are_noticed() -> None:
    data = base32.encode(some_bytes("two errors", 25))
    right = base32.check_characters("LABEL", data, 2)
    for first in range(len(data)):
        for second in range(first + 1, min(first + 33, len(data))):
            for a, b in ((1, 1), (1, 31), (7, 19)):
                letters = list(data)
                letters[first] = base32.ALPHABET[base32.VALUES[letters[first]] ^ a]
                letters[second] = base32.ALPHABET[base32.VALUES[letters[second]] ^ b]
                assert base32.check_characters("LABEL", "".join(letters), 2) != right


@pytest.mark.parametrize(
    ("label", "data", "count", "check"),
    [("", "", 1, "2"), ("", "", 2, "13"), ("LIC", "0000000000000000", 1, "C"), ("05", "7K2M9Q4T", 2, "FT")],
)
def test_check_character_vectors(label: str, data: str, count: int, check: str) -> None:
    assert base32.check_characters(label, data, count) == check


def _remainder(symbols: list[int], divisor: list[int]) -> list[int]:
    """Schoolbook division of polynomials over GF(32), by a multiplication table built from powers of 2."""
    powers = [1]
    for _ in range(30):
        doubled = powers[-1] * 2
        powers.append(doubled ^ 0b100101 if doubled > 31 else doubled)
    log = {value: exponent for exponent, value in enumerate(powers)}
    left = symbols + [0] * (len(divisor) - 1)
    for place in range(len(symbols)):
        factor = left[place]
        for offset, coefficient in enumerate(divisor):
            if factor and coefficient:
                left[place + offset] ^= powers[(log[factor] + log[coefficient]) % 31]
    return left[len(symbols) :]


@given(st.text(max_size=12), st.text(alphabet=base32.ALPHABET, max_size=60))
def test_check_characters_are_the_remainder_that_the_document_says(label: str, data: str) -> None:
    symbols = [1, *(half for byte in label.encode() for half in (byte >> 5, byte & 31))]
    symbols += [base32.ALPHABET.index(letter) for letter in data]
    for count, divisor in ((1, [1, 2]), (2, [1, 1, 3])):
        expected = "".join(base32.ALPHABET[value] for value in _remainder(symbols, divisor))
        assert base32.check_characters(label, data, count) == expected


def test_the_label_counts() -> None:
    lines = [base32.check_characters(f"{number:02}", "7K2M9Q4T", 2) for number in range(100)]
    assert len(set(lines)) == 100


@pytest.mark.parametrize("prefix", PUBLIC_IDS)
@given(value=st.binary(min_size=10, max_size=10))
def test_public_ids_come_back_canonical(prefix: str, value: bytes) -> None:
    text = format_public_id(prefix, value)
    assert len(text) == 25
    assert text.startswith(f"{prefix}-")
    for typed in (text, text.lower(), text.replace("-", " "), text.replace("-", ""), text[4:], f"  {text}.\n"):
        assert parse_public_id(prefix, typed) == text


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (LICENSE_ID[:5] + "U" + LICENSE_ID[6:], "license-id-typo"),
        (LICENSE_ID[:5] + LICENSE_ID[6] + LICENSE_ID[5] + LICENSE_ID[7:], "license-id-typo"),
        (LICENSE_ID[:-1] + base32.ALPHABET[base32.VALUES[LICENSE_ID[-1]] ^ 1], "license-id-typo"),
        (LICENSE_ID[:-1], "license-id-length"),
        (LICENSE_ID + "0", "license-id-length"),
        ("", "license-id-length"),
        (CODE, "license-id-length"),
        (format_public_id("ACT", some_bytes("act", 10)), "license-id-other-kind"),
        (format_public_id("ACT", some_bytes("lic", 10))[4:], "license-id-typo"),
    ],
)
def test_wrong_license_ids_are_named(typed: str, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        parse_public_id("LIC", typed)
    assert caught.value.code == code
    assert caught.value.message == str(caught.value)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16))
def test_license_keys_come_back(seed: bytes, secret: bytes) -> None:
    key = LicenseKey(seed, secret)
    assert [len(group) for group in key.text.split("-")] == [6] * 7
    assert key.text[0] == "K"
    assert LicenseKey.parse(key.text.lower().replace("-", "  ")) == key


def test_a_license_key_does_not_show_itself() -> None:
    assert repr(LICENSE_KEY) == "LicenseKey()"
    assert "K" not in repr(find_codes(LICENSE_KEY.text)).replace("FoundCodes", "")


def test_replacing_the_secret_keeps_the_salt_alone() -> None:
    other = LicenseKey(LICENSE_KEY.seed, some_bytes("new secret", 16))
    assert other.salt == LICENSE_KEY.salt
    derived = [key for one in (LICENSE_KEY, other) for key in (one.lookup_id, one.proof_key, one.receipt_key)]
    assert len({value[:8] for value in (*derived, other.salt)}) == 7
    assert [len(value) for value in derived[:3]] == [8, 32, 32]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (LICENSE_KEY.text[:-1], "license-key-length"),
        (LICENSE_ID, "license-key-length"),
        ("J" + LICENSE_KEY.text[1:], "license-key-typo"),
        (LICENSE_KEY.text[:8] + "U" + LICENSE_KEY.text[9:], "license-key-typo"),
        (LICENSE_KEY.text[:7] + LICENSE_KEY.text[8] + LICENSE_KEY.text[7] + LICENSE_KEY.text[9:], "license-key-typo"),
        ("K" + "Z" * 39 + base32.check_characters("KEY", "K" + "Z" * 39, 2), "license-key-typo"),
        ("0" * 40 + base32.check_characters("KEY", "0" * 40, 2), "license-key-typo"),
    ],
)
def test_wrong_license_keys_are_named(typed: str, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        LicenseKey.parse(typed)
    assert caught.value.code == code
    assert LICENSE_KEY.text not in caught.value.message


@given(st.binary(min_size=16, max_size=16))
def test_deactivation_codes_come_back(secret: bytes) -> None:
    code = format_deactivation_code(secret)
    assert [len(group) for group in code.split("-")] == [4] * 7
    assert parse_deactivation_code(code.lower().replace("-", ".")) == secret


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (CODE[:-1], "deactivation-code-length"),
        (CODE[:3] + base32.ALPHABET[base32.VALUES[CODE[3]] ^ 1] + CODE[4:], "deactivation-code-typo"),
        ("Z" * 26 + base32.check_characters("DEACTIVATION", "Z" * 26, 2), "deactivation-code-typo"),
        (LICENSE_KEY.text, "deactivation-code-length"),
    ],
)
def test_wrong_deactivation_codes_are_named(typed: str, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        parse_deactivation_code(typed)
    assert caught.value.code == code


def test_the_commitment_depends_on_instance_and_secret() -> None:
    made = {commitment(thumb, secret) for thumb in (b"\1" * 32, b"\2" * 32) for secret in (b"\3" * 16, b"\4" * 16)}
    assert len(made) == 4
    assert {len(value) for value in made} == {32}


MAIL = f"""Hello,
> > our LIC to use (see license 12345 and LICENSE KEY terms) was
> > License ID: {LICENSE_ID[:14].lower()}
> > {LICENSE_ID[14:].lower()}, ordered with key *{LICENSE_KEY.text[:21]}
> > {LICENSE_KEY.text[21:]}*.
The server shows \u201c{CODE.replace("-", " ")}\u201d. That = this:
{CODE} and the ID again {LICENSE_ID.replace("-", "")}
Best regards, some very good team from that nice town with many more four char word"""


def test_codes_are_found_in_a_whole_email_once_each() -> None:
    found = find_codes(MAIL)
    assert found.license_ids == (LICENSE_ID,)
    assert found.license_keys == (LICENSE_KEY.text,)
    assert found.deactivation_codes == (CODE,)
    assert found.problems == ()


def test_codes_are_found_in_raw_html_and_quoted_printable() -> None:
    html = f"<p>ID&nbsp;<b>{LICENSE_ID[:13]}</b>{LICENSE_ID[13:]}</p><td>{CODE[:14]}&#8209;{CODE[15:]}</td>"
    assert find_codes(html).license_ids == (LICENSE_ID,)
    assert find_codes(html).deactivation_codes == (CODE,)
    assert find_codes(f"the code is {CODE[:11]}=\r\n{CODE[11:]}").deactivation_codes == (CODE,)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LICENSE_ID[:5] + "U" + LICENSE_ID[6:], "license-id-typo"),
        (LICENSE_ID[:-3] + LICENSE_ID[-2:], "license-id-length"),
    ],
)
def test_a_mistyped_license_id_in_a_mail_is_reported_as_a_typo(text: str, code: str) -> None:
    found = find_codes(f"Our License ID is {text}. Please help.")
    assert found.license_ids == ()
    assert [problem.code for problem in found.problems] == [code]


def test_a_mistyped_license_id_of_letters_is_told_by_its_groups() -> None:
    """One in fifty has a single digit, or none."""
    (problem,) = find_codes("Our ID: LIC-DDXS-JHTM-FYRZ-T5MV-A 5JAX-HAR7-JC8B-55Q5-R0MN-WZER-P8NS").problems
    assert problem.code == "license-id-typo"
    assert find_codes("The word LIC stands here this once more, and 5 times there").problems == ()


def test_prose_and_text_blocks_hold_no_codes() -> None:
    words = "this that with from have they will what when make like time just know take into year good some them"
    draw = random.Random(1)
    prose = " ".join(draw.choices(words.split(), k=20_000))
    block = "\n".join(
        f"{n:02} " + " ".join("".join(draw.choices(base32.ALPHABET, k=5)) for _ in range(10)) + " A7" for n in range(99)
    )
    found = find_codes(prose + block)
    assert (found.license_ids, found.license_keys, found.deactivation_codes, found.problems) == ((), (), (), ())


READERS = [
    ("license-key", LicenseKey.parse),
    ("deactivation-code", parse_deactivation_code),
    *((name, partial(parse_public_id, prefix)) for prefix, (name, _) in PUBLIC_IDS.items()),
]


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("letter", ["A", "\ufdfa", "L", "-", "\u200b", "\u00bd"])
def test_what_is_too_long_for_any_code_is_refused_unread(name: str, read: Callable[[str], object], letter: str) -> None:
    for length in (base32.MAX_TYPED + 1, 1_000_000):
        with pytest.raises(CodeError) as caught:
            read(letter * length)
        assert caught.value.code == f"{name}-length"
        assert caught.value.detail["found"] == length
        assert f"{length} characters" in caught.value.message


def test_a_code_with_much_around_it_is_still_short_enough() -> None:
    spread = "\n>  ".join(LICENSE_KEY.text)
    assert len(spread) > 190
    assert LicenseKey.parse(spread) == LICENSE_KEY
    assert LicenseKey.parse(LICENSE_KEY.text + " " * (base32.MAX_TYPED - 48)) == LICENSE_KEY
    with pytest.raises(CodeError) as caught:
        base32.decode("0" * 1_000_000, 10)
    assert caught.value.code == "base32-length"


@given(st.text(max_size=50))
def test_normalising_never_makes_a_text_much_longer(text: str) -> None:
    assert len(base32.normalise(text)) <= 4 * len(text)
    assert base32.normalise("\ufdfa") == "\ufdfa"
    assert base32.normalise("\u00bd\u2469\ufb01") == "1210F1"


def spy_on_checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with every code whose check characters are computed."""
    checked: list[str] = []
    compute = base32.check_characters

    def noted(label: str, data: str, count: int) -> str:
        checked.append(data)
        return compute(label, data, count)

    monkeypatch.setattr(base32, "check_characters", noted)
    return checked


FLOODS = {
    "LIC": "".join(f"LIC-{number:04d}-AAAA-BBBB-CCCC-D " for number in range(60_000)),
    "LIC alone": "LIC-" * 500_000,
    "KEY": "".join(f"K{number:05d} " for number in range(99_999)),
    "DEACTIVATION": "".join(f"{number % 10_000:04d}-" for number in range(300_000)),
    "CLR1": "CLR1 " * 400_000,
    "expanding": "\ufdfa" * 2_000_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_what_looks_like_codes_is_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = spy_on_checks(monkeypatch)
    found = find_codes(FLOODS[name] + "\n" + LICENSE_ID)
    # Each candidate is checked once, and what passes is written once more.
    assert len(checked) <= 3 * 2 * MAX_CANDIDATES
    problems = [problem.code for problem in found.problems if problem.code == "codes-not-all-read"]
    assert problems == ["codes-not-all-read"]
    assert (found.license_ids == (LICENSE_ID,)) == (name in ("KEY", "DEACTIVATION"))


def test_a_code_in_a_text_with_all_characters_there_are_is_found() -> None:
    everything = "".join(chr(code) for code in range(0x11_0000) if not 0xD800 <= code < 0xE000)
    bold = "".join(chr(0x1D400 + ord(one) - 65) if "A" <= one <= "Z" else one for one in LICENSE_ID)
    assert find_codes(f"{bold} {everything}").license_ids == (LICENSE_ID,)


def test_a_flood_of_one_kind_does_not_hide_the_others() -> None:
    found = find_codes("".join(f"{number % 10_000:04d}-" for number in range(20_000)) + f"\n{LICENSE_ID} {MAIL}")
    assert found.license_ids == (LICENSE_ID,)
    assert found.license_keys == (LICENSE_KEY.text,)


def test_what_is_behind_the_limit_is_not_read_and_that_is_said() -> None:
    filler = "word \n" * (MAX_SOURCE // 6)
    assert find_codes(filler[:-100] + " " + LICENSE_ID).license_ids == (LICENSE_ID,)
    found = find_codes(filler + "   word " + LICENSE_ID)
    assert found.license_ids == ()
    assert [problem.code for problem in found.problems] == ["codes-not-all-read"]
    assert "Paste only the part with the code" in found.problems[0].message


def test_codes_that_were_wrapped_and_quoted_with_a_name_are_found() -> None:
    lines = [LICENSE_KEY.text[at : at + 7] for at in range(0, 48, 7)]
    assert find_codes("".join(f"Joe Smith> {line}\n" for line in lines)).license_keys == (LICENSE_KEY.text,)


@given(st.text(max_size=200))
def test_no_text_makes_the_readers_raise_anything_else(text: str) -> None:
    find_codes(text)
    for read in (
        LicenseKey.parse,
        parse_deactivation_code,
        *(lambda t, p=p: parse_public_id(p, t) for p in PUBLIC_IDS),
    ):
        with pytest.raises(ProtocolError):
            read(text)
