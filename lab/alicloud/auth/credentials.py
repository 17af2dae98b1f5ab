"""The lab's own access key, and how keys are made."""

from __future__ import annotations

import json
import os
import secrets
import string
from pathlib import Path

from lab.alicloud.regions import HOME

ACCOUNT = "1234567890123456"
_LETTERS = string.ascii_letters + string.digits


def random_text(length: int, letters: str = _LETTERS) -> str:
    """Text of so many letters that nobody can guess, for keys and tokens."""
    return "".join(secrets.choice(letters) for _ in range(length))


def ensure_credentials(home: Path) -> dict[str, str]:
    """The lab's own key from ``credentials.json``; made (random, mode 0600) if missing."""
    path = home / "credentials.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        own = {
            "access_key": "LTAI5t" + random_text(18),
            "secret_key": random_text(30),
            "account_id": ACCOUNT,
            "region": HOME,
        }
        temporary = path.with_suffix(f".{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(own, stream)
        try:
            os.link(temporary, path)  # whoever is first wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return json.loads(path.read_text())
