"""Blocks with fixed keys, and how one mail of the corpus and its expectation are written."""

from __future__ import annotations

import base64
import io
import quopri
from dataclasses import dataclass, field
from typing import Any

import segno
from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import format_deactivation_code, format_public_id
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.request import request_proof, sign_request, thumbprint
from PIL import Image, ImageFilter

from tests.protocol.samples import INSTANCE_KEY, LICENSE_KEY, public, some_bytes, usage_request


def _signed(label: str, hostname: str, counter: int) -> tuple[str, bytes]:
    request_id = some_bytes(f"mail request {label}", 16)
    proof = request_proof(LICENSE_KEY, thumbprint(public(INSTANCE_KEY)), request_id)
    request = usage_request(request_id=request_id, proof=proof, hostname=hostname, counter=counter)
    return request_id.hex(), sign_request(request, INSTANCE_KEY)


ONE_ID, ONE = _signed("one", "mqtt-01.plant.example", 1)
TWO_ID, TWO = _signed("two", "mqtt-02.plant.example", 2)
BLOCK, BLOCK_TWO = write_block(Kind.REQUEST, ONE), write_block(Kind.REQUEST, TWO)
LICENSE_ID = format_public_id("LIC", some_bytes("mail license", 10))
CODE = format_deactivation_code(some_bytes("mail deactivation", 16))
SUPPORT = "support@example.com"
PLANT = "plant@example.org"


@dataclass
class Sample:
    """One mail. `expected` is what tests/mails/NAME.json says; keys that are left out are empty or false."""

    name: str
    source: bytes
    expected: dict[str, Any] = field(default_factory=dict)


SAMPLES: dict[str, Sample] = {}


def sample(name: str, source: str | bytes, **expected: Any) -> None:
    """Add a mail. A text has its lines ended as mail has them."""
    data = source.replace("\n", "\r\n").encode("utf-8") if isinstance(source, str) else source
    defaults: dict[str, Any] = {
        "sender": ["Joe Smith", PLANT],
        "subject": "Usage Request",
        "message_id": f"{name}@example.org",
        "requests": [],
        "license_ids": [],
        "deactivation_codes": [],
        "attachments": [],
        "automatic": False,
        "bounces": [],
        "problems": [],
        "text_has": [],
        "text_lacks": [],
        "own_has": [],
        "own_lacks": [],
    }
    assert name not in SAMPLES, name
    assert set(expected) <= set(defaults), set(expected) - set(defaults)
    SAMPLES[name] = Sample(name, data, defaults | expected)


def head(name: str, content_type: str = "text/plain; charset=us-ascii", *more: str, **changed: str) -> str:
    """The header section of a mail from the plant, with the blank line behind it."""
    fields = {
        "From": f"Joe Smith <{PLANT}>",
        "To": f"Support <{SUPPORT}>",
        "Subject": "Usage Request",
        "Date": "Tue, 24 Nov 2026 09:12:33 +0100",
        "Message-ID": f"<{name}@example.org>",
        "MIME-Version": "1.0",
        "Content-Type": content_type,
    }
    fields |= {key.replace("_", "-"): value for key, value in changed.items()}
    return "\n".join([*(f"{key}: {value}" for key, value in fields.items() if value), *more]) + "\n\n"


def multipart(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}\n{part.rstrip()}\n" for part in parts) + f"--{boundary}--\n"


def part(content_type: str, body: str, *more: str) -> str:
    return "\n".join([f"Content-Type: {content_type}", *more]) + "\n\n" + body


def in_base64(data: bytes | str) -> str:
    data = data.encode() if isinstance(data, str) else data
    return base64.encodebytes(data).decode()


def in_quoted_printable(text: str, charset: str = "utf-8") -> str:
    return quopri.encodestring(text.encode(charset)).decode()


def attached(name: str, media_type: str, data: bytes | str, disposition: str = "attachment") -> str:
    return part(
        f'{media_type}; name="{name}"',
        in_base64(data),
        f'Content-Disposition: {disposition}; filename="{name}"',
        "Content-Transfer-Encoding: base64",
    )


def photo(data: bytes, form: str, *, turned: float = 0, blurred: float = 0) -> bytes:
    """A picture of the QR code of a Usage Request, as a phone takes it."""
    out = io.BytesIO()
    segno.make_qr(qr_payload(Kind.REQUEST, data), error="m", boost_error=False).save(out, kind="png", scale=5, border=6)
    image = Image.open(out).convert("L")
    if turned:
        image = image.rotate(turned, expand=True, fillcolor=230)
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(blurred))
    out = io.BytesIO()
    image.save(out, format=form)
    return out.getvalue()


def quoted(text: str, mark: str = "> ") -> str:
    return "".join(f"{mark}{line}\n".replace(" \n", "\n") for line in text.splitlines())
