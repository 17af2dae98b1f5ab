"""Pulumi providers of this project."""
