"""All rules, by what they are about."""

from policy.rule import Rule
from policy.rules import cluster, entry, identity, pool, storage, workloads

ALL: tuple[Rule, ...] = (
    *storage.RULES,
    *identity.RULES,
    *pool.RULES,
    *workloads.RULES,
    *entry.RULES,
    *cluster.RULES,
)
