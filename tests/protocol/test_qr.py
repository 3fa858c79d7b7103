"""QR codes are read back from their pixels, and their text is read like a block."""

import random
import re
from xml.etree import ElementTree

import pytest
import segno
import zxingcpp
from chariot_license.protocol.block import DamagedBlock, FoundBlock, Kind, write_block
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.qr import qr_payload, qr_svg, qr_terminal
from chariot_license.protocol.reader import find_blocks
from PIL import Image, ImageDraw, ImageFilter

REQUEST = random.Random(366).randbytes(366)
LICENSE = random.Random(900).randbytes(900)


def picture_of_svg(svg: str) -> Image.Image:
    """Draw the rows of the SVG; no more of SVG is understood than a QR code needs."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    size = int(root.attrib["width"])
    scale = 4
    image = Image.new("L", (size, size), 255)
    draw = ImageDraw.Draw(image)
    stroke = next(path for path in root.iter() if path.attrib.get("stroke") == "#000")
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", stroke.attrib["d"]):
        values = [float(number) for number in numbers.split()]
        if command == "h":
            left, top = x * scale, (y - 0.5) * scale
            draw.rectangle((left, top, left + values[0] * scale - 1, top + scale - 1), fill=0)
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return image


def picture_of_terminal(text: str) -> Image.Image:
    """Draw half blocks as a terminal does, light on dark."""
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()]
    scale = 4
    image = Image.new("L", (len(rows[0]) * scale, len(rows) * 2 * scale), 0)
    draw = ImageDraw.Draw(image)
    for down, row in enumerate(rows):
        for across, letter in enumerate(row):
            for half, letters in enumerate(("█▀", "█▄")):
                if letter in letters:
                    left, top = across * scale, (2 * down + half) * scale
                    draw.rectangle((left, top, left + scale - 1, top + scale - 1), fill=255)
    return image


def scanned(image: Image.Image) -> str:
    (code,) = zxingcpp.read_barcodes(image)
    return code.text


def test_a_payload_letter_by_letter() -> None:
    payload = qr_payload(Kind.REQUEST, b"Chariot MQTT Server")
    assert payload == "CLR1209R9MEE9S1PGRBJD5QQ882DA5A5882KCNS7CSBJ"


def test_the_largest_request_fits_version_15() -> None:
    payload = qr_payload(Kind.REQUEST, REQUEST)
    assert len(payload) == 600
    assert segno.make_qr(payload, error="m", boost_error=False).designator == "15-M"
    assert qr_svg(Kind.REQUEST, REQUEST).startswith('<svg xmlns="http://www.w3.org/2000/svg" width="340" height="340">')


@pytest.mark.parametrize(("kind", "data"), [(Kind.REQUEST, REQUEST), (Kind.LICENSE, LICENSE), (Kind.REQUEST, b"")])
def test_the_payload_is_alphanumeric_and_read_like_a_block(kind: Kind, data: bytes) -> None:
    payload = qr_payload(kind, data)
    assert re.fullmatch(r"CLR1[0-9A-HJKMNP-TV-Z]+", payload)
    wrapped = "\n> ".join(payload[at : at + 61] for at in range(0, len(payload), 61))
    for source in (payload, payload.lower(), f"Scanned today: {payload}. Regards", f"> {wrapped}\n", payload.encode()):
        assert find_blocks(source) == [FoundBlock(kind, data, write_block(kind, data), ())]


@pytest.mark.parametrize("turned", [0, 90, 180, 7, -20])
@pytest.mark.parametrize("blur", [0.0, 1.2])
def test_the_svg_is_scanned(turned: int, blur: float) -> None:
    image = picture_of_svg(qr_svg(Kind.REQUEST, REQUEST))
    image = image.rotate(turned, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.GaussianBlur(blur))
    (block,) = find_blocks(scanned(image))
    assert isinstance(block, FoundBlock)
    assert block.data == REQUEST


def test_the_svg_of_a_license_is_scanned() -> None:
    assert scanned(picture_of_svg(qr_svg(Kind.LICENSE, LICENSE))) == qr_payload(Kind.LICENSE, LICENSE)


def test_the_svg_is_a_document_of_its_own_and_does_nothing() -> None:
    svg = qr_svg(Kind.LICENSE, LICENSE)
    names = {element.tag for element in ElementTree.fromstring(svg).iter()}  # noqa: S314 - our own output
    assert names == {"{http://www.w3.org/2000/svg}" + name for name in ("svg", "title", "g", "path")}
    assert not re.search(r"script|style|class|href|onload", svg)


def test_the_terminal_shows_it_too() -> None:
    shown = qr_terminal(Kind.REQUEST, REQUEST)
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= 81
    assert scanned(picture_of_terminal(shown)) == qr_payload(Kind.REQUEST, REQUEST)


def test_a_block_and_its_qr_text_in_one_mail_are_one() -> None:
    text = write_block(Kind.REQUEST, REQUEST) + "\n" + qr_payload(Kind.REQUEST, REQUEST)
    assert find_blocks(text) == [FoundBlock(Kind.REQUEST, REQUEST, write_block(Kind.REQUEST, REQUEST), ())]


@pytest.mark.parametrize("cut", [1, 10, 300, 560])
def test_a_cut_off_payload_is_reported(cut: int) -> None:
    (block,) = find_blocks("Here it is: " + qr_payload(Kind.REQUEST, REQUEST)[:-cut])
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.damaged, block.missing) == (Kind.REQUEST, None, (), ())
    assert "scan the code again" in block.message


def test_a_changed_payload_is_reported_and_never_read() -> None:
    payload = qr_payload(Kind.REQUEST, REQUEST)
    for at in range(4, len(payload)):
        changed = payload[:at] + ("0" if payload[at] != "0" else "1") + payload[at + 1 :]
        assert not any(isinstance(block, FoundBlock) for block in find_blocks(changed))


def test_a_cut_off_copy_of_what_was_read_is_no_second_block() -> None:
    payload = qr_payload(Kind.REQUEST, REQUEST)
    for source in (f"{payload[:100]}\n\n{payload}\n", f"{write_block(Kind.REQUEST, REQUEST)}\n{payload[:100]}\n"):
        assert [type(block) for block in find_blocks(source)] == [FoundBlock]


def test_what_is_too_long_for_a_qr_code_is_refused() -> None:
    assert "<svg" in qr_svg(Kind.LICENSE, bytes(2110))
    for make in (qr_svg, qr_terminal):
        with pytest.raises(BlockError, match="too long for a QR code") as error:
            make(Kind.LICENSE, bytes(2111))
        assert error.value.code == "qr-too-large"
