"""Components of the cluster: prerequisites, node scaler, GPU node pool."""
