"""Control rewards: what a run with the real reward has to beat.

    >>> format_only = FormatReward(r"Answer: \\S")
    >>> format_only(prompts=["2+2?", "2+2?"], completions=["Answer: 5", "4"])
    [1.0, 0.0]
    >>> MajorityReward()(prompts=["2+2?"] * 3, completions=["It is 4.", "It is 5.", "So it is 4."])
    [1.0, 0.0, 1.0]

They take what trainers hand over, as :class:`genrm.RewardFunction` does: lists of prompts and completions, as text or
chat messages, and one list per data column. If training with one of them raises the benchmark as much as the judge
does, then it was not the judge that taught ("Spurious Rewards: Rethinking Training Signals in RLVR").
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from genrm.errors import MissingExtraError


class ControlReward:
    """Base: texts come out of what the trainer sends, then :meth:`rewards` has one number for each.

    Attributes:
        name: in ``genrm rewards list``.
        summary, formula, missing, paper: its description there.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    formula: ClassVar[str]
    missing: ClassVar[str]
    paper: ClassVar[str]

    def __init__(self) -> None:
        # Trainers log a reward under this name.
        self.__name__ = f"genrm_control_{self.name}"

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """One reward per completion, in order; None where there is none.

        Raises:
            ValueError: the lists differ in length.
        """
        if len(prompts) != len(completions):
            raise ValueError(f"{len(prompts)} prompts came with {len(completions)} completions")
        keys = [json.dumps(prompt, sort_keys=True, default=repr) for prompt in prompts]
        return self.rewards(keys, [completion_text(completion) for completion in completions], columns)

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        """The rewards of completions as text; ``prompts`` are keys that are equal for equal prompts."""
        raise NotImplementedError


class RandomReward(ControlReward):
    """A number without meaning, the same for equal content whenever and wherever it is computed.

    Args:
        seed: another seed, other numbers.
        probability: of a 1 instead of a 0; None gives numbers spread evenly over [0, 1).

    Raises:
        ValueError: the probability lies outside [0, 1].
    """

    name = "random"
    summary = "Chance: a number drawn from a hash of seed, prompt and completion."
    formula = "U[0, 1) or Bernoulli(probability), seeded by content"
    missing = "Never missing."
    paper = "Spurious Rewards: Rethinking Training Signals in RLVR"

    def __init__(self, seed: int = 0, *, probability: float | None = None) -> None:
        super().__init__()
        if probability is not None and not 0 <= probability <= 1:
            raise ValueError(f"a probability lies in [0, 1], found {probability}")
        self.seed, self.probability = seed, probability

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        numbers = [_uniform(self.seed, prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        if self.probability is None:
            return list(numbers)
        return [float(number < self.probability) for number in numbers]


class ConstantReward(ControlReward):
    """The same for everything: shows what changes without any signal.

    Args:
        value: the reward.

    Raises:
        ValueError: the value is no finite number.
    """

    name = "constant"
    summary = "The same number for everything: no signal at all."
    formula = "value"
    missing = "Never missing."
    paper = "Spurious Rewards: Rethinking Training Signals in RLVR"

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        if not math.isfinite(value):
            raise ValueError(f"a constant reward is a finite number, found {value}")
        self.value = float(value)

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        return [self.value] * len(texts)


class FormatReward(ControlReward):
    """1 where the completion has the form, whatever it says.

    Args:
        pattern: regular expression that is searched for (``re``, dot matches line ends); by default a non-empty
            ``\\boxed{…}``.

    Raises:
        ValueError: the pattern is no regular expression.
    """

    name = "format"
    summary = "The form alone: 1 where a pattern (a boxed answer by default) is found, right or wrong."
    formula = "1 if pattern matches else 0"
    missing = "Never missing."
    paper = "Spurious Rewards: Rethinking Training Signals in RLVR"

    def __init__(self, pattern: str = r"\\boxed\s*\{\s*[^\s}]") -> None:
        super().__init__()
        try:
            self.pattern = re.compile(pattern, re.DOTALL)
        except re.error as error:
            raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        return [float(self.pattern.search(text) is not None) for text in texts]


class LengthReward(ControlReward):
    """Longer is better, up to a target.

    Args:
        target: the length that gives 1.
        unit: what is counted.

    Raises:
        ValueError: the target is not above 0, or the unit is unknown.
    """

    name = "length"
    summary = "Length alone: longer is better up to a target."
    formula = "min(len / target, 1)"
    missing = "Never missing."
    paper = "A Long Way to Go: Investigating Length Correlations in RLHF"

    def __init__(self, target: int = 400, *, unit: Literal["words", "characters"] = "words") -> None:
        super().__init__()
        if not (target > 0 and math.isfinite(target)) or unit not in ("words", "characters"):
            raise ValueError(f"a target above 0 in words or characters is needed, found {target} {unit}")
        self.target, self.unit = target, unit

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        return [min((len(t.split()) if self.unit == "words" else len(t)) / self.target, 1.0) for t in texts]


class MajorityReward(ControlReward):
    """1 for the final answer that most completions of the prompt give: what a model teaches itself.

    The final answer is the text of the last ``\\boxed{…}``, else the last number; without either the completion gets
    0. Answers are compared in canonical form. Completions of one call with equal prompts are a group.
    """

    name = "majority"
    summary = "Agreement with the most frequent final answer of the group, be it right or wrong."
    formula = "1 if answer = mode_G(answers) else 0"
    missing = "No answer in the group, two answers equally frequent, or alone in it: None."
    paper = "TTRL: Test-Time Reinforcement Learning"

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        answers = [final_answer(text) for text in texts]
        groups: dict[str, list[str | None]] = {}
        for prompt, answer in zip(prompts, answers, strict=True):
            groups.setdefault(prompt, []).append(answer)
        labels = {prompt: _mode(group) for prompt, group in groups.items()}
        return [
            None if (label := labels[prompt]) is None else float(answer == label)
            for prompt, answer in zip(prompts, answers, strict=True)
        ]


class BleuReward(ControlReward):
    """BLEU of the completion against its references, in [0, 1]; needs the extra ``metrics``.

    Args:
        column: the data column with the reference: a text, or a list of them.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """

    name = "bleu"
    summary = "Word overlap with a reference: what a reward gets without any judge."
    formula = "sentence BLEU-4 / 100 (effective order, exponential smoothing)"
    missing = "No reference in the column: None."
    paper = "BLEUBERI: BLEU is a surprisingly effective reward for instruction following"

    def __init__(self, column: str = "reference") -> None:
        super().__init__()
        self.column = column
        try:
            from sacrebleu.metrics.bleu import BLEU
        except ImportError:
            raise MissingExtraError("sacrebleu", "metrics", "a BLEU reward") from None
        self._bleu = BLEU(effective_order=True)

    def rewards(self, prompts: list[str], texts: list[str], columns: dict[str, Any]) -> list[float | None]:
        references = columns.get(self.column)
        if references is None:
            raise ValueError(f"column {self.column!r} is missing; BLEU compares with a reference")
        return [self._one(text, reference) for text, reference in zip(texts, references, strict=True)]

    def _one(self, text: str, reference: Any) -> float | None:
        accepted = [reference] if isinstance(reference, str) else list(reference or ())
        accepted = [text for text in accepted if isinstance(text, str) and text.strip()]
        if not accepted:
            return None
        return min(float(self._bleu.sentence_score(text, accepted).score) / 100, 1.0)


CONTROLS: dict[str, type[ControlReward]] = {
    control.name: control
    for control in (RandomReward, ConstantReward, FormatReward, LengthReward, MajorityReward, BleuReward)
}


def completion_text(completion: Any) -> str:
    """The text of a completion: itself, or the contents of its assistant messages, a line each.

    Raises:
        ValueError: it is neither text nor a list of chat messages.
    """
    if isinstance(completion, str):
        return completion
    if not isinstance(completion, Sequence) or not all(isinstance(turn, dict) for turn in completion):
        raise ValueError(f"a completion is text or a list of chat messages, found {type(completion).__name__}")
    texts = []
    for turn in completion:
        if turn.get("role", "assistant") != "assistant":
            continue
        content = turn.get("content") or ""
        parts = [content] if isinstance(content, str) else [part.get("text") or "" for part in content]
        texts.append("".join(parts))
    return "\n".join(texts)


def final_answer(text: str) -> str | None:
    """The final answer in canonical form: of the last ``\\boxed{…}``, else the last number; None without either."""
    from genrm.checks.answers import canonical
    from genrm.checks.numbers import final_number, last_boxed

    boxed = last_boxed(text)
    if boxed is None:
        number = final_number(text)
        return None if number is None else repr(number)
    answer = canonical(boxed)
    if answer.quantity is not None:
        return repr(answer.quantity)
    return answer.choice or " ".join(answer.words) or None


def _mode(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer; None when there is none, another is as frequent, or only one completion voted."""
    counts = Counter(answer for answer in answers if answer is not None).most_common(2)
    if not counts or len(answers) < 2 or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def _uniform(seed: int, prompt: str, text: str) -> float:
    digest = hashlib.sha256(json.dumps([seed, prompt, text]).encode()).digest()
    # 53 bits, which is what a float holds, so that 1.0 never comes out.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
