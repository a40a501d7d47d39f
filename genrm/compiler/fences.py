"""Fence codes: what marks where judged material begins and ends, such that no text can forge its own end.

    >>> codes = fence_codes(("system message", "2+2?"), "It is 4.")
    >>> len(codes.shared), codes.shared != codes.response
    (16, True)

A code is a hash over everything up to the end of its fence, the fenced text included. So the same input gives the
same prompt, all responses to one prompt share every byte before their own fence, and whoever writes a text would
have to write the hash of that text into it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DIGITS = 16


@dataclass(frozen=True, slots=True)
class Codes:
    """The two codes of a prompt, 16 hexadecimal digits each.

    Attributes:
        shared: of what all responses to a prompt have in common; occurs in none of the shared texts.
        response: of the response; occurs in no text at all.
    """

    shared: str
    response: str

    def masked(self, response: str) -> str:
        """The response with the shared code broken up, should its author know the rest of the prompt and compute it."""
        if self.shared not in response.lower():
            return response
        return re.sub(self.shared, lambda match: match[0][:8] + "·" + match[0][8:], response, flags=re.IGNORECASE)


def fence_codes(shared: Sequence[str], response: str) -> Codes:
    """The codes of a prompt.

    Args:
        shared: every text before the response, in order: the rendered rubric, prompt, context, references.
        response: the judged text.
    """
    first = _code("shared", shared)
    return Codes(first, _code("response", (*shared, first, response)))


def _code(part: str, texts: Sequence[str]) -> str:
    attempt = 0
    while True:
        code = _digest((part, str(attempt), *texts))[:DIGITS]
        if not any(code in text for text in texts):
            return code
        attempt += 1


def _digest(texts: Iterable[str]) -> str:
    """SHA-256 over texts, each with its length, so that moving a border between two changes the hash."""
    digest = hashlib.sha256(b"genrm fence 1")
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
