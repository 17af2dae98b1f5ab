"""Reads the cluster through its API server, and writes single objects. A teardown only reads; every
call ends within seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from ops.cloud.client import Cloud
from ops.cloud.errors import CloudError

CONNECT_SECONDS, READ_SECONDS = 5, 15
GONE = ("ErrorClusterNotFound", "ErrorClusterDeleted")
"""The container service's words for a cluster that is not there."""


class ClusterError(Exception):
    """The cluster cannot be read; the text says why. `gone`: the container service knows no such
    cluster.
    """

    def __init__(self, why: str, gone: bool = False) -> None:
        super().__init__(why)
        self.gone = gone


class ClusterReader:
    """An API server that answers."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        from kubernetes import client, config, dynamic  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

        configuration = client.Configuration()
        config.load_kube_config_from_dict(
            yaml.safe_load(kubeconfig), client_configuration=configuration, persist_config=False
        )
        configuration.retries = False  # type: ignore[assignment]
        # Its own discovery would ask for every kind there is before the first question.
        self._client = dynamic.DynamicClient(
            client.ApiClient(configuration), discoverer=lambda *_: None
        )

    def get(self, path: str) -> dict[str, Any]:
        """The object or list at a path; {} when there is none. Raises ClusterError when the API
        server does not answer, or refuses.
        """
        return json.loads(self._call("get", path) or "{}")

    def delete(self, path: str) -> None:
        """Deletes the object at a path; no error when there is none. Raises ClusterError when the
        API server does not answer, or refuses.
        """
        self._call("delete", path)

    def replace(self, path: str, document: dict[str, Any], manager: str) -> dict[str, Any]:
        """Writes the object at a path under a field manager, if it is still in the version that
        `document` names, and returns it as it is then. Raises ClusterError, with 409 where it is
        not.
        """
        return json.loads(self._call("put", path, document, [("fieldManager", manager)]))

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> str:
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed
        from kubernetes.dynamic.exceptions import DynamicApiError  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

        try:
            answer = self._client.request(
                method,
                path,
                body=body,
                query_params=list(query),
                serialize=False,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            return answer.data.decode("utf-8", "replace")
        except (ApiException, DynamicApiError) as error:
            if error.status == 404:
                return ""
            raise ClusterError(f"{path}: {error.status} {error.reason}{_said(error)}") from None
        except Exception as error:
            raise ClusterError(f"{path}: {_short(error)}") from None

    def text(self, path: str) -> str:
        """The text at a path that is not JSON, such as a log; "" when there is none. Raises
        ClusterError.
        """
        return self._call("get", path)

    def items(self, path: str) -> list[dict[str, Any]]:
        """The objects of the list at a path. Raises ClusterError."""
        return self.get(path).get("items") or []


def reach(
    cloud: Cloud, cluster: str, kubeconfig: str | None = None, *, private: bool = False
) -> ClusterReader:
    """A reader for the cluster, by `kubeconfig` or by a temporary one that the container service
    issues; `private`: with the API server's address in the VPC. Raises ClusterError.
    """
    facts: dict[str, Any] = {}
    if not cluster and kubeconfig is None:
        raise ClusterError("neither state nor settings name a cluster", gone=True)
    try:
        if cluster:
            facts = cloud.cs(f"/clusters/{cluster}")
        text = (
            kubeconfig
            or cloud.cs(
                f"/k8s/{cluster}/user_config",
                TemporaryDurationMinutes=60,
                PrivateIpAddress=str(private).lower(),
            )["config"]
        )
    except CloudError as error:
        raise ClusterError(str(error), gone=error.code in GONE or error.status == 404) from None
    try:
        reader = ClusterReader(text)
    except Exception as error:
        raise ClusterError(
            f"the kubeconfig of cluster {cluster} can't be used: {_short(error)}{_of_endpoint(facts, private)}"
        ) from None
    try:
        version = reader.get("/version")
    except ClusterError as error:
        hint = "" if kubeconfig else _of_endpoint(facts, private)
        raise ClusterError(f"{error}{hint}") from None
    if not version:
        raise ClusterError("/version: the API server does not know it")
    return reader


def _of_endpoint(facts: dict[str, Any], private: bool) -> str:
    """What the cluster's endpoints explain of an API server that does not answer, "" for
    nothing.
    """
    try:
        endpoints = json.loads(facts.get("master_url") or "{}")
    except ValueError:
        return ""
    if private:
        address = endpoints.get("intranet_api_server_endpoint") or "an address in the VPC"
        return f" (cluster.apiEndpoint is private: {address} answers inside the VPC only; run there, or over a VPN)"
    if endpoints and not endpoints.get("api_server_endpoint"):
        return (
            " (the cluster has no public endpoint: run inside the VPC, or over a VPN, with cluster.apiEndpoint: private "
            "[pulumi config set --path 'elastic-inference:cluster.apiEndpoint' private], or bind an EIP to it)"
        )
    return ""


def _said(error: Exception) -> str:
    """The API server's own words in its answer, with the colon before them; "" without any."""
    try:
        return f": {json.loads(getattr(error, 'body', None) or '')['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
