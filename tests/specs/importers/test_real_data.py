"""Importers on the published data themselves: BiGGen-Bench items and PaperBench trees graded by people.

The data are not part of the project; ``GENRM_DATA`` names the folder that holds them.
"""

import json
import math
import os
from pathlib import Path

import pytest

from genrm.specs.importers import import_rows, import_rubric
from genrm.specs.load import load_rubric
from genrm.specs.sample import Sample

ROOT = Path(__file__).parent.parent.parent.parent
DATA = Path(os.environ.get("GENRM_DATA", ROOT.parent / "shared" / "data"))
TREES = sorted(DATA.glob("paperbench/*/*.json"))
GRADED = {"semantic-self-consistency": 0.91, "stay-on-topic-with-classifier-free-guidance": 0.48152958152958153}

needs_biggen = pytest.mark.skipif(not (DATA / "biggen_bench").is_dir(), reason=f"no BiGGen-Bench data under {DATA}")
needs_trees = pytest.mark.skipif(not TREES, reason=f"no PaperBench data under {DATA}")


def leaves_of(node):
    return [node] if not node["sub_tasks"] else [leaf for child in node["sub_tasks"] for leaf in leaves_of(child)]


@needs_biggen
def test_every_biggen_item_becomes_a_row_with_its_own_scale():
    data = json.loads((DATA / "biggen_bench" / "items_with_rubrics.json").read_text())
    imported = import_rows(data, name="biggen")
    assert len(imported.rows) == len(data) == 270
    rubric = load_rubric(imported.rubric)
    for row in imported.rows:
        sample = Sample.from_row(row)
        (criterion,) = rubric.with_criteria(sample.criteria).criteria
        assert sample.id in data
        assert sample.prompt[-1].text == data[sample.id]["input"]
        written = data[sample.id]["score_rubric"]
        assert [label.means for label in criterion.scale.labels] == [
            written[f"score{n}_description"].strip() for n in range(1, 6)
        ]


@needs_trees
def test_every_tree_keeps_its_leaves_and_their_texts():
    assert len(TREES) == 9
    for path in TREES:
        tree = json.loads(path.read_text())
        rubric = load_rubric(import_rubric(tree, name="tree"))
        found = list(rubric.leaves())
        assert [leaf.id for leaf in found] == [f"n-{leaf['id']}" for leaf in leaves_of(tree)]
        for leaf, node in zip(found, leaves_of(tree), strict=True):
            assert node["requirements"].strip() in str(leaf.ask)


@needs_trees
@pytest.mark.parametrize("paper", GRADED)
def test_root_scores_rebuild_from_leaf_scores(paper):
    from genrm.judging.tally import reward_of

    tree = json.loads((DATA / "paperbench" / paper / "human_graded_tree.json").read_text())
    rubric = load_rubric(import_rubric(tree, name="tree"))
    root = reward_of(rubric, {f"n-{leaf['id']}": float(leaf["score"]) for leaf in leaves_of(tree)})
    assert root is not None
    assert math.isclose(root, tree["score"], abs_tol=1e-9)
    assert math.isclose(root, GRADED[paper], abs_tol=1e-9)
