"""The user turns that follow an answer which cannot be used as it is: broken, or cut before its verdict.

    >>> from genrm.compiler.output import plan_output
    >>> plan = plan_output({"correct": ("no", "yes")}, critique_tokens=64)
    >>> fault_of(plan, '{"critique":"It is 4.","label":"maybe"}')
    'the value at label is not one of "no", "yes"'

The judge sees its own answer as its turn, and this behind it. What a fault quotes comes from the plan alone, never
from the answer: an answer may repeat the judged text, and that must not reach the judge as words of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from genrm.compiler.neutral import neutralise
from genrm.compiler.output import OutputPlan, read_json
from genrm.compiler.render import answer_form, run_template
from genrm.compiler.request import Message
from genrm.errors import UnparseableError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def ask_again(
    messages: Sequence[Message], plan: OutputPlan, answer: str, control_tokens: frozenset[str] = frozenset()
) -> tuple[Message, ...]:
    """The conversation that asks for the whole plan again after a broken answer."""
    text = run_template(
        "full/reask.md.j2", fault=fault_of(plan, answer), form=answer_form(plan), critique=plan.critique
    )
    return _turns(messages, answer, text, control_tokens)


def ask_rest(
    messages: Sequence[Message],
    plan: OutputPlan,
    answer: str,
    control_tokens: frozenset[str] = frozenset(),
    *,
    named: bool = False,
) -> tuple[Message, ...]:
    """The conversation that asks for what is missing behind a cut answer.

    Args:
        plan: of what is missing.
        named: the question is one of several, so its name is said.
    """
    text = run_template(
        "full/rest.md.j2", form=answer_form(plan), critique=plan.critique, slots=list(plan.slots), named=named
    )
    return _turns(messages, answer, text, control_tokens)


def fault_of(plan: OutputPlan, answer: str) -> str:
    """What is wrong with a broken answer, in words of the plan."""
    try:
        data = read_json(answer)
    except UnparseableError:
        try:
            json.loads(answer, strict=False)
        except json.JSONDecodeError as error:
            return f"it is not one JSON object ({error.msg} at character {error.pos})"
        except RecursionError:
            return "it nests too deeply"
        return "it says two things under one key"
    for broken in _validator(json.dumps(plan.json_schema)).iter_errors(data):
        place = ", ".join(str(step) for step in broken.absolute_path) or "the top"
        return f"the value at {place} {_rule(broken.validator, broken.validator_value)}"
    return "its keys are not in the order of the form"


def _rule(keyword: Any, wanted: Any) -> str:
    match keyword:
        case "enum":
            return "is not one of " + ", ".join(json.dumps(label, ensure_ascii=False) for label in wanted)
        case "required":
            return f"lacks one of the keys {', '.join(wanted)}"
        case "additionalProperties":
            return "has keys that the form does not have"
    return f"is not of the type {wanted}"


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def _turns(messages: Sequence[Message], answer: str, text: str, control_tokens: frozenset[str]) -> tuple[Message, ...]:
    said: Mapping[str, str] = {"role": "assistant", "content": neutralise(answer, control_tokens) or "…"}
    return (*messages, Message(role="assistant", content=said["content"]), Message(role="user", content=text))
