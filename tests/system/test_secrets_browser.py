"""The browser's own search for secrets, in a real browser: what the portal finds, it finds too."""

from __future__ import annotations

import random
import textwrap

from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from playwright.sync_api import Page

from activations.services.secret_text import secret_in
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
    # As they were found before: with a typing mistake, too.
    typos = [f"It was {one[:-1]}{'7' if one[-1] != '7' else '8'}." for one in (key, code, key.replace("-", ""))]
    assert [text for text in [*keys, *codes, *typos[:2]] if not secret_in(text)] == []
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
