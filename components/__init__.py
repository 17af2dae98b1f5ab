"""The components of the graph: one Pulumi component resource per file (docs/tutorial.md)."""
