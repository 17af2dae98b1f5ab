"""From a line of traefik's access log to a log of ACK's ingress logstores: names and values as
ingress-nginx or an ALB would write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

DEFAULT_BACKEND = "upstream-default-backend"

Line = Mapping[str, Any]
Ingress = Mapping[str, Any]


def log_of(line: Line, ingress: Ingress | None) -> tuple[int, dict[str, str]]:
    """(unix seconds, fields) of one request; `ingress` is the Ingress object it names, None when
    there is none.
    """
    primary, alternative = upstreams(line, ingress)
    seconds = line.get("Duration", 0) / 1e9
    moment = (
        datetime.fromisoformat(line["StartUTC"][:26].rstrip("Z") + "+00:00").timestamp() + seconds
    )
    served = bool(line.get("ServiceAddr"))
    fields = {
        "client_ip": str(line.get("ClientHost", "")),
        "x_forward_for": str(line.get("ClientHost", "")),
        "remote_user": str(line.get("ClientUsername", "-")),
        "time": str(line.get("time", "")),
        "method": str(line.get("RequestMethod", "")),
        "url": str(line.get("RequestPath", "")),
        "version": str(line.get("RequestProtocol", "")),
        "status": str(line.get("DownstreamStatus", "")),
        "body_bytes_sent": str(line.get("DownstreamContentSize", 0)),
        "http_referer": str(line.get("request_Referer", "-")),
        "http_user_agent": str(line.get("request_User-Agent", "-")),
        "request_length": str(line.get("RequestContentSize", 0)),
        "request_time": f"{seconds:.3f}",
        "proxy_upstream_name": primary,
        "proxy_alternative_upstream_name": alternative,
        "upstream_addr": str(line["ServiceAddr"]) if served else "-",
        "upstream_response_length": str(line.get("OriginContentSize", 0)) if served else "-",
        "upstream_response_time": f"{line.get('OriginDuration', 0) / 1e9:.3f}" if served else "-",
        "upstream_status": str(line.get("OriginStatus", "")) if served else "-",
        "req_id": f"{line.get('RequestCount', 0):032x}",
        "host": str(line.get("RequestHost", "")),
    }
    return int(moment), fields


def alb_log_of(line: Line, ingress: Ingress | None) -> tuple[int, dict[str, str]]:
    """The same request as an ALB logs it: what the metric of class alb counts by is its server
    group, `slb_pool_name`.
    """
    moment, nginx = log_of(line, ingress)
    same = (
        "client_ip",
        "time",
        "status",
        "body_bytes_sent",
        "http_referer",
        "http_user_agent",
        "request_length",
        "request_time",
        "host",
    )
    fields = {
        name: nginx[name]
        for name in (*same, "upstream_addr", "upstream_response_time", "upstream_status")
    }
    called = {
        "request_method": nginx["method"],
        "request_uri": nginx["url"],
        "server_protocol": nginx["version"],
    }
    return moment, {**fields, **called, "slb_pool_name": nginx["proxy_upstream_name"]}


def is_alb(ingress: Ingress | None) -> bool:
    """Whether an Ingress is of class alb."""
    return ((ingress or {}).get("spec") or {}).get("ingressClassName") == "alb"


def ingress_key(line: Line) -> tuple[str, str] | None:
    """(namespace, name) of the Ingress that matched, None when no rule did.

    A router that the lab added (`ingress_routes`) carries them in its name.
    """
    name = line.get("KubernetesIngressName")
    if name:
        return line["KubernetesIngressNamespace"], name
    added = str(line.get("RouterName", ""))
    parts = added.removesuffix("@file").split("/")
    return (parts[0], parts[1]) if added.endswith("@file") and len(parts) > 2 else None


def upstreams(line: Line, ingress: Ingress | None) -> tuple[str, str]:
    """(proxy_upstream_name, proxy_alternative_upstream_name) as ingress-nginx names them.

    A canary request keeps the primary's name, and the canary's is the alternative. Requests that a
    middleware answered (401, 429) count for the backend that their rule leads to.
    """
    key = ingress_key(line)
    if key is None:
        return DEFAULT_BACKEND, ""
    namespace = key[0]
    served = ""
    if line.get("KubernetesServiceName"):
        served = route(
            line.get("KubernetesServiceNamespace") or namespace,
            line["KubernetesServiceName"],
            line.get("KubernetesServicePort", ""),
        )
    primary = (
        _backend(
            ingress,
            namespace,
            str(line.get("RequestHost", "")),
            str(line.get("RequestPath", "/")).partition("?")[0],
        )
        if ingress
        else ""
    )
    if not primary:
        return served or DEFAULT_BACKEND, ""
    return primary, served if served and served != primary else ""


def route(namespace: str, service: str, port: Any) -> str:
    """``<namespace>-<service>-<port>``, the port as the Ingress writes it: number or name."""
    return f"{namespace}-{service}-{port}"


def _backend(ingress: Ingress, namespace: str, host: str, path: str) -> str:
    """The route of the longest path of the matching host's rules, else of the default backend, else
    "".
    """
    spec = ingress.get("spec") or {}
    best: tuple[int, int, Mapping[str, Any]] | None = None
    for rule in spec.get("rules") or []:
        if not _host_matches(rule.get("host") or "", host):
            continue
        for entry in (rule.get("http") or {}).get("paths") or []:
            rank = (len(rule.get("host") or ""), len(entry.get("path") or "/"))
            if _path_matches(entry, path) and (best is None or rank > best[:2]):
                best = (*rank, entry["backend"])
    backend = best[2] if best else spec.get("defaultBackend")
    service = (backend or {}).get("service")
    if not service:
        return ""
    port = service.get("port") or {}
    return route(namespace, service["name"], port.get("number") or port.get("name") or "")


def _host_matches(wanted: str, host: str) -> bool:
    if wanted.startswith("*."):
        return host.partition(".")[2] == wanted[2:]
    return wanted in ("", host)


def _path_matches(entry: Mapping[str, Any], path: str) -> bool:
    wanted = entry.get("path") or "/"
    if entry.get("pathType") == "Exact":
        return path == wanted
    return (
        path == wanted
        or path.startswith(wanted if wanted.endswith("/") else wanted + "/")
        or entry.get("pathType") == "ImplementationSpecific"
    )
