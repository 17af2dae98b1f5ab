"""The graph's parts: one component resource per file, in the order of the tutorial's steps
(docs/tutorial.md).
"""
