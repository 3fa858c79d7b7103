"""Demo accounts, keys and a simulated plant host: for the embedded portal and for nothing else."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.contrib.auth.models import User

from activations.domain.words import ROLES
from activations.management.base import SOURCE, bad_input, done
from activations.models import KeyPurpose, SigningKey
from activations.services.actors import create_staff, system_actor
from activations.services.signing import create_root, issue_key, trusted_roots

ACCOUNTS = {"agent": "support-agent", "lead": "support-lead", "manager": "license-manager", "auditor": "auditor"}


def refuse_in_production() -> None:
    if settings.PRODUCTION:
        raise bad_input("demo-in-production", "Demo data and demo accounts are for the embedded portal only.")


def make_demo_accounts() -> dict[str, str]:
    """Demo staff and their passwords, made once; kept beside the database so that they can be shown again."""
    path = Path(settings.VAR_DIR) / "demo-accounts.json"
    passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for username, role in ACCOUNTS.items():
        assert role in ROLES  # noqa: S101
        if User.objects.filter(username=username).exists():
            continue
        passwords[username] = secrets.token_urlsafe(12)
        done(
            create_staff(
                username=username, role=role, password=passwords[username], actor=system_actor(), source=SOURCE
            )
        )
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords, indent=2) + "\n")
    return passwords


def make_demo_keys() -> Path:
    """A vendor root and signing keys where there are none; the file a test Chariot trusts."""
    actor = system_actor()
    if not SigningKey.objects.filter(purpose=KeyPurpose.ROOT).exists():
        done(create_root(name="Demo vendor root", actor=actor, source=SOURCE))
    for purpose in (KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT):
        if not SigningKey.objects.filter(purpose=purpose, current=True).exists():
            done(issue_key(purpose=purpose, name=f"Demo {purpose.value} key", actor=actor, source=SOURCE))
    path = Path(settings.TRUST_ROOT_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in trusted_roots()))
    return path


@dataclass(frozen=True)
class DemoChariot:
    """The real `chariot-license` command on a simulated host; its state is marked as a test state."""

    folder: Path
    trust_root: Path
    hostname: str

    def run(self, *arguments: str, text: str = "") -> dict[str, Any]:
        """One command's JSON answer. Raises RuntimeError with what it said when it fails."""
        facts = self.folder / "host-facts.json"
        if not facts.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            facts.write_text(json.dumps(self._facts()))
        command = Path(sys.executable).with_name("chariot-license")
        environment = {**os.environ, "CHARIOT_HOST_FACTS": str(facts), "CHARIOT_TRUST_ROOT": str(self.trust_root)}
        ended = subprocess.run(
            [
                str(command),
                "--state-dir",
                str(self.folder / "state"),
                "--json",
                "--chariot-version",
                "2.4.1",
                *arguments,
            ],
            input=text,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=60,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"chariot-license {arguments[0]}: {ended.stdout.strip()} {ended.stderr.strip()}")
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    def _facts(self) -> dict[str, Any]:
        return {
            "machine_id": secrets.token_hex(16),
            "board_uuid": secrets.token_hex(16),
            "mac": [f"00:1b:21:{secrets.token_hex(1)}:{secrets.token_hex(1)}:{secrets.token_hex(1)}"],
            "disk_serial": secrets.token_hex(8).upper(),
            "cpu_model": "Intel(R) Xeon(R) E-2314",
            "hostname": self.hostname,
        }
