"""The reward of a rubric, replaced by the caller: ``genrm judge --reward``, ``Judge(reward=…)``.

>>> from genrm.specs.load import load_rubric
>>> reward_replaced(load_rubric("helpfulness"), {"aggregate": {"soft_min": {"temperature": 0.2}}}).reward.rule
SoftMin(temperature=0.2)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from genrm.errors import SpecError
from genrm.specs.faults import Source, faults_of
from genrm.specs.reward import RewardSpec
from genrm.specs.rubric import Rubric
from genrm.specs.vote import MAX_VOTES, Vote, keep_best_of_text


def reward_replaced(rubric: Rubric, written: str | Mapping[str, Any]) -> Rubric:
    """The rubric with another aggregate, shape or both; what is not written stays.

    Args:
        written: the name of an aggregate, or a mapping as under ``reward:``.

    Raises:
        SpecError: a name or parameter is wrong, or the aggregate does not fit the criteria.
    """
    changes = {"aggregate": written} if isinstance(written, str) else dict(written)
    data = {"aggregate": rubric.reward.aggregate, "shape": rubric.reward.shape} | changes
    if "shape" not in changes:
        # Another shape has other inputs.
        data = {"inputs": rubric.reward.inputs} | data
    try:
        reward = RewardSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError(faults_of(error, RewardSpec, data, Source())) from None
    try:
        return rubric.with_reward(reward)
    except ValueError as error:
        raise SpecError(f"reward: {error}") from None


def votes_filtered(rubric: Rubric, text: str, votes: int | None = None, *, stored: bool = False) -> Rubric:
    """The rubric with the filter of votes that a command line names, as in ``3:confidence``.

    Args:
        votes: how many there are, in place of the rubric's; ``stored``: as many as rows hold, whatever the rubric says.

    Raises:
        SpecError: it is no filter, or the rubric's vote has no room for it.
    """
    try:
        keep = keep_best_of_text(text)
        if stored:
            return rubric.with_vote(rubric.vote.fixed(MAX_VOTES).model_copy(update={"keep_best": keep}))
        vote = rubric.vote if votes is None else rubric.vote.fixed(votes)
        written = vote.model_dump(exclude_none=True, exclude_unset=True) | {"keep_best": keep}
        return rubric.with_vote(Vote.model_validate(written | ({} if vote.adaptive else {"n": vote.n})))
    except ValidationError as error:
        raise SpecError(f"--keep-best {text}: {error.errors()[0]['msg']}") from None
    except ValueError as error:
        raise SpecError(f"--keep-best: {error}") from None


def reward_of_text(text: str) -> str | dict[str, Any]:
    """What ``--reward`` says: a name, or a mapping as YAML. Raises SpecError when it is neither."""
    import yaml

    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError:
        written = None
    if not isinstance(written, (str, dict)):
        raise SpecError(f"--reward {text}: a name or a mapping is needed; write '{{aggregate: min}}'")
    return written
