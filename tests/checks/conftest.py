"""Run one check on one response; where the real data lie."""

import os
from pathlib import Path

import pytest

from genrm.checks import run_check
from genrm.specs.criterion import Criterion
from genrm.specs.sample import Sample


@pytest.fixture
def judged():
    """``judged({"regex": "a"}, "banana")`` -> the verdict."""

    def judge(check, response, *references):
        criterion = Criterion.model_validate({"id": "c", "check": check})
        return run_check(criterion, Sample(response=response, reference=references))

    return judge


@pytest.fixture(scope="session")
def data():
    """The folder of public data sets; tests that need it are skipped without it."""
    root = Path(os.environ.get("GENRM_DATA") or Path(__file__).resolve().parents[2] / ".." / "shared" / "data")
    if not root.is_dir():
        pytest.skip(f"no data at {root}; set GENRM_DATA to the folder that holds gsm8k/")
    return root
