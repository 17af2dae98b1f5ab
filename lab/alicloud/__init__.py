"""The cloud double: Alibaba Cloud's APIs on one machine, one state behind all services.

Start it with ``python -m lab.alicloud --home DIR``; ``lab.alicloud.seed.seed`` makes the fresh lab.
What is answered is listed in ``lab/docs/coverage.md``; every other call gets 501 with its name.
"""
