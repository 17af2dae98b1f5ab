"""The one client by which the commands ask Alibaba Cloud: its official OpenAPI client, with the
credentials of the one chain (ops/cloud/credentials.py).

The OpenAPI client is the base of all of Alibaba's product packages; with action and version written
out it speaks to any product, so that eight products don't need eight more packages, each of which
takes longer to load.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ops.cloud.credentials import VARIABLES, CredentialsProvider, find_credentials, setting
from ops.cloud.errors import CloudError, NotConfiguredError, explained

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
ACK_TAG = "ack.aliyun.com"
"""What ACK, its scaler and its controllers put on everything they order: the cluster's id."""
ATTEMPTS, PAGE = 5, 50
CONNECT_MS, READ_MS = 5_000, 20_000
# SLOW_IMPORT: the client takes 0.65 s of processor time to load, oss2 0.3 s; every command
# imports this module, and most of them ask nothing.
NOT_IN_USE = ("NotOpen", "NotActivated", "NotEnabled")
"""Endings of error codes by which a product says that the account has never used it."""


class Cloud:
    """One region of one account.

    `attempts`: how often a call that only reads is made until one is answered; a caller that asks
    again anyway says 1.
    """

    def __init__(
        self, region: str, credentials: CredentialsProvider, attempts: int = ATTEMPTS
    ) -> None:
        self.region, self.credentials, self._attempts = region, credentials, attempts
        self._clients: dict[str, Any] = {}

    @classmethod
    def of_provider(
        cls,
        config: Mapping[str, Any],
        environ: Mapping[str, str] = os.environ,
        attempts: int = ATTEMPTS,
    ) -> Cloud:
        """The region and the account in which the alicloud provider with this configuration works
        (see find_credentials). Raises NotConfiguredError.
        """
        region = setting("region", config, environ)
        if not region:
            raise NotConfiguredError(
                "region",
                f"none of alicloud:region, {', '.join(VARIABLES['region'])} is set; expected a region such as cn-shanghai. "
                "Without it no service's address is known. Set alicloud:region in the stack's file",
            )
        return cls(region, find_credentials(config, environ), attempts)

    @functools.cached_property
    def account(self) -> str:
        """Whose credentials these are. Raises CloudError."""
        return str(self.rpc("sts", "GetCallerIdentity")["AccountId"])

    def rpc(self, product: str, action: str, **parameters: Any) -> dict[str, Any]:
        """One call with an action. Raises CloudError."""
        return self._patiently(lambda: self._call(product, action, "RPC", "POST", "/", parameters))

    def cs(self, path: str, **query: Any) -> Any:
        """One reading call of the container service (CS). Raises CloudError."""
        return self._patiently(lambda: self._call("cs", path, "ROA", "GET", path, query))

    def write_cs(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One writing call of the container service, sent once: an order whose answer is lost may
        have been carried out. Raises CloudError.
        """
        return self._call("cs", f"{method} {path}", "ROA", method, path, query, body)

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, attempts=self._attempts)

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
            from alibabacloud_tea_openapi.client import Client  # noqa: PLC0415 - SLOW_IMPORT

            self._clients[product] = Client(self.config(self.host(product)))
        return self._clients[product]

    def config(self, host: str) -> Any:
        """Configuration of a client of the official packages (alibabacloud_*) for this host."""
        from alibabacloud_credentials.client import Client  # noqa: PLC0415 - SLOW_IMPORT
        from alibabacloud_tea_openapi.models import Config  # noqa: PLC0415 - SLOW_IMPORT

        provider: Any = self.credentials  # the package's own interface is a class, not a protocol
        return Config(
            credential=Client(provider=provider), region_id=self.region, endpoint=host,
            connect_timeout=CONNECT_MS, read_timeout=READ_MS,
        )  # fmt: skip

    def bucket(self, name: str) -> Any:
        """The oss2 client of one bucket of this region."""
        import oss2  # noqa: PLC0415 - SLOW_IMPORT

        return oss2.Bucket(*self._object_storage(oss2), name, region=self.region, connect_timeout=CONNECT_MS / 1000)  # fmt: skip

    def bucket_service(self) -> Any:
        """The oss2 client of the region's object storage, which lists buckets."""
        import oss2  # noqa: PLC0415 - SLOW_IMPORT

        return oss2.Service(*self._object_storage(oss2), region=self.region, connect_timeout=CONNECT_MS / 1000)  # fmt: skip

    def object_storage(self, call: str, ask: Callable[[], T]) -> T:
        """The answer of a reading call to object storage. Raises CloudError that names the call."""

        def once() -> T:
            with explained(f"oss {call}"):
                return ask()

        return self._patiently(once)

    def _object_storage(self, oss2: Any) -> tuple[Any, str]:
        """(who signs, the address) of object storage."""
        return oss2.ProviderAuthV4(self.credentials), f"https://oss-{self.region}.aliyuncs.com"

    def _call(
        self,
        product: str,
        name: str,
        style: str,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any = None,
    ) -> Any:
        from alibabacloud_tea_openapi.models import OpenApiRequest, Params  # noqa: PLC0415 - SLOW_IMPORT

        roa = style == "ROA"
        params = Params(
            action="" if roa else name, version=VERSIONS[product], protocol="HTTPS", pathname=path, method=method, auth_type="AK",
            style=style, req_body_type="json" if roa else "formData", body_type="json",
        )  # fmt: skip
        request = OpenApiRequest(
            query={key: str(value) for key, value in query.items()}, headers={}, body=body
        )
        with explained(f"{product} {name}"):
            return self._client(product).call_api(params, request, runtime())["body"]


def runtime() -> Any:
    """Options of one call: bounded, and repeated only by `patiently`."""
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - SLOW_IMPORT

    return RuntimeOptions(autoretry=False, connect_timeout=CONNECT_MS, read_timeout=READ_MS)


def patiently(
    call: Callable[[], T],
    pause: Callable[[float], None] = time.sleep,
    attempts: int = ATTEMPTS,
) -> T:
    """Asks again, waiting longer each time, while asking again may help. Raises CloudError."""
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except CloudError as error:
            if not error.passing or attempt == attempts:
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
