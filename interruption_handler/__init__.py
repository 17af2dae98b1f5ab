"""The interruption handler: a program that runs in the cluster beside the model server and moves
its pods off preemptible nodes before their instances are reclaimed.

The stack mounts these files from a ConfigMap (components/serving/interruption_handler.py) into a
plain Python image: standard library only. `spot_notice`, `orphaned_pods`, `capacity_mix`,
`min_replicas` and `leftovers` decide; each is a pure function of a `ClusterSnapshot`, as is
`alarms`. `informer`, `actions`, `lease`, `events` and `kube` talk to the API server, `health` and
`metrics` answer the kubelet and Prometheus, `ecs_locks` asks ECS. All state is in the cluster's
objects, so the handler can be stopped at any moment. `cron` and `pool_sizing` are also used by the
settings, the policies and the planner.
"""
