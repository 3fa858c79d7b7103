"""What comes together while one mail is read, with the bounds that hold for all of its parts together."""

from __future__ import annotations

from dataclasses import dataclass, field

from activations.mailtext.decoding import storable
from activations.mailtext.html_text import MAX_HTML
from activations.mailtext.values import Attachment

MAX_TEXT = 200_000
# All searchable texts together stay below what `find_blocks` reads at once.
MAX_SEARCHABLE = 1_900_000
MOST_SEARCHABLE = 300
MOST_PARTS = 500
MOST_ATTACHMENTS = 200
MOST_PIXELS = 150_000_000
MOST_PICTURES = 30
MOST_PROBLEMS = 40
_MAX_HIDDEN = 200_000


@dataclass
class Findings:
    """Grows while the parts are read. What no longer fits is named in `problems`."""

    searchable: dict[str, None] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)
    reports: list[bytes] = field(default_factory=list)
    hidden: str = ""
    original_message_id: str = ""
    parts_left: int = MOST_PARTS
    letters_left: int = MAX_SEARCHABLE
    html_left: int = MAX_HTML
    pixels_left: int = MOST_PIXELS
    pictures_left: int = MOST_PICTURES

    def problem(self, sentence: str) -> None:
        """Note a sentence for staff, once."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.setdefault(sentence)
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems["There is more in this mail that could not be read. Look at the mail itself."] = None

    def search(self, text: str, what: str) -> None:
        """Take a text to be searched; `what` names it where it does not fit any more."""
        text = storable(text).strip()
        if not text or text in self.searchable:
            return
        room = self.letters_left if len(self.searchable) < MOST_SEARCHABLE else 0
        if len(text) > room:
            self.problem(
                f"{what} is too long to be searched to its end."
                " If the Usage Request stands further down, paste it, or ask for the request alone."
            )
            text = text[:room]
        if text:
            self.searchable[text] = None
            self.letters_left -= len(text) + 2

    def conceal(self, text: str) -> None:
        """Take text that the mail hides from its reader."""
        self.hidden += text[: max(0, _MAX_HIDDEN - len(self.hidden))] + "\n"

    def attach(self, attachment: Attachment) -> None:
        """Take an attached file."""
        if len(self.attachments) < MOST_ATTACHMENTS:
            self.attachments.append(attachment)
        else:
            self.problem(
                f"The mail has more than {MOST_ATTACHMENTS} attached files; the ones after that are not listed."
                " Look at the mail itself."
            )
