"""What is known about one usable tool."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """A tool that can be run.

    `origin` is one of "PATH", "plugin install", "built", "wheel", "installer".
    """

    name: str
    path: Path
    version: str
    origin: str
