"""A real witness: HTTP, its own state, its own check of proofs and signatures, its own cosignatures.

Written from C2SP tlog-witness, tlog-cosignature, signed-note and RFC 9162 alone; nothing of the portal is used.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME, TIME = "witness.example/w1", 1_800_000_000


@dataclass
class Log:
    """What the witness knows of one log: its key, and the newest tree it cosigned."""

    public: bytes
    size: int = 0
    root: bytes = b""


@dataclass
class Network:
    """The witness as a test sees it. `says`: an answer it gives instead of its own, once each."""

    port: int = 0
    tls: bool = False
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    logs: dict[str, Log] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    says: list[tuple[int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/w" if self.tls else f"http://127.0.0.1:{self.port}/w"

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(NAME.encode() + b"\n\x04" + self.public).digest()[:4]

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def vkey(self) -> str:
        key = base64.b64encode(b"\x04" + self.public).decode()
        return f"{NAME}+{self.key_id.hex()}+{key}"

    def answer(self, body: str) -> tuple[int, str]:
        with self.lock:
            self.bodies.append(body)
            return self.says.pop(0) if self.says else self._judge(body)

    def _judge(self, body: str) -> tuple[int, str]:
        proof, _, note = body.partition("\n\n")
        first, *steps = proof.split("\n")
        text, _, signatures = note.partition("\n\n")
        origin, count, root = text.split("\n")[:3]
        log = self.logs.get(origin)
        if log is None:
            return 404, "unknown log\n"
        if not any(signed(line, origin, log.public, f"{text}\n") for line in signatures.splitlines()):
            return 403, "unknown key\n"
        old, size = int(first.removeprefix("old ")), int(count)
        if old > size:
            return 400, "sizes\n"
        if old != log.size or (old == size and base64.b64decode(root) != log.root):
            return 409, f"{log.size}\n"
        path = [base64.b64decode(step) for step in steps]
        if not consistent(old, size, log.root, base64.b64decode(root), path):
            return 422, "inconsistent\n"
        log.size, log.root = size, base64.b64decode(root)
        message = f"cosignature/v1\ntime {TIME}\n{text}\n"
        blob = self.key_id + TIME.to_bytes(8, "big") + self.private.sign(message.encode())
        return 200, f"— {NAME} {base64.b64encode(blob).decode()}\n"


def signed(line: str, origin: str, public: bytes, text: str) -> bool:
    name, blob = line.split(" ")[1], base64.b64decode(line.split(" ")[2])
    if name != origin or blob[:4] != hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], text.encode())
    except InvalidSignature:
        return False
    return True


def consistent(first: int, second: int, first_hash: bytes, second_hash: bytes, path: list[bytes]) -> bool:
    """RFC 9162 2.1.4.2, step by step."""
    if first == 0:
        return not path
    if first == second:
        return not path and first_hash == second_hash
    if not path:
        return False
    if first & (first - 1) == 0:
        path = [first_hash, *path]
    fn, sn = first - 1, second - 1
    while fn % 2:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            fr = hashlib.sha256(b"\x01" + c + fr).digest()
            sr = hashlib.sha256(b"\x01" + c + sr).digest()
            while fn and fn % 2 == 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\x01" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return fr == first_hash and sr == second_hash and sn == 0


@contextmanager
def witnessing(context: ssl.SSLContext | None = None) -> Iterator[Network]:
    """By HTTP, or by HTTPS with the certificate of `context`."""
    network = Network(tls=context is not None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, said = network.answer(body) if self.path == "/w/add-checkpoint" else (405, "")
            self.send_response(status)
            if status == 409:
                self.send_header("Content-Type", "text/x.tlog.size")
            if status == 302:
                self.send_header("Location", f"http://127.0.0.1:{network.port}/w/add-checkpoint")
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    network.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield network
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
