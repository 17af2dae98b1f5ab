"""Which Python runs a program, and which Pulumi packages that Python has."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MARKER = "pulumi-plugin.json"


def executable(info: Any) -> str:
    """The Python for a program: its `virtualenv` option if that is there, else PULUMI_PYTHON_CMD, else our own."""
    directory = virtualenv(info)
    if directory:
        python = directory / "bin" / "python"
        if os.access(python, os.X_OK):
            return str(python)
    configured = os.environ.get("PULUMI_PYTHON_CMD")
    return (shutil.which(configured) if configured else None) or sys.executable


def virtualenv(info: Any) -> Path | None:
    """The directory of the `virtualenv` runtime option, which may not exist yet; None without that option."""
    options = info.options.fields
    if "virtualenv" not in options or not options["virtualenv"].string_value:
        return None
    return Path(info.root_directory) / options["virtualenv"].string_value


@dataclass(frozen=True)
class ResourcePackage:
    """An installed SDK that needs a resource plugin."""

    name: str
    version: str
    server: str = ""


def resource_packages(python: str) -> list[ResourcePackage]:
    """Every SDK with a resource plugin in the site directories of `python`; read from files, without starting it."""
    found: dict[str, ResourcePackage] = {}
    for site in site_directories(python):
        for marker in sorted(site.glob(f"*/{_MARKER}")):
            package = _read(marker, site)
            if package:
                found.setdefault(package.name, package)
    return list(found.values())


def distributions(python: str) -> list[tuple[str, str]]:
    """Name and version of every distribution installed for `python`."""
    found = {}
    for site in site_directories(python):
        for directory in site.glob("*.dist-info"):
            name, _, version = directory.name.removesuffix(".dist-info").rpartition("-")
            found.setdefault(name, version)
    return sorted(found.items())


def site_directories(python: str) -> list[Path]:
    """The directories from which `python` imports installed packages."""
    own = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    if Path(python).absolute() == Path(sys.executable).absolute():
        return own
    environment = Path(python).absolute().parent.parent
    return sorted(environment.glob("lib/python3*/site-packages")) or own


def _read(marker: Path, site: Path) -> ResourcePackage | None:
    try:
        data = json.loads(marker.read_text())
    except (OSError, ValueError):
        return None
    if not data.get("resource"):
        return None
    module = marker.parent.name
    name = data.get("name") or module.removeprefix("pulumi_").replace("_", "-")
    version = data.get("version") or _installed_version(module, site)
    return ResourcePackage(name, f"v{version.removeprefix('v')}" if version else "", data.get("server", ""))


def _installed_version(module: str, site: Path) -> str:
    for directory in site.glob(f"{module}-*.dist-info"):
        return directory.name.removesuffix(".dist-info").rpartition("-")[2]
    return ""
