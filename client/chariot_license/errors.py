"""The named errors of the Chariot side, in the manner of `chariot_license.protocol.errors`.

What a rule refuses is no error but a value, `chariot_license.results.Refused`. These are for input that cannot
be used and for a state directory that cannot be read, locked or written.
"""


class ClientError(Exception):
    """Base of the errors below: `code` is stable and kebab-case, `message` says what is wrong and what to do."""

    def __init__(self, code: str, message: str, **detail: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail: dict[str, object] = detail


class InputError(ClientError):
    """A file or option given by the user cannot be used."""


class StateError(ClientError):
    """The state directory cannot be used.

    Codes: "state-damaged", "state-newer", "state-busy", "state-permission", "state-unsafe", "state-unwritable",
    "test-state".
    """
