"""What the summary says about a panel: errors that go together, and whether plain majority is the best rule."""

import io

import numpy as np
import pytest
from rich.console import Console

from genrm.batch.panel_summary import MIN_ROWS, PanelSummary
from genrm.batch.render import summary_view
from genrm.batch.summary import Summary

USAGE = {"requests": 1, "prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 1, "cost_usd": None}


def row(said, label, names=None):
    names = names or [f"m{number}" for number in range(len(said))]
    result = {"status": "ok", "label": label, "score": 1.0, "votes": list(said)}
    members = [
        {"name": name, "criteria": {"good": {"status": "ok", "label": own}}}
        for name, own in zip(names, said, strict=True)
    ]
    judged = {"id": "1", "status": "ok", "reward": 1.0, "criteria": {"good": result}, "members": members}
    return judged | {"usage": USAGE, "error": None, "judge": {}}


def rows(accuracy, n=600, shared=0.0, seed=0):
    """Members of these accuracies; with probability ``shared`` the last one says what the one before it says."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        truth = rng.random() < 0.5
        right = rng.random(len(accuracy)) < accuracy
        if rng.random() < shared:
            right[-1] = right[-2]
        said = ["yes" if r == truth else "no" for r in right]
        yield row(said, max(set(said), key=said.count))


def summed(found):
    summary = Summary()
    for one in found:
        summary.add(one)
    return summary


def test_relatives_are_seen_and_cost_effective_members():
    apart = summed(rows([0.8] * 5)).row()["panel"]["criteria"]["good"]
    relatives = summed(rows([0.8] * 5, shared=1.0)).row()["panel"]["criteria"]["good"]
    assert relatives["correlation"][3][4] == 1.0
    assert abs(apart["correlation"][3][4]) < 0.3
    assert relatives["effective_size"] < apart["effective_size"]
    assert np.array(apart["correlation"]).shape == (5, 5)


def test_the_certificate_says_when_weights_would_do_better():
    even = summed(rows([0.8, 0.8, 0.8])).row()["panel"]["criteria"]["good"]
    assert even["majority_optimal"] is True
    uneven = summed(rows([0.97, 0.6, 0.6], n=3000)).row()["panel"]["criteria"]["good"]
    assert uneven["majority_optimal"] is False
    assert uneven["best_accuracy"] > uneven["majority_accuracy"]
    assert uneven["accuracy"][0] > 0.85 > uneven["accuracy"][1]


def test_people_see_accuracies_correlations_and_the_certificate():
    out = io.StringIO()
    Console(file=out, width=100).print(summary_view(summed(rows([0.97, 0.6, 0.6], n=3000))))
    assert "accuracy (est.)" in out.getvalue()
    assert "r with 2" in out.getvalue()
    assert "good: weighted votes would do better" in out.getvalue()


@pytest.mark.parametrize(
    "found",
    [
        [row(["yes", "no"], "yes")] * (MIN_ROWS - 1),
        [row(["yes", "yes"], "yes")] * 50,
        [{**row(["yes", "no"], "yes"), "members": []}] * 50,
        [row(["yes"], "yes")] * 25 + [row(["no"], "no")] * 25,
    ],
    ids=["few rows", "one label", "no panel", "one member"],
)
def test_nothing_is_said_where_nothing_can_be_known(found):
    assert "panel" not in summed(found).row()


def test_failed_members_and_rows_of_other_panels_are_left_out():
    mixed = [*rows([0.8, 0.8, 0.8], n=100), row(["yes", None, None], None), row(["yes", "no"], "yes", ["a", "b"])]
    found = summed(mixed).row()["panel"]
    assert found["members"] == ["m0", "m1", "m2"]
    assert found["criteria"]["good"]["n"] == 101
    assert PanelSummary().row() == {}
