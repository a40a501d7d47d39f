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

from genrm.compiler.output import Thinking, plan_output
from genrm.compiler.render import Material, Question, render
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, PromptStyle
from genrm.errors import InputError, SpecError
from genrm.specs.criterion import Criterion
from genrm.specs.holistic import parts
from genrm.specs.reward import OVERALL
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample

THINK_END = "</think>"
"""What ends free thinking; open reasoning models agree on it."""


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
) -> list[JudgeRequest]:
    """The requests for one sample, in rubric order; none when no criterion is judged by a model.

    Args:
        rubric: the rubric as loaded; the sample's own criteria are added here.
        capabilities: of the engine that will be asked: prompt style, whether criteria may share a request, and the
            tokenizer's control tokens.
        seeds: one per vote.
        temperature: of every vote, at least 0.
        skip: ids of criteria that have their answer already.

    Criteria share a request when the rubric says ``ask: joint`` and the engine can; those that must not see the
    reference (:func:`shows_reference`) never share one with those that do. The compact style asks one criterion at a
    time and has no thinking part. Under ``aggregate: holistic`` the overall question has a request of its own, which
    lists the criteria that it stands for.

    Raises:
        InputError: the sample's criteria clash with the rubric's, or a reference is needed and missing.
        SpecError: the rubric is holistic, and the engine's judge reads one criterion at a time.
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
    compact = capabilities.prompts == "compact"
    listed = parts(whole.criteria) if whole.is_holistic else ()
    if listed and compact:
        raise SpecError(
            "reward.aggregate: holistic shows all criteria at once, and this judge was trained to read one at a time; "
            "use another judge (-m), or another aggregate"
        )
    together = rubric.ask == "joint" and capabilities.joint and not compact
    material = Material.of(sample, capabilities.control_tokens)
    blind = replace(material, references=())
    requests = []
    for criteria in _groups(
        judged, together=together, references=bool(sample.reference), alone=OVERALL if listed else None
    ):
        plan = plan_output(
            {criterion.id: criterion.scale.names for criterion in criteria},
            critique_tokens=rubric.critique_tokens,
            critique=rubric.critique,
            thinking=Thinking(THINK_END, rubric.think_tokens) if rubric.think and not compact else None,
        )
        sees = shows_reference(rubric, criteria[0], capabilities.prompts)
        question = Question(
            criteria,
            rubric.principles,
            rubric.protocol == "verify" and sees,
            plan,
            capabilities.control_tokens,
            listed if criteria[0].id == OVERALL else (),
        )
        messages = render(capabilities.prompts, question, material if sees else blind)
        requests.append(JudgeRequest(messages, plan, tuple(seeds), temperature, sample.id))
    return requests


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
