"""Checks that the credentials, region and cluster are those that the stack was made with. With
others everything would look deleted, the destroy would forget it, and it would continue to run and
to cost money.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, ClusterReader
from ops.engine import account
from ops.engine.stack_location import PROJECT, Owner, StackLocation
from settings.names import OBJECT_LABELS


class RefusedError(Exception):
    """The teardown stops before anything is touched; the text names every problem and the
    remedy.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))


def region_of(location: StackLocation, environ: Mapping[str, str] = os.environ) -> str:
    """The region to work in. Raises RefusedError when state, settings and environment do not agree
    on one.
    """
    chosen = environ.get("ALICLOUD_REGION") or environ.get("ALIBABA_CLOUD_REGION") or ""
    known = sorted(location.regions)
    if len(known) > 1:
        raise RefusedError(
            f"region: state and settings of stack {location.stack} name {' and '.join(known)}, expected one.\n"
            "  otherwise: a destroy would look for everything in the wrong place, find nothing and forget it\n"
            f"  remedy: set alicloud:region in Pulumi.{location.stack}.yaml to the region that the stack is in"
        )
    if known and chosen and chosen != known[0]:
        raise RefusedError(
            f"region: the environment says {chosen}, stack {location.stack} is in {known[0]}.\n"
            "  otherwise: a destroy would look for everything in the wrong place, find nothing and forget it\n"
            f"  remedy: ALICLOUD_REGION={known[0]}"
        )
    if not known and not chosen:
        raise RefusedError(
            f"region: neither state nor settings of stack {location.stack} name one.\n  remedy: set ALICLOUD_REGION"
        )
    return known[0] if known else chosen


def check_account(location: StackLocation, cloud: Cloud) -> None:
    """Raises RefusedError when the credentials' account is not the one that state and settings
    name.
    """
    try:
        account.check(location, cloud)
    except account.WrongAccountError as problem:
        raise RefusedError(str(problem)) from None


def check_cluster(
    location: StackLocation, cloud: Cloud, way_in: ClusterReader | ClusterError, cluster_gone: bool
) -> None:
    """Raises RefusedError unless the cluster of state and settings belongs to this account and
    region and answers, or the user has said that it is gone.
    """
    if not location.cluster:
        return
    if isinstance(way_in, ClusterError):
        _missing(location, cloud, way_in, cluster_gone)
        return
    if cluster_gone:
        raise RefusedError(
            f"cluster: --cluster-gone, but cluster {location.cluster} answers.\n"
            "  otherwise: what runs in it would be forgotten instead of deleted\n  remedy: leave --cluster-gone out"
        )
    where = cloud.cs(f"/clusters/{location.cluster}").get("region_id")
    if where and where != cloud.region:
        raise RefusedError(
            f"cluster: {location.cluster} is in region {where}, stack {location.stack} in {cloud.region}.\n  remedy: correct alicloud:region"
        )


def check_namespace(location: StackLocation, reader: ClusterReader) -> None:
    """Raises RefusedError when the namespace that the state names is somebody else's in the cluster
    that answers: the engine deletes it by its name, with everything in it.
    """
    name = location.namespace
    if not location.namespace_made or ("Namespace", name) in location.kept:
        return
    try:
        manifest = reader.get(f"/api/v1/namespaces/{name}")
    except ClusterError as error:
        raise RefusedError(f"namespace {name}: whose it is can't be told: {error}") from None
    metadata = manifest.get("metadata") or {}
    if not manifest or location.owner_of_object(metadata) is Owner.OURS:
        return
    held = metadata.get("labels") or {}
    labels = ", ".join(f"{key}={held[key]}" for key in OBJECT_LABELS if key in held)
    wanted = " ".join(f"{key}={value}" for key, value in location.labels.items())
    if location.owner_of_object(metadata) is Owner.UNCLEAR and not location.uids:
        return  # a state that names no uid, such as one that was put together after a lost answer
    whose = (
        f"its labels say {labels}"
        if labels
        else "it has none of this stack's labels, and it is not the one that the state names (other uid)"
    )
    raise RefusedError(
        f"namespace {name} of cluster {location.cluster} is not that of stack {location.stack}: {whose}. Nothing was touched.\n"
        f"  expected: {wanted.replace(' ', ', ')}\n"
        "  otherwise: it would be deleted with everything that others run in it\n"
        "  remedy: use the kubeconfig of the stack's own cluster. If the namespace is the stack's after all: "
        f"kubectl label namespace {name} --overwrite {wanted}"
    )


def _missing(location: StackLocation, cloud: Cloud, why: ClusterError, cluster_gone: bool) -> None:
    if why.gone and not location.accounts:
        raise RefusedError(
            f"cluster: account {cloud.account} has no cluster {location.cluster}, and nothing recorded names the stack's account.\n"
            "  otherwise: with the credentials of another account everything would look deleted, and be forgotten\n"
            f"  remedy: set {PROJECT}:cluster.accountId in Pulumi.{location.stack}.yaml to the account the stack is in"
        )
    if cluster_gone:
        return
    state = (
        f"account {cloud.account} has none in region {cloud.region}"
        if why.gone
        else f"it does not answer: {why}"
    )
    raise RefusedError(
        f"cluster {location.cluster}: {state}. Nothing was touched.\n"
        "  otherwise: each object in it would be waited for in vain\n"
        "  remedy: if it will answer again, run the same command then. If it is gone for good: --cluster-gone "
        "(make destroy CLUSTER_GONE=1) forgets the objects in it and deletes everything else"
    )


def check_confirmation(stack: str, given: str) -> None:
    """Raises RefusedError when the command line confirms another stack's name; asks nobody, so that
    it can come before everything that takes time.
    """
    if given and given != stack:
        raise RefusedError(
            f"--confirm {given}: expected {stack}, the name of the stack. Nothing was touched."
        )


def confirm(stack: str, given: str, *, protected: bool, quiet: bool) -> None:
    """Asks for confirmation. `given`: the stack's name from the command line, which
    `check_confirmation` has seen; `quiet`: no question is needed. Raises RefusedError when it is
    not confirmed.
    """
    if given or (quiet and not protected):
        return
    if not sys.stdin.isatty():
        raise RefusedError(
            f"no terminal to confirm on.\n  remedy: make destroy STACK={stack} CONFIRM={stack}"
        )
    if protected:
        if (
            input(f"Parts of stack {stack} are protected. Type its name to continue: ").strip()
            != stack
        ):
            raise RefusedError("that is not its name. Nothing was touched.")
    elif input(f"Destroy stack {stack}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RefusedError("Nothing was touched.")
