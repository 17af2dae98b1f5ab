"""Previews of this program as the CLI itself prints them: `python -m tests.ops.preview_recordings`
takes them anew.

Each is the committed tree against itself with one setting changed, offline, by the real CLI and
plugins. Call stacks are left out.
"""

import gzip
import json
import pathlib
import sys
import tempfile
from typing import Any
from unittest import mock

from ops.offline import run
from ops.offline.workspace import Workspace, read_settings, write_settings
from settings.core import stack_file

DIRECTORY = pathlib.Path(__file__).resolve().parents[1] / "data" / "previews"
Settings = dict[str, dict[str, Any]]

RECORDINGS: dict[str, tuple[str, Settings | None]] = {
    "new-stack": ("prod", None),
    "nothing-changes": ("staging", {}),
    "bucket-replaced": ("dev", {"modelStore": {"redundancy": "ZRS"}, "nodePool": {"maxSize": 8}}),
    "protected-bucket-replaced": ("prod", {"modelStore": {"redundancy": "LRS"}}),
    "pool-grows": (
        "staging",
        {
            "nodePool": {"maxSize": 20, "onDemandPercent": 50},
            "server": {"image": "tensorflow/serving:2.14.1-gpu"},
        },
    ),
    "pool-replaced": ("staging", {"nodePool": {"generation": 2}}),
    "warm-nodes-deleted": ("prod", {"headroom": {"nodes": 0}}),
    "bad-settings": ("prod", {"nodePool": {"minSize": 40, "vswitchIds": []}}),
    "namespace-renamed": ("staging", {"namespace": "serving"}),  # type: ignore[dict-item]  # a setting of a stack, no group
}
"""Name: stack and changed settings; None: nothing to compare with."""


def record(
    name: str, stack: str, changed: Settings | None, *arguments: str, **variables: str
) -> None:
    """Writes the CLI's JSON, and what it says beside it when it fails."""
    with tempfile.TemporaryDirectory(prefix="recording-") as directory:
        place = pathlib.Path(directory)
        work = Workspace(place, stack)
        work.lay_plugins()
        base, head = (run._extract("HEAD", place / tree) for tree in ("base", "changed"))
        if changed is not None:
            assert not (problem := run._lay_base(work, base)), problem
            write_settings(
                head / f"Pulumi.{stack}.yaml", _merged(read_settings(head, stack), changed)
            )
        with mock.patch.dict(
            stack_file.PLACEHOLDERS,
            {"htpasswd": f"offline:$2y$10${'another':.<53}"} if name == "users-changed" else {},
        ):
            program = work.lay_tree(head, "head")
        done = work.pulumi(program, "preview", "--json", "--stack", stack, *arguments, **variables)
        text = _slim(done.stdout.replace(directory, "/preview"))
        (DIRECTORY / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{name}: exit status {done.returncode}, {len(text)} characters")


def _slim(text: str) -> str:
    """Without the call stacks that the CLI notes for each resource: they are nine tenths of it, and
    nobody reads them.
    """
    documents = (
        [json.loads(text)]
        if not text.startswith('{"sequence"')
        else [json.loads(line) for line in text.splitlines()]
    )
    compact = [
        json.dumps(_without(document), ensure_ascii=False, separators=(",", ":"))
        for document in documents
    ]
    return "".join(f"{line}\n" for line in compact)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without(inner)
            for key, inner in value.items()
            if key not in ("stackTrace", "sourcePosition")
        }
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def _merged(document: dict[str, Any], changed: Settings) -> dict[str, Any]:
    config = dict(document["config"])
    for group, values in changed.items():
        key = f"{stack_file.PROJECT}:{group}"
        config[key] = {**(config.get(key) or {}), **values} if isinstance(values, dict) else values
    return {**document, "config": config}


def main(wanted: list[str]) -> None:
    """Records all, or those named."""
    for name, (stack, changed) in RECORDINGS.items():
        if not wanted or name in wanted:
            record(name, stack, changed)
    if not wanted or "users-changed" in wanted:
        record("users-changed", "prod", {})
    if not wanted or "events" in wanted:
        record(
            "events", *RECORDINGS["bucket-replaced"], PULUMI_ENABLE_STREAMING_JSON_PREVIEW="true"
        )


def recorded() -> list[str]:
    """Names of all recordings that are there."""
    return sorted(path.name.removesuffix(".json.gz") for path in DIRECTORY.glob("*.json.gz"))


def read(name: str) -> str:
    """What the CLI printed."""
    return gzip.decompress((DIRECTORY / f"{name}.json.gz").read_bytes()).decode()


if __name__ == "__main__":
    main(sys.argv[1:])
