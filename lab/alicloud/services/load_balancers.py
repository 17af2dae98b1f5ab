"""What the load balancers of SLB (Classic), ALB and NLB have in common: how one is kept, and the
calls of the two newer families, which differ in little.

No traffic goes through them here: they can be ordered, found and released.
"""

from __future__ import annotations

from lab.alicloud.clock import iso
from lab.alicloud.ids import new_id
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.services.tagging import carries, store_tags, tag_rows, wanted_tags
from lab.alicloud.state import Region
from lab.alicloud.store import Document


def make_balancer(
    region: Region,
    balancer_id: str,
    name: str,
    family: str = "slb",
    address: str = "",
    vpc_id: str = "",
) -> Document:
    """A running load balancer; `family` is slb (Classic), alb or nlb."""
    balancer = {
        "id": balancer_id,
        "name": name,
        "family": family,
        "address": address,
        "vpc_id": vpc_id,
        "created": iso(region.clock.now()),
    }
    region.store.put("load_balancer", balancer_id, {**balancer, "guarded": False})
    return balancer


def tag_balancer(region: Region, balancer_id: str, tags: dict[str, str]) -> None:
    """Tags of a load balancer that the container service ordered."""
    region.store.put("tags", balancer_id, tags)


def forget_balancer(region: Region, balancer_id: str) -> bool:
    """Release it; False when there was none."""
    region.store.delete("tags", balancer_id)
    return region.store.delete("load_balancer", balancer_id)


def find_balancers(
    region: Region, request: Request, family: str, names: list[str], ids: list[str]
) -> list[Document]:
    """The load balancers of a family by name, id and the call's tags; an empty list is no
    condition.
    """
    tags = wanted_tags(request)
    return [
        balancer
        for balancer in region.store.all("load_balancer", family=family)
        if (not names or balancer["name"] in names)
        and (not ids or balancer["id"] in ids)
        and carries(region, balancer["id"], tags)
    ]


def order_balancer(region: Region, request: Request, family: str) -> str:
    """CreateLoadBalancer of ALB and NLB; returns the id."""
    balancer_id = new_id(f"{family}-", 18)
    name, vpc_id = request.params.get("LoadBalancerName", ""), request.params.get("VpcId", "")
    make_balancer(region, balancer_id, name, family, "", vpc_id)
    store_tags(region, balancer_id, request)
    return balancer_id


def list_balancers(region: Region, request: Request, family: str) -> Document:
    """ListLoadBalancers of ALB and NLB: by id, name or tags, in pages."""
    names, ids = (_numbered(request, f"LoadBalancer{what}.") for what in ("Names", "Ids"))
    rows = [
        {
            "LoadBalancerId": balancer["id"],
            "LoadBalancerName": balancer["name"],
            "LoadBalancerStatus": "Active",
            "DNSName": f"{balancer['id']}.{region.name}.{family}.aliyuncsslb.com",
            "VpcId": balancer["vpc_id"],
            "Tags": tag_rows(region, balancer["id"]),
        }
        for balancer in find_balancers(region, request, family, names, ids)
    ]
    first = int(request.params.get("NextToken") or 0)
    size = int(request.params.get("MaxResults") or 20)
    return {
        "LoadBalancers": rows[first : first + size],
        "TotalCount": len(rows),
        "MaxResults": size,
        "NextToken": str(first + size) if first + size < len(rows) else "",
    }


def release_balancer(region: Region, request: Request) -> None:
    """DeleteLoadBalancer of ALB and NLB. Raises ApiError when there is no such load balancer."""
    if not forget_balancer(region, request.need("LoadBalancerId")):
        raise ApiError(
            404,
            "ResourceNotFound.LoadBalancer",
            "The specified resource LoadBalancer is not found.",
        )


def _numbered(request: Request, name: str) -> list[str]:
    return [value for key, value in request.params.items() if key.startswith(name)]
