"""``genrm judge --budget-usd`` on an API model, against a fake provider whose bill is added up by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("litellm", reason="the extra [api] is not installed")

from typer.testing import CliRunner

from genrm import Judge, Panel, RewardFunction
from genrm.cli import app
from genrm.engines.api.prices import Prices
from genrm.errors import GenrmError, RunStoppedError, SpecError
from genrm.judging import runtime
from genrm.judging.judge import check_prices
from tests.engines.api_wire import ApiWire, Fault, Said

ROWS = 48
RUBRIC = {
    "name": "tone",
    "version": "1.0",
    "protocol": "pointwise",
    "criteria": [{"id": "polite", "ask": "Is it polite?"}, {"id": "brief", "ask": "Is it brief?"}],
    "ask": "separate",
}
MODEL = "litellm:openai/gpt-4o-mini"
INPUT, OUTPUT = 1.5e-7, 6e-7
"""Of the model, in litellm's table; a test below compares."""


@pytest.fixture
def wire(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ApiWire() as server:
        # Unlike any estimate: between little and nearly all that a call may take.
        server.usage = lambda seed: (200 + seed % 3000, 0, 1 + seed % 150)
        yield server


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tone.yaml").write_text(json.dumps(RUBRIC))
    rows = [{"id": f"r{n}", "prompt": f"Say {n}.", "response": f"Here is {n}, dear."} for n in range(ROWS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def arguments(wire, *more, out="out.jsonl", model=MODEL):
    base = f"api_base={wire.openai}"
    return ["judge", "in.jsonl", "-r", "tone.yaml", "-m", model, "-o", out, "--engine-arg", base, "--json", *more]


@pytest.fixture
def judge(wire, files):
    """Runs the command: exit code, summary, what people were told."""

    def call(*more, **options):
        result = CliRunner().invoke(app, arguments(wire, *more, **options))
        if isinstance(result.exception, GenrmError):
            return 2, None, str(result.exception)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout), result.stderr

    return call


def bill(wire) -> float:
    return sum(one.prompt * INPUT + one.completion * OUTPUT for one in wire.billed)


def rows_of(files, name="out.jsonl"):
    return [json.loads(line) for line in (files / name).read_text().splitlines()]


def test_the_prices_are_those_of_the_table():
    from genrm.engines.api.model import load_litellm

    entry = load_litellm().model_cost["gpt-4o-mini"]
    assert (entry["input_cost_per_token"], entry["output_cost_per_token"]) == (INPUT, OUTPUT)


def test_costs_add_up(wire, judge, files):
    code, summary, said = judge("--limit", "10")
    assert code == 0
    rows = rows_of(files)
    assert sum(row["usage"]["cost_usd"] for row in rows) == pytest.approx(bill(wire))
    assert summary["usage"]["cost_usd"] == pytest.approx(bill(wire))
    assert summary["usage"]["requests"] == 20
    assert "USD" in said
    assert "probabilities" not in rows[0]["judge"]
    assert rows[0]["criteria"]["polite"]["read"] == "label"


def test_a_row_says_that_its_judge_shows_no_probabilities(wire, judge, files):
    code, _, _ = judge("--limit", "1", "--engine-arg", "top_logprobs=0")
    assert code == 0
    (row,) = rows_of(files)
    assert row["judge"]["probabilities"] is False
    assert "p" not in row["criteria"]["polite"]
    assert "logprobs" not in wire.asked[0].body


def test_a_refused_key_ends_the_run(wire, judge, files):
    wire.script.extend(Fault(401, {"error": {"message": "no"}}) for _ in range(200))
    code, summary, said = judge()
    assert code == 130
    assert "$OPENAI_API_KEY" in summary["stopped"]
    assert "goes on from here" in said
    assert not rows_of(files)
    wire.script.clear()
    runtime.shutdown()  # the same command again is another process
    assert judge("--limit", "3")[0] == 0


@pytest.mark.parametrize("flags", [[], pytest.param(["--unordered"], marks=pytest.mark.full)])
def test_a_budget_is_kept_and_the_run_goes_on(wire, judge, files, flags):
    code, whole, _ = judge("--max-in-flight", "64", *flags, out="whole.jsonl")
    assert code == 0
    total = whole["usage"]["cost_usd"]
    assert total == pytest.approx(bill(wire))
    wire.billed.clear()
    budget, stops = total / 3, 0
    while True:
        code, summary, said = judge("--max-in-flight", "64", "--budget-usd", str(budget), *flags)
        # What the provider bills for this file, over all runs, is what the budget is about.
        assert bill(wire) <= budget
        if code == 0:
            break
        assert code == 130
        assert summary["stopped"].startswith(f"the budget of {budget:g} USD has ")
        assert "the same command with a larger --budget-usd goes on from here" in said
        stops += 1
        budget *= 1.7
    assert stops >= 2
    assert summary["rows"] == ROWS
    assert sum(row["usage"]["cost_usd"] for row in rows_of(files)) == pytest.approx(total)
    assert sorted((files / "out.jsonl").read_text().splitlines()) == sorted(
        (files / "whole.jsonl").read_text().splitlines()
    )


def test_the_same_budget_again_buys_nothing(wire, judge):
    budget = ["--budget-usd", "0.01"]
    assert judge(*budget)[0] == 130
    asked = len(wire.asked)
    code, summary, _ = judge(*budget)
    assert code == 130
    assert len(wire.asked) - asked <= 2
    assert summary["usage"]["cost_usd"] <= 0.01
    assert bill(wire) <= 0.01


@pytest.mark.full
def test_killed_and_gone_on_with(wire, files, judge):
    wire.delay_s = 0.05
    command = [sys.executable, "-m", "genrm", *arguments(wire, "--budget-usd", "0.012", "--max-in-flight", "8")]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    out = files / "out.jsonl"
    while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 6):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.communicate()
    time.sleep(0.3)
    assert out.read_bytes().count(b"\n") >= 6
    wire.delay_s = 0.0
    code, _, said = judge("--budget-usd", "0.012")
    assert code == 130
    assert "calls without a row of their own may have cost up to" in said
    # Calls that were in flight when the process was killed are billed, and no row knows of them.
    assert bill(wire) <= 0.012
    code, summary, _ = judge("--budget-usd", "5")
    assert (code, summary["rows"]) == (0, ROWS)
    rows = rows_of(files)
    assert [row["id"] for row in rows] == [f"r{n}" for n in range(ROWS)]
    assert sum(row["usage"]["cost_usd"] for row in rows) <= bill(wire)


def test_failed_calls_that_were_billed_count(wire, judge, files):
    (files / "tone.yaml").write_text(json.dumps({**RUBRIC, "criteria": RUBRIC["criteria"][:1]}))
    wire.script.extend([Said("no JSON"), Said("still none"), Said("never"), Said("I decline.", "refusal")])
    code, summary, _ = judge("--limit", "2", "--max-in-flight", "1")
    assert code == 1
    rows = rows_of(files)
    assert [row["error"]["category"] for row in rows] == ["unparseable", "refused"]
    assert [row["usage"]["requests"] for row in rows] == [3, 1]
    assert summary["usage"]["cost_usd"] == pytest.approx(bill(wire))


def test_a_call_that_hangs_counts_in_full(wire, judge):
    wire.script.extend([Fault(kind="hang"), Fault(kind="hang")])
    code, _, said = judge("--limit", "1", "--timeout", "1", "--budget-usd", "1")
    assert code == 1
    (code, _, said) = judge("--limit", "2", "--budget-usd", "1")
    assert "calls without a row of their own may have cost up to" in said


def test_a_panel_shares_its_budget(wire, judge):
    second = ["-m", "litellm:openai/gpt-4.1-mini", "--panel", "mean", "--limit", "16"]
    code, whole, _ = judge(*second, out="whole.jsonl")
    assert code == 0
    code, summary, _ = judge(*second, "--budget-usd", str(whole["usage"]["cost_usd"] / 2))
    assert code == 130
    assert 0 < summary["usage"]["cost_usd"] <= whole["usage"]["cost_usd"] / 2
    code, summary, _ = judge(*second, "--budget-usd", str(whole["usage"]["cost_usd"] * 3))
    assert code == 0
    assert summary["usage"]["cost_usd"] == pytest.approx(whole["usage"]["cost_usd"])


def test_an_unknown_price_is_refused_before_any_call(wire, judge, files):
    code, _, said = judge("--budget-usd", "1", model="litellm:openai/my-own-model")
    assert code == 2
    assert "input_cost_per_token" in said
    assert not wire.asked
    assert not (files / "out.jsonl").exists()
    prices = ["--engine-arg", "input_cost_per_token=1.0e-7", "--engine-arg", "output_cost_per_token=4.0e-7"]
    more = ["--engine-arg", "grammar=json_schema", "--limit", "2", "--budget-usd", "1"]
    code, summary, _ = judge(*prices, *more, model="litellm:openai/my-own-model")
    assert code == 0
    assert summary["usage"]["cost_usd"] == pytest.approx(bill(wire) * 2 / 3)


def test_a_budget_for_judges_that_cost_nothing_is_refused():
    free = SimpleNamespace(model="tiny", engine=object)
    priced = SimpleNamespace(model=MODEL, engine=lambda: SimpleNamespace(prices=Prices(1e-6, 1e-6)))
    with pytest.raises(SpecError, match="tiny has no price"):
        check_prices([free])
    check_prices([free, priced])


def test_in_python_the_stop_reaches_the_caller(wire, files):
    options = {"engine_options": {"api_base": wire.openai}}
    judge = Judge(RUBRIC, MODEL, budget_usd=0.004, **options)
    with pytest.raises(RunStoppedError):
        judge.judge_many([{"response": f"It is {n}."} for n in range(100)])
    assert bill(wire) <= 0.004
    assert judge.budget.spent_usd == pytest.approx(bill(wire))
    with pytest.raises(RunStoppedError):
        RewardFunction(judge)(prompts=["?"] * 30, completions=[f"{n}" for n in range(30)])
    assert bill(wire) <= 0.004
    with pytest.raises(GenrmError, match="budget of its own"):
        Panel([judge, Judge(RUBRIC, MODEL, **options)])
