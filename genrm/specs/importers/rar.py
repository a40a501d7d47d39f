"""Rubrics-as-Rewards items: a checklist of {title, description, weight} in four categories.

    {"question": …, "reference_answer": …,
     "rubric": [{"title": …, "description": "Essential Criteria: …", "weight": 5},
                {"title": …, "description": "Pitfall Criteria: …", "weight": -1}, …]}

becomes yes-or-no criteria under a weighted mean ("Rubrics as Rewards: Reinforcement Learning Beyond Verifiable
Domains"):

* an item with a category gets the paper's category weight (essential 1.0, important 0.7, optional 0.3, pitfall
  0.9) in place of its stated number, of which only the sign counts;
* an item without a category keeps its stated weight;
* a negative weight says that the text describes a *fault*, a positive one that it describes something to be wished:
  so a pitfall with a negative weight counts −0.9 when its text is true, and a pitfall that is worded as its
  avoidance ("avoids …", weight positive or not stated) counts +0.9.

The category is read from a field ``category``, ``kind`` or ``importance``, or from the start of the description,
which is then taken off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from genrm.specs.criterion import KIND_WEIGHTS
from genrm.specs.importers.base import Written, first_of, number_field, present, slug, text_field, unique
from genrm.specs.importers.healthbench import QUESTION

_CATEGORY = re.compile(r"^\s*(essential|important|optional|pitfall)(?:\s+criteri(?:a|on))?\s*:\s*", re.IGNORECASE)


class RarImporter:
    """Checklists with categories."""

    name = "rar"
    about = "Rubrics-as-Rewards checklist: a list of {title, description, weight} with categories"

    def matches(self, item: Any) -> bool:
        """True for a checklist, or for an item that has one under ``rubric``, ``rubrics`` or ``rubric_list``."""
        entries = _entries(item)
        return bool(entries) and all(
            isinstance(entry, Mapping) and "description" in entry and {"weight", "category", "kind"} & set(entry)
            for entry in entries
        )

    def criteria(self, item: Any) -> list[Written]:
        """One criterion per entry, in order; an entry of weight 0 without a category is left out."""
        found = [_entry(entry, f"rubric[{number}]") for number, entry in enumerate(_entries(item))]
        kept = [criterion for criterion in found if criterion.get("weight") != 0]
        for criterion, name in zip(kept, unique(criterion["id"] for criterion in kept), strict=True):
            criterion["id"] = name
        return kept

    def settings(self, item: Any | None) -> Written:
        """The paper's explicit aggregation: a weighted mean of the answers."""
        return {
            "description": "A checklist; the reward is the weighted mean of its answers.",
            "reward": {"aggregate": "weighted_mean"},
        }

    def row(self, item: Any) -> Written:
        """The question is the prompt."""
        if not isinstance(item, Mapping):
            return {}
        return present(
            id=first_of(item, "id", "question_id", "uid"),
            prompt=first_of(item, "question", "prompt"),
            response=first_of(item, "response", "completion"),
            reference=first_of(item, "reference_answer", "reference"),
        )


def _entry(entry: Mapping[str, Any], place: str) -> Written:
    text = text_field(entry, "description", place)
    category = first_of(entry, "category", "kind", "importance")
    prefix = _CATEGORY.match(text)
    if prefix:
        category = category or prefix[1]
        text = text[prefix.end() :]
    kind = _CATEGORY.match(f"{category}:")
    title = entry.get("title")
    criterion: Written = {"id": slug(title if isinstance(title, str) and title else text), "ask": QUESTION + text}
    weight = number_field(entry, "weight", place) if entry.get("weight") is not None or not kind else None
    if not kind:
        return criterion | {"weight": weight}
    name = kind[1].lower()
    criterion["kind"] = name
    if weight is not None and weight < 0:
        criterion["weight"] = -KIND_WEIGHTS[name]  # type: ignore[index]  # the pattern allows the four kinds only
    return criterion


def _entries(item: Any) -> Sequence[Any]:
    if isinstance(item, Mapping):
        item = first_of(item, "rubric", "rubrics", "rubric_list")
    # Columns of a table often hold the list as JSON text.
    if isinstance(item, str) and item.lstrip().startswith("["):
        try:
            item = json.loads(item)
        except ValueError:
            return []
    return item if isinstance(item, list) else []
