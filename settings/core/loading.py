"""From configuration values to one checked `Settings`. Knows no engine: commands check settings
without one.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from settings.catalog import regions
from settings.core.problem import (
    PROJECT,
    Problem,
    SettingsError,
    nearest,
    remove_command,
    set_command,
)
from settings.core.rule import broken_rules
from settings.core.translate import translate
from settings.root import GROUPS, KEYS, SECRETS, Settings

# What stands in for a value that is missing or wrong while the other rules are checked. Never
# leaves this module.
_PLACEHOLDERS: dict[str, Any] = {
    "region": "cn-placeholder",
    "cluster": {},
    "nodePool": {"vswitchIds": ["vsw-placeholder"]},
    "entry": {"tls": "none", "auth": "none"},
}


def load(
    values: Mapping[str, Any],
    secret_keys: Iterable[str],
    *,
    project: str,
    stack: str,
    environment: Mapping[str, str],
) -> Settings:
    """Check `values` (full keys as the engine hands them over) and return the settings, or raise
    SettingsError with every mistake.
    """
    given = {
        key.removeprefix(f"{PROJECT}:"): value
        for key, value in values.items()
        if key.startswith(f"{PROJECT}:")
    }
    data: dict[str, Any] = {
        key: _parsed(key, value) for key, value in given.items() if value not in ("", None)
    }
    data |= {
        "project": project,
        "stack": stack,
        "region": values.get("alicloud:region") or environment.get("ALICLOUD_REGION"),
    }
    if data["region"] is None:
        del data["region"]
    _mapped_port(data, environment)
    problems = (
        _misplaced(given)
        + _wrong_prefixes(values)
        + _region_exists(data.get("region"), values)
        + _plain_secrets(data, set(secret_keys))
        + _region_of_uploads(data, values)
        + _identity_of_uploads(values, environment)
    )
    settings, found = _validated(data)
    problems += found + broken_rules(settings, frozenset(problem.field for problem in found))
    if problems:
        raise SettingsError(problems, stack)
    return settings


def _mapped_port(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Where entry.publicPort says that a port is forwarded to the endpoint, LAB_PUBLIC_PORT says
    which one it is on this machine, or EI_PUBLIC_PORT, its name until 0.1.0.
    """
    entry = data.get("entry")
    port = environment.get("LAB_PUBLIC_PORT") or environment.get("EI_PUBLIC_PORT", "")
    if isinstance(entry, dict) and entry.get("publicPort") is not None and port.isdecimal():
        data["entry"] = {**entry, "publicPort": int(port)}


def _parsed(key: str, value: Any) -> Any:
    if key in (*GROUPS, "tags") and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _validated(data: dict[str, Any]) -> tuple[Settings, list[Problem]]:
    """The settings and no problem, or settings with placeholders for what is wrong and the
    problems.
    """
    try:
        return Settings.model_validate(data), []
    except ValidationError as error:
        problems = translate(error, data)
        return Settings.model_validate(_mended(data, error)), problems


def _mended(data: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """`data` without what `error` complains about, and with placeholders where something is
    required.
    """
    mended = json.loads(json.dumps(data))
    for detail in error.errors():
        _drop(mended, [str(step) if isinstance(step, int) else step for step in detail["loc"][:2]])
    for key, value in _PLACEHOLDERS.items():
        present = mended.get(key)
        mended[key] = (
            {**value, **present}
            if isinstance(value, dict) and isinstance(present, dict)
            else present or value
        )
    return mended


def _drop(data: dict[str, Any], path: list[str]) -> None:
    parent = data.get(path[0])
    if len(path) > 1 and isinstance(parent, dict):
        parent.pop(path[1], None)
    else:
        data.pop(path[0], None)


def _misplaced(given: Mapping[str, Any]) -> list[Problem]:
    """Keys that are fields of Settings but come from elsewhere."""
    places = {
        "region": "alicloud:region",
        "project": "the project's name in Pulumi.yaml",
        "stack": "the stack's name",
    }
    return [
        Problem(
            key,
            given[key],
            f"a setting of this project; it comes from {place}",
            "it is not read",
            remove_command(key),
        )
        for key, place in places.items()
        if key in given
    ]


ALIKE = 0.8
"""From which likeness on a name space is the project's with a slip in it."""
_NAMESPACES = (PROJECT, "alicloud", "kubernetes", "ossmodel", "pulumi")
"""Name spaces of configuration that the program, its providers and the engine read."""


def right_key(key: str) -> str | None:
    """The setting that was meant by a key that nothing reads: one with a name space that is a group
    of settings, or like the project's, or that stands before the name of a setting; else None.
    """
    space, _, name = key.partition(":")
    if space in _NAMESPACES:
        return None
    name = name.removeprefix("config:")
    first = re.split(r"[.\[]", name, maxsplit=1)[0]
    groups = {group.lower(): group for group in KEYS}
    if space.lower() in groups:
        return f"{PROJECT}:{groups[space.lower()]}.{name}"
    if first.lower() in groups:
        return f"{PROJECT}:{groups[first.lower()]}{name[len(first) :]}"
    alike = difflib.SequenceMatcher(None, space.lower().replace("_", "-"), PROJECT).ratio()
    return f"{PROJECT}:{name}" if alike >= ALIKE else None


def _wrong_prefixes(values: Mapping[str, Any]) -> list[Problem]:
    """Keys that were meant for this project and that nothing reads."""
    return [
        Problem(
            key,
            "<not read>",
            f"a key of this project: {right}",
            "it is not read, and the default is used in its place",
            f"in the stack file, write the value below '{right.partition('.')[0]}:', then pulumi config rm '{key}'",
        )
        for key in values
        if (right := right_key(key))
    ]


def _region_exists(region: Any, values: Mapping[str, Any]) -> list[Problem]:
    """A region that the provider knows as little as this program, unless it is told not to ask."""
    skipped = str(values.get("alicloud:skipRegionValidation", "")).lower() == "true"
    if (
        skipped
        or not isinstance(region, str)
        or not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]+)+", region)
    ):
        return []
    if regions.exists(region):
        return []
    guess = nearest(region, regions.REGIONS) or "cn-shanghai"
    return [
        Problem(
            "alicloud:region",
            region,
            f"a region of Alibaba Cloud, such as {guess}",
            "no region of that name answers, and the run fails at its first call",
            f"{set_command('alicloud:region', guess)}  (or, for a region that is newer than this program: "
            f"{set_command('alicloud:skipRegionValidation', 'true')})",
        )
    ]


def _plain_secrets(data: Mapping[str, Any], secret_keys: set[str]) -> list[Problem]:
    plain = [key for key in SECRETS if key in data and f"{PROJECT}:{key}" not in secret_keys]
    return [
        Problem(
            key,
            "<in plain text>",
            "an encrypted value",
            "it lies in the repository for everyone to read",
            f"pulumi config set --secret {PROJECT}:{key}  (and use a new one: this one has been seen)",
        )
        for key in plain
    ]


def _region_of_uploads(data: Mapping[str, Any], values: Mapping[str, Any]) -> list[Problem]:
    uploads, region = values.get("ossmodel:region"), data.get("region")
    if uploads in (None, region) or region is None:
        return []
    return [
        Problem(
            "ossmodel:region",
            uploads,
            f"alicloud:region, which is {region}",
            "the model is uploaded to a region where its bucket isn't",
            set_command("ossmodel:region", region),
        )
    ]


CREDENTIALS: dict[str, tuple[str, ...]] = {
    "accessKey": ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID"),
    "secretKey": ("ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET"),
    "securityToken": ("ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN"),
    "profile": ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"),
    "sharedCredentialsFile": ("ALICLOUD_SHARED_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"),
    "ecsRoleName": ("ALICLOUD_ECS_ROLE_NAME", "ALIBABA_CLOUD_ECS_METADATA"),
    "credentialsUri": ("ALICLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CREDENTIALS_URI"),
    "assumeRole": (),
    "assumeRoleWithOidc": (),
}  # fmt: skip
"""Settings of the alicloud provider by which it finds its credentials, with the variables that
stand in for them; ossmodel's are the same (its own package loads the SDK, which a check of the
settings does without).
"""


def _identity_of_uploads(
    values: Mapping[str, Any], environment: Mapping[str, str]
) -> list[Problem]:
    """Credentials of the one provider that the other doesn't have: it would find none, or upload
    the model as somebody else. Both read the same variables of the environment.
    """
    problems = []
    for name, variables in CREDENTIALS.items():
        given, uploads = values.get(f"alicloud:{name}"), values.get(f"ossmodel:{name}")
        if uploads in (None, ""):
            uploads = next((environment[v] for v in variables if environment.get(v)), None)
        if given in (None, "") or _plain(given) == _plain(uploads):
            continue
        block = isinstance(_plain(given), (dict, list))
        secret = "--secret " if name in ("accessKey", "secretKey", "securityToken") else ""
        command = (
            f"in the stack file, write the same below 'ossmodel:{name}:' as below 'alicloud:{name}:'"
            if block
            else f"pulumi config set {secret}ossmodel:{name} {'<the same>' if secret else given}"
        )
        problems.append(
            Problem(
                f"ossmodel:{name}",
                None if uploads is None else "<another>",
                f"the same as alicloud:{name}",
                "the model's plugin finds no credentials, or uploads as another identity than the one that owns the bucket",
                command,
            )
        )
    return problems


def _plain(value: Any) -> Any:
    """A value of the configuration; an object is handed over as JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
