"""A stack's file is read without an engine as the CLI reads it, and judged by the program's own
rules.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ops import check
from settings.core.stack_file import StackFileError, parse, read
from tests.unit.program import PROJECT, ROOT, stack_values


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_the_values_of_a_committed_stack_are_those_that_the_engine_hands_over(stack: str) -> None:
    given = {
        key: value for key, value in stack_values(stack, {}).items() if value not in ("", None)
    }
    assert read(ROOT, stack).values() == given


def test_plain_words_are_what_yaml_1_2_makes_of_them() -> None:
    file = parse(
        "config:\n  a:b: yes\n  a:c: 12:30\n  a:d: 010\n  a:e: true\n  a:f: {on: off, x: 1.5, y: 2020-01-01, z: null}\n",
        "x",
        "x",
    )
    wanted = {
        "a:b": "yes",
        "a:c": "12:30",
        "a:d": 8,
        "a:e": True,
        "a:f": {"on": "off", "x": 1.5, "y": "2020-01-01", "z": None},
    }
    assert file.config == wanted
    assert (
        file.values()["a:e"] == "true"
        and file.values()["a:f"] == '{"on": "off", "x": 1.5, "y": "2020-01-01", "z": null}'
    )


def test_a_key_without_a_name_space_is_the_projects() -> None:
    assert parse("config: {owner: me}", "x", "x").config == {f"{PROJECT}:owner": "me"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config: [", "line 1, column 10"),
        (
            "config:\n  a:b: 1\n  a:b: 2\n",
            "line 3, column 3: the key 'a:b' stands here for the second time",
        ),
        ("config: 3\n", "expected `config:` with keys below it, found int"),
        ("- 1\n", "found list"),
        ("config:\n  ? [1]\n  : 2\n", "can't be read as YAML"),
        ("config:\n\ta: b\n", "line 2"),
    ],
)
def test_a_file_that_is_no_stack_file_is_one_message_with_the_place(text: str, said: str) -> None:
    with pytest.raises(StackFileError) as caught:
        parse(text, "dev", "Pulumi.dev.yaml")
    assert (
        said in str(caught.value)
        and str(caught.value).startswith("Pulumi.dev.yaml")
        and "\n" not in str(caught.value)
    )


def test_nothing_is_said_of_what_is_encrypted_or_comes_from_elsewhere() -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    hidden = text.replace(
        "config:",
        "config:\n  elastic-inference:owner: {secure: v1:x y}\n  elastic-inference:tags: {a b: c}",
    )
    fields = [problem.field for problem in parse(hidden, "dev", "x").problems({})]
    assert fields and all(field.startswith("tags") for field in fields)
    pool = text.replace("minSize: 0", "minSize: 0.5\n    keyName: {secure: v1:x}")
    assert "nodePool.minSize" in {problem.field for problem in parse(pool, "dev", "x").problems({})}
    bare = "config:\n  elastic-inference:autoscaler: {targetQps: -1}\n"
    assert {problem.field for problem in parse(bare, "x", "x").problems({})} > {
        "autoscaler.targetQps",
        "alicloud:region",
    }
    imported = parse(f"environment: [shared]\n{bare}", "x", "x").problems({})
    assert [problem.field for problem in imported] == ["autoscaler.targetQps"]


def test_every_mistake_comes_at_once_and_neither_the_sdk_nor_a_plugin_is_loaded(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from ops import check; print(check.problems('staging'));"
        "print('LOADED', [name for name in ('pulumi', 'grpc', 'httpx', 'kubernetes') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.stdout.splitlines() == ["", "LOADED []"], done.stdout + done.stderr


def test_the_command_names_each_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "config:\n  elastic-inference:owner: a b\n  elastic-inference:namespace: A_"
    (tmp_path / "Pulumi.dev.yaml").write_text(
        (ROOT / "Pulumi.dev.yaml").read_text().replace("config:", wrong)
    )
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["check", "--stack", "dev"])
    assert check.main() == 1
    said = capsys.readouterr().err
    assert (
        "2 settings of stack 'dev' can't be used" in said
        and "owner is" in said
        and "namespace is" in said
        and "remedy" in said
    )
