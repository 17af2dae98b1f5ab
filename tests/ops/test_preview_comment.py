"""The comment on a pull request: what it says first, what it never says, how it fits."""

import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from lab.testing.figures import figure
from ops.engine.cli import ROOT
from ops.engine.previews import PreviewFormatError, parse
from ops.preview_comment import __main__ as command
from ops.preview_comment.changes import lines
from ops.preview_comment.losses import LOST
from ops.preview_comment.redact import redacted, scrub
from ops.preview_comment.render import LIMIT, marker, render
from tests.ops import preview_cases as made
from tests.ops.preview_recordings import DIRECTORY, read, recorded

CASES = made.cases()
TEXTS = {name: render(given()) for name, given in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_comment_is_the_golden_one(name: str) -> None:
    golden = (DIRECTORY / f"{name}.md").read_text()
    assert TEXTS[name] == golden, (
        "if this is meant: python -m tests.ops.preview_cases, and read the difference"
    )


def test_there_are_twenty_previews_and_half_a_score_of_them_are_the_cli_s_own() -> None:
    assert len(CASES) >= 20 and len(recorded()) >= 10
    figure(f"{len(CASES)} previews, {len(recorded())} of them recorded from the CLI")


@pytest.mark.parametrize("name", CASES)
def test_a_comment_fits_and_starts_with_marker_and_verdict(name: str) -> None:
    text = TEXTS[name]
    assert len(text.encode()) <= LIMIT < 65_536
    first, blank, verdict = text.split("\n")[:3]
    assert first == marker(CASES[name]().stack) and blank == "" and verdict.startswith("## ")
    assert text.count("<!--") == 1 or name == "made-hostile-text"


@pytest.mark.parametrize("name", CASES)
def test_markdown_of_a_comment_holds_no_structure_but_ours(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(TEXTS[name])
    blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
    ours = re.compile(
        r"<!-- pulumi-preview:\w+ -->|<details><summary>(?:(?!</?(script|img|details|a)\b).)*</summary>|</details>|<sub>.*</sub>",
        re.DOTALL,
    )
    assert all(ours.fullmatch(block) for block in blocks)
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<sub>", "</sub>"}
    assert not [child for child in inline if child.type in ("image", "link_open")]
    assert len([token for token in tokens if token.type == "heading_open"]) == 1
    assert not any("@" in child.content for child in inline if child.type == "text")


@pytest.mark.parametrize("name", CASES)
def test_nothing_secret_is_in_a_comment(name: str) -> None:
    text = TEXTS[name]
    assert "hunter" not in text and "aHVudGVy" not in text
    for what, secret in made.SECRETS.items():
        assert secret not in text and json.dumps(secret)[1:-1] not in text, what


def test_what_will_be_lost_stands_above_everything_else() -> None:
    text = TEXTS["bucket-replaced"]
    assert (
        text.index("🛑")
        < text.index("every object in bucket `elastic-inference-dev-")
        < text.index("to update")
        < text.index("<details>")
    )
    assert "Because of `bucket`, `redundancyType`" in text


def test_a_model_that_rolls_to_a_new_volume_is_no_loss() -> None:
    boxes = [
        text.split("**~")[0]
        for text in (TEXTS["bucket-replaced"], TEXTS["protected-bucket-replaced"])
    ]
    assert not any("volume-p" in box or "models-model" in box for box in boxes)


def test_the_same_volume_deleted_first_is_a_loss() -> None:
    volume = {"metadata": {"name": "pv"}, "spec": {"csi": {"driver": "a"}}}
    text = render(
        made.made(
            made.document(
                made.step("replace", "kubernetes:core/v1:PersistentVolume", "pv", volume, volume)
            )
        )
    )
    assert "🛑" in text and "volume `pv`" in text


@pytest.mark.parametrize("kind", LOST)
def test_every_stateful_kind_is_shouted_when_it_is_deleted(kind: str) -> None:
    text = render(made.made(made.document(made.step("delete", kind, "thing", {}))))
    assert "## 🛑 `test`: 1 stateful resource deleted" in text and "[!CAUTION]" in text


def test_a_pool_that_is_replaced_tells_of_its_nodes() -> None:
    assert "every node of pool `inference-staging-" in TEXTS["pool-replaced"]


def test_both_forms_of_the_cli_s_output_give_the_same_comment() -> None:
    assert TEXTS["events"] == TEXTS["bucket-replaced"]


def test_the_summary_stays_when_the_differences_have_no_room() -> None:
    text = TEXTS["made-500-changes"]
    assert (
        "**+ 100 to create** · **~ 200 to update** · **± 100 to replace** · **− 100 to delete**"
        in text
    )
    left = re.search(r"\*\*(\d+) more changes have no room here\*\*", text)
    assert left and int(left[1]) + text.count("<details>") == 500
    assert text.count("</details>") == text.count("<details>")


def test_three_hundred_lost_buckets_are_counted_though_not_all_are_listed() -> None:
    text = TEXTS["made-300-buckets-replaced"]
    assert (
        "300 stateful resources replaced" in text
        and "… and 280 more: 280 × `oss/bucket:Bucket`" in text
    )


def test_a_cost_is_what_the_price_table_and_the_pool_s_mix_say() -> None:
    # Of 2 nodes the base and ceil(0.3) are paid, of 10 the base and ceil(2.7). No price in
    # cn-beijing: cn-guangzhou's 11.63.
    low, high, most = 2 * 11.63, 4 * 11.63 + 6 * 11.63 * 0.3, 7 * 11.63 + 13 * 11.63 * 0.3
    text = TEXTS["made-pool-grows"]
    assert (
        f"{low:.2f} to {high:.2f} (2 to 10 nodes" in text
        and f" to {most:.2f} (4 to 20 nodes" in text
    )
    assert f"+{(most - high) * 730:,.0f} CNY" in text and "2024-10-09" in text


def test_an_open_question_about_cost_is_said_and_not_guessed() -> None:
    assert (
        "no price known for" in TEXTS["made-pool-without-price"]
        and "| unknown |" in TEXTS["made-pool-without-price"]
    )


def test_a_failed_preview_shows_why_and_promises_nothing() -> None:
    text = TEXTS["bad-settings"]
    assert (
        "## ❌ `prod`: the preview failed" in text
        and "nodePool.maxSize is 17" in text
        and "nothing is lost" not in text
    )


def test_what_a_policy_forbids_is_in_the_verdict() -> None:
    assert (
        "and 1 policy says no" in TEXTS["made-policies-fail"]
        and "Waived: `dev has no certificate" in TEXTS["made-policies-fail"]
    )
    assert "✅ 0 broken" in TEXTS["made-policies-pass"]


def test_a_secret_that_changed_is_shown_as_changed() -> None:
    assert "~ data.auth: [secret] (another value)" in TEXTS["users-changed"]
    assert "~ kmsPlain: [secret] (another value)" in TEXTS["made-secrets-in-every-position"]


@pytest.mark.parametrize(
    "value",
    [
        "elastic-inference-prod-2560338f",
        "f176dd48faae2f5ae9b90fcfc97f3f1c5e61a96e6fc42096f74988488b29fd26",
        "nginx.ingress.kubernetes.io/proxy-next-upstream-tries",
        "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0",
        "registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9",
        "2026-11-22T21:24:32.683680933Z",
        "HorizontalPodAutoscaler",
    ],
)
def test_ordinary_values_are_left_alone(value: str) -> None:
    assert scrub(value) == value and redacted(value, "secretName") == value


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "accessKeySecret",
        "ACCESS_KEY_ID",
        "token",
        "securityToken",
        "kubeconfig",
        "tls-private-key",
    ],
)
def test_a_value_is_hidden_for_its_name_alone(name: str) -> None:
    assert redacted({name: "plain"}) == {name: "[secret]"}


def test_a_name_that_points_at_a_secret_is_none() -> None:
    value = {
        "secretName": "bert-tls",
        "nginx.ingress.kubernetes.io/auth-secret": "users",
        "automountServiceAccountToken": False,
        "keyName": "ops",
    }
    assert redacted(value) == value


def test_a_long_text_is_cut_by_lines_and_says_so() -> None:
    (step,) = parse(
        made.document(made.step("create", made.CONFIG_MAP, "big", None, {"data": "line\n" * 500}))
    ).steps
    assert len(lines(step)) == 121 and lines(step)[-1] == "  … 381 more lines"


def run(tmp_path: Path, text: str, *arguments: str) -> int:
    path = tmp_path / "preview.json"
    path.write_text(text)
    return command.main(["--stack", "dev", str(path), *arguments])


def test_the_command_prints_the_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, read("nothing-changes"), "--note", "offline <b>") == 0
    out = capsys.readouterr().out
    assert out.startswith("<!-- pulumi-preview:dev -->") and out.endswith(
        "<sub>`offline <b>`</sub>\n"
    )


@pytest.mark.parametrize("text", ["no json", '{"steps": 5}', '{"a":1}\n{{'])
def test_what_is_no_preview_gives_one_clear_message(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, text) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and not captured.out


def test_a_failed_run_may_have_left_half_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    log.write_text("error: no space left on device")
    assert run(tmp_path, '{"steps": [{"op": ', "--failed", str(log)) == 0
    assert "no space left on device" in capsys.readouterr().out


@pytest.mark.parametrize(
    "junk",
    [
        '{"steps":[1,{"op":[],"urn":{}},{"op":"update"}]}',
        '{"steps":[{"op":"delete","urn":"x","oldState":{"inputs":5}}]}',
        "[]",
        '{"sequence":1,"resourcePreEvent":{"metadata":{"op":"update","urn":"a::b::alicloud:cs/nodePool:NodePool::p","new":{}}}}',
    ],
)
def test_a_document_of_odd_shape_is_rendered_without_a_traceback(junk: str) -> None:
    assert render(made.made(junk)).startswith(marker("test"))


def test_a_stack_s_name_can_t_close_the_marker() -> None:
    with pytest.raises(ValueError, match="letters"):
        marker("dev --> <b>")
    with pytest.raises(PreviewFormatError):
        parse("{{")


def test_a_comment_can_be_looked_at_as_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "comment.md"
    path.write_text(TEXTS["bucket-replaced"])
    assert command.main(["page", str(path)]) == 0
    shown = capsys.readouterr().out
    assert (
        '<blockquote class="caution">' in shown
        and '<span class="del">- redundancyType' in shown
        and "<table>" in shown
    )
    assert shown.count("<details open>") == 1 and shown.count("</details>") == shown.count(
        "<details"
    )
    assert (ROOT / "docs" / "preview-comment.png").stat().st_size < 300_000
