"""What a failed `go build` means and what to do, from its output."""

import re
from pathlib import Path

_TAIL_LINES = 12
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"no space left on device",
        "the disk is full",
        "Free some space, or set EI_CACHE, GOCACHE and GOMODCACHE to a larger disk",
    ),
    (
        r"checksum mismatch|SECURITY ERROR",
        "a downloaded module is not the pinned one",
        "Don't use it: ask whoever runs your Go proxy, or set GOPROXY to another one",
    ),
    (
        r"dial tcp|no such host|i/o timeout|connection (?:refused|reset)|TLS handshake|proxyconnect"
        r"|module lookup disabled|40[34] (?:Not Found|Forbidden)|50\d |unexpected EOF",
        "a module could not be downloaded",
        "Check the network and GOPROXY (`go env GOPROXY`); modules already downloaded are kept",
    ),
    (
        r"signal: killed|cannot allocate memory|out of memory",
        "there was not enough memory",
        "Close other programs (6 GiB free is enough)",
    ),
    (
        r"permission denied",
        "a file could not be written",
        "Check who owns the directories of EI_CACHE, GOCACHE and GOMODCACHE",
    ),
)


def explain(name: str, code: int, log: Path) -> str:
    """The message for a build that ended with exit status `code` and wrote `log`."""
    text = log.read_text(errors="replace")
    for pattern, cause, remedy in _CAUSES:
        line = next((line.strip() for line in text.splitlines() if re.search(pattern, line)), None)
        if line:
            return f"{name}: can't be built, {cause}: {line}. {remedy}, then run the same command again (whole output: {log})."
    tail = "\n  ".join(text.splitlines()[-_TAIL_LINES:])
    return f"{name}: `go build` ended with status {code} (whole output: {log}). Its last lines:\n  {tail}"
