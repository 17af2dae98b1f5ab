"""Rules for what faces the Internet: TLS and users at Ingresses and Services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from policy.resources import UNKNOWN, Resource, listed, mapping
from policy.rule import Rule
from policy.stacks import Stack

INTERNAL = {
    "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet",
    "service.beta.kubernetes.io/alicloud-loadbalancer-address-type": "intranet",
}
"""Annotations that keep a Service's load balancer inside the VPC."""
NGINX, ALB = "nginx.ingress.kubernetes.io", "alb.ingress.kubernetes.io"
TRUE = ("1", "t", "T", "true", "TRUE", "True")
"""Texts that ingress-nginx takes for true (Go's strconv.ParseBool)."""


def _annotations(resource: Resource) -> Mapping[str, Any]:
    return mapping(resource.at("metadata", "annotations"))


def _text(annotations: Mapping[str, Any], key: str) -> str:
    value = annotations.get(key)
    return "" if value is None else str(value).strip()


def tls(resource: Resource, stack: Stack) -> Iterator[str]:
    """Ingresses and Services that speak plain HTTP to the Internet."""
    if resource.object_kind == "Ingress":
        yield from _plain_ingress(resource)
    if resource.object_kind == "Service":
        yield from _plain_service(resource)


def _plain_ingress(resource: Resource) -> Iterator[str]:
    annotations = _annotations(resource)
    if not listed(resource.at("spec", "tls")):
        yield (
            "no TLS at an Internet-facing entry: inputs and predictions cross it in the clear; set entry.tls, "
            "or waive this policy for the resource in policy/waivers.toml"
        )
    elif f"{NGINX}/ssl-redirect" in annotations and annotations[f"{NGINX}/ssl-redirect"] not in (
        *TRUE,
        UNKNOWN,
    ):
        yield f"{NGINX}/ssl-redirect is off: the entry answers plain HTTP beside TLS, passwords included; set it to true"
    ports = annotations.get(f"{ALB}/listen-ports")
    if ports is None or ports == UNKNOWN:
        return
    try:
        protocols = {
            str(protocol).strip().upper()
            for listener in json.loads(str(ports))
            for protocol in listener
        }
    except (ValueError, TypeError):
        yield f'{ALB}/listen-ports is no JSON list: expected [{{"HTTPS":443}}]; nobody can tell whether it opens plain HTTP'
        return
    if protocols - {"HTTPS", "QUIC"}:
        yield f"{ALB}/listen-ports opens plain HTTP: leave HTTPS only"


def _plain_service(resource: Resource) -> Iterator[str]:
    annotations = _annotations(resource)
    kind = resource.at("spec", "type")
    internal = any(annotations.get(key) == value for key, value in INTERNAL.items())
    if kind == "LoadBalancer" and not internal:
        yield f"a Service of type LoadBalancer faces the Internet without TLS: use the Ingress or annotate {next(iter(INTERNAL))}: intranet"
    if kind == "NodePort":
        yield "a Service of type NodePort opens a plain port on every node, past the entry: use ClusterIP behind the Ingress"
    if listed(resource.at("spec", "externalIPs")):
        yield "externalIPs take traffic of addresses that nobody has checked (CVE-2020-8554): remove them"


def known_host(resource: Resource, stack: Stack) -> Iterator[str]:
    """Hosts that are served but not covered by the Ingress's TLS."""
    entries = listed(resource.at("spec", "tls"))
    if resource.object_kind != "Ingress" or not entries:
        return
    hosts = {
        str(rule["host"])
        for rule in listed(resource.at("spec", "rules"))
        if isinstance(rule, Mapping) and rule.get("host")
    }
    covered = {
        str(host)
        for entry in entries
        if isinstance(entry, Mapping)
        for host in listed(entry.get("hosts"))
    }
    for host in sorted(hosts):
        if host not in covered and f"*.{host.partition('.')[2]}" not in covered:
            yield f"host {host} is served, but TLS is for {', '.join(sorted(covered)) or 'no host'}: browsers refuse the certificate"


def asks_who_calls(resource: Resource, stack: Stack) -> Iterator[str]:
    """Entries of a protected stack that answer whoever calls; and in every stack a password that
    an address can stand in for.
    """
    if resource.object_kind != "Ingress":
        return
    annotations = _annotations(resource)
    if _text(annotations, f"{NGINX}/satisfy").lower() == "any":
        yield f"{NGINX}/satisfy is any: a caller from an allowed address needs no password; remove it"
    if stack.protected and not _is_authenticated(annotations):
        yield (
            "the entry answers whoever calls: GPUs are ordered for strangers, and anybody reads the model's answers; set entry.auth, or "
            "waive this policy for the resource in policy/waivers.toml"
        )


def _is_authenticated(annotations: Mapping[str, Any]) -> bool:
    """Whether ingress-nginx asks for a password, another server, or a client certificate.

    Source: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/
    """
    basic = _text(annotations, f"{NGINX}/auth-type") in ("basic", "digest") and _text(
        annotations, f"{NGINX}/auth-secret"
    )
    certificate = _text(annotations, f"{NGINX}/auth-tls-secret") and _text(
        annotations, f"{NGINX}/auth-tls-verify-client"
    ) in ("", "on")
    return bool(basic or certificate or _text(annotations, f"{NGINX}/auth-url"))


def no_snippet(resource: Resource, stack: Stack) -> Iterator[str]:
    """Pieces of server configuration that undo what the other annotations say."""
    for key in _annotations(resource) if resource.object_kind == "Ingress" else ():
        if str(key).endswith("-snippet"):
            yield f"{key} puts configuration into the server that no policy can read: it can open the entry and read its keys (CVE-2021-25742)"


RULES = (
    Rule("tls-at-the-entry", "What faces the Internet speaks TLS, and only TLS.", each=tls),
    Rule("tls-covers-the-host", "The certificate's hosts are the served ones.", each=known_host),
    Rule(
        "entry-asks-who-calls",
        "The entry of a protected stack asks for a password, another server or a certificate.",
        each=asks_who_calls,
    ),
    Rule("entry-has-no-snippet", "No entry holds configuration as text.", each=no_snippet),
)
