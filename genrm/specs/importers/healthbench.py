"""HealthBench items: statements about a response, each with points that may be negative.

    {"prompt_id": …, "prompt": [messages], "rubrics": [{"criterion": …, "points": -5, "tags": […]}, …]}

Each statement becomes a yes-or-no criterion with its points as weight, and the reward adds points: what was earned
over what could be earned, clipped to [0, 1] ("HealthBench: Evaluating Large Language Models Towards Improved Human
Health"). A statement of 0 points cannot change that and is left out. A bare list of statements is read too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrm.errors import Fault, SpecError
from genrm.specs.importers.base import Written, first_of, number_field, present, slug, text_field, unique

QUESTION = "Is this true of the response? "


class HealthbenchImporter:
    """Signed points."""

    name = "healthbench"
    about = "HealthBench rubric: a list of {criterion, points, tags} with signed points"

    def matches(self, item: Any) -> bool:
        """True for a list of statements with points, or an item that has one under ``rubrics``."""
        statements = _statements(item)
        return bool(statements) and all(
            isinstance(s, Mapping) and {"criterion", "points"} <= set(s) for s in statements
        )

    def criteria(self, item: Any) -> list[Written]:
        """One criterion per statement, in order."""
        found = []
        for number, statement in enumerate(_statements(item)):
            text = text_field(statement, "criterion", f"rubrics[{number}]")
            points = number_field(statement, "points", f"rubrics[{number}]")
            if points:
                found.append((text, points))
        if not any(points > 0 for _, points in found):
            raise SpecError(
                Fault(
                    "no statement has positive points, so nothing can be earned and the reward is undefined",
                    field="rubrics",
                    fix="add a statement with positive points",
                )
            )
        ids = unique(slug(text) for text, _ in found)
        return [
            {"id": name, "ask": QUESTION + text, "scale": "binary", "weight": points}
            for name, (text, points) in zip(ids, found, strict=True)
        ]

    def settings(self, item: Any | None) -> Written:
        """Points are added, not averaged."""
        return {
            "description": "Signed points: earned points over the positive ones, clipped to [0, 1].",
            "reward": {"aggregate": "points"},
        }

    def row(self, item: Any) -> Written:
        """The reference completion is left out: this format judges without one."""
        if not isinstance(item, Mapping):
            return {}
        return present(
            id=first_of(item, "prompt_id", "id"),
            prompt=item.get("prompt"),
            response=first_of(item, "response", "completion"),
            example_tags=item.get("example_tags"),
        )


def _statements(item: Any) -> Sequence[Any]:
    if isinstance(item, Mapping):
        item = first_of(item, "rubrics", "rubric")
    return item if isinstance(item, list) else []
