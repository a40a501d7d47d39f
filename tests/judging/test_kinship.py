"""Model names that mean the same base model."""

import json

import pytest

from genrm.judging.kinship import base_of, shared_bases


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("tiny", "tiny:unhardened"),
        ("hf:Qwen/Qwen3-8B", "vllm:qwen/qwen3-8b"),
        ("hf:Qwen/Qwen3-8B@main", "hf:Qwen/Qwen3-8B#my-adapter"),
        ("http://localhost:8000/v1#Qwen/Qwen3-8B", "vllm:Qwen/Qwen3-8B"),
        ("http://localhost:8000/v1/", "http://LOCALHOST:8000/v1"),
        ("litellm:together_ai/Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
        ("litellm:openai/gpt-5", "litellm:azure/gpt-5"),
        ("hf:/cache/models--Qwen--Qwen3-8B/snapshots/abc123", "vllm:Qwen/Qwen3-8B"),
    ],
)
def test_relatives(one, two):
    assert base_of(one) == base_of(two)
    assert shared_bases([one, "other", two]) == {base_of(one): (0, 2)}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("hf:Qwen/Qwen3-8B", "hf:Qwen/Qwen3-4B"),
        ("tiny", "hf:org/tiny"),
        ("http://one:8000/v1", "http://two:8000/v1"),
        ("litellm:openai/gpt-5", "litellm:openai/gpt-5-mini"),
        ("hf:a/judge", "hf:b/judge"),
    ],
)
def test_strangers(one, two):
    assert shared_bases([one, two]) == {}


def test_folders_by_their_real_path_and_adapters_by_their_base(tmp_path):
    model, link, adapter = tmp_path / "model", tmp_path / "link", tmp_path / "adapter"
    model.mkdir()
    link.symlink_to(model)
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model)}))
    assert shared_bases([f"hf:{model}", f"vllm:{link}/", f"hf:{adapter}"]) == {str(model): (0, 1, 2)}
    (adapter / "adapter_config.json").write_text("broken")
    assert base_of(f"hf:{adapter}") == str(adapter)


def test_what_engines_say_counts_too():
    assert shared_bases(["http://a/v1", "http://b/v1"], ["Org/Judge", "org/judge@main"]) == {"org/judge": (0, 1)}
    assert shared_bases(["tiny", "tiny:unhardened"], ["genrm-tiny@1", "genrm-tiny@1"]) == {"tiny": (0, 1)}
