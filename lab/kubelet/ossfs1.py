"""The options of ossfs 1.x: which it and libfuse know, and their words for those they do not
take.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "ossfs1_options.json").read_text())
KNOWN = {*DATA["options"], *DATA["fuse"]["options"], *DATA["driver"]["options"]}


def refusal(options: Sequence[str]) -> str:
    """What ossfs prints when it does not start for these options, "" when it takes them. It stops
    at the first that is wrong.
    """
    for option in options:
        name, _, value = option.partition("=")
        if name in DATA["gone"]:
            return f"ossfs: {DATA['gone'][name]}"
        if name == "dbglevel" and value.lower() not in DATA["dbglevel"]:
            return f"ossfs: option dbglevel has unknown parameter({value})."
    # ossfs hands on what it does not know itself, and libfuse looks at all of that afterwards
    return next(
        (
            f"fuse: unknown option `{option}'"
            for option in options
            if option.partition("=")[0] not in KNOWN
        ),
        "",
    )
