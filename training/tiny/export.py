"""Writes a model folder: half-precision weights, configuration, tokenizer and ``genrm.json``.

python -m training.tiny.export runs/seed0/trunk.pt runs/tokenizer OUT
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import torch
from transformers import Lfm2ForCausalLM, PreTrainedTokenizerFast

from . import answers, domain, model
from .tokenizer import END, PAD, SPECIAL

CARD = {
    "name": "genrm-tiny",
    "version": "1",
    "demonstration": True,
    "prompts": "compact",
    "one_criterion": True,
    "labels": ["no", "yes"],
    "decision": {"met": "=", "unmet": "!"},
    "extract": {"verify": answers.EXTRACT},
    "domain": domain.expressions(),
    "dtype": "float32",
}


def export(network: Lfm2ForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Save ``network`` in float16 with everything that a loader needs."""
    out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(network).to(torch.float16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "chat_template.jinja").unlink(missing_ok=True)
    (out / "generation_config.json").unlink(missing_ok=True)
    _edit(out / "config.json", block_ff_dim=network.config.intermediate_size)
    _edit(
        out / "tokenizer_config.json",
        drop=("is_local", "local_files_only", "backend", "extra_special_tokens"),
        tokenizer_class="PreTrainedTokenizerFast",
        additional_special_tokens=SPECIAL[1:3] + SPECIAL[4:],
        chat_template=tokenizer.chat_template,
    )
    (out / "genrm.json").write_text(json.dumps(CARD, indent=2, ensure_ascii=False) + "\n")
    for path in out.iterdir():
        path.chmod(0o644)


def _edit(path: Path, drop: tuple[str, ...] = (), **values: object) -> None:
    data = json.loads(path.read_text())
    data = {key: value for key, value in data.items() if key not in drop} | values
    path.write_text(json.dumps(data, indent=2) + "\n")


def main(checkpoint: str, tokenizer: str, out: str) -> None:
    tok = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    network = model.build(len(tok), PAD, END, 0)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    export(network, tok, Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
