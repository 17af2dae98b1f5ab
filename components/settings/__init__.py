"""All stack configuration: read once, typed, frozen, validated across fields, every mistake reported at once."""

from components.settings.loading import Settings, load
from components.settings.problem import Problem, SettingsError

__all__ = ["Problem", "Settings", "SettingsError", "load"]
