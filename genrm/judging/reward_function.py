"""RewardFunction: a judge as the reward of a reinforcement-learning trainer.

    >>> reward = RewardFunction(Judge("math-verify"))                                        # doctest: +SKIP
    >>> reward(prompts=["2+2?"], completions=["It is 4."], reference=["4"])                  # doctest: +SKIP
    [1.0]

It takes what trainers hand over (lists of prompts and completions, as text or chat messages, and one list per data
column) and gives one reward per completion, or None where there is no judgment.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from genrm.errors import JudgeError, SpecError
from genrm.judging.judge import Judge
from genrm.judging.judgment import Judgment
from genrm.judging.panel import Panel
from genrm.judging.reward import top_scores
from genrm.judging.shaped import Shapeable, shape_rows

logger = logging.getLogger("genrm")

COLUMNS = ("reference", "context", "criteria")


class RewardFunction:
    """A callable that trainers use as a reward.

    Args:
        judge: what judges; a judge or a panel.
        columns: the data column for each of ``reference``, ``context`` and ``criteria``; by default their own names.
        on_failure: ``none`` returns None for a sample without judgment (trainers leave it out); ``raise`` stops.

    Where the shape of the rubric needs more than a score, it is applied to each call as a whole: its inputs are data
    columns (``reward: {inputs: {reference: ref_rewards}}`` names them), and completions of one ``group``, or of equal
    prompts where there is no such column, are a group. The judgments keep the score as their reward.

    The id of a sample, and so the seeds of its votes, come from its content: equal samples get equal rewards.
    """

    def __init__(
        self,
        judge: Judge | Panel,
        *,
        columns: Mapping[str, str] | None = None,
        on_failure: Literal["none", "raise"] = "none",
    ) -> None:
        if not hasattr(judge, "judge_many"):
            raise SpecError(f"judge: a genrm.Judge is needed, found a {type(judge).__name__}")
        self.judge = judge
        # What needs the whole group is applied here, after judging.
        self._judge = _unshaped(judge) if judge.rubric.reward.needs else judge
        self.columns = {name: name for name in COLUMNS} | dict(columns or {})
        self.on_failure = on_failure
        # Judged without a reference that was asked for, a sample would get a number that only looks right.
        self._named = tuple((columns or {}).values())
        self.__name__ = f"genrm_{judge.rubric.name}".replace("-", "_").replace(".", "_")
        if unknown := sorted(set(self.columns) - set(COLUMNS)):
            raise SpecError(f"columns: unknown names {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
        if on_failure not in ("none", "raise"):
            raise SpecError(f"on_failure: 'none' or 'raise' is needed, found {on_failure!r}")

    def __repr__(self) -> str:
        return f"RewardFunction({self.judge!r}, on_failure={self.on_failure!r})"

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """One reward per completion, in order; None where there is no judgment.

        Raises:
            JudgeError: a sample has no judgment and ``on_failure`` is ``raise``.
            RunStoppedError: no more calls may be made, because the judge's budget is spent, say.
            SpecError: a column that ``columns`` names is not there.
            InputError: the shape of the rubric needs a column that is not there, or a value that is none.
            ValueError: the lists differ in length.
        """
        judgments = self.judgments(prompts, completions, **columns)
        failed = [judgment for judgment in judgments if judgment.reward is None]
        if failed:
            first = failed[0].error
            message = f"{len(failed)} of {len(judgments)} samples have no reward; the first: {first}"
            if self.on_failure == "raise":
                raise JudgeError(message)
            logger.warning(message)
        if self._judge is self.judge:
            return [judgment.reward for judgment in judgments]
        return self._shaped(prompts, judgments, columns)

    def _shaped(
        self, prompts: Sequence[Any], judgments: Sequence[Judgment], columns: Mapping[str, Any]
    ) -> list[float | None]:
        spec = self.judge.rubric.reward
        rows: list[Shapeable] = []
        weights: tuple[float, ...] = ()
        usable = {name: values for name, values in columns.items() if _is_column(values, len(judgments))}
        for index, judgment in enumerate(judgments):
            own: tuple[float | None, ...] = ()
            if judgment.reward is not None:
                scores = {name: result.score for name, result in judgment.criteria.items()}
                own, weights = top_scores(self.judge.rubric.with_criteria(judgment.row_criteria), scores)
            fields = {"prompt": prompts[index], "reward_std": judgment.reward_std}
            fields |= {name: values[index] for name, values in usable.items()}
            rows.append(Shapeable(judgment.reward, fields, own, f"completion {index}"))
        return [made.reward for made in shape_rows(spec, rows, weights=weights)]

    def judgments(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[Judgment]:
        """The judgments behind the rewards, with critiques and errors. Columns that no criterion needs are ignored.

        Raises:
            SpecError: a column that ``columns`` names is not there, or a column does not have a value per completion.
        """
        if absent := [column for column in self._named if columns.get(column) is None]:
            here = ", ".join(sorted(columns)) or "none"
            raise SpecError(f"columns: the trainer hands over no column {', '.join(absent)} (columns here: {here})")
        rows: list[dict[str, Any]] = [
            {"prompt": prompt, "response": completion} for prompt, completion in zip(prompts, completions, strict=True)
        ]
        for name, column in self.columns.items():
            values = columns.get(column)
            if values is None:
                continue
            if isinstance(values, str | Mapping) or not hasattr(values, "__len__"):
                raise SpecError(f"column {column!r}: a list is needed, found a {type(values).__name__}")
            if len(values) != len(rows):
                raise SpecError(f"column {column!r} has {len(values)} values for {len(rows)} completions")
            for row, value in zip(rows, values, strict=True):
                row[name] = value
        return list(self._judge.judge_many([row | {"id": _content_id(row)} for row in rows]))


def _unshaped(judge: Judge | Panel) -> Judge | Panel:
    """The judge with the score before the shape as its reward."""
    twin = copy.copy(judge)
    if isinstance(twin, Panel):
        twin.judges = tuple(_unshaped(member) for member in twin.judges)  # type: ignore[misc]
    else:
        twin.rubric = twin.rubric.with_reward(twin.rubric.reward.unshaped())
    return twin


def _is_column(values: Any, n: int) -> bool:
    return not isinstance(values, str | Mapping) and hasattr(values, "__len__") and len(values) == n


def _content_id(row: Mapping[str, Any]) -> str:
    text = json.dumps(row, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
