"""Figures of a run, and how they look."""

from __future__ import annotations

import io
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from genrm.batch.progress import BarReporter, LogReporter, Reporter, clock, reporter, short
from genrm.batch.render import plain, rows_table, summary_view
from genrm.batch.summary import MAX_CRITERIA, OTHERS, Spread, Summary, wilson

USAGE = {"requests": 1, "prompt_tokens": 90, "cached_tokens": 0, "completion_tokens": 10, "cost_usd": None}


def row(reward=0.5, *, status="ok", error=None, usage=USAGE, id="1", **criteria):
    return {
        "id": id,
        "status": status,
        "reward": reward,
        "reward_std": None,
        "criteria": criteria,
        "usage": usage,
        "error": error,
    }


def result(score=1.0, **more):
    return {"status": "ok", "label": "yes", "score": score, "critique": "Good.", **more}


CUT = {"category": "truncated", "message": "", "retryable": False}
FAILED = row(None, status="failed", error={"category": "timeout", "message": "too [slow]", "retryable": True})


def summary_of(*rows):
    summary = Summary()
    for item in rows:
        summary.add(item)
    return summary


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=50))
def test_spread_is_the_textbook_one(values):
    spread = Spread()
    for value in values:
        spread.add(value)
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert spread.std == pytest.approx(statistics.stdev(values), abs=1e-7)
    assert (spread.min, spread.max) == (min(values), max(values))


def test_histogram_edges():
    summary = summary_of(*(row(value) for value in (0.0, 0.099, 0.1, 0.95, 1.0, -0.2, 1.7)))
    assert summary.histogram == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (summary.below, summary.above) == (1, 1)


def test_wilson_known_values():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_counts():
    summary = summary_of(
        row(1.0, a=result(1.0, votes=["yes", "yes"], agreement=1.0, checked="agree")),
        row(0.0, a=result(0.4, votes=["yes", "no"], agreement=0.5, checked="disagree", closed=2, in_domain=False)),
        FAILED,
        row(None, status="partial", error=CUT, a={"status": "failed", "label": None, "score": None}),
    )
    figures = summary.row()
    assert figures["statuses"] == {"ok": 2, "partial": 1, "failed": 1}
    assert figures["errors"] == {"timeout": 1, "truncated": 1}
    assert (figures["no_reward"], summary.exit_code) == (2, 1)
    assert figures["criteria"]["a"] | {"pass_rate_95": None} == {
        "n": 2,
        "pass_rate": 0.5,
        "pass_rate_95": None,
        "mean": 0.7,
        "failed": 1,
    }
    assert figures["agreement"] == 0.75
    assert figures["checked"] == {"agree": 1, "disagree": 1}
    assert (figures["closed_critiques"], figures["out_of_domain"]) == (2, 1)
    assert figures["usage"] == {
        "requests": 4,
        "prompt_tokens": 360,
        "cached_tokens": 0,
        "completion_tokens": 40,
        "cost_usd": None,
    }


def test_costs_add_up_where_there_are_any():
    assert (
        summary_of(row(usage=USAGE | {"cost_usd": 0.25}), row(), row(usage=USAGE | {"cost_usd": 0.5})).cost_usd == 0.75
    )


def test_criteria_are_bounded():
    summary = summary_of(*(row(**{f"c{n}": result()}) for n in range(MAX_CRITERIA + 50)))
    assert len(summary.criteria) == MAX_CRITERIA + 1
    assert summary.criteria[OTHERS].scores.n == 50


def test_nothing_judged_has_no_figures():
    figures = summary_of(FAILED).row()
    assert figures["reward"]["mean"] is None
    assert figures["reward"]["min"] is None


def test_exit_codes():
    assert summary_of(row()).exit_code == 0
    summary = summary_of(row())
    summary.interrupted = True
    assert summary.exit_code == 130


def shown(view, width=80):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(view)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_tells_all(width):
    rows = [
        row(0.75, id="x" * 60, correct=result(), style=result(0.5, checked="disagree", in_domain=False)),
        row(1.0, id="[bold]", correct=result(critique="long " * 200)),
        FAILED,
    ]
    text = shown(rows_table(rows), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("0.75", "correct", "style", "code disagrees", "[bold]", "…", "timeout: too [slow]", "none"):
        assert word in text


def test_judged_text_cannot_drive_the_terminal():
    text = shown(
        rows_table([row(0.5, id="\x1b[31mred\x07", c=result(critique="a\x1b]0;title\x07b\u202eevil\n\n\ud83dx\x9b2J"))])
    )
    assert not set(text) & set("\x1b\x07\u202e\x9b\ud83d")
    assert plain("a\tb\r\nc") == "a b c"


def test_the_summary_names_its_figures():
    rows = [row(n / 20, a=result(n / 20, votes=["y", "y"], agreement=1.0, checked="agree")) for n in range(20)]
    summary = summary_of(*rows, FAILED, row(1.0, b=result(closed=1, in_domain=False)))
    summary.wall_s = 7.5
    for width in (80, 120):
        text = shown(summary_view(summary), width)
        assert max(map(len, text.splitlines())) <= width
    words = ["22 rows", "21 ok", "1 failed", "0:08", "timeout 1", "mean 0.500", "n 21", "50.0%"]
    words += ["agreement of votes 1.000", "20 agree, 0 disagree", "at their budget: 1", "outside the judge's domain: 1"]
    for word in words:
        assert word in text


def test_a_summary_without_rewards_can_be_shown():
    assert "without a reward  1" in shown(summary_view(summary_of(FAILED)))


def test_log_lines_come_at_their_pace():
    stream = io.StringIO()
    report = LogReporter(stream, every_s=0)
    report.start(total=4, done=1)
    report.advance(row())
    report.advance(FAILED)
    first, second = stream.getvalue().splitlines()
    assert first.startswith("genrm: 2/4 rows · ")
    assert "left · 1 failed · 200 tokens" in second
    quiet = LogReporter(io.StringIO(), every_s=60)
    quiet.start(None, 0)
    quiet.advance(row())
    assert quiet.stream.getvalue() == ""


def test_a_bar_draws_and_goes():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    assert type(reporter(stream=io.StringIO())) is LogReporter
    assert type(reporter(False, stream)) is Reporter
    with reporter(stream=stream) as report:
        assert isinstance(report, BarReporter)
        report.note("[hello]")
        report.start(total=2, done=0)
        report.advance(row())
        report.advance(row())
    assert "genrm: [hello]" in stream.getvalue()
    assert report.done == 2


def test_times_and_counts_for_people():
    assert [clock(value) for value in (0.4, 61, 3723, 200_000)] == ["0:00", "1:01", "1:02:03", "2 d 07 h"]
    assert [short(value) for value in (950, 12_345, 999_960, 4_500_000)] == ["950", "12.3k", "1.0M", "4.5M"]
