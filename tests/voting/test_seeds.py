import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.voting import vote_seed

ARGUMENTS = st.tuples(st.integers(-(2**63), 2**63), st.text(max_size=20), st.integers(0, 10**6), st.text(max_size=20))


def test_values_are_fixed_for_good():
    assert vote_seed(0, "row-7", 2) == 746948648043098727
    assert vote_seed(0, "row-7", 2, "tone") == 595671299795817599


def test_another_process_gets_the_same_seed():
    code = "from genrm.voting import vote_seed; print(vote_seed(3, 'é\\ud800', 1, 'c'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) == vote_seed(3, "é\ud800", 1, "c")


@given(ARGUMENTS, ARGUMENTS)
def test_seeds_fit_63_bits_and_differ(one, two):
    assert 0 <= vote_seed(*one) < 2**63
    assert (vote_seed(*one) == vote_seed(*two)) is (one == two)


def test_the_borders_between_arguments_count():
    assert len({vote_seed(1, "1", 1), vote_seed(11, "", 1), vote_seed(1, "", 11), vote_seed(1, "", 1, "1")}) == 4


def test_votes_on_one_question_have_consecutive_seeds():
    first = vote_seed(0, "row-7", 0, "tone")
    assert [vote_seed(0, "row-7", vote, "tone") - first for vote in range(4)] == [0, 1, 2, 3]


def test_a_vote_is_an_index():
    with pytest.raises(ValueError, match="-1"):
        vote_seed(0, "a", -1)
