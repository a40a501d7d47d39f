"""The ``shape:`` of a rubric: its name, its parameters, and where it finds what it needs besides the score.

    >>> checked_shape({"par": {"temperature": 0.2}}), needs_of("par")
    (('par', {'temperature': 0.2}), ('reference',))

A shape that works on the score alone is applied as rows are judged. One that needs more (other scores of the prompt,
the other rows of its group, lengths, outcomes) is applied where that is known: ``genrm rewards apply`` over an output
file, or :class:`genrm.RewardFunction` over a batch. ``inputs`` names the fields of the row that hold it:

============  ================================================  ==========================
input         what stands there                                 field without ``inputs``
============  ================================================  ==========================
group         the same text or number in all rows of a group    ``group``, else the prompt
reference     rewards of reference responses, a list            ``reference_rewards``
prompts       rewards under altered prompts, a list             ``altered_rewards``
length        how long the response is                          ``length``
outcome       whether a verifier finds it right                 ``right``
cost          high is bad                                       ``cost``
steps         scores of its steps, a list                       ``steps``
votes         rewards of single votes or judges, a list         ``votes``
uncertainty   0 or more                                         ``reward_std``
============  ================================================  ==========================

A path may lead into the judged row: ``inputs: {outcome: criteria.correct.score}``. ``criteria`` needs no field: the
scores and weights are the rubric's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrm.specs.aggregates import split_name
from genrm.specs.faults import closest, wrong

FIELDS = {
    "group": "group",
    "reference": "reference_rewards",
    "prompts": "altered_rewards",
    "length": "length",
    "outcome": "right",
    "cost": "cost",
    "steps": "steps",
    "votes": "votes",
    "uncertainty": "reward_std",
}
"""Input of a shape, and the field of the row that it is read from where the rubric names none."""


def checked_shape(written: Any) -> tuple[str, dict[str, Any]]:
    """The name of a shape and the parameters that differ from their defaults.

    Raises:
        ValueError: there is no such shape or parameter, or a value is out of range; with the fix.
    """
    if written == "identity":
        return "identity", {}
    # The registry is the one place that knows the shapes; it is loaded for rubrics that have one.
    from genrm.rewards.shaping import shapes

    known = shapes()
    name, given = split_name(written, known, "{shape: {NAME: {PARAMETER: 1}}}")
    defaults = {parameter.name: parameter for parameter in known[name].parameters}
    for key, value in given.items():
        if key not in defaults:
            guess = closest(str(key), defaults)
            fix = f"remove it; {name} has {', '.join(defaults) or 'no parameters'}"
            raise wrong(f"{name}: unknown parameter {str(key)!r}", f"write {guess!r}" if guess else fix)
        try:
            defaults[key].check(value)
        except ValueError as error:
            message, _, fix = str(error).partition("; ")
            raise wrong(f"{name}: {message}", fix or f"{key} = {defaults[key].default} is the default") from None
    return name, {key: value for key, value in given.items() if value != defaults[key].default}


def needs_of(name: str) -> tuple[str, ...]:
    """What a shape needs besides the score of the sample."""
    if name == "identity":
        return ()
    from genrm.rewards.shaping import shapes

    return tuple(need for need in shapes()[name].needs if need != "score")


def check_inputs(name: str, inputs: Mapping[str, str]) -> None:
    """Raise ValueError where ``inputs`` names what the shape does not read."""
    readable = [need for need in needs_of(name) if need in FIELDS]
    for key, path in inputs.items():
        if key not in readable:
            guess = closest(key, readable)
            here = f"{name} reads {', '.join(readable)}" if readable else f"{name} reads the score alone"
            raise wrong(
                f"inputs: {key!r} is no input of shape {name}", f"write {guess!r}" if guess else f"remove it; {here}"
            )
        if not path.strip():
            raise wrong(f"inputs: {key} names no field", f"write {key}: {FIELDS[key]}")
