"""The planner: which pool and autoscaler settings a load needs, by simulation, before anything is
bought.
"""
