"""Pools that are left alone after a failed scale-up, as the cluster-autoscaler does: five minutes,
then twice as long, half an hour at most; forgotten three hours after the last failure. All in
modelled seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST, LONGEST, FORGOTTEN = 300.0, 1800.0, 10800.0
PROVISION_TIME = 900.0
"""Seconds after which an ordered instance that is no node yet is given up
(`--max-node-provision-time`).
"""


@dataclass
class Backoff:
    """By pool: how long it was left alone, until when, and when it failed last."""

    _known: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def failed(self, pool: str, now: float) -> None:
        """A scale-up of the pool failed. Failures while it is left alone don't make it longer."""
        self._forget(now)
        seconds, until, _ = self._known.get(pool, (FIRST, now, now))
        if pool in self._known and until < now:
            seconds = min(2 * seconds, LONGEST)
        elif pool in self._known:
            seconds = FIRST
        self._known[pool] = (seconds, now + seconds, now)

    def worked(self, pool: str) -> None:
        """What was ordered came: the pool may grow again."""
        self._known.pop(pool, None)

    def held(self, now: float) -> set[str]:
        """The pools that are left alone now."""
        self._forget(now)
        return {pool for pool, (_, until, _) in self._known.items() if until > now}

    def _forget(self, now: float) -> None:
        self._known = {pool: one for pool, one in self._known.items() if one[2] + FORGOTTEN >= now}
