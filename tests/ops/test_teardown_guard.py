"""The guard: other credentials, another region, a cluster that is gone or does not answer, nobody
there to confirm.
"""

from __future__ import annotations

import io
from typing import Any

import pytest

from ops.cloud.client import Cloud, patiently
from ops.cloud.cluster_reader import ClusterError, ClusterReader
from ops.cloud.credentials import Credentials, find_credentials
from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown import guard
from ops.teardown.guard import RefusedError

ACCOUNT, OTHER, CLUSTER = "1234567890123456", "6543210987654321", "c" + "1" * 32
PLACE = StackLocation(
    "dev", accounts=frozenset({ACCOUNT}), regions=frozenset({"cn-shanghai"}), cluster=CLUSTER
)


class FakeCloud(Cloud):
    """Answers without a network."""

    def __init__(
        self,
        account: str = ACCOUNT,
        cluster_region: str = "cn-shanghai",
        failing: CloudError | None = None,
    ) -> None:
        super().__init__("cn-shanghai", Credentials("k", "s"))
        self._account, self._cluster_region, self._failing = account, cluster_region, failing

    def rpc(self, product: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Who am I."""
        if self._failing:
            raise self._failing
        assert (product, action) == ("sts", "GetCallerIdentity")
        return {"AccountId": self._account}

    def cs(self, path: str, **query: Any) -> Any:
        """One cluster."""
        return {"region_id": self._cluster_region}


def answering() -> ClusterReader:
    """A cluster that answers; nothing is asked of it here."""
    return ClusterReader.__new__(ClusterReader)


def test_the_right_account_and_cluster_pass() -> None:
    guard.check_account(PLACE, FakeCloud())
    guard.check_cluster(PLACE, FakeCloud(), answering(), False)


def test_credentials_of_another_account_are_refused_with_both_named() -> None:
    with pytest.raises(
        RefusedError,
        match=rf"(?s)belong to {OTHER}, stack dev to {ACCOUNT}.*forget.*remedy: use credentials of account {ACCOUNT}",
    ):
        guard.check_account(PLACE, FakeCloud(OTHER))


def test_credentials_that_nobody_knows_are_refused() -> None:
    with pytest.raises(
        RefusedError, match=r"(?s)account is not known.*InvalidAccessKeyId.*ALICLOUD_ACCESS_KEY"
    ):
        guard.check_account(
            PLACE,
            FakeCloud(
                failing=CloudError("sts GetCallerIdentity", "InvalidAccessKeyId.NotFound", "x", 404)
            ),
        )


def test_records_that_name_two_accounts_are_refused() -> None:
    with pytest.raises(RefusedError, match=f"{ACCOUNT} and {OTHER}"):
        guard.check_account(StackLocation("dev", accounts=frozenset({OTHER, ACCOUNT})), FakeCloud())


def test_the_region_is_that_of_the_records() -> None:
    assert (
        guard.region_of(PLACE, {})
        == guard.region_of(PLACE, {"ALICLOUD_REGION": "cn-shanghai"})
        == "cn-shanghai"
    )
    assert (
        guard.region_of(StackLocation("dev"), {"ALIBABA_CLOUD_REGION": "cn-beijing"})
        == "cn-beijing"
    )


@pytest.mark.parametrize(
    ("regions", "environment", "message"),
    [
        (
            {"cn-shanghai"},
            {"ALICLOUD_REGION": "cn-beijing"},
            "(?s)environment says cn-beijing, stack dev is in cn-shanghai.*remedy",
        ),
        (
            {"cn-shanghai", "cn-beijing"},
            {},
            "(?s)cn-beijing and cn-shanghai.*alicloud:region in Pulumi.dev.yaml",
        ),
        (set(), {}, "(?s)name one.*ALICLOUD_REGION"),
    ],
)
def test_a_region_that_is_not_the_stack_s_is_refused(
    regions: set[str], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(RefusedError, match=message):
        guard.region_of(StackLocation("dev", regions=frozenset(regions)), environment)


def test_a_cluster_in_another_region_is_refused() -> None:
    with pytest.raises(RefusedError, match="is in region cn-beijing, stack dev in cn-shanghai"):
        guard.check_cluster(PLACE, FakeCloud(cluster_region="cn-beijing"), answering(), False)


def test_a_cluster_that_does_not_answer_needs_the_flag_and_the_message_names_it() -> None:
    silent = ClusterError("/version: ConnectTimeoutError")
    with pytest.raises(
        RefusedError,
        match=r"(?s)does not answer: /version: ConnectTimeoutError.*Nothing was touched.*--cluster-gone",
    ):
        guard.check_cluster(PLACE, FakeCloud(), silent, False)
    guard.check_cluster(PLACE, FakeCloud(), silent, True)


def test_a_cluster_that_is_gone_needs_the_flag_too() -> None:
    with pytest.raises(
        RefusedError, match=f"(?s)account {ACCOUNT} has none in region cn-shanghai.*--cluster-gone"
    ):
        guard.check_cluster(PLACE, FakeCloud(), ClusterError("404", gone=True), False)


def test_a_missing_cluster_is_not_believed_when_nothing_names_the_account() -> None:
    with pytest.raises(
        RefusedError, match=r"(?s)nothing recorded names the stack's account.*accountId"
    ):
        guard.check_cluster(
            StackLocation("dev", cluster=CLUSTER), FakeCloud(), ClusterError("404", gone=True), True
        )


def test_a_cluster_that_answers_is_not_gone() -> None:
    with pytest.raises(
        RefusedError, match=r"(?s)--cluster-gone, but .* answers.*instead of deleted"
    ):
        guard.check_cluster(PLACE, FakeCloud(), answering(), True)


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize(("typed", "protected"), [("dev", True), ("y", False), ("YES", False)])
def test_a_confirmation_that_fits_lets_it_go_on(
    typed: str, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    guard.confirm("dev", "", protected=protected, quiet=False)


@pytest.mark.parametrize(
    ("typed", "protected"), [("y", True), ("prod", True), ("n", False), ("", False), ("dev", False)]
)
def test_any_other_answer_stops_it(
    typed: str, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    with pytest.raises(RefusedError, match="Nothing was touched"):
        guard.confirm("dev", "", protected=protected, quiet=False)


def test_without_a_terminal_the_name_has_to_come_along() -> None:
    with pytest.raises(RefusedError, match="CONFIRM=dev"):
        guard.confirm("dev", "", protected=False, quiet=False)
    with pytest.raises(RefusedError, match="--confirm prod: expected dev"):
        guard.check_confirmation("dev", "prod")
    guard.check_confirmation("dev", "dev")
    guard.confirm("dev", "dev", protected=True, quiet=False)


def test_the_lab_s_own_stack_is_not_asked_about_unless_it_is_protected() -> None:
    guard.confirm("local", "", protected=False, quiet=True)
    with pytest.raises(RefusedError):
        guard.confirm("local", "", protected=True, quiet=True)


def test_credentials_come_under_the_provider_s_names_or_alibaba_s() -> None:
    assert find_credentials(
        {}, {"ALICLOUD_ACCESS_KEY": "a", "ALICLOUD_SECRET_KEY": "b"}
    ) == Credentials("a", "b")
    theirs = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "a",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "b",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "c",
    }
    assert find_credentials({}, theirs) == Credentials("a", "b", "c")


def test_only_what_may_pass_is_asked_again() -> None:
    pauses: list[float] = []
    answers = [
        CloudError("x", "", "reset"),
        CloudError("x", "Throttling.User", "slow down", 400),
        CloudError("x", "Internal", "", 503),
    ]

    def call() -> str:
        if answers:
            raise answers.pop(0)
        return "there"

    assert (
        patiently(call, pauses.append) == "there" and len(pauses) == 3 and pauses == sorted(pauses)
    )
    refused = [CloudError("x", "Forbidden.RAM", "no", 403), CloudError("x", "y", "never", 404)]
    with pytest.raises(CloudError, match="Forbidden"):
        patiently(lambda: (_ for _ in ()).throw(refused.pop(0)), pauses.append)
    assert len(pauses) == 3 and len(refused) == 1
