"""How a call to Alibaba Cloud fails, in one form for every client library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class CloudError(Exception):
    """The cloud refused a call, or did not answer it; the text names the call and the reason.

    `code` is the service's own error code, "" when there was no answer; `status` the HTTP status, 0
    when there was none.
    """

    def __init__(self, call: str, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{call}: {code + ': ' if code else ''}{message}")
        self.code, self.status = code, status

    @property
    def passing(self) -> bool:
        """Whether asking again may help."""
        return (
            not self.code
            or (self.status >= 500 and self.status != 501)
            or "Throttling" in self.code
        )

    @property
    def not_found(self) -> bool:
        """Whether the service says that what was asked for does not exist."""
        return self.status == 404 or "NotExist" in self.code or "NoSuch" in self.code


class NotConfiguredError(CloudError):
    """Something that every call needs is not set; the text says what was looked for, where, and
    what to set.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(what, "", message)
        self.code = "NotConfigured"


class CredentialsError(NotConfiguredError):
    """There are no usable credentials."""

    def __init__(self, message: str) -> None:
        super().__init__("credentials", message)


@contextlib.contextmanager
def explained(call: str) -> Iterator[None]:
    """Turns whatever a client library raises in the body into a CloudError that names the call."""
    try:
        yield
    except CloudError:
        raise
    except Exception as error:
        code = str(getattr(error, "code", "") or "")
        statuses = (getattr(error, name, 0) for name in ("status_code", "statusCode", "status"))
        status = int(next(filter(None, statuses), 0))
        text = str(getattr(error, "message", "") or error)
        raise CloudError(call, code if status > 0 else "", text, status) from None
