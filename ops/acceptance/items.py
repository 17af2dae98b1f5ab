"""Every promise of the project by number: its checks, its bound, its clock and its seeds."""

from __future__ import annotations

from lab import doubles
from ops.acceptance.runner import Item

ELASTIC = ("ELASTIC_CLOCK", "20")
"""The elastic proofs' clock, at which five seeds can be waited for."""
SLOW = ("ELASTIC_CLOCK", "10")
"""Where seconds of the machine count for the figure (its own work beside a boot, requests in one
window of the metric): half as fast.
"""
EXACT = ("ELASTIC_CLOCK", "5")
"""Where the metric's age counts (log queries know whole seconds of the machine; 5 divides its
window of 15 s and its delay of 10 s), and where a few seconds are the figure: at x10 one second of
two busy cores, on which sixteen nodes have just gone, is ten of them.
"""
REAL = ("ELASTIC_CLOCK", "1")
"""Where half a minute is the figure, of which whole seconds of the load, the log and the shipper
would be five times as much at x5.
"""
SLOWEST = ("ELASTIC_CLOCK", "2")
"""Where the same two cores are the control plane and five hundred booting nodes."""


def _judge_doubles(cases: list[tuple[str, bool]]) -> list[str]:
    """The table of doubles and judges; what passed gets today's date in lab/docs/doubles.md."""
    doubles.keep(cases)
    return doubles.table(cases)


ITEMS = {
    "A1": Item(
        "fresh clone, fresh caches: up, predict, test; warm up; second up",
        ("tests/prove/test_a1_fresh_clone.py",),
        "cold <= 25 min, warm <= 60 s, second <= 10 s",
    ),
    "A2": Item("down leaves nothing", ("tests/e2e/test_teardown.py",)),
    "A3": Item("the prediction is computed from the uploaded files", ("tests/e2e/test_model.py",)),
    "A4": Item(
        "one wrong character in the policy or the trust keeps the pod from starting",
        ("tests/e2e/test_identity.py",),
    ),
    "A5": Item(
        "inputs against the tutorial's values, and its 17 defects",
        ("tests/unit/test_tutorial_values.py", "tests/unit/test_tutorial_defects.py"),
    ),
    "A6": Item("the region receives the recorded calls", ("lab/tests/alicloud_plugin",)),
    "A7": Item(
        "no-op and refresh are clean; killed at 20 moments of up and of destroy",
        ("tests/e2e/test_up.py", "tests/e2e/test_killed.py"),
        settings=(("KILL_MOMENTS", "20"),),
    ),
    "A8": Item("official SDKs and oss2 as clients of the region", ("lab/tests/alicloud",)),
    "A9": Item(
        "bad input: one clear message each",
        ("tests/unit/test_bad_settings.py", "tests/plugins/ossmodel", "tests/ops"),
        "at least 60 bad inputs",
    ),
    "A10": Item(
        "benchmarks", ("tests/prove/test_a10_bench.py",), "preview <= 1.5x, upload >= 0.95x"
    ),
    "A11": Item("the README's commands run", ("tests/e2e/test_readme.py",)),
    "B1": Item(
        "load moves replicas, replicas move instances, and back; all preemptible nodes lost with 300 s notice meanwhile",
        ("tests/elastic/test_b1_loop.py", "tests/elastic/test_b6_scale_in.py"),
        "on-demand share in [0.30, 0.34] at >= 20 nodes; 0 failed after the loss and at scale-in; capacity never below demand",
        (ELASTIC,),
        5,
        "peak",
    ),
    "B2": Item(
        "all preemptible nodes lost with 120 s notice, and with none",
        ("tests/elastic/test_b2_loss.py",),
        ">= 98.5 % and >= 96.5 % answered in the next hour",
        (EXACT,),
        5,
        "peak",
    ),
    "B3": Item(
        "load doubled beyond the headroom",
        ("tests/elastic/test_b3_step.py",),
        "p50 <= 1.20 x (boot + load), p95 <= 1.30 x",
        (EXACT,),
        5,
        parts=("B3-HEADROOM",),
    ),
    "B3-HEADROOM": Item(
        "load doubled within the headroom",
        ("tests/elastic/test_b3_headroom.py",),
        "<= 35 s + load",
        (REAL,),
        5,
    ),
    "B4": Item(
        "preemptible instances out of stock, and back",
        ("tests/elastic/test_b4_stock.py",),
        "ordered on demand within 60 s; share <= 34 % within 1800 s; 0 failed",
        (ELASTIC,),
        5,
        "peak",
    ),
    "B5": Item(
        "the metric fails or lies",
        ("tests/elastic/test_b5_metric.py",),
        "no pod less; at most one policy step",
        (ELASTIC,),
        5,
        "peak",
    ),
    "B6": Item(
        "scale-in under load",
        ("tests/elastic/test_b6_scale_in.py",),
        "0 failed",
        (ELASTIC,),
        5,
        "peak",
    ),
    "B7": Item(
        "an hour of steady load, then half of it",
        ("tests/elastic/test_b7_steady.py",),
        "<= 1 direction change; <= 110 % of need billed within 900 s",
        (SLOW,),
        5,
        "steady",
    ),
    "B8": Item(
        "nodes gone at once",
        ("tests/elastic/test_b2_loss.py",),
        "replacement pod within 15 s, p95",
        (EXACT,),
        5,
        "peak",
    ),
    "B9": Item(
        "cost against the same autoscaler on demand, and against a static fleet on the day curve",
        ("tests/elastic/test_b7_steady.py", "tests/prove/test_b9_day_curve.py"),
        "saving >= 0.466; <= 0.25 of static with >= 99.9 % in time",
        (SLOW,),
        together="steady",
    ),
    "B10": Item(
        "500 nodes, 1,000 pods",
        ("tests/elastic/test_b10_scale.py",),
        "decision to pods created <= 30 s",
        (SLOWEST,),
    ),
    "B11": Item(
        "planner: speed, and against the lab on a common scenario",
        ("tests/prove/test_b11_planner.py", "tests/elastic/test_b11_planner_and_lab.py"),
        "7 days x 50 candidates <= 60 s; cost within 3 %, SLO within 0.5 points",
        (SLOW,),
    ),
    "B12": Item(
        "baselines in the same harness",
        ("tests/elastic/test_b12_baselines.py",),
        "ours is better in each",
        (ELASTIC,),
    ),
    "C1": Item(
        "all four stacks preview offline from a clean clone; golden trees; two stacks side by side in one cluster",
        (
            "tests/unit/test_golden_trees.py",
            "tests/prove/test_c1_offline_previews.py",
            "tests/prove/test_c1_two_stacks.py",
        ),
    ),
    "C2": Item(
        "a cluster from nothing to a prediction and down to nothing",
        ("tests/prove/test_c2_cluster_from_nothing.py",),
    ),
    "C3": Item(
        "every call under every fault, and under kill -9 (docs/faults.md)",
        ("tests/prove/test_c3_fault_matrix.py",),
        "100 % converge on the same state, nothing twice, nothing left",
    ),
    "C4": Item(
        "destroy leaves nothing: normally, after each single fault, killed in each stage, cluster gone; what was left behind is found",
        (
            "tests/e2e/test_teardown.py",
            "tests/cloud/test_remains.py",
            "tests/prove/test_c4_teardown.py",
        ),
        "0 objects of any kind in region and cluster; every planted remainder found",
    ),
    "C5": Item(
        "previews as comments, against golden ones",
        ("tests/ops/test_preview_comment.py",),
        "at least 20 previews",
    ),
    "C6": Item(
        "every policy passes and fails, and runs on all stacks", ("tests/ops/test_policies.py",)
    ),
    "C7": Item(
        "adoption with no change; a difference is shown and refused",
        (
            "tests/plugins/engine/test_adoption.py",
            "tests/unit/test_adoption.py",
            "tests/e2e/test_adoption.py",
        ),
    ),
    "C8": Item(
        "components renamed, moved, re-typed; states of earlier versions",
        (
            "tests/plugins/engine/test_renames.py",
            "tests/plugins/engine/test_upgrades.py",
            "tests/e2e/test_refactoring.py",
        ),
        "0 replacements",
    ),
    "C9": Item(
        "every command of the pages runs",
        ("tests/e2e/test_documents.py", "tests/e2e/test_readme.py"),
    ),
    "R1": Item(
        "the published kubernetes provider in the lab: e2e, kill tests, and every call under every fault",
        (
            "tests/prove/test_r1_published_plugin.py",
            *(
                f"tests/e2e/test_{name}.py"
                for name in ("up", "waits", "helm_release", "drift", "interrupted", "adoption")
            ),
            *(f"tests/e2e/test_{name}.py" for name in ("rollout", "state_secrets", "killed")),
            "tests/prove/test_c3_fault_matrix.py",
        ),
        "every check passes; killed at 20 moments of up and of destroy; 100 % converge",
        (("KILL_MOMENTS", "20"),),
    ),
    "R2": Item(
        "the check, TensorFlow's loaders and the lab's server on SavedModels of many kinds, and on damaged ones",
        (
            "tests/prove/test_r2_savedmodels.py",
            "tests/plugins/ossmodel/test_against_tensorflow.py",
            "tests/plugins/ossmodel/test_damaged.py",
        ),
        "at least 40 models; agreement 100 %; answers within 1e-4, over REST and gRPC of the lab's server, too",
        (("DAMAGES", "3"), ("EVERY_RELEASE", "1")),
    ),
    "R3": Item(
        "the default stack's model on its image's TensorFlow",
        ("tests/prove/test_r3_default_model.py",),
        "loaded, answer equal",
    ),
    "R5": Item(
        "README's blocks for Alibaba Cloud, typed by a user without the repository's helpers, under the real host names",
        (
            "tests/e2e/test_first_deployment.py",
            "tests/ops/test_smoke.py",
            "tests/ops/test_trial.py",
        ),
        "ends 0 without DNS, with auth basic, with a certificate, with another model",
    ),
    "R6": Item(
        "ways a pod does not get ready: the last screen names cause and remedy",
        (
            "tests/ops/test_pod_causes.py",
            "tests/e2e/test_pods_not_ready.py",
            "tests/e2e/test_identity.py",
        ),
        "at least 20 ways, 8 of them for real",
    ),
    "R7": Item(
        "the daily commands against the plain CLI; the same resources by OpenTofu and kubectl; cold, warm and second up",
        ("tests/prove/test_r7_speed.py",),
        "preview <= 1.3x, second up and drift <= 1.5x; peers: <= 1.0x wall, <= 1.2x CPU; cold <= 25 min, warm <= 60 s, second <= 10 s",
    ),
    "R8": Item(
        "every command called wrongly and interrupted: no traceback, statuses as documented",
        ("tests/ops/test_wrong_invocations.py",),
        "at least 60, 0 tracebacks",
    ),
    "S1": Item(
        "requests that nobody was served order nothing; a metric of 0 while requests flow takes nothing away",
        (
            "tests/elastic/test_s1_unserved.py",
            "tests/unit/test_counted_log.py",
            "lab/tests/core/test_log_pipelines.py",
        ),
        "0 pods and 0 nodes moved by ten minutes of refused and of limited requests; accepted load beside them scales; 0 pods less in fifteen minutes of 0",
        (SLOW,),
    ),
    "S2": Item(
        "one deployment path: the account before anything else, what is pending settled, a plain update by hand refused",
        (
            "tests/ops/test_workflows.py",
            "tests/ops/test_account.py",
            "tests/ops/test_ci_roles.py",
            "tests/ops/test_recover.py",
            "tests/unit/test_by_hand.py",
            "tests/e2e/test_interrupted.py",
            "tests/prove/test_s2_ci_killed.py",
        ),
        "no workflow runs pulumi up, destroy or refresh; killed at 10 moments each with a lost answer: nothing doubled, nothing left",
    ),
    "S3": Item(
        "the handler: silent watch, lost Lease, slow writes, wrong notices, what it leaves behind, what its token may do",
        (
            "tests/unit/test_handler_watch.py",
            "tests/unit/test_handler_lease.py",
            "tests/unit/test_handler_actions.py",
            "tests/unit/test_handler_alarms.py",
            "tests/unit/test_handler_leftovers.py",
            "tests/unit/test_handler_events.py",
            "tests/unit/test_handler_metrics.py",
            "tests/unit/test_handler_dry_run.py",
            "tests/unit/test_handler_ecs_locks.py",
            "tests/cloud/test_ecs_locks.py",
            "tests/e2e/test_handler_rights.py",
        ),
        "notice <= 90 s, 0 writes after the Lease, new notices <= 5 s in a drain of 500, <= 128 MiB at 1,000 nodes, ranks <= 50 ms at 1,000 pods, 12 forbidden acts refused; no Event delays an action; a dry run writes nothing",
        parts=("S3-LEADER",),
    ),
    "S3-LEADER": Item(
        "all preemptible nodes lost with 300 s notice while the handler's leader is killed, or frozen in mid-drain",
        ("tests/elastic/test_s3_leader.py",),
        "0 failed; capacity never below demand",
        (EXACT,),
    ),
    "S4": Item(
        "the model's bytes: other content is another place, nothing of others is touched",
        ("tests/plugins/ossmodel/test_bytes.py", "tests/plugins/ossmodel/test_real_cli.py"),
        "0 foreign objects touched",
    ),
    "S5": Item(
        "the pull request's comment and the policies",
        ("tests/ops/test_hostile_previews.py", "tests/ops/test_policies.py"),
        "40 hostile previews: no mention, link or image outside code; each bypass closed",
    ),
    "S6": Item(
        "teardown, settings, drift",
        (
            "tests/ops/test_teardown_pools.py",
            "tests/ops/test_stack_identity.py",
            "tests/ops/test_credentials.py",
            "tests/ops/test_api_endpoint.py",
            "tests/ops/test_teardown_run.py",
            "tests/ops/test_teardown_uploads.py",
            "tests/unit/test_right_settings.py",
            "tests/ops/test_settings_in_previews.py",
            "tests/ops/test_drift.py",
            "tests/e2e/test_drift.py",
            "tests/e2e/test_advice.py",
        ),
    ),
    "S7": Item(
        "supply chain: what a job with credentials installs, images by digest, the SBOM",
        (
            "tests/prove/test_s7_supply_chain.py",
            "tests/unit/test_requirements.py",
            "tests/unit/test_created_cluster.py",
            "tests/ops/test_workflows.py",
            "tests/ops/test_images.py",
            "tests/ops/test_sbom.py",
        ),
        "nothing of an index installed beside credentials; an SBOM that CycloneDX's schema takes",
    ),
    "L1": Item(
        "the lab installed alone into an empty environment runs a program of another project",
        ("lab/tests/distribution/test_installed_alone.py",),
        "up, 0 changes, destroy; nothing of this repository in the environment",
    ),
    "R4": Item(
        "every double has a judge; the cloud double against the models of the official SDK packages, in every one of its actions",
        (*doubles.tests(), "tests/unit/test_doubles_page.py"),
        "0 unknown fields read, 0 missing required ones taken, 0 fields answered that the models don't know",
        after=_judge_doubles,
    ),
}
