"""What looks like a mistyped secret and what does not: docs/adr/0010-what-looks-like-a-secret.md."""

from __future__ import annotations

import hashlib
import random
import uuid
from fractions import Fraction
from itertools import pairwise
from math import comb

import pytest
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code, format_public_id

from activations.admin.pasted import recognise
from activations.admin.pasted import secret_in as secret_for_address
from activations.services.secret_looks import IBAN_LENGTHS, RARE, least_hex, most_alike, most_of_hex
from activations.services.secret_text import CODE, KEY, secret_in, without_secrets

LICENSE_KEY = LicenseKey(seed=b"seed-012", secret=b"secret-012345678").text
DEACTIVATION = format_deactivation_code(b"0123456789abcdef")
SHA256, MD5 = (hashlib.new(name, b"pump-house").hexdigest() for name in ("sha256", "md5"))
UUID = str(uuid.UUID(hex=MD5))


def fours(letters: str, between: str = " ") -> str:
    return between.join(letters[at : at + 4] for at in range(0, len(letters), 4))


INNOCENT = {
    "IPv6": "The host has 2001:0db8:85a3:0000:0000:8a2e:0370:7334 now.",
    "IPv6 in capital letters": "2001:0DB8:85A3:08D3:1319:8A2E:0370:7344",
    "IPv6 with dashes": "From host 2001:0db8:85a3:0000:0000:8a2e:0370:7334 to 2001-0db8-85a3-08d3-1319-8a2e-0370-7344.",
    "IPv6 behind words": "Your plan says that 2001:0db8:85a3:0000:0000:8a2e:0370:7334 will have been used.",
    "two addresses": "fe80:0000:0000:0000:0202:b3ff:fe1e:8329 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "years": "We bought licenses in 2019 2020 2021 2022 2023 2024 2025 and pay.",
    "years with commas": "2019, 2020, 2021, 2022, 2023, 2024, 2025",
    "years and words": "from 2019 till 2024 they have paid",
    "IBAN of Germany": "GmbH IBAN DE89 3704 0044 0532 0130 00",
    "IBAN of Britain": "Acme IBAN GB82 WEST 1234 5698 7654 32 paid",
    "IBAN of France": "IBAN FR14 2004 1010 0505 0001 3M02 606",
    "IBAN of Malta": "IBAN MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    "IBAN of Poland": "IBAN PL61 1090 1014 0000 0712 1981 2874",
    "IBAN of Hungary": "IBAN HU42 1177 3016 1111 1018 0000 0000",
    "IBAN in one": "mt84malt011000012345mtlcast001s",
    "SHA-256": f"SHA-256 {SHA256}",
    "SHA-256 in fours": fours(SHA256),
    "SHA-256 in fours, capitals": fours(SHA256.upper(), "-"),
    "SHA-256 behind words": f"This file says {fours(SHA256)} here",
    "MD5": f"{MD5} {MD5.upper()} {fours(MD5)} {fours(MD5, ':')}",
    "UUID": f"{UUID} host {UUID.upper()} and {fours(UUID.replace('-', ''))}",
    "fingerprint": "Fingerprint A1B2 C3D4 E5F6 0718 293A  4B5C 6D7E 8F90 A1B2 C3D4",
    "MAC addresses": "00:1A:2B:3C:4D:5E, 00-1a-2b-3c-4d-5f, 001a.2b3c.4d5e 001a.2b3c.4d5f 001a.2b3c.4d60",
    "phone numbers": "+49 1512 3456 7890, 0800 1234 5678, 1234 5678 9012 3456 7890 1234 5678",
    "dates": "2024-0312 2024-0313 2024-0314 2024-0315, 12.03.2024, 20240312 20240313 20240314 2024",
    "part numbers": "Pumps P101, P102, P103, P104, P105, P106, P107 were moved",
    "part numbers of two letters": "KX01 KX02 KX03 KX04 KX05 KX06 KX07 KX08",
    "part numbers that begin with K": "K10001, K10002, K10003, K10004, K10005, K10006, K10007",
    "a part number in a sentence": "pump P101 will fail when they next boot this host",
    "words": "kaufen kaufen kaufen kaufen kaufen kaufen kaufen",
    "words in German": "Kunden kaufen Kisten selten wieder bauten ferner",
    "hex of a text": "4865 6c6c 6f20 576f 726c 6421 0a00 0000",
    "public ids": "LIC-7K2M-9Q4T-H3XW-0B5N-C and ACT-7K2M-9Q4T-H3XW-0B5N-C",
    "a public id in one": f"with host {format_public_id('LIC', b'0123456789').replace('-', '')} from here",
    "escapes": "a discount of 50%, 20%20 and C:\\users\\u0041 and %%%2",
}


@pytest.mark.parametrize("prose", INNOCENT.values(), ids=INNOCENT.keys())
def test_what_is_no_secret_is_kept_sent_and_searched_for(prose: str) -> None:
    assert secret_in(prose) == ""
    assert without_secrets(prose) == prose
    for searched in (prose, prose.split(" ", 1)[-1]):
        assert secret_for_address(searched, recognise(searched)) == ""


@pytest.mark.parametrize("prose", INNOCENT.values(), ids=INNOCENT.keys())
@pytest.mark.parametrize(("code", "kind"), [(LICENSE_KEY, KEY), (DEACTIVATION, CODE)])
def test_beside_what_is_no_secret_one_is_found_all_the_same(code: str, kind: str, prose: str) -> None:
    groups = code.split("-")
    wrong = "-".join([*groups[:-1], groups[-1][:-1] + ("7" if groups[-1][-1] != "7" else "8")])
    for secret in (code, wrong, wrong.lower(), wrong.replace("-", " ")):
        for text in (f"{prose} {secret}", f"{secret} {prose}", f"{prose}\n{secret}\n{prose}"):
            assert secret_in(text) == kind, text
            masked = without_secrets(text).replace("-", " ").lower()
            assert not any(f"{one} {two}" in masked for one, two in neighbours(wrong)), masked
            assert secret_in(without_secrets(text)) == ""


def neighbours(code: str) -> list[tuple[str, str]]:
    groups = code.lower().split("-")
    return list(pairwise(groups))


def test_a_forgotten_dash_hides_no_typing_mistake() -> None:
    for code, kind in ((LICENSE_KEY, KEY), (DEACTIVATION, CODE)):
        wrong = code[:-1] + ("7" if code[-1] != "7" else "8")
        for text in (wrong.replace("-", "", 1), wrong.replace("-", "")):
            assert secret_in(f"It is {text}.") == kind
            assert text not in without_secrets(f"It is {text}.")


LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mistyped(chance: random.Random, code: str, mistakes: int) -> str:
    """The code with so many mistakes: another letter or digit, or two neighbours swapped. The first letter is kept."""
    letters = list(code)
    while mistakes:
        at = chance.randrange(1, len(letters))
        if letters[at] == "-":
            continue
        if at + 1 < len(letters) and letters[at + 1] not in ("-", letters[at]) and chance.random() < 0.3:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        else:
            letters[at] = chance.choice([letter for letter in LETTERS if letter != letters[at]])
        mistakes -= 1
    return "".join(letters)


@pytest.mark.parametrize("mistakes", [1, 2, 3])
@pytest.mark.parametrize("kind", [KEY, CODE])
def test_random_secrets_with_typing_mistakes_are_found(kind: str, mistakes: int) -> None:
    """Two in 100,000 are not, as `python -m bench.mistyped_secrets` measures; of these, none."""
    chance = random.Random(f"{kind}{mistakes}")
    for _ in range(500):
        key = LicenseKey(seed=chance.randbytes(8), secret=chance.randbytes(16)).text
        wrong = mistyped(chance, key if kind == KEY else format_deactivation_code(chance.randbytes(16)), mistakes)
        assert secret_in(f"They typed {wrong} today.") == kind
        assert wrong not in without_secrets(wrong)


@pytest.mark.parametrize("letters", [12, 17, 20, 24, 28, 29, 41])
def test_the_bounds_are_those_of_random_letters(letters: int) -> None:
    """Against the distributions themselves: binomial, and how many different ones of 32 so many draws have."""

    def few_beyond_f(most: int) -> float:
        return float(Fraction(sum(comb(letters, beyond) for beyond in range(most + 1)), 2**letters))

    def few_different(most: int) -> float:
        # Draws that have exactly these different letters, by inclusion and exclusion.
        onto = [sum((-1) ** (n - i) * comb(n, i) * i**letters for i in range(n + 1)) for n in range(most + 1)]
        return float(Fraction(sum(comb(32, n) * onto[n] for n in range(most + 1)), 32**letters))

    for chance, most in ((few_beyond_f, most_of_hex(letters)), (few_different, most_alike(letters))):
        assert (most < 0) or chance(most) < 1 / RARE
        assert chance(most + 1) >= 1 / RARE
    assert 2.0 ** -least_hex() < 1 / RARE <= 2.0 ** (1 - least_hex())


def test_a_bank_account_counts_only_with_its_check_digits() -> None:
    account = "MT84 MALT 0110 0001 2345 MTLC AST0 01S"
    assert secret_in(account) == ""
    assert secret_in(account.replace("2345", "2346")) == CODE
    assert len(IBAN_LENGTHS) > 80
    assert set(IBAN_LENGTHS.values()) <= set(range(15, 35))
