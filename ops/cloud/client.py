"""Asks Alibaba Cloud, and only asks: every call here reads. The official OpenAPI client, with the
credentials of the environment.

The client is the base of all of Alibaba's product packages; with action and version written out it
speaks to any product, so that eight products don't need eight more packages.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
VERSIONS = {
    "sts": "2015-04-01",
    "ram": "2015-05-01",
    "ims": "2019-08-15",
    "location": "2015-06-12",
    "cs": "2015-12-15",
    "ecs": "2014-05-26",
    "ess": "2014-08-28",
    "vpc": "2016-04-28",
    "slb": "2014-05-15",
    "alb": "2020-06-16",
    "nlb": "2022-04-30",
}
CENTRAL = {
    "ram": "ram.aliyuncs.com",
    "ims": "ims.aliyuncs.com",
    "location": "location.aliyuncs.com",
}
DISCOVERED = ("ecs", "ess", "vpc", "slb", "alb", "nlb")
"""Products whose host differs from region to region; the location service tells it."""
ATTEMPTS, PAGE = 5, 50
CONNECT_MS, READ_MS = 5_000, 20_000
NOT_IN_USE = ("NotOpen", "NotActivated", "NotEnabled")
"""Endings of error codes by which a product says that the account has never used it."""


class CloudError(Exception):
    """The cloud refused, or did not answer; `code` is its own word for why, "" when there was no
    answer.
    """

    def __init__(self, call: str, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{call}: {code + ': ' if code else ''}{message}")
        self.code, self.status = code, status

    @property
    def passing(self) -> bool:
        """Whether asking again may help."""
        return (
            not self.code
            or (self.status >= 500 and self.status != 501)
            or "Throttling" in self.code
        )


@dataclass(frozen=True)
class Credentials:
    """An access key, with a token when it is a temporary one."""

    key: str
    secret: str
    token: str = ""


def credentials(environ: Mapping[str, str] = os.environ) -> Credentials:
    """Those of the environment, under the provider's names or Alibaba's; else the first of
    Alibaba's default chain.
    """
    for key, secret, token in (
        ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"),
        (
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        ),
    ):
        if environ.get(key) and environ.get(secret):
            return Credentials(environ[key], environ[secret], environ.get(token, ""))
    from alibabacloud_credentials.client import Client

    try:
        found = Client().get_credential()
    except Exception as error:
        raise CloudError(
            "credentials",
            "none",
            f"set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, or a profile ({error})",
        ) from None
    return Credentials(
        found.access_key_id or "", found.access_key_secret or "", found.security_token or ""
    )


class Cloud:
    """One region of one account."""

    def __init__(self, region: str, own: Credentials) -> None:
        self.region, self.credentials = region, own
        self._clients: dict[str, Any] = {}

    @functools.cached_property
    def account(self) -> str:
        """Whose credentials these are. Raises CloudError."""
        return str(self.rpc("sts", "GetCallerIdentity")["AccountId"])

    def rpc(self, product: str, action: str, **parameters: Any) -> dict[str, Any]:
        """One call with an action. Raises CloudError."""
        return patiently(lambda: self._call(product, action, "RPC", "POST", "/", parameters))

    def cs(self, path: str, **query: Any) -> Any:
        """One reading call of the container service. Raises CloudError."""
        return patiently(lambda: self._call("cs", path, "ROA", "GET", path, query))

    def clusters(self) -> list[dict[str, Any]]:
        """All clusters of the account in this region."""
        found: list[dict[str, Any]] = []
        while True:
            rows = (
                self.cs("/api/v1/clusters", page_size=PAGE, page_number=len(found) // PAGE + 1).get(
                    "clusters"
                )
                or []
            )
            found += rows
            if len(rows) < PAGE:
                return [row for row in found if row.get("region_id") in (None, self.region)]

    def pages(
        self, product: str, action: str, outer: str, inner: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """All rows of a list that counts pages: `{outer: {inner: [...]}, TotalCount}`."""
        number, seen = 1, 0
        while True:
            body = self.rpc(
                product,
                action,
                RegionId=self.region,
                PageNumber=number,
                PageSize=PAGE,
                **parameters,
            )
            rows = (body.get(outer) or {}).get(inner) or []
            yield from rows
            seen += len(rows)
            if not rows or seen >= int(body.get("TotalCount") or 0):
                return
            number += 1

    def tokens(
        self, product: str, action: str, outer: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """All rows of a list that goes on by token; nothing for a product the account has never
        used.
        """
        token = ""
        while True:
            try:
                body = self.rpc(
                    product,
                    action,
                    RegionId=self.region,
                    MaxResults=PAGE,
                    **parameters,
                    **({"NextToken": token} if token else {}),
                )
            except CloudError as error:
                if error.code.endswith(NOT_IN_USE):
                    return
                raise
            rows = body.get(outer) or []
            yield from (
                rows.get(outer.removesuffix("s")) or [] if isinstance(rows, Mapping) else rows
            )
            token = body.get("NextToken") or ""
            if not token:
                return

    def host(self, product: str) -> str:
        """Where the product answers in this region: as the location service says, else by the
        pattern all clients fall back to.
        """
        if product in CENTRAL:
            return CENTRAL[product]
        if product in DISCOVERED:
            body = self.rpc(
                "location", "DescribeEndpoints", ServiceCode=product, Id=self.region, Type="openAPI"
            )
            found = (body.get("Endpoints") or {}).get("Endpoint") or []
            if found:
                return found[0]["Endpoint"]
        return f"{product}.{self.region}.aliyuncs.com"

    def _client(self, product: str) -> Any:
        if product not in self._clients:
            from alibabacloud_tea_openapi.client import Client

            self._clients[product] = Client(self.config(self.host(product)))
        return self._clients[product]

    def config(self, host: str) -> Any:
        """For a client of the official packages."""
        from alibabacloud_tea_openapi.models import Config

        own = self.credentials
        return Config(
            access_key_id=own.key, access_key_secret=own.secret, security_token=own.token, region_id=self.region, endpoint=host,
            connect_timeout=CONNECT_MS, read_timeout=READ_MS,
        )  # fmt: skip

    def _call(
        self, product: str, name: str, style: str, method: str, path: str, query: Mapping[str, Any]
    ) -> Any:
        from alibabacloud_tea_openapi.models import OpenApiRequest, Params

        roa = style == "ROA"
        params = Params(
            action="" if roa else name, version=VERSIONS[product], protocol="HTTPS", pathname=path, method=method, auth_type="AK",
            style=style, req_body_type="json" if roa else "formData", body_type="json",
        )  # fmt: skip
        request = OpenApiRequest(
            query={key: str(value) for key, value in query.items()}, headers={}
        )
        with explained(f"{product} {name}"):
            return self._client(product).call_api(params, request, runtime())["body"]


def runtime() -> Any:
    """Options of one call: bounded, and repeated only by `patiently`."""
    from darabonba.runtime import RuntimeOptions

    return RuntimeOptions(autoretry=False, connect_timeout=CONNECT_MS, read_timeout=READ_MS)


class explained:
    """Whatever a client raises, as a CloudError that names the call."""

    def __init__(self, call: str) -> None:
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None or isinstance(error, CloudError) or not isinstance(error, Exception):
            return False
        code = str(getattr(error, "code", "") or "")
        status = int(
            getattr(error, "status_code", 0)
            or getattr(error, "statusCode", 0)
            or getattr(error, "status", 0)
            or 0
        )
        text = str(getattr(error, "message", "") or error)
        raise CloudError(self._call, code if status > 0 else "", text, status) from None


def patiently(call: Callable[[], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Asks again, waiting longer each time, while asking again may help. Raises CloudError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except CloudError as error:
            if not error.passing or attempt == ATTEMPTS:
                raise
            pause(0.3 * 2**attempt)
    raise AssertionError("unreachable")


def tag_filter(tags: Mapping[str, str]) -> dict[str, str]:
    """Parameters by which a list is narrowed to what carries these tags."""
    pairs = list(enumerate(tags.items(), 1))
    return {f"Tag.{n}.Key": key for n, (key, _) in pairs} | {
        f"Tag.{n}.Value": value for n, (_, value) in pairs
    }


def tags_of(row: Mapping[str, Any]) -> dict[str, str]:
    """A row's tags, however its product writes them."""
    held = row.get("Tags") or row.get("tags") or []
    rows = held.get("Tag") or [] if isinstance(held, Mapping) else held
    names = (("TagKey", "TagValue"), ("Key", "Value"), ("key", "value"))
    found = {}
    for one in rows:
        key, value = next(((k, v) for k, v in names if k in one), ("Key", "Value"))
        found[str(one.get(key, ""))] = str(one.get(value, ""))
    return found


def carries(row: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Whether a row has all of these tags: a product may not know the filter."""
    held = tags_of(row)
    return all(held.get(key) == value for key, value in tags.items())
