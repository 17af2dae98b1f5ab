"""`make bench PEERS=1`: the same resources by the tools that a user would pick instead, in the same
lab and run.

OpenTofu with the Terraform provider that the alicloud plugin is made of, for the cloud resources,
and `kubectl apply --server-side` plus `kubectl rollout status`, for the objects in the cluster.
What they are given is written from the stack's own state, so that both sides make the same
resources with the same properties and names. Both are built from their modules, for this benchmark
only.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from lab.toolchain import build, versions
from lab.toolchain.paths import TOOLCHAIN
from lab.toolchain.progress import Board
from lab.toolchain.specs import SPECS, GoModule, Spec
from ops import trial
from ops.engine.cli import ROOT, Stack, environment

ROUNDS = 3
TOFU = Spec(
    "tofu",
    "1.11.0",
    versions.exactly("1.11.0"),
    module=GoModule(
        TOOLCHAIN / "opentofu",
        "github.com/opentofu/opentofu/cmd/tofu",
        cpu_seconds=300,
        packages=1500,
    ),
)
PROVIDER = Spec(
    "terraform-provider-alicloud",
    SPECS["pulumi-resource-alicloud"].version,
    versions.exactly(SPECS["pulumi-resource-alicloud"].version),
    module=GoModule(
        TOOLCHAIN / "alicloud",
        "github.com/aliyun/terraform-provider-alicloud",
        needs_gib=6,
        memory_gib=5.5,
        cpu_seconds=600,
        packages=2000,
    ),
)
TYPES = {"cs/nodePool": "cs_kubernetes_node_pool"}
"""Terraform's name of a type where it is not Pulumi's in snake case."""
BLOCKS = {
    "lifecycle_rules": "lifecycle_rule", "abort_multipart_uploads": "abort_multipart_upload", "expirations": "expiration",
    "noncurrent_version_expirations": "noncurrent_version_expiration", "transitions": "transition", "spot_price_limits": "spot_price_limit",
}  # fmt: skip
"""Terraform's name of a repeated block, which Pulumi calls by its plural."""
FREE = ("tags",)
"""Maps whose keys are a user's own."""
PROVIDER_ANNOTATION = re.compile(r"pulumi\.com/")
"""Annotations that speak to the Pulumi provider."""


def cost(
    command: Sequence[str], cwd: pathlib.Path = ROOT, extra: dict[str, str] | None = None
) -> tuple[float, float]:
    """(seconds, processor seconds of all its processes) of a command that must end with 0; ends the
    benchmark when it does not.
    """
    with tempfile.TemporaryFile("w+") as printed:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environment(), **(extra or {})},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            printed.seek(0)
            raise SystemExit(
                f"error: {' '.join(command)} ended with {process.returncode}\n{printed.read()[-4000:]}"
            )
    return took, used.ru_utime + used.ru_stime


def snake(name: str) -> str:
    """`onDemandBaseCapacity` as Terraform writes it."""
    plain = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)
    return BLOCKS.get(plain, plain)


def arguments(inputs: Any) -> Any:
    """A resource's inputs as Terraform's arguments."""
    if isinstance(inputs, dict):
        return {
            snake(key): value if key in FREE else arguments(value)
            for key, value in inputs.items()
            if not key.startswith("__")
        }
    return [arguments(one) for one in inputs] if isinstance(inputs, list) else inputs


def configuration(resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The cloud resources of a state as an OpenTofu configuration in JSON; an uploaded model is an
    object a file.
    """
    addresses = {
        one["urn"]: _address(one) for one in resources if one["type"].startswith("alicloud:")
    }
    made: dict[str, dict[str, Any]] = {}
    for one in resources:
        needs = sorted(
            {addresses[urn] for urn in one.get("dependencies") or [] if urn in addresses}
        )
        if one["type"].startswith("alicloud:"):
            kind, _, name = addresses[one["urn"]].partition(".")
            made.setdefault(kind, {})[name] = {
                **arguments(one["inputs"]),
                **({"depends_on": needs} if needs else {}),
            }
        elif one["type"].startswith("ossmodel:"):
            model = one["inputs"]
            source = ROOT / model["source"]
            files = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
            for number, path in enumerate(sorted(file.as_posix() for file in files)):
                made.setdefault("alicloud_oss_bucket_object", {})[f"model-{number}"] = {
                    "bucket": model["bucket"],
                    "key": f"{model['prefix']}/{model['version']}/{path}",
                    "source": str(source / path),
                    "depends_on": needs,
                }
    required = {"alicloud": {"source": "aliyun/alicloud"}}
    return {
        "terraform": {"required_providers": required},
        "provider": {"alicloud": {}},
        "resource": made,
    }


def _address(resource: dict[str, Any]) -> str:
    module = resource["type"].split(":")[1]
    return f"alicloud_{TYPES.get(module) or snake(module.replace('/', '_'))}.{resource['urn'].split('::')[-1]}"


def manifests(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of a state, in its order, under the names that they have there."""
    found = []
    for one in resources:
        if not one["type"].startswith("kubernetes:") or one["type"].startswith(
            "kubernetes:helm.sh"
        ):
            continue
        given = {key: value for key, value in one["inputs"].items() if not key.startswith("__")}
        metadata = {
            key: value
            for key, value in given.get("metadata", {}).items()
            if not key.startswith("__")
        }
        notes = {
            key: value
            for key, value in (metadata.pop("annotations", None) or {}).items()
            if not PROVIDER_ANNOTATION.search(key)
        }
        metadata |= {
            "name": one["outputs"]["metadata"]["name"],
            **({"annotations": notes} if notes else {}),
        }
        found.append({**given, "metadata": metadata})
    return found


def build_peers() -> tuple[pathlib.Path, pathlib.Path]:
    """OpenTofu and the provider, from the cache or built now. Raises ToolchainError."""
    with Board() as board:
        tofu, provider = (build.build([spec], board)[spec.name].path for spec in (TOFU, PROVIDER))
    return tofu, provider


class Peers:
    """OpenTofu's directory and the manifests, and the commands of one round."""

    def __init__(
        self,
        directory: pathlib.Path,
        resources: Sequence[dict[str, Any]],
        tofu: pathlib.Path,
        provider: pathlib.Path,
    ) -> None:
        self.directory, self.tofu = directory, tofu
        (directory / "main.tf.json").write_text(json.dumps(configuration(resources), indent=1))
        objects = directory / "objects"
        objects.mkdir()
        for number, one in enumerate(manifests(resources)):
            (objects / f"{number:02}.json").write_text(json.dumps(one, indent=1))
        rows = f'provider_installation {{\n  dev_overrides {{ "aliyun/alicloud" = "{provider.parent}" }}\n  direct {{}}\n}}\n'
        (directory / "tofurc").write_text(rows)
        self.namespace = next(
            one["metadata"]["name"] for one in manifests(resources) if one["kind"] == "Namespace"
        )
        self.deployments = [
            one["metadata"]["name"]
            for one in manifests(resources)
            if one["kind"] == "Deployment" and ready(one)
        ]

    def up(self, stack: Stack, url: str) -> tuple[float, float]:
        """Everything made, or found as it is, ready, and the model asked once: what `make up`
        does.
        """
        (self.directory / "request").write_bytes(trial.of_stack(stack.name).body)
        waits = [
            f"kubectl rollout status deployment/{name} -n {self.namespace}"
            for name in self.deployments
        ]
        made = self._inside(
            f"{self.tofu} apply -auto-approve -no-color",
            "kubectl apply --server-side -f objects",
            *waits,
        )
        again = ["--retry", "60", "--retry-delay", "1", "--retry-all-errors", "--noproxy", "*"]
        return added(
            made, cost(["curl", "-sS", "--fail", *again, "-d", "@request", url], cwd=self.directory)
        )

    def down(self) -> tuple[float, float]:
        """Deletes everything; kubectl and OpenTofu wait until it is gone."""
        return self._inside(
            "kubectl delete --ignore-not-found -f objects",
            f"{self.tofu} destroy -auto-approve -no-color",
        )

    def _inside(self, *commands: str) -> tuple[float, float]:
        """One shell in the lab, as a user would have a script: going into the lab is paid once, as
        on our side.
        """
        into = [
            sys.executable,
            "-m",
            "lab",
            "exec",
            "--",
            "env",
            f"TF_CLI_CONFIG_FILE={self.directory / 'tofurc'}",
            "sh",
            "-ec",
        ]
        return cost([*into, "\n".join(commands)], cwd=self.directory)


def added(*costs: tuple[float, float]) -> tuple[float, float]:
    """What several commands take one after the other."""
    return sum(one[0] for one in costs), sum(one[1] for one in costs)


def ready(deployment: dict[str, Any]) -> bool:
    """Whether our own `up` waits for a Deployment: the one that holds a GPU request open never gets
    ready, on purpose.
    """
    return "herald" not in deployment["metadata"]["name"]


STEPS = {
    "up": "up, from nothing to an answer of the model",
    "noop": "up with nothing to do, and an answer",
    "destroy": "destroy, and the same look that nothing is left",
    "destroy_bare": "ours with its look, theirs without any",
}
"""What is measured on both sides, in this order."""


def measure(stack: Stack, rounds: int = ROUNDS) -> dict[str, float]:
    """Ours and theirs in turns, each from nothing to nothing: medians of seconds and processor
    seconds, and the ratios. The lab runs and holds the stack; afterwards it does again.

    OpenTofu and kubectl have no look for what is left behind. Theirs is followed by ours, so that
    both destroys end with the same check; the bare figure leaves that out on their side alone.
    """
    tofu, provider = build_peers()
    resources = [
        one for one in stack.export_state()["deployment"]["resources"] if one.get("custom")
    ]
    url = stack.outputs()["predictUrl"]
    command = [sys.executable, "-m"]
    up, down = (
        [*command, "ops.up", "--stack", stack.name],
        [*command, "ops.teardown", "--stack", stack.name],
    )
    ours: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    theirs: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    cost(down)
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        peers = Peers(pathlib.Path(name), resources, tofu, provider)
        for _ in range(rounds):
            for step, words in (("up", up), ("noop", up), ("destroy", down)):
                ours[step].append(cost(words))
            ours["destroy_bare"].append(ours["destroy"][-1])
            try:
                theirs["up"].append(peers.up(stack, url))
                theirs["noop"].append(peers.up(stack, url))
                theirs["destroy_bare"].append(peers.down())
            except SystemExit:
                peers.down()
                raise
            theirs["destroy"].append(added(theirs["destroy_bare"][-1], cost([*down, "--scan"])))
    cost(up)
    figures: dict[str, float] = {}
    for step in STEPS:
        for kind, number in (("s", 0), ("cpu_s", 1)):
            mine, other = (
                statistics.median(one[number] for one in side[step]) for side in (ours, theirs)
            )
            ratio = f"{step}_{kind.removesuffix('s')}ratio"  # up_ratio, up_cpu_ratio
            figures |= {f"{step}_{kind}": mine, f"peers_{step}_{kind}": other, ratio: mine / other}
    return figures


def table(figures: dict[str, float]) -> list[str]:
    """The figures of `measure` as rows for the page of dependencies."""
    rows = [
        "| | ours, s | theirs, s | wall | ours, CPU s | theirs, CPU s | CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for step, what in STEPS.items():
        wall = f"{figures[f'{step}_s']:.1f} | {figures[f'peers_{step}_s']:.1f} | {figures[f'{step}_ratio']:.2f}x"
        processor = f"{figures[f'{step}_cpu_s']:.1f} | {figures[f'peers_{step}_cpu_s']:.1f} | {figures[f'{step}_cpu_ratio']:.2f}x"
        rows.append(f"| {what} | {wall} | {processor} |")
    return rows
