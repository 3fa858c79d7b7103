"""A witness by HTTPS, with a certificate of an authority that the portal's machine trusts, or does not.

The portal runs as a process of its own: which authorities it trusts is said by its environment (SSL_CERT_FILE).
"""

from __future__ import annotations

import base64
import datetime
import json
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ops.processes import environment, manage, python
from tests.portal.witnessing.server import NAME, TIME, Log, Network, witnessing

READY = """
from django.conf import settings
from activations.models import LedgerCheckpoint
from tests.portal.cast import ADMINISTRATOR, make_keys
from tests.portal.witnessing.conftest import log_public
from activations.services.checkpoints import checkpoint_ledger
make_keys()
made = checkpoint_ledger(actor=ADMINISTRATOR)
print(settings.LEDGER_ORIGIN, log_public().hex(), made.size)
"""
SEND = """
import json
from activations.models import WitnessReceipt, WitnessState
from activations.services.witnessing.sending import send_checkpoints
took = send_checkpoints()
answers = list(WitnessReceipt.objects.values_list("size", "answer"))
print(json.dumps([took, answers, list(WitnessState.objects.values_list("problem", flat=True))]))
"""


class Authority:
    """A certificate authority of its own, and what it signs. `file` is what a machine that trusts it has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        builder = self._certificate(self.name, self.key.public_key(), days=2)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ) | {"key_cert_sign": True, "crl_sign": True, "encipher_only": False, "decipher_only": False}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        self.file = folder / "authority.pem"
        signed = builder.sign(self.key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _certificate(self, name: x509.Name, public: ec.EllipticCurvePublicKey, *, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
        )

    def server(self, host: str, *, days: int) -> ssl.SSLContext:
        """A server that shows a certificate for this host, valid for so many days more."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        builder = self._certificate(name, key.public_key(), days=days)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / "server.pem"
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@dataclass(frozen=True)
class Portal:
    """A portal with a checkpoint of `size` entries, signed by `public`."""

    var: Path
    origin: str
    public: bytes
    size: int


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Portal:
    var = tmp_path_factory.mktemp("portal") / "var"
    migrated = manage("migrate", "--verbosity", "0", env=environment(var))
    assert migrated.returncode == 0, migrated.stderr
    made = python(READY, environment(var))
    assert made.returncode == 0, made.stderr
    origin, public, size = made.stdout.split()
    return Portal(var, origin, bytes.fromhex(public), int(size))


def sent(portal: Portal, network: Network, folder: Path, **trust: str) -> tuple[int, list[list[object]], list[str]]:
    """What became of sending the checkpoint of a copy of the portal to this witness, which knows it."""
    shutil.copytree(portal.var, folder / "var")
    network.logs[portal.origin] = Log(portal.public)
    witnesses = f"{network.url}#{network.vkey}"
    done = python(SEND, {**environment(folder / "var", LEDGER_WITNESSES=witnesses), **trust})
    assert done.returncode == 0, done.stderr
    took, answers, problems = json.loads(done.stdout.splitlines()[-1])
    return took, answers, problems


def test_a_witness_with_a_certificate_that_holds_takes_the_checkpoint_and_cosigns(
    authority: Authority, portal: Portal, tmp_path: Path
) -> None:
    with witnessing(authority.server("localhost", days=1)) as network:
        took, [[size, answer]], problems = sent(portal, network, tmp_path, SSL_CERT_FILE=str(authority.file))

    assert (took, size, problems) == (1, portal.size, [""])
    _, name, encoded = str(answer).rstrip("\n").split(" ")
    blob = base64.b64decode(encoded)
    assert (name, blob[:4]) == (NAME, network.key_id)
    text = network.bodies[0].partition("\n\n")[2].partition("\n\n")[0]
    network.private.public_key().verify(blob[12:], f"cosignature/v1\ntime {TIME}\n{text}\n".encode())


@pytest.mark.parametrize(
    ("shown", "trusted", "why"),
    [
        (("localhost", 1), False, "unable to get local issuer certificate"),
        (("localhost", -1), True, "certificate has expired"),
        (("witness.example", 1), True, "Hostname mismatch"),
    ],
)
def test_one_whose_certificate_does_not_hold_is_sent_nothing(
    portal: Portal, tmp_path: Path, shown: tuple[str, int], trusted: bool, why: str
) -> None:
    authority, (host, days) = Authority(tmp_path), shown
    trust = {"SSL_CERT_FILE": str(authority.file)} if trusted else {}
    with witnessing(authority.server(host, days=days)) as network:
        took, answers, [problem] = sent(portal, network, tmp_path, **trust)

    assert (took, answers, network.bodies) == (0, [], [])
    assert problem.startswith("Its certificate does not hold: ")
    assert why in problem
    assert problem.endswith("Nothing was sent.")
