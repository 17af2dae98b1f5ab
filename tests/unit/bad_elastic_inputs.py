"""Every way a setting that keeps the pool elastic can be wrong."""

from tests.unit.bad_inputs import Bad, of

FLOOR = {"schedule": "0 8 * * *", "minReplicas": 2}


def _floor(**changes: object) -> dict:
    return {"autoscaler": {"floors": [{**FLOOR, **changes}]}}


ELASTIC = [
    of("interruption", "enabled", "yes", '"yes"', "true or false"),
    of("interruption", "noticeSeconds", 0, "0", "1 to 3600 seconds"),
    of("interruption", "minServingPercent", 101, "101", "0 to 100"),
    of("interruption", "replicas", 0, "0", "1 to 5"),
    of("interruption", "image", "python", '"python"', "an image with a fixed tag"),
    of("interruption", "drainSecond", 30, "30", "did you mean drainSeconds?"),
    Bad(
        {"interruption": {"noticeSeconds": 30}},
        "interruption.drainSeconds",
        "30",
        "less than interruption.noticeSeconds, which is 30",
        "drainSeconds' 3",
    ),
    Bad(
        {"interruption": {"drainSeconds": 5}},
        "interruption.drainSeconds",
        "5",
        "more than server.preStopSeconds, which is 5",
        "drainSeconds' 15",
    ),
    of("mix", "points", 101, "101", "0 to 100"),
    of("mix", "afterSeconds", 0, "0", "1 to 86400 seconds"),
    of("headroom", "nodes", -1, "-1", "0 to 100"),
    of("headroom", "nodes", 1.5, "1.5", "0 to 100"),
    Bad(
        {"headroom": {"nodes": 10}},
        "headroom.nodes",
        "10",
        "at most 9: nodePool.maxSize is 10, and 1 serve at least",
        "maxSize' 20",
    ),
    of("headroom", "image", "pause:", '"pause:"', "an image with a fixed tag"),
    of("nodeScaler", "skipGpuWait", 1, "1", "true or false"),
    of("server", "unreachableSeconds", -1, "-1", "0 to 3600"),
    of("autoscaler", "scaleUpPercent", -1, "-1", "0 to 1000"),
    of("autoscaler", "scaleDownPercent", 0, "0", "1 to 100"),
    of("autoscaler", "scaleDownPeriodSeconds", 1801, "1801", "1 to 1800 seconds"),
    of("autoscaler", "scaleUpTolerance", 2.0, "2.0", "0 to 1"),
    of("autoscaler", "metricWindowSeconds", 10, "10", "15 to 95 seconds"),
    Bad(
        {"autoscaler": {"metricWindowSeconds": 95}},
        "autoscaler.metricWindowSeconds",
        "95",
        "at most 90, so that window and delay (10) are at most 100 together",
        "metricWindowSeconds' 90",
    ),
    Bad(
        {"autoscaler": {"scaleDownSeconds": 0, "scaleDownPercent": 100}},
        "autoscaler.scaleDownSeconds",
        "0",
        "more than 0 with scaleDownPercent 100",
        "scaleDownSeconds' 300",
    ),
    Bad(
        _floor(minReplicas=11),
        "autoscaler.floors[0].minReplicas",
        "11",
        "at most autoscaler.maxReplicas, which is 10",
        "maxReplicas' 11",
    ),
    Bad(
        _floor(minReplicas=0),
        "autoscaler.floors[0].minReplicas",
        "0",
        "1 to 1000",
        "floors[0].minReplicas",
    ),
    Bad(
        _floor(schedule="8:00"),
        "autoscaler.floors[0].schedule",
        '"8:00"',
        "a cron schedule of five fields",
        "floors[0].schedule",
    ),
    Bad(
        _floor(schedule="0 25 * * *"),
        "autoscaler.floors[0].schedule",
        "0 25",
        "hour: '25' is not in 0 to 23",
        "floors[0].schedule",
    ),
    Bad(
        _floor(schedule="0 0 31 2 *"),
        "autoscaler.floors[0].schedule",
        "0 0 31 2",
        "no such day exists",
        "floors[0].schedule",
    ),
    Bad(
        _floor(timeZone="Shanghai"),
        "autoscaler.floors[0].timeZone",
        '"Shanghai"',
        "a time zone such as Asia/Shanghai",
        "Asia/Shanghai",
    ),
    Bad(
        _floor(timezone="UTC"),
        "autoscaler.floors[0].timezone",
        '"UTC"',
        "did you mean timeZone?",
        "floors[0].timeZone",
    ),
    Bad(
        {"autoscaler": {"floors": [{"minReplicas": 2}]}},
        "autoscaler.floors[0].schedule",
        "not set",
        "a cron schedule",
        "schedule",
    ),
    of(
        "autoscaler",
        "floors",
        "0 8 * * *",
        '"0 8 * * *"',
        "a list of schedule, timeZone, minReplicas",
        "autoscaler.floors",
    ),
    Bad(
        {"autoscaler": {"outageReplicas": 11}},
        "autoscaler.outageReplicas",
        "11",
        "at most autoscaler.maxReplicas",
        "outageReplicas' 10",
    ),
    Bad(
        {"autoscaler": {"outageReplicas": 2}, "interruption": {"enabled": False}},
        "autoscaler.outageReplicas",
        "2",
        "nothing with interruption.enabled false",
        "interruption.enabled' true",
    ),
    Bad(
        {**_floor(), "interruption": {"enabled": False}},
        "autoscaler.floors",
        "0 8 * * *",
        "nothing with interruption.enabled false",
        "interruption.enabled' true",
    ),
]
