"""QR codes of Usage Requests and Usage Licenses (Design 4; docs/protocol.md, "QR code")."""

import io

import segno
from segno.encoder import DataOverflowError

from chariot_license.protocol.block import Kind
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.qr_text import make_payload

_LIGHT_ON_BLACK = "\x1b[97;40m"
_RESET = "\x1b[0m"


def qr_payload(kind: Kind, data: bytes) -> str:
    """Return the text of the QR code: capitals and digits only, which `find_blocks` reads too.

    Raises BlockError "block-too-large".
    """
    return make_payload(kind, data)


def qr_svg(kind: Kind, data: bytes) -> str:
    """Return the QR code as an SVG document without script, with the quiet zone a scanner needs.

    Raises BlockError "block-too-large", "qr-too-large".
    """
    out = io.BytesIO()
    _code(kind, data).save(
        out,
        kind="svg",
        scale=4,
        border=4,
        light="#fff",
        xmldecl=False,
        title=kind.words,
        svgclass=None,
        lineclass=None,
    )
    return out.getvalue().decode("utf-8")


def qr_terminal(kind: Kind, data: bytes) -> str:
    """Return the QR code for a terminal of any colours, two rows of it in one line of text.

    Raises BlockError "block-too-large", "qr-too-large".
    """
    out = io.StringIO()
    _code(kind, data).terminal(out=out, border=2, compact=True)
    # Light on dark in colours of its own: many scanners cannot read the negative that a light terminal shows.
    return "".join(f"{_LIGHT_ON_BLACK}{line}{_RESET}\n" for line in out.getvalue().splitlines())


def _code(kind: Kind, data: bytes) -> segno.QRCode:
    payload = qr_payload(kind, data)
    try:
        return segno.make_qr(payload, error="m", mode="alphanumeric", boost_error=False)
    except DataOverflowError as error:
        raise BlockError(
            "qr-too-large",
            f"The {kind.words} is too long for a QR code. Send the text block or the file instead.",
            length=len(data),
        ) from error
