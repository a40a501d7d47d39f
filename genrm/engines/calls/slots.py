"""The label distribution at a score slot, from the tokens of a reply and their alternatives.

    >>> tokens = (Token(b"yes", -0.2, ((b"yes", math.log(0.8)), (b"no", math.log(0.2)))), Token(b'"}', 0.0))
    >>> gather(tokens, spellings(("no", "yes"))).reading(masked=True).p
    {'no': 0.2, 'yes': 0.8}

Tokens are bytes: one may hold the quote before a label, the quote behind it, a part of a label or half a character.
So probabilities are added up along the path that was written, over a tree of the bytes that each label can be spelled
by: at every token of the slot, the alternatives that lead to one label only count for that label, and the token that
was written leads on to the next place.

What cannot be known is not made up. An alternative that was not written and still leads to several labels ("1", of 1
and 10) is a :class:`Fork`: more calls can settle it. What lies beyond the alternatives that were shown has to be
negligible, or there is no distribution.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from genrm.engines.base import SlotReading
from genrm.engines.calls.call import Token

MASKED = -1000.0
"""Log-probabilities below this are those of tokens that a grammar forbids; some servers write -9999 for -inf."""

NEGLIGIBLE = 1e-3
"""Share of the labels' probability that may be unaccounted for in a distribution."""

QUOTE = b'"'

HALF = "\N{REPLACEMENT CHARACTER}".encode()
"""What servers that show no bytes show for a token that is no whole character: any such token."""


class Spellings:
    """The byte strings that stand for the labels of a slot in an output, each with its closing quote.

    A grammar of a schema leaves open which characters are escaped, so both usual forms count.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._whole: dict[bytes, str] = {}
        self._begun: dict[bytes, set[str]] = {}
        for label in labels:
            for ascii_only in (False, True):
                body = json.dumps(label, ensure_ascii=ascii_only)[1:].encode()
                self._whole[body] = label
                for end in range(len(body) + 1):
                    self._begun.setdefault(body[:end], set()).add(label)
        self._lengths = sorted({len(body) for body in self._whole})

    def reached(self, text: bytes) -> frozenset[str]:
        """The labels that an output may still say, or has said, when ``text`` stands behind the opening quote."""
        begun = self._begun.get(text)
        if begun is not None:
            return frozenset(begun)
        ended = next((label for n in self._lengths if (label := self._whole.get(text[:n])) is not None), None)
        return frozenset() if ended is None else frozenset((ended,))

    def spelled(self, text: bytes) -> str | None:
        """The label that ``text`` spells in whole, without the closing quote."""
        return self._whole.get(text + QUOTE)


@lru_cache(maxsize=1024)
def spellings(labels: tuple[str, ...]) -> Spellings:
    """The spellings of these labels."""
    return Spellings(labels)


@dataclass(frozen=True, slots=True)
class Fork:
    """An alternative that was not written and leads to several labels.

    Attributes:
        done: the bytes of the label up to and including it.
        mass: its probability.
        labels: where it may lead.
    """

    done: bytes
    mass: float
    labels: frozenset[str]


@dataclass(slots=True)
class Sums:
    """Probability masses at one slot, as far as the shown alternatives tell them.

    Attributes:
        masses: per label; those that no alternative leads to are missing.
        forks: what is still to be split.
        total: the mass of all ways on from where the slot begins, 1 unless the slot begins behind a written token.
        hidden: the mass beyond the alternatives that were shown.
        unseen: upper bound of the mass of labels that no shown alternative leads to.
        stray: the mass of alternatives that lead to no label; a grammar that is masked leaves none.
    """

    labels: tuple[str, ...]
    masses: dict[str, float] = field(default_factory=dict)
    forks: list[Fork] = field(default_factory=list)
    total: float = 1.0
    hidden: float = 0.0
    unseen: float = 0.0
    stray: float = 0.0

    def add(self, label: str, mass: float) -> None:
        """More mass for a label."""
        self.masses[label] = self.masses.get(label, 0.0) + mass

    def settle(self, fork: Fork, p: Mapping[str, float]) -> None:
        """Split a fork by the distribution over its labels."""
        self.forks.remove(fork)
        for label, share in p.items():
            self.add(label, fork.mass * share)

    def take_whole(self, labels: Spellings) -> None:
        """Take an alternative that spells a label for that label, where the longer ones have tokens of their own.

        A tokenizer that spells 10 by one token makes a model write 10 by that token: then 1 is 1. It is an assumption,
        so it is for where nothing better can be had.
        """
        for fork in self.open:
            label = labels.spelled(fork.done)
            if label is not None and all(other in self.masses for other in fork.labels - {label}):
                self.settle(fork, {label: 1.0})

    @property
    def slack(self) -> float:
        """The mass that may be unaccounted for."""
        return NEGLIGIBLE * (sum(self.masses.values()) + sum(fork.mass for fork in self.forks))

    @property
    def open(self) -> list[Fork]:
        """The forks that matter, largest first: without them, what is left is negligible."""
        forks, left = sorted(self.forks, key=lambda fork: fork.mass), self.slack
        while forks and forks[0].mass <= left:
            left -= forks.pop(0).mass
        return forks[::-1]

    def complete(self, *, masked: bool) -> bool:
        """Whether the shown alternatives account for all that the labels can have, apart from open forks."""
        return (self.hidden if self._masked(masked) else min(self.hidden, self.unseen)) <= self.slack

    def _masked(self, said: bool) -> bool:
        # Alternatives that no grammar would allow give a server away that masks nothing, whatever is said of it.
        return said and self.stray <= self.slack

    def reading(self, *, masked: bool) -> SlotReading | None:
        """The distribution in the order of the labels; None where too much of it is not known.

        Args:
            masked: the probabilities are conditional on what a grammar allows, so the mass outside is not known.
        """
        shown = sum(self.masses.values())
        if not shown > 0 or self.open or not self.complete(masked=masked):
            return None
        p = {label: self.masses.get(label, 0.0) / shown for label in self.labels}
        outside = None if self._masked(masked) or not self.total > 0 else min(1.0, max(0.0, 1.0 - shown / self.total))
        return SlotReading(p, outside)


def gather(tokens: Iterable[Token], labels: Spellings, *, lead: int = 0, done: bytes = b"") -> Sums:
    """Add up what the tokens from a slot on show.

    Args:
        tokens: from the first that ends at or behind the beginning of the slot.
        lead: bytes of the first token that stand before the slot.
        done: bytes of the label that stand before the first token, where one was begun for the model.
    """
    sums, weight = Sums(labels.labels), 1.0
    for token in tokens:
        shown = alternatives(token)
        if lead:
            rest = _cross(sums, token, shown, labels, lead)
            said, weight = token.data[lead:], shown.get(token.data, 0.0)
            lead = 0
            if rest:
                continue
        else:
            said = done + token.data
            # Behind the first bytes of a label the distribution is over what the labels leave open.
            ways = weight / _legal(shown, labels, done) if done else weight
            _branch(sums, token, shown, labels, done, ways)
            weight = ways * shown.get(token.data, 0.0)
        reached = labels.reached(said)
        if len(reached) == 1:
            sums.add(next(iter(reached)), weight)
        if len(reached) < 2:
            return sums
        done = said
    sums.forks.append(Fork(done, weight, labels.reached(done)))
    return sums


def alternatives(token: Token) -> dict[bytes, float]:
    """Probability per spelling at the place of a token, the token itself included, forbidden ones left out."""
    shown: dict[bytes, float] = {}
    for data, logprob in token.top:
        if logprob > MASKED:
            shown[data] = shown.get(data, 0.0) + math.exp(logprob)
    if token.data not in shown and token.logprob > MASKED:
        shown[token.data] = math.exp(token.logprob)
    return shown


def at_slot(tokens: Sequence[tuple[int, Token]], start: int) -> tuple[list[Token], int] | None:
    """The tokens from where a slot begins, and the bytes of the first one before it; None where they are not known.

    Args:
        tokens: with the place of each in the output, in bytes, in order.
        start: of the slot.
    """
    for index, (place, token) in enumerate(tokens):
        if token.data and place + len(token.data) >= start:
            return ([item for _, item in tokens[index:] if item.data], start - place) if place <= start else None
    return None


def _legal(shown: Mapping[bytes, float], labels: Spellings, done: bytes) -> float:
    return sum(p for data, p in shown.items() if data and labels.reached(done + data)) or 1.0


def _branch(
    sums: Sums, token: Token, shown: Mapping[bytes, float], labels: Spellings, done: bytes, weight: float
) -> None:
    """Count the alternatives to a token inside a label; the token itself is followed by the caller."""
    possible, seen = labels.reached(done), set[str]()
    for data, p in shown.items():
        reached = labels.reached(done + data) if data else frozenset[str]()
        seen |= reached
        if data != token.data:
            _count(sums, done + data, weight * p, reached)
    _bound(sums, shown, weight, len(possible - seen))


def _cross(sums: Sums, token: Token, shown: Mapping[bytes, float], labels: Spellings, lead: int) -> bool:
    """Count the alternatives at a token that begins before the slot; True when it ends where the slot begins.

    Other spellings of what stands before the slot are no choice of a label: the distribution is conditional on the
    spelling that was written, and only tokens that run into the slot compete with it.
    """
    before, ends = token.data[:lead], len(token.data) == lead
    sums.total = shown.get(token.data, 0.0)
    seen: set[str] = set(labels.labels) if ends else set(labels.reached(token.data[lead:]))
    for data, p in shown.items():
        if data == token.data:
            continue
        if data.startswith(before) and len(data) > lead:
            reached = labels.reached(data[lead:])
            seen |= reached
            sums.total += p
            _count(sums, data[lead:], p, reached)
        elif not ends and data and before.startswith(data):
            # It leads to the slot by another way, and nothing here shows how it goes on from there.
            sums.total += p
            sums.forks.append(Fork(b"", p, frozenset(labels.labels)))
    if not ends:
        _bound(sums, shown, 1.0, len(set(labels.labels) - seen))
    return ends


def _count(sums: Sums, done: bytes, mass: float, reached: frozenset[str]) -> None:
    if len(reached) == 1:
        sums.add(next(iter(reached)), mass)
    elif reached:
        sums.forks.append(Fork(done, mass, reached))
    elif HALF in done:
        sums.hidden += mass
        sums.unseen += mass
    else:
        sums.stray += mass


def _bound(sums: Sums, shown: Mapping[bytes, float], weight: float, missing: int) -> None:
    hidden = weight * max(0.0, 1.0 - sum(shown.values()))
    # Alternatives are shown likeliest first, so what is not shown is less likely than the last that is.
    sums.hidden += hidden
    sums.unseen += min(hidden, missing * weight * min(shown.values(), default=1.0))
