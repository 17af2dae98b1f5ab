"""What `pulumi install` does for a Python program."""

import sys
from pathlib import Path
from typing import Any

import interpreter


def commands(info: Any, directory: str) -> list[tuple[list[str], str]]:
    """The commands, each with its working directory, that give a program its virtual environment and packages."""
    program = Path(info.program_directory or directory or ".")
    result: list[tuple[list[str], str]] = []
    environment = interpreter.virtualenv(info)
    python = Path(interpreter.executable(info))
    if environment and not (environment / "bin" / "python").exists():
        result.append(([sys.executable, "-m", "venv", str(environment)], str(program)))
        python = environment / "bin" / "python"
    if (program / "requirements.txt").exists():
        result.append(([str(python), "-m", "pip", "install", "-r", "requirements.txt"], str(program)))
    return result
