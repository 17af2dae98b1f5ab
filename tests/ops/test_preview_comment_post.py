"""Keeping one comment a stack up to date, against a small double of GitHub's API."""

import pathlib
import subprocess
import sys
from pathlib import Path

import pytest

from ops.offline import run
from ops.preview_comment.__main__ import main
from ops.preview_comment.render import marker
from tests.ops.github_double import BOT, Hub
from tests.ops.preview_recordings import read


def post(
    tmp_path: Path, body: str = "first", *arguments: str, stack: str = "dev", start: str = ""
) -> int:
    path = tmp_path / "comment.md"
    path.write_text(f"{start or marker(stack)}\n\n{body}\n")
    return main(["post", str(path), "--stack", stack, *(arguments or ("--pull", "7"))])


def test_a_first_run_comments(hub: Hub, tmp_path: Path) -> None:
    assert post(tmp_path) == 0
    assert [one["body"] for one in hub.comments] == [f"{marker('dev')}\n\nfirst\n"]


def test_a_later_run_renews_the_same_comment(hub: Hub, tmp_path: Path) -> None:
    assert post(tmp_path) == 0 and post(tmp_path, "second") == 0
    assert [one["body"] for one in hub.comments] == [f"{marker('dev')}\n\nsecond\n"]


def test_an_unchanged_comment_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    assert post(tmp_path) == 0
    hub.comments[0]["body"] = (
        hub.comments[0]["body"].replace("\n", "\r\n").rstrip()
    )  # as GitHub keeps it
    hub.asked.clear()
    assert post(tmp_path) == 0
    assert hub.asked == ["GET issues/7/comments"]


def test_each_stack_has_its_own_comment(hub: Hub, tmp_path: Path) -> None:
    assert (
        post(tmp_path) == 0
        and post(tmp_path, stack="prod") == 0
        and post(tmp_path, "again", stack="prod") == 0
    )
    assert [one["body"].split("\n")[2] for one in hub.comments] == ["first", "again"]


def test_the_comment_is_found_behind_hundreds_of_others(hub: Hub, tmp_path: Path) -> None:
    for number in range(250):
        hub.add(f"talk {number}", "somebody")
    assert post(tmp_path) == 0 and post(tmp_path, "second") == 0
    assert len(hub.comments) == 251 and "second" in hub.comments[-1]["body"]


def test_a_comment_that_somebody_else_wrote_is_never_taken_for_ours(
    hub: Hub, tmp_path: Path
) -> None:
    hub.add(f"{marker('dev')}\n\n## ✅ nothing changes", "mallory")
    assert post(tmp_path) == 0
    assert (
        hub.comments[0]["body"].endswith("nothing changes")
        and hub.comments[1]["user"]["login"] == BOT
    )


def test_a_doubled_comment_is_made_one_again(hub: Hub, tmp_path: Path) -> None:
    for _ in range(2):
        hub.add(f"{marker('dev')}\n\nold", BOT)
    assert post(tmp_path) == 0
    assert [one["body"].split("\n")[2] for one in hub.comments] == ["first"]


def test_a_fork_s_pull_request_is_found_by_branch_and_commit(hub: Hub, tmp_path: Path) -> None:
    assert post(tmp_path, "x", "--head", "fork:branch", "--sha", "abc") == 0
    assert len(hub.comments) == 1


def test_a_result_for_an_old_commit_covers_nothing_newer(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.head = "newer"
    assert post(tmp_path, "x", "--head", "fork:branch", "--sha", "abc") == 0
    assert not hub.comments and "nothing posted" in capsys.readouterr().out


def test_a_server_in_trouble_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    hub.failing = [502, 503, 500]
    assert post(tmp_path) == 0 and len(hub.comments) == 1


@pytest.mark.parametrize(
    ("status", "advice"),
    [(403, "pull-requests: write"), (401, "not valid"), (404, "no such"), (502, "502")],
)
def test_a_refusal_is_one_clear_message(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, advice: str
) -> None:
    hub.failing = [status] * 9
    assert post(tmp_path) == 1
    said = capsys.readouterr().err
    assert advice in said and said.count("\n") == 1 and "t0ken" not in said


def test_an_unreachable_server_is_told_and_not_waited_for(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    assert post(tmp_path) == 1 and "127.0.0.1:9 reachable?" in capsys.readouterr().err


def test_a_file_that_is_not_this_stack_s_comment_is_not_posted(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(tmp_path, start=marker("prod")) == 1 and not hub.asked
    assert "not this stack's comment" in capsys.readouterr().err


def test_a_comment_too_long_is_not_sent(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(tmp_path, "x" * 70_000) == 1 and not hub.asked
    assert "65536" in capsys.readouterr().err


def test_without_a_token_nothing_is_asked(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(SystemExit) as ended:
        post(tmp_path)
    assert ended.value.code == 2 and not hub.asked


def built(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    name: str = "new-stack",
    stack: str = "prod",
    code: int = 0,
) -> int:
    """`build`, with what the CLI printed some day."""
    monkeypatch.setattr(
        run,
        "preview",
        lambda stack, base: run.Previewed(code, read(name), "said on stderr", "abc1234"),
    )
    return main(
        ["build", "--stack", stack, "--base", "HEAD", "--out", str(directory / f"preview-{stack}")]
    )


PUBLISH = ("--head", "fork:branch", "--sha", "abc")


def test_what_the_unprivileged_run_builds_the_privileged_one_renders_and_posts(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built(monkeypatch, tmp_path) == 0
    made = (tmp_path / "preview-prod" / "comment.md").read_text()
    assert (
        "## 🟢 `prod`: 65 to create" in made
        and "**Policies.** ✅ 0 broken" in made
        and "against `abc1234`" in made
    )
    assert main(["publish", str(tmp_path), *PUBLISH]) == 0
    (posted,) = (one["body"] for one in hub.comments)
    said = next(line for line in posted.splitlines() if line.startswith("> Made by the code of"))
    # The line takes the room of the last changes: the comment is as long as a comment may be.
    same = 50_000
    assert posted.replace(f"{said}\n\n", "")[:same] == made[:same] and len(made) > same


def test_a_comment_text_that_a_pull_request_left_is_never_posted(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, tmp_path)
    (tmp_path / "preview-prod" / "comment.md").write_text(
        f"{marker('prod')}\n\n# approved, merge @everyone"
    )
    assert main(["publish", str(tmp_path), *PUBLISH]) == 0
    assert "approved" not in hub.comments[0]["body"]


def test_a_failed_preview_fails_the_build_and_is_commented(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built(monkeypatch, tmp_path, "bad-settings", code=1) == 1
    assert main(["publish", str(tmp_path), *PUBLISH]) == 0
    assert (
        "the preview failed" in hub.comments[0]["body"]
        and "nodePool.maxSize is 17" in hub.comments[0]["body"]
    )


@pytest.mark.parametrize(("name", "text"), [
    ("facts.json", "no json"), ("facts.json", "[]"), ("facts.json", '{"stack": "../x -->"}'), ("facts.json", "[" * 100_000),
    ("facts.json", '{"stack": ["prod"]}'), ("preview.json", "{{"), ("preview.json", "[" * 100_000),
])  # fmt: skip
def test_what_a_pull_request_spoils_costs_it_its_comment_and_nobody_else(
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
) -> None:
    built(monkeypatch, tmp_path, stack="prod")
    built(monkeypatch, tmp_path, "nothing-changes", stack="staging")
    (tmp_path / "preview-prod" / name).write_text(text)
    assert main(["publish", str(tmp_path), *PUBLISH]) == 1
    assert [one["body"].split("\n")[0] for one in hub.comments] in ([marker("staging")], [])
    assert "Traceback" not in capsys.readouterr().err


def test_a_link_out_of_the_artifact_is_not_followed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, tmp_path)
    secret = tmp_path / "token"
    secret.write_text("the runner's own")
    log = tmp_path / "preview-prod" / "preview.json"
    log.unlink()
    log.symlink_to(secret)
    assert main(["publish", str(tmp_path), *PUBLISH]) == 1 and not hub.comments


def test_the_job_with_the_token_needs_no_package() -> None:
    root = pathlib.Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from ops.preview_comment import __main__ as m; m.main(['publish', '--help'])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "--head" in done.stdout, done.stderr
