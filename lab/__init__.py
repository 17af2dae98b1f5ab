"""Alibaba Cloud on one Linux machine: a sealed namespace, an API double and a real Kubernetes
control plane.
"""

__version__ = "0.2.0"
