"""Runs cases side by side, each worker in a lab of its own: `python -m tests.faults.matrix RESULTS
--help`.

Results are a JSON line a case; what is in the file already is not run again, so that a run can be
stopped at any time and taken up.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import yaml

from lab.testing.ports import free_port
from tests.e2e.harness import Lab
from tests.faults import cases
from tests.faults.cases import Case, batches
from tests.plugins.engine.region import OTHERS

TOGETHER = 10
"""Faults in one run, at most."""
TOGETHER_INSIDE = 20
"""The same for calls to the API server, none of which takes long."""
WITHOUT_METRICS = ("metrics api", "metrics-adapter", "log-shipper")
"""What the cluster half of the graph needs nothing of."""
SCENARIO = "delays: {task: 1, scaling_activity: 0.1, instance_pending: 0.1, instance_starting: 0.2, instance_stopping: 0.1}\n"


class Worker:
    """A lab, and the process in it that runs cases: a region only for the cloud half, with a
    control plane and stub pods for the other.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        operations: tuple[str, ...] = (),
        settings: dict[str, Any] | None = None,
    ) -> None:
        self._operations = operations
        inside = bool(operations) and set(operations) <= set(cases.IN_CLUSTER)
        directory.mkdir(parents=True, exist_ok=True)
        scenario = directory / "scenario.yaml"
        scenario.write_text(SCENARIO)
        self._lab = Lab.create(directory)
        if settings:
            (self._lab.program / "Pulumi.local.yaml").write_text(yaml.safe_dump(settings))
        self._lab.extra.update(
            LAB_WITHOUT=",".join(WITHOUT_METRICS if inside else OTHERS), LAB_SCENARIO=str(scenario)
        )
        if inside:
            self._lab.extra["LAB_STUB_PODS"] = "1"
        self._process: subprocess.Popen[str] | None = None
        self.calls: dict[str, list[dict[str, Any]]] = {}
        self.at = cases.BEFORE.get("create", "") if inside else ""
        """Where the last case has left the cluster half."""

    def start(self) -> None:
        """Lab up, clean runs done."""
        self._lab.ports = {name: free_port() for name in self._lab.ports}
        started = self._lab.python("lab", "up")
        assert started.returncode == 0, started.stdout + started.stderr
        command = [
            sys.executable,
            "-m",
            "lab",
            "exec",
            "--",
            sys.executable,
            "-m",
            "tests.faults.worker",
            *self._operations,
        ]
        log = (self._lab.home / "worker.log").open("w")
        pipes: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": log,
            "text": True,
        }
        self._process = subprocess.Popen(command, cwd=self._lab.program, env=self._lab.env, **pipes)
        line = self._read()
        self.calls = json.loads(line)

    def cases(self) -> list[Case]:
        """All cases there are for the calls of the clean runs."""
        return [
            case
            for operation, calls in self.calls.items()
            for case in cases.of_calls(operation, calls)
        ]

    def run(self, batch: list[Case]) -> list[dict[str, Any]]:
        """What became of the cases."""
        assert self._process and self._process.stdin
        self._process.stdin.write(json.dumps([dataclasses.asdict(case) for case in batch]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._read())

    def _read(self) -> str:
        assert self._process and self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                "the worker ended: " + (self._lab.home / "worker.log").read_text()[-4000:]
            )
        return line

    def stop(self) -> None:
        """Ends the process and the lab."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(120)
            except subprocess.TimeoutExpired:
                self._process.terminate()
        self._lab.python("lab", "down")


@contextmanager
def workers(
    directory: pathlib.Path, count: int, *operations: str, settings: dict[str, Any] | None = None
) -> Iterator[list[Worker]]:
    """So many running workers; with `operations`, for cases of these only; with `settings`, of a
    stack file other than the local one.
    """
    made = [Worker(directory / f"w{number}", operations, settings) for number in range(count)]
    with ExitStack() as ending:
        for one in made:
            ending.callback(one.stop)
        threads = [threading.Thread(target=one.start) for one in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one.calls for one in made), "a worker did not start"
        yield made


def run(
    wanted: list[Case],
    running: list[Worker],
    minutes: float,
    keep: Callable[[dict[str, Any]], None],
    size: int = TOGETHER,
) -> None:
    """Gives the cases to the workers, several of them a run, until none is left or the time is
    over; `keep` gets every result.

    A case that was not hit in company, or whose company did not end well, is run once more alone.
    """
    waiting = Waiting(batches(wanted, size))
    end = time.monotonic() + 60 * minutes

    def serve(one: Worker) -> None:
        while time.monotonic() < end and not waiting.over:
            if (batch := waiting.take(one.at)) is None:
                time.sleep(0.2)
                continue
            results = one.run(batch)
            one.at = (
                cases.AFTER_IT.get(batch[0].operation, "")
                if all(well(result) for result in results)
                else ""
            )
            again = []
            for case, result in zip(batch, results, strict=True):
                if len(batch) > 1 and not well(result):
                    again.append([case])
                else:
                    keep(result)
            waiting.done(again)

    threads = [threading.Thread(target=serve, args=(one,)) for one in running]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Waiting:
    """What is still to be run."""

    def __init__(self, listed: list[list[Case]]) -> None:
        self._lock, self._listed, self._running = threading.Lock(), list(listed), 0

    @property
    def over(self) -> bool:
        """Nothing waits, and nothing runs that might come back."""
        with self._lock:
            return not self._listed and not self._running

    def take(self, at: str) -> list[Case] | None:
        """The next to run for a worker that is there: the first that begins there, else the first
        of all. None: nothing just now.
        """
        with self._lock:
            if not self._listed:
                return None
            found = next(
                (one for one in self._listed if cases.BEFORE.get(one[0].operation, "") == at),
                self._listed[0],
            )
            self._listed.remove(found)
            self._running += 1
            return found

    def done(self, again: list[list[Case]]) -> None:
        """One has been run; `again` is to be run anew."""
        with self._lock:
            self._running -= 1
            self._listed += again


def well(result: dict[str, Any]) -> bool:
    """Hit, converged, and with a word on what to do."""
    return (
        not result.get("broken")
        and bool(result["hits"])
        and result["converged"]
        and not result["message"]
    )


def load(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Results by key; of a case that was run twice, the later one. What broke in the harness itself
    is not a result.
    """
    lines = path.read_text().splitlines() if path.exists() else []
    return {result["key"]: result for result in map(json.loads, lines) if not result.get("broken")}


class Results:
    """The file that results go to, and a line on the terminal for each."""

    def __init__(self, path: pathlib.Path, total: int) -> None:
        self._path, self._total, self._lock = path, total, threading.Lock()
        self._done = 0

    def keep(self, result: dict[str, Any]) -> None:
        """Write one down."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(result) + "\n")
            self._done += 1
            print(f"{self._done}/{self._total} {result['key']}: {verdict(result)}", flush=True)


def needed(result: dict[str, Any]) -> int:
    """Runs from the one that was struck to the one after which all was well."""
    return result["runs"] - result.get("struck", 1) + 1


def verdict(result: dict[str, Any]) -> str:
    """One result in a few words."""
    if result.get("broken"):
        return f"BROKEN {result['broken']}"
    if not result["hits"]:
        return "made no difference"
    seconds = "+".join(f"{one:g}" for one in result["seconds"])
    if not result["converged"]:
        return (
            f"DOES NOT CONVERGE in {result['runs']} runs ({seconds} s): {'; '.join(result['left'])}"
        )
    return f"run {needed(result)} ({seconds} s)" + (
        f" MESSAGE {result['message']}" if result["message"] else ""
    )


def main() -> int:
    """Runs what is not in the results yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--labs", type=int, default=3)
    parser.add_argument(
        "--inside",
        action="store_true",
        help="the cluster half of the graph instead of the cloud half",
    )
    parser.add_argument("--minutes", type=float, default=1000.0)
    parser.add_argument(
        "--cases",
        default="",
        help="only those whose key (operation/service:call#number/fault) contains one of these words",
    )
    options = parser.parse_args()
    known = load(options.results)
    half = cases.IN_CLUSTER if options.inside else ()
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as directory,
        workers(pathlib.Path(directory), options.labs, *half) as running,
    ):
        listed = running[0].cases()
        options.results.with_suffix(".cases.json").write_text(
            json.dumps([case.key for case in listed])
        )
        wanted = [case for case in cases.chosen(listed, options.cases) if case.key not in known]
        print(f"{len(listed)} cases, {len(known)} done, {len(wanted)} to run", flush=True)
        size = TOGETHER_INSIDE if options.inside else TOGETHER
        run(wanted, running, options.minutes, Results(options.results, len(wanted)).keep, size)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
