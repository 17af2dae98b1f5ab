"""Object storage: buckets and their settings, objects with versions, multipart uploads,
listings.
"""
