"""The part of ``math`` that runs in a process of its own. Imported there only (see ``bounded``)."""

from __future__ import annotations

import logging
import re
from typing import Any

from math_verify import parse, verify

from genrm.checks.match import reference_answer, shown
from genrm.checks.numbers import parse_number

# The process has a deadline of its own; math-verify's warning about the missing one would come with every start.
logging.getLogger("math_verify").setLevel(logging.ERROR)

# A response that may be nothing but an expression: one short line with a letter or a command, and no equation.
_BARE = re.compile(r"(?=.*[A-Za-z\\])[^=:\r\n]{1,200}")
_ANCHORED = re.compile(r"\$|\\boxed|\\\(|\\\[")
_COMMAND = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
# Two letters may be a product, as in 2xy, unless they are these.
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:an|as|at|be|by|he|if|in|is|it|my|no|of|on|so|to|up|us|we)\b", re.IGNORECASE)
_FUNCTIONS = "sin cos tan cot sec csc log exp sqrt max min mod gcd lcm inf and"


def run(payload: dict[str, Any]) -> dict[str, Any]:
    """Compare; gives ``readable`` (a reference parses), ``equal``, and ``found`` (the answer, None without one)."""
    references = [parsed for text in payload["references"] if (parsed := parse_reference(text))]
    if not references:
        return {"readable": False, "equal": False, "found": None}
    answer = parse_response(payload["response"])
    # Each side is [expression, its source text]; where the expression did not parse, only the text is left.
    equal = any(
        verify(reference, answer, float_rounding=payload["precision"], timeout_seconds=None) for reference in references
    )
    return {"readable": True, "equal": equal, "found": str(answer[-1]) if answer else None}


def parse_response(text: str) -> list[Any]:
    """The final answer of a response as math-verify's list of candidates; empty when it finds none.

    Prose is searched for it. Of a response that is nothing but an expression, such as ``x^2+1``, all is read.
    """
    bare = text.strip()
    whole = parse_reference(bare) if _BARE.fullmatch(bare) and not _ANCHORED.search(bare) else []
    return whole or _parse(text)


def parse_reference(text: str) -> list[Any]:
    """A reference as math-verify's list of candidates; empty when it is no mathematics.

    math-verify looks for expressions inside prose: of a bare ``x^2+1`` it would read ``2+1``. So the reference as a
    whole is marked as mathematics first, and prose is refused.
    """
    answer = reference_answer(text)
    quantity = parse_number(answer)
    if quantity is not None:
        # Units are no part of the comparison, except the percent sign, which scales.
        number = shown(type(quantity)(quantity.value))
        return _parse(f"{number}%" if quantity.unit == "%" else number)
    if not answer or any(word.lower() not in _FUNCTIONS.split() for word in _WORD.findall(_COMMAND.sub(" ", answer))):
        return []
    parsed = _parse(answer if _ANCHORED.search(answer) else f"${answer}$")
    return parsed if any(not isinstance(item, str) for item in parsed) else []


def _parse(text: str) -> list[Any]:
    return list(parse(text, parsing_timeout=None))
