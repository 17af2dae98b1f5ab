"""The real control plane and what an ACK cluster brings along: ingress, external metrics, log
shipping, node autoscaling.
"""
