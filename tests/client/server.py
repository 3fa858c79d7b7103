"""A real server that answers Usage Requests as it is told to, over http or over TLS with a certificate of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.vendor import Vendor

PATH = "/api/v1/online/usage-requests"


@dataclass
class Said:
    """One answer: JSON, or bytes as they are."""

    status: int
    body: dict[str, Any] | bytes
    headers: dict[str, str] = field(default_factory=dict)


Answers = Callable[[str], Said]


class Portal:
    """Answers with `answers`, one function for each request, the last one for all that follow. `got` keeps the blocks;
    `seen` all that arrived.
    """

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.got: list[str] = []
        self.seen: list[tuple[str, bytes]] = []
        self.address = ""

    def answer(self, path: str, body: bytes) -> Said:
        self.seen.append((path, body))
        if not path.endswith(PATH):
            return Said(404, b"<h1>Not Found</h1>")
        block = json.loads(body)["usage_request"]
        self.got.append(block)
        answers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answers(block)


def gives(vendor: Vendor, **changes: Any) -> Answers:
    def answer(block: str) -> Said:
        license = vendor.license_for(block, **changes)
        return Said(
            200,
            {
                "outcome": "issued",
                "code": "activated",
                "message": "Here is the Usage License for your Chariot.",
                "usage_license": vendor.sign(license),
                "usage_license_id": license.usage_license_id,
                "activation_id": license.activation_id,
                "license_id": license.license_id,
            },
        )

    return answer


def says(status: int, body: dict[str, Any] | bytes, **headers: str) -> Answers:
    return lambda block: Said(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def waits(retry_after: int = 1) -> Answers:
    said = {
        "outcome": "pending",
        "code": "online-activation-off",
        "message": "It waits at Support.",
        "license_id": "LIC-1",
        "request_id": "ab" * 16,
        "retry_after": retry_after,
    }
    return says(202, said, Retry_After=str(retry_after))


@contextmanager
def serving(portal: Portal, tls: tuple[Path, Path] | None = None) -> Iterator[Portal]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = portal.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]  # a client that hangs up is what is tried
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    portal.address = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plant proxy")])
    named = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
