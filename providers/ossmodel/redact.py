"""Keeps secrets out of everything that is printed or logged."""

from __future__ import annotations

import logging
import re
import threading

MARK = "[secret]"
_AUTHORIZATION = re.compile(
    r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)(OSS4?[^'\"}\n]*|acs [^'\"}\n]*|ACS3[^'\"}\n]*)"
)
_PARAMETER = re.compile(
    r"(?i)((?:x-oss-security-token|securitytoken|security-token|accesskeysecret|oidctoken|signature)['\"]?\s*[:=]\s*['\"]?)[^'\"&,\s}<]+"
)


class Redactor:
    """Replaces known secrets, and headers that carry them, by a mark."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()

    def add(self, *secrets: str | None) -> None:
        """Remember secrets; short ones are ignored, as they would hide ordinary text."""
        with self._lock:
            self._secrets.update(secret for secret in secrets if secret and len(secret) >= 6)

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        with self._lock:
            secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, MARK)
        return _PARAMETER.sub(rf"\1{MARK}", _AUTHORIZATION.sub(rf"\1{MARK}", text))


redact = Redactor()
"""The one redactor of this process."""


class RedactingFilter(logging.Filter):
    """Redacts a log record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops one."""
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and record.exc_info[1]:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def install() -> None:
    """Keep the libraries quiet: what they log (requests with their headers) is told in our own
    messages. The rest is redacted.
    """
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.CRITICAL, force=True)
