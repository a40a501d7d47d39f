"""Checks of the response's text alone: regular expressions, texts to contain, length, code fences, repetition."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from genrm.checks.fences import fenced_blocks, language_name
from genrm.checks.registry import Finding, check, excerpt
from genrm.errors import DeadlineError
from genrm.specs.check import (
    CodeFenceCheck,
    ContainsCheck,
    LengthCheck,
    RegexCheck,
    RepetitionCheck,
)
from genrm.specs.patterns import compile_pattern
from genrm.specs.sample import Sample

REGEX_SECONDS = 1.0

_compiled = lru_cache(maxsize=1024)(compile_pattern)


@check(RegexCheck)
def regex(spec: RegexCheck, sample: Sample) -> Finding:
    """The pattern is found (or matches the whole response); ``negate`` turns the answer round.

    Raises:
        DeadlineError: the search ran longer than ``REGEX_SECONDS``; whether there is a match is not known.
    """
    pattern = _compiled(spec.pattern, spec.flags)
    find: Any = pattern.fullmatch if spec.match == "full" else pattern.search
    try:
        # concurrent=True frees the other threads while a hostile text keeps the search busy.
        match = find(sample.response, timeout=REGEX_SECONDS, concurrent=True)
    except TimeoutError:
        raise DeadlineError(
            f"the regular expression {excerpt(spec.pattern)} ran longer than {REGEX_SECONDS:g} s on this response; "
            "nested repeats such as (a+)+ make that possible",
            retryable=False,
        ) from None
    if match is None:
        where = "The whole response does not match" if spec.match == "full" else "Nothing matches"
        return Finding(spec.negate, f"{where} {excerpt(spec.pattern)}.")
    found = f"{excerpt(match[0])} matches {excerpt(spec.pattern)}"
    return Finding(not spec.negate, f"{found}, which must not occur." if spec.negate else f"{found}.")


@check(ContainsCheck)
def contains(spec: ContainsCheck, sample: Sample) -> Finding:
    """All of ``all``, one of ``any`` and none of ``none`` stand in the response."""

    def has(needle: str) -> bool:
        return (needle.casefold() if spec.ignore_case else needle) in text

    text = sample.response.casefold() if spec.ignore_case else sample.response
    missing = [needle for needle in spec.all if not has(needle)]
    banned = [needle for needle in spec.none if has(needle)]
    if missing:
        return Finding(False, f"The response lacks {_listed(missing)}.")
    if banned:
        return Finding(False, f"The response has {_listed(banned)}, which must not occur.")
    if spec.any and not any(has(needle) for needle in spec.any):
        return Finding(False, f"The response has none of {_listed(spec.any)}.")
    return Finding(True, "The response has the texts it must have and none that it must not have.")


@check(LengthCheck)
def length(spec: LengthCheck, sample: Sample) -> Finding:
    """The number of units lies between ``min`` and ``max``."""
    count = count_units(sample.response, spec.unit)
    name = spec.unit if count != 1 else spec.unit[:-1]
    if spec.max is not None and count > spec.max:
        return Finding(False, f"Found {count} {name}; at most {spec.max} are allowed.")
    if spec.min is not None and count < spec.min:
        return Finding(False, f"Found {count} {name}; at least {spec.min} are needed.")
    return Finding(True, f"Found {count} {name}, which is within the limits.")


def count_units(text: str, unit: str) -> int:
    """How many units a text has.

    Words are separated by blanks (a script without blanks is better measured in characters); characters are code
    points, blanks included; lines are those with anything on them; paragraphs are separated by blank lines.
    """
    match unit:
        case "words":
            return len(text.split())
        case "characters":
            return len(text)
        case "lines":
            return sum(1 for line in text.splitlines() if line.strip())
        case "paragraphs":
            return sum(1 for part in _paragraphs(text) if part)
        case "sentences":
            return sum(_sentences(part) for part in _paragraphs(text))
        case _:
            raise ValueError(f"there is no unit {unit!r}")


def _paragraphs(text: str) -> list[str]:
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    return ["\n".join(part) for part in parts]


# Words whose full stop ends no sentence. "etc." is not among them: it mostly does.
_ABBREVIATIONS = "e.g. i.e. cf. vs. mr. mrs. ms. dr. prof. st. no. fig. eq. approx. jr. sr."
_CLOSERS = "\"'”’»)]}*_`"
_STOPS = (".", "!", "?", "…")
_WIDE_STOPS = re.compile(r"[。！？]+")


def _sentences(paragraph: str) -> int:
    """Sentences of one paragraph: its end ends the last one, with or without a full stop."""
    count, open_ = 0, False
    for word in paragraph.split():
        pieces = _WIDE_STOPS.split(word)
        for index, piece in enumerate(pieces):
            bare = piece.rstrip(_CLOSERS)
            # "1." at the start numbers a list item; "the answer is 1." ends a sentence.
            numbering = not open_ and bare[:-1].isdecimal()
            open_ = open_ or any(map(str.isalnum, piece))
            ends = index < len(pieces) - 1 or (bare.endswith(_STOPS) and not numbering and not _abbreviated(bare))
            if ends and open_:
                count, open_ = count + 1, False
    return count + open_


def _abbreviated(word: str) -> bool:
    bare = word.lstrip("\"'“‘«([{*_`").lower()
    initial = len(bare) == 2 and bare[0].isalpha() and bare != "i."
    return bare.endswith(".") and (initial or bare in _ABBREVIATIONS.split())


@check(CodeFenceCheck)
def code_fence(spec: CodeFenceCheck, sample: Sample) -> Finding:
    """The number of closed fenced blocks (of the language, if one is named) lies in the range."""
    blocks = fenced_blocks(sample.response)
    wanted = language_name(spec.language) if spec.language else None
    count = sum(1 for block in blocks if block.closed and wanted in (None, block.language))
    name = f"{wanted} code block" if wanted else "code block"
    found = f"Found {count} closed {name}{'' if count == 1 else 's'}"
    if any(not block.closed for block in blocks):
        found += " and one fence that is never closed"
    if spec.count.min is not None and count < spec.count.min:
        return Finding(False, f"{found}; at least {spec.count.min} needed.")
    if spec.count.max is not None and count > spec.count.max:
        return Finding(False, f"{found}; at most {spec.count.max} allowed.")
    return Finding(True, f"{found}, as asked.")


@check(RepetitionCheck)
def repetition(spec: RepetitionCheck, sample: Sample) -> Finding:
    """The share of word n-grams that repeat an earlier one is at most ``max``."""
    words = sample.response.lower().split()
    total = len(words) - spec.ngram + 1
    distinct = len({tuple(words[start : start + spec.ngram]) for start in range(total)})
    share = 1 - distinct / total if total > 0 else 0.0
    found = f"{share:.1%} of the {spec.ngram}-word sequences repeat an earlier one"
    return Finding(share <= spec.max, f"{found}; at most {spec.max:.1%} may.")


def _listed(texts: list[str] | tuple[str, ...], limit: int = 5) -> str:
    shown = ", ".join(excerpt(text) for text in texts[:limit])
    return shown if len(texts) <= limit else f"{shown} and {len(texts) - limit} more"
