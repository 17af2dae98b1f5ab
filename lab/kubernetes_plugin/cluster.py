"""The API server, through the official client's dynamic part: discovery, objects, watches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from lab.kubernetes_plugin import kubeconfig, normalize, objects

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
WATCH_SECONDS = 300
FIELD_MANAGER = "pulumi-kubernetes"


class ApiError(Exception):
    """The API server's refusal: HTTP `code`, its `reason` word and its own `message`."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}

    @property
    def namespace_missing(self) -> bool:
        """Whether the object's namespace is what was not found."""
        return self.code == 404 and self.details.get("kind") == "namespaces"


class NoSuchKind(Exception):
    """The API server has no such kind in this version."""


class Unreachable(Exception):
    """The API server did not answer."""


class Cluster:
    """One API server. All calls may come from several threads at once."""

    def __init__(self, target: kubeconfig.Target, request_seconds: int = 0) -> None:
        from kubernetes import client, config, dynamic  # here: half a second that only calls to a cluster need

        configuration = client.Configuration()
        config.load_kube_config_from_dict(
            target.document, context=target.context, client_configuration=configuration, persist_config=False
        )
        configuration.proxy = None
        configuration.retries = False  # type: ignore[assignment]
        configuration.connection_pool_maxsize = 32
        self._api = client.ApiClient(configuration)
        self._client = dynamic.DynamicClient(self._api, discoverer=lambda *_: None)  # its own discovery caches on disk by host name
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}
        self._lock = threading.Lock()
        self._request_seconds = request_seconds or REQUEST_SECONDS

    def version(self) -> str:
        """The API server's version ("v1.36.3"). Raises Unreachable."""
        return self._call("get", "/version").get("gitVersion", "")

    def close(self) -> None:
        """Drop the connections."""
        self._api.close()

    def has_kind(self, obj: objects.Object) -> bool:
        """Whether the API server serves this object's kind."""
        try:
            self._resource(objects.api_version(obj), objects.kind(obj))
        except (NoSuchKind, Unreachable, ApiError):
            return False
        return True

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """Whether objects of the kind live in namespaces; None if nobody knows."""
        known = normalize.known_kind(api_version, kind)
        if known is not None:
            return known
        try:
            return self._resource(api_version, kind)[1]
        except (NoSuchKind, Unreachable, ApiError):
            return None

    def get(self, obj: objects.Object, name: str | None = None) -> objects.Object:
        """The live object with the kind, namespace and name of `obj`."""
        return self._call("get", self._path(obj, name or objects.name(obj)))

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> objects.Object | None:
        """One object, or None if there is none."""
        try:
            return self.get({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}})
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str, field_selector: str | None = None) -> list[objects.Object]:
        """All objects of a kind in a namespace."""
        probe = {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}}
        items = self._call("get", self._path(probe), field_selector=field_selector).get("items", [])
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def create(self, obj: objects.Object, *, dry_run: bool) -> objects.Object:
        """POST the object."""
        return self._call("post", self._path(obj), body=obj, field_manager=FIELD_MANAGER, dry_run=_dry(dry_run))

    def apply(self, obj: objects.Object, manager: str, *, force: bool, dry_run: bool, name: str | None = None) -> objects.Object:
        """Server-side apply the object under `manager`."""
        return self._call(
            "patch", self._path(obj, name or objects.name(obj)), body=json.dumps(obj), content_type="application/apply-patch+yaml",
            field_manager=manager, force_conflicts="true" if force else "false", dry_run=_dry(dry_run),
        )  # fmt: skip

    def json_patch(self, obj: objects.Object, operations: list[dict[str, Any]]) -> objects.Object:
        """JSON-patch the object."""
        return self._call("patch", self._path(obj, objects.name(obj)), body=operations, content_type="application/json-patch+json")

    def delete(self, obj: objects.Object, name: str, propagation: str) -> None:
        """DELETE the object; `propagation` is Foreground, Background or Orphan."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        self._call("delete", self._path(obj, name), body=body)

    def watch(
        self, api_version: str, kind: str, namespace: str, since: str, opened: Any, field_selector: str | None = None
    ) -> Iterator[Any]:
        """Events after a resource version until the server ends the stream; `opened(response)` lets the caller shut it."""
        probe = {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}}
        response = self._send(
            "get", self._path(probe), watch="true", resource_version=since, timeout_seconds=WATCH_SECONDS, allow_watch_bookmarks="true",
            field_selector=field_selector, _request_timeout=(CONNECT_SECONDS, WATCH_SECONDS + 30),
        )  # fmt: skip
        from kubernetes.watch.watch import iter_resp_lines

        opened(response)
        try:
            for line in iter_resp_lines(response):
                if line:
                    yield json.loads(line)
        finally:
            response.close()

    def list_for_watch(self, api_version: str, kind: str, namespace: str, field_selector: str | None) -> tuple[list[Any], str]:
        """Objects and the resource version to watch from."""
        probe = {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}}
        answer = self._call("get", self._path(probe), field_selector=field_selector)
        items = [{"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items", [])]
        return items, answer["metadata"]["resourceVersion"]

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        with self._lock:
            if (api_version, kind) not in self._kinds:
                root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
                try:
                    answer = self._call("get", root)
                except ApiError as error:
                    if error.code == 404:
                        raise NoSuchKind(f'no matches for kind "{kind}" in version "{api_version}"') from error
                    raise
                for found in answer.get("resources", []):
                    if "/" not in found["name"]:
                        self._kinds[(api_version, found["kind"])] = (f"{root}|{found['name']}", found["namespaced"])
            if (api_version, kind) not in self._kinds:
                raise NoSuchKind(f'no matches for kind "{kind}" in version "{api_version}"')
            return self._kinds[(api_version, kind)]

    def _path(self, obj: objects.Object, name: str | None = None) -> str:
        place, namespaced = self._resource(objects.api_version(obj), objects.kind(obj))
        root, _, plural = place.partition("|")
        space = f"/namespaces/{objects.namespace(obj) or 'default'}" if namespaced else ""
        return f"{root}{space}/{plural}" + (f"/{name}" if name else "")

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self._send(method, path, _request_timeout=(CONNECT_SECONDS, self._request_seconds), **options)
        return json.loads(response.data)

    def _send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        from kubernetes.dynamic.exceptions import DynamicApiError
        from urllib3.exceptions import HTTPError

        try:
            return self._client.request(method, path, body=body, serialize=False, **options)
        except DynamicApiError as error:
            raise _api_error(error) from error
        except HTTPError as error:
            raise Unreachable(str(error)) from error


def _dry(dry_run: bool) -> str | None:
    return "All" if dry_run else None


def _api_error(error: Any) -> ApiError:
    try:
        status = json.loads(error.body)
        return ApiError(error.status, status.get("reason", ""), status.get("message", ""), status.get("details"))
    except (TypeError, ValueError, AttributeError):
        return ApiError(error.status, error.reason or "", f"{error.reason}: {error.body!r}")
