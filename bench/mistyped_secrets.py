"""How many secrets with typing mistakes are not taken for one, as docs/adr/0010-what-looks-like-a-secret.md states.

python -m bench.mistyped_secrets [number of secrets of each kind, 100000]     (no database is touched)
"""

from __future__ import annotations

import os
import random
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
django.setup()

from chariot_license.protocol.codes import LicenseKey, format_deactivation_code  # noqa: E402

from activations.services.secret_text import secret_in  # noqa: E402  # Django is set up first
from tests.portal.test_secret_looks import mistyped  # noqa: E402


def license_key(chance: random.Random) -> str:
    return LicenseKey(seed=chance.randbytes(8), secret=chance.randbytes(16)).text


def deactivation_code(chance: random.Random) -> str:
    return format_deactivation_code(chance.randbytes(16))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, made in (("License Keys", license_key), ("deactivation codes", deactivation_code)):
        for mistakes in (1, 2, 3):
            chance = random.Random(f"{name}{mistakes}")
            missed = sum(not secret_in(mistyped(chance, made(chance), mistakes)) for _ in range(count))
            print(f"{count:,} {name} with {mistakes} mistakes: {missed} not found")


if __name__ == "__main__":
    main()
