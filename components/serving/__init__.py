"""Components that run in the cluster: model server, autoscaling, endpoint, interruption handler."""
