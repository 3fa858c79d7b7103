"""The named errors of the protocol.

Whatever bytes or text come in, the readers of this package raise one of these and nothing else. `code` is
stable and listed in docs/protocol.md; `message` says in plain words what is wrong and what to do about it.
"""


class ProtocolError(Exception):
    """Base of every error a reader raises for bad input.

    `code` is a stable kebab-case name, `message` (also `str(error)`) is for people, `detail` holds the values
    the message was made from, JSON-friendly.
    """

    def __init__(self, code: str, message: str, **detail: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail: dict[str, object] = detail

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with the message alone, and fail in another process.
        return (_rebuild, (type(self), self.code, self.message, self.detail))


class BlockError(ProtocolError):
    """A text block or QR code is missing, damaged or of another kind."""


class CodeError(ProtocolError):
    """A typed code (License ID, License Key, deactivation code ...) cannot be right."""


class RequestError(ProtocolError):
    """The bytes are no Usage Request that this version accepts."""


class LicenseError(ProtocolError):
    """The bytes are no Usage License that this version accepts."""


class StatementError(ProtocolError):
    """The file is no statement that this version accepts, or it was changed since it was signed."""


class CertificateError(ProtocolError):
    """The signing certificate in a Usage License cannot be trusted for it."""


def _rebuild(kind: type[ProtocolError], code: str, message: str, detail: dict[str, object]) -> ProtocolError:
    return kind(code, message, **detail)
