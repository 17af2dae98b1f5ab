"""`make sbom`: what a stack runs and was deployed with, as a CycloneDX 1.6 document: images, model
files, the interruption handler's code, add-ons, charts, provider plugins, the CLI, and the packages
of the program.

Everything but the packages is read from the stack's state, so it says what was deployed, not what a
checkout would deploy. Package versions are those of the environment that runs this command, by the
names in requirements.lock. Not listed, for the state does not know them: images that ACK's add-ons
and a chart run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from cyclonedx import model
from cyclonedx.model import HashAlgorithm
from cyclonedx.model import bom as cyclonedx_bom
from cyclonedx.model import component as cyclonedx_component
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from ops import requirements
from ops.engine import checkpoint, cli
from ops.image_reference import DOCKER_HUB, parse
from policy.resources import Resource as Judged
from policy.rules.workloads import containers

# The library's decorators hide its classes' types from a type checker.
Bom: Any = cyclonedx_bom.Bom
Component: Any = cyclonedx_component.Component
HashType: Any = model.HashType
Property: Any = model.Property

LOCK = cli.ROOT / "requirements.lock"
MODEL = "ossmodel:index:Model"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
RELEASE = "kubernetes:helm.sh/v3:Release"
ADDON = "alicloud:cs/kubernetesAddon:KubernetesAddon"
HANDLER = "interruption-code"
"""Name of the ConfigMap in which the interruption handler's code travels."""


def image(reference: str, users: Iterable[str]) -> Any:
    """One image. Without a digest in the reference nothing says which bytes ran, and the component
    says so.
    """
    found = parse(reference)
    digest = found.digest.removeprefix("sha256:")
    registry = "docker.io" if found.registry == DOCKER_HUB else found.registry
    qualifiers = {"tag": found.tag, "repository_url": f"{registry}/{found.repository}"}
    return Component(
        type=ComponentType.CONTAINER,
        name=found.path,
        version=found.digest or found.tag,
        bom_ref=f"image:{reference}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        purl=PackageURL(
            "oci",
            name=found.repository.rpartition("/")[2],
            version=found.digest or None,
            qualifiers={key: value for key, value in qualifiers.items() if value},
        ),
        properties=[
            *(Property(name="pulumi:resource", value=user) for user in sorted(users)),
            *(
                []
                if digest
                else [Property(name="image:digest", value="unknown: the stack names a tag")]
            ),
        ],
    )


def model_of(resource: checkpoint.Resource) -> Any:
    """A model with each of its files."""
    outputs = resource.outputs
    path, version = str(outputs.get("path", "")), str(outputs.get("path", "")).rpartition("/")[2]
    files = outputs.get("files") or {}
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=path.rpartition("/")[0] or resource.name,
        version=version,
        bom_ref=f"model:{resource.name}",
        properties=[
            Property(name="model:digest", value=str(outputs.get("digest", ""))),
            Property(name="pulumi:resource", value=resource.name),
        ],
        components=[
            Component(
                type=ComponentType.FILE,
                name=name,
                bom_ref=f"model:{resource.name}/{name}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=known["sha256"])],
            )
            for name, known in sorted(files.items())
        ],
    )


def handler(resource: checkpoint.Resource) -> Any:
    """The interruption handler: its files, each with its checksum."""
    return Component(
        type=ComponentType.APPLICATION,
        name="interruption-handler",
        version=str((resource.inputs.get("metadata") or {}).get("name", "")).rpartition("-")[2],
        bom_ref="interruption-handler",
        components=[
            Component(
                type=ComponentType.FILE,
                name=name,
                bom_ref=f"interruption-handler/{name}",
                hashes=[
                    HashType(
                        alg=HashAlgorithm.SHA_256, content=hashlib.sha256(text.encode()).hexdigest()
                    )
                ],
            )
            for name, text in sorted((resource.inputs.get("data") or {}).items())
        ],
    )


def chart(resource: checkpoint.Resource) -> Any:
    """A Helm release's chart."""
    reference = str(resource.inputs.get("chart", ""))
    version = resource.inputs.get("version") or resource.outputs.get("version") or ""
    return Component(
        type=ComponentType.APPLICATION,
        name=f"chart {reference}",
        version=str(version),
        bom_ref=f"chart:{resource.name}",
    )


def addon(resource: checkpoint.Resource) -> Any:
    """An add-on of the cluster."""
    return Component(
        type=ComponentType.APPLICATION,
        name=f"ACK add-on {resource.get('name')}",
        version=resource.get("version"),
        bom_ref=f"addon:{resource.name}",
    )


def plugins(state: checkpoint.Checkpoint) -> Iterator[Any]:
    """Provider plugins that made the resources, once for each version."""
    seen = set()
    for provider in state.of(checkpoint.PROVIDER):
        name = provider.kind.rpartition(":")[2]
        version = str(provider.outputs.get("version") or provider.inputs.get("version") or "")
        if (name, version) not in seen:
            seen.add((name, version))
            yield Component(
                type=ComponentType.APPLICATION,
                name=f"pulumi-resource-{name}",
                version=version,
                bom_ref=f"plugin:{name}@{version}",
                purl=PackageURL("generic", name=f"pulumi-resource-{name}", version=version or None),
            )


def packages(lock: pathlib.Path = LOCK) -> Iterator[Any]:
    """Installed packages that the program's lock names; one for other platforms is not there."""
    for name in sorted(requirements.locked(lock.read_text())):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        purl = PackageURL("pypi", name=name, version=version)
        yield Component(
            type=ComponentType.LIBRARY, name=name, version=version, bom_ref=str(purl), purl=purl
        )


def document(stack: str, exported: Mapping[str, Any]) -> str:
    """The CycloneDX document of a stack, from what `pulumi stack export` prints."""
    deployment = exported.get("deployment") or {}
    state = checkpoint.parse(deployment)
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION, name="elastic-inference", version=stack, bom_ref="stack"
    )
    users: dict[str, set[str]] = {}
    for resource in state.of("kubernetes:"):
        for container in containers(Judged(resource.urn, resource.inputs)):
            if isinstance(container.get("image"), str):
                users.setdefault(container["image"], set()).add(resource.name)
    cli_version = str((deployment.get("manifest") or {}).get("version", "")).removeprefix("v")
    found = [
        *(image(reference, users[reference]) for reference in sorted(users)),
        *map(model_of, state.of(MODEL)),
        *(handler(one) for one in state.of(CONFIG_MAP) if one.name == HANDLER),
        *map(chart, state.of(RELEASE)),
        *map(addon, state.of(ADDON)),
        *plugins(state),
        Component(
            type=ComponentType.APPLICATION,
            name="pulumi CLI",
            version=cli_version,
            bom_ref="pulumi",
            purl=PackageURL("golang", "github.com/pulumi", "pulumi", cli_version or None),
        ),
        *packages(),
    ]
    for component in found:
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, found)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main(arguments: list[str] | None = None) -> int:
    """Writes the document. Returns 0, or 1 when the stack has nothing deployed."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.sbom",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default=cli.LAB_STACK)
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="default: this output")
    options = parser.parse_args(arguments)
    cli.require_stack_file(options.stack)
    stack = cli.Stack(options.stack)
    cli.require_stack(stack)
    exported = stack.export_state()
    if not (exported.get("deployment") or {}).get("resources"):
        print(
            f"error: {options.stack} has nothing deployed: there is nothing to list. Deploy it: make up STACK={options.stack}",
            file=sys.stderr,
        )
        return 1
    text = document(options.stack, exported)
    if options.output:
        options.output.write_text(text + "\n")
        listed = json.loads(text)["components"]
        print(f"{options.output}: {len(listed)} components of {options.stack}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
