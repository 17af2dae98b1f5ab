"""`python -m tests.plugins.ossmodel.bench_upload`: how fast the ossmodel plugin uploads, against
bare `oss2.resumable_upload` in the same run.

Both upload the same random bytes to the same cloud double on this machine, in alternating order;
the medians are compared. The plugin's time is that of its whole `Create` call: reading and hashing
the directory, uploading, verifying and writing the manifest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import oss2

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Plugin, environment

MIB = 1 << 20
WANTED = 0.95


def measure(size_mib: int, rounds: int) -> tuple[list[float], list[float]]:
    """(MiB/s of the plugin, MiB/s of bare oss2), one figure each per round."""
    with tempfile.TemporaryDirectory(prefix="bench-upload-") as folder:
        home = Path(folder)
        source = _model(home, size_mib)
        cloud = Cloud(home)
        plugin = Plugin(
            home,
            environment(**cloud.environment, EI_CACHE=str(home / "cache"), VIRTUAL_ENV=sys.prefix),
        )
        try:
            plugin.configure()
            plugin_speeds: list[float] = []
            bare_speeds: list[float] = []
            for number in range(rounds + 1):
                order = (
                    [_plugin_seconds, _bare_seconds]
                    if number % 2
                    else [_bare_seconds, _plugin_seconds]
                )
                for run in order:
                    _fresh_inode(source)
                    speed = size_mib / run(cloud, plugin, source, home)
                    if number:  # the first round warms both up
                        (plugin_speeds if run is _plugin_seconds else bare_speeds).append(speed)
                print(f"round {number} of {rounds} done", file=sys.stderr)
            return plugin_speeds, bare_speeds
        finally:
            plugin.close()
            cloud.close()


def main() -> int:
    """Print one line; the exit status tells whether the plugin is fast enough."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.plugins.ossmodel.bench_upload", description=__doc__
    )
    parser.add_argument(
        "--size", type=int, default=256, metavar="MIB", help="bytes to upload in MiB (default 256)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds (default 3)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the figures as one line of JSON; judging them is the caller's",
    )
    arguments = parser.parse_args()
    if arguments.size < 1 or arguments.rounds < 1:
        parser.error(
            f"--size {arguments.size} --rounds {arguments.rounds}: both must be at least 1"
        )
    plugin, bare = (
        statistics.median(speeds) for speeds in measure(arguments.size, arguments.rounds)
    )
    ratio = plugin / bare
    if arguments.json:
        print(json.dumps({"plugin_mib_s": plugin, "bare_mib_s": bare, "ratio": ratio}))
        return 0
    verdict = "holds" if ratio >= WANTED else "DOES NOT HOLD"
    figures = f"plugin {plugin:.0f} MiB/s, bare oss2.resumable_upload {bare:.0f} MiB/s, ratio {ratio:.2f} (>= {WANTED})"
    print(f"upload of {arguments.size} MiB: {figures}: {verdict}")
    return 0 if ratio >= WANTED else 1


def _model(home: Path, size_mib: int) -> Path:
    directory = savedmodels.make(home, "1")
    with open(directory / "variables" / "variables.data-00000-of-00001", "wb") as shard:
        for _ in range(size_mib):
            shard.write(os.urandom(MIB))
    return directory


def _fresh_inode(source: Path) -> None:
    """New time stamps, so that the plugin cannot use the checksums it computed in an earlier
    round.
    """
    for path in source.rglob("*"):
        os.utime(path)


def _plugin_seconds(cloud, plugin, source: Path, home: Path) -> float:
    bucket = _bucket(cloud)
    began = time.perf_counter()
    inputs, failures = plugin.check(
        {"bucket": bucket.bucket_name, "prefix": "bench", "source": str(source)}
    )
    assert not failures, failures
    id_, state = plugin.create(inputs)
    seconds = time.perf_counter() - began
    plugin.delete(id_, state)
    return seconds


def _bare_seconds(cloud, plugin, source: Path, home: Path) -> float:
    bucket = _bucket(cloud)
    store = oss2.ResumableStore(root=str(home), dir=f"store-{uuid.uuid4().hex}")
    files = [path for path in source.rglob("*") if path.is_file()]
    began = time.perf_counter()
    for path in files:
        oss2.resumable_upload(bucket, path.name, str(path), store=store)
    seconds = time.perf_counter() - began
    for path in files:
        bucket.delete_object(path.name)
    return seconds


def _bucket(cloud):
    return cloud.new_bucket(f"bench-{uuid.uuid4().hex[:12]}")


if __name__ == "__main__":
    sys.exit(main())
