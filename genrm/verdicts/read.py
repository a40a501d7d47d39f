"""From a completion to verdicts: critique, label and label distribution of every criterion that was asked about.

    >>> from genrm.compiler.output import plan_output
    >>> from genrm.engines.base import Usage
    >>> request = JudgeRequest((), plan_output({"correct": ("no", "yes")}, critique_tokens=64))
    >>> completion = Completion('{"critique":"It is 4.","label":"yes"}', Usage())
    >>> read_verdicts(request, completion)["correct"].label
    'yes'

Nothing is searched for: positions follow from the output plan. (Judges that write in a form of their own are read by
a verdict format, :mod:`genrm.verdicts.foreign`.) An output that cannot be read becomes verdicts that
carry the error, never an exception and never a default label.
"""

from __future__ import annotations

import json
from dataclasses import replace

from genrm.compiler.output import Answer, OutputPlan, read_json
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion
from genrm.engines.model_card import ModelCard
from genrm.errors import TruncatedError, UnparseableError
from genrm.specs.verdict_format import VerdictFormat
from genrm.verdicts.decision import decided
from genrm.verdicts.foreign import read_foreign
from genrm.verdicts.verdict import Verdict


def read_verdicts(
    request: JudgeRequest,
    completion: Completion,
    *,
    card: ModelCard | None = None,
    format: VerdictFormat | None = None,
) -> dict[str, Verdict]:
    """One verdict per slot of the request, in rubric order.

    Args:
        card: of the judge; it says whether the critique decides, and by which marks.
        format: that the request was compiled with.

    Raises:
        ValueError: the request is for free text, and its format is not the one given.
    """
    plan = request.output
    if plan.free is not None:
        if format is None or format.title != plan.free.format:
            raise ValueError(f"the format {plan.free.format} is needed to read this output")
        return read_foreign(format, completion, plan.slots)
    return {
        slot: Verdict(slot, error=found)
        if isinstance(found, TruncatedError | UnparseableError)
        else _verdict(slot, plan, found, completion, card)
        for slot, found in _answers(plan, completion).items()
    }


def _answers(plan: OutputPlan, completion: Completion) -> dict[str, Answer | TruncatedError | UnparseableError]:
    """What the output says about each slot; where it breaks the plan at one, the others keep their answers."""
    try:
        answer = completion.answer or plan.parse(completion.text, cut=completion.cut)
        return dict.fromkeys(plan.slots, answer)
    except TruncatedError as error:
        return dict.fromkeys(plan.slots, error)
    except UnparseableError as error:
        if len(plan.slots) == 1:
            return dict.fromkeys(plan.slots, error)
        return {slot: _answer_alone(plan, slot, completion.text, error) for slot in plan.slots}


def _answer_alone(
    plan: OutputPlan, slot: str, text: str, error: UnparseableError
) -> Answer | TruncatedError | UnparseableError:
    """The answer of one slot of a joint output; its own error, or that of the whole when the text is no JSON object."""
    try:
        item = read_json(text)[slot]
    except (UnparseableError, TypeError):
        return error
    except KeyError:
        return UnparseableError(f"criterion {slot!r}: the output leaves it out")
    try:
        return OutputPlan({slot: plan.slots[slot]}, plan.critique_tokens, plan.critique).parse(json.dumps(item))
    except UnparseableError as own:
        return own


def _verdict(slot: str, plan: OutputPlan, answer: Answer, completion: Completion, card: ModelCard | None) -> Verdict:
    label, reading = answer.labels[slot], completion.slots.get(slot)
    closed = slot in completion.closed
    verdict = Verdict(
        slot,
        label=label,
        critique=answer.critiques.get(slot),
        p=reading.p if reading else None,
        read="label" if reading else "none",
        outside=reading.outside if reading else None,
        token_p=tuple(token.p for token in completion.tokens.get(slot, ())),
        closed=closed,
    )
    # A critique that was cut short has not finished deciding: then the label slot is where the decision falls.
    if card is None or card.decision is None or closed:
        return verdict
    p = decided(
        completion.tokens.get(slot, ()),
        card.decision,
        label=label,
        labels=plan.slots[slot],
        extract=card.extract.values(),
    )
    return verdict if p is None else replace(verdict, p=p, read="critique")
