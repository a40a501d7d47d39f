"""Draw what every voting rule, aggregate and shape does: docs/plots/NAME.svg, one for each entry of the catalogue.

python docs/make_plots.py            # all of them
python docs/make_plots.py par lsc    # these

The same bytes come out every time: no date, no version, fixed ids. Text stays text, so files are small.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genrm.rewards import group, length, reference, risk, steps, verified
from genrm.rewards.aggregate import gate
from genrm.rewards.controls import CONTROLS
from genrm.rewards.identity import affine, identity
from genrm.rewards.tree import AGGREGATES as FUNCTIONS
from genrm.specs.reward import Holistic
from genrm.voting.rule import NUMBERS, RULES
from genrm.voting.rules import vote_array

PLOTS = Path(__file__).parent / "plots"
STYLE = {
    "svg.hashsalt": "genrm",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d9731a", "#2f8f4e", "#9a9a9a"
COLOURS = (BLUE, ORANGE, GREEN, GREY)
GRID = np.linspace(-6, 6, 61)
UNIT = np.linspace(0, 1, 51)
# One prompt, eight responses, in the order of their scores; the verifier and the lengths go with them.
SCORES = np.array([[0.12, 0.20, 0.31, 0.36, 0.52, 0.66, 0.71, 0.95]])
RIGHT = np.array([[False, True, False, False, True, True, False, True]])
LENGTHS = np.array([[120, 260, 210, 400, 380, 620, 560, 900]])
GOOD_STEPS = np.array([0.9, 0.8, 0.9, 0.7, 0.9, 0.8])
BAD_STEPS = np.array([0.9, 0.8, 0.2, 0.7, 0.9, 0.8])

Draw = Callable[[Axes], None]
DRAWINGS: dict[str, Draw] = {}


def drawing(name: str) -> Callable[[Draw], Draw]:
    def register(draw: Draw) -> Draw:
        DRAWINGS[name] = draw
        return draw

    return register


def label(ax: Axes, x: str, y: str, *, legend: bool = False) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if legend:
        ax.legend()


def before_and_after(ax: Axes, rewards: np.ndarray, name: str) -> None:
    """The eight responses of the group: score below, reward above."""
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.plot(range(1, 9), SCORES[0], "o", color=GREY, label="score")
    ax.plot(range(1, 9), rewards[0], "o-", color=BLUE, label=name)
    label(ax, "response, by score", "value", legend=True)


def by_outcome(ax: Axes, rewards: np.ndarray) -> None:
    for outcome, colour, text in ((True, GREEN, "right"), (False, ORANGE, "wrong")):
        ax.plot(SCORES[outcome == RIGHT], rewards[outcome == RIGHT], "o", color=colour, label=text)
    label(ax, "judge's score", "reward", legend=True)


def per_step(ax: Axes, credits: Callable[[np.ndarray], np.ndarray]) -> None:
    places = np.arange(1, 7)
    for shift, chain, colour, text in (
        (-0.2, GOOD_STEPS, GREEN, "good chain"),
        (0.2, BAD_STEPS, ORANGE, "one bad step"),
    ):
        got = credits(chain)
        ax.bar(places + shift, got, width=0.38, color=colour, label=f"{text}: sum {got.sum():.2f}")
    ax.axhline(0, color=GREY, linewidth=0.8)
    label(ax, "step", "credit", legend=True)


def whole_chain(ax: Axes, total: Callable[[np.ndarray], np.ndarray]) -> None:
    """The reward when steps of 0.9 are appended to a good chain and to one with a bad step."""
    for chain, colour, text in ((GOOD_STEPS, GREEN, "good chain"), (BAD_STEPS, ORANGE, "one bad step")):
        ax.plot(range(9), [float(total(np.append(chain, [0.9] * n))) for n in range(9)], "o-", color=colour, label=text)
    ax.set_ylim(-0.03, 1)
    label(ax, "filler steps of 0.9 appended", "reward", legend=True)


@drawing("identity")
def _identity(ax: Axes) -> None:
    ax.plot(UNIT, identity(UNIT), color=BLUE)
    label(ax, "score", "reward")


@drawing("affine")
def _affine(ax: Axes) -> None:
    for (scale, offset), colour in zip(((2, -1), (1, 0), (-1, 1)), COLOURS, strict=False):
        ax.plot(UNIT, affine(UNIT, scale=scale, offset=offset), color=colour, label=f"scale {scale}, offset {offset}")
    label(ax, "score", "reward", legend=True)


@drawing("par")
def _par(ax: Axes) -> None:
    for refs, colour in zip(([0.0], [-3.0, 3.0]), COLOURS, strict=False):
        got = reference.par(GRID, np.broadcast_to(refs, (GRID.size, len(refs))))
        ax.plot(GRID, got, color=colour, label=f"references {', '.join(f'{r:.0f}' for r in refs)}")
    label(ax, "score", "reward", legend=True)


@drawing("lsc")
def _lsc(ax: Axes) -> None:
    for temperature, colour in zip((0.5, 1.0, 2.0), COLOURS, strict=False):
        got = reference.lsc(GRID, np.zeros((GRID.size, 1)), temperature=temperature)
        ax.plot(GRID, got, color=colour, label=f"temperature {temperature}")
    label(ax, "score − reference", "reward", legend=True)


@drawing("contrastive")
def _contrastive(ax: Axes) -> None:
    for base, colour, text in ((0.2, ORANGE, "hard prompt: baseline 0.2"), (0.8, GREEN, "easy prompt: baseline 0.8")):
        ax.plot(UNIT, reference.contrastive(UNIT, np.full((UNIT.size, 1), base)), color=colour, label=text)
    ax.axhline(0, color=GREY, linewidth=0.8)
    label(ax, "score", "reward", legend=True)


@drawing("text_norm")
def _text_norm(ax: Axes) -> None:
    for k, colour in zip((1, 3, 7), COLOURS, strict=False):
        got = reference.text_norm(GRID, np.zeros((GRID.size, k)))
        ax.plot(GRID, got, color=colour, label=f"{k} altered prompt{'s' * (k > 1)}")
    label(ax, "score under its prompt − under altered ones", "reward", legend=True)


@drawing("group_std")
def _group_std(ax: Axes) -> None:
    before_and_after(ax, group.group_std(SCORES), "group_std")


@drawing("group_rank")
def _group_rank(ax: Axes) -> None:
    before_and_after(ax, group.group_rank(SCORES), "group_rank")


@drawing("group_minmax")
def _group_minmax(ax: Axes) -> None:
    before_and_after(ax, group.group_minmax(SCORES), "group_minmax")


@drawing("leave_one_out")
def _leave_one_out(ax: Axes) -> None:
    before_and_after(ax, group.leave_one_out(SCORES), "leave_one_out")


@drawing("multi_objective")
def _multi_objective(ax: Axes) -> None:
    # The second criterion is measured in hundreds and falls while the first rises.
    second = np.array([[3, 9, 8, 7, 5, 6, 1, 2]]) * 100.0
    criteria = np.stack([SCORES, second], axis=-1)
    ax.plot(range(1, 9), group.group_std(criteria.sum(axis=-1))[0], "o--", color=GREY, label="sum, then normalise")
    ax.plot(range(1, 9), group.multi_objective(criteria, [1, 1])[0], "o-", color=BLUE, label="multi_objective")
    label(ax, "response, by first criterion", "advantage", legend=True)


@drawing("stratified")
def _stratified(ax: Axes) -> None:
    by_outcome(ax, verified.stratified(SCORES, RIGHT, alpha=0.2, beta=0.2))


@drawing("variance_weight")
def _variance_weight(ax: Axes) -> None:
    spread = np.linspace(0, 1, 51)
    pairs = np.stack([-spread, spread], axis=-1)
    for steepness, colour in zip((3, 6, 20), COLOURS, strict=False):
        got = verified.variance_weight(pairs, steepness=steepness, centre=0.5)
        ax.plot(spread, got, color=colour, label=f"steepness {steepness}")
    label(ax, "standard deviation of the group", "weight", legend=True)


@drawing("trust")
def _trust(ax: Axes) -> None:
    at = np.arange(0, 3001, 100)
    right = np.array([[True, False]])
    for pair, colour, text in (([0.9, 0.1], GREEN, "judge agrees"), ([0.1, 0.9], ORANGE, "judge contradicts")):
        bonus = [verified.trust([pair], right, step=int(step))[0, 0] - 1 for step in at]
        ax.plot(at, np.array(bonus) / pair[0], color=colour, label=text)
    label(ax, "training step", "weight of the judge", legend=True)


@drawing("prof")
def _prof(ax: Axes) -> None:
    kept = verified.prof(SCORES, RIGHT, keep=4)
    for outcome, colour, text in ((True, GREEN, "right"), (False, ORANGE, "wrong")):
        side = outcome == RIGHT
        height = np.full(8, float(outcome))
        ax.scatter(SCORES[0][(side & kept)[0]], height[(side & kept)[0]], color=colour, s=60, label=f"{text}, kept")
        ax.scatter(SCORES[0][(side & ~kept)[0]], height[(side & ~kept)[0]], facecolors="none", edgecolors=colour, s=60)
    ax.set_yticks([0, 1], ["wrong", "right"])
    ax.set_ylim(-0.5, 1.5)
    label(ax, "mean step score (filled: kept)", "")


@drawing("length_residual")
def _length_residual(ax: Axes) -> None:
    ax.plot(LENGTHS[0], SCORES[0], "o", color=GREY, label="score")
    ax.plot(LENGTHS[0], length.length_residual(SCORES, LENGTHS)[0], "o", color=BLUE, label="length_residual")
    label(ax, "length", "value", legend=True)


@drawing("overlong")
def _overlong(ax: Axes) -> None:
    lengths = np.linspace(0, 1400, 57)
    for margin, colour in zip((0, 200, 600), COLOURS, strict=False):
        got = length.overlong(np.ones(57), lengths, limit=1000, margin=margin)
        ax.plot(lengths, got, color=colour, label=f"margin {margin}")
    label(ax, "length (limit 1000)", "reward of a score of 1", legend=True)


@drawing("length_penalty")
def _length_penalty(ax: Axes) -> None:
    lengths = np.linspace(0, 4000, 57)
    for rate, colour in zip((0.2, 0.5, 1.0), COLOURS, strict=False):
        got = length.length_penalty(np.ones(57), lengths, target=1000, rate=rate)
        ax.plot(lengths, got, color=colour, label=f"rate {rate}")
    label(ax, "length (target 1000)", "reward of a score of 1", legend=True)


@drawing("group_length")
def _group_length(ax: Axes) -> None:
    for outcome, colour, text in ((True, GREEN, "right"), (False, ORANGE, "wrong")):
        side = np.full(RIGHT.shape, outcome)
        got = length.group_length(side * 1.0, LENGTHS, side, weight=0.5)
        order = np.argsort(LENGTHS[0])
        ax.plot(LENGTHS[0][order], got[0][order], "o-", color=colour, label=text)
    label(ax, "length", "reward", legend=True)


@drawing("step_clip")
def _step_clip(ax: Axes) -> None:
    per_step(ax, steps.step_clip)


@drawing("step_delta")
def _step_delta(ax: Axes) -> None:
    per_step(ax, steps.step_delta)


@drawing("step_min_credit")
def _step_min_credit(ax: Axes) -> None:
    per_step(ax, steps.step_min_credit)


@drawing("step_min")
def _step_min(ax: Axes) -> None:
    whole_chain(ax, steps.step_min)


@drawing("step_product")
def _step_product(ax: Axes) -> None:
    whole_chain(ax, steps.step_product)


@drawing("step_last")
def _step_last(ax: Axes) -> None:
    whole_chain(ax, steps.step_last)


@drawing("step_mean")
def _step_mean(ax: Axes) -> None:
    whole_chain(ax, steps.step_mean)


@drawing("lagrangian")
def _lagrangian(ax: Axes) -> None:
    # A model whose cost falls as its price rises: the price settles where the cost meets the limit.
    for rate, colour in zip((0.1, 0.5), COLOURS, strict=False):
        dual, costs = risk.Dual(multiplier=0.0, limit=0.2, rate=rate), []
        for _ in range(60):
            costs.append(float(np.exp(-dual.multiplier)))
            dual = dual.update([costs[-1]])
        ax.plot(costs, color=colour, label=f"mean cost, rate {rate}")
    ax.axhline(0.2, color=GREY, linestyle="--", label="limit")
    label(ax, "update", "mean cost", legend=True)


@drawing("quantile_risk")
def _quantile_risk(ax: Axes) -> None:
    shares = np.linspace(0.02, 1, 50)
    for votes, colour, text in (
        ([0.6] * 8, GREEN, "judges agree"),
        ([0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9], ORANGE, "judges differ"),
    ):
        got = [float(risk.quantile_risk(votes, lowest=share)) for share in shares]
        ax.plot(shares, got, color=colour, label=text)
    ax.set_ylim(0, 0.8)
    label(ax, "share of the lowest votes that counts", "reward", legend=True)


@drawing("abstain")
def _abstain(ax: Axes) -> None:
    doubt = np.array([0.05, 0.3, 0.12, 0.02, 0.4, 0.18, 0.25, 0.1])
    got = risk.abstain(SCORES[0], doubt, most=0.2)
    kept = np.isfinite(got)
    ax.errorbar(np.arange(1, 9)[kept], got[kept], doubt[kept], fmt="o", color=BLUE, label="reward")
    ax.errorbar(
        np.arange(1, 9)[~kept], SCORES[0][~kept], doubt[~kept], fmt="o", color=GREY, label="no reward", mfc="none"
    )
    label(ax, "response", "score ± uncertainty", legend=True)


def one_control(ax: Axes, name: str) -> None:
    """What a control gives to six completions of one prompt; no bar where it has no reward."""
    texts = ["\\boxed{4}", "It is 4.", "It is 4, because 2 and 2 make 4.", "\\boxed{5}", "no idea", "4"]
    options = {"length": {"target": 10}}
    control = CONTROLS[name](**options.get(name, {}))
    rewards = control(["2+2?"] * 6, texts, reference=["It is 4."] * 6)
    known = [0.0 if reward is None else reward for reward in rewards]
    places = np.arange(6)
    ax.bar(places, known, width=0.6, color=BLUE)
    for place, reward in zip(places, rewards, strict=True):
        ax.text(
            place, reward or 0.0, "none" if reward is None else f"{reward:.2f}", ha="center", va="bottom", fontsize=7
        )
    ax.set_ylim(0, 1.15)
    ax.set_xticks(places, ["boxed 4", "It is 4.", "… because …", "boxed 5", "no idea", "4"], fontsize=7)
    label(ax, "completion", "reward")


for _name in CONTROLS:
    DRAWINGS[f"control_{_name}"] = partial(one_control, name=_name)


# Votes on one response; the fifth goes through all scores.
OTHERS = [0.2, 0.3, 0.6, 0.9]
VARIANTS = {
    "trimmed_mean": (0.1, 0.25, 0.4),
    "quantile": (0.1, 0.5, 0.9),
    "mean_minus_var": (0.5, 1, 2),
    "mean_minus_std": (0.25, 0.5, 1),
    "robust": (0, 0.5, 1),
    "log_mean_exp": (-10, 0, 10),
}
CODES = np.array([[1] * yes + [0] * (8 - yes) for yes in range(9)])


def one_vote_moves(ax: Axes, name: str) -> None:
    """The value of five votes while one of them goes from 0 to 1."""
    votes = np.column_stack([np.tile(OTHERS, (UNIT.size, 1)), UNIT])
    for number, colour in zip(VARIANTS[name] if name in NUMBERS else (None,), COLOURS, strict=False):
        rule = name if number is None else {name: number}
        text = name if number is None else f"{name}: {number}"
        ax.plot(UNIT, vote_array(votes, rule).value, color=colour, label=text)
    ax.plot(OTHERS, [0] * 4, "|", color=GREY, markersize=12, label="other votes")
    label(ax, "fifth vote", "value", legend=True)


def votes_for_yes(ax: Axes, name: str) -> None:
    """The value of eight votes, of which more and more say yes."""
    scores = CODES.astype(np.float64)
    yes = np.arange(9)
    if name == "majority":
        ax.plot(yes, vote_array(scores, name, codes=CODES).value, "o", color=BLUE, label="majority (4 of 8: a tie)")
    for sure, colour in ((0.6, ORANGE), (0.95, GREEN)) if name == "soft" else ():
        p = np.stack([np.where(CODES, 1 - sure, sure), np.where(CODES, sure, 1 - sure)], axis=-1)
        got = vote_array(scores, name, codes=CODES, p=p, values=[0.0, 1.0]).value
        ax.plot(yes, got, "o-", color=colour, label=f"every vote {sure:.0%} sure")
    if name in ("likelihood", "confidence"):
        for weight, colour in ((0.3, ORANGE), (0.9, GREEN)):
            got = vote_array(scores, name, codes=CODES, weights=np.where(CODES, weight, 0.5)).value
            ax.plot(yes, got, "o-", color=colour, label=f"{name} of yes {weight}, of no 0.5")
    label(ax, "votes for yes, of 8", "value", legend=True)


for _name in RULES:
    _draw = votes_for_yes if _name in ("majority", "soft", "likelihood", "confidence") else one_vote_moves
    DRAWINGS[f"vote_{_name}"] = partial(_draw, name=_name)

# Two criteria of weights 2 and 1: the first goes through all scores, the second is one of three.
OPTIONS: dict[str, dict[str, Any]] = {
    "lexicographic": {"margins": 0.25},
    "hierarchical": {"holistic": 0},
    "log_sigmoid_sum": {"reference": 0.5, "temperature": 0.1},
}


def two_criteria(ax: Axes, name: str) -> None:
    for second, colour in zip((0.1, 0.5, 0.9), COLOURS, strict=False):
        scores = np.column_stack([UNIT, np.full(UNIT.size, second)])
        # Points are drawn with a fault: it takes away what the weighted mean adds for its absence.
        weights = [2.0, -1.0] if name == "points" else [2.0, 1.0]
        text = f"{'fault' if name == 'points' else 'second'} {second}"
        ax.plot(UNIT, FUNCTIONS[name](scores, weights, **OPTIONS.get(name, {})), color=colour, label=text)
    label(ax, "first criterion", "reward", legend=True)


for _name in FUNCTIONS:
    DRAWINGS[f"aggregate_{_name}"] = partial(two_criteria, name=_name)


@drawing("aggregate_gated")
def _gated(ax: Axes) -> None:
    for floor, colour in zip((0.0, -0.5), COLOURS, strict=False):
        got = gate(np.full(UNIT.size, 0.8), UNIT[:, None], 0.5, floor)
        ax.plot(UNIT, got, color=colour, label=f"mean 0.8, floor {floor:g}")
    label(ax, "score of the constraint", "reward", legend=True)


@drawing("aggregate_holistic")
def _holistic(ax: Axes) -> None:
    scale = Holistic().scale
    ax.plot(range(1, len(scale.names) + 1), [scale.score(name) for name in scale.names], "o", color=BLUE)
    ax.set_xticks(range(1, len(scale.names) + 1), list(scale.names))
    label(ax, "label of the one question", "reward")


def draw(name: str) -> bytes:
    """The SVG file of one plot."""
    with mpl.rc_context({**mpl.rcParamsDefault, **STYLE}):
        figure = Figure(figsize=(4.8, 2.7), layout="constrained")
        DRAWINGS[name](figure.add_subplot())
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def main(names: list[str]) -> None:
    PLOTS.mkdir(exist_ok=True)
    for name in names or DRAWINGS:
        (PLOTS / f"{name}.svg").write_bytes(draw(name))


if __name__ == "__main__":
    main(sys.argv[1:])
