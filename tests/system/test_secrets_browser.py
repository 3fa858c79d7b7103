"""The browser's own search for secrets, in a real browser: what the portal finds, it finds too."""

from __future__ import annotations

import random
import textwrap

from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from playwright.sync_api import Page

from activations.services.secret_looks import IBAN_LENGTHS
from activations.services.secret_text import secret_in
from tests.portal.test_api_tokens import SAMPLES
from tests.portal.test_api_tokens import ways as ways_of_a_token
from tests.portal.test_secret_looks import INNOCENT, mistyped
from tests.system.browsing import Desk, sign_in

PROSE = [
    "",
    "They moved the plant.\nNobody could deactivate it.",
    "The bank keeps the pump house locked, so we took the disk of 2019 back to the workshop on 3 June 2024.",
    "Kunden kaufen keine Kabel, kein Klebeband und keine Kisten; 12 Kartons kamen kaputt an.",
    "Клиент перенёс контроллер в новое здание 12 мая, старый компьютер разобрали.",
    "a discount of 50%, 20%20 and C:\\users\\u0041",
]
TOLD = "texts => texts.map(text => [portalSecrets.suspected(text), portalSecrets.withoutKeys(text)])"


def ways(code: str, sizes: tuple[int, ...]) -> list[str]:
    """The code as people, mail programs and links leave it."""
    letters = code.replace("-", "")
    grouped = [between.join(textwrap.wrap(letters, size)) for size in sizes for between in ("-", " ", "\r\n> ", ", ")]
    lookalike = str.maketrans("AKCEHMTXP", "\u0410\u041a\u0421\u0415\u041d\u041c\u0422\u0425\u0420")
    return [
        *grouped,
        code.lower(),
        code.replace("0", "O").replace("1", "l"),
        code.translate(lookalike),
        code.translate(lookalike).lower(),
        f"{code[:9]}\n> {code[9:]}",
        f"{code[:9]}=\r\n{code[9:]}",
        f"{code[:9]}<wbr>{code[9:]}",
        f"{code[:9]}\u00ad{code[9:]}",
        code.replace("-", "=2D"),
        code.replace("-", "%2D"),
        code.replace("-", "%252D"),
        code.replace("-", "\\u002d"),
        code.replace("-", "%u002d"),
        code.replace("-", "\\u{2d}"),
        code.replace("-", "\\055"),
        code.replace("-", "\\n"),
        f"\\n{code}\\n",
        f"Key{code}Thanks",
        "".join(f"{letter}\u0332" for letter in code),
        code.replace("-", "&nbsp;-&nbsp;"),
        "".join(chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in code),
        f"Key:{code},x",
        f"license_key_{code}",
        f"https://x.example/?key%3D{code}",
    ]


def test_the_browser_finds_what_the_portal_finds(desk: Desk, page: Page) -> None:
    chance = random.Random(11)
    key = LicenseKey(seed=chance.randbytes(8), secret=chance.randbytes(16)).text
    code = format_deactivation_code(chance.randbytes(16))
    keys = [f"It was {way}." for way in ways(key, (1, 2, 3, 4, 5, 6, 7, 8, 14, 21, 42))]
    codes = [f"It was {way}." for way in ways(code, (4, 6, 7, 8, 14, 28))]
    # With a typing mistake, too.
    typos = [f"It was {one[:-1]}{'7' if one[-1] != '7' else '8'}." for one in (key, code, key.replace("-", ""))]
    assert [text for text in [*keys, *codes, *typos] if not secret_in(text)] == []
    blocks = [write_block(Kind.REQUEST, chance.randbytes(366)) for _ in range(200)]
    sign_in(page)

    secrets = [*keys, *codes, *typos]
    told = page.evaluate(TOLD, secrets)
    assert [text for text, (suspected, _) in zip(secrets, told, strict=True) if not suspected] == []
    shown = [kept for _, kept in told[: len(keys)]]
    assert [kept for kept in shown if kept and "[License Key]" not in kept] == []
    assert [kept for kept in shown if secret_in(kept)] == []

    told = page.evaluate(TOLD, PROSE)
    assert told == [[False, text] for text in PROSE]
    assert [kept for _, kept in page.evaluate(TOLD, blocks)] == blocks


def test_a_key_behind_a_large_text_is_suspected(desk: Desk, page: Page) -> None:
    sign_in(page)
    key = LicenseKey(seed=b"seed-012", secret=b"secret-012345678").text
    for text in ("K" * 100_000, "K " * 50_000, "K1 " * 33_000, "%4B%20" * 16_000, "\u041a1\u200b" * 33_000):
        assert page.evaluate("text => portalSecrets.suspected(text)", f"{text} {key}"), text[:6]


def test_the_browser_keeps_no_token_however_it_was_pasted(desk: Desk, page: Page) -> None:
    sign_in(page)
    texts = [f"It was {way}." for token in SAMPLES for way in ways_of_a_token(token)]
    told = page.evaluate(TOLD, texts)
    assert [text for text, (suspected, _) in zip(texts, told, strict=True) if not suspected] == []
    assert [kept for _, kept in told if secret_in(kept)] == []
    assert page.evaluate(TOLD, [texts[0]]) == [[True, "It was [API token]."]]
    innocent = [SAMPLES[0][:12], f"{SAMPLES[0][:13]}…", "clt_customers_of_this_year"]
    assert page.evaluate(TOLD, innocent) == [[False, text] for text in innocent]


def bank_account(chance: random.Random, country: str) -> str:
    """One of the country's length with check digits that hold, in groups of four."""
    rest = "".join(chance.choices("0123456789", k=IBAN_LENGTHS[country] - 4))
    number = int("".join(str(int(letter, 36)) for letter in f"{rest}{country}00"))
    return " ".join(textwrap.wrap(f"{country}{98 - number % 97:02}{rest}", 4))


def half_random(chance: random.Random) -> str:
    """A row of groups such as a secret has, of which some are words, numbers or hex digits."""
    size = chance.choice([4, 4, 6])
    kinds = chance.choices(["0123456789", "0123456789ABCDEF", "AEILNORSTU", "QXZK0123456789", "ABGHK12"], k=3)
    groups = ["".join(chance.choices(chance.choice(kinds), k=size)) for _ in range(7)]
    if size == 6:
        groups[0] = f"K{groups[0][1:]}"
    return chance.choice("- ").join(groups)


def test_browser_and_portal_agree_on_what_looks_like_a_secret(desk: Desk, page: Page) -> None:
    chance = random.Random(12)
    texts = [*INNOCENT.values(), *(bank_account(chance, country) for country in IBAN_LENGTHS)]
    texts += [f"GmbH IBAN {text}" for text in texts]
    texts += [half_random(chance) for _ in range(4000)]
    for mistakes in (1, 2, 3) * 100:
        key = LicenseKey(seed=chance.randbytes(8), secret=chance.randbytes(16)).text
        texts += [mistyped(chance, key, mistakes)]
        texts += [mistyped(chance, format_deactivation_code(chance.randbytes(16)), mistakes).lower()]
    here = [bool(secret_in(text)) for text in texts]
    assert 1000 < sum(here) < len(texts) - 1000, "both kinds are compared"
    sign_in(page)
    there = page.evaluate("texts => texts.map(text => portalSecrets.suspected(text))", texts)
    assert [text for text, ours, its in zip(texts, here, there, strict=True) if ours != its] == []


def test_a_bank_account_is_kept_by_the_box_and_a_mistyped_key_is_not(desk: Desk, page: Page) -> None:
    chance = random.Random(13)
    sign_in(page)
    assert page.evaluate(TOLD, list(INNOCENT.values())) == [[False, text] for text in INNOCENT.values()]
    for mistakes in (1, 2, 3) * 20:
        key = mistyped(chance, LicenseKey(seed=chance.randbytes(8), secret=chance.randbytes(16)).text, mistakes)
        ((suspected, kept),) = page.evaluate(TOLD, [f"{INNOCENT['IBAN of Malta']} {key} 2019"])
        assert suspected
        assert key not in kept
