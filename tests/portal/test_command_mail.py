"""A saved mail on the command line is read like one on the desk, however its parts are encoded."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.core.management import call_command

from activations.services.licenses import LicenseCreated
from tests.portal.chariot import Chariot, host
from tests.portal.web import signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_a_saved_mail(
    license: LicenseCreated, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    signed_in("agent")
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ada@acme-water.example", "Activation"
    text = Chariot(license.license_key, host("pump-house")).request()
    mail.set_content(f"Hello,\n\n{text}\n", cte=encoding)
    file = tmp_path / "mail.eml"
    file.write_bytes(mail.as_bytes())
    call_command("issue_usage_license", str(file), "--actor", "agent", "--json")
    assert json.loads(capsys.readouterr().out)["outcome"] == "issued"
