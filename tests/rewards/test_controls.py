import builtins
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.errors import MissingExtraError
from genrm.rewards.controls import (
    CONTROLS,
    BleuReward,
    ConstantReward,
    FormatReward,
    LengthReward,
    MajorityReward,
    RandomReward,
    completion_text,
    final_answer,
)

TEXTS = ["The answer is \\boxed{4}.", "It is 5.", "So it is 4", "no idea"]
CHAT = [{"role": "assistant", "content": "The answer is \\boxed{4}."}]


@pytest.mark.parametrize("name", CONTROLS)
def test_each_has_the_signature_of_a_trainers_reward(name):
    control = CONTROLS[name]()
    assert control.__name__ == f"genrm_control_{name}"
    rewards = control(prompts=["2+2?"] * 4, completions=TEXTS, reference=["4"] * 4, trainer_state=None)
    assert len(rewards) == 4
    assert all(isinstance(reward, float) and 0 <= reward <= 1 for reward in rewards)
    prompt = [{"role": "user", "content": "2+2?"}]
    chat = control(prompts=[prompt] * 4, completions=[CHAT, *TEXTS[1:]], reference=[["4"]] * 4)
    if name != "random":
        assert chat == rewards
    assert control(prompts=[], completions=[], reference=[]) == []
    with pytest.raises(ValueError, match="2 prompts came with 1"):
        control(prompts=["a", "b"], completions=["c"], reference=["d"])
    assert control.paper in control.__class__.paper
    assert control.summary.endswith(".")


def test_random_is_a_function_of_content_and_seed():
    prompts, texts = ["a", "a", "b", "a"], ["x", "y", "x", "x"]
    first = RandomReward(1)(prompts, texts)
    assert first == RandomReward(1)(prompts, texts)
    assert first[0] == first[3]
    assert len(set(first)) == 3
    assert first != RandomReward(2)(prompts, texts)


def test_random_is_spread_evenly():
    numbers = RandomReward()(["p"] * 4000, [str(i) for i in range(4000)])
    assert sum(numbers) / 4000 == pytest.approx(0.5, abs=5 * math.sqrt(1 / 12 / 4000))
    assert all(0 <= number < 1 for number in numbers)
    coins = RandomReward(probability=0.3)(["p"] * 4000, [str(i) for i in range(4000)])
    assert set(coins) == {0.0, 1.0}
    assert sum(coins) / 4000 == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / 4000))
    with pytest.raises(ValueError, match="probability"):
        RandomReward(probability=1.5)


def test_format_looks_at_the_form_alone():
    control = FormatReward()
    assert control(["p"] * 4, ["\\boxed{wrong}", "\\boxed{}", "\\boxed { 7 }", "boxed 7"]) == [1.0, 0.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="no regular expression"):
        FormatReward("(")


def test_length_and_constant():
    assert LengthReward(4)(["p"] * 3, ["", "two words", "five words are too many"]) == [0.0, 0.5, 1.0]
    assert LengthReward(4, unit="characters")(["p"], ["abc"]) == [0.75]
    assert ConstantReward(0.5)(["p"] * 2, ["", "x"]) == [0.5, 0.5]
    for target, unit in ((0, "words"), (3, "tokens")):
        with pytest.raises(ValueError, match="target"):
            LengthReward(target, unit=unit)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "3", None])), min_size=1, max_size=10))
def test_majority_agrees_with_counting(rows):
    prompts = [prompt for prompt, _ in rows]
    texts = ["none" if answer is None else f"I get {answer}." for _, answer in rows]
    for (prompt, answer), reward in zip(rows, MajorityReward()(prompts, texts), strict=True):
        counts = Counter(a for p, a in rows if p == prompt and a is not None).most_common()
        tied = len(counts) > 1 and counts[0][1] == counts[1][1]
        if not counts or tied or prompts.count(prompt) == 1:
            assert reward is None
        else:
            assert reward == float(answer == counts[0][0])


def test_answers_are_compared_in_canonical_form():
    texts = ["\\boxed{0.5}", "it is 1/2", "\\boxed{\\frac{1}{2}}", "\\boxed{The Eiffel Tower}", "\\boxed{eiffel tower}"]
    first, second, third, fourth, fifth = (final_answer(text) for text in texts)
    assert first == second == third != fourth
    assert fourth == fifth
    assert final_answer("nothing") is None


def test_completions_are_text_or_messages():
    turns = [
        {"role": "assistant", "content": [{"type": "text", "text": "one"}]},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "two"},
        {"role": "assistant", "content": None},
    ]
    assert completion_text(turns) == "one\ntwo\n"
    for wrong in (None, 3, [1, 2]):
        with pytest.raises(ValueError, match="text or a list of chat messages"):
            completion_text(wrong)


def literal_bleu(hypothesis, reference):
    """BLEU-4 of tokens divided by blanks: effective order, exponential smoothing, brevity penalty."""
    hyp, ref = hypothesis.split(), reference.split()
    logs, smooth = [], 1.0
    for n in range(1, min(4, len(hyp)) + 1):
        grams = [Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1)) for t in (hyp, ref)]
        hits = sum((grams[0] & grams[1]).values())
        if hits == 0:
            smooth *= 2
        logs.append(math.log(hits / sum(grams[0].values()) if hits else 1 / (smooth * sum(grams[0].values()))))
    return min(1.0, math.exp(1 - len(ref) / len(hyp))) * math.exp(sum(logs) / len(logs))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("the cat sat on the mat", "the cat sat on the mat"),
        ("the cat sat on a mat today", "the cat sat on the mat"),
        ("the cat", "the cat sat on the mat"),
        ("a dog ran on the road", "the cat sat on the mat"),
    ],
)
def test_bleu_agrees_with_its_definition(text, reference):
    (reward,) = BleuReward()(["p"], [text], reference=[reference])
    assert reward == pytest.approx(literal_bleu(text, reference), rel=1e-6)


def test_bleu_without_reference_is_no_number():
    control = BleuReward("gold")
    assert control(["p"] * 4, ["a b"] * 4, gold=[None, "", ["", "a b"], []]) == [None, None, pytest.approx(1.0), None]
    with pytest.raises(ValueError, match="column 'gold' is missing"):
        control(["p"], ["a"], reference=["a"])


def test_bleu_names_the_extra_that_it_needs(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("sacrebleu"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"genrm\[metrics\]"):
        BleuReward()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_finite_number_never_becomes_a_reward(number):
    with pytest.raises(ValueError, match="finite number"):
        ConstantReward(number)
    with pytest.raises(ValueError, match="target above 0"):
        LengthReward(number)
