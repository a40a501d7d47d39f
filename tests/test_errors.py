"""Errors survive the way to another process, and a fault of genrm itself has an exit code of its own."""

import pickle

import pytest

from genrm import cli
from genrm.errors import DeadlineError, Fault, InputError, MissingExtraError, SpecError, excerpt


@pytest.mark.parametrize(
    "error",
    [
        MissingExtraError("torch", "local", "the model 'tiny'"),
        SpecError([Fault("wrong", "a.yaml", 3, "weight", "0", "give it a weight"), Fault("other")]),
        SpecError("plain"),
        InputError("field 'response' is empty"),
        DeadlineError("no verdict", retryable=False),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickle_keeps_everything(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_excerpt_is_bounded():
    assert excerpt("a") == "'a'"
    assert len(excerpt("x" * 500)) == 80
    assert excerpt("x" * 500).endswith("…")


def test_a_fault_of_genrm_is_told_apart(monkeypatch, capsys):
    def broken():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 70
    said = capsys.readouterr().err
    assert "ZeroDivisionError: oops" in said
    assert "please report" in said
