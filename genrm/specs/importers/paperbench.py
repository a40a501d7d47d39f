"""PaperBench trees: a requirement, its weight among its siblings, and the requirements that it consists of.

    {"id": …, "requirements": …, "weight": 1, "sub_tasks": [{…}, …]}

becomes nested criteria: leaves are yes-or-no questions, an inner node's score is the weighted mean of its children,
and the rubric itself is the root ("PaperBench: Evaluating AI's Ability to Replicate AI Research"). The text of every
node stands in its ``ask``; ids come from the tree, so scores can be carried between the two.

What weights of 0 mean follows from the mean Σ w·s / Σ w. A node of weight 0 adds 0 above and below the line: it and
all below it are left out, and no score changes. Where *all* children have weight 0 the mean is 0/0; their parent is
then kept as a leaf and asked by its own text, for a score that nobody judged would be made up. The weight of the
root has no siblings to compare with and is not read. Negative weights do not occur in the format and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from genrm.errors import Fault, SpecError
from genrm.specs.criterion import ID_PATTERN
from genrm.specs.importers.base import Written, number_field, present, text_field

QUESTION = "Is this requirement met? "
MAX_LEVELS = 28


class PaperbenchImporter:
    """Weighted requirement trees."""

    name = "paperbench"
    about = "PaperBench tree: requirements, weight and sub_tasks"

    def matches(self, item: Any) -> bool:
        """True for a node with requirements and sub_tasks."""
        return isinstance(item, Mapping) and {"requirements", "sub_tasks"} <= set(item)

    def criteria(self, item: Any) -> list[Written]:
        """The children of the root; the root itself when it has none that count."""
        taken: set[str] = set()
        children = list(_counting_children(item, "root"))
        if not children:
            return [_leaf(item, _take(item, "1", taken), "root")]
        return [_node(child, f"{number}", 2, taken) for number, child in children]

    def settings(self, item: Any | None) -> Written:
        """The root's requirement describes the rubric."""
        about = text_field(item, "requirements", "root") if item is not None else "A tree of requirements."
        return {"description": about, "ask": "separate", "reward": {"aggregate": "weighted_mean"}}

    def row(self, item: Any) -> Written:
        """A tree has no prompt; the response is the submission, which the tree does not hold."""
        return present(id=item.get("id"))


def _node(node: Mapping[str, Any], path: str, level: int, taken: set[str]) -> Written:
    if level > MAX_LEVELS:
        raise SpecError(Fault(f"the tree has more than {MAX_LEVELS} levels", field=path, fix="flatten it"))
    name = _take(node, path, taken)
    children = list(_counting_children(node, path))
    weight = {"weight": number_field(node, "weight", path)}
    if not children:
        return _leaf(node, name, path) | weight
    ask = text_field(node, "requirements", path)
    inner = [_node(child, f"{path}.{number}", level + 1, taken) for number, child in children]
    return {"id": name, "ask": ask, **weight, "criteria": inner}


def _leaf(node: Mapping[str, Any], name: str, path: str) -> Written:
    category = node.get("task_category")
    about = f"\nKind of requirement: {category}." if isinstance(category, str) and category else ""
    return {"id": name, "ask": QUESTION + text_field(node, "requirements", path) + about, "scale": "binary"}


def _counting_children(node: Mapping[str, Any], path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The children whose weight is not 0, with their number (from 1) among all of them."""
    children = node.get("sub_tasks") or []
    for number, child in enumerate(children if isinstance(children, list) else [children], 1):
        place = f"{path}.sub_tasks[{number - 1}]"
        if not isinstance(child, Mapping):
            raise SpecError(Fault("a node is needed", field=place, fix="write requirements, weight and sub_tasks"))
        weight = number_field(child, "weight", place)
        if weight < 0:
            raise SpecError(
                Fault("a weight of this tree is not negative", field=place, value=f"{weight:g}", fix="make it positive")
            )
        if weight:
            yield number, child


def _take(node: Mapping[str, Any], path: str, taken: set[str]) -> str:
    """A free criterion id: from the tree's own id, else from the node's place."""
    own = node.get("id")
    name = f"n-{own}" if own is not None else f"n{path}"
    if not re.fullmatch(ID_PATTERN, name) or name in taken:
        name = f"n{path}"
    taken.add(name)
    return name
