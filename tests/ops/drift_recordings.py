"""Event streams of the CLI for test_drift.py. To take one anew, in the state that its name says,
inside the lab:

    export PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true
    pulumi preview --stack local --refresh --json | python -m tests.ops.drift_recordings NAME

autoscaled: the metric is away (`python -m lab metrics outage`), the Deployment is scaled to 2, its
pods are ready. changed-by-hand: besides, the Service's label heritage has another value and the
disruption budget is deleted. released-bridge: the first look after an up, with the plugin built
with bridge 3.134.0. States that don't differ are left out.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from tests.ops.preview_recordings import _without

DIRECTORY = Path(__file__).resolve().parents[1] / "data" / "drift"


def slim(event: dict[str, Any]) -> dict[str, Any] | None:
    """What test_drift.py needs of an event, None for the rest."""
    read, step = event.get("resOutputsEvent"), event.get("resourcePreEvent")
    metadata = (read or step or {}).get("metadata") or {}
    if not (step or (read and metadata["op"] == "refresh")):
        return (
            event
            if "summaryEvent" in event
            or ("diagnosticEvent" in event and event["diagnosticEvent"]["severity"] == "error")
            else None
        )
    sides = [
        metadata.get(side) and {key: metadata[side].get(key) for key in ("inputs", "outputs")}
        for side in ("old", "new")
    ]
    if sides[0] == sides[1] or (step and metadata["op"] in ("same", "refresh")):
        sides = [{} if side is not None else None for side in sides]
    kept = {
        "op": metadata["op"],
        "urn": metadata["urn"],
        "detailedDiff": metadata.get("detailedDiff"),
        "old": sides[0],
        "new": sides[1],
    }
    return {
        "sequence": event["sequence"],
        "resOutputsEvent" if read else "resourcePreEvent": {"metadata": kept},
    }


def read(name: str) -> str:
    """A recorded stream."""
    return gzip.decompress((DIRECTORY / f"{name}.json.gz").read_bytes()).decode()


def main(name: str) -> None:
    """Writes the stream that comes in."""
    events = [slim(_without(json.loads(line))) for line in sys.stdin]
    text = "".join(
        json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
        for event in events
        if event
    )
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
