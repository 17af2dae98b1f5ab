"""Rules on elasticity that look at more than one setting."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from interruption_handler.cron import Cron
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.root import Settings


@rule("interruption.drainSeconds", "interruption.noticeSeconds")
def _drain_fits_the_notice(settings: Settings) -> Iterator[Problem]:
    handler = settings.interruption
    if handler.drain_seconds >= handler.notice_seconds:
        yield Problem(
            "interruption.drainSeconds",
            handler.drain_seconds,
            f"less than interruption.noticeSeconds, which is {handler.notice_seconds}",
            "pods are deleted the moment the notice arrives, replaced or not",
            set_command("interruption.drainSeconds", str(max(1, handler.notice_seconds // 10))),
        )


@rule("interruption.drainSeconds", "interruption.enabled", "server.preStopSeconds")
def _drain_outlasts_the_sleep(settings: Settings) -> Iterator[Problem]:
    drain, sleep = settings.interruption.drain_seconds, settings.server.pre_stop_seconds
    if settings.interruption.enabled and drain <= sleep:
        yield Problem(
            "interruption.drainSeconds",
            drain,
            f"more than server.preStopSeconds, which is {sleep}",
            "the instance goes while the ingress still sends its pod requests",
            set_command("interruption.drainSeconds", str(sleep + 10)),
        )


@rule("autoscaler.floors", "autoscaler.maxReplicas")
def _floors_can_hold(settings: Settings) -> Iterator[Problem]:
    most = settings.autoscaler.max_replicas
    for index, floor in enumerate(settings.autoscaler.floors):
        place = f"autoscaler.floors[{index}]"
        if floor.min_replicas > most:
            yield Problem(
                f"{place}.minReplicas",
                floor.min_replicas,
                f"at most autoscaler.maxReplicas, which is {most}",
                "the floor is cut to the maximum, and the load it was meant for is not served",
                set_command("autoscaler.maxReplicas", str(floor.min_replicas)),
            )
        wrong = _cron_error(floor.schedule)
        if wrong:
            yield Problem(
                f"{place}.schedule",
                floor.schedule,
                f"a cron schedule of five fields that can fire ({wrong})",
                "the floor never holds",
                set_command(f"{place}.schedule", "'0 8 * * mon-fri'"),
            )
        if not _is_zone(floor.time_zone):
            yield Problem(
                f"{place}.timeZone",
                floor.time_zone,
                "a time zone such as Asia/Shanghai",
                "the floor never holds",
                set_command(f"{place}.timeZone", "Asia/Shanghai"),
            )


def _cron_error(text: str) -> str | None:
    try:
        fires = Cron.parse(text).last(1_900_000_000, "UTC")
    except ValueError as error:
        return str(error)
    return None if fires is not None else "no such day exists"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return True


@rule("autoscaler.outageReplicas", "autoscaler.maxReplicas")
def _outage_floor_fits(settings: Settings) -> Iterator[Problem]:
    floor, most = settings.autoscaler.outage_replicas, settings.autoscaler.max_replicas
    if floor is not None and floor > most:
        yield Problem(
            "autoscaler.outageReplicas",
            floor,
            f"at most autoscaler.maxReplicas, which is {most}",
            "the floor is cut to the maximum",
            set_command("autoscaler.outageReplicas", str(most)),
        )


@rule("autoscaler.floors", "autoscaler.outageReplicas", "interruption.enabled")
def _floors_need_the_handler(settings: Settings) -> Iterator[Problem]:
    if settings.minimum_moves and not settings.interruption.enabled:
        field = "autoscaler.floors" if settings.autoscaler.floors else "autoscaler.outageReplicas"
        yield Problem(
            field,
            [floor.plain() for floor in settings.autoscaler.floors]
            or settings.autoscaler.outage_replicas,
            "nothing with interruption.enabled false: the handler sets the HPA's minimum",
            "the minimum never moves",
            f"{set_command('interruption.enabled', 'true')}  (or: {remove_command(field)})",
        )


@rule("autoscaler.metricWindowSeconds", "autoscaler.metricDelaySeconds")
def _window_lies_in_what_is_read(settings: Settings) -> Iterator[Problem]:
    window, delay = (
        settings.autoscaler.metric_window_seconds or 15,
        settings.autoscaler.metric_delay_seconds,
    )
    delay = 10 if delay is None else delay
    if window + delay > 100:
        yield Problem(
            "autoscaler.metricWindowSeconds",
            window,
            f"at most {100 - delay}, so that window and delay ({delay}) are at most 100 together",
            "the adapter reads the last 100 seconds only and divides by the whole window: the load looks lower than it is",
            set_command("autoscaler.metricWindowSeconds", str(100 - delay)),
        )


@rule(
    "headroom.nodes",
    "nodePool.maxSize",
    "nodePool.instanceTypes",
    "autoscaler.minReplicas",
    "server.gpus",
)
def _headroom_has_room(settings: Settings) -> Iterator[Problem]:
    warm, most = settings.headroom.nodes, settings.node_pool.max_size
    fewest = settings.nodes_for(settings.autoscaler.min_replicas)
    if warm and warm + fewest > most:
        yield Problem(
            "headroom.nodes",
            warm,
            f"at most {max(0, most - fewest)}: nodePool.maxSize is {most}, and {fewest} serve at least",
            "the nodes are never warm: there is no room for them even at the least load",
            set_command(
                "nodePool.maxSize", str(warm + settings.nodes_for(settings.autoscaler.max_replicas))
            ),
        )


@rule("autoscaler.scaleDownPercent", "autoscaler.scaleDownSeconds")
def _one_reading_moves_little(settings: Settings) -> Iterator[Problem]:
    down = settings.autoscaler.scale_down_percent
    if down == 100 and settings.autoscaler.scale_down_seconds == 0:
        yield Problem(
            "autoscaler.scaleDownSeconds",
            0,
            "more than 0 with scaleDownPercent 100",
            "one reading of 0 takes all pods but the minimum away",
            set_command("autoscaler.scaleDownSeconds", "300"),
        )
