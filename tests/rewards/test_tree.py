import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.rewards import Node, aggregate, score_of, weighted_mean

DATA = Path(os.environ.get("GENRM_DATA") or Path(__file__).resolve().parents[2] / ".." / "shared" / "data")

LEAF = st.builds(Node, score=st.floats(0, 1), weight=st.floats(0.1, 9) | st.floats(-9, -0.1))
TREE = st.recursive(LEAF, lambda inner: st.builds(Node, children=st.lists(inner, min_size=1, max_size=4).map(tuple)))
GATE = st.builds(Node, score=st.floats(0, 1), constraint=st.just(True), weight=st.sampled_from([1.0, -1.0]))
MISSING = Node(score=None)
GOOD, BAD = Node(score=1.0), Node(score=0.0)
OPEN, SHUT, UNSEEN = (Node(score=score, constraint=True) for score in (1.0, 0.0, None))


def group(*children, weight=1.0):
    return Node(children=children, weight=weight)


def graded(node):
    """A node of a PaperBench tree; the scores of groups are left for us to work out."""
    children = tuple(graded(child) for child in node["sub_tasks"])
    return Node(score=None if children else float(node["score"]), children=children, weight=node["weight"])


def nodes_of(node):
    yield node
    for child in node["sub_tasks"]:
        yield from nodes_of(child)


@pytest.mark.parametrize(
    ("paper", "root"),
    [("semantic-self-consistency", 0.91), ("stay-on-topic-with-classifier-free-guidance", 0.48152958152958153)],
)
def test_paperbench_scores_rebuild_from_the_leaves(paper, root):
    path = DATA / "paperbench" / paper / "human_graded_tree.json"
    if not path.is_file():
        pytest.skip(f"no data at {path}; set GENRM_DATA to the folder that holds paperbench/")
    tree = json.loads(path.read_text("utf-8"))
    assert aggregate([graded(tree)]) == pytest.approx(root, abs=1e-9)
    for node in nodes_of(tree):
        assert score_of(graded(node)) == pytest.approx(node["score"], abs=1e-9)


def test_groups_weigh_as_one():
    assert aggregate([GOOD, group(BAD, BAD, BAD)]) == 0.5
    assert aggregate([GOOD, group(BAD, BAD, BAD, weight=3.0)]) == 0.25


def test_faults_inside_and_outside_groups():
    assert aggregate([group(Node(score=1.0, weight=-1.0), GOOD)]) == 0.5
    assert aggregate([group(GOOD, weight=-1.0)]) == 0.0


def test_points_at_the_top_and_means_inside():
    nodes = [Node(score=1.0, weight=5.0), group(GOOD, BAD, weight=4.0), Node(score=1.0, weight=-3.0)]
    assert aggregate(nodes, how="points") == pytest.approx((5 + 2 - 3) / 9)


@pytest.mark.parametrize(
    ("nodes", "fail", "skip"),
    [
        ([GOOD, MISSING], None, 1.0),
        ([MISSING, MISSING], None, None),
        ([GOOD, group(MISSING, BAD)], None, 0.5),
        ([GOOD, group(MISSING, MISSING)], None, 1.0),
        ([GOOD, Node(score=None, weight=0.0)], 1.0, 1.0),
        ([GOOD, UNSEEN], None, None),
        ([GOOD, UNSEEN, SHUT], None, 0.0),
        ([GOOD, MISSING, SHUT], None, 0.0),
        ([MISSING, SHUT], None, None),
        ([OPEN], 1.0, 1.0),
        ([SHUT], 0.0, 0.0),
        ([UNSEEN], None, None),
    ],
)
def test_a_missing_score_is_never_a_number(nodes, fail, skip):
    assert aggregate(nodes, on_missing="fail") == fail
    assert aggregate(nodes, on_missing="skip") == skip


def test_points_without_any_known_positive_have_no_reward():
    nodes = [Node(score=None, weight=5.0), Node(score=0.0, weight=-1.0)]
    assert aggregate(nodes, how="points", on_missing="skip") is None
    with pytest.raises(ValueError, match="positive points"):
        aggregate(nodes[1:], how="points")


def test_constraints_gate_from_any_depth_and_are_part_of_no_mean():
    assert aggregate([GOOD, group(BAD, group(OPEN))]) == 0.5
    assert aggregate([GOOD, group(BAD, group(SHUT))]) == 0.0
    assert aggregate([GOOD, SHUT], floor=-1.0) == -1.0
    fault = Node(score=1.0, weight=-1.0, constraint=True)
    assert aggregate([GOOD, fault]) == 0.0
    assert aggregate([GOOD, Node(score=0.0, weight=-1.0, constraint=True)]) == 1.0


@given(st.lists(TREE, min_size=1, max_size=4), st.lists(GATE, max_size=3))
def test_bounds_and_gates(nodes, gates):
    free = aggregate(nodes)
    assert 0 <= free <= 1
    assert aggregate([*nodes, *gates]) in (free, 0.0)


@given(st.lists(LEAF, min_size=1, max_size=6))
def test_a_flat_tree_is_the_weighted_mean(leaves):
    assert aggregate(leaves) == weighted_mean([leaf.score for leaf in leaves], [leaf.weight for leaf in leaves])


@given(st.lists(LEAF, min_size=1, max_size=6), st.integers(0, 6))
def test_a_skipped_criterion_leaves_no_trace(leaves, place):
    with_missing = [*leaves[:place], Node(score=None, weight=7.0), *leaves[place:]]
    assert aggregate(with_missing, on_missing="skip") == aggregate(leaves)
    assert aggregate(with_missing, on_missing="fail") is None


def test_faults_of_nodes():
    for wrong in (
        {"score": 1.5},
        {"score": float("nan")},
        {"weight": float("inf")},
        {"score": 1.0, "children": (GOOD,)},
        {"children": (GOOD,), "constraint": True},
    ):
        with pytest.raises(ValueError):
            Node(**wrong)
    for nothing in ([], [Node(score=1.0, weight=0.0)], [group(GOOD, weight=0.0)]):
        with pytest.raises(ValueError, match="no criterion"):
            aggregate(nothing)


def test_a_closed_gate_is_the_worst_there_is_under_log_sigmoid_sum_too():
    def reward(score, fault, gate):
        nodes = [Node(score=score), Node(score=fault, weight=-2.0), Node(score=gate, constraint=True)]
        return aggregate(nodes, how="log_sigmoid_sum", parameters={"reference": 0.5, "temperature": 0.1})

    worst = reward(0.0, 1.0, 1.0)
    assert reward(1.0, 0.0, 0.0) == worst < reward(0.0, 0.9, 1.0)
    assert reward(1.0, 0.0, 1.0) > -0.1
