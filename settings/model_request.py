"""What a request body for TensorFlow Serving's REST API looks like (setting `model.request`)."""

import json
from pathlib import Path
from typing import Any

KEYS = ("instances", "inputs", "examples")
"""A body has exactly one of them: rows or columns for predict, tf.Example features for classify and
regress.
"""
EXPECTED = "a file below the project with a JSON object that has one of the keys " + ", ".join(KEYS)


class NotARequest(ValueError):
    """The file holds no request body; the text says what it holds."""


def read(path: Path) -> dict[str, Any]:
    """The request body in a file. Raises NotARequest."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotARequest(f"it can't be read ({error.strerror})") from None
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise NotARequest(f"it is not JSON ({error})") from None
    if not isinstance(body, dict):
        raise NotARequest(f"it holds a {type(body).__name__}")
    found = [key for key in KEYS if key in body]
    if len(found) != 1:
        raise NotARequest(f"it has {' and '.join(found) or 'none of these keys'}")
    return body
