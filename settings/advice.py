"""Warnings about settings that are allowed but rarely intended, each with a better value."""

from collections.abc import Iterator

from interruption_handler.pool_sizing import on_demand_nodes
from settings.catalog import ossfs2
from settings.core.problem import set_command
from settings.root import Settings


def advice(settings: Settings) -> Iterator[str]:
    """Warnings, the most important first."""
    yield from _room_for_replacements(settings)
    yield from _unknown_tensorflow(settings)
    yield from _volume_options(settings)


def _room_for_replacements(settings: Settings) -> Iterator[str]:
    """At full load all preemptible nodes may get their notice at once, and the old ones still count
    while the new ones come.
    """
    pool, serving = settings.node_pool, settings.nodes_for(settings.autoscaler.max_replicas)
    if pool.spot_strategy == "NoSpot" or not settings.interruption.enabled:
        return
    on_demand = on_demand_nodes(serving, pool.on_demand_base, pool.on_demand_percent)
    preemptible = serving - on_demand
    needed = serving + preemptible + settings.headroom.nodes
    if preemptible and pool.max_size < needed:
        warm = f" and headroom.nodes {settings.headroom.nodes}" if settings.headroom.nodes else ""
        yield (
            f"nodePool.maxSize is {pool.max_size}: at autoscaler.maxReplicas {settings.autoscaler.max_replicas} the pool serves with "
            f"{serving} nodes, {preemptible} of them preemptible. When all of these get their notice at once, their replacements "
            f"don't fit beside them{warm}, and capacity is missing until the old ones are gone. Room for all: "
            f"{set_command('nodePool.maxSize', str(needed))}"
        )


def _unknown_tensorflow(settings: Settings) -> Iterator[str]:
    """The tag of a custom image does not tell its TensorFlow version."""
    if settings.server.tensorflow_version is None:
        yield (
            f"server.image is {settings.server.image}: its name doesn't say which TensorFlow it holds, so the model isn't compared with "
            "it. A model that it refuses is noticed when its pods don't become ready. "
            f"Say it: {set_command('server.tensorflow', '2.15.1-gpu')}"
        )


def _volume_options(settings: Settings) -> Iterator[str]:
    """Not refused: the client in the CSI driver's image may be newer than the one whose options are
    known here.
    """
    text = settings.model.volume_options
    for option, refusal in ossfs2.refusals(ossfs2.options_of(text)).items():
        yield (
            f"model.volumeOptions is {text}: {ossfs2.DATA['client']} does not take {option} ({refusal.removeprefix('ERROR: ')}), and "
            f"what it does not take keeps the volume from being mounted. Its options: {ossfs2.DATA['sources'][0]}. "
            f"Or: {set_command('model.volumeOptions', chr(39) + '-o close_to_open=false' + chr(39))}"
        )
