"""Which address of the API server a kubeconfig names. ACK hands out the one with the public address
to the provider's lookup, which can't ask for the other.
"""

import urllib.parse

import pulumi
import yaml

REMEDY = (
    "  remedy: run where the VPC can be reached (a runner in it, a VPN) and say so: "
    "pulumi config set --path 'elastic-inference:cluster.apiEndpoint' private; or give the cluster a public endpoint "
    "(ACK console: Cluster Information > Bind EIP); or set the secret kubeconfig"
)


def with_server(kubeconfig: str, server: str) -> str:
    """The kubeconfig with this address of the API server, whose certificate is valid for all of the
    cluster's addresses.
    """
    document = yaml.safe_load(kubeconfig)
    for row in document["clusters"]:
        row["cluster"]["server"] = server
    return yaml.safe_dump(document, sort_keys=False)


def with_private_server(cluster: str, kubeconfig: str, server: str | None) -> str:
    """The kubeconfig with the API server's address in the VPC. Raises pulumi.RunError when there is
    none.
    """
    if not server:
        raise no_endpoint(cluster, "private")
    return with_server(kubeconfig, server)


def with_public_server(cluster: str, kubeconfig: str) -> str:
    """The kubeconfig as it is. Raises pulumi.RunError when it names no address: the cluster has no
    public endpoint.
    """
    document = yaml.safe_load(kubeconfig)
    rows = (document.get("clusters") or []) if isinstance(document, dict) else []
    servers = [str((row.get("cluster") or {}).get("server") or "") for row in rows]
    if not all(urllib.parse.urlsplit(server).hostname for server in servers):
        raise no_endpoint(cluster, "public")
    return kubeconfig


def no_endpoint(cluster: str, which: str) -> pulumi.RunError:
    """What a cluster without this endpoint ends the run with."""
    return pulumi.RunError(
        f"cluster {cluster} has no {which} endpoint of its API server.\n"
        f"  expected: a cluster whose API server answers at a {which} address (cluster.apiEndpoint)\n"
        "  otherwise: nothing in the cluster can be read or made, and what is outside of it would be made and paid for in vain\n"
        + REMEDY
    )
