"""VPC: vSwitches, and the addresses they give."""

from __future__ import annotations

from ipaddress import IPv4Address

from lab.alicloud.clock import iso
from lab.alicloud.documents import Instance, all_instances
from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.regions import zones
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import store_tags, tag_rows
from lab.alicloud.services.vpc.networks import network, vpc_of
from lab.alicloud.state import Region
from lab.alicloud.store import Document

FIRST_HOST = 10  # the first addresses of a block are the cloud's own


def make_vswitch(
    region: Region,
    vswitch_id: str,
    name: str,
    vpc_id: str,
    zone: str,
    cidr: str,
    status: str = "Available",
) -> Document:
    """Create a vSwitch in a zone of a VPC."""
    vswitch = {
        "VSwitchId": vswitch_id,
        "VpcId": vpc_id,
        "CidrBlock": cidr,
        "ZoneId": zone,
        "VSwitchName": name,
        "Description": "",
        "Status": status,
        "IsDefault": False,
        "CreationTime": iso(region.clock.now()),
        "Ipv6CidrBlock": "",
    }
    region.store.put("vswitch", vswitch_id, vswitch)
    return vswitch


def vswitch_of(region: Region, vswitch_id: str) -> Document:
    """A vSwitch, or the service's error."""
    vswitch = region.store.get("vswitch", vswitch_id)
    if vswitch is None:
        raise ApiError(404, "InvalidVSwitchId.NotFound", "Specified vswitch does not exist.")
    return vswitch


def free_address(region: Region, vswitch: Document) -> str:
    """An address of the block that no living instance has."""
    used = {i["private_ip"] for i in all_instances(region) if i["status"] != "Deleted"}
    for number, address in enumerate(network(vswitch["CidrBlock"]).hosts(), 1):
        if number >= FIRST_HOST and str(address) not in used:
            return str(address)
    raise ApiError(
        400,
        "QuotaExceeded.PrivateIpAddress",
        f"vSwitch {vswitch['VSwitchId']} has no free private IP address.",
    )


def wanted_address(region: Region, vswitch: Document, text: str) -> str:
    """The address that a request asks for, if it may have it."""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise ApiError(
            400,
            "InvalidPrivateIpAddress.Malformed",
            f"Specified private IP address is malformed: {text!r}.",
        ) from None
    block = network(vswitch["CidrBlock"])
    own = {
        block.network_address,
        block[1],
        block[2],
        block[3],
        *(block[-number] for number in (1, 2, 3, 4)),
    }
    if address not in block or address in own:
        reason = f"Specified private IP address is not in the CIDR block of virtual switch: {address} ({block})."
        raise ApiError(400, "InvalidPrivateIpAddress", reason)
    if any(i["private_ip"] == text for i in _holders(region, vswitch)):
        raise ApiError(
            400,
            "InvalidPrivateIpAddress.Duplicated",
            f"Specified private IP address is duplicated: {address}.",
        )
    return text


def _holders(region: Region, vswitch: Document) -> list[Instance]:
    """Instances that still hold an address in the vSwitch's network."""
    switches = {one["VSwitchId"] for one in region.store.all("vswitch", VpcId=vswitch["VpcId"])}
    return [
        i for i in all_instances(region) if i["status"] != "Deleted" and i["vswitch_id"] in switches
    ]


@rpc("vpc", "CreateVSwitch")
def create(region: Region, request: Request) -> Answer:
    """A new vSwitch; its block lies in the network's and overlaps no other."""
    vpc = vpc_of(region, request.need("VpcId"))
    token = request.params.get("ClientToken", "")
    for vswitch in region.store.all("vswitch", ClientToken=token) if token else []:
        return {"VSwitchId": vswitch["VSwitchId"]}
    if (zone := request.need("ZoneId")) not in zones(region.name):
        raise ApiError(
            404,
            "InvalidZoneId.NotFound",
            f"Specified zone {zone} does not exist in region {region.name}.",
        )
    block = network(request.need("CidrBlock"))
    if not block.subnet_of(network(vpc["CidrBlock"])):
        raise ApiError(
            400,
            "InvalidCidrBlock.NotInVpc",
            f"The specified CIDR block {block} does not lie in the VPC's {vpc['CidrBlock']}.",
        )
    for other in region.store.all("vswitch", VpcId=vpc["VpcId"]):
        if block.overlaps(network(other["CidrBlock"])):
            raise ApiError(
                400,
                "InvalidCidrBlock.Overlapped",
                f"Specified CIDR block overlapped with {other['VSwitchId']}.",
            )
    made = make_vswitch(
        region,
        new_id("vsw-"),
        request.params.get("VSwitchName", ""),
        vpc["VpcId"],
        zone,
        str(block),
        "Pending",
    )
    made.update(ClientToken=token, Description=request.params.get("Description", ""))
    region.store.put("vswitch", made["VSwitchId"], made)
    store_tags(region, made["VSwitchId"], request)
    # clients read a vSwitch at once and only once: it is available as soon as it is known
    region.store.put("vswitch", made["VSwitchId"], {**made, "Status": "Available"})
    return {"VSwitchId": made["VSwitchId"]}


@rpc("vpc", "DescribeVSwitchAttributes")
def describe(region: Region, request: Request) -> Answer:
    """One vSwitch, with its tags."""
    vswitch = vswitch_of(region, request.need("VSwitchId"))
    shown = {k: v for k, v in vswitch.items() if k != "ClientToken"}
    return {**shown, "Tags": {"Tag": tag_rows(region, vswitch["VSwitchId"])}}


@rpc("vpc", "DescribeVSwitches")
def describe_all(region: Region, request: Request) -> Answer:
    """The vSwitches of a network or zone, or by id or name."""
    rows = []
    for vswitch in region.store.all("vswitch"):
        if all(
            request.params.get(n) in (None, "", vswitch[n])
            for n in ("VpcId", "ZoneId", "VSwitchId", "VSwitchName")
        ):
            shown = {k: v for k, v in vswitch.items() if k != "ClientToken"}
            free = network(vswitch["CidrBlock"]).num_addresses - FIRST_HOST
            rows.append(
                {
                    **shown,
                    "AvailableIpAddressCount": free,
                    "Tags": {"Tag": tag_rows(region, vswitch["VSwitchId"])},
                }
            )
    return {
        "VSwitches": {"VSwitch": rows},
        "TotalCount": len(rows),
        "PageNumber": 1,
        "PageSize": 50,
    }


@rpc("vpc", "ModifyVSwitchAttribute")
def modify(region: Region, request: Request) -> Answer:
    """New name or description."""
    vswitch = vswitch_of(region, request.need("VSwitchId"))
    for parameter in ("VSwitchName", "Description"):
        if parameter in request.params:
            vswitch[parameter] = request.params[parameter]
    region.store.put("vswitch", vswitch["VSwitchId"], vswitch)
    return {}


@rpc("vpc", "DeleteVSwitch")
def delete(region: Region, request: Request) -> Answer:
    """Remove a vSwitch nothing uses."""
    vswitch_id = vswitch_of(region, request.need("VSwitchId"))["VSwitchId"]
    if any(
        i["vswitch_id"] == vswitch_id and i["status"] != "Deleted" for i in all_instances(region)
    ):
        raise ApiError(
            400, "DependencyViolation", "Specified object has dependent resources: ECS instances."
        )
    if any(vswitch_id in c["vswitch_ids"] for c in region.store.all("cluster")):
        raise ApiError(
            400, "DependencyViolation", "Specified object has dependent resources: an ACK cluster."
        )
    region.store.delete("vswitch", vswitch_id)
    region.store.delete("tags", vswitch_id)
    return {}
