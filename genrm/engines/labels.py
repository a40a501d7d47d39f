"""Score slots: the probability of each label as a whole, from the probabilities of the tokens that tell labels apart.

    >>> tree = LabelTree(("1", "10"), spell=lambda text: tuple(map(ord, text)), close=(34,))
    >>> [(branch.prefix, branch.edges) for branch in tree.branches]
    [((), ((49,),)), ((49,), ((34,), (48,)))]
    >>> p, outside = tree.distribution([[math.log(0.5)], [math.log(0.1), math.log(0.3)]])
    >>> round(p["10"], 6), outside
    (0.75, 0.5)

The labels' token sequences, each ended by the closing quote, form a tree. Only where it branches does the model have
a choice: there the probabilities of the branches are read, at temperature 1, and renormalised; a label's probability
is the product along its path. So "1" and "10" are told apart by what follows the "1", and "tie" and "tied" likewise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genrm.errors import EngineError

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A place where the model's probabilities are asked for.

    Attributes:
        prefix: tokens of the label up to there; empty at the slot itself.
        edges: the ways on; each is the set of tokens that take it.
    """

    prefix: Tokens
    edges: tuple[Tokens, ...]


class LabelTree:
    """The tree of a slot's labels.

    Args:
        labels: plain text.
        spell: tokens of a text.
        close: the tokens that end a label: those that begin with the closing quote and go on as the output does.
    """

    def __init__(self, labels: Sequence[str], spell: Callable[[str], Tokens], close: Tokens) -> None:
        self.tokens = {label: tuple(spell(json_body(label))) for label in labels}
        paths: dict[str, tuple[Tokens, ...]] = {
            label: (*((token,) for token in tokens), close) for label, tokens in self.tokens.items()
        }
        edges: dict[tuple[Tokens, ...], list[Tokens]] = {}
        for path in paths.values():
            for depth, edge in enumerate(path):
                ways = edges.setdefault(path[:depth], [])
                if edge not in ways:
                    ways.append(edge)
        # The slot itself is always read, for the probability mass outside the labels.
        asked = [node for node, ways in edges.items() if len(ways) > 1 or not node]
        self.branches = tuple(Branch(tuple(edge[0] for edge in node), tuple(edges[node])) for node in asked)
        places = {node: index for index, node in enumerate(asked)}
        self._steps = {
            label: [
                (places[path[:depth]], edges[path[:depth]].index(edge))
                for depth, edge in enumerate(path)
                if path[:depth] in places
            ]
            for label, path in paths.items()
        }

    def distribution(self, masses: Sequence[Sequence[float]]) -> tuple[dict[str, float], float]:
        """Probability per label, summing to 1, and the mass in [0, 1] that the model put outside them.

        Args:
            masses: natural logarithm of the probability of every edge, branch by branch.

        Raises:
            EngineError: the model gave no finite probabilities.
        """
        shares = [_normalised(branch) for branch in masses]
        weights = {
            label: math.exp(sum(shares[branch][edge] for branch, edge in steps)) for label, steps in self._steps.items()
        }
        total = sum(weights.values())
        outside = 1.0 - math.exp(min(0.0, _log_sum(masses[0])))
        return {label: weight / total for label, weight in weights.items()}, min(1.0, max(0.0, outside))


def json_body(text: str) -> str:
    """A text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def log_mass(values: Sequence[float]) -> float:
    """Logarithm of the sum of probabilities that are given by their logarithms; not finite where the largest is not."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values)) if math.isfinite(top) else top


def _log_sum(values: Sequence[float]) -> float:
    total = log_mass(values)
    if not math.isfinite(total):
        raise EngineError("the model gives no finite probabilities at a score slot; try dtype=float32", retryable=False)
    return total


def _normalised(values: Sequence[float]) -> list[float]:
    total = _log_sum(values)
    return [value - total for value in values]
