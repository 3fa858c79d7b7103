"""Attached files: requests, forwarded mails, photographs, archives, and what cannot be read."""

from __future__ import annotations

import io
import zipfile

from tests.mailtext.corpus.samples import (
    BLOCK,
    LICENSE_ID,
    ONE,
    ONE_ID,
    TWO,
    TWO_ID,
    attached,
    head,
    in_base64,
    multipart,
    part,
    photo,
    sample,
)

SEE = part("text/plain; charset=us-ascii", "See the file.\n")


def with_file(name: str, *parts: str, **expected: object) -> None:
    sample(
        name,
        head(name, 'multipart/mixed; boundary="f"') + multipart("f", SEE, *parts),
        text_has=["See the file."],
        **expected,
    )


with_file(
    "attached-txt",
    attached("usage-request.txt", "text/plain", BLOCK),
    requests=[ONE_ID],
    attachments=[["usage-request.txt", "request"]],
)
with_file(
    "attached-req-as-octets",
    attached("mqtt-01.req", "application/octet-stream", BLOCK),
    requests=[ONE_ID],
    attachments=[["mqtt-01.req", "request"]],
)
with_file(
    "attached-utf-16-by-notepad",
    attached("request.txt", "text/plain", BLOCK.encode("utf-16")),
    requests=[ONE_ID],
    attachments=[["request.txt", "request"]],
)
with_file(
    "attached-log",
    attached("chariot.log", "text/plain", f"INFO start\n{BLOCK}INFO end\n"),
    requests=[ONE_ID],
    attachments=[["chariot.log", "request"]],
)
with_file(
    "attached-name-with-path",
    part(
        "text/plain",
        in_base64(BLOCK),
        "Content-Disposition: attachment; filename*0*=utf-8''..%2F..%2Fetc%2F; filename*1*=Kl%C3%A4r.txt",
        "Content-Transfer-Encoding: base64",
    ),
    requests=[ONE_ID],
    attachments=[["Klär.txt", "request"]],
)
with_file(
    "photo-png",
    attached("qr.png", "image/png", photo(ONE, "PNG")),
    requests=[ONE_ID],
    attachments=[["qr.png", "image"]],
)
with_file(
    "photo-jpeg-turned",
    attached("IMG_0107.JPG", "image/jpeg", photo(ONE, "JPEG", turned=11, blurred=0.8)),
    requests=[ONE_ID],
    attachments=[["IMG_0107.JPG", "image"]],
)
with_file(
    "photo-two-codes",
    attached("1.webp", "image/webp", photo(ONE, "WEBP")),
    attached("2.gif", "image/gif", photo(TWO, "GIF")),
    requests=[ONE_ID, TWO_ID],
    attachments=[["1.webp", "image"], ["2.gif", "image"]],
)
with_file(
    "photo-heic",
    attached("IMG_0108.HEIC", "image/heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    attachments=[["IMG_0108.HEIC", "image"]],
    problems=["HEIC"],
)
name = "photo-inline-in-html"
sample(
    name,
    head(name, 'multipart/related; boundary="r"')
    + multipart(
        "r",
        part(
            "text/html; charset=utf-8",
            '<p>Photo:</p><img src="cid:1@example.org"><img src="https://track.example.org/1.gif">',
        ),
        part(
            "image/png; name=image001.png",
            in_base64(photo(ONE, "PNG")),
            "Content-ID: <1@example.org>",
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: inline",
        ),
    ),
    requests=[ONE_ID],
    attachments=[["image001.png", "image"]],
    text_has=["Photo:"],
    text_lacks=["track.example.org"],
)
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr(zipfile.ZipInfo("request.txt", (2026, 11, 24, 9, 12, 0)), BLOCK)
with_file(
    "attached-zip",
    attached("request.zip", "application/zip", packed.getvalue()),
    attachments=[["request.zip", "archive"]],
    problems=["request.zip"],
)
with_file(
    "attached-zip-called-txt",
    attached("request.txt", "text/plain", packed.getvalue()),
    attachments=[["request.txt", "archive"]],
    problems=["request.txt"],
)
with_file(
    "attached-7z",
    attached("r.7z", "application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c rest"),
    attachments=[["r.7z", "archive"]],
    problems=["r.7z"],
)
with_file(
    "attached-pdf",
    attached("request.pdf", "application/pdf", b"%PDF-1.7\n"),
    attachments=[["request.pdf", "other"]],
    problems=["request.pdf"],
)
with_file(
    "winmail",
    attached("winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22\x01\x00\x06\x90\x08\x00"),
    attachments=[["winmail.dat", "other"]],
    problems=["winmail.dat"],
)
with_file(
    "calendar",
    part(
        "text/calendar; charset=utf-8; method=REQUEST",
        f"BEGIN:VCALENDAR\nSUMMARY:Activate {LICENSE_ID}\nEND:VCALENDAR\n",
    ),
    license_ids=[LICENSE_ID],
    attachments=[["part-1.ics", "text"]],
)

INNER = head("inner", From="Joe Smith <ops@example.org>", Subject=f"Chariot for {LICENSE_ID}") + f"Hello IT,\n\n{BLOCK}"
with_file(
    "forwarded-as-attachment",
    part("message/rfc822", INNER),
    requests=[ONE_ID],
    license_ids=[LICENSE_ID],
    attachments=[[f"Chariot for {LICENSE_ID}.eml", "mail"]],
)
with_file(
    "forwarded-eml-in-base64",
    attached("AW Chariot.eml", "application/octet-stream", INNER),
    requests=[ONE_ID],
    license_ids=[LICENSE_ID],
    attachments=[["AW Chariot.eml", "mail"]],
)
nest = head("nest", 'multipart/mixed; boundary="n"', Subject="Inner") + multipart(
    "n", part("text/plain", "inner text"), attached("qr.png", "image/png", photo(TWO, "PNG"))
)
with_file("forwarded-with-photo", part("message/rfc822", nest), requests=[TWO_ID], attachments=[["Inner.eml", "mail"]])
with_file(
    "outlook-msg",
    attached("Request.msg", "application/vnd.ms-outlook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    attachments=[["Request.msg", "other"]],
    problems=["Request.msg"],
)

name = "smime-encrypted"
sample(
    name,
    head(name, "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "Content-Transfer-Encoding: base64")
    + in_base64(b"\x30\x80" * 40),
    attachments=[["smime.p7m", "other"]],
    problems=["is encrypted"],
)
name = "smime-signed-opaque"
sample(
    name,
    head(name, "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", "Content-Transfer-Encoding: base64")
    + in_base64(b"\x30\x80" * 40),
    attachments=[["smime.p7m", "other"]],
    problems=["signed in a form"],
)
name = "smime-signed-clear"
sample(
    name,
    head(name, 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="s"')
    + multipart("s", part("text/plain", BLOCK), attached("smime.p7s", "application/pkcs7-signature", b"\x30\x80")),
    requests=[ONE_ID],
    attachments=[["smime.p7s", "other"]],
)
name = "pgp-mime"
sample(
    name,
    head(name, 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="p"')
    + multipart(
        "p",
        part("application/pgp-encrypted", "Version: 1\n"),
        part(
            'application/octet-stream; name="encrypted.asc"',
            "-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
        ),
    ),
    attachments=[["part-1", "other"], ["encrypted.asc", "text"]],
    problems=["is encrypted"],
)
name = "pgp-inline"
sample(
    name, head(name) + "-----BEGIN PGP MESSAGE-----\n\nhQEMA1\n-----END PGP MESSAGE-----\n", problems=["is encrypted"]
)
name = "broken-off"
sample(
    name,
    head(name, 'multipart/mixed; boundary="b"')
    + f"--b\n{part('text/plain', BLOCK)}--b\nContent-Type: application/pdf; name=a.pdf\n\n%PDF",
    requests=[ONE_ID],
    attachments=[["a.pdf", "other"]],
    problems=["breaks off", "a.pdf"],
)
name = "boundary-nowhere"
sample(name, head(name, 'multipart/mixed; boundary="b"') + BLOCK, requests=[ONE_ID], problems=["where its parts begin"])
name = "behind-the-last-part"
sample(
    name,
    head(name, 'multipart/mixed; boundary="b"') + multipart("b", SEE) + BLOCK,
    requests=[ONE_ID],
    problems=["outside the parts"],
)
name = "no-header-at-all"
sample(name, BLOCK, sender=["", ""], subject="", message_id="", requests=[ONE_ID], problems=["no sender"])
name = "photo-inside-the-html"
sample(
    name,
    head(name, "text/html; charset=utf-8")
    + f'<p>Photo:</p><img src="data:image/png;base64,{in_base64(photo(ONE, "PNG"))}"><p>Regards</p>',
    requests=[ONE_ID],
    attachments=[["part-1.png", "image"]],
    text_has=["Photo:", "Regards"],
    text_lacks=["base64"],
)
name = "report-with-request-beside"
sample(
    name,
    head(name, 'multipart/mixed; boundary="o"')
    + multipart(
        "o",
        part(
            'multipart/report; report-type=delivery-status; boundary="i"',
            multipart("i", SEE, part("message/delivery-status", "Reporting-MTA: dns; x\n")),
        ),
        attached("request.txt", "text/plain", BLOCK),
    ),
    requests=[ONE_ID],
    attachments=[["part-1.txt", "text"], ["request.txt", "request"]],
)
