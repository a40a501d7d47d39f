"""genrm: rubrics in, critiques and rewards out.

    >>> import genrm
    >>> judge = genrm.Judge("math-verify", model="tiny", votes=3)                            # doctest: +SKIP
    >>> judge.judge(prompt="2+2?", response="It is 4.", reference="4").reward                # doctest: +SKIP
    1.0

Names are imported on first use, so ``import genrm`` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrm.errors import GenrmError as GenrmError
    from genrm.errors import InputError as InputError
    from genrm.errors import JudgeError as JudgeError
    from genrm.errors import SpecError as SpecError
    from genrm.judging.judge import Judge as Judge
    from genrm.judging.judgment import CriterionJudgment as CriterionJudgment
    from genrm.judging.judgment import Judgment as Judgment
    from genrm.judging.panel import Panel as Panel
    from genrm.judging.panel_tally import PanelJudgment as PanelJudgment
    from genrm.judging.rescore import rescore as rescore
    from genrm.judging.reward_function import RewardFunction as RewardFunction
    from genrm.specs.criterion import Criterion as Criterion
    from genrm.specs.load import load_rubric as load_rubric
    from genrm.specs.rubric import Principle as Principle
    from genrm.specs.rubric import Rubric as Rubric
    from genrm.specs.sample import Sample as Sample
    from genrm.specs.scale import Scale as Scale

__version__ = "0.1.0"

_HOMES = {
    "Criterion": "genrm.specs.criterion",
    "CriterionJudgment": "genrm.judging.judgment",
    "GenrmError": "genrm.errors",
    "InputError": "genrm.errors",
    "Judge": "genrm.judging.judge",
    "JudgeError": "genrm.errors",
    "Judgment": "genrm.judging.judgment",
    "Panel": "genrm.judging.panel",
    "PanelJudgment": "genrm.judging.panel_tally",
    "Principle": "genrm.specs.rubric",
    "RewardFunction": "genrm.judging.reward_function",
    "Rubric": "genrm.specs.rubric",
    "Sample": "genrm.specs.sample",
    "Scale": "genrm.specs.scale",
    "SpecError": "genrm.errors",
    "load_rubric": "genrm.specs.load",
    "rescore": "genrm.judging.rescore",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'genrm' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
