"""Records what a stack does over time: pods, nodes, autoscaler, instances; the input of `make
report`.
"""
