"""Statuses as the server reports them, and what each becomes in HTTP and gRPC."""

from __future__ import annotations

HTTP = {
    "OK": 200, "CANCELLED": 499, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404, "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400, "ABORTED": 409, "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503, "DATA_LOSS": 500, "UNAUTHENTICATED": 401, "UNKNOWN": 500,
}  # fmt: skip


class StatusError(Exception):
    """A request or a load that ended with `code` (canonical name such as NOT_FOUND) and
    `message`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        """As the server of the version at hand prints a status."""
        return f"{code_text(self.code)}: {self.message}"


_words = False


def say_codes_in_words(words: bool) -> None:
    """Whether codes are printed as TensorFlow before 2.7 prints them: "Not found", not
    "NOT_FOUND".
    """
    global _words  # noqa: PLW0603 - a process serves one TensorFlow, whose version decides it once at the start
    _words = words


def code_text(code: str) -> str:
    """A code as it stands in log lines and in texts that quote another status."""
    return code.replace("_", " ").capitalize() if _words else code


def invalid(message: str) -> StatusError:
    """The error INVALID_ARGUMENT, HTTP status 400."""
    return StatusError("INVALID_ARGUMENT", message)


def not_found(message: str) -> StatusError:
    """The error NOT_FOUND, HTTP status 404."""
    return StatusError("NOT_FOUND", message)
