"""Label distributions from tokens: equal to brute force when every alternative is shown, none when too much is not."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.engines.calls.call import Token
from genrm.engines.calls.slots import Sums, alternatives, at_slot, gather, spellings

LABELS = st.lists(st.text('01ab"\\\né🙂', max_size=3), min_size=2, max_size=6, unique=True)


class Speller:
    """A random model of one slot: tokens of any length over the bytes of the labels, weights by chance."""

    def __init__(self, labels, seed, lead):
        self.labels, self.lead = labels, lead
        self.texts = {label: lead + json.dumps(label, ensure_ascii=False)[1:].encode() for label in labels}
        self.chance = random.Random(seed)
        self.weights = {}

    def ways(self, said):
        """Probability of every token behind ``said``. The first takes all of the lead, or more."""
        if said not in self.weights:
            least = max(1, len(self.lead)) if not said else 1
            found = {}
            for text in self.texts.values():
                # Tokens may run over the closing quote into what follows.
                whole = text + b"}"
                if text.startswith(said):
                    for end in range(len(said) + least, min(len(said) + least + 4, len(whole) + 1)):
                        found.setdefault(whole[len(said) : end], self.chance.expovariate(1.0) + 1e-3)
            total = sum(found.values())
            self.weights[said] = {token: weight / total for token, weight in found.items()}
        return self.weights[said]

    def share(self, said=b""):
        """Brute force: the distribution over labels behind ``said``."""
        ended = [label for label, text in self.texts.items() if said.startswith(text)]
        if ended:
            return {label: float(label in ended) for label in self.labels}
        found = dict.fromkeys(self.labels, 0.0)
        for token, p in self.ways(said).items():
            for label, q in self.share(said + token).items():
                found[label] += p * q
        return found

    def say(self, chance, top=10**6, forbidden=()):
        """A sampled path as tokens with their alternatives."""
        said, tokens = b"", []
        while not any(said.startswith(text) for text in self.texts.values()):
            ways = self.ways(said)
            [token] = chance.choices(list(ways), list(ways.values()))
            shown = sorted(((data, math.log(p)) for data, p in ways.items()), key=lambda item: -item[1])
            tokens.append(Token(token, math.log(ways[token]), (*shown[:top], *((data, -9999.0) for data in forbidden))))
            said += token
        return tokens


def settle(sums, speller):
    """What calls that continue each open alternative would say."""
    for fork in list(sums.forks):
        sums.settle(fork, speller.share(speller.lead + fork.done))


@settings(max_examples=300, deadline=None)
@given(LABELS, st.integers(0, 2**32), st.sampled_from([b"", b'"', b':"']))
def test_the_distribution_equals_brute_force_when_all_alternatives_are_shown(labels, seed, lead):
    speller = Speller(labels, seed, lead)
    tokens = speller.say(random.Random(seed), forbidden=(b"forbidden", b"1forbidden"))
    sums = gather(tokens, spellings(tuple(labels)), lead=len(lead))
    settle(sums, speller)
    reading = sums.reading(masked=True)
    assert reading.outside is None
    assert list(reading.p) == labels
    assert reading.p == pytest.approx(speller.share(), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(LABELS, st.integers(0, 2**32), st.integers(1, 4))
def test_a_distribution_is_near_the_truth_or_there_is_none(labels, seed, top):
    """With alternatives left out and none continued, what is given is right to the tolerance."""
    speller = Speller(labels, seed, b"")
    sums = gather(speller.say(random.Random(seed), top=top), spellings(tuple(labels)))
    reading = sums.reading(masked=True)
    if reading is not None:
        assert reading.p == pytest.approx(speller.share(), abs=5e-3)


def logs(**p):
    return tuple((data.encode(), math.log(value)) for data, value in p.items())


def test_an_alternative_that_leads_to_several_labels_is_a_fork_and_no_guess():
    tokens = [Token(b"7", math.log(0.6), (*logs(**{"7": 0.6, "1": 0.3}), (b"10", math.log(0.1)))), Token(b'"}', 0.0)]
    labels = spellings(("1", "7", "10"))
    sums = gather(tokens, labels)
    assert [(fork.done, fork.labels) for fork in sums.open] == [(b"1", {"1", "10"})]
    assert sums.reading(masked=True) is None
    sums.take_whole(labels)
    assert sums.reading(masked=True).p == pytest.approx({"1": 0.3, "7": 0.6, "10": 0.1})


def test_a_fork_whose_longer_label_was_not_shown_stays_open():
    tokens = [Token(b"7", math.log(0.7), logs(**{"7": 0.7, "1": 0.3})), Token(b'"}', 0.0)]
    labels = spellings(("1", "7", "10"))
    sums = gather(tokens, labels)
    sums.take_whole(labels)
    assert sums.reading(masked=True) is None


def test_the_written_path_splits_what_it_goes_through():
    tokens = [
        Token(b"t", math.log(0.5), (*logs(t=0.5, no=0.5),)),
        Token(b"ie", math.log(0.9), logs(ie=0.9, ied=0.1)),
        Token(b'"}', math.log(0.8), ((b'"}', math.log(0.8)), (b"d", math.log(0.2)))),
    ]
    reading = gather(tokens, spellings(("tie", "tied", "no"))).reading(masked=True)
    assert reading.p == pytest.approx({"tie": 0.36, "tied": 0.14, "no": 0.5})


def test_labels_may_be_escaped_either_way():
    tokens = [
        Token(b"\\u00e9", math.log(0.4), ((b"\\u00e9", math.log(0.4)), ("é".encode(), math.log(0.6)))),
        Token(b'"', 0),
    ]
    reading = gather(tokens, spellings(("é", "e"))).reading(masked=True)
    assert reading.p == pytest.approx({"é": 1.0, "e": 0.0})


@pytest.mark.parametrize(
    ("shown", "masked", "p"),
    [
        ({"yes": 0.9, "no": 0.0995}, True, {"yes": 0.9004502, "no": 0.0995498}),
        ({"yes": 0.9, "no": 0.05}, True, None),  # 5 % of what the grammar allows was not shown
        ({"yes": 0.9995}, True, {"yes": 1.0, "no": 0.0}),
        (
            {"yes": 0.6, "no": 0.2, "x": 0.1},
            False,
            {"yes": 0.75, "no": 0.25},
        ),  # all labels are there, the rest is outside
        ({"yes": 0.6, "x": 0.0005}, False, {"yes": 1.0, "no": 0.0}),  # no has less than the last that was shown
        ({"yes": 0.6, "x": 0.1}, False, None),
        ({"x": 1.0}, False, None),
    ],
)
def test_what_was_not_shown_has_to_be_negligible(shown, masked, p):
    said = next(iter(shown))
    tokens = [Token(said.encode(), math.log(shown[said]), logs(**shown)), Token(b'"', 0.0)]
    reading = gather(tokens, spellings(("yes", "no"))).reading(masked=masked)
    assert reading == p if p is None else reading.p == pytest.approx(p)
    if reading is not None:
        assert reading.outside == (None if masked else pytest.approx(1 - shown["yes"] - shown.get("no", 0.0)))


@pytest.mark.parametrize("masked", [True, False])
def test_an_alternative_that_is_half_a_character_may_be_any_label(masked):
    tops = (("größe".encode(), math.log(0.7)), ("\ufffd".encode(), math.log(0.3)))
    tokens = [Token("größe".encode(), math.log(0.7), tops), Token(b'"', 0.0)]
    assert gather(tokens, spellings(("größe", "短い"))).reading(masked=masked) is None


@pytest.mark.parametrize("masked", [True, False])
def test_alternatives_that_no_grammar_allows_show_that_nothing_is_masked(masked):
    tokens = [Token(b"yes", math.log(0.6), logs(yes=0.6, no=0.2, why=0.1)), Token(b'"', 0.0)]
    reading = gather(tokens, spellings(("yes", "no"))).reading(masked=masked)
    assert reading.p == pytest.approx({"yes": 0.75, "no": 0.25})
    assert reading.outside == pytest.approx(0.2)


def test_forbidden_tokens_are_left_out_and_the_token_itself_counts():
    token = Token(b"a", math.log(0.5), ((b"b", math.log(0.5)), (b"c", -9999.0), (b"d", -math.inf)))
    assert alternatives(token) == pytest.approx({b"a": 0.5, b"b": 0.5})
    assert alternatives(Token(b"a", math.log(0.5), ((b"a", math.log(0.5)),))) == pytest.approx({b"a": 0.5})


def test_the_slot_begins_at_the_first_token_that_reaches_it():
    tokens = [(0, Token(b'{"', 0)), (2, Token(b'label":', 0)), (9, Token(b'"', 0)), (10, Token(b"yes", 0))]
    assert [token.data for token in at_slot(tokens, 10)[0]] == [b'"', b"yes"]
    assert at_slot(tokens, 10)[1] == 1
    assert at_slot(tokens[3:], 10) == ([tokens[3][1]], 0)
    assert at_slot(tokens[3:], 4) is None
    assert at_slot(tokens, 50) is None


def test_a_path_that_ends_inside_a_label_leaves_it_open():
    assert gather([Token(b"ti", 0.0)], spellings(("tie", "tin"))).reading(masked=True) is None
    assert gather([], spellings(("tie", "tin"))).reading(masked=True) is None
    assert Sums(("a", "b")).reading(masked=False) is None
