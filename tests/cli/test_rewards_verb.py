import json

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.rewards.controls import CONTROLS
from genrm.rewards.shaping import shapes
from genrm.specs.reward import AGGREGATES
from genrm.voting.rule import ALIASES, NUMBERS, RULES, Rule

NAMES = [
    *(f"vote:{name}" for name in RULES),
    *(f"aggregate:{name}" for name in AGGREGATES),
    *shapes(),
    *(f"control:{name}" for name in CONTROLS),
]


def run(*words):
    return CliRunner().invoke(app, ["rewards", *words])


def test_the_list_names_every_rule_aggregate_shape_and_control():
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows] == NAMES
    assert [row["kind"] for row in rows] == sorted(
        (row["kind"] for row in rows), key=["vote", "aggregate", "shape", "control"].index
    )
    text = run("list").stdout
    assert all(name in text for name in shapes())


@pytest.mark.parametrize(("kind", "names"), [("vote", RULES), ("aggregate", AGGREGATES), ("shape", shapes())])
def test_the_list_can_be_cut_to_a_kind(kind, names):
    rows = json.loads(run("list", "--kind", kind, "--json").stdout)
    assert [row["name"].removeprefix(f"{kind}:") for row in rows] == list(names)
    assert {row["kind"] for row in rows} == {kind}


def test_an_unknown_kind_is_refused():
    refused = run("list", "--kind", "luck")
    assert refused.exit_code == 2
    assert "use vote, aggregate, shape, control" in refused.stderr


def test_parameters_are_those_that_a_rubric_may_have():
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    for name, spec in AGGREGATES.items():
        parameters = rows[f"aggregate:{name}"]["parameters"]
        assert [parameter["name"] for parameter in parameters] == list(spec.model_fields)
        assert all(parameter["meaning"] and parameter["range"] for parameter in parameters)
    for name in RULES:
        default = [parameter["default"] for parameter in rows[f"vote:{name}"]["parameters"]]
        assert default == ([NUMBERS[name][0]] if name in NUMBERS else ["mean"] if name == "likelihood" else [])
    assert {Rule.parse({alias: 0.5}).name for alias in ALIASES} <= set(RULES)
    assert rows["vote:trimmed_mean"]["parameters"][0]["range"] == "[0, 0.5)"
    assert rows["aggregate:soft_min"]["parameters"][0]["range"] == "(0, ∞)"


def test_a_name_of_one_kind_needs_no_prefix_and_a_name_of_two_does():
    assert run("show", "geometric").stdout == run("show", "aggregate:geometric").stdout
    result = run("show", "min")
    assert result.exit_code == 2
    assert "use vote:min or aggregate:min" in result.stderr
    assert "q (needed), in [0, 1]" in run("show", "quantile").stdout


def test_the_list_can_be_cut_to_what_one_has():
    rows = json.loads(run("list", "--needs", "steps", "--json").stdout)
    assert {row["name"] for row in rows} == {name for name, shape in shapes().items() if "steps" in shape.needs}
    refused = run("list", "--needs", "luck")
    assert refused.exit_code == 2
    assert "use votes" in refused.stderr


@pytest.mark.parametrize("name", NAMES)
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
