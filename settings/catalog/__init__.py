"""What Alibaba Cloud publishes about instance types, nodes and its OSS client: data and functions
that the rules of the settings and the components share.
"""
