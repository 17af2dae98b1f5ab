"""Alibaba Cloud as the commands ask it: one client for all products, and the way into a cluster."""
