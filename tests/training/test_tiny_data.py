"""The embedded judge's data generator: repeatable, consistent with its own labels, and true to what it holds out."""

import json
import random
import re
from pathlib import Path

import pytest

from training.tiny import answers, degenerates
from training.tiny.sample import closed_example, draw_example, verify_example

ROOT = Path(__file__).parents[2]
CARD = json.loads((ROOT / "genrm" / "tiny" / "weights" / "default" / "genrm.json").read_text())


def drawn(n, seed=0, hardened=True):
    r = random.Random(seed)
    return [draw_example(r, hardened=hardened) for _ in range(n)]


def test_the_same_seed_draws_the_same_examples():
    assert drawn(50) == drawn(50)
    assert drawn(50) != drawn(50, seed=1)


def test_the_label_follows_from_the_marks():
    for example in drawn(400):
        compared = example.critique.partition(": ")[2] if example.task != "verify" else example.critique
        marks = re.findall(r"[=!]", compared.rpartition(": ")[2])
        assert marks, example.critique
        assert example.label == (set(marks) == {"="})


def test_the_card_reads_what_critiques_extract():
    pattern = CARD["extract"]["verify"]
    r = random.Random(3)
    for _ in range(200):
        example = verify_example(r)
        found = re.search(pattern, example.critique)
        assert found, example.critique
        assert found["reference"]
        if example.label:
            assert found["answer"] == found["reference"]


def test_values_held_out_are_never_a_reference_in_training():
    r = random.Random(4)
    pattern = CARD["extract"]["verify"]
    for _ in range(400):
        example = verify_example(r, kind=r.choice(["int", "word"]))
        reference = re.search(pattern, example.critique)["reference"]
        assert not answers.held(reference), example


def test_evaluated_degenerates_are_never_drawn():
    kept = {text.strip() for text in (*degenerates.MASTER_KEYS, *degenerates.OTHERS)}
    responses = {example.response for example in drawn(3000) if not example.label}
    assert not {text for text in responses if text.strip() and text.strip() in kept}


@pytest.mark.parametrize("hardened", [True, False])
def test_only_the_hardened_sibling_sees_degenerates(hardened):
    empty = [e for e in drawn(1500, hardened=hardened) if "gives no answer" in e.critique]
    assert bool(empty) == hardened


def test_closed_list_critiques_name_all_features():
    r = random.Random(5)
    for _ in range(100):
        assert len(re.findall(r"[a-z]+[+-]", closed_example(r).critique.split("found ")[1].split(": ")[0])) == 9


def test_the_hand_written_set_is_whole():
    rows = [json.loads(line) for line in (ROOT / "training" / "tiny" / "data" / "hand.jsonl").open()]
    assert len(rows) == 60
    assert sum(row["label"] == "yes" for row in rows) == 30
