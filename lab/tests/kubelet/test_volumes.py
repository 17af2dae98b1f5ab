"""Volumes of a pod as directories."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from lab.kubelet import ossmount
from lab.kubelet.ossmount import Account
from lab.kubelet.ossoptions import MountError, OssOptions
from lab.kubelet.volumes import Volumes
from lab.tests.kubelet.conftest import FakeApi

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "x"}},
    "spec": {"serviceAccountName": "sa"},
}
ATTRIBUTES = {
    "bucket": "models",
    "url": "oss-cn-shanghai-internal.aliyuncs.com",
    "path": "/models",
    "authType": "rrsa",
    "roleName": "r",
}
OBJECTS: dict[str, dict[str, Any]] = {
    "/api/v1/namespaces/n/configmaps/cfg": {
        "data": {"a": "1", "b": "2"},
        "binaryData": {"c": base64.b64encode(b"\x00").decode()},
    },
    "/api/v1/namespaces/n/secrets/sec": {"data": {"k": base64.b64encode(b"hidden").decode()}},
    "/api/v1/namespaces/n/persistentvolumeclaims/claim": {
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
    },
    "/api/v1/namespaces/n/persistentvolumeclaims/pending": {
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Pending"},
    },
    "/api/v1/persistentvolumes/pv": {
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "csi": {"driver": "ossplugin.csi.alibabacloud.com", "volumeAttributes": ATTRIBUTES},
        }
    },
    "/api/v1/namespaces/n/persistentvolumeclaims/disk": {
        "spec": {"volumeName": "disk"},
        "status": {"phase": "Bound"},
    },
    "/api/v1/persistentvolumes/disk": {
        "spec": {"csi": {"driver": "diskplugin.csi.alibabacloud.com"}}
    },
    "/api/v1/namespaces/n/persistentvolumeclaims/keys": {
        "spec": {"volumeName": "keys"},
        "status": {"phase": "Bound"},
    },
    "/api/v1/persistentvolumes/keys": {
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "csi": {
                "driver": "ossplugin.csi.alibabacloud.com",
                "nodePublishSecretRef": {"namespace": "d", "name": "ak"},
                "volumeAttributes": {
                    key: value
                    for key, value in ATTRIBUTES.items()
                    if key not in ("authType", "roleName")
                },
            },
        }
    },
    "/api/v1/namespaces/d/secrets/ak": {
        "data": {
            "akId": base64.b64encode(b"id").decode(),
            "akSecret": base64.b64encode(b"sk").decode(),
        }
    },
}


async def mount(folder: Path, api: FakeApi | None = None, **volume: Any) -> Path:
    """Mounts one volume and returns its directory."""
    work = Volumes(api or FakeApi(OBJECTS), Account("1", "c"))  # type: ignore[arg-type]  # a double with the methods that are called
    await work.mount(POD, {"name": "v", **volume}, folder / "v", {"status.podIP": "10.244.0.2"})
    return folder / "v"


async def test_a_config_map_becomes_files_all_or_the_listed_ones(tmp_path: Path) -> None:
    every = await mount(tmp_path / "1", configMap={"name": "cfg"})
    assert sorted(path.name for path in every.iterdir()) == ["a", "b", "c"]
    some = await mount(
        tmp_path / "2", configMap={"name": "cfg", "items": [{"key": "b", "path": "deep/file"}]}
    )
    assert (some / "deep/file").read_text() == "2"
    assert not (some / "a").exists()


async def test_a_secret_is_decoded(tmp_path: Path) -> None:
    assert ((await mount(tmp_path, secret={"secretName": "sec"})) / "k").read_text() == "hidden"


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        (
            {"configMap": {"name": "cfg", "items": [{"key": "x", "path": "x"}]}},
            "configmap references non-existent config key: x",
        ),
        ({"persistentVolumeClaim": {"claimName": "gone"}}, 'PVC "n/gone" is not found'),
        ({"persistentVolumeClaim": {"claimName": "pending"}}, 'PVC "n/pending" is not bound yet'),
        (
            {"persistentVolumeClaim": {"claimName": "disk"}},
            "driver name diskplugin.csi.alibabacloud.com not found in the list of registered",
        ),
        ({"nfs": {"server": "x"}}, "volume type nfs is not modelled by the lab"),
        (
            {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "../x"}]}},
            "invalid path '../x'",
        ),
    ],
)
async def test_what_is_missing_or_unknown_is_named(
    tmp_path: Path, volume: dict[str, Any], text: str
) -> None:
    with pytest.raises(MountError) as caught:
        await mount(tmp_path, **volume)
    assert text in str(caught.value)


async def test_optional_sources_may_be_missing(tmp_path: Path) -> None:
    assert (
        list((await mount(tmp_path, configMap={"name": "gone", "optional": True})).iterdir()) == []
    )


async def test_a_projection_gathers_token_config_and_fields(tmp_path: Path) -> None:
    api = FakeApi(OBJECTS)
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "x", "expirationSeconds": 3607}},
        {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    folder = await mount(tmp_path, api, projected={"sources": sources})
    assert [(folder / name).read_text() for name in ("token", "ca.crt", "namespace")] == [
        "a.b.c",
        "1",
        "n",
    ]
    path, body = api.posts[0]
    assert path == "/api/v1/namespaces/n/serviceaccounts/sa/token"
    assert body["spec"]["audiences"] == ["x"]
    assert body["spec"]["boundObjectRef"]["uid"] == "u"


async def test_scratch_space_and_host_paths_are_the_pods_own(tmp_path: Path) -> None:
    assert list((await mount(tmp_path / "1", emptyDir={})).iterdir()) == []
    assert list((await mount(tmp_path / "2", hostPath={"path": "/etc"})).iterdir()) == []


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[OssOptions]:
    """Records the options of OSS mounts instead of doing them."""
    seen: list[OssOptions] = []

    async def record(
        api: Any, options: OssOptions, account: Account, folder: Path, in_thread: Any
    ) -> None:
        seen.append(options)

    monkeypatch.setattr(ossmount, "mount", record)
    return seen


async def test_a_claim_leads_to_its_bucket_and_read_only_many_is_read_only(
    tmp_path: Path, mounted: list[OssOptions]
) -> None:
    await mount(tmp_path, persistentVolumeClaim={"claimName": "claim"})
    assert [
        (options.bucket, options.path, options.auth_type, options.read_only) for options in mounted
    ] == [("models", "/models", "rrsa", True)]


async def test_keys_come_from_the_secret_the_volume_names(
    tmp_path: Path, mounted: list[OssOptions]
) -> None:
    await mount(tmp_path, persistentVolumeClaim={"claimName": "keys"})
    assert [(options.key_id, options.key_secret, options.read_only) for options in mounted] == [
        ("id", "sk", False)
    ]


async def test_a_missing_key_secret_is_named(tmp_path: Path) -> None:
    objects = {path: body for path, body in OBJECTS.items() if not path.endswith("/ak")}
    with pytest.raises(MountError, match="fetching NodePublishSecretRef d/ak failed"):
        await mount(tmp_path, FakeApi(objects), persistentVolumeClaim={"claimName": "keys"})
