"""Reading free text by a verdict format: label and critique per criterion, or the reason why there is none.

    >>> from genrm.engines.base import Usage
    >>> from genrm.specs.load_format import load_format
    >>> completion = Completion("Output (b) says \\"Output (a) is better\\", yet Output (b) is better.", Usage())
    >>> read_foreign(load_format("llmbar"), completion, {"better": ("a", "b")})["better"].label
    'b'

Three rules keep a text from saying what its judge did not say. Thinking is cut off before anything is searched, and
thinking without an end leaves nothing. Of several matches the format says which one counts, by default the last, which
stands behind whatever the judge quoted. And an output that a token limit cut has no verdict, unless the format begins
with it: what stands last in a cut text may be a quotation, or a 1 on its way to become a 10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from genrm.compiler.output import FREE_TEXT
from genrm.engines.base import Completion, TextToken
from genrm.errors import EngineError, JudgeError, TruncatedError, UnparseableError, excerpt
from genrm.specs.json_path import value_at
from genrm.specs.patterns import compile_pattern
from genrm.specs.verdict_format import VerdictFormat
from genrm.specs.verdict_parts import Probabilities
from genrm.verdicts.foreign_json import FoundObject, json_objects
from genrm.verdicts.verdict import Verdict

_END_TOKENS = re.compile(r"\s*(?:</s>|<\|(?:im_end|eot_id|end|endoftext|end_of_text|return)\|>|<end_of_turn>)\s*\Z")
"""What some recordings keep of the end of a turn."""

SECONDS = 1.0
"""For one expression over one output: formats are written by hand, outputs by models."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A verdict in a text: what it says, where the whole of it stands, and what its critique is looked up in."""

    said: str
    start: int
    end: int
    item: Any = None


def read_foreign(
    spec: VerdictFormat, completion: Completion, slots: Mapping[str, tuple[str, ...]]
) -> dict[str, Verdict]:
    """One verdict per slot, in order; where there is none, it carries the error.

    Args:
        slots: criterion to the labels of its scale.

    Raises:
        ValueError: the format has one verdict a text, and there are several slots.
    """
    if len(slots) != 1 and not spec.verdict.each:
        raise ValueError(f"a text of format {spec.name} has one verdict; asked for {', '.join(slots)}")
    cut = completion.cut
    try:
        answer = _behind_thinking(spec, completion.text, cut)
        if spec.read is not None:
            ((slot, names),) = slots.items()
            return {slot: _from_tokens(spec, spec.read, completion, slot, names)}
        found = _find(spec, answer, list(slots), cut)
    except JudgeError as error:
        return {slot: Verdict(slot, error=error) for slot in slots}
    verdicts = {}
    for slot, names in slots.items():
        try:
            verdicts[slot] = _verdict(spec, slot, names, answer, found.get(slot), completion)
        except JudgeError as error:
            verdicts[slot] = Verdict(slot, error=error)
    return verdicts


def _verdict(
    spec: VerdictFormat,
    slot: str,
    names: tuple[str, ...],
    answer: str,
    found: _Found | None,
    completion: Completion,
) -> Verdict:
    if found is None:
        return Verdict(slot, error=UnparseableError(f"criterion {slot!r}: the output leaves it out"))
    label = spec.label_of(found.said, names)
    if label is None:
        said = excerpt(found.said)
        return Verdict(slot, error=UnparseableError(f"one of {', '.join(names)} is needed, found {said}"))
    verdict = Verdict(slot, label=label, critique=_critique(spec, answer, found))
    reading = completion.slots.get(slot)
    if reading is None:
        return verdict
    return replace(verdict, p=reading.p, read="label", outside=reading.outside)


def _behind_thinking(spec: VerdictFormat, text: str, cut: bool) -> str:
    """The text behind the last end of thinking.

    Raises:
        TruncatedError, UnparseableError: thinking does not end, or nothing stands behind it.
    """
    for mark in spec.thinking.end:
        text = text.rpartition(mark)[2]
    text = _END_TOKENS.sub("", text)
    # Wherever it stands: a judge that merely speaks of the mark loses a verdict, but none is made up.
    begun = [mark for mark in spec.thinking.start if mark in text]
    if begun:
        raise _none(cut, f"the thinking that {begun[0]} begins does not end")
    if not text.strip():
        raise _none(cut, "the output is empty" if not text else "nothing but blanks stands in the output")
    for pattern in spec.no_verdict:
        if _search(pattern, "", text):
            raise UnparseableError(f"no verdict by the format {spec.name}: {excerpt(text.strip())}", retryable=False)
    return text


def _find(spec: VerdictFormat, answer: str, slots: Sequence[str], cut: bool) -> dict[str, _Found]:
    """The verdict per slot; a slot that an ``each`` format leaves out is missing."""
    found = (_in_json if spec.verdict.json_ else _by_regex)(spec, answer, slots, cut)
    # A first line is complete once another one has begun.
    begun = spec.verdict.place == "first_line" and "\n" in answer.lstrip()
    if cut and not (spec.verdict.open or begun):
        raise TruncatedError(f"the output was cut: …{answer[-60:]!r}")
    return found


def _by_regex(spec: VerdictFormat, answer: str, slots: Sequence[str], cut: bool) -> dict[str, _Found]:
    where = spec.verdict
    start, end = _region(answer, where.place)
    for pattern in where.regex:
        matches = [match for match in _all(pattern, where.flags, answer[start:end]) if match["label"] is not None]
        if where.place == "end":
            matches = [match for match in matches if _shows_nothing(answer[start + match.end() :])]
        if not matches:
            continue
        by_slot: dict[str, list[_Found]] = {}
        for match in matches:
            name = _slot_named(match["criterion"], slots) if where.each else slots[0]
            if name is None:
                continue
            one = _Found(match["label"], start + match.start(), start + match.end())
            by_slot.setdefault(name, []).append(one)
        return {name: _chosen(spec, several) for name, several in by_slot.items()}
    raise _none(cut, f"no verdict of the format {spec.name} in it: …{answer.strip()[-60:]!r}")


def _in_json(spec: VerdictFormat, answer: str, slots: Sequence[str], cut: bool) -> dict[str, _Found]:
    where = spec.verdict
    objects, whole = json_objects(answer)
    if not whole:
        raise _none(cut, f"the output ends inside a JSON object: …{answer[-60:]!r}")
    if where.place == "end":
        objects = [item for item in objects if _shows_nothing(answer[item.end :])]
    holders = [(item, value) for item in objects if (value := _first_value(item, where.json_)) is not None]
    if not holders:
        raise _none(cut, f"no JSON object with {' or '.join(where.json_)} in it: …{answer.strip()[-60:]!r}")
    if not where.each:
        several = [_Found(_text(value), item.start, item.end, item.value) for item, value in holders]
        return {slots[0]: _chosen(spec, several)}
    by_slot: dict[str, list[_Found]] = {}
    for item, value in holders:
        for name, entry in _entries(value, slots).items():
            said = value_at(entry, where.item) if where.item else entry
            if said is not None:
                by_slot.setdefault(name, []).append(_Found(_text(said), item.start, item.end, entry))
    return {name: _chosen(spec, several) for name, several in by_slot.items()}


def _chosen(spec: VerdictFormat, several: list[_Found]) -> _Found:
    """The match that counts.

    Raises:
        UnparseableError: they disagree, and the format takes that for no verdict.
    """
    if spec.verdict.conflict == "none" and len({spec.fold(one.said) for one in several}) > 1:
        said = ", ".join(dict.fromkeys(excerpt(one.said) for one in several))
        raise UnparseableError(f"the output has verdicts that contradict each other: {said}")
    return several[-1 if spec.verdict.match == "last" else 0]


def _entries(value: Any, slots: Sequence[str]) -> dict[str, Any]:
    """What a value holds for each slot: a mapping by name, or a list in order that leaves none out."""
    if isinstance(value, Mapping):
        named = [(slot, entry) for key, entry in value.items() if (slot := _slot_named(str(key), slots)) is not None]
        if len(dict(named)) < len(named):
            raise UnparseableError(f"two names for one criterion: {excerpt(list(value))}")
        return dict(named)
    if isinstance(value, list) and len(value) == len(slots):
        return dict(zip(slots, value, strict=True))
    raise UnparseableError(f"a value for each of {', '.join(slots)} is needed, found {excerpt(value)}")


def _slot_named(written: str, slots: Sequence[str]) -> str | None:
    """The slot that a judge names; letter case and marks around the name aside."""
    plain = written.strip(" \t*`\"'").casefold()
    return next((slot for slot in slots if slot.casefold() == plain), None)


def _critique(spec: VerdictFormat, answer: str, found: _Found) -> str | None:
    place = spec.critique
    text: Any = None
    if place.where == "before":
        text = answer[: found.start]
    elif place.where == "after":
        text = answer[found.end :]
    elif place.json_ is not None:
        text = value_at(found.item, place.json_)
    elif place.regex is not None:
        matches = _all(place.regex, "s", answer)
        text = matches[-1]["critique"] if matches else None
    return text.strip() or None if isinstance(text, str) else None


def _from_tokens(
    spec: VerdictFormat, read: Probabilities, completion: Completion, slot: str, names: tuple[str, ...]
) -> Verdict:
    """The labels' probabilities at the token that holds the verdict."""
    tokens: Sequence[TextToken] = completion.tokens.get(FREE_TEXT, ())
    if not tokens:
        raise EngineError(f"the format {spec.name} reads token log-probabilities, and there are none", retryable=False)
    if read.token >= len(tokens):
        raise _none(completion.cut, f"the output has {len(tokens)} tokens, and the verdict is number {read.token + 1}")
    token = tokens[read.token]
    if (
        (behind := tokens[read.token + 1 : read.token + 2])
        and token.text[-1:].isalnum()
        and behind[0].text[:1].isalnum()
    ):
        raise UnparseableError(f"the token {excerpt(token.text)} is only the beginning of a word")
    mass = dict.fromkeys(names, 0.0)
    for text, weight in {**token.alternatives, token.text: token.p}.items():
        if (meant := spec.label_of(text, names)) is not None:
            mass[meant] += weight
    total = sum(mass.values())
    said = spec.label_of(token.text, names)
    if total <= 0.0 or (said is None and read.otherwise == "fail"):
        raise UnparseableError(f"one of {', '.join(map(spec.says, names))} is needed, found {excerpt(token.text)}")
    p = {name: mass[name] / total for name in names}
    label = said if said is not None else max(names, key=mass.__getitem__)
    return Verdict(slot, label=label, p=p, read="label", outside=max(0.0, 1.0 - total))


def _region(answer: str, place: str) -> tuple[int, int]:
    """Where the format looks: everything, or the first or the last line that shows something."""
    if place not in ("first_line", "last_line"):
        return 0, len(answer)
    lines = answer.split("\n")
    shown = [number for number, line in enumerate(lines) if line.strip()]
    number = shown[0 if place == "first_line" else -1]
    start = sum(len(line) + 1 for line in lines[:number])
    return start, start + len(lines[number])


def _shows_nothing(text: str) -> bool:
    """Whether nothing but blanks, marks and punctuation is left."""
    return not any(char.isalnum() for char in text)


def _first_value(item: FoundObject, paths: Sequence[str]) -> Any:
    return next((value for path in paths if (value := value_at(item.value, path)) is not None), None)


def _text(value: Any) -> str:
    """A JSON value as text: true is ``true``; lists and objects are no label."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise UnparseableError(f"a text or a number is needed as a label, found {excerpt(value)}")


def _none(cut: bool, message: str) -> TruncatedError | UnparseableError:
    return TruncatedError(f"the output was cut before its verdict: {message}") if cut else UnparseableError(message)


@lru_cache(maxsize=512)
def _compiled(pattern: str, flags: str) -> Any:
    return compile_pattern(pattern, flags)


def _all(pattern: str, flags: str, text: str) -> list[Any]:
    try:
        return list(_compiled(pattern, flags).finditer(text, timeout=SECONDS))
    except TimeoutError:
        raise _too_slow(pattern) from None


def _search(pattern: str, flags: str, text: str) -> Any:
    try:
        return _compiled(pattern, flags).search(text, timeout=SECONDS)
    except TimeoutError:
        raise _too_slow(pattern) from None


def _too_slow(pattern: str) -> UnparseableError:
    return UnparseableError(f"the expression {excerpt(pattern)} took more than {SECONDS:g} s", retryable=False)
