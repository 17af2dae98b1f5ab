"""Records a stack over time: pods, nodes, autoscaler, instances. `make report` reads it."""
