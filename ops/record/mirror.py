"""Objects of the cluster, kept current by list and watch; one thread for each list."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

WATCH_SECONDS = 240


def client() -> httpx.Client:
    """An HTTP client for the cluster of the current kubeconfig, which the official client
    parses.
    """
    from kubernetes import client as official  # noqa: PLC0415 - 0.3 s of the official client, for its kubeconfig only
    from kubernetes import config  # noqa: PLC0415 - 0.3 s of the official client, for its kubeconfig only

    configuration = official.Configuration()
    config.load_kube_config(client_configuration=configuration)
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    token = (configuration.api_key or {}).get("authorization")
    headers = {"Authorization": token} if token else {}
    return httpx.Client(
        base_url=configuration.host,
        verify=context,
        headers=headers,
        timeout=WATCH_SECONDS + 30,
        trust_env=False,
    )


class Mirror:
    """The objects of one list, by name. `objects` may be read at any time; it is replaced, never
    changed.
    """

    def __init__(
        self,
        api: httpx.Client,
        path: str,
        selector: str = "",
        wanted: Callable[[Any], bool] | None = None,
    ) -> None:
        """`wanted` keeps the objects for which it is true."""
        self._api, self._path, self._wanted = api, path, wanted or (lambda _: True)
        self._query = {"labelSelector": selector} if selector else {}
        self.objects: dict[str, Any] = {}
        self.filled = threading.Event()
        threading.Thread(target=self._run, name=f"watch {path}", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                version = self._list()
                self.filled.set()
                self._watch(version)
            except (
                httpx.HTTPError,
                ValueError,
                KeyError,
            ):  # the API server is away, or the version is too old: list again
                time.sleep(0.5)

    def _list(self) -> str:
        answer = self._api.get(self._path, params=self._query).raise_for_status().json()
        found = {item["metadata"]["name"]: item for item in answer["items"]}
        self.objects = {name: item for name, item in found.items() if self._wanted(item)}
        return answer["metadata"]["resourceVersion"]

    def _watch(self, version: str) -> None:
        query = {
            **self._query,
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._api.stream("GET", self._path, params=query) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._take(event["type"], event["object"])

    def _take(self, kind: str, changed_object: Any) -> None:
        name, changed = changed_object["metadata"]["name"], dict(self.objects)
        if kind == "DELETED" or not self._wanted(changed_object):
            changed.pop(name, None)
        else:
            changed[name] = changed_object
        self.objects = changed
