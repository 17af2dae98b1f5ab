"""Runs the whole program under the recording monitor, as a preview or as an up, in this process and
in a fraction of a second.
"""

import asyncio
import functools
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import config as engine_config
from pulumi.runtime import mocks, run_in_stack, settings

from tests.unit.monitor import Messages, Recording, RecordingMonitor

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "elastic-inference"
CLUSTER = "c210fbedb96674b9eaf15f2dc47d169a8"
ACCOUNT = "1234567890123456"
ISSUER = f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{CLUSTER}"
PROVIDER_ARN = f"acs:ram::{ACCOUNT}:oidc-provider/ack-rrsa-{CLUSTER}"
USERS = "user:$2y$10$HDQtx9dkJrNz6GqLvgGMp.A0.7X0pMQKD5VErJPZhz1RM7Eb1V6qK"
"""A user for entry.auth basic, whose password is `correct horse`."""
KUBECONFIG = "apiVersion: v1\nkind: Config\nclusters: []\n"
OFFLINE = {
    "accountId": ACCOUNT,
    "clusterVersion": "1.36.3-aliyun.1",
    "oidcIssuer": ISSUER,
    "oidcProviderArn": PROVIDER_ARN,
}


class Cloud:
    """What the cloud and the cluster would answer. Attributes may be changed before a run."""

    def __init__(self, preview: bool):
        self.preview = preview
        self.account = ACCOUNT
        self.clusters: list[dict[str, Any]] = [
            {"regionId": "cn-shanghai", "state": "running", "currentVersion": "1.36.3-aliyun.1"}
        ]
        self.oidc_providers: list[dict[str, Any]] = [{"issuerUrl": ISSUER, "arn": PROVIDER_ARN}]
        self.scaling_group = "asg-1"
        self.digest = "d" * 64
        self.failing: str | None = None
        self.kubeconfig = KUBECONFIG
        self.private_endpoint = "https://192.168.0.9:6443"

    def answer(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a lookup; an unknown one is an error."""
        if function == self.failing:
            raise LookupError(f"{function}: StatusCode: 403, Code: ForbiddenCheckUserPermission")
        return {
            "getCallerIdentity": {"accountId": self.account},
            "getClusters": {
                "clusters": [
                    {"clusterId": arguments.get("clusterId"), **cluster}
                    for cluster in self.clusters
                ]
            },
            "getOidcProviders": {"providers": self.oidc_providers},
            "getClusterCredential": {"kubeConfig": self.kubeconfig},
            "getManagedKubernetesClusters": {
                "clusters": [{"connections": {"apiServerIntranet": self.private_endpoint}}]
            },
        }[function]

    def state(self, kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs, a name for what has none, and on up what the provider adds."""
        state = dict(inputs)
        if "apiVersion" in state:
            state["metadata"] = {"name": f"{name}-0a1b2c3d", **state.get("metadata", {})}
        if not self.preview:
            return state | self._computed(kind, inputs)
        # Where a model will lie, its directory alone tells.
        path = {"path": self._computed(kind, inputs)["path"]} if kind == "Model" else {}
        return state | path

    def _computed(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        version = Path(str(inputs.get("source", ""))).name
        model = {
            "version": version,
            "path": f"{inputs.get('prefix')}/{version}",
            "digest": self.digest,
            "bytes": 780583,
            "fileCount": 4,
        }
        ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}
        pool = {"nodePoolId": "np-1", "scalingGroupId": self.scaling_group}
        rrsa = {
            "enabled": True,
            "rrsaOidcIssuerUrl": ISSUER,
            "ramOidcProviderArn": PROVIDER_ARN,
            "ramOidcProviderName": "x",
        }
        cluster = {
            "rrsaMetadata": rrsa,
            "workerRamRoleName": "KubernetesWorkerRole-1",
            "connections": {"apiServerIntranet": self.private_endpoint},
        }
        return {
            "NodePool": pool,
            "Model": model,
            "Ingress": ingress,
            "ManagedKubernetes": cluster,
        }.get(kind, {})


class Hooks:
    """Takes hooks and never calls them: what they do is tested on the functions themselves, and
    under the real engine.
    """

    def register_resource_hook(self, hook: Any) -> None:
        """As the engine's own."""


def engine_values(stack_file: Path) -> dict[str, str]:
    """The configuration of a stack file as the engine hands it to the program: objects as JSON
    text, scalars as text.
    """
    config = _config(stack_file)
    return {
        key: json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        for key, value in config.items()
    }


@functools.cache
def _config(stack_file: Path) -> dict[str, Any]:
    """The file's `config:`; reading YAML takes longer than checking the settings."""
    return yaml.safe_load(stack_file.read_text()).get("config", {})


def stack_values(stack: str, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Configuration of one of the committed stacks, with group keys changed: {"nodePool":
    {"maxSize": 3}}; None removes a key.
    """
    values = engine_values(ROOT / f"Pulumi.{stack}.yaml")
    for group, change in (changes or {}).items():
        key = group if ":" in group else f"{PROJECT}:{group}"
        if isinstance(change, Mapping):
            merged = {**json.loads(values.get(key, "{}")), **change}
            values[key] = json.dumps(
                {inner: value for inner, value in merged.items() if value is not None}
            )
        elif change is None:
            values.pop(key, None)
        else:
            values[key] = str(change)
    return values


def run(
    stack: str = "local",
    changes: Mapping[str, Any] | None = None,
    *,
    preview: bool = False,
    secret: tuple[str, ...] = (),
    cloud: Cloud | None = None,
    name: str = "",
) -> Recording:
    """Run __main__.py for a stack and return what it registered; `name`: the stack's name where it
    has the settings of `stack`. Raises what the program raises.
    """
    cloud, name = cloud or Cloud(preview), name or stack
    recording = Recording()
    monitor = RecordingMonitor(recording, cloud, PROJECT, name, preview)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mock = mocks.MockSettings(
            monitor=monitor,
            engine=Messages(recording),
            project=PROJECT,
            stack=name,
            dry_run=preview,
        )
        mock.callbacks = Hooks()  # type: ignore[assignment]  # records the hooks' registrations
        settings.configure(mock)
        settings.set_root_resource(None)  # type: ignore[arg-type]  # none yet
        engine_config.set_all_config(
            stack_values(stack, changes), [f"{PROJECT}:{key}" for key in secret]
        )

        def program() -> None:
            runpy.run_path(str(ROOT / "__main__.py"))

        loop.run_until_complete(run_in_stack(program))
    finally:
        _settle(loop)
        asyncio.set_event_loop(asyncio.new_event_loop())
    return recording


def _settle(loop: asyncio.AbstractEventLoop) -> None:
    """End what a failed program left behind, so that the next run doesn't wait for it."""
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    vars(settings)["SETTINGS"].outputs.clear()
    loop.close()


@functools.cache
def local(preview: bool = False) -> Recording:
    """The stack `local`, run once per kind of run."""
    return run("local", preview=preview)


def failure(stack: str = "local", changes: Mapping[str, Any] | None = None, **options: Any) -> str:
    """The message of a run that must fail with a pulumi.RunError."""
    try:
        run(stack, changes, **options)
    except pulumi.RunError as error:
        return str(error)
    raise AssertionError("the program ran although it should have refused")
