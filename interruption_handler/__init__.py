"""The interruption handler: what runs inside the cluster beside the model server, on the standard
library alone.

Its files travel in a ConfigMap (components/serving/interruption.py) and run on a plain Python
image. Decisions (`spot_notice`, `orphaned_pods`, `capacity_mix`, `min_replicas`) are pure functions of what is seen; `informer`,
`actions`, `lease` and `kube` do the talking. All state lies in the cluster's objects, so that the
handler may be stopped at any moment.
"""
