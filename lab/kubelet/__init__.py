"""The node agent: every Running ECS instance becomes a Node, every pod bound to one becomes real
processes.
"""
