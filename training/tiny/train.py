"""The trainer: one trunk per seed at a constant learning rate, then two siblings that only differ in their negatives.

    python -m training.tiny.train --seed 0 --out runs/seed0

Phases: ``trunk`` (warm-up, then a constant rate, no degenerate responses), then ``default`` (with degenerate
negatives) and ``unhardened`` (without), each of which lets the rate fall to zero from the same trunk checkpoint.
Every length is in steps, so the recipe does not depend on the machine's speed. A run that is started
again continues at its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import PreTrainedTokenizerFast

from . import model as net
from .export import export
from .sample import EARLY, LATE, closed_example, degenerate_example, draw_example, verify_example
from .tokenizer import END, PAD, Codec
from .tokenizer import train as train_tokenizer
from .worlds import ALL_HELD, Split

RATE = 3e-3
WARMUP = 100
TOKENS = 4096  # per step, padding included
LENGTHS = (64, 96, 128, 176, 256, 384, 640)
CHUNK = 640  # examples drawn at a time
EASY_UNTIL, EASY_GONE, EASY_FIRST, EASY_LAST = 600, 2000, 0.85, 0.08
LATE_FROM, LATE_EASY = 3500, 0.15  # from here on the late mix, with more drills


def easy_share(step: int) -> float:
    """The share of copy-and-compare drills: most at first, some for ever."""
    if step >= LATE_FROM:
        return LATE_EASY
    fall = min(1.0, max(0.0, (step - EASY_UNTIL) / (EASY_GONE - EASY_UNTIL)))
    return EASY_FIRST + (EASY_LAST - EASY_FIRST) * fall


class Stream:
    """Batches of one phase. Chunk ``k`` depends only on the seed, the phase and ``k``."""

    def __init__(self, codec: Codec, seed: int, phase: str, chunk: int = 0) -> None:
        self.codec, self.name, self.chunk, self.step = codec, f"{seed}:{phase}", chunk, 0
        self.phase = phase
        self.waiting: dict[int, list[tuple[list[int], int]]] = {n: [] for n in LENGTHS}

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            r = random.Random(f"{self.name}:{self.chunk}")
            self.chunk += 1
            step = self.step if self.phase == "trunk" else LATE_FROM
            share, mix = easy_share(step), LATE if step >= LATE_FROM else EARLY
            for _ in range(CHUNK):
                example = draw_example(r, self.codec.spell, share, self.phase == "default", mix)
                head = self.codec.prompt(example)
                ids = head + self.codec.output(example)
                if len(ids) <= LENGTHS[-1]:
                    self.waiting[next(n for n in LENGTHS if len(ids) <= n)].append((ids, len(head)))
            ready = []
            for length, queue in self.waiting.items():
                size = TOKENS // length
                while len(queue) >= size:
                    ready.append((length, [queue.pop() for _ in range(size)]))
            r.shuffle(ready)
            for length, batch in ready:
                yield collate(batch, length)


def collate(batch: list[tuple[list[int], int]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids, and the next tokens where they belong to the output (else -100)."""
    ids = torch.full((len(batch), length), PAD)
    targets = torch.full((len(batch), length), -100)
    for i, (tokens, head) in enumerate(batch):
        row = torch.tensor(tokens)
        ids[i, : len(row)] = row
        targets[i, head - 1 : len(row) - 1] = row[head:]
    return ids, targets


class Trainer:
    """A model with its two optimisers: Muon for matrices, AdamW for embeddings and the rest."""

    def __init__(self, codec: Codec, vocab: int, seed: int, compiled: bool) -> None:
        self.codec, self.seed = codec, seed
        self.model = net.build(vocab, PAD, END, seed)
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if p.ndim == 2 and "embed" not in n]
        rest = [p for n, p in named if not (p.ndim == 2 and "embed" not in n)]
        self.params = matrices + rest
        muon = torch.optim.Muon(matrices, lr=RATE, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        adam = torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self.optimisers = [muon, adam]
        self.hidden = torch.compile(net.hidden, dynamic=False) if compiled else net.hidden
        self.checks = _checks(codec)

    def step(self, ids: torch.Tensor, targets: torch.Tensor, rate: float) -> float:
        wanted = targets >= 0
        states = self.hidden(self.model, ids)[wanted]
        loss = torch.nn.functional.cross_entropy(net.logits(self.model, states), targets[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        return loss.item()

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Share of held-out examples whose whole output is predicted, with the right prefix given."""
        out = {}
        for name, (ids, targets) in self.checks.items():
            wanted = targets >= 0
            right = torch.ones_like(wanted)
            right[wanted] = net.logits(self.model, net.hidden(self.model, ids)[wanted]).argmax(-1) == targets[wanted]
            out[name] = round(right.all(1).float().mean().item(), 3)
        return out

    def save(self, path: Path, phase: str, step: int, chunk: int) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "phase": phase,
            "step": step,
            "chunk": chunk,
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path) -> dict:
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        return state


def _checks(codec: Codec) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    r = random.Random("checks")
    values = Split(values="held")
    makers = {
        "number": lambda: verify_example(r, values, codec.spell, "number"),
        "word": lambda: verify_example(r, values, codec.spell, "word"),
        "held": lambda: verify_example(r, ALL_HELD, codec.spell),
        "closed": lambda: closed_example(r),
        "phrasing": lambda: closed_example(r, Split(phrasings="held")),
        "empty": lambda: degenerate_example(r, codec.spell),
    }
    sets = {}
    for name, make in makers.items():
        rows = [(codec.prompt(e), codec.output(e)) for e in (make() for _ in range(96))]
        rows = [(a + b, len(a)) for a, b in rows if len(a) + len(b) <= 300]
        sets[name] = collate(rows, max(len(x) for x, _ in rows))
    return sets


def run_phase(trainer: Trainer, out: Path, phase: str, steps: int, every: int) -> None:
    """Train one phase to its end, from its own last checkpoint, from the trunk, or from scratch."""
    last, trunk = out / f"{phase}.pt", out / "trunk.pt"
    start = chunk = 0
    if last.exists():
        state = trainer.load(last)
        start, chunk = state["step"], state["chunk"]
    elif phase != "trunk":
        trainer.load(trunk)
    stream = Stream(trainer.codec, trainer.seed, phase, chunk)
    stream.step = start
    losses, begun = [], time.time()
    for step, (ids, targets) in enumerate(stream, start):
        if step >= steps:
            break
        stream.step = step
        rate = RATE * (min(1.0, (step + 1) / WARMUP) if phase == "trunk" else 1 - step / steps)
        losses.append(trainer.step(ids, targets, rate))
        if (step + 1) % every == 0 or step + 1 == steps:
            record = {
                "phase": phase,
                "step": step + 1,
                "minutes": round((time.time() - begun) / 60, 2),
                "loss": round(sum(losses) / len(losses), 4),
            }
            record |= trainer.check()
            losses = []
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
            trainer.save(last, phase, step + 1, stream.chunk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints, logs and exports")
    parser.add_argument("--tokenizer", type=Path, help="a saved tokenizer (default: train one, the same every time)")
    parser.add_argument("--trunk", type=int, default=7500, help="steps at the constant rate")
    parser.add_argument("--decay", type=int, default=1200, help="steps of each sibling")
    parser.add_argument("--phases", nargs="+", default=["trunk", "default", "unhardened"])
    parser.add_argument("--every", type=int, default=250, help="steps between checks and checkpoints")
    parser.add_argument("--compile", action="store_true", help="compile the forward pass (a third faster here)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.tokenizer) if args.tokenizer else train_tokenizer()
    trainer = Trainer(Codec(tokenizer), len(tokenizer), args.seed, args.compile)
    for phase in args.phases:
        run_phase(trainer, args.out, phase, args.trunk if phase == "trunk" else args.decay, args.every)
        if phase != "trunk":
            export(trainer.model, tokenizer, args.out / phase)


if __name__ == "__main__":
    main()
