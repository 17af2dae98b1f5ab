"""The one error of the lab that people read."""

from __future__ import annotations


class LabError(Exception):
    """Something a person has to know; the message is complete and is shown without a traceback."""
