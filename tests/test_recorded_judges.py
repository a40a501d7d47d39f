"""Published judge outputs, replayed by the command that a user would run, give the figures that were published."""

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli import app

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("GENRM_DATA", ROOT.parent / "shared" / "data"))
EXAMPLES = ROOT / "examples"

sys.path.insert(0, str(EXAMPLES))
import recorded_judges  # noqa: E402

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data in {DATA}; set GENRM_DATA")


@pytest.fixture
def replayed(tmp_path):
    """Figures and output rows of a set."""

    def run(name):
        folder = tmp_path / name
        genrm, *words = recorded_judges.write(name, DATA, folder).split()
        assert genrm == "genrm"
        done = CliRunner().invoke(app, [*words, "--no-progress"])
        assert done.exit_code in (0, 1), done.exception
        rows = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
        figures = recorded_judges.figures(name, DATA, folder)
        failed = sum(row["reward"] is None for row in rows)
        assert done.exit_code == (1 if failed else 0)
        assert failed == figures.get("without_verdict", 0)
        assert all((row["error"] is None) == (row["reward"] is not None) for row in rows)
        return figures, {row["id"]: row for row in rows}

    return run


@pytest.mark.parametrize("name", recorded_judges.LLMBAR)
def test_llmbar(replayed, name):
    _, subset, judge, method = name.split("/")
    folder = DATA / "llmbar" / subset / "evaluators" / judge / method
    published = json.loads((folder / "statistics.json").read_text())
    figures, rows = replayed(name)
    assert published.keys() <= figures.keys()
    for entry, value in published.items():
        assert figures[entry] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-12)), entry
    if method != "Rating":
        items = json.loads((folder / "result.json").read_text())
        for number, item in enumerate(items):
            for order in recorded_judges.ORDERS:
                said = {row: recorded_judges.label(rows[row]) for row in [f"{number}-{order}"]}
                winner = item["results"][-1][f"swap = {order}"]["winner"]
                assert recorded_judges._shown(said, str(number), order) == winner


def test_llmbar_outputs_without_a_verdict_stay_without_one(replayed):
    figures, rows = replayed("llmbar/Neighbor/LLaMA2/CoT")
    assert figures["without_verdict"] == 1
    [error] = [row["error"] for row in rows.values() if row["error"]]
    assert error["category"] == "unparseable"
    figures, rows = replayed("llmbar/Neighbor/GPT-4/Rating")
    [error] = [row["error"] for row in rows.values() if row["error"]]
    assert error["category"] == "refused"


@pytest.mark.parametrize(
    ("judge", "agreement", "ties_wrong", "failed"),
    [("gpt-3.5-turbo", 69.77, 69.27, 25), ("pandalm-7b", 66.77, None, 0)],
)
def test_pandalm(replayed, judge, agreement, ties_wrong, failed):
    figures, rows = replayed(f"pandalm/{judge}")
    assert (figures["n"], figures["with_majority"], figures["unanimous"]) == (999, 999, 879)
    assert figures["agreement_percent"] == agreement
    assert ties_wrong in (None, figures["agreement_percent_ties_wrong"])
    assert figures["without_verdict"] == failed
    assert {row["error"]["category"] for row in rows.values() if row["error"]} <= {"unparseable"}


def test_prometheus(replayed):
    figures, rows = replayed("prometheus")
    assert figures == {
        "n": 320,
        "as_recorded": 320,
        "unanimous": 199,
        "differ_by_2_or_more": 2,
        "without_verdict": 0,
    }
    critique = rows["0"]["criteria"]["score"]["critique"]
    assert critique
    assert "[RESULT]" not in critique
    assert not critique.startswith("Feedback:")


@pytest.mark.parametrize(
    ("name", "n", "failed"),
    [("arena", 10, 0), ("imo_points", 5, 2), ("imo_words", 5, 3), ("frontier", 5, 0), ("math", 2, 0)],
)
def test_nemo_gym(replayed, name, n, failed):
    figures, _ = replayed(f"nemo_gym/{name}")
    assert (figures["n"], figures["as_recorded"], figures["without_verdict"]) == (n, n, failed)


def test_null_model(replayed):
    figures, _ = replayed("null_model")
    assert figures["n"] == 805
    assert figures["largest_difference"] < 1e-6
    assert figures["mean_win_rate"] == 0.7692
    assert figures["said_neither"] == 2


def test_kappa():
    assert recorded_judges.kappa([1, 1, 0, 0], [1, 1, 0, 0]) == 1.0
    assert recorded_judges.kappa([1, 1, 0, 0], [1, 0, 1, 0]) == 0.0
    assert recorded_judges.kappa("aabbc", "ababc") == pytest.approx((0.6 - 0.36) / (1 - 0.36))
