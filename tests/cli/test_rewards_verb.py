import json

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.rewards.controls import CONTROLS
from genrm.rewards.shaping import shapes


def run(*words):
    return CliRunner().invoke(app, ["rewards", *words])


def test_the_list_names_every_shape_and_control():
    listed = [row["name"] for row in json.loads(run("list", "--json").stdout)]
    assert listed == [*shapes(), *(f"control:{name}" for name in CONTROLS)]
    text = run("list").stdout
    assert all(name in text for name in shapes())


def test_the_list_can_be_cut_to_what_one_has():
    rows = json.loads(run("list", "--needs", "steps", "--json").stdout)
    assert {row["name"] for row in rows} == {name for name, shape in shapes().items() if "steps" in shape.needs}
    refused = run("list", "--needs", "luck")
    assert refused.exit_code == 2
    assert "use score" in refused.stderr


@pytest.mark.parametrize("name", [*shapes(), *(f"control:{name}" for name in CONTROLS)])
def test_each_can_be_shown(name):
    row = json.loads(run("show", name, "--json").stdout)
    text = run("show", name).stdout
    assert row["name"] == name
    assert row["formula"] in text
    assert row["paper"] is None or row["paper"] in text
    assert all(parameter["range"] in text for parameter in row["parameters"])


def test_a_misspelt_name_gets_a_guess():
    result = run("show", "contrastiv")
    assert result.exit_code == 2
    assert "did you mean 'contrastive'" in result.stderr
