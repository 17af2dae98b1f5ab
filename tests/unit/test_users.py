"""Users of the endpoint: which password hashes are taken, and that `make user` writes such ones."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence

import bcrypt
import pytest

from ops import htpasswd
from ops.engine.cli import Stack
from settings import Problem
from settings.entry import hash_error
from tests.unit.program import USERS
from tests.unit.test_bad_settings import check, problems_of

BASIC = {"entry": {"auth": "basic"}}
TAIL = USERS.partition("$2y$10$")[2]
WEAK = {
    "$apr1$W8GC8GAm$Qc2GYjDsbSmJHcG2VMVjp1": "an MD5 hash",  # openssl passwd -apr1, htpasswd -m
    "$1$ERsDRGgX$JsAGJAVHdQmCEIUFBVeR3.": "an MD5 hash",  # openssl passwd -1
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=": "an unsalted or fast hash",  # htpasswd -s
    "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3": "an unsalted or fast hash",
    "$5$rounds=5000$abcdefgh$uKXTK1a7Ac9ZF6tiPCyBJTEBPGF9jkHpVGQDnJ2ZlL5": "a SHA-crypt hash",
    "$6$abcdefgh$e9eJkVZnzbKyKlIMzvHlGMzZ8R2oU2dm": "a SHA-crypt hash",  # openssl passwd -6
    "rqXexS6ZhobKA": "a DES hash",  # htpasswd -d
    "hunter2": "no hash",
    "": "no hash",
    f"$2y$05${TAIL}": "a hash of cost 5",  # htpasswd -B
    f"$2y$31${TAIL}": "cost 31: each request would take",
    f"$2b$10${TAIL}": "write $2y$",
    f"$2x$10${TAIL}": "a known fault",
    f"$2y$10${TAIL[:-1]}": "no hash",
    f"$2y$10${TAIL}\r": "no hash",  # a file of Windows
}


def users_problem(text: str) -> Problem:
    """The one problem of a stack with these users."""
    (problem,) = problems_of({**BASIC, "htpasswd": text}, ("htpasswd",)).problems
    return problem


@pytest.mark.parametrize(("secret", "said"), WEAK.items(), ids=lambda text: text[:12])
def test_a_hash_that_is_not_bcrypt_of_a_fair_cost_is_refused_with_the_command_that_makes_one(
    secret: str, said: str
) -> None:
    problem = users_problem(f"{USERS}\nbob:{secret}")
    assert (
        problem.field == "htpasswd"
        and "line 2 has" in problem.expected
        and said in problem.expected
    )
    assert problem.remedy == "make user NAME=<its name> STACK=local"
    assert not secret or len(secret) < 8 or secret not in str(problem), "a hash is a secret"


@pytest.mark.parametrize("line", ["no-colon", ":hash", "a b:hash"])
def test_a_line_that_names_no_user_is_refused(line: str) -> None:
    assert "is not of the form user:hash" in users_problem(line).expected


def test_a_user_stands_once() -> None:
    assert "names a user twice" in users_problem(f"{USERS}\n{USERS}").expected


@pytest.mark.parametrize("text", [USERS, f"{USERS}\n", f"{USERS}\nbob:$2a$12${TAIL}\n"])
def test_bcrypt_of_cost_10_to_12_is_taken(text: str) -> None:
    assert check({**BASIC, "htpasswd": text}, ("htpasswd",)).htpasswd


class Config:
    """What the CLI keeps of one stack's setting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str | None = None) -> None:
        self.text, self.commands = text, []
        monkeypatch.setattr(Stack, "capture", self._get)
        monkeypatch.setattr(htpasswd.subprocess, "run", self._set)

    def _get(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.commands.append(arguments)
        if self.text is None:
            message = "error: configuration key 'elastic-inference:htpasswd' not found for stack"
            return subprocess.CompletedProcess([], 255, "", message)
        return subprocess.CompletedProcess([], 0, f"{self.text}\n", "")

    def _set(
        self, command: Sequence[str], input: str, **_: object
    ) -> subprocess.CompletedProcess[str]:
        self.commands.append(tuple(command))
        self.text = input or None
        return subprocess.CompletedProcess([], 0)


def run(monkeypatch: pytest.MonkeyPatch, typed: str, *arguments: str) -> int:
    """The command with what its standard input holds."""
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return htpasswd.main([*arguments, "--stack", "local"])


def test_make_user_writes_what_the_settings_take_and_keeps_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(monkeypatch)
    assert run(monkeypatch, "correct horse\nbattery staple\n", "ann", "bob") == 0
    ann, bob = (config.text or "").splitlines()
    assert ann.startswith("ann:$2y$10$") and bob.startswith("bob:$2y$10$")
    assert bcrypt.checkpw(b"correct horse", ann.removeprefix("ann:").encode())
    assert check({**BASIC, "htpasswd": config.text}, ("htpasswd",)).htpasswd
    assert run(monkeypatch, "another\n", "ann") == 0
    kept, changed = (config.text or "").splitlines()
    assert kept == bob and bcrypt.checkpw(b"another", changed.removeprefix("ann:").encode())
    words = [word for command in config.commands for word in command]
    assert not [word for word in words if "$2" in word or "horse" in word or "another" in word]
    said = capsys.readouterr()
    assert "make up STACK=local" in said.out and "horse" not in said.out + said.err
    assert run(monkeypatch, "", "ann", "--remove") == 0 and config.text == bob
    assert run(monkeypatch, "", "bob", "--remove") == 0 and config.text is None
    assert "rm" in config.commands[-1]


def test_another_user_with_a_weak_hash_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Config(monkeypatch, "bob:$apr1$W8GC8GAm$Qc2GYjDsbSmJHcG2VMVjp1")
    assert run(monkeypatch, "correct horse\n", "ann") == 0
    assert "bob still has an MD5 hash: make user NAME=bob STACK=local" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["", "\n", f"{'x' * 73}\n", f"{'語' * 25}\n", "a\tb\n"])
def test_a_password_that_bcrypt_would_cut_or_nobody_can_type_is_refused_and_nothing_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    config = Config(monkeypatch, USERS)
    assert run(monkeypatch, typed, "ann") == 1
    assert config.text == USERS and "Nothing was changed" in capsys.readouterr().err


def test_two_passwords_that_differ_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(monkeypatch, USERS)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    typed = iter(["one", "two"])
    monkeypatch.setattr(htpasswd.getpass, "getpass", lambda prompt: next(typed))
    assert htpasswd.main(["ann", "--stack", "local"]) == 1
    assert config.text == USERS and "the two passwords of ann differ" in capsys.readouterr().err


def test_a_name_with_a_colon_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        htpasswd.main(["ann:x"])
    assert ended.value.code == 2 and "without blanks and colons" in capsys.readouterr().err


def test_no_line_is_shown_by_its_error() -> None:
    assert all(secret not in hash_error(f"u:{secret}") for secret in WEAK if len(secret) > 8)
