"""No secret leaves: what the engine marks, what is named like a secret, what looks like a key."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

SENTINEL = "4dabf18193072939515e22adb298388d"
"""The key by which the engine's wire form marks a secret."""
HIDDEN = "[secret]"
NAMES = re.compile(
    r"((client|app)?secret|.*(password|passwd|passphrase|secretkey|secretdata|accesskey(id|secret)?|token|apikey|privatekey|keydata|kubeconfig"
    r"|htpasswd|authorization|cookie|connectionstring|credentials?))"
)
"""Names of properties, lower case and letters only, whose text is a secret. Names of what holds
secrets (tlsSecret) are none.
"""
REFERENCES = re.compile(
    r".*(-secret|secret-?name|secret-?ref|token-?path|key-?name)$", re.IGNORECASE
)
"""Names that end so point at a secret: an annotation such as
nginx.ingress.kubernetes.io/auth-secret.
"""
SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
    r"|\b(LTAI|STS\.|TMP\.)[A-Za-z0-9]{12,}\b|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\b(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}\b"
    r"|\bgithub_pat_\w{20,}|\bpul-[0-9a-f]{32,}\b|\bxox[abpr]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9-_]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|\$(2[aby]|apr1|5|6)\$[^\s\"',;]{4,}"
    r"|\b[Bb]earer\s+[A-Za-z0-9._~+/-]{8,}=*",
    re.DOTALL,
)
"""Access key ids, tokens, password hashes and private keys, wherever they stand."""
IN_URL = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
ASSIGNED = re.compile(
    r"(?i)\b((?:access_?key_?(?:id|secret)?|secret_?key|pass(?:word|wd)|token|api_?key|security_?token)[\"']?\s*[:=]\s*[\"']?)([^\s\"',;&]{6,})"
)
"""A secret given by name within a text: a log line, an error of an SDK."""
WORD = re.compile(r"[A-Za-z0-9+/_=-]{28,}")


def redacted(value: Any, name: str = "", *, hide: bool = False) -> Any:
    """`value` with every secret in it replaced by [secret]. `name` is the property it stands under;
    with `hide` all texts go.
    """
    if isinstance(value, dict):
        if SENTINEL in value:
            return HIDDEN
        entry = value.get("name")
        own = (
            entry if isinstance(entry, str) and set(value) <= {"name", "value"} else ""
        )  # a container's environment
        return {
            _scrub(str(key)): redacted(
                inner, own if own and key == "value" else str(key), hide=hide
            )
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(inner, name, hide=hide) for inner in value]
    if isinstance(value, str):
        return _text(value, name, hide)
    return HIDDEN if hide and value is not None and not isinstance(value, bool) else value


def _text(value: str, name: str, hide: bool) -> str:
    if hide or (
        value
        and NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower()))
        and not REFERENCES.fullmatch(name)
    ):
        return HIDDEN
    if value[:1] in ("{", "["):
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return scrub(value)
        return json.dumps(redacted(inner, name), ensure_ascii=False)
    return scrub(value)


def scrub(text: str) -> str:
    """A text with what looks like a key in it replaced."""
    return WORD.sub(lambda found: HIDDEN if _random(found[0]) else found[0], _scrub(text))


def _scrub(text: str) -> str:
    text = SHAPES.sub(HIDDEN, text)
    text = IN_URL.sub(HIDDEN, text)
    return ASSIGNED.sub(lambda found: found[1] + HIDDEN, text)


def _random(word: str) -> bool:
    """Whether a word is as mixed as a key is: upper case, lower case, digits, and no repetition.
    Digests (hex) are none.
    """
    core = word.strip("=")
    parts = [part for part in re.split(r"[/_-]", core) if part]
    longest = max(parts, key=len, default="")
    if len(longest) < 20 or re.fullmatch(r"[0-9a-fA-F]+", core):
        return False
    mixed = (
        re.search(r"[a-z]", longest)
        and re.search(r"[A-Z]", longest)
        and len(re.findall(r"\d", longest)) >= 2
    )
    return bool(mixed) and _bits(longest) > 3.6


def _bits(word: str) -> float:
    return -sum(
        count / len(word) * math.log2(count / len(word)) for count in Counter(word).values()
    )
