"""What is left after a teardown, and what removes it: as text for people, as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from ops.teardown.checkpoint import Resource
from ops.teardown.leftovers import Leftover, Unseen
from ops.teardown.plan import FOUND_AS, kind_of
from ops.teardown.scan import Remains


@dataclasses.dataclass(frozen=True)
class Report:
    """The end of one teardown."""

    stack: str
    where: str
    """Account, region and cluster, for the first line."""
    remains: Remains
    in_state: tuple[Resource, ...] = ()
    """What the state still names although it should have gone."""
    kept: tuple[Resource, ...] = ()
    """What stays on purpose."""

    @property
    def clean(self) -> bool:
        """Whether nothing is left and everything was looked at."""
        return self.remains.nothing and not self.in_state

    def text(self) -> str:
        """For people."""
        lines = [f"\nLooked at {self.where}."]
        if self.kept:
            lines += [
                "Stays on purpose:",
                *(f"  {kind_of(one)} {one.id}" for one in self.kept if one.kind in FOUND_AS),
            ]
        if self.in_state:
            lines += [
                f"Still in the state ({len(self.in_state)}):",
                *(f"  {kind_of(one)} {one.id}" for one in self.in_state),
            ]
            lines += ["    make destroy deletes it"]
        if self.remains.found:
            lines += [
                f"Left ({len(self.remains.found)}):",
                *(row for one in self.remains.found for row in _rows(one)),
            ]
        if self.remains.unseen:
            lines += [
                f"Not looked at ({len(self.remains.unseen)}), so nobody knows whether something is left:"
            ]
            lines += [row for gap in self.remains.unseen for row in _gap(gap)]
        if self.clean:
            lines += [
                f"{self.stack}: nothing is left"
                + (" but what stays on purpose" if self.kept else "")
            ]
        else:
            lines += [
                f"{self.stack}: {len(self.remains.found) + len(self.in_state)} left, {len(self.remains.unseen)} not looked at"
            ]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "stack": self.stack,
            "clean": self.clean,
            "left": [dataclasses.asdict(one) for one in self.remains.found],
            "unseen": [dataclasses.asdict(one) for one in self.remains.unseen],
            "inState": [{"urn": one.urn, "id": one.id} for one in self.in_state],
            "kept": [{"urn": one.urn, "id": one.id} for one in self.kept],
        }

    def write(self, path: str) -> None:
        """The JSON document into a file, if one is wanted."""
        if path:
            pathlib.Path(path).write_text(json.dumps(self.document(), indent=1) + "\n")


def _rows(one: Leftover) -> Sequence[str]:
    rows = [f"  {one.kind} {one.id}: {one.why}", f"    {one.remove}"]
    return [*rows, f"    {one.where}"] if one.where else rows


def _gap(gap: Unseen) -> Sequence[str]:
    return [f"  {gap.what}", f"    {gap.why}"]
