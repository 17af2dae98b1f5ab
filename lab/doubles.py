"""Every double of the lab, what judges it, and when that was last run (`lab/docs/doubles.md`).

`python -m lab.doubles` writes the page from the rows here and from `lab/docs/doubles.json`, which
`make prove ITEM=R4` writes: it runs the tests of all rows. A test holds the page against both, and
every module of the lab against the rows: a new one must belong to a row.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "lab" / "docs" / "doubles.md"
RUNS = ROOT / "lab" / "docs" / "doubles.json"
"""`{test file or directory: {"date": day, "checks": how many passed}}` of each one's last run in
which all passed.
"""


@dataclass(frozen=True)
class Double:
    """One row of the page."""

    name: str
    parts: tuple[str, ...]
    """Modules and packages of the lab that are it; of two rows that name a module, the longer path
    has it.
    """
    stands_for: str
    judge: str
    """Whose word decides whether it is right: something that this project did not write, where
    there is such a thing.
    """
    tests: tuple[str, ...]
    """Test files and directories that hold it against its judge."""
    left: str
    """What no judge holds yet, or what is known to differ."""


DOUBLES = (
    Double(
        "Kubernetes API, scheduler, controllers",
        ("lab/controlplane/control_plane.py", "lab/controlplane/certificates.py", "lab/controlplane/rbac.py", "lab/kube.py"),
        "ACK's managed control plane",
        "none needed: etcd and Kubernetes are the published sources, built by `lab/toolchain/`; the lab only starts them",
        ("lab/tests/core/test_parts.py",),
        "ACK's own admission and its limits on API calls",
    ),
    Double(
        "cloud double, RPC and REST",
        ("lab/alicloud",),
        "the APIs listed in [coverage.md](coverage.md)",
        "names, types and required parameters of the official SDK packages' models (`lab/alicloud/sdk_models.json`); the official SDKs and "
        "the published alicloud plugin as clients; recorded exchanges",
        ("lab/tests/alicloud", "tests/prove/test_r4_sdk_models.py"),
        "values: the models say names and types, not what a field may hold; `DescribeClusterEndpoints` and GetLogs of 0.6.0 are in no "
        "package",
    ),
    Double(
        "cloud double, OSS",
        ("lab/alicloud/services/oss",),
        "OSS",
        "parameters, headers and elements of the models of `alibabacloud-oss-v2`; `oss2` as client, signatures of both versions; recorded "
        "exchanges",
        ("lab/tests/alicloud/test_oss.py", "lab/tests/alicloud/test_exchanges.py", "lab/tests/alicloud/test_recorded.py"),
        "elements that a client sends in a setting's XML are kept, not judged",
    ),
    Double(
        "interruptions and instance metadata",
        ("lab/alicloud/metadata.py", "lab/alicloud/preemption.py", "lab/alicloud/market.py", "lab/alicloud/control_market.py"),
        "ECS' metadata service, the market of preemptible instances, their reclaim notices",
        "ECS' documentation of the notice, of the lock reason and of the metadata paths",
        ("lab/tests/alicloud/test_interruption.py", "lab/tests/alicloud/test_market.py"),
        "prices and stock are the scenario's, not a market's",
    ),
    Double(
        "ingress",
        ("lab/controlplane/platform.py", "lab/controlplane/ingress_admission.py", "lab/controlplane/ingress_annotations.py",
         "lab/controlplane/ingress_routes.py", "lab/controlplane/ingress_watch.py"),
        "ingress-nginx of ACK with its admission webhook, an ALB, and the load balancer",
        "ingress-nginx's documentation of each annotation, asked through the real ingress; its own parser's verdicts on 15,694 pairs of "
        "annotation and value; [ingress.md](ingress.md) is the table",
        ("lab/tests/core/test_inside.py", "lab/tests/core/test_ingress.py", "lab/tests/core/test_ingress_annotations.py"),
        "annotations that are not called live in ingress.md are as traefik's source says; an ALB has no judge but its documentation",
    ),
    Double(
        "access log and its shipping",
        ("lab/controlplane/log_shipper.py", "lab/controlplane/log_lines.py", "lab/controlplane/log_pipelines.py",
         "lab/controlplane/sls.py"),
        "loongcollector with its operator, and ACK's ingress logstores",
        "the names of ingress-nginx's and ALB's log fields as ACK documents them; the log service's own protobuf; for log pipelines a "
        "table of documents and lines by the log service's reference and the collector's source "
        "(`lab/tests/core/data/log_pipelines.yaml`)",
        ("lab/tests/core/test_log_lines.py", "lab/tests/core/test_log_pipelines.py", "lab/tests/alicloud/test_logs.py"),
        "fields that no query of ours reads are empty; of a pipeline's plugins the lab plays three and refuses the others by name; a "
        "regular expression is Python's, there it is Boost's",
    ),
    Double(
        "metrics adapter",
        ("lab/controlplane/adapter.py", "lab/controlplane/sls_query.py", "lab/controlplane/metric_fault.py"),
        "ack-alibaba-cloud-metrics-adapter",
        "the published adapter's source: a table of log lines, answers of the log service and selectors with value, quantity, status and "
        "what the HPA sees, each row with its function (`lab/tests/core/data/metrics_adapter.yaml`)",
        ("lab/tests/core/test_adapter_table.py", "lab/tests/core/test_adapter.py", "lab/tests/core/test_sls_query.py",
         "lab/tests/core/test_metric_fault.py"),
        "derived from the source, not recorded on a cluster; its other metrics (SLB, CMS, Prometheus) are not served",
    ),
    Double(
        "node scaler",
        ("lab/controlplane/node_autoscaler.py", "lab/controlplane/node_rules.py", "lab/controlplane/scale_down.py", "lab/controlplane/scheduling.py",
         "lab/controlplane/nodepool_rows.py", "lab/controlplane/expanders.py", "lab/controlplane/backoff.py"),
        "cluster-autoscaler of ACK",
        "cluster-autoscaler's documentation and source, and ACK's configuration: a table of decisions, each with the file, flag or page "
        "that makes it (`lab/tests/core/data/node_scaler.yaml`)",
        ("lab/tests/core/test_node_scaler_table.py", "lab/tests/core/test_node_scaler_loop.py", "lab/tests/core/test_node_scalers.py",
         "lab/tests/core/test_node_rules.py",
         "lab/tests/core/test_scale_down.py"),
        "derived from source and pages, not recorded on a cluster; `minReplicaCount` and the order of packing are not modelled",
    ),
    Double(
        "kubelet",
        ("lab/kubelet", "lab/controlplane/spot_remedy.py"),
        "kubelet and ACK's draining of reclaimed nodes",
        "the API server (published) takes what it writes; the rules are those of the Kubernetes documentation",
        ("lab/tests/kubelet/test_status.py", "lab/tests/kubelet/test_probes.py", "lab/tests/kubelet/test_node.py",
         "lab/tests/kubelet/test_container.py"),
        "a pod uses what it likes: limits, evictions and what ACK's add-ons request on every node are not modelled",
    ),
    Double(
        "kubelet, room for pods",
        ("lab/kubelet/nodes.py", "lab/kubelet/node_room.py"),
        "a node's capacity and what ACK reserves of it",
        "[ACK's reservation policy](https://www.alibabacloud.com/help/en/ack/ack-managed-and-ack-dedicated/user-guide/"
        "resource-reservation-policy) for Kubernetes 1.28 and newer, and the node in that page",
        ("lab/tests/kubelet/test_node_room.py", "lab/tests/kubelet/test_nodes.py"),
        "110 pods a node: ACK's limit depends on type and network plug-in. What the kernel keeps is reckoned from that one node",
    ),
    Double(
        "kubelet, labels and taints",
        ("lab/labels.py",),
        "their validation by the API server, by ACK's node pools and by the kubelet",
        "Kubernetes' rules and words",
        ("lab/tests/alicloud/test_labels.py",),
        "ACK documents no error code for them; ours is `InvalidParameter.Labels` and `.Taints`",
    ),
    Double(
        "kubelet, reclaim notice",
        ("lab/kubelet/agent.py",),
        "ack-node-problem-detector, there or absent",
        "ACK's pages on preemptible node pools: who sets the condition InstanceExpired; `make doctor` against the double",
        ("lab/tests/alicloud/test_problem_detector.py",),
        "the condition comes with the notice; the add-on polls, and may see it seconds later",
    ),
    Double(
        "containerd, images",
        ("lab/kubelet/images.py", "lab/kubelet/pulling.py", "lab/kubelet/registry.py"),
        "pulls, pull policies, pull secrets and registries",
        "containerd's words as its users report them, and the cause that `make up` finds for each; public images' tags by their registries",
        ("lab/tests/kubelet/test_pulling.py", "lab/tests/kubelet/test_images.py"),
        "no bytes are pulled; images are neither collected nor limited by the disk, but by a scenario",
    ),
    Double(
        "OSS mount",
        ("lab/kubelet/ossmount.py", "lab/kubelet/ossoptions.py", "lab/kubelet/ossfs1.py", "lab/kubelet/ossfs2.py"),
        "csi-plugin with ossfs 2.0 or 1.x",
        "the clients' published options with types and limits (ossfs 2.0.7, ossfs 1.91, libfuse 2.9: data with sources) and the driver's "
        "published code",
        ("lab/tests/kubelet/test_volume_options.py", "lab/tests/kubelet/test_volumes.py"),
        "the client in ACK's own image may be newer than the published one; caches, and writes back to OSS, are not modelled",
    ),
    Double(
        "serving process",
        ("lab/serving",),
        "TensorFlow Serving",
        "TensorFlow's own libraries, in the lab's process, by their C API; messages of `tensorflow-serving-api`",
        ("lab/tests/serving/test_tensorflow.py", "lab/tests/serving/test_versions.py", "lab/tests/serving/test_rest_answers.py",
         "lab/tests/serving/test_rest_errors.py", "lab/tests/serving/test_grpc.py"),
        "TensorFlow Serving's own binary is in no registry: its batching and its metrics are read from its source",
    ),
)  # fmt: skip
MACHINERY = (
    "lab/__init__.py", "lab/__main__.py", "lab/dns.py", "lab/doubles.py", "lab/down.py", "lab/environment.py", "lab/errors.py", "lab/examples", "lab/faults.py", "lab/files.py", "lab/inside.py",
    "lab/port_owner.py", "lab/namespace.py", "lab/network.py", "lab/parts.py", "lab/pki.py", "lab/port_forward.py", "lab/quantities.py", "lab/spawn.py", "lab/state.py", "lab/status.py", "lab/supervisor.py",
    "lab/testing/", "lab/tests", "lab/toolchain", "lab/up.py", "lab/controlplane/__init__.py", "lab/readiness.py", "lab/controlplane/tools.py",
)  # fmt: skip
"""What stands for nothing of the cloud: it starts, stops and connects the parts. A name without
`.py` is the beginning of several.
"""
_HEAD = """\
# Doubles and their judges

Written by `python -m lab.doubles`; a test fails when it is out of date. `make prove ITEM=R4` runs the tests of every row and writes the
dates. What runs in the lab in place of a part of Alibaba Cloud or of a cluster, and what says whether it does so rightly. A part that is
the published one (control plane, CLI, alicloud and kubernetes plugin, TensorFlow's libraries, traefik) needs no judge of its own.

| double | stands for | its judge | held by | last run | what is left |
|---|---|---|---|---|---|
"""
_TAIL = """
## How the cloud double is judged

Alibaba Cloud generates its SDK packages from the APIs' metadata. `python -m lab.alicloud.sdk_models` reads the request and answer model
of every action that the double serves from 15 of those packages; `make prove ITEM=R4` fetches all of them and reads them again, a test in
`make test-lab` those that are installed.

- A call without a required parameter is refused (`MissingParameter`, at the log service `ParameterInvalid`) before anything happens; so is
  one whose objects or lists lack a required field (`ZoneMappings.1.ZoneId`, `nodepool_info.name`). What the published Terraform provider
  leaves out is taken: `LEFT_OUT` in `lab/alicloud/api_models.py` names it. RAM's and IMS's packages call nothing required; `ALSO_REQUIRED` says
  what their API reference does.
- Every parameter, header (OSS) and field of a body that the double asks for, and every field, element and header that it answers with its
  type, is compared while it runs. What differs is listed by the control API (`GET /_lab/departures`, with the judge's share of CPU time);
  the region tests end in failure if anything is.
- `lab/tests/alicloud/test_exchanges.py` calls every action that the router knows, whole and without each required part.
- A lab judges the first answers of each action, then as many as take 3 % of its handlers' CPU time; the region tests judge all
  (`LAB_JUDGE=all`).
"""


def owner(module: str) -> str:
    """The row that a module of the lab belongs to: its name, "machinery", or "" when it
    belongs to none.
    """
    rows = [(part, row.name) for row in DOUBLES for part in row.parts] + [
        (part, "machinery") for part in MACHINERY
    ]
    found = [
        (len(part), name)
        for part, name in rows
        if module == part or module.startswith(part if name == "machinery" else f"{part}/")
    ]
    return max(found)[1] if found else ""


def tests() -> tuple[str, ...]:
    """What holds all the doubles, each once, none that is inside another."""
    named = dict.fromkeys(test for row in DOUBLES for test in row.tests)
    return tuple(test for test in named if not any(test.startswith(f"{other}/") for other in named))


def runs() -> dict[str, dict[str, str | int]]:
    """The last runs, as `RUNS` says."""
    return json.loads(RUNS.read_text()) if RUNS.exists() else {}


def last_run(row: Double, known: dict[str, dict[str, str | int]]) -> str:
    """The oldest day of the last runs of the row's tests, with the number of checks; or what has
    not been run.
    """
    missing = [test for test in row.tests if test not in known]
    if missing:
        return "not yet: " + ", ".join(f"`{test}`" for test in missing)
    return f"{min(str(known[test]['date']) for test in row.tests)}, {sum(int(known[test]['checks']) for test in row.tests)} checks"


def page() -> str:
    """The text of lab/docs/doubles.md, from the rows and the last runs."""
    known = runs()
    lines = []
    for row in DOUBLES:
        parts = ", ".join(f"`{part}`" for part in row.parts)
        held = ", ".join(f"`{test}`" for test in row.tests)
        lines.append(
            f"| {row.name} ({parts}) | {row.stands_for} | {row.judge} | {held} | {last_run(row, known)} | {row.left} |\n"
        )
    return _HEAD + "".join(lines) + _TAIL


def keep(cases: Iterable[tuple[str, bool]], day: str = "") -> None:
    """Take a run's cases (dotted module, passed) into `RUNS` and write the page; a test with a
    failure keeps its former date.
    """
    known, cases = runs(), list(cases)
    for test in dict.fromkeys(test for row in DOUBLES for test in row.tests):
        passed = of(test, cases)
        if passed and all(passed):
            known[test] = {"date": day or time.strftime("%Y-%m-%d"), "checks": len(passed)}
    wanted = {test for row in DOUBLES for test in row.tests}
    RUNS.write_text(
        json.dumps({test: known[test] for test in sorted(known) if test in wanted}, indent=1) + "\n"
    )
    PAGE.write_text(page())


def of(test: str, cases: Sequence[tuple[str, bool]]) -> list[bool]:
    """Which of the cases are of a test file or directory, and whether they passed."""
    module = test.removesuffix(".py").replace("/", ".")
    return [passed for name, passed in cases if f"{name}.".startswith(f"{module}.")]


def table(cases: Sequence[tuple[str, bool]]) -> list[str]:
    """Double, judge, and what a run's cases came to, a line each, for a terminal."""
    width = max(len(row.name) for row in DOUBLES)
    lines = []
    for row in DOUBLES:
        passed = [one for test in row.tests for one in of(test, cases)]
        lines.append(
            f"{row.name:<{width}}  {sum(passed):>4} of {len(passed):>4} checks passed  {row.judge}"
        )
    return lines


def main() -> int:
    """Write the page, or with --check say whether it is up to date (1 when not)."""
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() == page():
            return 0
        print(f"{PAGE} is out of date: run `python -m lab.doubles`", file=sys.stderr)
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
