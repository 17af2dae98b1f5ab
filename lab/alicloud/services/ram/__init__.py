"""RAM: users and their keys, roles, policies, and tags of all three."""
