"""The compiler: a rubric and a sample become the requests that a judge is asked.

    >>> from genrm.specs.rubric import Rubric
    >>> from genrm.specs.sample import Sample
    >>> rubric = Rubric.model_validate({"name": "polite", "criteria": [{"id": "tone", "ask": "Is it polite?"}]})
    >>> [list(request.output.slots) for request in compile_sample(rubric, Sample("Thank you!"))]
    [['tone']]

Only judged criteria are asked about: checks need no model, and a group is asked through its leaves. The same input
gives the same bytes; seeds, votes, weights and rewards change nothing in what a judge reads.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Generic, TypeVar

from genrm.compiler.output import Free, Thinking, plan_output
from genrm.compiler.render import Material, Question, render
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, PromptStyle
from genrm.errors import Fault, InputError, SpecError
from genrm.specs.criterion import Criterion
from genrm.specs.holistic import parts
from genrm.specs.reward import OVERALL
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample
from genrm.specs.verdict_format import VerdictFormat

THINK_END = "</think>"
"""What ends free thinking; open reasoning models agree on it."""

VERDICT_TOKENS = 64
"""What a free output may have beyond its critique: the verdict itself, and the words around it."""


def whole_rubric(rubric: Rubric, sample: Sample) -> Rubric:
    """The rubric with the sample's own criteria.

    Raises:
        InputError: an id or a label set of the sample's criteria clashes with the rubric's.
    """
    try:
        return rubric.with_criteria(sample.criteria)
    except ValueError as error:
        raise InputError(f"field 'criteria': {error}") from None


def compile_sample(
    rubric: Rubric,
    sample: Sample,
    *,
    capabilities: Capabilities = Capabilities(),  # noqa: B008 (frozen, so one instance serves every call)
    seeds: Sequence[int] = (0,),
    temperature: float = 0.0,
    skip: Container[str] = (),
    format: VerdictFormat | None = None,
) -> list[JudgeRequest]:
    """The requests for one sample, in rubric order; none when no criterion is judged by a model.

    Args:
        rubric: the rubric as loaded; the sample's own criteria are added here.
        capabilities: of the engine that will be asked: prompt style, whether criteria may share a request, and the
            tokenizer's control tokens.
        seeds: one per vote.
        temperature: of every vote, at least 0.
        skip: ids of criteria that have their answer already.
        format: of a judge that writes its verdicts in a form of its own; the output is then free text. Criteria share
            a request only where the format has a label for each.

    Criteria share a request when the rubric says ``ask: joint`` and the engine can; those that must not see the
    reference (:func:`shows_reference`) never share one with those that do. The compact style asks one criterion at a
    time and has no thinking part. Under ``aggregate: holistic`` the overall question has a request of its own, which
    lists the criteria that it stands for.

    Raises:
        InputError: the sample's criteria clash with the rubric's or cannot be answered in this format, or a reference
            is needed and missing.
        SpecError: the rubric is holistic or a format is given, and the engine's judge reads one criterion at a time;
            or a scale has a label that the format cannot say.
    """
    if rubric.protocol == "verify" and not sample.reference:
        raise InputError(
            f"field 'reference' is missing: the rubric {rubric.name!r} compares answers with it (protocol: verify); "
            "add it to the row, map another name with --field reference=NAME, or use a pointwise rubric"
        )
    whole = whole_rubric(rubric, sample)
    judged = [leaf for leaf in whole.leaves() if leaf.is_judged and leaf.id not in skip]
    if not judged:
        return []
    if format is not None:
        check_format(rubric, format, capabilities.prompts)
        if problems := _misfits(judged, format):
            raise InputError(f"field 'criteria': {problems[0]}")
    # Most rows bring no criteria of their own: then nothing but the material differs from the row before.
    asked = _questions if whole is rubric else _questions.__wrapped__
    ids = tuple(leaf.id for leaf in judged)
    spec = None if format is None else _Same(format)
    questions = asked(_Same(whole), capabilities, ids, spec, bool(sample.reference))
    material = Material.of(sample, capabilities.control_tokens)
    blind = replace(material, references=()) if material.references else material
    return [
        JudgeRequest(
            render(capabilities.prompts, question, material if sees else blind),
            question.output,
            tuple(seeds),
            temperature,
            sample.id,
        )
        for question, sees in questions
    ]


T = TypeVar("T")


class _Same(Generic[T]):
    """A spec as a key that is equal to itself alone; specs never change, and comparing them would take long."""

    __slots__ = ("spec",)

    def __init__(self, spec: T) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return id(self.spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.spec is self.spec


@lru_cache(maxsize=64)
def _questions(
    rubric: _Same[Rubric],
    capabilities: Capabilities,
    ids: tuple[str, ...],
    format: _Same[VerdictFormat] | None,
    references: bool,
) -> list[tuple[Question, bool]]:
    """What the requests for a sample ask about these criteria, and which of them show its references.

    Raises:
        SpecError: the rubric is holistic, and the engine's judge reads one criterion at a time.
    """
    whole, spec = rubric.spec, None if format is None else format.spec
    judged = [leaf for leaf in whole.leaves() if leaf.id in ids]
    compact = capabilities.prompts == "compact"
    listed = parts(whole.criteria) if whole.is_holistic else ()
    if listed and compact:
        raise SpecError(
            "reward.aggregate: holistic shows all criteria at once, and this judge was trained to read one at a time; "
            "use another judge (-m), or another aggregate"
        )
    together = whole.ask == "joint" and capabilities.joint and not compact and (spec is None or spec.verdict.each)
    questions = []
    for criteria in _groups(judged, together=together, references=references, alone=OVERALL if listed else None):
        plan = plan_output(
            {criterion.id: criterion.scale.names for criterion in criteria},
            critique_tokens=whole.critique_tokens,
            critique=whole.critique,
            thinking=Thinking(THINK_END, whole.think_tokens) if whole.think and not compact else None,
            free=None if spec is None else free_output(whole, spec),
        )
        sees = shows_reference(whole, criteria[0], capabilities.prompts)
        question = Question(
            criteria,
            whole.principles,
            whole.protocol == "verify" and sees,
            plan,
            capabilities.control_tokens,
            listed if criteria[0].id == OVERALL else (),
            spec,
        )
        questions.append((question, sees))
    return questions


def free_output(rubric: Rubric, format: VerdictFormat) -> Free:
    """The free part of a plan for judges of this format."""
    thinking = rubric.think_tokens if rubric.think else 0
    limit = format.max_tokens or rubric.critique_tokens + thinking + VERDICT_TOKENS
    return Free(format.title, limit, logprobs=format.read is not None)


def check_format(rubric: Rubric, format: VerdictFormat, style: PromptStyle = "full") -> None:
    """Raise SpecError when a judge of this format cannot answer the rubric's questions."""
    if style == "compact":
        fix = "leave the format out, or use another judge"
        raise SpecError(
            Fault("this judge was trained to write in a form of its own", field="format", value=format.name, fix=fix)
        )
    if problems := _misfits([leaf for leaf in rubric.leaves() if leaf.is_judged], format):
        raise SpecError(problems)


def _misfits(criteria: Sequence[Criterion], format: VerdictFormat) -> list[Fault]:
    return [
        Fault(
            f"the format {format.name} does not fit: {problem}",
            field=f"criterion {criterion.id}: scale",
            value=", ".join(criterion.scale.names),
            fix="give the criterion a scale of the format's labels, or use another format",
        )
        for criterion in criteria
        if (problem := format.problem(criterion.scale.names)) is not None
    ]


def shows_reference(rubric: Rubric, criterion: Criterion, style: PromptStyle) -> bool:
    """Whether a judge sees the sample's reference answers with this question.

    The compact style shows them under ``protocol: verify`` only: a judge that was trained on so short a prompt takes
    a reference for the request to compare.
    """
    return criterion.sees_reference and (style == "full" or rubric.protocol == "verify")


def _groups(
    judged: Sequence[Criterion], *, together: bool, references: bool, alone: str | None
) -> list[tuple[Criterion, ...]]:
    """The criteria of each request, in the order of its first criterion; ``alone`` shares one with no other."""
    if not together:
        return [(criterion,) for criterion in judged]
    groups: dict[tuple[bool, bool], list[Criterion]] = {}
    for criterion in judged:
        key = (criterion.id == alone, criterion.sees_reference or not references)
        groups.setdefault(key, []).append(criterion)
    return [tuple(group) for group in groups.values()]
