"""IMS: OIDC providers."""

from __future__ import annotations

from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_FINGERPRINT = "902EF2DEEB3C5B13EA4C3D5193629309E231AE55"


def make_provider(
    region: Region,
    name: str,
    issuer: str,
    clients: str,
    fingerprints: str = _FINGERPRINT,
    description: str = "",
) -> Document:
    """Register an OIDC provider; `clients` and `fingerprints` are separated by commas."""
    now = iso(region.clock.now())
    provider = {
        "OIDCProviderName": name,
        "Arn": f"acs:ram::{region.account}:oidc-provider/{name}",
        "IssuerUrl": issuer,
        "ClientIds": clients,
        "Fingerprints": fingerprints,
        "Description": description,
        "IssuanceLimitTime": 12,
        "CreateDate": now,
        "UpdateDate": now,
        "GmtCreate": "1",
        "GmtModified": "1",
    }
    region.store.put("oidc_provider", name, provider)
    return provider


def _provider(region: Region, request: Request) -> Document:
    name = request.need("OIDCProviderName")
    provider = region.store.get("oidc_provider", name)
    if provider is None:
        raise ApiError(
            404, "EntityNotExist.OIDCProvider", f"The OIDC provider does not exist: {name}."
        )
    return provider


@rpc("ims", "CreateOIDCProvider")
def create(region: Region, request: Request) -> Answer:
    """A new provider; its name is free and its issuer speaks HTTPS."""
    name, issuer = request.need("OIDCProviderName"), request.need("IssuerUrl")
    if region.store.get("oidc_provider", name):
        raise ApiError(
            409, "EntityAlreadyExists.OIDCProvider", f"The OIDC provider already exists: {name}."
        )
    if not issuer.startswith("https://"):
        raise ApiError(
            400, "InvalidParameter.IssuerUrl", "The parameter IssuerUrl must start with https."
        )
    values = request.params
    provider = make_provider(
        region,
        name,
        issuer,
        values.get("ClientIds", ""),
        values.get("Fingerprints", ""),
        values.get("Description", ""),
    )
    if values.get("IssuanceLimitTime"):
        provider["IssuanceLimitTime"] = int(values["IssuanceLimitTime"])
        region.store.put("oidc_provider", name, provider)
    return {"OIDCProvider": provider}


@rpc("ims", "GetOIDCProvider")
def get(region: Region, request: Request) -> Answer:
    """One OIDC provider, by name."""
    return {"OIDCProvider": _provider(region, request)}


@rpc("ims", "ListOIDCProviders")
def list_providers(region: Region, request: Request) -> Answer:
    """All providers by name, in pages."""
    fields = ("OIDCProviderName", "Arn", "IssuerUrl", "ClientIds", "Fingerprints")
    rows = [
        {f: p[f] for f in fields}
        for p in sorted(region.store.all("oidc_provider"), key=lambda p: p["OIDCProviderName"])
    ]
    start, size = int(request.params.get("Marker") or 0), int(request.params.get("MaxItems") or 100)
    more = {"Marker": str(start + size)} if len(rows) > start + size else {}
    return {
        "IsTruncated": bool(more),
        **more,
        "OIDCProviders": {"OIDCProvider": rows[start : start + size]},
    }


@rpc("ims", "UpdateOIDCProvider")
def update(region: Region, request: Request) -> Answer:
    """New description, clients or issuance limit."""
    provider = _provider(region, request)
    for parameter, fieldname in (
        ("NewDescription", "Description"),
        ("ClientIds", "ClientIds"),
        ("IssuanceLimitTime", "IssuanceLimitTime"),
    ):
        if parameter in request.params:
            value = request.params[parameter]
            provider[fieldname] = int(value) if fieldname == "IssuanceLimitTime" else value
    return _changed(region, provider)


def _changed(region: Region, provider: Document) -> Answer:
    provider["UpdateDate"] = iso(region.clock.now())
    region.store.put("oidc_provider", provider["OIDCProviderName"], provider)
    return {"OIDCProvider": provider}


def _edit(region: Region, request: Request, fieldname: str, value: str, *, add: bool) -> Answer:
    provider = _provider(region, request)
    values = [v for v in provider[fieldname].split(",") if v and v != value]
    provider[fieldname] = ",".join([*values, value] if add else values)
    return _changed(region, provider)


@rpc("ims", "AddClientIdToOIDCProvider")
def add_client(region: Region, request: Request) -> Answer:
    """One more client id."""
    return _edit(region, request, "ClientIds", request.need("ClientId"), add=True)


@rpc("ims", "RemoveClientIdFromOIDCProvider")
def remove_client(region: Region, request: Request) -> Answer:
    """One client id less."""
    return _edit(region, request, "ClientIds", request.need("ClientId"), add=False)


@rpc("ims", "AddFingerprintToOIDCProvider")
def add_fingerprint(region: Region, request: Request) -> Answer:
    """Add one fingerprint of the issuer's certificate."""
    return _edit(region, request, "Fingerprints", request.need("Fingerprint"), add=True)


@rpc("ims", "RemoveFingerprintFromOIDCProvider")
def remove_fingerprint(region: Region, request: Request) -> Answer:
    """Remove one fingerprint of the issuer's certificate."""
    return _edit(region, request, "Fingerprints", request.need("Fingerprint"), add=False)


@rpc("ims", "DeleteOIDCProvider")
def delete(region: Region, request: Request) -> Answer:
    """Remove an OIDC provider."""
    region.store.delete("oidc_provider", _provider(region, request)["OIDCProviderName"])
    return {}
