"""Wrong invocations and interrupts of every command, as a table: what is run, in what surroundings,
and how it has to end.

`{tree}` in a word or variable stands for a copy of the checkout, `{empty}` for a directory with
nothing in it. No lab runs and no CLI is on PATH, unless the surroundings say so. An interrupt comes
when the command imports a module or has started the CLI: never at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STACK_FILES = {
    "brackets": "config: [",
    "twice": "config:\n  alicloud:region: cn-shanghai\n  alicloud:region: cn-beijing\n",
    "list": "- config\n",
    "text": "config: later\n",
    "nothing": "",
    "wrong": "config:\n  alicloud:region: shanghai\n  elastic-inference:autoscaler: {targetQps: -1, minReplicas: many}\n",
    "latin": "config:\n  elastic-inference:owner: \xe9quipe\n",
}
"""Pulumi.<name>.yaml of the copy, written in Latin-1."""


@dataclass(frozen=True)
class Case:
    """One command that must end as told, with no traceback."""

    words: str
    """`make …`, or the module after `python -m` with its arguments."""
    status: tuple[int, ...]
    """Exit statuses that the documentation allows."""
    said: str
    """Part of what is printed."""
    env: dict[str, str] = field(default_factory=dict)
    at: str = ""
    """Module at whose import the signal comes; "cli": once the CLI runs."""
    signal: str = "INT"
    cli: bool = False
    """Whether there is a CLI on PATH: one that waits for ever."""

    @property
    def name(self) -> str:
        """For people."""
        parts = [
            self.words,
            *(f"{name}={value}" for name, value in self.env.items()),
            f"SIG{self.signal} at {self.at}" if self.at else "",
        ]
        return " ".join(filter(None, parts))


NO_LAB, NO_CLI = "no lab runs", "no `pulumi` on PATH"
REFUSED = [
    # A stack that is not there, or a file of it that can't be used.
    *(
        Case(f"ops.{name} --stack nosuch", (1,), "there is no Pulumi.nosuch.yaml")
        for name in ("check", "up", "preview", "drift")
    ),
    Case("ops.preview --offline --stack nosuch", (1,), "there is no Pulumi.nosuch.yaml"),
    Case("ops.teardown --stack nosuch", (1, 2), NO_CLI),
    Case("make check STACK=nosuch", (2,), "there is no Pulumi.nosuch.yaml"),
    Case("make up STACK=nosuch", (2,), "there is no Pulumi.nosuch.yaml"),
    *(
        Case(f"ops.check --stack {name}", (1,), said)
        for name, said in (
            ("brackets", "line 1"),
            ("twice", "for the second time"),
            ("list", "found list"),
            ("text", "found str"),
            ("nothing", "can't be used"),
            ("wrong", "targetQps"),
            ("latin", "UTF-8"),
            ("folder", "can't be read"),
        )
    ),
    *(
        Case(f"ops.{name} --stack {stack}", (1,), "error:")
        for name in ("up", "preview", "drift")
        for stack in ("brackets", "wrong", "latin")
    ),
    Case("ops.preview --offline --stack brackets", (1,), "is not YAML"),
    Case("ops.teardown --stack brackets", (1,), "is not YAML", cli=True),
    # Options.
    Case("ops.up --nonsense", (2,), "unrecognized arguments"),
    Case("ops.preview --base HEAD", (2,), "go with --offline"),
    Case("ops.preview --offline --stack dev --base nosuch", (1,), "git knows no such commit"),
    Case("ops.smoke --connect nonsense", (2,), "HOST:PORT"),
    Case("ops.smoke --wait soon", (2,), "invalid float"),
    Case("ops.load --profile nosuch", (1,), "nosuch"),
    Case("ops.load --qps many", (2,), "invalid float"),
    Case("ops.load --qps -1", (1, 2), "error:"),
    Case("ops.load --profile {tree}/Makefile", (1,), "error:"),
    Case("ops.report {empty}/run", (1,), "error:"),
    Case("ops.report {tree}/Makefile", (1,), "error:"),
    Case("ops.drill earthquake", (2,), "invalid choice"),
    Case("ops.drill --notice -1", (1,), "--notice -1"),
    Case("ops.plan --trace nosuch", (2,), "error:"),
    Case("ops.plan --check {empty}", (1, 2), "error:"),
    Case("ops.acceptance Z9", (2,), "there is no such item"),
    Case("ops.acceptance A5", (1, 2), "PROVE_SEEDS", env={"PROVE_SEEDS": "some"}),
    Case("ops.bench --nonsense", (2,), "unrecognized arguments"),
    Case(
        "ops.teardown --stack dev --keep-protected --unprotect",
        (2,),
        "expected one of them",
        cli=True,
    ),
    Case("ops.preview_comment {empty}/none.json --stack dev", (1,), "none.json"),
    Case("ops.preview_comment {tree}/Makefile --stack dev", (1,), "error:"),
    Case("ops.preview_comment post --nonsense", (1, 2), "error:"),
    Case("ops.preview_comment publish {empty}", (1, 2), "error:"),
    Case("ops.record --run {empty}", (1,), "meta.json"),
    Case("ops.requirements --nonsense", (2,), "unrecognized arguments"),
    Case("lab.toolchain ensure nosuch", (1, 2), "nosuch"),
    Case("lab.toolchain", (2,), "required"),
    Case("lab", (2,), "required"),
    Case("lab logs nosuch", (1,), "error:"),
    Case("lab metrics backwards", (1,), "error:"),
    Case("lab faults add {{", (1, 2), "error:"),
    Case("lab exec", (1,), "no command given"),
    # No CLI, no lab.
    *(
        Case(f"ops.{name} --stack dev", (1, 2), NO_CLI)
        for name in (
            "up",
            "preview",
            "drift",
            "teardown",
            "smoke",
            "load",
            "drill",
            "report --live 1",
            "engine.pending_operations",
            "down",
        )
    ),
    Case("lab status", (3,), "does not run"),
    *(Case(f"lab {words}", (1,), "error:") for words in ("exec -- true", "shell", "faults list")),
    Case("ops.teardown", (2,), "the lab does not run"),
    *(
        Case(f"ops.{words}", (1,), "error:")
        for words in ("smoke --wait 0", "load --qps 1", "drill", "engine.pending_operations")
    ),
    # Variables.
    *(
        Case("ops.up", (1,), name, env={name: value})
        for name, value in (
            ("LAB_CLOCK", "fast"),
            ("LAB_INGRESS_PORT", "http"),
            ("LAB_API_PORT", "99999"),
            ("LAB_SCENARIO", "nosuch"),
        )
    ),
    Case(
        "ops.up",
        (1,),
        "three different ports",
        env={"LAB_API_PORT": "20001", "LAB_REGION_PORT": "20001"},
    ),
    Case("lab up", (1,), "LAB_CLOCK", env={"LAB_CLOCK": "0"}),
    Case("lab status", (1, 3), "", env={"LAB_HOME": "{tree}/Makefile"}),
    Case("lab up", (1,), "error:", env={"LAB_HOME": "{tree}/Makefile"}),
    Case("make environment", (2,), "error:", env={"EI_CACHE": "{tree}/Makefile"}),
    Case("make doctor", (2,), "EI_CACHE", env={"EI_CACHE": "/proc/nosuch"}),
    Case("make check PYTHON={empty}/python", (2,), "python"),
    Case("make drill KIND=earthquake STACK=dev", (2,), "invalid choice"),
    Case("make prove ITEM=Z9", (2,), "there is no such item"),
    Case("make nosuch", (2,), "No rule to make target"),
]
KEYS = {"ALICLOUD_ACCESS_KEY": "none", "ALICLOUD_SECRET_KEY": "none"}
"""Credentials that nobody asks anything with: without any a run ends before the CLI."""
ENDED = (130, -2)
"""Ctrl-C: a status of our own, or the signal itself; a shell shows 130 for both."""
INTERRUPTED = [
    *(
        Case(f"ops.{name}", ENDED, "", at=at)
        for name, at in (
            ("check", "ops.engine.cli"),
            ("check", "settings.root"),
            ("up", "argparse"),
            ("up", "ops.check"),
            ("preview", "ops.engine.cli"),
            ("preview --offline", "ops.offline"),
            ("drift", "ops.drift.compare"),
            ("smoke", "ops.engine.cli"),
            ("load", "ops.load.session"),
            ("report", "ops.report.plots"),
            ("drill", "ops.report.run"),
            ("plan", "ops.plan.command"),
            ("plan", "numpy"),
            ("teardown", "ops.engine.cli"),
            ("down", "lab.state"),
            ("acceptance A5", "ops.acceptance.runner"),
            ("bench", "statistics"),
            ("engine.pending_operations", "ops.engine.pending_operations"),
            ("test", "xml.etree"),
        )
    ),
    *(
        Case(f"lab {name}", ENDED, "", at=at)
        for name, at in (
            ("status", "lab.environment"),
            ("up", "lab.up"),
            ("exec -- true", "lab.namespace"),
        )
    ),
    Case("lab.toolchain list", ENDED, "", at="lab.toolchain.resolve"),
    *(
        Case(f"ops.{name} --stack dev", (130, 143), "", at=at, signal="TERM")
        for name, at in (
            ("check", "settings.root"),
            ("up", "ops.check"),
            ("drift", "ops.drift.compare"),
            ("load", "ops.load.session"),
        )
    ),
    *(
        Case(
            f"ops.{name} --stack dev",
            (1, 2, 130, 143, 255),
            "",
            at="cli",
            signal=signal,
            cli=True,
            env=KEYS,
        )
        for signal in ("INT", "TERM")
        for name in (
            "up",
            "preview",
            "drift",
            "teardown",
            "smoke",
            "load",
        )
    ),
    Case("make up STACK=dev", (2, 130, -2), "", at="cli", cli=True),
]
CASES = REFUSED + INTERRUPTED
