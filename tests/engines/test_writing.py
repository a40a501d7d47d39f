"""What a model under the grammar may write: always the plan, whatever the weights say."""

import asyncio
import json

import pytest

from genrm.compiler.output import Thinking
from genrm.engines import open_engine

LIKERT = tuple(map(str, range(1, 11)))
SLOTS = {
    "binary": {"correct": ("no", "yes")},
    "likert": {"quality": LIKERT},
    "shared": {"winner": ("tie", "tied", "t", "A")},
    "unicode": {"sí": ("größer", "größte", "短い", "🙂")},
    "quotes": {"odd": ('say "hi"', "back\\slash", "new\nline", "{}", "", "<|im_end|>")},
    "joint": {"a": ("no", "yes"), "b": LIKERT, "c": ("poor", "good", 'ex"cellent')},
}


@pytest.mark.parametrize("slots", SLOTS.values(), ids=SLOTS.keys())
def test_every_output_follows_the_plan(engine, ask, complete, slots):
    request = ask(slots=slots, seeds=tuple(range(24)))
    for completion in complete(engine, request):
        answer = request.output.parse(completion.text)
        assert list(answer.labels) == list(slots)
        assert set(answer.critiques) == set(slots)
        completion.text.encode()
        for slot, labels in slots.items():
            reading = completion.slots[slot]
            assert list(reading.p) == list(labels)
            assert sum(reading.p.values()) == pytest.approx(1)
            assert 0 <= reading.outside <= 1
            assert completion.tokens[slot] or slot in completion.closed


def test_labels_are_drawn_as_often_as_they_are_probable(open_hf, ask, complete):
    request = ask(slots={"q": ("A", "tie", "tied", "yes")}, seeds=tuple(range(600)), critique=False)
    completions = complete(open_hf(batch_size=300), request)
    p = completions[0].slots["q"].p
    said = [request.output.parse(completion.text).labels["q"] for completion in completions]
    for label, wanted in p.items():
        spread = (wanted * (1 - wanted) / len(said)) ** 0.5
        assert abs(said.count(label) / len(said) - wanted) < 4.5 * spread + 1e-9


def test_temperature_0_says_the_most_probable_label(engine, ask, complete):
    [first, second] = complete(engine, ask(slots={"q": LIKERT}, seeds=(1, 2), temperature=0))
    assert first.text == second.text
    p = first.slots["q"].p
    assert json.loads(first.text)["label"] == max(p, key=p.get)


@pytest.mark.parametrize("budget", [0, 1, 3])
def test_a_verdict_is_never_lost_to_length(engine, ask, complete, budget):
    slots = {"a": ("no", "yes"), "b": LIKERT}
    request = ask(slots=slots, seeds=tuple(range(32)), critique_tokens=budget)
    completions = complete(engine, request)
    for completion in completions:
        answer = request.output.parse(completion.text, cut=completion.cut)
        assert not completion.cut
        assert set(completion.slots) == {"a", "b"}
        for slot in slots:
            assert len(completion.tokens[slot]) <= budget
            assert (slot in completion.closed) == (not _ended(completion.tokens[slot]))
            assert "\ufffd" not in answer.critiques[slot]
    assert any(completion.closed for completion in completions)


def _ended(tokens):
    text = "".join(token.text for token in tokens)
    return '"' in text.replace("\\\\", "").replace('\\"', "")


def test_tokens_of_a_critique_spell_it(engine, ask, complete):
    for completion in complete(engine, ask(seeds=tuple(range(16)), critique_tokens=40)):
        tokens = completion.tokens["correct"]
        written = "".join(token.text for token in tokens)
        if "\ufffd" not in written:
            body = completion.text.removeprefix('{"critique":"').rpartition('","label":')[0]
            assert written.startswith(body)
        for token in tokens:
            assert 0 < token.p <= 1
            assert len(token.alternatives) <= 5
            assert sum(token.alternatives.values()) <= 1 + 1e-9
            assert max(token.alternatives.values()) >= token.p - 1e-12


def test_without_a_critique_only_labels_are_asked(engine, ask, complete):
    [completion] = complete(engine, ask(critique=False))
    assert completion.tokens == {}
    assert completion.text in ('{"label":"no"}', '{"label":"yes"}')


@pytest.mark.parametrize("slots", [SLOTS["binary"], SLOTS["likert"], SLOTS["shared"], SLOTS["unicode"]])
@pytest.mark.parametrize("family", ["qwen3", "lfm2"])
def test_label_distributions_equal_brute_force(open_hf, model_folder, ask, complete, brute_force, family, slots):
    [slot] = slots
    requests = [ask(text, slots, critique=False) for text in ("Short?", "A much longer question, is it not? 10 10 10")]
    for request, [completion] in zip(requests, complete(open_hf(family), *requests), strict=True):
        p, outside = brute_force(model_folder(family), request, completion, slot)
        assert completion.slots[slot].p == pytest.approx(p, abs=1e-6)
        assert completion.slots[slot].outside == pytest.approx(outside, abs=1e-6)


def test_thinking_comes_before_the_verdict(engine, ask, complete):
    request = ask(seeds=tuple(range(12)), thinking=Thinking("</think>", 30))
    completions = complete(engine, request)
    for completion in completions:
        assert "</think>" not in completion.thinking
        assert request.output.parse(completion.text).labels
        assert completion.text.startswith('{"critique":"')
    closed = ["thinking" in completion.closed for completion in completions]
    assert any(closed)
    assert any(completion.thinking for completion in completions)


def test_thinking_stops_at_its_end(open_hf, ask, complete):
    # A single byte is soon written, so some thoughts end by themselves.
    request = ask(seeds=tuple(range(12)), thinking=Thinking("e", 200))
    completions = complete(open_hf("qwen3"), request)
    assert all("e" not in completion.thinking for completion in completions)
    assert any("thinking" not in completion.closed for completion in completions)


def test_temperature_0_is_the_greedy_text_of_transformers(model_folder, tokenizer, ask, complete):
    """Where the grammar allows what the model wants: a model whose favourites are letters alone."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = model_folder("qwen3")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    letters = [i for i in range(len(tokenizer)) if tokenizer.decode([i]).strip().isalpha()]
    others = sorted(set(range(model.config.vocab_size)) - set(letters))
    with torch.no_grad():
        bias = torch.zeros(model.config.vocab_size, dtype=torch.float64)
        bias[others] = -1e4
    model.lm_head.bias = torch.nn.Parameter(bias)
    request = ask(temperature=0, critique_tokens=10)
    prompt = tokenizer.apply_chat_template(list(request.messages), tokenize=False, add_generation_prompt=True)
    ids = tokenizer.encode(prompt + '{"critique":"', add_special_tokens=False, return_tensors="pt")
    wanted = model.generate(ids, max_new_tokens=10, do_sample=False)[0, ids.shape[1] :]
    engine = open_engine(f"hf:{folder}", dtype="float64", threads=1, device="cpu")
    engine.decoder.model.lm_head.bias = model.lm_head.bias
    [completion] = complete(engine, request)
    asyncio.run(engine.aclose())
    assert "".join(token.text for token in completion.tokens["correct"]) == tokenizer.decode(wanted)
