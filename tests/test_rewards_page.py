"""The page about rewards says what the registry says, and shows a plot of every entry that comes out anew the same."""

import importlib.util
import sys
from pathlib import Path

import pytest

from genrm.rewards.catalogue import catalogue

DOCS = Path(__file__).parent.parent / "docs"
LIMIT = 30_000
NAMES = [row["name"].replace(":", "_") for row in catalogue()]


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plots():
    return load("make_plots")


def test_every_rule_aggregate_and_shape_has_a_small_plot_and_no_plot_is_left_over(plots):
    names = {path.stem for path in plots.PLOTS.iterdir()}
    assert names == set(plots.DRAWINGS) == set(NAMES)
    for path in plots.PLOTS.iterdir():
        assert 0 < path.stat().st_size < LIMIT, path.name


@pytest.mark.parametrize(
    "name",
    [
        "par",
        "step_delta",
        "prof",
        "control_majority",
        "vote_quantile",
        "vote_soft",
        "aggregate_soft_min",
        "aggregate_gated",
    ],
)
def test_a_plot_comes_out_the_same_again(plots, name):
    assert plots.draw(name) == (plots.PLOTS / f"{name}.svg").read_bytes()


@pytest.mark.full
def test_every_plot_comes_out_the_same_again(plots):
    for name in plots.DRAWINGS:
        assert plots.draw(name) == (plots.PLOTS / f"{name}.svg").read_bytes(), name


def test_the_page_is_current():
    page = load("make_rewards")
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "run: python docs/make_rewards.py"
    assert all(f"plots/{name}.svg" in text for name in NAMES)


def test_a_page_without_marks_is_refused():
    page = load("make_rewards")
    with pytest.raises(ValueError, match="lacks the lines"):
        page.page("no marks")
