"""What mail programs do to a text block: layout, quoting, HTML, encodings. Nothing of it takes a letter away.

KINDS has these and those of damage.py.
"""

import html
import quopri
import random
import textwrap

from tests.protocol.damage import AROUND, ENCODED, KINDS, LAYOUT, MARKUP, QUOTED, kind

__all__ = ["KINDS"]


# ---- layout


@kind(LAYOUT)
def no_break_spaces(rng: random.Random, text: str) -> str:
    return text.replace(" ", rng.choice(("\u00a0", "\u202f", "\u2009", "\u3000", " \u00a0")))


@kind(LAYOUT)
def tabs(rng: random.Random, text: str) -> str:
    return text.replace(" ", "\t")


@kind(LAYOUT)
def no_spaces(rng: random.Random, text: str) -> str:
    return text.replace(" ", "")


@kind(LAYOUT)
def more_spaces(rng: random.Random, text: str) -> str:
    return "".join(letter + " " * rng.choice((0, 0, 0, 0, 0, 1)) for letter in text)


@kind(LAYOUT)
def commas(rng: random.Random, text: str) -> str:
    return text.replace(" ", rng.choice((", ", ",", ";", "-", "\u2013", " | ", ".", '","')))


@kind(LAYOUT)
def zero_width_characters(rng: random.Random, text: str) -> str:
    hidden = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202c\u2066\u2069\u034f\ufe0f\x00"
    return "".join(letter + (rng.choice(hidden) if rng.random() < 0.3 else "") for letter in text)


@kind(LAYOUT)
def joined_into_one_line(rng: random.Random, text: str) -> str:
    return " ".join(text.split())


@kind(LAYOUT)
def wrapped_at_words(rng: random.Random, text: str) -> str:
    width = rng.randrange(12, 80)
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, width)) + "\n"


@kind(LAYOUT)
def wrapped_anywhere(rng: random.Random, text: str) -> str:
    width = rng.randrange(5, 70)
    pieces = [line[at : at + width] for line in text.splitlines() for at in range(0, len(line), width)]
    return "\n".join(pieces) + "\n"


@kind(LAYOUT)
def joined_and_wrapped(rng: random.Random, text: str) -> str:
    return "\n".join(textwrap.wrap(" ".join(text.split()), rng.randrange(20, 79))) + "\n"


@kind(LAYOUT)
def format_flowed(rng: random.Random, text: str) -> str:
    return text.replace("\n", " \n")


@kind(LAYOUT)
def list_bullets(rng: random.Random, text: str) -> str:
    bullet = rng.choice(("* ", "- ", "\u2022 ", "\u25aa\t", "o  ", "a) "))
    return "\n".join(bullet + line for line in text.splitlines()) + "\n"


@kind(LAYOUT)
def numbered_list(rng: random.Random, text: str) -> str:
    form = rng.choice(("{}. {}", "{}) {}", "({}) {}", "{}: {}", "[{}] {}"))
    return "\n".join(form.format(at, line) for at, line in enumerate(text.splitlines(), start=1)) + "\n"


@kind(LAYOUT)
def blank_lines(rng: random.Random, text: str) -> str:
    return text.replace("\n", rng.choice(("\n\n", "\n \n", "\n\n\n")))


@kind(LAYOUT)
def trailing_and_leading_spaces(rng: random.Random, text: str) -> str:
    return "".join(" " * rng.randrange(9) + line + " " * rng.randrange(9) + "\n" for line in text.splitlines())


@kind(LAYOUT)
def page_break(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    lines.insert(rng.randrange(2, len(lines) - 1), "\fUsage Request, page 2 of 2\n")
    return "\n".join(lines) + "\n"


@kind(LAYOUT)
def remarks_behind_lines(rng: random.Random, text: str) -> str:
    return "".join(
        line + rng.choice(("", "  <- 0 or O?", " ok", " // checked 2x")) + "\n" for line in text.splitlines()
    )


@kind(LAYOUT)
def chat_bold(rng: random.Random, text: str) -> str:
    return "".join(rng.choice(("*{}*\n", "`{}`\n", "**{}**\n", "_{}_\n")).format(line) for line in text.splitlines())


# ---- around it


PROSE = (
    "Hello Support,\n\nour license key is attached. Plant 07, line 12, since 2019. Call 01 555 0100 for 24 h.",
    "Guten Tag,\n\nanbei die Anforderung für unsere Kläranlage. Mit freundlichen Grüßen\nTelefon 0 30 - 12 34 56",
    "Здравствуйте!\n\nОтправляю запрос на лицензию от 24 ноября 2025 г. Спасибо.",  # noqa: RUF001
    "お世話になっております。ライセンス要求を送ります。電話 03 1234 5678",
    "مرحبا، أرسل إليكم طلب الترخيص. شكرا 12 34",
    "On Mon, Nov 24, 2025 at 09:12 AM, Support <support@example.com> wrote:\n> Offline > Generate Usage Request",
    "CHARIOT USAGE REQUEST: the popup says 16 LINES, here they are. IF a<b THEN 14 > 12 & so on &c.",
    "-- \nMaintenance 12 34567 89012 34567 89012 34567 89012 34567 89012 34567 89012 34\n",
)


@kind(AROUND)
def prose(rng: random.Random, text: str) -> str:
    return f"{rng.choice(PROSE)}\n\n{text}\n\n{rng.choice(PROSE)}\n"


@kind(AROUND)
def prose_glued_on(rng: random.Random, text: str) -> str:
    return f"{rng.choice(PROSE)} {text.strip()} {rng.choice(PROSE)}"


@kind(AROUND)
def smart_punctuation(rng: random.Random, text: str) -> str:
    return f"\u201c{text.strip()}\u201d \u2014 the \ufb01rst o\ufb03ce \u2026 \u00bd \u2122\n"


@kind(AROUND)
def byte_order_mark(rng: random.Random, text: str) -> str:
    return "\ufeff" + text


# ---- quoted


@kind(QUOTED)
def quoted(rng: random.Random, text: str) -> str:
    mark = rng.choice(("> ", ">", "> > ", ">>> ", "| ", "JS> ", "\u2502 ", ": "))
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


@kind(QUOTED)
def quoted_and_wrapped(rng: random.Random, text: str) -> str:
    lines = []
    width = rng.randrange(30, 66)
    for line in text.splitlines():
        first, *rest = [line[at : at + width] for at in range(0, len(line), width)] or [""]
        lines.append("> > " + first)
        lines += [rng.choice(("> > ", "> ", "")) + part for part in rest]
    return "\n".join(lines) + "\n"


QUOTES = ("Joe Smith> ", "[JS] ", "J.S.> ", "JS >", "JS| ", "> 1. ", ">> ", "| ", "ops-2: ", "Lead (plant 07) | ")


@kind(QUOTED)
def wrapped_and_quoted(rng: random.Random, text: str) -> str:
    """Each line of the mail is wrapped and each piece then quoted."""
    mark, width = rng.choice(QUOTES), rng.randrange(20, 66)
    pieces = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
    return "".join(f"{mark}{piece}\n" for piece in pieces)


@kind(QUOTED)
def wrapped_anywhere_and_quoted_twice(rng: random.Random, text: str) -> str:
    outer, inner, width = rng.choice(QUOTES), rng.choice(QUOTES), rng.randrange(20, 66)
    pieces = [line[at : at + width] for line in text.splitlines() for at in range(0, len(line), width)]
    return "".join(f"{outer}{inner}{piece}\n" for piece in pieces)


@kind(QUOTED)
def wrapped_and_numbered(rng: random.Random, text: str) -> str:
    mark, form = rng.choice(("", "> ", "JS> ")), rng.choice(("{}. ", "{}) ", "[{}] ", "{}: "))
    pieces = [part for line in text.splitlines() for part in textwrap.wrap(line, rng.randrange(20, 66))]
    return "".join(f"{mark}{form.format(at)}{piece}\n" for at, piece in enumerate(pieces, start=1))


@kind(QUOTED)
def forwarded(rng: random.Random, text: str) -> str:
    head = "-----Original Message-----\nFrom: lead@example.com\nSent: 24.11.2025 09:12\nTo: support@example.com\n"
    return f"See below.\n\n{head}\n{text}"


# ---- HTML


@kind(MARKUP)
def html_paragraphs(rng: random.Random, text: str) -> str:
    lines = "".join(
        f"<p class=MsoNormal style='margin:0'>{html.escape(line)}<o:p></o:p></p>\r\n" for line in text.splitlines()
    )
    return f"<html><head><style>p {{margin: 01px 02px}}</style></head><body>{lines}</body></html>"


@kind(MARKUP)
def html_breaks(rng: random.Random, text: str) -> str:
    body = html.escape(text).replace("\n", rng.choice(("<br>", "<br/>\n", "<BR>\r\n"))).replace(" ", "&nbsp;")
    return f'<div dir="ltr">{body}</div>'


@kind(MARKUP)
def html_table(rng: random.Random, text: str) -> str:
    rows = []
    for line in text.splitlines():
        cells = "".join(f'<td width="65">{html.escape(word)}</td>' for word in line.split(" "))
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


@kind(MARKUP)
def html_spans(rng: random.Random, text: str) -> str:
    # Spelling checkers mark parts of words.
    out = []
    for letter in text:
        letter = html.escape(letter)  # noqa: PLW2901
        out.append(f"<span lang=EN-US>{letter}</span>" if rng.random() < 0.05 else letter)
    return f"<pre>{''.join(out)}</pre>"


@kind(MARKUP)
def html_entities(rng: random.Random, text: str) -> str:
    return "".join(f"&#{ord(letter)};" if letter != "\n" else "<br>" for letter in text)


@kind(MARKUP)
def html_hidden(rng: random.Random, text: str) -> str:
    return "<p>" + html.escape(text).replace(" ", "&#8203; ").replace("\n", "&shy;<wbr><br>") + "</p>"


# ---- encoded


@kind(ENCODED)
def crlf(rng: random.Random, text: str) -> str:
    return text.replace("\n", rng.choice(("\r\n", "\r", "\r\r\n", "\u2028")))


@kind(ENCODED)
def quoted_printable(rng: random.Random, text: str) -> bytes:
    return quopri.encodestring(text.encode("utf-8", "replace"), quotetabs=rng.random() < 0.5)


@kind(ENCODED)
def quoted_printable_text(rng: random.Random, text: str) -> str:
    return quopri.encodestring(text.encode("utf-8", "replace")).decode("ascii").replace("\n", "\r\n")


@kind(ENCODED)
def utf_8(rng: random.Random, text: str) -> bytes:
    return text.encode("utf-8-sig" if rng.random() < 0.5 else "utf-8", "replace")


@kind(ENCODED)
def utf_16(rng: random.Random, text: str) -> bytes:
    return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-16-be")), "replace")


@kind(ENCODED)
def latin_1(rng: random.Random, text: str) -> bytes:
    # Letters that Latin-1 lacks would be lost: those are kept as they are in HTML.
    return text.encode("latin-1", "xmlcharrefreplace")


@kind(ENCODED)
def utf_8_read_as_latin_1(rng: random.Random, text: str) -> str:
    # What is not ASCII becomes junk; the letters of a block are ASCII as a rule.
    return text.encode("utf-8", "replace").decode("cp1252", "replace")


@kind(ENCODED)
def utf_16_read_as_latin_1(rng: random.Random, text: str) -> str:
    return text.encode("utf-16", "replace").decode("latin-1")
