"""One vote without a model: a driver answers every question with any legal token, favouring none."""

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.compiler.output import Thinking, plan_output
from genrm.engines.labels import LabelTree
from genrm.engines.local.sampling import Draw, Drawn
from genrm.engines.local.vocabulary import Vocabulary
from genrm.engines.local.writer import Writer
from genrm.errors import EngineError, SpecError

SLOTS = {"a": ("no", "yes"), "sí": ("1", "10", 'say "hi"', "<|im_end|>", "größer")}


@pytest.fixture(scope="session")
def vocabulary(tokenizer):
    return Vocabulary(tokenizer, size=448)


def legal(mask, size):
    return [i for i in range(size) if (int(mask[i // 32]) >> (i % 32)) & 1]


def drive(plan, vocabulary, choose, temperature=1.0):
    """The completion, and the tokens that a model would have read."""
    writer = Writer(plan, vocabulary, seed=0, temperature=temperature)
    fed = list(writer.lead)
    moves = writer.moves()
    move = next(moves)
    try:
        while True:
            if isinstance(move, Draw):
                options = range(420) if move.mask is None else legal(move.mask, vocabulary.size)
                token = choose(options)
                move = moves.send(Drawn(token, 0.5, ((token, 0.5),)))
            elif isinstance(move, int):
                fed.append(move)
                move = moves.send(None)
            else:
                move = moves.send([[-1.0] * len(branch.edges) for branch in move.branches])
    except StopIteration as stop:
        return stop.value, fed


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 25), st.booleans())
def test_any_legal_tokens_make_the_plan_and_what_was_read_is_what_is_reported(vocabulary, seed, budget, critique):
    plan = plan_output(SLOTS, critique_tokens=budget, critique=critique)
    completion, fed = drive(plan, vocabulary, random.Random(seed).choice)
    answer = plan.parse(completion.text)
    assert list(answer.labels) == list(SLOTS)
    assert json.loads(completion.text)
    read = b"".join(map(vocabulary.piece, fed)).decode(errors="replace")
    if not completion.closed:
        # The last label and what follows it need no model any more.
        assert completion.text.startswith(read)
        assert len(read) > len(completion.text) - 30
    assert completion.usage.completion_tokens <= plan.max_tokens


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_forced_end_leaves_whole_characters(vocabulary, seed):
    """A critique made of nothing but escapes and pieces of characters, closed wherever it stands."""
    chance = random.Random(seed)

    def odd(options):
        pieces = {i: vocabulary.piece(i) for i in options}
        halves = [i for i, piece in pieces.items() if piece[:1] == b"\\" or piece[0] >= 0x80 or piece in b"ud0123"]
        return chance.choice(halves or list(options))

    plan = plan_output({"a": ("no", "yes")}, critique_tokens=chance.randint(1, 9))
    completion, _ = drive(plan, vocabulary, odd)
    critique = plan.parse(completion.text).critiques["a"]
    assert "\ufffd" not in completion.text
    critique.encode()


def test_a_token_that_runs_into_the_literal_is_used_and_not_written_twice(vocabulary, tokenizer):
    runner = next(i for i in range(len(tokenizer)) if vocabulary.piece(i) == b'","')
    plan = plan_output({"a": ("no", "yes")}, critique_tokens=5)
    completion, fed = drive(plan, vocabulary, lambda options: runner)
    assert completion.text.startswith('{"critique":"","label":"')
    assert b"".join(map(vocabulary.piece, fed)) == b'{"critique":"","label":"'


def test_thinking_ends_where_the_model_ends_its_turn(vocabulary, tokenizer):
    words = iter([*tokenizer.encode("the answer"), tokenizer.eos_token_id])
    quote = tokenizer.encode('"')[0]
    plan = plan_output({"a": ("no", "yes")}, critique_tokens=5, thinking=Thinking("</think>", 50))
    completion, fed = drive(plan, vocabulary, lambda options: next(words, quote))
    assert completion.thinking == "the answer"
    assert completion.closed == ()
    assert tokenizer.decode(fed).startswith('the answer</think>{"critique":"","label":"')


@pytest.mark.parametrize("text", ["", "yes", "<|im_end|>", "a<|im_start|>b", "<think>", "größer", "🙂", '","label":"'])
def test_texts_are_spelled_without_control_tokens(vocabulary, tokenizer, text):
    tokens = vocabulary.spell(text)
    assert b"".join(map(vocabulary.piece, tokens)) == text.encode()
    assert not set(tokens) & set(tokenizer.get_added_vocab().values())


def _narrow(inner):
    from transformers import PreTrainedTokenizerFast

    return Vocabulary(PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>"), size=4)


def test_a_text_that_the_vocabulary_lacks_is_an_error():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    inner = Tokenizer(models.BPE({"y": 0, "e": 1, "s": 2, "<end>": 3}, []))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    narrow = _narrow(inner)
    assert narrow.spell("yes") == (0, 1, 2)
    with pytest.raises(EngineError, match="cannot spell 'no'"):
        narrow.spell("no")


def test_a_tokenizer_without_bytes_is_refused():
    from tokenizers import Tokenizer, models

    with pytest.raises(SpecError, match="llguidance cannot use"):
        _narrow(Tokenizer(models.WordLevel({"yes": 0, "<end>": 1}, unk_token="<end>")))


def test_masks_allow_exactly_what_continues_a_string(vocabulary, tokenizer):
    matcher = vocabulary.string_then('","label":"')
    for token in tokenizer.encode("ok\\"):
        matcher.take(token)
    pieces = {vocabulary.piece(i)[:1] for i in legal(matcher.mask(), vocabulary.size)}
    assert pieces == {bytes([byte]) for byte in b'"\\/bfnrtu'}
    assert matcher.mask().dtype == np.int32
    with pytest.raises(EngineError, match="refused a token"):
        matcher.take(tokenizer.encode("x")[0])


def test_closing_tokens_are_those_that_go_on_as_the_output_does(vocabulary):
    pieces = {vocabulary.piece(token) for token in vocabulary.starting('","label":"')}
    assert {b'"', b'","'} <= pieces
    assert all(b'","label":"'.startswith(piece) for piece in pieces)


def spell(text):
    return tuple(text.encode())


@given(st.sets(st.text("ab01é", max_size=4), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_label_probabilities_are_those_of_a_walk_down_the_tree(labels, chance):
    labels = tuple(sorted(labels))
    tree = LabelTree(labels, spell, close=(34, 35))
    masses = [[math.log(chance.uniform(0.01, 0.1)) for _ in branch.edges] for branch in tree.branches]
    p, outside = tree.distribution(masses)
    assert list(p) == list(labels)
    assert sum(p.values()) == pytest.approx(1)
    assert outside == pytest.approx(1 - sum(math.exp(mass) for mass in masses[0]))
    counts = dict.fromkeys(labels, 0.0)
    places = {branch.prefix: (branch, masses[index]) for index, branch in enumerate(tree.branches)}

    def walk(prefix, weight):
        branch, logs = places.get(prefix, (None, None))
        if branch is None:
            [edge] = {(*spell(name), 34)[len(prefix)] for name in labels if spell(name)[: len(prefix)] == prefix}
            edges, logs = ((edge,),), [0.0]
        else:
            edges = branch.edges
        total = sum(math.exp(value) for value in logs)
        for edge, value in zip(edges, logs, strict=True):
            share = weight * math.exp(value) / total
            if edge[0] == 34:
                counts[bytes(prefix).decode()] += share
            else:
                walk((*prefix, edge[0]), share)

    walk((), 1.0)
    assert p == pytest.approx(counts)


def test_labels_that_differ_at_once_ask_about_one_place_only():
    tree = LabelTree(("no", "yes", "maybe"), spell, close=(34,))
    assert [branch.prefix for branch in tree.branches] == [()]
    with pytest.raises(EngineError, match="no finite probabilities"):
        tree.distribution([[float("nan")] * 3])
    with pytest.raises(EngineError, match="no finite probabilities"):
        tree.distribution([[-math.inf] * 3])


def test_one_label_is_certain():
    p, outside = LabelTree(("yes",), spell, close=(34,)).distribution([[math.log(0.25)]])
    assert p == {"yes": 1.0}
    assert outside == pytest.approx(0.75)
