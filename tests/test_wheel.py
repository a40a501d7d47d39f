"""An installed wheel, in an empty folder, does what the checkout does."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.full
def test_wheel_and_sdist_carry_rubrics_prompts_and_the_embedded_judge(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {
        "genrm/py.typed",
        "genrm/rubrics/math-verify.yaml",
        "genrm/prompts/full/system.md.j2",
        "genrm/prompts/compact/user.md.j2",
        "genrm/prompts/formats/arena-hard.yaml",
        "genrm/tiny/weights/default/model.safetensors",
        "genrm/tiny/weights/unhardened/model.safetensors",
        "genrm/tiny/MODEL_CARD.md",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "training/"))]
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        files = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    assert {"rubrics/math-verify.yaml", "prompts/full/system.md.j2", "LICENSE", "CHANGELOG.md"} <= files


@pytest.mark.full
def test_installed_wheel_judges_in_an_empty_folder(built, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(next(built.glob("*.whl")))], check=True)
    row = {"prompt": "2+2?", "response": "The answer is 4.", "reference": "4"}
    (work / "in.jsonl").write_text(json.dumps(row) + "\n")
    environment = {**os.environ, "PYTHONPATH": str(site)}
    run = [sys.executable, "-m", "genrm", "judge", "in.jsonl", "-r", "math-verify", "-m", "tiny", "-o", "out.jsonl"]
    done = subprocess.run(run, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((work / "out.jsonl").read_text())["status"] == "ok"
    where = [sys.executable, "-c", "import genrm; print(genrm.__file__)"]
    home = subprocess.run(where, cwd=work, env=environment, capture_output=True, text=True, check=True).stdout
    assert home.startswith(str(site))
