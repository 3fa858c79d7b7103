"""Signatures as Standard Webhooks 1.0.0 has them: its published vector, and the reference receiver takes ours."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from activations.services.webhooks.signatures import new_secret, signatures

# libraries/python/tests/test_webhooks.py of github.com/standard-webhooks/standard-webhooks.
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector() -> None:
    assert signatures([KEY], message_id=ID, timestamp=AT, body=BODY) == SIGNED


def test_two_secrets_give_two_signatures_with_a_space_between() -> None:
    other = new_secret()
    both = signatures([other, KEY], message_id=ID, timestamp=AT, body=BODY)
    assert both.split(" ") == [signatures([other], message_id=ID, timestamp=AT, body=BODY), SIGNED]


def test_a_secret_is_32_random_bytes() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@given(body=st.text(), seconds=st.integers(0, 4_000_000_000), length=st.integers(24, 64))
def test_what_the_reference_signs_is_what_we_sign(body: str, seconds: int, length: int) -> None:
    body = body.encode("utf-8", "replace").decode()
    secret = "whsec_" + base64.b64encode(bytes(range(length))).decode()
    theirs = Webhook(secret).sign(msg_id=ID, timestamp=datetime.fromtimestamp(seconds, UTC), data=body)
    assert signatures([secret], message_id=ID, timestamp=seconds, body=body.encode()) == theirs
