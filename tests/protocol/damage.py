"""What mail, people and their programs do to a text block, one kind a function, for the tests.

Every kind takes a seeded `random.Random` and what the block has become so far. Kinds are applied in the order of
their stage, as they are in life: damaged while retyping, laid out, quoted, put into HTML, encoded. Here is what
people do to lines and letters; damage_by_mail.py adds what programs do around them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chariot_license.protocol.base32 import ALPHABET

Apply = TypeVar("Apply", bound=Callable[[random.Random, str], str | bytes])

RETYPED, LETTERS, LAYOUT, AROUND, QUOTED, MARKUP, ENCODED = range(7)


@dataclass(frozen=True)
class Damage:
    """One kind. `lines` is how many numbered lines it can take away, `edges` how many of first and last."""

    name: str
    stage: int
    apply: Callable[[random.Random, str], str | bytes]
    lines: int = 0
    edges: int = 0


KINDS: dict[str, Damage] = {}


def kind(stage: int, lines: int = 0, edges: int = 0) -> Callable[[Apply], Apply]:
    def register(function: Apply) -> Apply:
        KINDS[function.__name__] = Damage(function.__name__, stage, function, lines, edges)
        return function

    return register


def edit_line(text: str, number: int, edit: Callable[[str], str]) -> str:
    """Return the text with its line `number` edited."""
    lines = text.splitlines()
    lines[number] = edit(lines[number])
    return "\n".join(lines) + "\n"


def some_line(rng: random.Random, text: str) -> int:
    """Return the place of one of its numbered lines."""
    return rng.choice([at for at, line in enumerate(text.splitlines()) if line[:2].isdigit() and len(line) > 50])


# ---- retyped, cut, lost


@kind(RETYPED, lines=1)
def one_wrong_letter(rng: random.Random, text: str) -> str:
    def edit(line: str) -> str:
        at = rng.choice([at for at in range(3, len(line)) if line[at] != " "])
        return line[:at] + rng.choice(ALPHABET.replace(line[at], "")) + line[at + 1 :]

    return edit_line(text, some_line(rng, text), edit)


@kind(RETYPED, lines=2)
def wrong_letters_in_two_lines(rng: random.Random, text: str) -> str:
    return one_wrong_letter(rng, one_wrong_letter(rng, text))


@kind(RETYPED, lines=4)
def wrong_letters_in_many_lines(rng: random.Random, text: str) -> str:
    for _ in range(4):
        text = one_wrong_letter(rng, text)
    return text


@kind(RETYPED, lines=1)
def letter_left_out(rng: random.Random, text: str) -> str:
    def edit(line: str) -> str:
        at = rng.choice([at for at in range(3, len(line)) if line[at] != " "])
        return line[:at] + line[at + 1 :]

    return edit_line(text, some_line(rng, text), edit)


@kind(RETYPED, lines=1)
def letter_doubled(rng: random.Random, text: str) -> str:
    def edit(line: str) -> str:
        at = rng.choice([at for at in range(3, len(line)) if line[at] != " "])
        return line[:at] + line[at] + line[at:]

    return edit_line(text, some_line(rng, text), edit)


@kind(RETYPED, lines=1)
def neighbours_swapped(rng: random.Random, text: str) -> str:
    def edit(line: str) -> str:
        at = rng.choice([at for at in range(3, len(line) - 1) if " " not in line[at : at + 2]])
        return line[:at] + line[at + 1] + line[at] + line[at + 2 :]

    return edit_line(text, some_line(rng, text), edit)


@kind(RETYPED, lines=1)
def group_left_out(rng: random.Random, text: str) -> str:
    def edit(line: str) -> str:
        groups = line.split(" ")
        del groups[rng.randrange(1, len(groups))]
        return " ".join(groups)

    return edit_line(text, some_line(rng, text), edit)


@kind(RETYPED, lines=2)
def wrong_line_number(rng: random.Random, text: str) -> str:
    return edit_line(text, some_line(rng, text), lambda line: f"{rng.randrange(100):02d}{line[2:]}")


@kind(RETYPED, lines=1)
def line_replaced_by_prose(rng: random.Random, text: str) -> str:
    return edit_line(text, some_line(rng, text), lambda line: "(I cannot read this one, see the 2nd photo)")


@kind(RETYPED, lines=1)
def unreadable_letters(rng: random.Random, text: str) -> str:
    return edit_line(text, some_line(rng, text), lambda line: line[:20] + rng.choice("?*§#�") * 3 + line[23:])


@kind(RETYPED, lines=2)
def two_lines_lost(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    for number in sorted(rng.sample(range(1, len(lines) - 1), 2), reverse=True):
        del lines[number]
    return "\n".join(lines) + "\n"


@kind(RETYPED, lines=3)
def three_lines_lost(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    for number in sorted(rng.sample(range(1, len(lines) - 1), 3), reverse=True):
        del lines[number]
    return "\n".join(lines) + "\n"


@kind(RETYPED, edges=1)
def first_line_lost(rng: random.Random, text: str) -> str:
    return text.split("\n", 1)[1]


@kind(RETYPED, edges=1)
def last_line_lost(rng: random.Random, text: str) -> str:
    return text.rstrip().rsplit("\n", 1)[0] + "\n"


@kind(RETYPED, edges=2)
def first_and_last_line_lost(rng: random.Random, text: str) -> str:
    return last_line_lost(rng, first_line_lost(rng, text))


@kind(RETYPED, edges=1)
def first_line_misspelt(rng: random.Random, text: str) -> str:
    first, rest = text.split("\n", 1)
    at = rng.randrange(len(first))
    return first[:at] + rng.choice("XYZ7?") + first[at + 1 :] + "\n" + rest


@kind(RETYPED, edges=2)
def block_id_misread(rng: random.Random, text: str) -> str:
    name = text.split("\n", 1)[0][-4:]
    return text.replace(name, "".join(rng.sample("ACEH", 4)))


@kind(RETYPED, lines=2)
def two_lines_exchanged(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    one, other = rng.sample(range(1, len(lines) - 1), 2)
    lines[one], lines[other] = lines[other][:2] + lines[one][2:], lines[one][:2] + lines[other][2:]
    return "\n".join(lines) + "\n"


@kind(RETYPED, lines=99, edges=1)
def cut_off(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) // 3, len(text))]


@kind(RETYPED, lines=99)
def right_margin_cut_off(rng: random.Random, text: str) -> str:
    width = rng.randrange(56, 65)
    return "\n".join(line[:width] for line in text.splitlines()) + "\n"


@kind(RETYPED)
def lines_in_another_order(rng: random.Random, text: str) -> str:
    first, *lines, last = text.splitlines()
    rng.shuffle(lines)
    return "\n".join([first, *lines, last]) + "\n"


@kind(RETYPED)
def pasted_twice_with_different_lines_lost(rng: random.Random, text: str) -> str:
    # Up to three lines lost in each copy, never the same ones.
    lines = text.splitlines()
    half = min(3, (len(lines) - 2) // 2)
    lost = rng.sample(range(1, len(lines) - 1), 2 * half)
    copies = [[line for number, line in enumerate(lines) if number not in part] for part in (lost[:half], lost[half:])]
    return "\n".join([*copies[0], "", "and once more:", "", *copies[1]]) + "\n"


@kind(RETYPED)
def pasted_twice_once_cut_off(rng: random.Random, text: str) -> str:
    copies = [text, text[: rng.randrange(60, len(text))]]
    rng.shuffle(copies)
    return "\n\nSorry, here it is again:\n\n".join(copies)


@kind(RETYPED)
def wrong_line_crossed_out_and_repeated(rng: random.Random, text: str) -> str:
    number = some_line(rng, text)
    wrong = one_wrong_letter(rng, text).splitlines()[number]
    return edit_line(text, number, lambda line: wrong + "\n" + line)


# ---- letters


@kind(LETTERS)
def lower_case(rng: random.Random, text: str) -> str:
    return text.lower()


@kind(LETTERS)
def mixed_case(rng: random.Random, text: str) -> str:
    return "".join(rng.choice((letter.upper(), letter.lower())) for letter in text)


@kind(LETTERS)
def lookalikes(rng: random.Random, text: str) -> str:
    return "".join(rng.choice({"0": "0Oo", "1": "1IiLl", "V": "VU"}.get(letter, letter)) for letter in text)


@kind(LETTERS)
def fullwidth(rng: random.Random, text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in text)


@kind(LETTERS)
def cyrillic_lookalikes(rng: random.Random, text: str) -> str:
    return text.translate(str.maketrans("ABEKMHOPCTX", "АВЕКМНОРСТХ"))  # noqa: RUF001


@kind(LETTERS)
def arabic_digits(rng: random.Random, text: str) -> str:
    return text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))


@kind(LETTERS)
def mathematical_letters(rng: random.Random, text: str) -> str:
    # What some phones offer as bold.
    return "".join(chr(0x1D400 + ord(one) - 65) if "A" <= one <= "Z" else one for one in text)
