"""The settings of the stack that the engine runs this program for."""

import os

import pulumi
from pulumi.runtime import config as engine_config

from settings.advice import advice
from settings.core.loading import load
from settings.core.problem import SettingsError
from settings.root import Settings


def current() -> Settings:
    """Reads and checks the engine's configuration, and logs warnings. Raises pulumi.RunError with
    every mistake, which the engine shows without a traceback.
    """
    values = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    secret = {key for key in values if engine_config.is_config_secret(key)} | set(
        engine_config.get_config_secret_keys_env()
    )
    try:
        settings = load(
            values,
            secret,
            project=pulumi.get_project(),
            stack=pulumi.get_stack(),
            environment=os.environ,
        )
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in advice(settings):
        pulumi.log.warn(warning)
    return settings
