"""The protocol families of Alibaba Cloud's APIs: RPC, ROA, OSS and SLS, each an object with the
same methods (`base.Family`).

Everything that differs from family to family is in its file, so that nothing else asks which
service a request is for.
"""

from __future__ import annotations

from lab.alicloud.families.base import Family
from lab.alicloud.families.oss import Oss
from lab.alicloud.families.roa import Roa
from lab.alicloud.families.rpc import Rpc
from lab.alicloud.families.sls import Sls
from lab.alicloud.families.unknown import Unknown
from lab.alicloud.protocol import Request

RPC, ROA, SLS, OSS, UNKNOWN = Rpc(), Roa(), Sls(), Oss(), Unknown()
FAMILIES: tuple[Family, ...] = (OSS, SLS, RPC, ROA)
"""In the order in which they are asked whether a request is theirs."""
_OF = {service: family for family in FAMILIES for service in family.services}


def recognise(request: Request) -> Family:
    """The family a request belongs to, by its host, or at an address by what the request carries.

    Fills in the request's `service`, `region` and what its place says (`vars`).
    """
    for family in FAMILIES:
        if family.recognise_host(request):
            return family
    for family in FAMILIES:
        if family.recognise_content(request):
            return family
    request.service = "unknown"
    return UNKNOWN


def family_of(service: str) -> Family:
    """The family of a service, `UNKNOWN` for a name that no family has."""
    return _OF.get(service, UNKNOWN)
