"""A sample: one thing to judge, as it comes from a row of input.

    >>> Sample.from_row({"prompt": "2+2?", "response": "4", "reference": 4}).reference
    ('4',)

Rows are data from outside: every wrong type is named with its field, and nothing is guessed.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genrm.errors import InputError, SpecError, excerpt
from genrm.specs.criterion import Criterion
from genrm.specs.load import build_criteria

KNOWN_FIELDS = frozenset(
    {"id", "prompt", "response", "responses", "chosen", "rejected", "reference", "context", "criteria"}
)
ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation that is judged or precedes what is judged."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to judge.

    Attributes:
        response: what is judged; never without any visible character.
        prompt: what it answers: turns of a conversation, a single user turn for a plain string, or none.
        reference: accepted answers; any of them counts as right.
        context: material the response should rest on.
        criteria: criteria of this sample alone, added to those of the rubric.
        id: names the sample in the output; also seeds its votes.
        metadata: every other field of the row, untouched.
    """

    response: str
    prompt: tuple[Turn, ...] = ()
    reference: tuple[str, ...] = ()
    context: str | None = None
    criteria: tuple[Criterion, ...] = ()
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, default_id: str = "") -> Sample:
        """A sample from an input row.

        Raises:
            InputError: a field is missing or has the wrong type; the message names it and the fix.
        """
        if "responses" in row or "chosen" in row or "rejected" in row:
            several = next(name for name in ("responses", "chosen", "rejected") if name in row)
            raise InputError(
                f"field {several!r}: this rubric judges one response at a time; give each its own row with 'response'"
            )
        if "response" not in row:
            raise InputError(
                f"field 'response' is missing (fields here: {', '.join(sorted(map(str, row))) or 'none'}); "
                "map another name with --field response=NAME"
            )
        response = _text_of("response", row["response"])
        if not any(unicodedata.category(char)[0] not in "ZC" for char in response):
            raise InputError("field 'response' is empty or shows nothing; there is nothing to judge")
        context = row.get("context")
        return cls(
            response=response,
            prompt=_turns(row.get("prompt")),
            reference=_references(row.get("reference")),
            context=None if context is None else _text_of("context", context),
            criteria=_criteria(row.get("criteria")),
            id=_identifier(row.get("id"), default_id),
            metadata={key: value for key, value in row.items() if key not in KNOWN_FIELDS},
        )


def _identifier(value: Any, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"field 'id': a text or a whole number is needed, found {excerpt(value)}")
    return str(value)


def _turns(value: Any) -> tuple[Turn, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (Turn("user", value),)
    if isinstance(value, Sequence):
        return tuple(_turn(f"prompt[{index}]", item) for index, item in enumerate(value))
    raise InputError(f"field 'prompt': a text or a list of chat messages is needed, found {excerpt(value)}")


def _turn(name: str, item: Any) -> Turn:
    if not isinstance(item, Mapping) or "role" not in item or "content" not in item:
        raise InputError(f'field {name!r}: a message {{"role": …, "content": …}} is needed, found {excerpt(item)}')
    if not isinstance(item["role"], str) or item["role"] not in ROLES:
        raise InputError(
            f"field '{name}.role': one of {', '.join(sorted(ROLES))} is needed, found {excerpt(item['role'])}"
        )
    if item["content"] is None and item.get("tool_calls"):
        # What an assistant says that only calls tools.
        return Turn(item["role"], json.dumps(item["tool_calls"], ensure_ascii=False, default=repr))
    return Turn(item["role"], _content(f"{name}.content", item["content"]))


def _text_of(name: str, value: Any) -> str:
    """A plain text, or the text of chat messages (the form in which trainers hand completions over)."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and value and all(isinstance(item, Mapping) for item in value):
        turns = [_turn(f"{name}[{index}]", item) for index, item in enumerate(value)]
        if len(turns) == 1:
            return turns[0].text
        return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)
    raise InputError(f"field {name!r}: a text or a list of chat messages is needed, found {excerpt(value)}")


def _content(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        texts = []
        for index, part in enumerate(value):
            if not isinstance(part, Mapping) or part.get("type") != "text" or not isinstance(part.get("text"), str):
                raise InputError(
                    f"field '{name}[{index}]': only text parts can be judged so far, found {excerpt(part)}"
                )
            texts.append(part["text"])
        return "\n".join(texts)
    raise InputError(f"field {name!r}: a text or a list of content parts is needed, found {excerpt(value)}")


def _references(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, (list, tuple)) else [value]
    texts = []
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (str, int, float)):
            raise InputError(f"field 'reference': a text, a number or a list of them is needed, found {excerpt(item)}")
        texts.append(str(item))
    if not any(text.strip() for text in texts):
        raise InputError("field 'reference' is empty; leave it out or give the accepted answer")
    return tuple(texts)


def _criteria(value: Any) -> tuple[Criterion, ...]:
    if value is None:
        return ()
    try:
        return build_criteria(value)
    except SpecError as error:
        faults = [str(fault) for fault in error.faults]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise InputError(f"field {faults[0]}{more}") from None
