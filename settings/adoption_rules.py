"""Rules on what is taken over."""

from collections.abc import Iterator

from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.root import Settings


@rule("adopt.bucket", "modelStore.bucket")
def _one_name_for_the_bucket(settings: Settings) -> Iterator[Problem]:
    adopted, named = settings.adopt.bucket, settings.model_store.bucket
    if adopted and named and adopted != named:
        yield Problem(
            "modelStore.bucket",
            named,
            f"nothing with adopt.bucket, which is {adopted}",
            "nobody can tell which of the two buckets holds the model",
            remove_command("modelStore.bucket"),
        )


@rule("adopt.bucket", "modelStore.forceDestroy")
def _an_adopted_bucket_is_kept(settings: Settings) -> Iterator[Problem]:
    if settings.adopt.bucket and settings.model_store.force_destroy:
        yield Problem(
            "modelStore.forceDestroy",
            True,
            "false with adopt.bucket",
            "nobody can tell whether a destroy keeps what others put into the bucket",
            set_command("modelStore.forceDestroy", "false"),
        )


@rule("adopt.nodePoolId", "nodePool.generation")
def _an_adopted_pool_is_not_replaced(settings: Settings) -> Iterator[Problem]:
    if settings.adopt.node_pool_id and settings.node_pool.generation > 1:
        yield Problem(
            "nodePool.generation",
            settings.node_pool.generation,
            "nothing with adopt.nodePoolId",
            "an adopted pool is never replaced, and the setting does nothing",
            remove_command("nodePool.generation"),
        )


@rule("adopt.change", "adopt.nodePoolId", "adopt.bucket", "adopt.roleName", "adopt.namespace")
def _there_is_something_to_change(settings: Settings) -> Iterator[Problem]:
    adopt = settings.adopt
    if adopt.change and not (
        adopt.node_pool_id or adopt.bucket or adopt.role_name or adopt.namespace
    ):
        yield Problem(
            "adopt.change",
            True,
            "nothing without something adopted",
            "the first thing adopted later is changed without a word",
            remove_command("adopt.change"),
        )
