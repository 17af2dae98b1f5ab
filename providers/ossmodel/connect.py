"""From the provider's settings to one model version in its bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .control import Control
from .layout import Layout
from .settings import Settings, endpoint_url

if TYPE_CHECKING:
    from .remote import Remote


def connect(settings: Settings, layout: Layout, parallel: int) -> Callable[[Control], Remote]:
    """A function that gives the `Remote` under an operation's control. Raises `ModelError` when
    keys or region are missing.
    """
    import oss2  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    from . import credentials  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
    from .remote import Remote  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
    from .transfer import TransferBucket  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    region, keys = credentials.resolve(settings)
    auth = oss2.ProviderAuthV4(keys)

    def opened(control: Control) -> Remote:
        bucket = TransferBucket(
            auth, endpoint_url(settings, region), layout.bucket, region, parallel
        )
        bucket.control = control
        return Remote(bucket, layout, control, parallel)

    return opened
