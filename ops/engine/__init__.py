"""The Pulumi engine as the commands use it, in the order of one run: what an earlier run left open
is settled (`pending_operations`), the CLI runs (`cli`) and its events are read (`events`),
creations whose answer was lost are taken over (`orphaned_creates`, `duplicate_node_pools`), and
failures are explained (`remediation`). `run` is the entry.
"""
