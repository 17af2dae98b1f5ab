"""Previews of a hostile pull request: nothing it writes gets out of code in the comment, it speaks
for no other stack, and the policies are not its own.

Each of the 40 texts is planted in every place that a fork's preview can fill. The comment is
rendered with markdown-it, and of the page everything outside of `<code>` and `<pre>` is looked at:
there GitHub makes mentions, links, images and references to issues and commits.
"""

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from lab.testing.figures import figure
from ops.engine.previews import PreviewFormatError
from ops.preview_comment.__main__ import main
from ops.preview_comment.build import comment
from ops.preview_comment.render import LIMIT, Origin, marker
from policy import stacks
from tests.ops import preview_cases as made
from tests.ops.github_double import BOT, Hub

LINK, IMAGE = "[pwned](https://pwned.example)", "![pwned](https://pwned.example/x.png)"
MENTION = "@pwned-team"
TICKS = "`"
PAYLOADS = [
    f"token={TICKS}aaaaaaaa{TICKS} {MENTION} {IMAGE} {LINK}",
    f"password={TICKS}{TICKS}bbbbbbbb{TICKS} {IMAGE}",
    f"x{TICKS} token=cccccccc{TICKS} {LINK}",
    f"https://u:p{TICKS}wwwwwww@pwned.example {MENTION}",
    f"-----BEGIN RSA PRIVATE KEY-----{TICKS} {MENTION}",
    f"{TICKS} {MENTION}",
    f"{TICKS * 2} {LINK} {TICKS * 3} {IMAGE}",
    f"{TICKS * 79} {MENTION}",
    f"{TICKS * 80} {MENTION} {TICKS * 81} {LINK}",
    f"{TICKS * 300}\n{MENTION}\n{IMAGE}",
    f"a\n{TICKS * 3}\n\n{MENTION} {LINK}",
    f"a\n {TICKS * 256}\n\n{IMAGE}",
    f"a\n~~~\n{MENTION}\n~~~",
    f"</code> {MENTION} <code>",
    f"</summary></details>\n\n{MENTION} {IMAGE}",
    f"</pre>\n\n{LINK}",
    "<img src=https://pwned.example/x.png>",
    "<a href='https://pwned.example'>pwned</a>",
    "<script>pwned()</script>",
    f"<!-- pulumi-preview:prod -->\n\n{MENTION}",
    f"--> {MENTION}",
    f"| {MENTION} | {LINK} |\n|---|---|\n| a | {IMAGE} |",
    f"\n\n# pwned {MENTION}\n\n",
    f"\n> [!CAUTION]\n> {LINK}\n",
    f"- [x] {MENTION}\n1. {LINK}",
    f"\\{TICKS} {MENTION} \\[pwned](https://pwned.example)",
    "&#64;pwned &commat;pwned &#96; &lsqb;pwned&rsqb;(https://pwned.example)",
    "www.pwned.example https://pwned.example mailto:pwned@pwned.example pwned@pwned.example",
    "pwned/pwned#1 #1 GH-1 pwned@0123456789abcdef0123456789abcdef01234567 "
    "0123456789abcdef0123456789abcdef01234567",
    "[pwned]: https://pwned.example\n\n[pwned] [pwned][pwned]",
    "[^pwned]\n\n[^pwned]: @pwned-team",
    "<https://pwned.example> <pwned@pwned.example>",
    f"\r\n{MENTION}\r{LINK}\x0b{IMAGE}\x85{MENTION}\u2028{LINK}",
    f"\u202e{MENTION}\u200b@\u200bpwned\ufeff",
    f"\x1b[31m{MENTION}\x1b[0m{TICKS}\x00{LINK}",
    f"$$pwned$$ :pwned: **pwned** {MENTION}",
    json.dumps({"token": f"{TICKS} {MENTION}", "pwned": [IMAGE, {LINK: MENTION}]}),
    f"{MENTION} " * 3000,
    f"😀pwned{TICKS}{MENTION}" * 500,
    f"urn:pulumi:prod::x::y::{TICKS}{MENTION} pwned",
]
HEAD = Origin("fork:branch", "0123abcd")


def planted(text: str) -> str:
    """A preview of prod with the text in every place that a preview has."""
    bad = {"bucket": text, "forceDestroy": True, text: text, "list": [text, {text: text}]}
    nodes = {**made.NODES, "instanceTypes": [text], "nodePoolName": text}
    config = {"metadata": {"name": text}, "data": {text: text, "multi": f"x\n{text}\ny"}}
    changed = {"metadata": {"name": text}, "data": {text: f"{text}2", "multi": f"x\n{text}\nz"}}
    forced = {
        "replaceReasons": [text, "b"],
        "detailedDiff": {f'data["{text}"]': {"kind": "update-replace"}, text: {"kind": "update"}},
    }
    steps = [
        made.step("delete", made.BUCKET, text, bad),
        made.step("replace", made.BUCKET, text, bad, bad, **forced),
        made.step("delete", made.DEPLOYMENT, text, config),
        made.step("update", made.POOL, text, nodes, {**nodes, "more": text}),
        made.step("create", made.POOL, f"{text} 2", None, nodes),
        made.step("update", made.CONFIG_MAP, text, config, changed, **forced),
        made.step("create", f"kubernetes:x/v1:{text}", text, None, config),
        made.step("create", made.DEPLOYMENT, text, None, {"spec": {"containers": [{"name": text, "image": text}]}}),
    ]  # fmt: skip
    whole = made.document(
        *steps,
        config={"alicloud:region": text},
        diagnostics=[
            {"severity": level, "prefix": text, "message": text} for level in ("warning", "error")
        ],
    )
    return whole.replace("urn:pulumi:test::", "urn:pulumi:prod::")


def artifact(
    directory: Path, text: str, *, stack: str = "prod", log: str = "", **facts: Any
) -> Path:
    """What a pull request's run leaves for a stack."""
    directory.mkdir(parents=True)
    (directory / "preview.json").write_text(text)
    (directory / "preview.log").write_text(log)
    (directory / "facts.json").write_text(json.dumps({"stack": stack, "failed": False, **facts}))
    (directory / "comment.md").write_text(f"{marker('prod')}\n\n{MENTION}")
    return directory


class Outside(html.parser.HTMLParser):
    """Text outside of code, and the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.tags: set[str] = set()
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                """What was left open in it ends with it."""

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.open):
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def outside_of_code(text: str) -> Outside:
    page = Outside()
    page.feed(MarkdownIt("commonmark").enable("table").enable("strikethrough").render(text))
    page.close()
    return page


TAGS = {"h2", "blockquote", "p", "strong", "ul", "li", "code", "pre", "details", "summary", "b", "i", "sub", "table", "thead", "tbody", "tr", "th", "td"}  # fmt: skip
REFERENCES = re.compile(r"@|://|www\.|#\d|GH-\d|\b[0-9a-f]{7,40}\b|:\w+:")


def assert_harmless(text: str) -> None:
    """No mention, link, image or reference outside of code; no tag and no comment but ours."""
    page = outside_of_code(text)
    assert page.tags <= TAGS, page.tags - TAGS
    assert "pwned" not in page.text and not REFERENCES.search(page.text), page.text
    assert page.comments == [f" pulumi-preview:{'prod'} "]
    runs = [len(run) for run in re.findall("`+", text)]
    assert max(runs) <= 3, "cmark-gfm reads no code span of more than 80 backticks"
    assert text.startswith(f"{marker('prod')}\n\n## ") and len(text.encode()) <= LIMIT


def test_there_are_forty_hostile_texts() -> None:
    assert len(set(PAYLOADS)) == 40 and all("pwned" in text for text in PAYLOADS if "BEGIN" not in text)  # fmt: skip
    figure("40 hostile previews rendered: 0 mentions, links, images or references outside code")


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_nothing_of_a_hostile_preview_gets_out_of_code(number: int, tmp_path: Path) -> None:
    text = PAYLOADS[number]
    given = artifact(tmp_path / "preview-prod", planted(text))
    assert_harmless(comment(given, "prod", Origin(f"fork:{text}", text)))


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_nothing_of_a_hostile_failure_gets_out_of_code(number: int, tmp_path: Path) -> None:
    text = PAYLOADS[number]
    given = artifact(tmp_path / "preview-prod", "", log=f"{text}\n{text}", failed=True)
    assert_harmless(comment(given, "prod", HEAD))


def test_the_test_would_see_what_gets_out() -> None:
    for text in (MENTION, LINK, IMAGE, f"<b>{MENTION}</b>", f"{TICKS * 3}\nx\n{TICKS * 3}\n#12"):
        with pytest.raises(AssertionError):
            assert_harmless(f"{marker('prod')}\n\n## x\n\n{text}\n")


def test_a_long_preview_fits_though_every_part_of_it_is_long(tmp_path: Path) -> None:
    wide = "😀" * 400
    steps = [
        made.step(op, kind, f"{wide}{number}", {"bucket": wide, "instanceTypes": [wide]})
        for number in range(60)
        for op, kind in (("delete", made.BUCKET), ("delete", made.DEPLOYMENT), ("delete", made.POOL))
    ]  # fmt: skip
    steps += [
        made.step("create", made.DEPLOYMENT, f"{wide}n{number}", None, {"spec": {"containers": [{"name": wide}]}})
        for number in range(60)
    ]  # fmt: skip
    said = [{"severity": "warning", "message": f"{number}{wide}"} for number in range(20)]
    text = made.document(*steps, diagnostics=said).replace("urn:pulumi:test::", "urn:pulumi:prod::")
    shown = comment(artifact(tmp_path / "preview-prod", text), "prod", HEAD)
    assert_harmless(shown)
    assert "There is no room here for" in shown and "Lost when this is deployed" in shown


@pytest.mark.parametrize("base", ["main", "abc1234 @pwned", "ABC1234", "a" * 41, 7, ["abc1234"], f"abc1234\n{IMAGE}"])  # fmt: skip
def test_a_base_that_is_no_commit_is_refused(base: Any, tmp_path: Path) -> None:
    with pytest.raises(PreviewFormatError, match="base is no commit"):
        comment(artifact(tmp_path / "p", made.document(), base=base), "prod", HEAD)


def test_a_base_that_is_a_commit_is_named(tmp_path: Path) -> None:
    given = artifact(tmp_path / "p", made.document(), base="abc1234")
    assert "against `abc1234`" in comment(given, "prod", HEAD)


def test_a_comment_says_whose_code_made_it(tmp_path: Path) -> None:
    shown = comment(artifact(tmp_path / "p", made.document()), "prod", HEAD)
    assert "Made by the code of `fork:branch` at `0123abcd`" in shown


def publish(directory: Path) -> int:
    return main(["publish", str(directory), "--head", "fork:branch", "--sha", "abc"])


def test_no_artifact_speaks_for_another_stack(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add(f"{marker('prod')}\n\nof an earlier run", BOT)
    artifact(tmp_path / "preview-zzz", made.document(), stack="prod")
    artifact(tmp_path / "preview-dev", made.document(), stack="prod")
    of_prod = made.document(made.step("create", made.BUCKET, "b", None, {}))
    artifact(
        tmp_path / "preview-staging",
        of_prod.replace("urn:pulumi:test::", "urn:pulumi:prod::"),
        stack="staging",
    )
    assert publish(tmp_path) == 1
    assert [one["body"] for one in hub.comments] == [f"{marker('prod')}\n\nof an earlier run"]
    said = capsys.readouterr().err
    assert "preview-zzz" in said and "not of stack dev" in said and "not of stack staging" in said


def test_three_hundred_artifacts_make_no_more_comments_than_there_are_stacks(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(300):
        artifact(tmp_path / f"preview-{number}", made.document(), stack=str(number))
    for stack in stacks.load():
        artifact(tmp_path / f"preview-{stack}", made.document(), stack=stack)
    assert publish(tmp_path) == 1
    assert len(hub.comments) == len(stacks.load()) == 4
    assert "300 previews are of no stack" in capsys.readouterr().err


def test_the_policies_are_run_here_whatever_the_pull_request_says_of_itself(
    hub: Hub, tmp_path: Path
) -> None:
    text = made.document(made.step("create", made.BUCKET, "open", None, {"acl": "public-read"}))
    given = artifact(
        tmp_path / "preview-prod", text.replace("urn:pulumi:test::", "urn:pulumi:prod::")
    )
    (given / "policy.json").write_text(made.results())
    (given / "waivers.toml").write_text("[[waiver]]")
    assert publish(tmp_path) == 0
    body = hub.comments[0]["body"]
    assert "❌ `bucket-is-private` `open`" in body and "policies say no" in body


def test_a_preview_that_leaves_resources_out_is_not_said_to_keep_the_policies(
    tmp_path: Path,
) -> None:
    with pytest.raises(PreviewFormatError, match="leaves out 7"):
        comment(
            artifact(tmp_path / "p", made.document(changeSummary={"same": 7})),
            "prod",
            HEAD,
        )


def test_a_directory_that_is_a_link_is_not_followed(hub: Hub, tmp_path: Path) -> None:
    artifact(tmp_path / "elsewhere", made.document())
    (tmp_path / "previews").mkdir()
    (tmp_path / "previews" / "preview-prod").symlink_to(tmp_path / "elsewhere")
    assert publish(tmp_path / "previews") == 1 and not hub.comments
