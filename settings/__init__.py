"""All stack configuration: read once, typed, frozen, validated across fields, every mistake
reported at once.
"""

from settings.core.loading import Settings, load
from settings.core.problem import Problem, SettingsError

__all__ = ["Problem", "Settings", "SettingsError", "load"]
