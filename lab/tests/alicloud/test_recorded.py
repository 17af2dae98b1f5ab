"""The recorded calls of the published plugin get answers of the recorded status and shape, key for
key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import oss2
import pytest
import requests
from aliyunsdkcore.acs_exception.exceptions import ServerException
from oss2.http import Request as OssRequest

from lab.alicloud import api_models
from lab.testing import clients
from lab.testing.cloud import CloudDouble, wait_for

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "recorded.jsonl").read_text().splitlines()[1:]
]
CLUSTER = "c0123456789abcdef0123456789abcdef"
LEFT_OUT = (
    "auto_mode",
    "timezone",
)  # the double answers them only to those who set them: see the traps of the plugin
_IDS = re.compile(r"(_id|Id)$")


class Replay:
    """Sends recorded calls anew, with the ids of this lab in place of the recorded ones."""

    def __init__(self, lab: CloudDouble) -> None:
        self.lab = lab
        self.ids: dict[str, str] = {}
        self.action = ""
        """`service:Action` of the last call of the container service or an RPC service that was
        answered.
        """

    def send(self, row: dict[str, Any]) -> tuple[int, Any]:
        """(status, decoded body)."""
        self.action = ""
        text = json.dumps(row, ensure_ascii=False)
        for old, new in self.ids.items():
            text = text.replace(old, new)
        now = json.loads(text)
        if ".oss-" in now["host"] or now["host"].startswith("oss-"):
            return self._oss(now)
        if now["host"].endswith(".log.aliyuncs.com"):
            return clients.log_sha1(self.lab, now["method"], now["host"], now["path"], now["query"])
        try:
            if now["host"].startswith("cs."):
                status, body = (
                    200,
                    clients.roa(self.lab, now["method"], now["path"], now["body"], **now["query"]),
                )
            else:
                values = {**now["query"], **(now["body"] or {})}
                action, version = values.pop("Action"), values.pop("Version")
                status, body = 200, clients.rpc(self.lab, now["host"], version, action, **values)
        except ServerException as error:
            status, body = int(error.http_status or 0), None
        if status == 200:
            answered = self.lab.ask(f"calls?since={self.lab.last_call() - 1}")["calls"][-1]
            status, self.action = answered["status"], f"{answered['service']}:{answered['call']}"
        self._learn(row["response_body"], body)
        task = body.get("task_id") if isinstance(body, dict) else None
        if task:
            wait_for(lambda: clients.roa(self.lab, "GET", f"/tasks/{task}")["state"] == "success")
        return status, body

    def _learn(self, old: Any, new: Any, key: str = "") -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            for name in old.keys() & new.keys():
                self._learn(old[name], new[name], name)
        elif (
            isinstance(old, str)
            and isinstance(new, str)
            and _IDS.search(key)
            and len(old) > 12
            and old != new
        ):
            self.ids[old] = new

    def _oss(self, row: dict[str, Any]) -> tuple[int, Any]:
        name = "" if row["host"].startswith("oss-") else row["host"].partition(".")[0]
        data = _payload(row["body"])
        headers = dict(row["headers"])
        if headers.get("content-md5") and row["method"] != "HEAD":
            headers["content-md5"] = base64.b64encode(hashlib.md5(data or b"").digest()).decode()
        key = unquote(row["path"][1:])
        ask = OssRequest(
            row["method"],
            f"https://{row['host']}{row['path']}",
            data,
            dict(row["query"]),
            headers,
            "",
            product="oss",
            region="cn-shanghai",
        )
        oss2.AuthV4(*clients.keys(self.lab))._sign_request(ask, name, key)
        answer = requests.request(
            ask.method,
            ask.url,
            data=ask.data,
            params=ask.params,
            headers=ask.headers,
            timeout=1500,
            verify=self.lab.ca,
        )
        return answer.status_code, answer.text


def _payload(body: Any) -> bytes | None:
    if body == "(5000 bytes)":
        return b"x" * 5000
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode() if body else None


def shape(value: Any) -> Any:
    """Keys and types of a JSON value; lists by their first element."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in sorted(value.items()) if k not in LEFT_OUT}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )


def of_the_api(value: Any, model: Any) -> Any:
    """A recorded answer without what the official SDK's model does not know: the answers were an
    older double's, only the requests are the published plugin's. Tags that the plugin writes with
    capitals are read without.
    """
    if isinstance(value, dict) and isinstance(model, dict):
        names = {name.removesuffix("!"): kind for name, kind in model.items()}
        if "*" in names:
            return value
        rows = {name if name in names else name.lower(): one for name, one in value.items()}
        return {name: of_the_api(one, names[name]) for name, one in rows.items() if name in names}
    if isinstance(value, list) and isinstance(model, list):
        return [of_the_api(one, model[0]) for one in value]
    return {} if model is None else value


def agree(old: Any, new: Any) -> bool:
    """Whether two shapes are the same; an empty list agrees with any list."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(agree(old[k], new[k]) for k in old)
    if isinstance(old, list) and isinstance(new, list):
        return not old or not new or agree(old[0], new[0])
    return old == new


def xml_shape(text: str) -> Any:
    """Element names of an XML answer, nested; request ids and the like don't matter."""

    def walk(node: ElementTree.Element) -> Any:
        return node.tag, sorted(walk(child) for child in node)

    return (
        walk(ElementTree.fromstring(text))
        if text.strip().removeprefix('<?xml version="1.0" encoding="UTF-8"?>').strip()
        else None
    )


def _sets() -> Iterator[str]:
    return iter(dict.fromkeys(row["set"] for row in RECORDED))


@pytest.fixture
def prepared(lab: CloudDouble) -> Iterator[CloudDouble]:
    """The lab with the cluster of the recordings."""
    lab.ask("reset", {})
    lab.ask(
        "clusters",
        {
            "cluster_id": CLUSTER,
            "name": "inference",
            "vswitch_ids": ["vsw-aaaaaaaa", "vsw-bbbbbbbb"],
            "addons": [],
        },
    )
    names = ("certificate-authority-data", "client-certificate-data", "client-key-data")
    (lab.home / "kubeconfig").write_text("\n".join(f"{n}: eA==" for n in names))
    yield lab
    lab.ask("reset", {})


@pytest.mark.parametrize("name", _sets())
def test_recorded_calls_are_answered_in_the_recorded_shape(
    prepared: CloudDouble, name: str
) -> None:
    replay, compared = Replay(prepared), 0
    for row in (r for r in RECORDED if r["set"] == name):
        status, body = replay.send(row)
        what = f"{row['method']} {row['host']}{row['path']} {row['query']}"
        assert status == row["status"], f"{what}: {status} {body}"
        expected = row["response_body"]
        if isinstance(body, str) and isinstance(expected, str):
            assert _without_error_extras(xml_shape(body)) == _without_error_extras(
                xml_shape(expected)
            ), what
            compared += 1
        elif expected is not None and not isinstance(body, str) and status < 400:
            expected = of_the_api(
                expected, (api_models.models().get(replay.action) or {}).get("answer", "any")
            )
            assert agree(shape(expected), shape(body)), f"{what}\n{shape(expected)}\n{shape(body)}"
            compared += 1
    assert compared >= 8


def _without_error_extras(tree: Any) -> Any:
    if tree and tree[0] == "Error":
        wanted = ("Code", "Message", "RequestId", "HostId", "EC")
        return tree[0], [child for child in tree[1] if child[0] in wanted]
    return tree
