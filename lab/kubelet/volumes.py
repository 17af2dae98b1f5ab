"""Prepares a pod's volumes as directories: config maps, secrets, projections, scratch space, claims
on OSS.
"""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.kube import Kube, KubeError
from lab.kubelet import ossmount, ossoptions
from lab.kubelet.fields import field_value
from lab.kubelet.ossmount import Account
from lab.kubelet.ossoptions import MountError

Object = dict[str, Any]


class Volumes:
    """Mounts for all pods of the agent; downloads share a few threads."""

    def __init__(self, api: Kube, account: Account, threads: int = 8) -> None:
        self.api, self.account = api, account
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="oss")
        self._sources = {
            "emptyDir": self._nothing,
            "hostPath": self._nothing,
            "configMap": self._config_map,
            "secret": self._secret,
            "downwardAPI": self._downward_api,
            "projected": self._projected,
            "persistentVolumeClaim": self._claim,
        }

    async def in_thread(self, work: Any, *arguments: Any) -> Any:
        """Runs a blocking download."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)

    async def mount(self, pod: Object, volume: Object, folder: Path, facts: Object) -> None:
        """Fills `folder` for one volume of the pod; MountError (or a kubelet's plain text in it)
        says why not.
        """
        source = next((key for key in volume if key != "name"), "emptyDir")
        fill = self._sources.get(source)
        if fill is None:
            raise MountError(f"volume type {source} is not modelled by the lab", "Unimplemented")
        folder.mkdir(parents=True, exist_ok=True)
        await fill(pod, volume.get(source) or {}, folder, facts)

    async def _fetch(self, pod: Object, kind: str, name: str, optional: bool) -> Object:
        plural = {"configmap": "configmaps", "secret": "secrets"}[kind]
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{name}"
        try:
            found = await self.api.find(path)
        except KubeError as error:
            raise NotReadyError(f"{error.message}") from None
        if found is None and not optional:
            raise NotReadyError(f'{kind} "{name}" not found')
        return found or {}

    async def _nothing(self, *_: Any) -> None:
        """Nothing to fill: an empty directory, also in place of a hostPath, since pods of the lab
        never see the machine's own files.
        """

    async def _config_map(self, pod: Object, spec: Object, folder: Path, _: Object) -> None:
        found = await self._fetch(pod, "configmap", spec["name"], bool(spec.get("optional")))
        data = {key: text.encode() for key, text in (found.get("data") or {}).items()}
        data |= {
            key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()
        }
        write_items(folder, data, spec, "configmap references non-existent config key: {}")

    async def _secret(self, pod: Object, spec: Object, folder: Path, _: Object) -> None:
        name = spec.get("secretName") or spec.get("name") or ""
        found = await self._fetch(pod, "secret", name, bool(spec.get("optional")))
        data = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
        write_items(folder, data, spec, "references non-existent secret key: {}")

    async def _downward_api(self, pod: Object, spec: Object, folder: Path, facts: Object) -> None:
        for item in spec.get("items") or []:
            if "fieldRef" in item:
                write(
                    folder,
                    item["path"],
                    field_value(pod, item["fieldRef"]["fieldPath"], facts).encode(),
                )

    async def _projected(self, pod: Object, spec: Object, folder: Path, facts: Object) -> None:
        for source in spec.get("sources") or []:
            for kind, part in source.items():
                if kind == "serviceAccountToken":
                    await self._token(pod, part, folder)
                elif kind in ("configMap", "secret", "downwardAPI"):
                    await self._sources[kind](pod, part, folder, facts)
                else:
                    raise MountError(
                        f"projected volume source {kind} is not modelled by the lab",
                        "Unimplemented",
                    )

    async def _token(self, pod: Object, spec: Object, folder: Path) -> None:
        meta = pod["metadata"]
        account = pod["spec"].get("serviceAccountName") or "default"
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        request: Object = {
            "expirationSeconds": spec.get("expirationSeconds") or 3600,
            "boundObjectRef": bound,
        }
        if spec.get("audience"):
            request["audiences"] = [spec["audience"]]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": request}
        try:
            answer = await self.api.post(
                f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token", body
            )
        except KubeError as error:
            raise NotReadyError(f"failed to fetch token: {error.message}") from None
        write(folder, spec.get("path") or "token", answer["status"]["token"].encode())

    async def _claim(self, pod: Object, spec: Object, folder: Path, facts: Object) -> None:
        namespace = pod["metadata"]["namespace"]
        claim = await self.api.find(
            f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{spec['claimName']}"
        )
        name = (claim or {}).get("spec", {}).get("volumeName")
        if not claim or not name or claim.get("status", {}).get("phase") != "Bound":
            raise NotReadyError(
                f'PVC "{namespace}/{spec["claimName"]}" is {"not bound yet" if claim else "not found"}'
            )
        volume = await self.api.find(f"/api/v1/persistentvolumes/{name}")
        if volume is None:
            raise NotReadyError(f'PV "{name}" not found')
        csi = volume["spec"].get("csi")
        if not csi or csi["driver"] != ossoptions.DRIVER:
            driver = (
                csi["driver"]
                if csi
                else next(
                    (key for key in volume["spec"] if key in ("hostPath", "nfs", "local")),
                    "unknown",
                )
            )
            raise MountError(
                f"driver name {driver} not found in the list of registered CSI drivers", "NotFound"
            )
        modes = volume["spec"].get("accessModes") or []
        read_only = bool(csi.get("readOnly") or spec.get("readOnly")) or modes == ["ReadOnlyMany"]
        options = ossoptions.parse(csi, await self._publish_secret(csi), read_only)
        account = Account(
            self.account.account_id, facts.get("cluster_id") or self.account.cluster_id
        )
        await ossmount.mount(self.api, options, account, folder, self.in_thread)

    async def _publish_secret(self, csi: Object) -> dict[str, str]:
        """The data of nodePublishSecretRef."""
        reference = csi.get("nodePublishSecretRef")
        if not reference:
            return {}
        found = await self.api.find(
            f"/api/v1/namespaces/{reference['namespace']}/secrets/{reference['name']}"
        )
        if found is None:
            where = f"{reference['namespace']}/{reference['name']}"
            raise MountError(
                f'fetching NodePublishSecretRef {where} failed: secrets "{reference["name"]}" not found'
            )
        return {
            key: base64.b64decode(text).decode() for key, text in (found.get("data") or {}).items()
        }


class NotReadyError(MountError):
    """Something the volume needs is not there yet; printed without a CSI driver's prefix."""

    def __str__(self) -> str:
        return self.message


def write(folder: Path, path: str, data: bytes) -> None:
    """One file of a volume."""
    target = folder / path
    if ".." in Path(path).parts or Path(path).is_absolute():
        raise MountError(f"invalid path {path!r} in a volume item", "InvalidArgument")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def write_items(folder: Path, data: dict[str, bytes], spec: Object, missing: str) -> None:
    """All keys as files, or the listed `items` under their paths."""
    if not spec.get("items"):
        for key, content in data.items():
            write(folder, key, content)
        return
    for item in spec["items"]:
        if item["key"] in data:
            write(folder, item["path"], data[item["key"]])
        elif not spec.get("optional"):
            raise NotReadyError(missing.format(item["key"]))
