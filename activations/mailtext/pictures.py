"""QR codes in photographs and screen shots. The picture comes from anyone: formats, pixels and time are bounded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import zxingcpp
from PIL import Image, ImageOps

# The plain formats of mail programs and phones. Others have decoders that few people look after.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# A phone's photo has up to 50 million pixels; a JPEG of any size is decoded at a fraction of it.
MAX_PIXELS = 60_000_000
MAX_UNREDUCED = 30_000_000
# The sides at which a code is looked for: a code of 70 modules is read at some 300 pixels, noise goes with the size.
_SIDES = (1600, 3200)
_TOO_LARGE = "it has more pixels than are safe to open"
_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
_MOST_CODES = 8
_MAX_PAYLOAD = 10_000

BROKEN = (OSError, ValueError, TypeError, SyntaxError, ArithmeticError, LookupError, AttributeError, EOFError)


@dataclass(frozen=True)
class Picture:
    """The texts of the QR codes in a picture. `trouble` says why it could not be looked at, "" if it was."""

    payloads: tuple[str, ...]
    trouble: str
    pixels: int


def read_picture(data: bytes, most_pixels: int = MAX_PIXELS) -> Picture:
    """Return the QR codes in a picture of at most `most_pixels`. Never raises."""
    try:
        with warnings.catch_warnings():
            # Pillow's own warning of a bomb: the bound here is tighter.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        return Picture((), _TOO_LARGE, 0)
    except BROKEN:
        return Picture((), "it is no PNG, JPEG, GIF, WebP or BMP that can be read", 0)
    pixels = image.width * image.height
    limit = min(most_pixels, MAX_PIXELS if image.format == "JPEG" else MAX_UNREDUCED)
    if pixels > limit:
        return Picture((), _TOO_LARGE, 0)
    payloads: list[str] = []
    try:
        if image.format == "JPEG":
            image.draft("L", (_SIDES[-1], _SIDES[-1]))
        grey = _grey(image)
        for side in _SIDES:
            payloads = _codes(grey, side)
            if payloads or max(grey.size) <= side:
                break
    except (*BROKEN, RuntimeError, MemoryError, Image.DecompressionBombError):
        return Picture((), "it is damaged", pixels)
    return Picture(tuple(payloads), "", pixels)


def _grey(image: Image.Image) -> Image.Image:
    """Return it in shades of grey, on white where it is transparent, turned as the phone was held."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image.thumbnail((_SIDES[-1], _SIDES[-1]))
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white
    return image.convert("L")


def _codes(grey: Image.Image, side: int) -> list[str]:
    if max(grey.size) > side:
        grey = grey.copy()
        grey.thumbnail((side, side))
    found = zxingcpp.read_barcodes(grey, formats=_QR, try_invert=True)
    return list(dict.fromkeys(code.text[:_MAX_PAYLOAD] for code in found[:_MOST_CODES] if code.text))
