"""Builders for rubrics and samples, and a reader of prompts that sees fences as a judge does."""

import re

from genrm.compiler.compile import compile_sample
from genrm.engines.base import Capabilities
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample, Turn

COMPACT = Capabilities(prompts="compact", joint=False)

FENCED = re.compile(r"^<<<(?P<name>[a-z0-9 ]+) (?P<code>[0-9a-f]{16})>>>\n", re.MULTILINE)


def make_rubric(*criteria, **fields):
    criteria = criteria or ({"id": "good", "ask": "Is it good?"},)
    return Rubric.model_validate({"name": "test", "criteria": list(criteria), **fields})


def make_sample(response="It is 4.", *, prompt="2+2?", reference=(), context=None, criteria=()):
    return Sample(
        response=response,
        prompt=() if prompt is None else (Turn("user", prompt),),
        reference=tuple(reference),
        context=context,
        criteria=tuple(Criterion.model_validate(item) for item in criteria),
        id="s",
    )


def full(rubric, sample, **options):
    """System and user text of the only request."""
    (request,) = compile_sample(rubric, sample, **options)
    system, user = request.messages
    assert (system["role"], user["role"]) == ("system", "user")
    return system["content"], user["content"]


def compact(rubric, sample):
    (request,) = compile_sample(rubric, sample, capabilities=COMPACT)
    (message,) = request.messages
    assert message["role"] == "user"
    return message["content"]


def fenced(user):
    """The parts of a user message in order, as (name, code, text): read from its beginning, fence by fence."""
    parts, at = [], 0
    while opening := FENCED.search(user, at):
        end = f"\n<<<end {opening['name']} {opening['code']}>>>"
        stop = user.index(end, opening.end() - 1)
        parts.append((opening["name"], opening["code"], user[opening.end() : stop]))
        at = stop + len(end)
    return parts
