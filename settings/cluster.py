"""Settings of the cluster: which one, or what it is made of."""

from settings.core.field import Group, Text, setting
from settings.creation import Create


class Cluster(Group):
    """The ACK cluster to deploy to: an existing one (`id`), or one the stack makes (`create`)."""

    id: str = setting(
        "",
        "Id of an existing managed ACK cluster with RRSA on. Unset with create.",
        pattern=r"^c[0-9a-z]{32}$",
        expected="the 33 characters ACK shows as Cluster ID, starting with c",
        otherwise="there is no cluster to deploy to, and the log project k8s-log-<cluster id> can't be named",
        example="c210fbedb96674b9eaf15f2dc47d169a8",
    )
    account_id: Text | None = setting(
        None,
        "Account that must own everything. When set, credentials of another account stop the run before anything changes.",
        pattern=r"^[0-9]{16}$",
        expected="a 16-digit account id",
        otherwise="a key of another account makes existing node pools look deleted, and the next run orders them a second time",
        example="1234567890123456",
    )
    credential_minutes: int | None = setting(
        None,
        "Life of the kubeconfig asked for. Unset: the cluster's standing one, the same at each preview.",
        ge=15,
        le=4320,
        expected="15 to 4320 minutes",
        otherwise="ACK refuses to issue the kubeconfig",
        example="60",
    )
    create: Create | None = setting(
        None,
        "Make the cluster, its network, its system nodes and its add-ons. The stack then owns them; leaving it out later deletes them.",
        expected="an object with at least vswitches",
        otherwise="there is no cluster to deploy to",
        example="…",
    )
