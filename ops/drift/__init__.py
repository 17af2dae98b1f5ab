"""What a stack's resources are really like, against what was deployed: real differences told from
those of an autoscaler.
"""
