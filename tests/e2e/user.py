"""A user of a real stack: a clone, a Pulumi CLI with its plugins and an account of their own, and
nothing of this repository's helpers.

The lab stands for Alibaba Cloud, under the real host names. What the machine of such a user has and
this one has not is put in its place: the plugins that their CLI would have fetched, and trust in
the authority that signs the region's certificates.
"""

from __future__ import annotations

import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

from ops.bootstrap import cache_dir
from ops.engine.events import without_colours
from ops.saved_model import _message
from tests.e2e.harness import Lab

PASSWORD = "correct horse"
ASKED = {
    b"Password of ann: ": PASSWORD.encode() + b"\r",
    b"Password of ann again: ": PASSWORD.encode() + b"\r",
    b"Do you want to perform this update?": b"yes\r",
    b"Destroy stack dev? [y/N]": b"y\r",
}
"""What the commands ask on a terminal, and what the user types."""


@dataclass
class User:
    """One shell session of theirs."""

    lab: Lab
    home: pathlib.Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, lab: Lab, home: pathlib.Path) -> User:
        """With a home directory, a PATH and a clone; the clone is the lab's copy of the
        checkout.
        """
        programs = home / "bin"
        programs.mkdir(parents=True)
        tools = json.loads(lab.run(sys.executable, "-c", TOOLS).stdout)
        for name in ("pulumi", "pulumi-language-python", "kubectl"):
            (programs / name).symlink_to(tools[name]["path"])
        for name in ("alicloud", "kubernetes"):
            tool = tools[f"pulumi-resource-{name}"]
            place = home / ".pulumi" / "plugins" / f"resource-{name}-v{tool['version']}"
            place.mkdir(parents=True)
            (place / f"pulumi-resource-{name}").symlink_to(tool["path"])
        (lab.program / ".venv").unlink(missing_ok=True)  # the first make makes it
        trust = str(lab.home / "pki" / "ca.pem")
        own = {
            "HOME": str(home), "PATH": f"{programs}:{pathlib.Path(sys.executable).resolve().parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8", "TERM": "xterm", "EI_CACHE": str(cache_dir()), "SSL_CERT_FILE": trust, "REQUESTS_CA_BUNDLE": trust,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # the CLI looks into the user database for it, not at HOME
            "PULUMI_HOME": str(home / ".pulumi"),
        }  # fmt: skip
        return cls(lab, home, own)

    def type(self, line: str, secret: str = "", timeout: float = 1500) -> tuple[int, str]:
        """One line of a shell on a terminal; (exit status, all that was shown). Variables that it
        exports stay. `secret`: typed blindly.
        """
        kept = self.home / "environment"
        script = f"{line}\nstatus=$?\nenv -0 > {kept}\nexit $status\n"
        inside = [
            "env",
            "-i",
            *(f"{name}={value}" for name, value in self.env.items()),
            "bash",
            "-c",
            script,
        ]
        command = [sys.executable, "-m", "lab", "exec", "--", *inside]
        code, shown = on_a_terminal(command, self.lab.program, self.lab.env, secret, timeout)
        if kept.exists():
            pairs = (entry.partition("=") for entry in kept.read_text().split("\0") if entry)
            self.env = {
                name: value
                for name, _, value in pairs
                if name not in ("SHLVL", "_", "PWD", "OLDPWD")
            }
        return code, shown


TOOLS = """
import json; from lab import toolchain
from ops.lab import TOOLS
print(json.dumps({name: {"path": str(tool.path), "version": tool.version} for name, tool in toolchain.ensure(TOOLS).items()}))
"""


def on_a_terminal(
    command: list[str], directory: pathlib.Path, env: dict[str, str], secret: str, timeout: float
) -> tuple[int, str]:
    """Runs a command on a terminal of its own and answers what it asks."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=env,
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
    )
    os.close(there)
    shown, answered, end = b"", 0, time.monotonic() + timeout
    if secret:
        os.write(here, f"{secret}\n".encode())
    while time.monotonic() < end:
        if select.select([here], [], [], 1)[0]:
            try:
                data = os.read(here, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            shown += data
            for question, answer in ASKED.items():
                if question in shown[answered:]:
                    answered = len(shown)
                    time.sleep(0.5)  # the question is there before it listens
                    os.write(here, answer)
        elif process.poll() is not None:
            break
    else:
        process.kill()
        raise AssertionError(
            f"still running after {timeout:.0f} s:\n{shown.decode(errors='replace')}"
        )
    os.close(here)
    return process.wait(), without_colours(shown.decode(errors="replace")).replace("\r\n", "\n")


def another_model(program: pathlib.Path, source: str = "models/mine/3") -> str:
    """A model that is not the repository's: other names for its inputs and its output, no
    vocabulary. Its directory below the program.
    """

    place = program / source
    shutil.copytree(program / "models" / "chnsenticorp" / "1623831335", place)
    shutil.rmtree(place / "assets")
    saved = _message()()
    saved.ParseFromString((place / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        for signature in graph.signature_def:
            if signature.key.startswith("__"):  # what the loader itself runs, by its own name
                continue
            for entry in [*signature.value.inputs, *signature.value.outputs]:
                entry.key = f"my_{entry.key}"
    (place / "saved_model.pb").write_bytes(saved.SerializeToString())
    return source
