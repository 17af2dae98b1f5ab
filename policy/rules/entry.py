"""Rules for what faces the Internet: TLS at Ingresses and Services."""

from __future__ import annotations

from collections.abc import Iterator

from policy.resources import Resource, listed
from policy.rule import Rule

INGRESS, SERVICE = "kubernetes:networking.k8s.io/v1:Ingress", "kubernetes:core/v1:Service"
INTERNAL = {
    "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet",
    "service.beta.kubernetes.io/alicloud-loadbalancer-address-type": "intranet",
}
"""Annotations that keep a Service's load balancer inside the VPC."""
WAIVER = "elastic-inference/waive-tls"
"""Annotation with the reason why an entry has no TLS."""


def tls(resource: Resource, stack: str) -> Iterator[str]:
    """Ingresses and load balancers that speak plain HTTP to the Internet without giving a
    reason.
    """
    annotations = resource.at("metadata", "annotations") or {}
    if not isinstance(annotations, dict) or str(annotations.get(WAIVER) or "").strip():
        return
    if resource.kind == INGRESS and not listed(resource.at("spec", "tls")):
        yield f"no TLS at an Internet-facing entry: inputs and predictions cross it in the clear; set entry.tls, or say why in {WAIVER}"
    if resource.kind == INGRESS and '"HTTP":' in str(
        annotations.get("alb.ingress.kubernetes.io/listen-ports", "")
    ):
        yield "alb.ingress.kubernetes.io/listen-ports opens plain HTTP: leave HTTPS only"
    internal = any(annotations.get(key) == value for key, value in INTERNAL.items())
    if resource.kind == SERVICE and resource.at("spec", "type") == "LoadBalancer" and not internal:
        yield f"a Service of type LoadBalancer faces the Internet without TLS: use the Ingress or annotate {next(iter(INTERNAL))}: intranet"


def known_host(resource: Resource, stack: str) -> Iterator[str]:
    """Hosts that are served but not covered by the Ingress's TLS."""
    if resource.kind != INGRESS:
        return
    hosts = {
        str(rule["host"])
        for rule in listed(resource.at("spec", "rules"))
        if isinstance(rule, dict) and rule.get("host")
    }
    covered = {
        host
        for entry in listed(resource.at("spec", "tls"))
        if isinstance(entry, dict)
        for host in listed(entry.get("hosts"))
    }
    for host in sorted(hosts - covered) if covered else ():
        yield f"host {host} is served, but TLS is for {', '.join(sorted(covered))}: browsers refuse the certificate"


RULES = (
    Rule("tls-at-the-entry", "What faces the Internet speaks TLS, or says why not.", each=tls),
    Rule("tls-covers-the-host", "The certificate's hosts are the served ones.", each=known_host),
)
