"""Group `mix`: how the pay-as-you-go share of the pool is restored over time."""

from settings.core.field import Group, setting


class MixSettings(Group):
    """The pool's pay-as-you-go share over time: surplus pay-as-you-go nodes are replaced by
    preemptible ones.
    """

    enabled: bool = setting(
        True,
        "Replace surplus pay-as-you-go nodes, and let the HPA remove pods so that nodePool.onDemandPercent is kept.",
        expected="true or false",
        consequence="pay-as-you-go nodes ordered while preemptible ones were out of stock stay indefinitely",
        example="true",
    )
    points: int = setting(
        4,
        "Percentage points by which the pay-as-you-go share may exceed nodePool.onDemandPercent before nodes are replaced.",
        ge=0,
        le=100,
        expected="0 to 100",
        consequence="nodes are replaced without need, or not at all",
        example="4",
    )
    after_seconds: int = setting(
        300,
        "Seconds for which the share must be too high before a node is replaced. Also the pause after a replacement that was pay-as-you-go again; the second pause is twice as long.",
        ge=1,
        le=86400,
        expected="1 to 86400 seconds",
        consequence="every short shortage leads to replaced nodes",
        example="300",
    )
