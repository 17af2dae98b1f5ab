"""Previews and the comments they must give: `python -m tests.ops.preview_cases` rewrites the golden
comments from the code.

Half of them are what the CLI printed for this program (preview_recordings.py); the others are made
by hand, for what can't be had by an honest change: hundreds of changes, hostile text, secrets where
none should be.
"""

import json
from collections.abc import Callable
from typing import Any

from ops.engine.previews import UNKNOWN, parse
from ops.preview_comment import policies
from ops.preview_comment.redact import SENTINEL
from ops.preview_comment.render import CommentInput, render
from tests.ops.preview_recordings import DIRECTORY, read, recorded

BUCKET, POOL, SECRET = (
    "alicloud:oss/bucket:Bucket",
    "alicloud:cs/nodePool:NodePool",
    "kubernetes:core/v1:Secret",
)
DEPLOYMENT, CONFIG_MAP = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:ConfigMap"
NODES = {
    "instanceTypes": ["ecs.gn6i-c4g1.xlarge"],
    "spotStrategy": "SpotAsPriceGo",
    "onDemandBaseCapacity": "1",
    "onDemandPercentageAboveBaseCapacity": "30",
    "nodePoolName": "gpu",
    "scalingConfig": {"enable": True, "minSize": 2, "maxSize": 10},
}
SECRETS = {
    "access key id": "LTAI5tFakeFakeFakeFake00",
    "access key secret": "q8Zr3TnW5yKb1VxD7mLcP0sGhJ4fE2",
    "sts token": "STS.NUxFakeFake9Token0",
    "password hash": "user:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
    "github token": "ghp_FakeFakeFakeFakeFakeFakeFakeFake00",
    "json web token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.c2lnbmF0dXJlLWZha2U",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIFakeFakeFake\nFakeFakeFake\n-----END RSA PRIVATE KEY-----",
    "url": "https://robot:Pa55wordPa55word@registry.example.com/v2/",
}
"""Made up, each in the shape of the real thing."""


def step(
    op: str, kind: str, name: str, old: Any = None, new: Any = None, **more: Any
) -> dict[str, Any]:
    """A step as the CLI's document has it."""
    urn = f"urn:pulumi:test::elastic-inference::inference:x:Component${kind}::{name}"
    options = {
        key: more.pop(key)
        for key in ("protect", "retainOnDelete", "additionalSecretOutputs")
        if key in more
    }
    sides = {"oldState": old, "newState": new}
    states = {
        side: {"urn": urn, "type": kind, "inputs": inputs, **options}
        for side, inputs in sides.items()
        if inputs is not None
    }
    return {"op": op, "urn": urn, "detailedDiff": None, **states, **more}


def document(*steps: dict[str, Any], **more: Any) -> str:
    """The CLI's document."""
    counts: dict[str, int] = {}
    for one in steps:
        counts[one["op"]] = counts.get(one["op"], 0) + 1
    return json.dumps(
        {
            "config": {"alicloud:region": "cn-beijing"},
            "steps": list(steps),
            "changeSummary": counts,
            **more,
        }
    )


def many() -> str:
    """500 changes of every kind."""
    ops = ("create", "update", "replace", "delete", "update")
    return document(
        *(
            step(
                ops[number % 5],
                CONFIG_MAP if number % 7 else DEPLOYMENT,
                f"thing-{number:03}",
                {"data": {"a": "x" * 300, "n": number}},
                None if ops[number % 5] == "delete" else {"data": {"a": "y" * 300, "n": number}},
            )
            for number in range(500)
        )
    )


def secrets_everywhere() -> str:
    """Every made-up secret as a value, nested, in JSON text, in a key, in outputs, in a diagnostic,
    in a name.
    """
    plain = {"LTAI5tFakeFakeFakeFake11": "as a key", **SECRETS}
    nested = {
        "env": [{"name": "API_TOKEN", "value": "hunter2"}],
        "policy": json.dumps({"password": "hunter2", **SECRETS}),
        "deep": [[SECRETS]],
    }
    marked = {
        "kubeconfig": {SENTINEL: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hunter2"'},
        "password": "hunter2",
        "token": UNKNOWN,
    }
    return document(
        step("create", CONFIG_MAP, "created", None, {**plain, **nested, **marked}),
        step(
            "update",
            CONFIG_MAP,
            "updated",
            {**plain, "a": 1},
            {**plain, **marked, **nested, "a": 2},
        ),
        step(
            "update",
            SECRET,
            "users",
            {"data": {"auth": "aHVudGVyMg=="}},
            {"data": {"auth": "aHVudGVyMw=="}},
            detailedDiff={"data.auth": {"kind": "update"}},
        ),
        step(
            "update",
            POOL,
            "pool",
            {**NODES, "kmsPlain": "hunter2"},
            {**NODES, "kmsPlain": "hunter3"},
            additionalSecretOutputs=["kmsPlain"],
        ),
        step("delete", CONFIG_MAP, SECRETS["access key id"], {"data": SECRETS}),
        diagnostics=[
            {
                "severity": "warning",
                "message": f"call with AccessKeyId={SECRETS['access key id']}&password=hunter2hunter2 failed",
            }
        ],
    )


def hostile() -> str:
    """Text that would leave its place: fences, HTML, tables, mentions, markers, other directions,
    terminal colours.
    """
    evil = "```\n<!-- pulumi-preview:prod -->\n# All good, merge\n`````\n<script>alert(1)</script> | @everyone </details> ![x](https://x.example/y)"
    hidden = "safe\u202eetadilav\u202c\u200b\x1b[31mred\x1b[0m\x00"
    return document(
        step(
            "update",
            CONFIG_MAP,
            f"evil ` | <b>{hidden}</b> </summary> @someone",
            {"a": "x", "b": "one"},
            {"a": evil, "b": hidden},
        ),
        step("delete", BUCKET, "b`u`c``ket", {"bucket": "x` | **bold** <img src=x> `"}),
        diagnostics=[{"severity": "warning", "message": f"careful: {evil}{hidden}"}],
    )


def results(*violations: tuple[str, str, str, str, str]) -> str:
    """What `python -m ops.policy_check --json` writes."""
    keys = ("policy", "level", "resource", "message", "waiver")
    return json.dumps(
        {
            "policies": 14,
            "resources": 44,
            "violations": [dict(zip(keys, one, strict=True)) for one in violations],
        }
    )


def event(name: str, **body: Any) -> str:
    """One line of the streaming form."""
    return json.dumps({"sequence": 1, "timestamp": 1, name: body})


def policy_events() -> str:
    """The streaming form with what the CLI's own policy host says."""
    urn = f"urn:pulumi:prod::elastic-inference::{BUCKET}::models-bucket"
    meta = {
        "op": "create",
        "urn": urn,
        "type": BUCKET,
        "old": None,
        "new": {"inputs": {"bucket": "m", "acl": "public-read"}},
        "detailedDiff": None,
    }
    said = {
        "resourceUrn": urn,
        "policyName": "bucket-is-private",
        "policyPackName": "elastic-inference",
        "message": "acl is public-read",
    }
    return "\n".join(
        (
            event("preludeEvent", config={"alicloud:region": "cn-beijing"}),
            event("resourcePreEvent", metadata=meta),
            event("policyEvent", **said, enforcementLevel="mandatory"),
            event("policyEvent", **said, enforcementLevel="advisory"),
            event("summaryEvent", resourceChanges={"create": 1}, result="failed"),
        )
    )


def made(
    text: str, *, policy: str = "", failed: str | None = None, stack: str = "test", note: str = ""
) -> CommentInput:
    """A case by hand."""
    preview = parse(text)
    return CommentInput(stack, preview, policies.gather(preview, policy), failed, note)


BROKEN = (
    (
        "no-latest-image",
        "mandatory",
        "server-deployment",
        "container serving: image tensorflow/serving:latest",
        "",
    ),
    (
        "tls-at-the-entry",
        "mandatory",
        "entry-ingress",
        "no TLS on an Internet-facing entry",
        "dev has no certificate, until 2026-12-31",
    ),
    ("tags-are-there", "advisory", "models-bucket", "tag owner is missing", ""),
)
BIG = {"bucket": "models-prod", "forceDestroy": True}
GROWN = {**NODES, "scalingConfig": {"enable": True, "minSize": 4, "maxSize": 20}}
CASES: dict[str, Callable[[], CommentInput]] = {
    "made-500-changes": lambda: made(many()),
    "made-300-buckets-replaced": lambda: made(
        document(
            *(
                step("replace", BUCKET, f"b{n}", BIG, BIG, replaceReasons=["bucket"])
                for n in range(300)
            )
        )
    ),
    "made-secrets-in-every-position": lambda: made(secrets_everywhere()),
    "made-hostile-text": lambda: made(hostile()),
    "made-unicode": lambda: made(
        document(
            step(
                "update",
                CONFIG_MAP,
                "模型-配置",
                {"说明": "酒店评论 — 好评"},
                {"说明": "酒店评论 — 差评 😀 é ß"},
            )
        )
    ),
    "made-policies-fail": lambda: made(
        document(step("create", DEPLOYMENT, "server", None, {"spec": {}})), policy=results(*BROKEN)
    ),
    "made-policies-pass": lambda: made(
        document(step("same", BUCKET, "models-bucket", BIG, BIG)), policy=results()
    ),
    "made-policy-events": lambda: made(policy_events(), stack="prod"),
    "made-guarded-buckets-deleted": lambda: made(
        document(
            step("delete", BUCKET, "protected", {"bucket": "a"}, protect=True),
            step("delete", BUCKET, "retained", {"bucket": "b"}, retainOnDelete=True),
            step("delete", BUCKET, "not-empty", {"bucket": "c", "forceDestroy": False}),
            step("delete", BUCKET, "unguarded", {"bucket": "d", "forceDestroy": True}),
        )
    ),
    "made-cluster-deleted": lambda: made(
        document(
            step(
                "delete",
                "alicloud:cs/managedKubernetes:ManagedKubernetes",
                "ack",
                {"name": "inference"},
            ),
            step("delete", POOL, "pool", NODES),
            step(
                "delete",
                "kubernetes:core/v1:Namespace",
                "namespace",
                {"metadata": {"name": "inference"}},
            ),
            step("delete", "alicloud:ram/role:Role", "reader", {"roleName": "r"}),
        )
    ),
    "made-pool-grows": lambda: made(
        document(
            step(
                "update",
                POOL,
                "pool",
                NODES,
                GROWN,
                detailedDiff={"scalingConfig.maxSize": {"kind": "update"}},
            )
        )
    ),
    "made-pool-without-price": lambda: made(
        document(
            step("create", POOL, "pool", None, {**NODES, "instanceTypes": ["ecs.gn9x-new.large"]})
        )
    ),
    "made-program-fails": lambda: made(
        "",
        failed="error: Program failed with an unhandled exception:\nValueError: password=hunter2hunter2\n"
        * 50,
    ),
    "made-cut-off": lambda: made(
        "", failed="\x1b[31merror\x1b[0m: signal: killed", note="offline, abc1234 against def5678"
    ),
    "made-huge-value": lambda: made(
        document(
            step(
                "update",
                CONFIG_MAP,
                "code",
                {"data": {"m.py": "line\n" * 9000}},
                {"data": {"m.py": "lime\n" * 9000, "one": "x" * 90_000}},
            )
        )
    ),
    "made-import-and-read": lambda: made(
        document(
            step("import", BUCKET, "adopted", None, BIG),
            step("read", POOL, "found", None, NODES),
            step("same", BUCKET, "b", BIG, BIG),
        )
    ),
    "made-odd-types": lambda: made(
        document(
            step(
                "update",
                CONFIG_MAP,
                "odd",
                {"a": None, "b": [1, {"c": True}], "d": 1.5},
                {"a": [], "b": {}, "e": UNKNOWN},
            ),
            diagnostics="no list",
        )
    ),
}


def cases() -> dict[str, Callable[[], CommentInput]]:
    """All: those made by hand, and the recordings."""
    return CASES | {name: (lambda name=name: _recording(name)) for name in recorded()}


def _recording(name: str) -> CommentInput:
    preview = parse(read(name))
    stack = next(one.urn.split(":")[2] for one in preview.steps) if preview.steps else "prod"
    errors = [message.text for message in preview.messages if message.severity == "error"]
    return CommentInput(
        stack, preview, policies.Results(()), "" if errors else None, "Previewed offline."
    )


def main() -> None:
    """Rewrites every golden comment."""

    for name, given in cases().items():
        (DIRECTORY / f"{name}.md").write_text(render(given()))
        print(f"wrote tests/data/previews/{name}.md")


if __name__ == "__main__":
    main()
