"""Cloud API calls in a form in which two recordings can be compared."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

DATA = Path(__file__).resolve().parent / "data"
_HEADERS = re.compile(r"^(content-md5|content-type|x-(acs|oss|log)-.*)$")
_VOLATILE = {
    "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-signature", "x-acs-security-token", "x-oss-date",
    "Timestamp", "Signature", "SignatureNonce", "SignatureMethod", "SignatureType", "SignatureVersion", "AccessKeyId", "SecurityToken",
}  # fmt: skip


def recorded(name: str, replacing: Mapping[str, str] | None = None) -> dict[int, dict[str, Any]]:
    """The calls of one recording of the published plugin, by sequence number; texts in `replacing`
    are exchanged.
    """
    text = (DATA / f"{name}.jsonl").read_text()
    for old, new in (replacing or {}).items():
        text = text.replace(old, new)
    lines = text.splitlines()
    return {item["seq"]: item for item in map(json.loads, lines) if "seq" in item}


def comparable(call: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal: all but signatures, dates, nonces and the user agent."""
    return {
        "method": call["method"],
        "host": call["host"],
        "path": call["path"],
        "query": {key: value for key, value in call["query"].items() if key not in _VOLATILE},
        "headers": {
            key: value
            for key, value in call["headers"].items()
            if _HEADERS.match(key) and key not in _VOLATILE
        },
        "body": _body(call["body"]),
    }


def identity(call: Mapping[str, Any]) -> tuple[Any, ...]:
    """What decides which recorded answer belongs to a call."""
    query = comparable(call)["query"]
    return call["method"], call["host"], call["path"], tuple(sorted(query.items())), _form_key(call)


def _form_key(call: Mapping[str, Any]) -> str:
    """Calls of the same action on different things are told apart by their form."""
    return json.dumps(call["body"], sort_keys=True) if "Action" in call["query"] else ""


def _body(body: Any) -> Any:
    return body or None


def parse_body(content_type: str, content: bytes) -> Any:
    """A request body as the recordings have it."""
    if "json" in content_type:
        return json.loads(content or b"{}")
    if "urlencoded" in content_type:
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    if not content:
        return None
    return f"({len(content)} bytes)" if "octet-stream" in content_type else content.decode()


def select(recording: Mapping[int, dict[str, Any]], numbers: Iterable[int]) -> list[dict[str, Any]]:
    """The calls with these sequence numbers, in that order."""
    return [recording[number] for number in numbers]
