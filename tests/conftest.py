"""What holds for every run of tests."""

from lab.testing.session import pytest_configure

__all__ = ["pytest_configure"]
