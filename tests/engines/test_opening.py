"""Model names, options, model cards and everything that is found out before the first request."""

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys

import pytest

from genrm.engines import open_engine
from genrm.engines.chat import Chat
from genrm.engines.model_card import CARD_FILE, ModelCard, load_card, parse_card
from genrm.errors import MissingExtraError, SpecError
from genrm.specs.criterion import Criterion

CARD = {
    "name": "test-judge",
    "version": "0.3",
    "prompts": "compact",
    "one_criterion": True,
    "labels": ["no", "yes"],
    "decision": {"met": "=", "unmet": "!"},
    "extract": {"answer": "says (?P<answer>.*); reference (?P<reference>.*):"},
    "domain": [{"ask": "is it (right|correct)\\?", "reference": True}, {"ask": "is it short\\?"}],
    "dtype": "float64",
    "demonstration": True,
}


@pytest.mark.parametrize("name", ["", "nope", "gpt-4", "hf", "ftp://localhost:1", "Qwen/Qwen3-8B", "tiny:large", "hf:"])
def test_a_model_name_that_says_nothing_is_refused_with_the_fix(name):
    with pytest.raises(SpecError) as caught:
        open_engine(name)
    assert "Fix: " in str(caught.value)
    assert "tiny" in str(caught.value) or "hf:" in str(caught.value)


def test_nothing_heavy_is_loaded_before_a_model_is():
    code = (
        "import sys, genrm.engines.hf, genrm.engines.tiny, genrm.verdicts.read\n"
        "print([name for name in ('torch', 'transformers', 'llguidance', 'tokenizers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_hub_name_without_prefix_is_completed():
    with pytest.raises(SpecError, match="write hf:Qwen/Qwen3-8B"):
        open_engine("Qwen/Qwen3-8B")


@pytest.mark.parametrize("path", ["./nowhere", "/no/such/folder", "a/b/c", "~/nothing-here-at-all"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(path):
    with pytest.raises(SpecError, match="no such folder"):
        open_engine(f"hf:{path}")


def test_folders_and_files_that_hold_no_model_are_named(tmp_path):
    with pytest.raises(SpecError, match="holds no model"):
        open_engine(f"hf:{tmp_path}")
    file = tmp_path / "model.bin"
    file.write_bytes(b"\0")
    with pytest.raises(SpecError, match="is a file"):
        open_engine(f"hf:{file}")
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(SpecError, match="cannot be loaded"):
        open_engine(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batchsize": 3}, "unknown engine option.*did you mean 'batch_size'"),
        ({"warp": 9}, "unknown engine option.*use .*dtype"),
        ({"batch_size": 0}, "at least 1"),
        ({"threads": -1}, "at least 1"),
        ({"dtype": "int3"}, "float32"),
        ({"device": "warp-drive"}, "cannot be loaded"),
    ],
)
def test_wrong_options_are_named(model_folder, options, words):
    with pytest.raises(SpecError, match=words):
        open_engine(f"hf:{model_folder('qwen3')}", **options)


@pytest.mark.parametrize("missing", ["torch", "transformers", "llguidance"])
def test_a_missing_package_names_the_extra(model_folder, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(MissingExtraError, match=rf"{missing}.*genrm\[local\]"):
        open_engine(f"hf:{model_folder('qwen3')}")


def test_an_engine_says_what_it_can(open_hf):
    capabilities = open_hf("qwen3").capabilities
    assert capabilities.context_tokens == 640
    assert capabilities.joint
    assert capabilities.probabilities
    assert capabilities.prompts == "full"
    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= capabilities.control_tokens
    assert open_hf("qwen3").count_tokens("<|im_end|>\n") == 2
    assert open_hf("qwen3").count_tokens("") == 0


def test_a_model_without_a_chat_template_is_refused(model_folder, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(model_folder("qwen3"), folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(SpecError, match="no chat template"):
        open_engine(f"hf:{folder}")


def _chat(tokenizer, template):
    class Tokenizer:
        chat_template = template
        added_tokens_decoder = tokenizer.added_tokens_decoder

        def apply_chat_template(self, messages, **options):
            return tokenizer.apply_chat_template(messages, chat_template=template, **options)

    return Chat(Tokenizer(), "model")


def test_a_template_that_refuses_system_messages_gets_them_in_the_first_message(tokenizer):
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "[{{ m.role }}] {{ m.content }}{% endfor %}"
    )
    messages = ({"role": "system", "content": "Judge."}, {"role": "user", "content": "2+2?"})
    assert _chat(tokenizer, template).render(messages) == "[user] Judge.\n\n2+2?"


def test_templates_that_can_think_are_told_whether_to(tokenizer):
    template = "{% if enable_thinking %}<think>{% else %}quiet{% endif %}"
    chat = _chat(tokenizer, template)
    assert chat.render(({"role": "user", "content": ""},), thinking=True) == "<think>"
    assert chat.render(({"role": "user", "content": ""},)) == "quiet"
    assert "<think>" in chat.control_tokens
    assert "</think>" not in chat.control_tokens


def test_a_card_decides_prompts_and_number_format(model_folder, tmp_path):
    folder = tmp_path / "judge"
    shutil.copytree(model_folder("lfm2"), folder)
    (folder / CARD_FILE).write_text(json.dumps(CARD))
    engine = open_engine(f"hf:{folder}", device="cpu")
    asyncio.run(engine.aclose())
    assert engine.capabilities.prompts == "compact"
    assert not engine.capabilities.joint
    assert str(engine.decoder.model.dtype) == "torch.float64"
    assert engine.card.decision.unmet == "!"
    assert engine.card.labels == ("no", "yes")
    assert "demonstration" in engine.card.notice


def test_a_card_knows_its_domain():
    card = parse_card(CARD)
    right = Criterion.model_validate({"id": "a", "ask": "Is  it\ncorrect?"})
    short = Criterion.model_validate({"id": "b", "ask": "Is it short?"})
    graded = Criterion.model_validate({"id": "c", "ask": "Is it short?", "scale": "likert-5"})
    other = Criterion.model_validate({"id": "d", "ask": "Is it short and correct?"})
    assert [card.knows(right, True), card.knows(right, False)] == [True, False]
    assert [card.knows(short, True), card.knows(short, False)] == [False, True]
    assert not card.knows(graded)
    assert not card.knows(other, True)
    assert ModelCard("any", "1").knows(graded)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"prompts": "long"}, "prompts"),
        ({"one_criterion": "yes"}, "one_criterion"),
        ({"labels": ["yes"]}, "labels"),
        ({"labels": "no"}, "labels"),
        ({"labels": ["no", "no"]}, "labels"),
        ({"decision": {"met": "="}}, "decision"),
        ({"decision": {"met": "=", "unmet": "="}}, "decision"),
        ({"extract": {"x": "(?P<answer>"}}, "extract"),
        ({"extract": {"x": "(?P<answer>.)"}}, "extract"),
        ({"domain": [{"ask": "("}]}, "domain"),
        ({"domain": {"ask": "x"}}, "domain"),
        ({"dtype": "int8"}, "dtype"),
        ({"demonstration": 1}, "demonstration"),
        ({"notice": 3}, "notice"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_broken_card_names_file_field_and_fix(tmp_path, change, field):
    (tmp_path / CARD_FILE).write_text(json.dumps(CARD | change))
    with pytest.raises(SpecError) as caught:
        load_card(tmp_path)
    [fault] = caught.value.faults
    assert fault.field == field
    assert fault.file.endswith(CARD_FILE)


def test_cards_may_be_absent_but_not_garbage(tmp_path):
    assert load_card(tmp_path) is None
    (tmp_path / CARD_FILE).write_text("{")
    with pytest.raises(SpecError, match="not JSON"):
        load_card(tmp_path)
    for garbage in (["list"], {}):
        with pytest.raises(SpecError):
            parse_card(garbage)


def test_a_card_whose_extracts_cannot_be_compared_is_refused():
    with pytest.raises(SpecError, match="labels: is missing"):
        parse_card({key: value for key, value in CARD.items() if key != "labels"})
    with pytest.raises(SpecError, match="extract: a mapping"):
        parse_card(CARD | {"extract": []})


def test_damaged_weights_are_a_fault_of_the_model(model_folder, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(model_folder("qwen3"), folder)
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(SpecError, match="cannot be loaded"):
        open_engine(f"hf:{folder}", device="cpu")


@pytest.mark.parametrize("model", ["http://localhost:1/v1", "litellm:openai/gpt-4o"])
@pytest.mark.parametrize("name", ["api_key", "API-KEY", "token", "authorization"])
def test_a_key_that_is_given_as_an_option_is_not_repeated(model, name):
    if model.startswith("litellm"):
        pytest.importorskip("litellm")
    with pytest.raises(SpecError, match="api_key_env=NAME") as caught:
        open_engine(model, **{name: "sk-very-secret"})
    assert "very-secret" not in str(caught.value)


def test_an_address_without_http_is_answered_with_one():
    with pytest.raises(SpecError, match=r"write http://localhost:8000/v1$"):
        open_engine("localhost:8000/v1")
