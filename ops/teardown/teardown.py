"""One teardown from the first look to the last: what `python -m ops.teardown` does between its
options and its exit status, and how it runs the CLI for each part of the destroy.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, ClusterReader, reach
from ops.cloud.credentials import find_credentials
from ops.cloud.resources import BUCKET, NODE_POOL
from ops.engine import account, checkpoint, events, pending_operations, remediation, stack_location
from ops.engine.cli import ROOT, CommandFailed, Stack, environment, own_temporary_directory
from ops.teardown import guard, leftovers, plan, scan, scan_cluster, scan_store, waits
from ops.teardown.leftovers import Report, Unseen
from ops.teardown.plan import Stage, runs


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    confirm: str = ""
    keep_model: bool = False
    keep_protected: bool = False
    unprotect: bool = False
    cluster_gone: bool = False
    patience: float = waits.PATIENCE


@dataclass
class Teardown:
    """One stack, its state and settings, and clients of its cloud and cluster. Construction checks
    everything that can be wrong. Raises RefusedError.
    """

    stack: Stack
    options: Options
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_name()
        self.state = self._read()
        self.location = stack_location.locate(self.stack.name, self.state, self.config)
        if problem := account.problem_of_plugins(self.config):
            raise guard.RefusedError(problem)
        self.cloud = Cloud(
            guard.region_of(self.location),
            find_credentials(stack_location.provider_config(self.config)),
        )
        guard.check_account(self.location, self.cloud)
        way_in = self._way_in()
        guard.check_cluster(self.location, self.cloud, way_in, self.options.cluster_gone)
        self.reader = way_in if isinstance(way_in, ClusterReader) else None
        self.outside = way_in if isinstance(way_in, ClusterError) else None
        if self.reader:
            guard.check_namespace(self.location, self.reader)
        self.known = [
            resource for resource in self.state.real if resource.kind.startswith("kubernetes:")
        ]

    def _check_name(self) -> None:
        self.there = self.stack.exists()
        if not self.there and not self.config:
            stacks = ", ".join(
                sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
            )
            raise guard.RefusedError(
                f"stack {self.stack.name}: the backend knows none, nor is there Pulumi.{self.stack.name}.yaml; expected one of {stacks}"
            )

    def _read(self) -> checkpoint.Checkpoint:
        """The state; an empty one for a stack that no longer exists, whose leftovers are scanned
        for anyway.
        """
        return (
            checkpoint.parse(self.stack.export_state()["deployment"])
            if self.there
            else checkpoint.Checkpoint()
        )

    def _way_in(self) -> ClusterReader | ClusterError:
        kubeconfig = None
        if f"{stack_location.PROJECT}:kubeconfig" in self.config:
            kubeconfig = self.stack.capture(
                "config", "get", f"{stack_location.PROJECT}:kubeconfig", "--stack", self.stack.name
            ).stdout
        try:
            return reach(
                self.cloud, self.location.cluster, kubeconfig, private=self.location.private_api
            )
        except ClusterError as error:
            return error

    def plan(self) -> plan.Plan:
        """What would go now. Raises RefusedError."""
        own = self.options
        return plan.make(
            self.state,
            keep_model=own.keep_model,
            keep_protected=own.keep_protected,
            unprotect=own.unprotect,
        )

    def show(self, planned: plan.Plan) -> str:
        """The plan as text, with costs."""
        costs = plan.Costs(self.cloud.region, lambda name: scan_store.contents(self.cloud, name))
        return plan.show(planned, self.location, self.cloud.region, self.cloud.account, costs)

    def destroy(self) -> plan.Plan:
        """Deletes everything, part by part; returns the plan. Raises CommandFailed,
        KeyboardInterrupt or RefusedError.
        """
        if self.there:  # a killed destroy of the last resource has left its lock, and no resource
            self._settle()
        if not self.state.resources:
            return self.plan()
        self.location = stack_location.locate(self.stack.name, self.state, self.config)
        planned = self.plan()
        self._prepare(planned)
        watch = self._watch(planned)
        watch.note_services()
        parts = runs(
            planned.stages, cluster_made=self.location.cluster_made, unseen=bool(watch.marks)
        )
        for number, part in enumerate(parts, 1):
            print(f"\n{number}/{len(parts)} {', '.join(stage.name for stage in part)}", flush=True)
            self._abort_uploads(planned, part)
            whole = number == len(parts) and not planned.kept
            run_destroy(
                self.stack,
                None if whole else self._targets(part),
                self._environment(),
                self._settle,
            )
            watched = replace(
                watch,
                location=stack_location.without(
                    watch.location, pools_of(chain.from_iterable(parts[number:]))
                ),
            )
            waited = dict(wait for stage in part for wait in watched.after(stage.name))
            for what, pending in waited.items():
                waits.until_nothing(
                    what, pending, lambda line: print(line, flush=True), self.options.patience
                )
        return planned

    def _abort_uploads(self, planned: plan.Plan, part: Iterable[Stage]) -> None:
        """Aborts the unfinished uploads of buckets that go with this part: no bucket with one can
        be deleted.
        """
        going = {resource.urn for resource in planned.to_delete}
        for resource in chain.from_iterable(stage.real for stage in part):
            if resource.kind == BUCKET and resource.urn in going:
                for key in scan_store.abort_uploads(self.cloud, resource.id):
                    print(f"  unfinished upload of {key} in {resource.id}: aborted", flush=True)

    def _targets(self, part: Iterable[Stage]) -> list[checkpoint.Resource]:
        return [
            resource
            for stage in part
            for resource in stage.resources
            if resource.kind != checkpoint.STACK
        ]

    def _watch(self, planned: plan.Plan) -> waits.Watch:
        kept = {
            kind: {identity for other, identity in planned.kept_ids if other == kind}
            for kind in ("bucket", "node pool", "Namespace")
        }
        return waits.Watch(
            self.cloud,
            self._own(planned),
            self.reader,
            bool(kept["Namespace"]),
            frozenset(kept["bucket"]),
            frozenset(kept["node pool"]),
        )

    def _own(self, planned: plan.Plan) -> stack_location.StackLocation:
        return stack_location.without(self.location, planned.forgotten_ids | self.location.kept)

    def _environment(self) -> dict[str, str]:
        return UNREACHABLE if self.options.cluster_gone else {}

    def _settle(self) -> Collection[str]:
        """Settles what a killed update left open (of a cluster that is gone nothing is looked for),
        and reads the state again; returns the URNs that it still names.
        """
        pending_operations.settle_interrupted_run(
            self.stack, "kubernetes:" if self.options.cluster_gone else ""
        )
        self.state = self._read()
        return {resource.urn for resource in self.state.resources}

    def _prepare(self, planned: plan.Plan) -> None:
        """Edits the state where the engine would stand still: protection, and a kubeconfig that may
        have run out.
        """
        urns = {resource.urn for resource in (*planned.adopted, *planned.unprotect)}
        temporary = (self.config.get(f"{stack_location.PROJECT}:cluster") or {}).get(
            "credentialMinutes"
        )
        kubeconfig = self.reader.kubeconfig if self.reader and temporary else ""
        if not urns and not kubeconfig:
            return
        state = self.stack.export_state()
        changed = [
            checkpoint.unprotect(state, urns),
            bool(kubeconfig) and checkpoint.renew(state, kubeconfig),
        ]
        if any(changed):
            self.stack.import_state(state)

    def scan(self, planned: plan.Plan) -> Report:
        """Scans for leftovers and returns the report."""
        kept = leftovers.Kept(planned.kept_ids | self.location.kept)
        cluster_gone = self.location.cluster_made and not self._watch(planned).clusters()
        remains = scan.scan_all(
            self.cloud,
            self._own(planned),
            None if cluster_gone else self.reader,
            self._forgotten(planned),
            kept,
        )
        if self.outside is not None and not self.outside.gone:
            why = f"{self.outside}; when it answers again, the same command without --cluster-gone looks at it"
            in_cluster = tuple(scan_cluster.forgotten(self._forgotten(planned)))
            remains = leftovers.Remains(
                (*remains.leftovers, *in_cluster),
                (*remains.unseen, Unseen(f"the inside of cluster {self.location.cluster}", why)),
            )
        left = tuple(resource for resource in self._read().real if resource.urn not in planned.kept)
        where = f"account {self.cloud.account}, region {self.cloud.region}, cluster {self.location.cluster or 'none'}"
        return Report(self.stack.name, where, remains, left, tuple(planned.to_keep))

    def _forgotten(self, planned: plan.Plan) -> list[checkpoint.Resource]:
        kept = {resource.urn for resource in planned.to_keep}
        return [resource for resource in self.known if resource.urn not in kept]


def pools_of(stages: Iterable[Stage]) -> set[tuple[str, str]]:
    """(kind, id) of the node pools that go in these stages, and of their scaling groups: a later
    run deletes them, so this one does not wait for them.
    """
    pools = [
        resource
        for stage in stages
        for resource in stage.resources
        if resource.kind.startswith(NODE_POOL)
    ]
    return {("node pool", resource.id.rpartition(":")[2]) for resource in pools} | {
        ("scaling group", resource.get("scalingGroupId")) for resource in pools
    }


def explain(failure: CommandFailed) -> int:
    """Prints what to do after a part that failed each time; returns the exit status."""
    print(
        "\nThe destroy did not finish; what is deleted stays deleted. Once the cause is fixed the same command continues from here.",
        file=sys.stderr,
    )
    return failure.code


ATTEMPTS = 3
"""Of one part: clouds throttle and fail for moments, and deleting what is gone already is no
error.
"""
PAUSE = 2.0
UNREACHABLE = {"PULUMI_K8S_DELETE_UNREACHABLE": "true", "PULUMI_K8S_CLIENT_TIMEOUT": "10"}
"""Has the Kubernetes plugin forget objects of a cluster that does not answer, and find that out
within seconds.
"""
_PR_SET_PDEATHSIG = 1


def run_destroy(
    stack: Stack,
    targets: Iterable[checkpoint.Resource] | None,
    extra: Mapping[str, str],
    settle: Callable[[], Collection[str]],
) -> None:
    """Deletes the targets, or everything for None, by `pulumi destroy`. `settle` runs before
    another attempt and returns what the state still names: the CLI refuses a target that an earlier
    attempt has deleted. Raises CommandFailed, KeyboardInterrupt.
    """
    urns = None if targets is None else [target.urn for target in targets]
    for attempt in range(1, ATTEMPTS + 1):
        targeted = [word for urn in urns or () for word in ("--target", urn)]
        with events.event_log() as (options, log):
            words = [
                "destroy",
                "--stack",
                stack.name,
                "--yes",
                "--skip-preview",
                "--suppress-outputs",
                *targeted,
                *options,
            ]
            code = _run(stack.command(*words), {**extra, **events.EVENT_LOG_ENVIRONMENT})
            if code == 0:
                return
            for line in remediation.explanation(events.read_log(log)):
                print(line, file=sys.stderr)
        if attempt == ATTEMPTS:
            raise CommandFailed(["pulumi", "destroy"], code)
        print(
            f"The destroy did not finish; trying again ({attempt + 1} of {ATTEMPTS}).",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(PAUSE)
        named = settle()
        if urns is not None:
            urns = [urn for urn in urns if urn in named]
            if not urns:  # without a target the CLI would delete everything
                return


def _run(command: list[str], extra: Mapping[str, str]) -> int:
    """The CLI's exit status. Raises KeyboardInterrupt, once the CLI is done with what it was
    about.
    """
    interrupted = False
    with own_temporary_directory() as removal:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment(), **extra, **removal},
            preexec_fn=_end_with_us,  # noqa: PLW1509 - one system call, and no thread runs by then
        )
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True
                if not os.isatty(0):  # on a terminal the CLI has got it too
                    process.send_signal(signal.SIGINT)
    if interrupted:
        raise KeyboardInterrupt
    return code


def _end_with_us() -> None:
    """In the child: a CLI whose teardown was killed ends its update in order and gives its lock
    back.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def take_terminate_as_interrupt() -> None:
    """Makes SIGTERM end a run as Ctrl-C does: in order."""

    def raise_it(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, raise_it)
