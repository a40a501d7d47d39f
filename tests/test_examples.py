"""Every example runs and says what it should."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
DATA = Path(os.environ.get("GENRM_DATA", ROOT.parent / "shared" / "data"))


def run(*words: str, cwd: Path = ROOT, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_python_api():
    lines = run(str(EXAMPLES / "python_api.py")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["one", *["many"] * 3, *["stream"] * 3, "reward"]
    assert "many    broken  failed reward None" in "\n".join(lines)
    assert lines[6] == "stream  broken  reward None"


def test_demo_data_gets_a_reward_on_every_row(tmp_path):
    out = tmp_path / "out.jsonl"
    run(
        *("-m", "genrm", "judge", str(EXAMPLES / "tutor.jsonl"), "-r", str(EXAMPLES / "tutor.yaml")),
        *("-m", "tiny", "--votes", "2", "-o", str(out)),
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in (EXAMPLES / "tutor.jsonl").open()]
    assert all(row["status"] == "ok" and 0 <= row["reward"] <= 1 for row in rows)
    assert all(set(row["criteria"]) == {"correct", "shows_steps", "refuses", "short_enough"} for row in rows)
    by_id = {row["id"]: row["criteria"]["correct"]["label"] for row in rows}
    assert by_id["cows"] == "yes"
    assert by_id["cows-wrong"] == "no"


def test_public_data_says_what_is_wrong(tmp_path):
    script, rows, out = str(EXAMPLES / "public_data.py"), tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text('{"id": "a", "is_correct": true}\n')
    out.write_text('{"id": "b", "reward": 1.0}\n')
    assert "row 'b' is not in" in run(script, "compare", str(rows), str(out), code=2).stderr
    new = tmp_path / "new.jsonl"
    wanted = ("rows", "gsm8k", "--data", str(tmp_path / "no"), "--out", str(new))
    assert "No such file" in run(script, *wanted, code=2).stderr
    assert "at least 1" in run(script, *wanted, "--every", "0", code=2).stderr
    assert not new.exists()


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "rubric", "least"), [("gsm8k", "math-verify", 0.9), ("evouna", "factual-correctness", 0.5)]
)
def test_public_data(name, rubric, least, tmp_path):
    if not DATA.is_dir():
        pytest.skip(f"no public data in {DATA}; set GENRM_DATA")
    script, rows, out = str(EXAMPLES / "public_data.py"), tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    run(script, "rows", name, "--data", str(DATA), "--out", str(rows), "--every", "40")
    done = subprocess.run(
        [sys.executable, "-m", "genrm", "judge", str(rows), "-r", rubric, "-m", "tiny", "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(run(script, "compare", str(rows), str(out)).stdout)
    assert result["judged"] + result["without_reward"] == len(rows.read_text().splitlines())
    assert result["agreement"] > least
