"""The container service (ACK): clusters, tasks, node pools, add-ons, kubeconfig."""
