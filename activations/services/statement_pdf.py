"""The pages of a statement: the document as a person reads it, with the file that is signed inside.

The same document gives the same bytes. The pages show nothing that is not in the document, but the digest of it and the
serial of the key.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    KeepTogether,
    LongTable,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)

from activations.services.statement_letters import BOLD, PLAIN, by_number, fonts, markup
from activations.services.statement_words import terms_words

FILE_NAME = "statement.json"
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
INK, QUIET, LINE, HEAD = (colors.HexColor(value) for value in ("#1b2733", "#52606d", "#c9d1d9", "#eef2f6"))

_TEXT = ParagraphStyle("text", fontName=PLAIN, fontSize=8.5, leading=12, textColor=INK, splitLongWords=1)
_CELL = ParagraphStyle("cell", _TEXT, fontSize=7.2, leading=9.6)
_HEADING = ParagraphStyle("heading", _TEXT, fontName=BOLD, fontSize=11, leading=15, spaceBefore=14, spaceAfter=5)
_TITLE = ParagraphStyle("title", _TEXT, fontName=BOLD, fontSize=18, leading=23, spaceAfter=4)
_HEAD_CELL = ParagraphStyle("head", _CELL, fontName=BOLD)
_QUIET_CELL = ParagraphStyle("quiet", _CELL, fontSize=6.5, leading=9, textColor=QUIET)
_CODE = ParagraphStyle("code", _TEXT, fontSize=7.5, leading=11, leftIndent=8, spaceBefore=2, spaceAfter=4)

Document = Mapping[str, Any]
rl_config.useA85 = 0  # or every stream is written in base 85, a quarter larger


def render(document: Document, *, digest: str, serial: str, attached: bytes) -> bytes:
    """The PDF. `digest` is SHA-256 (hex) of the document, `serial` that of the signing key; `attached` is the file that
    goes into it as it is, once.
    """
    fonts()
    out = io.BytesIO()
    said = f"License statement {document['license_id']}, as of {_moment(document['as_of'])}"

    def canvas(*args: Any, **more: Any) -> _Numbered:
        return _Numbered(*args, attached=attached, footer=said, **more)

    paper = BaseDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=said,
        author="Cirrus Link Support",
        subject=f"Activation history of {document['license_id']}",
        creator="licensing portal",
        lang="en",
        invariant=1,
        pageCompression=1,
    )
    frame = Frame(MARGIN, MARGIN + 6 * mm, WIDTH, A4[1] - 2 * MARGIN - 6 * mm, 0, 0, 0, 0)
    paper.addPageTemplates([PageTemplate("page", [frame])])
    paper.build(_story(document, digest, serial), canvasmaker=canvas)
    return out.getvalue()


def _story(document: Document, digest: str, serial: str) -> list[Any]:
    return [
        Paragraph("License statement", _TITLE),
        Paragraph(
            "What Support has on record about this license: its terms, its seats, and everything that happened to its "
            "activations. The document is signed; the last section says how to check it without asking anyone.",
            _TEXT,
        ),
        Spacer(1, 8),
        _facts(document),
        Paragraph("Activations", _HEADING),
        *_activations(document["activations"]),
        Paragraph("History", _HEADING),
        Paragraph(
            "In the order in which it was booked; times are UTC. Numbers that are missing are entries that Support "
            "keeps for itself, such as the evidence of a case; their hashes are in the signed document too.",
            _TEXT,
        ),
        Spacer(1, 5),
        *_history(document["history"]),
        _checking(document, digest, serial),
    ]


def _facts(document: Document) -> LongTable:
    terms, seats = document["terms"], document["seats"]
    rows = [
        ("Customer", document["customer"]),
        ("License", f"{document['license_id']}, {document['status']}"),
        ("Product", document["product"]),
        ("As of", f"{_moment(document['as_of'])} UTC"),
        ("Made at", f"{_moment(document['made_at'])} UTC"),
        (f"Terms, revision {terms['revision']}", terms_words(terms["features"], terms["versions"])),
        (
            "Seats",
            f"{seats['allowed']} allowed: {seats['active']} active, {seats['lost']} lost, {seats['free']} free",
        ),
    ]
    cells: list[list[Any]] = [[_cell(name, _HEAD_CELL), _cell(value)] for name, value in rows]
    borrowed = by_number(document["customer"])
    if borrowed:
        cells[0][1] = [cells[0][1], _cell(f"Some readers lack letters of this name: {borrowed}", _QUIET_CELL)]
    return LongTable(cells, colWidths=[35 * mm, WIDTH - 35 * mm], style=_style(head=False))


def _activations(rows: Sequence[Document]) -> list[Any]:
    if not rows:
        return [Paragraph("This license was never activated.", _TEXT)]
    cells = [
        (
            row["activation_id"],
            row["host"] or "-",
            row["state"],
            str(row["seat"] or "-"),
            row["version"],
            _moment(row["since"]),
            row["usage_license_id"] or "-",
        )
        for row in rows
    ]
    names = ("Activation", "Host", "State", "Seat", "Chariot", "Since (UTC)", "Usage License")
    return [_table(names, cells, (42, 28, 18, 9, 15, 18, 44))]


def _history(rows: Sequence[Document]) -> list[Any]:
    cells = [
        (
            str(row["seq"]),
            _moment(row["at"]),
            row["what"],
            "; ".join(part for part in (row["activation_id"], row["detail"]) if part) or "-",
        )
        for row in rows
    ]
    return [_table(("No.", "Time (UTC)", "What happened", "Which"), cells, (12, 28, 54, 80))]


def _checking(document: Document, digest: str, serial: str) -> KeepTogether:
    """Together on one page: whoever prints only the last page has all of it."""
    ledger = document["ledger"]
    return KeepTogether(
        [
            Paragraph("How to check this document", _HEADING),
            Paragraph(
                "Save this PDF as it came, and run the command of Chariot's license tools where you keep it. No "
                "network is needed, and nothing is changed:",
                _TEXT,
            ),
            Paragraph("chariot-license statement FILE.pdf", _CODE),
            Paragraph(
                "It checks the signature against the vendor's root certificate that came with Chariot, that neither "
                "the document nor these pages were changed, and, on a host with a Usage License, that the history is "
                "the one that Usage License was issued in. The signed file is also attached to this PDF as "
                f"{FILE_NAME}. A paper copy cannot be checked.",
                _TEXT,
            ),
            Spacer(1, 5),
            LongTable(
                [
                    [_cell("Document, SHA-256", _HEAD_CELL), _cell(digest)],
                    [_cell("Signing key, serial", _HEAD_CELL), _cell(serial)],
                    [_cell("Ledger", _HEAD_CELL), _cell(ledger["origin"])],
                    [_cell("Entries covered", _HEAD_CELL), _cell(str(ledger["length"]))],
                    [_cell("Hash of the last one", _HEAD_CELL), _cell(ledger["head"])],
                ],
                colWidths=[38 * mm, WIDTH - 38 * mm],
                style=_style(head=False),
            ),
        ]
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> LongTable:
    """`widths` in mm, together the width of the page; the head is repeated on every page."""
    cells = [[_cell(name, _HEAD_CELL) for name in names], *([_cell(value) for value in row] for row in rows)]
    return LongTable(cells, colWidths=[width * mm for width in widths], repeatRows=1, style=_style(head=True))


def _cell(text: str, style: ParagraphStyle = _CELL) -> Paragraph:
    return Paragraph(markup(text), style)


def _style(*, head: bool) -> TableStyle:
    commands: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if head:
        commands.append(("BACKGROUND", (0, 0), (-1, 0), HEAD))
    return TableStyle(commands)


def _moment(at: str) -> str:
    return at[:16].replace("T", " ")


class _Numbered(Canvas):  # type: ignore[misc]
    """Writes "page 2 of 7" once the number of pages is known, and puts the file in."""

    def __init__(self, *args: Any, attached: bytes, footer: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self._attached, self._footer = attached, footer
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - as reportlab calls it
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setStrokeColor(LINE)
            self.setLineWidth(0.4)
            self.line(MARGIN, MARGIN + 3 * mm, A4[0] - MARGIN, MARGIN + 3 * mm)
            self.setFont(PLAIN, 7)
            self.setFillColor(QUIET)
            self.drawString(MARGIN, MARGIN, self._footer)
            self.drawRightString(A4[0] - MARGIN, MARGIN, f"page {number} of {len(self._pages)}")
            Canvas.showPage(self)
        self._attach()
        super().save()

    def _attach(self) -> None:
        """The file without compression, so that it can be found and checked without a reader of PDFs."""
        document = self._doc
        kind = PDFDictionary({"Type": PDFName("EmbeddedFile"), "Subtype": PDFName("application/json")})
        stream = document.Reference(PDFStream(kind, self._attached + b"\n", filters=[]))
        file = PDFDictionary(
            {
                "Type": PDFName("Filespec"),
                "F": PDFString(FILE_NAME),
                "UF": PDFString(FILE_NAME),
                "Desc": PDFString("The signed statement"),
                "AFRelationship": PDFName("Data"),
                "EF": PDFDictionary({"F": stream}),
            }
        )
        names = PDFArray([PDFString(FILE_NAME), document.Reference(file)])
        document.Catalog.Names = PDFDictionary({"EmbeddedFiles": PDFDictionary({"Names": names})})
