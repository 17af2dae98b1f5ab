"""Published plugins: those that a user has, and those that the Pulumi CLI's own `plugin install`
brings; never fetched by the lab's own code.
"""

import json
import os
import tempfile
import threading
import time
from pathlib import Path

from lab.toolchain.child import Child
from lab.toolchain.errors import ToolchainError
from lab.toolchain.paths import bytes_below, cache_root, is_ours, pulumi_homes
from lab.toolchain.progress import Board
from lab.toolchain.specs import Spec
from lab.toolchain.tool import Tool

SILENCE_SECONDS = 30.0
"""An installation is ended when no byte has arrived for so long; while bytes arrive it may take
what it takes.
"""
REMEMBER_FAILURE_SECONDS = 3600.0


def find(spec: Spec) -> Tool | None:
    """The published plugin if the user's Pulumi or an earlier `install` has it, else None."""
    for home in (*pulumi_homes(), _home()):
        directory = home / "plugins" / f"resource-{spec.plugin}-v{spec.version}"
        path = directory / spec.name
        complete = not directory.with_name(directory.name + ".partial").exists()
        if complete and os.access(path, os.X_OK) and not _is_wrapper(path):
            return Tool(
                spec.name,
                path.resolve() if path.is_symlink() else path,
                spec.version,
                "plugin install",
            )
    return None


def brought(name: str, owner: Tool) -> Tool | None:
    """The tool of this name that lies beside another one, as the Python language host beside a
    published CLI, which prefers it to every other.
    """
    path = owner.path.resolve().parent / name
    return Tool(name, path, owner.version, owner.origin) if os.access(path, os.X_OK) else None


def others(spec: Spec) -> list[str]:
    """The versions of this plugin that a user has and that are not the pinned one."""
    prefix = f"resource-{spec.plugin}-v"
    places = [
        place
        for home in pulumi_homes()
        for place in sorted((home / "plugins").glob(f"{prefix}*/{spec.name}"))
    ]
    found = {
        place: place.parent.name.removeprefix(prefix) for place in places if not _is_wrapper(place)
    }
    return [f"{place} is {version}" for place, version in found.items() if version != spec.version]


def by_hand(spec: Spec) -> str:
    """How to hand in a plugin where nothing can be downloaded."""
    return (
        f"a {spec.version} that you have is taken from PATH or from the plugins of your Pulumi: "
        f"`pulumi plugin install resource {spec.plugin} {spec.version} --file {spec.name}-v{spec.version}-linux-amd64.tar.gz`"
    )


def install(spec: Spec, pulumi: Path, board: Board, ended: threading.Event) -> Tool | None:
    """Lets the CLI install the published plugin; None if that fails or no byte of it arrives any
    more.

    A failure is remembered for an hour, so that a machine without that download does not wait again
    and again.
    """
    if failed_lately(spec):
        return None
    step = board.begin(spec.name)
    cache_root().mkdir(parents=True, exist_ok=True)
    command = [
        str(pulumi),
        "plugin",
        "install",
        "resource",
        str(spec.plugin),
        spec.version,
        "--non-interactive",
        "--color",
        "never",
    ]
    said, reason, size, moved = b"", "", 0, time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache_root()) as scratch:
            # The CLI downloads into the directory for temporary files, then unpacks into its home.
            variables = {
                "PULUMI_HOME": str(_home()),
                "TMPDIR": scratch,
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            }
            step.show("asking `pulumi plugin install` for the published one")
            with Child(command, ended, variables=variables) as child:
                for chunk in child.output():
                    said += chunk
                    before, size = (
                        size,
                        bytes_below(
                            Path(scratch),
                            _home() / "plugins" / f"resource-{spec.plugin}-v{spec.version}",
                        ),
                    )
                    moved = time.monotonic() if size != before else moved
                    if time.monotonic() - moved > SILENCE_SECONDS:
                        reason = (
                            f"nothing arrived for {SILENCE_SECONDS:g} s, {size / 2**20:.0f} MiB had"
                        )
                        child.end()
                        break
                    if size:
                        step.show("downloading the published one", size >> 20, unit="MiB")
                code = child.wait()
        if ended.is_set():
            raise ToolchainError(
                f"{spec.name}: its installation was ended. The same command starts it again."
            )
        if code == 0 and not reason and (tool := find(spec)):
            board.line(f"{spec.name}: the published {spec.version} is installed")
            return tool
    finally:
        board.end(step)
    reason = (
        reason
        or (said.decode(errors="replace").strip().splitlines() or [f"exit status {code}"])[-1]
    )
    board.line(f"{spec.name}: not to be downloaded ({reason}); {by_hand(spec)}")
    _remember_failure(spec, reason)
    return None


def _home() -> Path:
    return cache_root() / "pulumi-home"


def _is_wrapper(path: Path) -> bool:
    """Whether this is what `toolchain.plugins` laid there: a link into our cache or repository."""
    return path.is_symlink() and is_ours(path)


def _memory(spec: Spec) -> Path:
    return cache_root() / "not-published" / f"{spec.name}-{spec.version}.json"


def failed_lately(spec: Spec) -> bool:
    """Whether an `install` of this version failed within the last hour."""
    try:
        at = float(json.loads(_memory(spec).read_text())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return 0 <= time.time() - at < REMEMBER_FAILURE_SECONDS


def _remember_failure(spec: Spec, reason: str) -> None:
    path = _memory(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"at": time.time(), "reason": reason}) + "\n")
