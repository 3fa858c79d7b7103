"""From the HTML of a mail to the plain text a person reads, and apart from it what the HTML hides.

Of HTML nothing survives but the words, their lines and what is quoted: no tag, no address of a link, no picture.
Nothing is fetched. Tables are read row by row and cell by cell, as the mail was written: a layout that sets cells side
by side would write the lines of a block in one cell and those of a side bar in the next into each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

# Of one part in characters. A thread of years in the HTML of Word stays below.
MAX_HTML = 2_000_000
MOST_QUOTED = 10  # levels of quoting that are shown
_MAX_OUT = 4_000_000
_MOST_PICTURES = 50
_MOST_STEPS = 300_000  # two for an element

# Never shown: their text is for the program, or for readers that have another text of the same.
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noframes", "noembed", "object", "svg", "math"})
_BREAKING = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dir", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend",
    "li", "listing", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead",
    "tr", "ul", "xmp",
})  # fmt: skip
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol", "blockquote", "table", "dl", "hr"})
_VERBATIM = frozenset({"pre", "textarea", "listing", "xmp", "plaintext"})
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*0*\.?0+(?:px|pt|em|rem|%)?\s*(?:;|!|$)|opacity\s*:\s*0*\.?0+\s*(?:;|!|$)"
    r"|max-(?:height|width)\s*:\s*0+(?:px|pt)?\s*(?:;|!|$)|text-indent\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
_NO_MARGIN = re.compile(r"margin(?:-top|-bottom)?\s*:\s*0", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_TAG = re.compile(r"<[A-Za-z/!][^<>]{0,2000}>")
_FATAL = 3


@dataclass(frozen=True)
class HtmlText:
    """`text` is what a person sees, `hidden` what is in the HTML and not shown; `whole` if all of it could be read.

    `pictures` are those that stand in the HTML itself, as data: addresses.
    """

    text: str
    hidden: str
    whole: bool
    pictures: tuple[str, ...] = ()


def text_of_html(source: str) -> HtmlText:
    """Return the text of an HTML part, bounded in time and memory. Never raises."""
    whole = len(source) <= MAX_HTML
    source = source[:MAX_HTML].replace("\0", "")
    if not source.strip():
        return HtmlText("", "", whole)
    # As deep as it goes: without huge_tree everything below level 256 is dropped without a word.
    parser = etree.HTMLParser(recover=True, huge_tree=True, no_network=True, encoding="utf-8")
    try:
        root = etree.fromstring(source.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        root = None
    if root is None:
        return HtmlText(_without_tags(source), "", False)
    if any(error.level >= _FATAL for error in parser.error_log):
        return HtmlText(_without_tags(source), "", False)
    page = _Page()
    for steps, (event, element) in enumerate(etree.iterwalk(root, events=("start", "end", "comment", "pi"))):
        page.take(event, element)
        if page.size > _MAX_OUT or steps > _MOST_STEPS:
            whole = False
            break
    whole = whole and not page.pictures_left_out
    return HtmlText(page.text(), page.hidden(), whole, tuple(page.pictures))


def _without_tags(source: str) -> str:
    """Return what is left when every tag is a new line: for HTML that cannot be read as such."""
    return _TAG.sub("\n", source)


@dataclass
class _Page:
    """Lines as they come about. `_concealed`, `_verbatim`, `_quoted` count the open elements of that kind."""

    size: int = 0
    pictures: list[str] = field(default_factory=list)
    pictures_left_out: bool = False
    _out: list[str] = field(default_factory=list)
    _unseen: list[str] = field(default_factory=list)
    _line: list[str] = field(default_factory=list)
    _space: bool = False
    _blank: bool = False
    _concealed: list[etree._Element] = field(default_factory=list)
    _verbatim: int = 0
    _quoted: int = 0
    _last_quoted: int = 0

    def take(self, event: str, element: etree._Element) -> None:
        tag = element.tag
        if event == "start" and isinstance(tag, str):
            self._open(tag.lower(), element)
            self._write(element.text)
        elif event == "end" and isinstance(tag, str):
            self._close(tag.lower(), element)
            self._write(element.tail)
        elif event in ("comment", "pi"):
            if event == "comment" and element.text:
                self._unseen.append(element.text)
            self._write(element.tail)

    def text(self) -> str:
        self._end_line()
        return "\n".join(self._out).strip("\n").replace("\u00a0", " ")

    def hidden(self) -> str:
        return "\n".join(self._unseen)

    def _open(self, tag: str, element: etree._Element) -> None:
        if tag in _UNSEEN or _hides(element):
            self._concealed.append(element)
        if self._concealed:
            return
        if tag == "br":
            self._end_line(keep_blank=True)
        elif tag in ("td", "th"):
            self._space = self._space or bool(self._line)
        elif tag in _BREAKING:
            self._break(tag, element)
        if tag == "li":
            self._line.append("- ")
        elif tag == "hr":
            self._line.append("_" * 32)
        elif tag == "img" and (element.get("src") or "")[:20].lower().lstrip().startswith("data:"):
            if len(self.pictures) < _MOST_PICTURES:
                self.pictures.append(element.get("src") or "")
            else:
                self.pictures_left_out = True
        if tag in _VERBATIM:
            self._verbatim += 1
        if _quotes(tag, element):
            self._quoted += 1

    def _close(self, tag: str, element: etree._Element) -> None:
        if self._concealed:
            if self._concealed[-1] is element:
                self._concealed.pop()
            return
        if tag in _BREAKING:
            self._break(tag, element)
        if tag in _VERBATIM:
            self._verbatim -= 1
        if _quotes(tag, element):
            self._quoted -= 1

    def _break(self, tag: str, element: etree._Element) -> None:
        self._end_line()
        if tag in _APART and not _is_tight(tag, element):
            self._blank = True

    def _end_line(self, *, keep_blank: bool = False) -> None:
        line = "".join(self._line).rstrip(" \t")
        self._line.clear()
        self._space = False
        if line:
            self._put(line)
        elif keep_blank and self._out:
            self._put("")

    def _put(self, line: str) -> None:
        quoted = min(self._quoted, MOST_QUOTED)
        mark = "> " * quoted
        if self._blank and self._out and self._out[-1].strip("> "):
            self._out.append(("> " * min(quoted, self._last_quoted)).rstrip())
        self._blank = False
        self._last_quoted = quoted
        self._out.append((mark + line).rstrip(" "))
        self.size += len(mark) + len(line) + 1

    def _write(self, text: str | None) -> None:
        if not text:
            return
        if self._concealed:
            self._unseen.append(text)
        elif self._verbatim:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self._line.append(first)
            for line in others:
                self._end_line(keep_blank=True)
                self._line.append(line)
        else:
            words = _SPACE.sub(" ", text)
            self._space = self._space or words.startswith(" ")
            if words != " ":
                if self._space and self._line and not self._line[-1].endswith(" "):
                    self._line.append(" ")
                self._line.append(words.strip(" "))
                self._space = words.endswith(" ")


def _hides(element: etree._Element) -> bool:
    style = element.get("style") or ""
    return "hidden" in element.attrib or bool(style and _HIDING.search(style[:2000]))


def _quotes(tag: str, element: etree._Element) -> bool:
    """Say whether it is a quoted mail. A blockquote is also how mail programs indent."""
    if tag != "blockquote":
        return False
    return element.get("type") == "cite" or "cite" in element.attrib or "quote" in (element.get("class") or "")


def _is_tight(tag: str, element: etree._Element) -> bool:
    """Say whether there is no blank line around it: Outlook writes each line as a paragraph without margins."""
    if tag != "p":
        return tag == "table"
    return "MsoNormal" in (element.get("class") or "") or bool(_NO_MARGIN.search((element.get("style") or "")[:2000]))
