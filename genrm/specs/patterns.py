"""Regular expressions of a rubric: compiled within bounds, because a row may bring its own.

    >>> compile_pattern("^answer: .+", "im").search("Answer: 4") is not None
    True
    >>> expanded_size("a{3}(b{10}c){100}")
    1103

Compiling expands counted repeats, so a short expression can ask for gigabytes; matching is stopped by time, but not
at every point. Both are refused here, before anything is compiled.
"""

from __future__ import annotations

import re
from typing import Any

MAX_PATTERN = 2_000
"""Characters of an expression."""
MAX_EXPANDED = 100_000
"""Atoms that an expression may expand to."""

_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|\{\d*,?\d*\}|.", re.DOTALL)


def compile_pattern(pattern: str, flags: str) -> Any:
    """The compiled ``regex.Pattern``.

    The ``regex`` package reads the syntax of ``re`` and, unlike it, can be stopped: a rubric's expression runs over
    text that somebody else wrote.

    Raises:
        ValueError: the expression is too long, or its counted repeats expand too far.
        regex.error: it is broken.
    """
    import regex

    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"has {len(pattern):,} characters, at most {MAX_PATTERN:,} are allowed")
    if (size := expanded_size(pattern)) > MAX_EXPANDED:
        raise ValueError(f"its repeats expand to {size:,} atoms, at most {MAX_EXPANDED:,} are allowed; repeat less")
    mask = regex.VERSION0
    for flag in flags:
        mask |= getattr(regex, flag.upper())
    return regex.compile(pattern, mask)


def expanded_size(pattern: str) -> int:
    """Atoms of an expression when every counted repeat is written out; an estimate that is never far too low."""
    groups = [0]
    last = 0
    for match in _ATOM.finditer(pattern):
        token = match[0]
        if token == "(":
            groups.append(0)
            last = 0
        elif token == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif len(token) > 2 and token[0] == "{":
            times = max((int(number) for number in re.findall(r"\d+", token)), default=1)
            groups[-1] += last * (max(times, 1) - 1)
            last *= max(times, 1)
        else:
            last = 1
            groups[-1] += 1
    return sum(groups)
