"""Addresses, file trees, fields, environment."""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.kubelet import rootfs
from lab.kubelet.addresses import Addresses
from lab.kubelet.fields import ConfigError, environment, field_value
from lab.kubelet.logserver import last_lines
from lab.quantities import quantity

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "labels": {"app": "bert", "a": "1"},
        "annotations": {"x/y": "z"},
    },
    "spec": {"nodeName": "node-1"},
}


def test_addresses_come_from_the_range_one_by_one_and_rest_after_use() -> None:
    addresses = Addresses("10.244.3.0/29")
    taken = [addresses.take() for _ in range(5)]
    assert taken == [f"10.244.3.{number}" for number in range(2, 7)]
    with pytest.raises(RuntimeError, match="no IP addresses available"):
        addresses.take()
    addresses.free("10.244.3.4")
    assert addresses.take() == "10.244.3.4"


def test_mounts_lead_into_their_volumes_also_inside_each_other(tmp_path: Path) -> None:
    model, config = tmp_path / "model", tmp_path / "config"
    (model / "tensorflow" / "1").mkdir(parents=True)
    config.mkdir()
    (config / "models.config").write_text("x")
    mounts = [
        {"name": "c", "mountPath": "/models/etc/conf"},
        {"name": "m", "mountPath": "/models/"},
        {"name": "c", "mountPath": "/one", "subPath": "models.config"},
    ]
    rootfs.build(tmp_path / "root", {"volumeMounts": mounts}, {"m": model, "c": config}, {})
    root = tmp_path / "root"
    assert (root / "models/tensorflow/1").is_dir()
    assert (root / "models/etc/conf/models.config").read_text() == "x"
    assert (root / "one").read_text() == "x"
    assert sorted(path.name for path in model.iterdir()) == ["tensorflow"]
    rootfs.build(root, {"volumeMounts": mounts}, {"m": model, "c": config}, {})
    assert (root / "models/etc/conf/models.config").read_text() == "x"


def test_a_mount_of_an_unknown_volume_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="m"):
        rootfs.build(tmp_path, {"volumeMounts": [{"name": "m", "mountPath": "/m"}]}, {}, {})


@pytest.mark.parametrize(
    ("path", "value"),
    [("metadata.name", "p"), ("metadata.labels['app']", "bert"), ("metadata.annotations['x/y']", "z"), ("spec.nodeName", "node-1"),
     ("status.podIP", "10.244.0.2"), ("metadata.labels", 'a="1"\napp="bert"'), ("spec.serviceAccountName", "")],
)  # fmt: skip
def test_downward_fields(path: str, value: str) -> None:
    assert field_value(POD, path, {"status.podIP": "10.244.0.2"}) == value


async def lookup(plural: str, name: str) -> dict[str, Any] | None:
    data = {"configmaps": {"k": "v"}, "secrets": {"k": base64.b64encode(b"hidden").decode()}}
    return {"data": data[plural]} if name == "here" else None


async def test_environment_sees_earlier_variables_fields_and_references() -> None:
    container = {
        "resources": {"limits": {"memory": "2Gi", "cpu": "1500m"}},
        "envFrom": [
            {"configMapRef": {"name": "here"}, "prefix": "P_"},
            {"secretRef": {"name": "gone", "optional": True}},
        ],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)$(P_k)"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "here", "key": "k"}}},
            {
                "name": "O",
                "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k", "optional": True}},
            },
            {
                "name": "MEM",
                "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
            },
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
    }
    found = await environment(POD, container, {"status.podIP": "10.244.0.2"}, lookup)
    assert found == {
        "P_k": "v",
        "A": "1",
        "B": "1v",
        "IP": "10.244.0.2",
        "S": "hidden",
        "MEM": "2048",
        "CPU": "2",
    }


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "here", "key": "x"}}, "couldn't find key x in Secret here"),
    ],
)
async def test_a_reference_that_is_not_there_is_named(entry: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        await environment(POD, {"env": [{"name": "X", "valueFrom": entry}]}, {}, lookup)


def test_quantities() -> None:
    assert [quantity(text) for text in ("1", "500m", "2Gi", "1k", "2e3")] == [
        1,
        Decimal("0.5"),
        2 * 2**30,
        1000,
        2000,
    ]


def test_the_tail_of_a_log() -> None:
    assert last_lines(b"a\nb\nc", 2) == b"b\nc"
    assert last_lines(b"a\n", 0) == b""
