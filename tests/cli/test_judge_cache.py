"""``genrm judge --cache`` and ``--record``, and ``genrm cache``, from end to end on the embedded judge."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import genrm
from genrm.cli import app
from genrm.engines.base import Capabilities
from genrm.engines.recorder import RecordingEngine
from genrm.errors import GenrmError, SpecError
from genrm.judging import runtime
from genrm.judging.pointwise import Settings, judge_sample
from genrm.resources import tiny_dir
from genrm.specs.sample import Sample

pytestmark = pytest.mark.skipif(
    not (tiny_dir() / "model.safetensors").is_file(),
    reason="the weights of the embedded judge are not in this checkout",
)

ROWS = [
    {"id": "right", "prompt": "What is 12 + 30?", "response": "12 + 30 = 42. The answer is 42.", "reference": 42},
    {"id": "wrong", "prompt": "What is 12 + 30?", "response": "12 + 30 = 45. The answer is 45.", "reference": 42},
    {"id": "broken", "prompt": "What is 12 + 30?"},
]


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """Runs the verb in an empty folder with ``in.jsonl``; every run closes its files, as the end of a process does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def call(*arguments, verb="judge"):
        head = ["judge", "in.jsonl", "-r", "math-verify", "--votes", "2"] if verb == "judge" else [verb]
        result = CliRunner().invoke(app, [*head, *map(str, arguments)])
        kept = runtime.current()._kept
        for wrapper in kept.values():
            if hasattr(wrapper, "release"):
                runtime.current().call(wrapper.release())
        kept.clear()
        if isinstance(result.exception, GenrmError):
            return 2, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout + result.stderr

    return call


def without_usage(path):
    return [{key: value for key, value in row.items() if key != "usage"} for row in rows(path)]


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_second_run_pays_nothing_and_gives_the_same_rows(judge, tmp_path):
    assert judge("-o", "plain.jsonl")[0] == 1
    code, _ = judge("-o", "cold.jsonl", "--cache", "answers.db")
    assert code == 1
    assert (tmp_path / "cold.jsonl").read_bytes() == (tmp_path / "plain.jsonl").read_bytes()
    code, said = judge("-o", "warm.jsonl", "--cache", "answers.db", "--json")
    assert code == 1
    assert without_usage(tmp_path / "warm.jsonl") == without_usage(tmp_path / "plain.jsonl")
    hits = [row["usage"].get("cache_hits", 0) for row in rows(tmp_path / "warm.jsonl")]
    assert hits == [2, 2, 0]
    assert rows(tmp_path / "warm.jsonl")[0]["usage"] == {
        "requests": 0,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "cost_usd": None,
        "cache_hits": 2,
    }
    assert (
        json.loads(said.splitlines()[0] if said.startswith("{") else re.search(r"^\{.*\}$", said, re.M)[0])["usage"][
            "cache_hits"
        ]
        == 4
    )
    assert "answers from the cache: 4" in said
    judge("-o", "seed.jsonl", "--cache", "answers.db", "--seed", 1)
    assert all("cache_hits" not in row["usage"] for row in rows(tmp_path / "seed.jsonl"))


def test_a_run_without_cache_is_gone_on_with_one_and_back(judge, tmp_path):
    judge("-o", "plain.jsonl")
    whole = (tmp_path / "plain.jsonl").read_bytes()
    out = tmp_path / "out.jsonl"
    judge("-o", "out.jsonl", "--limit", 1)
    judge("-o", "out.jsonl", "--limit", 2, "--cache", "answers.db")
    assert judge("-o", "out.jsonl")[0] == 1
    assert out.read_bytes() == whole


def test_a_recording_gives_the_same_rows_again(judge, tmp_path):
    judge("-o", "live.jsonl", "--record", "records.jsonl", "--limit", 1)
    judge("-o", "live.jsonl", "--record", "records.jsonl", "--cache", "answers.db")
    assert len(rows(tmp_path / "records.jsonl")) == 1 + 2 * 2
    assert judge("-o", "again.jsonl", "-m", "replay:records.jsonl", "--cache", "unused.db")[0] == 1
    live, again = without_usage(tmp_path / "live.jsonl"), without_usage(tmp_path / "again.jsonl")
    assert [row.pop("judge")["engine"] for row in again] == ["replay"] * 3
    assert again == [{key: value for key, value in row.items() if key != "judge"} for row in live]
    assert not (tmp_path / "unused.db").exists()
    before = (tmp_path / "records.jsonl").read_bytes()
    judge("-o", "live.jsonl", "--record", "records.jsonl", "--restart")
    assert sorted((tmp_path / "records.jsonl").read_bytes().splitlines()) == sorted(before.splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cache-limit", "5"], "add --cache FILE"),
        (["--cache", "in.jsonl"], "no answer cache"),
        (["--cache", "missing/answers.db"], "mkdir -p"),
        (["--record", "in.jsonl"], "no recording"),
        (["--record", "in.jsonl", "--restart", "-o", "x.jsonl"], "no recording"),
        (["--record", "r.jsonl", "-m", "tiny", "-m", "tiny:unhardened"], "one judge"),
        (["--rescore", "--cache", "a.db"], "--cache has no meaning"),
    ],
)
def test_what_cannot_be_kept_is_said_with_exit_code_2(judge, tmp_path, arguments, said):
    before = (tmp_path / "in.jsonl").read_bytes()
    code, message = judge(*arguments)
    assert code == 2, message
    assert said in message
    assert (tmp_path / "in.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["-r", "nosuch"],
        ["-m", "replay:records.jsonl"],
        ["-o", "records.jsonl"],
        ["--cache", "records.jsonl"],
        ["--cache", "in.jsonl"],
        ["--votes", "0"],
    ],
)
def test_a_restart_that_cannot_begin_leaves_the_recording(judge, tmp_path, arguments):
    judge("-o", "out.jsonl", "--record", "records.jsonl", "--limit", 1)
    before = (tmp_path / "records.jsonl").read_bytes()
    code, _ = judge("-o", "out.jsonl", "--record", "records.jsonl", "--restart", *arguments)
    assert code == 2
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_a_call_that_ran_into_its_deadline_is_recorded(tmp_path):
    class Slow:
        name, model, capabilities = "slow", "slow-1", Capabilities(seeds=False)

        async def complete(self, request):
            await asyncio.sleep(60)

    async def main():
        recorder = RecordingEngine(Slow(), tmp_path / "records.jsonl")
        recorder.open()
        rubric = genrm.load_rubric("math-verify")
        sample = Sample.from_row(ROWS[0], default_id="0")
        judgment = await judge_sample(rubric, sample, recorder, None, Settings(2, 0, 0.01))
        await recorder.release()
        return judgment

    judgment = asyncio.run(main())
    _, *records = rows(tmp_path / "records.jsonl")
    assert [(row["vote"], row["error"]["category"]) for row in records] == [(0, "timeout"), (1, "timeout")]
    again = genrm.Judge("math-verify", f"replay:{tmp_path / 'records.jsonl'}", votes=2).judge(**ROWS[0])
    assert str(again.error) == str(judgment.error)
    assert judgment.error.category == "timeout"


def test_statistics_and_clearing(judge):
    judge("-o", "out.jsonl", "--cache", "answers.db")
    judge("-o", "again.jsonl", "--cache", "answers.db")
    _, said = judge("stats", "answers.db", "--json", verb="cache")
    stats = json.loads(said)
    assert (stats["answers"], stats["hits"], len(stats["models"])) == (4, 4, 1)
    model = stats["models"][0]["model"]
    assert model.startswith("genrm-tiny@")
    code, said = judge("stats", "answers.db", verb="cache")
    assert code == 0
    assert "4 answers" in said
    assert model in said
    assert "0 answers dropped" in judge("clear", "answers.db", "--older-than", 1, verb="cache")[1]
    code, said = judge("clear", "answers.db", "--model", "other", verb="cache")
    assert f"models in it: {model}" in said
    assert json.loads(judge("clear", "answers.db", "--json", verb="cache")[1])["dropped"] == 4
    assert judge("stats", "nothing.db", verb="cache")[0] == 2
    assert judge("clear", "in.jsonl", verb="cache")[0] == 2


@pytest.mark.full
def test_a_whole_process_leaves_a_closed_file_behind(tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    command = [sys.executable, "-m", "genrm", "judge", "in.jsonl", "-r", "math-verify", "-o", "out.jsonl"]
    done = subprocess.run(
        [*command, "--cache", "answers.db", "--record", "r.jsonl"], cwd=tmp_path, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert {item.name for item in tmp_path.iterdir() if "answers" in item.name} == {"answers.db"}
    assert len(rows(tmp_path / "r.jsonl")) == 2


def test_python_panels_reward_functions(tmp_path):
    judges = [genrm.Judge("math-verify", model, cache=tmp_path / "answers.db") for model in ("tiny", "tiny:unhardened")]
    panel = genrm.Panel(judges, "mean")
    reward = genrm.RewardFunction(panel)
    columns = {"prompts": ["1 + 1?"] * 4, "completions": ["The answer is 2."] * 4, "reference": ["2"] * 4}
    first = reward.judgments(**columns)
    # Equal samples have equal ids and seeds: each member is asked once for the four of them.
    assert sum(judgment.usage.requests for judgment in first) == 2
    assert sum(judgment.usage.cache_hits for judgment in first) == 6
    assert len({judgment.reward for judgment in first}) == 1
    again = reward.judgments(**columns)
    assert sum(judgment.usage.cache_hits for judgment in again) == 8
    judges[0].judge(**ROWS[0])
    assert judges[0].judge(**ROWS[0]).usage.cache_hits == 1


def test_wrong_settings_are_named():
    for settings, words in (
        ({"cache_limit_mb": 5}, "cache_limit_mb: there is no cache"),
        ({"cache": 3}, "cache: is no file name"),
        ({"record": ""}, "record: is no file name"),
    ):
        with pytest.raises(SpecError, match=words):
            genrm.Judge("math-verify", **settings)
