"""What ingress-nginx does with each of its annotations, and what the lab does.
`ingress_annotations.yaml` is the table; this reads it.

A row says `risk` (ingress-nginx refuses those above High, its default), `valid` (a kind below, or a
pattern), `refused` (whether its admission webhook refuses another value; else it takes its
default), `nginx` (what it does), and what the lab does: `enforced`, `differs` (in what `note` says,
and a request that is refused here is refused there), or `ignored` (it is said by an event at the
Ingress, a warning of the API server and `lab status`); the last two only for values that match
`when` and without the annotation `unless`, where these are given. `shown: live` names those that
`lab/tests/core/test_ingress.py` asks through the real ingress; of the others traefik's source says
that it does so.

Sources, below https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/:
annotations/ (what each does), annotations-risk/ (risk), configmap/ (defaults); ingress-nginx
1.15.1's parser for the values (`lab/tests/core/data/ingress-nginx-verdicts.json` is what that
parser said); traefik 3.7's provider kubernetesIngressNGINX.

`python -m lab.controlplane.ingress_annotations` writes lab/docs/ingress.md.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from lab.environment import ROOT

PREFIX = "nginx.ingress.kubernetes.io/"
PAGE = ROOT / "lab" / "docs" / "ingress.md"
TABLE = Path(__file__).with_name("ingress_annotations.yaml")
VERSION = "1.15.1"
ENFORCED, DIFFERS, IGNORED = "enforced", "differs", "ignored"

_PLAIN = r"\-._~a-zA-Z0-9/:"
_NAME = _PLAIN + r"\^$\[\](){}*+?|&=\\"
PATTERNS: Mapping[str, tuple[str, bool]] = {
    # kind: (pattern, whether blanks are taken out first)
    "anything": (r"", False),
    "bool": (r"^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$", False),
    "int": (r"^[+-]?[0-9]{1,18}$", False),
    "size": (r"^(?i:\d+[bkmg]?)$", True),
    "basic": (rf"^[{_PLAIN}]*$", True),
    "words": (rf"^[{_PLAIN} ]*$", False),
    "url": (rf"^[{_PLAIN},?&=]*$", True),
    "url-exact": (rf"^[{_PLAIN},?&=]*$", False),
    "url-variables": (rf"^[{_PLAIN}, ?&=$]*$", True),
    "variable": (r"^[A-Za-z0-9\-_${}]*$", True),
    "variable-text": (r"^[A-Za-z0-9\-_${}]*$", True),
    "capture": (rf"^/?[{_PLAIN}$]*$", False),
    "capture-blanks": (rf"^/?[{_PLAIN}$]*$", True),
    "headers": (r"^[A-Za-z0-9\-_, ]*$", True),
    "regex": (rf"^[{_NAME}]*$", False),
    "server-name": (rf"^\s*[{_NAME}]*\s*$", False),
    "server-names": (rf"^\s*[{_NAME}]*\s*(,\s*[{_NAME}]*\s*)*$", False),
    "service": (r"^[a-z]([-a-z0-9]*[a-z0-9])?$", False),
    "on-off": (r"^\s*(on|off)\s*$", False),
    "any-all": (r"^\s*(any|all)\s*$", False),
    "protocol": (r"^(?i:\s*(auto_http|http|https|grpc|grpcs|fcgi)\s*)$", False),
}
KINDS = (*PATTERNS, "cidrs", "common-name")


@dataclass(frozen=True)
class Annotation:
    """One row, as the module says."""

    name: str
    risk: str
    valid: str
    refused: bool
    lab: str
    nginx: str
    note: str = ""
    when: str = ""
    unless: str = ""
    """Annotation beside which what the lab does otherwise does not count."""
    shown: str = ""

    @property
    def critical(self) -> bool:
        """Refused whatever its value: ingress-nginx takes no risk above High unless its
        administrator says so.
        """
        return self.risk == "Critical"

    def pattern(self) -> tuple[str, bool] | None:
        """(pattern, blanks are taken out first), none for the kinds that a pattern can't say."""
        if self.valid in PATTERNS:
            return PATTERNS[self.valid]
        return None if self.valid in KINDS else (self.valid, not self._blanks_count())

    def _blanks_count(self) -> bool:
        return self.name in (
            "proxy-next-upstream",
            "auth-cache-duration",
            "proxy-cookie-domain",
            "session-cookie-max-age",
        )

    def takes(self, value: str) -> bool:
        """Whether ingress-nginx takes this value. An empty one is none at all."""
        if not value:
            return True
        if self.valid == "cidrs":
            return all(_is_cidr(part.strip()) for part in value.split(","))
        if self.valid == "common-name":
            return value.startswith("CN=") and _compiles(value[3:])
        found = self.pattern()
        assert found is not None
        pattern, without_blanks = found
        text = value.replace(" ", "") if without_blanks else value
        return self.valid == "anything" or (
            "\n" not in text and "\r" not in text and re.search(pattern, text) is not None
        )

    def concerns(self, value: str) -> bool:
        """Whether what the lab does otherwise counts for this value."""
        return self.lab != ENFORCED and (not self.when or re.search(self.when, value) is not None)


@cache
def table() -> Mapping[str, Annotation]:
    """The rows by their names, without the prefix."""
    rows = yaml.safe_load(TABLE.read_text())
    return {name: Annotation(name, **row) for name, row in rows.items()}


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


_HEAD = f"""\
# Ingress: ingress-nginx's annotations in the lab

Written by `python -m lab.controlplane.ingress_annotations`; a test fails when it is out of date. In the lab traefik reads the annotations of
ingress-nginx {VERSION}. What it enforces, and what the lab adds (values that ingress-nginx's admission webhook refuses are refused; 503 for
limits and for an `auth-secret` that can't be read; `denylist-source-range`), counts as on a cluster. What the lab does not enforce is said:
a warning of the API server when the Ingress is written, an event at the Ingress (`kubectl describe ingress`), and a line of `make status`.

**live**: asked through the real ingress by `lab/tests/core/test_ingress.py`. The others are as traefik's source says.

The lab also says: an annotation that ingress-nginx does not know, a value that it ignores, a host and path that another Ingress has
already (its webhook refuses that), a TLS Secret that is missing (it serves its own certificate, and so does the lab). Beyond annotations:
ingress-nginx adds `Strict-Transport-Security` to answers over TLS, the lab does not; a request that is too large and has no password is
answered 413 there and 401 here.

| annotation | ingress-nginx | the lab |
|---|---|---|
"""
_TAIL = """
## Ingresses of class alb

An ALB reads no annotation of ingress-nginx: the lab serves them without any, with no limit on a body's size, and says which it found. Of
the `alb.ingress.kubernetes.io/` annotations the lab obeys `listen-ports` (80 and 443): what is not listened on is answered 503, where an
ALB refuses the connection. Every other one is said as not enforced.
"""


def page() -> str:
    """The text of lab/docs/ingress.md, from the table."""
    lines = []
    for row in sorted(table().values(), key=lambda row: row.name):
        lab = (
            "refused"
            if row.critical
            else row.lab
            if row.lab == ENFORCED
            else "not enforced"
            if row.lab == IGNORED
            else "differs"
        )
        lab += f" where it matches `{row.when}`".replace("|", "\\|") if row.when else ""
        lab += f": {row.note}" if row.note else ""
        lines.append(f"| {row.name} | {row.nginx} | {lab}{' (**live**)' if row.shown else ''} |\n")
    return _HEAD + "".join(lines) + _TAIL


def main() -> int:
    """Write lab/docs/ingress.md from the table."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
