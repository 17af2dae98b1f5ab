"""How a setting is declared: type, default and bounds for pydantic, its description, and what a
user reads when it is wrong.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

REQUIRED: Any = ...


def as_text(value: Any) -> Any:
    """A number or a truth value as the text it was typed as: `pulumi config set --path` makes them
    of 2 and true, and YAML does too.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


Text = Annotated[str, BeforeValidator(as_text)]
"""A text that may look like a whole number or a truth value: an account id, a label's value, a
version. A decimal is not taken for a text: of 2.20, which YAML reads as 2.2, the text is lost.
"""


def as_number(value: Any) -> Any:
    """The number that a text says: `pulumi config set --path` stores a decimal as text
    (https://github.com/pulumi/pulumi/issues/18064).
    """
    if isinstance(value, str) and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", value):
        return float(value)
    return value


Number = Annotated[float, BeforeValidator(as_number)]
"""A number, or a text that says one."""


def as_quantity(value: Any) -> Any:
    """A quantity that was written as a number, such as 2 or 1.5, as text."""
    return f"{value:.12g}" if isinstance(value, float) else as_text(value)


Quantity = Annotated[str, BeforeValidator(as_quantity)]
"""A Kubernetes quantity: a text, or a number that means the same with and without quotes."""


class Group(BaseModel):
    """A group of settings. Keys are camelCase in the stack file; unknown keys are mistakes; values
    are never coerced.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=to_camel)


def setting(
    default: Any, about: str, *, expected: str, consequence: str, example: str, **bounds: Any
) -> Any:
    """Declare one setting.

    about: meaning and unit, for docs/settings.md. expected: the allowed values in words.
    consequence: what goes wrong with another value. example: a value for the remedy's command.
    bounds: pydantic's own (ge, le, pattern, min_length, …).
    """
    extra: dict[str, Any] = {"expected": expected, "consequence": consequence, "example": example}
    if isinstance(default, (dict, list)):
        return Field(
            default_factory=lambda: type(default)(default),
            description=about,
            json_schema_extra=extra,
            **bounds,
        )
    return Field(default, description=about, json_schema_extra=extra, **bounds)


def field_docs(group: type[BaseModel], name: str) -> dict[str, str]:
    """Rule, consequence and example of field `name` of `group`, as declared with `setting()`."""
    extra = group.model_fields[name].json_schema_extra
    return {key: str(value) for key, value in extra.items()} if isinstance(extra, dict) else {}
