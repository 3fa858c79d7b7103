"""What the tests of the inbox start from."""

from tests.mailroom.conftest import smtp
from tests.portal.conftest import license, sign_in, signing_keys

__all__ = ["license", "sign_in", "signing_keys", "smtp"]
