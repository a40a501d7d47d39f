"""BiGGen-Bench and Prometheus items: one question with a description of each score from 1 to 5.

    {"input": …, "reference_answer": …, "response": …,
     "score_rubric": {"criteria": …, "score1_description": …, …, "score5_description": …}}

becomes one Likert criterion ``quality`` with these anchors. The flat field names of the Feedback Collection
(``orig_criteria``, ``orig_score1_description``, ``orig_instruction`` …) and a bare ``score_rubric`` are read too.
"Prometheus: Inducing Fine-grained Evaluation Capability in Language Models" introduced the form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from genrm.errors import Fault, SpecError
from genrm.specs.importers.base import Written, first_of, present, text_field

_ANCHOR = re.compile(r"score(\d{1,2})_description")


class BiggenImporter:
    """Score rubrics with a description per score."""

    name = "biggen"
    about = "BiGGen-Bench / Prometheus score rubric: criteria and score1..5_description"

    def matches(self, item: Any) -> bool:
        """True for an item with ``score_rubric``, or with its keys at the top."""
        rubric = _score_rubric(item)
        return "criteria" in rubric and any(_ANCHOR.fullmatch(key) for key in rubric)

    def criteria(self, item: Any) -> list[Written]:
        """One criterion; its scale has as many points as there are descriptions."""
        rubric = _score_rubric(item)
        points = sorted(int(match[1]) for key in rubric if (match := _ANCHOR.fullmatch(key)))
        if points != list(range(1, len(points) + 1)) or len(points) < 2:
            raise SpecError(
                Fault(
                    f"there are descriptions of the scores {points}",
                    field="score_rubric",
                    fix="describe every score from 1 to the highest",
                )
            )
        anchors = {point: text_field(rubric, f"score{point}_description", "score_rubric") for point in points}
        ask = text_field(rubric, "criteria", "score_rubric")
        return [{"id": "quality", "ask": ask, "scale": {"likert": len(points), "anchors": anchors}}]

    def settings(self, item: Any | None) -> Written:
        """Only a description: one criterion needs no aggregation."""
        return {"description": "Quality from 1 to 5 by the descriptions that come with the item."}

    def row(self, item: Any) -> Written:
        """A system prompt becomes the first message of the prompt."""
        prompt = first_of(item, "input", "orig_instruction", "instruction")
        system = item.get("system_prompt")
        if isinstance(prompt, str) and isinstance(system, str) and system.strip():
            prompt = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        return present(
            id=first_of(item, "id", "idx"),
            prompt=prompt,
            response=first_of(item, "response", "orig_response"),
            reference=first_of(item, "reference_answer", "orig_reference_answer"),
            capability=item.get("capability"),
            task=item.get("task"),
        )


def _score_rubric(item: Any) -> Mapping[str, Any]:
    """The keys of the score rubric, wherever the item has them; empty when it has none."""
    if not isinstance(item, Mapping):
        return {}
    inner = item.get("score_rubric", item)
    if not isinstance(inner, Mapping):
        return {}
    return {str(key).removeprefix("orig_"): value for key, value in inner.items()}
