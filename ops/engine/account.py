"""Whether the credentials belong to the account that a stack lives in, asked before anything
pending is settled or refreshed.

With the keys of another account every resource looks deleted: a refresh forgets them, a pending
creation is taken for one that never happened, and the next run orders all of it a second time. The
program compares the account, too (components/compute/lookups.py), but it runs after both.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ops.cloud.client import Cloud
from ops.cloud.credentials import find_credentials, plugin_problem, setting
from ops.cloud.errors import CloudError
from ops.engine.checkpoint import parse
from ops.engine.cli import CommandFailed, Stack, inside_lab
from ops.engine.stack_location import PROJECT, StackLocation, config_of, locate, provider_config

PATIENCE = 600.0
"""Seconds until a lab that does not answer is given up; it takes one, and a minute on a machine
that is busy with much else.
"""


class WrongAccountError(Exception):
    """The credentials are not the stack's, or it can't be told; the text names the remedy."""


def check(location: StackLocation, cloud: Cloud) -> None:
    """Raises WrongAccountError when the credentials' account is not the one that state and settings
    name.
    """
    try:
        account = cloud.account
    except CloudError as error:
        raise WrongAccountError(
            f"account: the credentials' account is not known: {error}\n"
            "  remedy: check ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY and the connection to sts"
        ) from None
    known = sorted(location.accounts)
    if len(known) > 1:
        raise WrongAccountError(
            f"account: state and settings of stack {location.stack} name {' and '.join(known)}, expected one.\n"
            f"  remedy: correct {PROJECT}:cluster.accountId in Pulumi.{location.stack}.yaml: the state says what the stack was made with"
        )
    if known and account != known[0]:
        raise WrongAccountError(
            f"account: these credentials belong to {account}, stack {location.stack} to {known[0]}.\n"
            "  otherwise: everything would look deleted, the state would forget it, and it would continue to cost money\n"
            f"  remedy: use credentials of account {known[0]} (ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY)"
        )


def check_recorded(location: StackLocation, cloud: Cloud) -> None:
    """As `check`; where no record names an account, the stack's cluster tells: another account has
    none of that id. Raises WrongAccountError.
    """
    check(location, cloud)
    if location.accounts or not location.cluster:
        return
    try:
        cloud.cs(f"/clusters/{location.cluster}")
    except CloudError as error:
        raise WrongAccountError(
            f"account: nothing recorded names the account of stack {location.stack}, and account {cloud.account} "
            f"can't read its cluster {location.cluster}: {error}\n"
            "  otherwise: with another account's credentials everything would look deleted, and be forgotten\n"
            f"  remedy: use the credentials that the stack was made with. If these are, set {PROJECT}:cluster.accountId in "
            f"Pulumi.{location.stack}.yaml"
        ) from None


def require_account(stack: Stack) -> None:
    """Ends the process, with one message, unless the credentials belong to the account that the
    stack's state and settings name. Raises CommandFailed when the lab does not answer.
    """
    problem = (
        stack.ask("ops.engine.account", stack.name, timeout=PATIENCE)
        if stack.in_lab and not inside_lab()
        else problem_of(stack)
    )
    if problem:
        raise SystemExit(f"error: {problem}\nNothing was changed.")


def problem_of(stack: Stack) -> str:
    """What is wrong with the credentials, "" when nothing is. Whose they are is asked only where
    the state holds something that could be lost. Runs where the stack's region can be reached.
    Raises CommandFailed.
    """
    config = config_of(stack.name)
    if problem := problem_of_plugins(config):
        return problem
    deployment: dict[str, Any] = stack.export_state()["deployment"]
    if not deployment.get("resources") and not deployment.get("pending_operations"):
        return ""
    location = locate(stack.name, parse(deployment), config)
    provider = provider_config(config)
    try:
        cloud = Cloud(location.region or setting("region", provider), find_credentials(provider))
        check_recorded(location, cloud)
    except (WrongAccountError, CloudError) as error:
        return str(error)
    return ""


def problem_of_plugins(config: dict[str, Any]) -> str:
    """Why the plugins would find no credentials, "" when they find some, of which nothing is known
    where the stack's file has an encrypted key. `config`: the stack's file (full keys).
    """
    if isinstance(config.get("alicloud:accessKey"), dict):
        return ""
    return plugin_problem(provider_config(config))


def main() -> int:
    """Prints, as JSON, what is wrong with the credentials for the stack that is named."""
    try:
        print(json.dumps(problem_of(Stack(sys.argv[1]))))
    except CommandFailed as failure:
        return failure.code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
