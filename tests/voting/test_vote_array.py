"""Every rule against a slow, literal version of itself, and the properties that hold for all of them."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.specs import vote as written
from genrm.voting import Rule, rule, rules, vote, vote_array

SCALE = {"a": 0.0, "b": 0.25, "c": 0.5, "d": 1.0}
NAMES = sorted(SCALE)
VALUES = [SCALE[name] for name in NAMES]
SCORED = ["mean", "median", "trimmed_mean", "sum", "min", "max", "majority", {"quantile": 0.25}, {"quantile": 1.0}]
SCORED += [{"mean_minus_var": 0.7}, {"mean_minus_std": 0.7}, {"robust": 0.3}, {"log_mean_exp": 3.0}]
SCORED += [{"log_mean_exp": -2.0}, {"log_mean_exp": 0.0}, {"trimmed_mean": 0.1}]
IN_RANGE = [name for name in SCORED if Rule.parse(name).name not in rule.OUTSIDE]
ROWS = st.lists(st.integers(0, 3), min_size=1, max_size=9)
FLOATS = st.lists(st.floats(0, 1), min_size=1, max_size=9)
FEW = settings(max_examples=40, deadline=None)


def reference(s, chosen):
    """One row, one rule, nothing vectorised."""
    chosen, n = Rule.parse(chosen), len(s)
    mean, ranked, number = math.fsum(s) / n, sorted(s), chosen.parameter
    variance = math.fsum((x - mean) ** 2 for x in s) / n
    match chosen.name:
        case "mean":
            return mean
        case "median":
            return statistics.median(s)
        case "sum":
            return math.fsum(s)
        case "min" | "max":
            return ranked[0] if chosen.name == "min" else ranked[-1]
        case "trimmed_mean":
            cut = math.floor(number * n + 1e-9)
            return statistics.fmean(ranked[cut : n - cut])
        case "quantile":
            place = number * (n - 1)
            low = min(math.floor(place), n - 1)
            return ranked[low] + (place - low) * (ranked[min(low + 1, n - 1)] - ranked[low])
        case "mean_minus_var":
            return mean - number * variance
        case "mean_minus_std":
            return mean - number * math.sqrt(variance)
        case "robust":
            return number * mean + (1 - number) * ranked[0]
        case "log_mean_exp":
            return mean if number == 0 else math.log(math.fsum(math.exp(number * x) for x in s) / n) / number
        case "majority":
            most = max(s.count(x) for x in s)
            return min((abs(x - mean) > 1e-12 and round(abs(x - mean), 9), x) for x in s if s.count(x) == most)[1]


def test_the_rules_of_a_rubric_are_those_of_the_arrays():
    assert written.RULES == rule.RULES
    assert written.RULE_NUMBERS == rule.NUMBERS
    assert (written.ALIASES, written.LIKELIHOODS) == (rule.ALIASES, rule.HOW)


@pytest.mark.parametrize("name", SCORED, ids=str)
@FEW
@given(rows=st.lists(ROWS, min_size=1, max_size=4), junk=st.sampled_from([math.nan, math.inf, 7.0]))
def test_each_rule_does_what_it_says_and_never_reads_a_missing_vote(name, rows, junk):
    width = max(map(len, rows)) + 1
    scores = np.full((len(rows), width), junk)
    mask = np.zeros(scores.shape, dtype=bool)
    for index, row in enumerate(rows):
        scores[index, : len(row)] = [VALUES[code] for code in row]
        mask[index, : len(row)] = True
    voted = vote_array(scores, name, mask=mask)
    assert voted.value == pytest.approx([reference([VALUES[c] for c in row], name) for row in rows], abs=1e-12)
    assert voted.n.tolist() == [len(row) for row in rows]


@pytest.mark.parametrize("name", SCORED, ids=str)
@FEW
@given(s=FLOATS, rng=st.randoms())
def test_order_changes_no_bit_and_the_value_stays_among_the_votes(name, s, rng):
    shuffled = list(s)
    rng.shuffle(shuffled)
    one, two = vote_array(s, name), vote_array(shuffled, name)
    assert one.value == two.value
    assert np.array_equal(one.std, two.std, equal_nan=True)
    if name in IN_RANGE:
        assert min(s) <= one.value <= max(s)
    assert len(set(s)) > 1 or name == "sum" or one.value == s[0]


@pytest.mark.parametrize("name", [r for r in IN_RANGE if r != "majority"], ids=str)
@FEW
@given(s=FLOATS, at=st.integers(0, 8), by=st.floats(0, 1))
def test_a_better_vote_never_lowers_the_value(name, s, at, by):
    better = list(s)
    better[at % len(s)] += by
    assert vote_array(better, name).value >= vote_array(s, name).value - 1e-9


@FEW
@given(s=FLOATS, q=st.floats(0, 1), lower=st.floats(0, 1))
def test_quantiles_and_penalties_are_monotone_in_their_parameter(s, q, lower):
    low, high = sorted((q, lower))
    assert vote_array(s, {"quantile": low}).value <= vote_array(s, {"quantile": high}).value + 1e-12
    assert vote_array(s, {"lcb": high}).value <= vote_array(s, {"lcb": low}).value + 1e-12
    assert vote_array(s, {"robust": low}).value <= vote_array(s, {"robust": high}).value + 1e-12
    assert vote_array(s, {"log_mean_exp": low}).value <= vote_array(s, {"log_mean_exp": high}).value + 1e-9


@FEW
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 5)), min_size=1, max_size=8))
def test_weighted_majority_and_means(votes):
    codes, weights = zip(*votes, strict=True)
    s = [VALUES[code] for code in codes]
    mean = math.fsum(x * w for x, w in zip(s, weights, strict=True)) / math.fsum(weights)
    assert vote_array(s, "mean", weights=weights).value == pytest.approx(mean)
    assert vote_array(s, "confidence", weights=weights).value == pytest.approx(mean)
    mass = [math.fsum(w for c, w in votes if c == code) for code in range(4)]
    best = vote_array(s, "likelihood", codes=codes, weights=weights)
    assert mass[int(best.label)] == pytest.approx(max(mass))
    assert best.value == VALUES[int(best.label)]
    assert best.agreement == pytest.approx(max(mass) / sum(mass))


@FEW
@given(st.lists(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=2, max_size=6))
def test_soft_votes_are_the_mixture_and_its_variance_splits(rows):
    p = np.array(rows) / np.array(rows).sum(-1, keepdims=True)
    voted = vote_array((p * VALUES).sum(-1), "soft", p=p, values=VALUES)
    mixture = p.mean(0)
    assert voted.p == pytest.approx(mixture)
    assert voted.value == pytest.approx(mixture @ VALUES)
    assert mixture[int(voted.label)] == pytest.approx(mixture.max())
    spread = mixture @ (np.array(VALUES) - mixture @ VALUES) ** 2
    assert voted.within + voted.between == pytest.approx(spread)


def test_one_vote_has_no_spread_and_no_vote_has_no_value():
    voted = vote_array([[0.5, 0.1], [0.2, 0.3]], "mean", mask=[[True, False], [False, False]], codes=[[1, 0], [0, 0]])
    assert voted.value[0] == 0.5
    assert math.isnan(voted.value[1])
    assert np.isnan(voted.std).all()
    assert np.isnan(voted.se).all()
    assert np.isnan(voted.between).all()
    assert voted.label.tolist() == [1, -1]
    assert voted.n.tolist() == [1, 0]


@pytest.mark.parametrize("name", [r for r in SCORED if r != {"mean_minus_var": 0.7}], ids=str)
def test_huge_and_tiny_scores_do_not_overflow(name):
    for scores in ([1e300, 1e300, -1e300], [1e-300, 3e-300], [1e300, 0.0, 1e-300]):
        voted = vote_array(scores, name)
        assert np.isfinite(voted.value)
        assert np.isfinite(voted.std)
        assert voted.std > 0
    with pytest.raises(ValueError, match="too large"):
        vote_array([1e300, -1e300], {"uwo": 1.0})


def test_a_tie_goes_to_the_label_nearest_to_the_mean_then_to_the_lower_whatever_the_order():
    for order in itertools.permutations([0, 0, 2, 2, 3]):
        assert vote_array([VALUES[c] for c in order], "majority", codes=order).label == 2
    for order in set(itertools.permutations([0, 0, 3, 3])):
        assert vote_array([VALUES[c] for c in order], "majority", codes=order).label == 0
    assert vote_array([0.0, 1.0], "soft", p=[[0.5, 0.5], [0.5, 0.5]], values=[0.0, 1.0]).label == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"scores": [0.0], "rule": "mode"}, "unknown"),
        ({"scores": [0.0], "rule": "quantile"}, "needs a number"),
        ({"scores": [0.0], "rule": {"quantile": 2}}, "from 0 to 1"),
        ({"scores": [0.0], "rule": {"mean": 1}}, "no parameter"),
        ({"scores": [0.0], "rule": {"trimmed_mean": 0.5}}, "trimmed_mean"),
        ({"scores": [0.0], "rule": "soft"}, "distributions"),
        ({"scores": [0.0], "rule": "likelihood"}, "pass weights"),
        ({"scores": [0.0], "rule": "median", "weights": [1.0]}, "takes no weights"),
        ({"scores": [0.0], "rule": "mean", "weights": [-1.0]}, "at least 0"),
        ({"scores": [0.0], "rule": "mean", "mask": [1]}, "boolean"),
        ({"scores": 0.0, "rule": "mean"}, "single number"),
        ({"scores": [math.nan], "rule": "mean"}, "mask them"),
        ({"scores": [0.0], "rule": "mean", "codes": [0.5]}, "whole numbers"),
        ({"scores": [0.0], "rule": "soft", "p": [[0.5, 0.4]], "values": [0, 1]}, "sums to 1"),
        ({"scores": [0.0], "rule": "mean", "p": [[0.5, 0.5]]}, "pass values"),
    ],
)
def test_faults_name_the_fix(call, words):
    with pytest.raises(ValueError, match=words):
        vote_array(**call)


def test_a_row_whose_weights_are_all_zero_has_no_value():
    voted = vote_array([[0.0, 1.0], [1.0, 1.0]], "mean", weights=[[0.0, 0.0], [1e-300, 1e-300]])
    assert math.isnan(voted.value[0])
    assert voted.value[1] == 1.0
    with pytest.raises(ValueError, match="weight 0"):
        vote([0.5], "confidence", weights=[0.0])


@FEW
@given(ROWS, st.sampled_from(["mean", "median", "majority"]))
def test_one_sample_is_one_row(codes, name):
    one = vote([VALUES[c] for c in codes], name, labels=[NAMES[c] for c in codes], scale=SCALE)
    many = vote_array([[VALUES[c] for c in codes]], name, codes=[codes])
    assert (one.value, one.label) == (many.value[0], NAMES[int(many.label[0])])


def test_a_soft_label_may_be_one_that_no_vote_said():
    p = [{"a": 0.45, "b": 0.4, "d": 0.15}, {"a": 0.0, "b": 0.45, "d": 0.55}]
    voted = vote([0.2, 0.6], "soft", labels=["a", "d"], p=p, scale=SCALE)
    assert (voted.label, voted.agreement) == ("b", 0.0)
    assert voted.p["b"] == pytest.approx(0.425)


def test_rules_of_a_command_line():
    assert Rule.of_text("quantile:0.25") == Rule("quantile", 0.25)
    assert Rule.of_text("likelihood:min").parameter == "min"
    assert written.rule_of_text("lcb:0.5") == {"mean_minus_std": 0.5}
    assert written.rule_of_text("majority") == "majority"
    with pytest.raises(ValueError, match="unknown"):
        Rule.of_text("modus:1")


@pytest.mark.parametrize(
    ("name", "used"),
    [(r, {"codes"}) for r in SCORED]
    + [("majority", set()), ("soft", {"p", "codes"}), ("likelihood", {"codes", "weights"})],
    ids=str,
)
def test_rows_that_are_voted_on_in_blocks_come_out_as_all_at_once(name, used, monkeypatch):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, (5, 8, 6))
    codes[:2] %= 2  # a block in which nobody says the last labels
    mask = rng.random(codes.shape) < 0.7
    mask[3, 2:5] = False
    scores = np.where(mask, np.array(VALUES)[codes], np.nan)
    given = {"codes": codes, "weights": rng.random(codes.shape), "p": rng.dirichlet(np.ones(4), codes.shape)}
    call = {key: given[key] for key in used} | ({"values": VALUES} if "p" in used else {})
    whole = vote_array(scores, name, mask=mask, **call)
    monkeypatch.setattr(rules, "BLOCK", 7)
    parts = vote_array(scores, name, mask=mask, **call)
    for field in rules.FIELDS:
        one, two = getattr(whole, field), getattr(parts, field)
        assert (one is None) == (two is None)
        assert one is None or (one.shape == two.shape and np.array_equal(one, two, equal_nan=True)), field
    with pytest.raises(ValueError, match="shape"):
        vote_array(scores, name, mask=mask[:, :, :3], **call)


@FEW
@given(st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any), st.randoms())
def test_a_majority_of_counts_is_that_of_the_votes(counts, rng):
    values = sorted(rng.random() for _ in counts)
    codes = np.repeat(np.arange(len(counts)), counts)
    said = vote_array(np.array(values)[codes], "majority", codes=codes, values=values).label
    assert rules.label_of_counts([counts], values).tolist() == [said]


@pytest.mark.parametrize("name", SCORED, ids=str)
def test_rows_without_room_for_a_vote_have_no_value(name):
    assert np.isnan(vote_array(np.zeros((3, 0)), name).value).all()
    assert vote_array(np.zeros((0, 3)), name).value.shape == (0,)


@pytest.mark.parametrize("read", [Rule.of_text, written.rule_of_text])
def test_a_rule_on_the_command_line_says_what_is_wrong_with_its_number(read):
    with pytest.raises(ValueError, match="from 0 to 1"):
        read("quantile:2")
    with pytest.raises(ValueError, match="number"):
        read("quantile:half")


@pytest.mark.parametrize("kind", ["one score per label", "one per label and row", "any"])
def test_labels_are_tallied_as_by_hand_whatever_scores_their_votes_have(kind):
    rng = np.random.default_rng(5)
    codes, mask = rng.integers(0, 4, (50, 3, 6)), rng.random((50, 3, 6)) < 0.8
    table = rng.random((50, 3, 4))
    scores = {
        "one score per label": table[0, 0][codes],
        "one per label and row": np.take_along_axis(table, codes, -1),
        "any": rng.random(codes.shape),
    }[kind]
    voted = vote_array(scores, "majority", mask=mask, codes=codes, values=np.arange(4.0))
    for row in np.ndindex(50, 3):
        votes = [(c, s) for c, s, there in zip(codes[row], scores[row], mask[row], strict=True) if there]
        if not votes:
            assert (voted.label[row], voted.n[row]) == (-1, 0)
            continue
        said = {c: [s for other, s in votes if other == c] for c, _ in votes}
        most = max(map(len, said.values()))
        middle = np.mean([s for _, s in votes])
        top = [c for c in said if len(said[c]) == most]
        won = min(top, key=lambda c: (round(abs(np.mean(said[c]) - middle), 9), np.mean(said[c])))
        assert voted.label[row] == won
        assert voted.value[row] == pytest.approx(np.mean(said[won]))
        assert voted.p[row] == pytest.approx([len(said.get(c, ())) / len(votes) for c in range(4)])
