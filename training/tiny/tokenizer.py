"""The tokenizer: byte-level BPE of 512 tokens, lower case, single digits, spaces apart from words.

Text is folded (lower case, no accents) by the tokenizer itself, and a word is cut the same way wherever it
stands, so that copying and comparing are always token by token. Decoding therefore gives folded text.

``python -m training.tiny.tokenizer OUT`` trains it on generated examples and saves it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .sample import Example, Mix, chunks, draw_example, prompt

SPECIAL = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<|criterion|>", "<|reference|>", "<|response|>"]
PAD, END = 0, 3
SIZE = 512
CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
OPEN, MIDDLE, CLOSE = '{"critique":"', '","label":"', '"}'
# JSON seams, operators and marks with a space, words, single digits, runs of white space, any other character
_PARTS = r'\{"|":"|","|"\}| [=+*/x-] (?=\d)|[.,:;?] |\p{L}+|\p{N}|\s+|[^\s\p{L}\p{N}]'


def train(size: int = SIZE, examples: int = 9000) -> PreTrainedTokenizerFast:
    """Train the tokenizer on generated examples."""
    r = random.Random("tokenizer")

    def texts():
        for _ in range(examples):
            example = draw_example(r, chunks, easy=0.1, hardened=True, mix=Mix(long=0.03))
            yield from (example.criterion, example.reference or "", example.response)
            yield (
                OPEN + example.critique.rsplit(": ", 1)[0] + ": " + MIDDLE + ("yes" if example.label else "no") + CLOSE
            )

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_PARTS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        texts(),
        trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=SPECIAL[PAD], eos_token=SPECIAL[END],
        additional_special_tokens=SPECIAL[1:3] + SPECIAL[4:], padding_side="left", model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = CHAT
    return tokenizer


class Codec:
    """Turns examples into token ids, segment by segment, as a constrained decoder forces them."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.core = tokenizer.backend_tokenizer
        self._spelt: dict[str, list[str]] = {}
        self._open, self._middle, self._close = (self.ids(x) for x in (OPEN, MIDDLE, CLOSE))
        self._labels = {True: self.ids("yes"), False: self.ids("no")}

    def ids(self, text: str) -> list[int]:
        return self.core.encode(text, add_special_tokens=False).ids

    def spell(self, word: str) -> list[str]:
        """A word's tokens as strings (whole letters where a token is only part of one)."""
        if word not in self._spelt:
            spans = self.core.encode(word, add_special_tokens=False).offsets
            cut = [word[a:b] for a, b in spans]
            self._spelt[word] = cut if "".join(cut) == word else list(word)
        return self._spelt[word]

    def prompt(self, example: Example) -> list[int]:
        return self.ids(f"<|user|>{prompt(example.criterion, example.reference, example.response)}<|assistant|>")

    def output(self, example: Example) -> list[int]:
        return [
            *self._open,
            *self.ids(example.critique),
            *self._middle,
            *self._labels[example.label],
            *self._close,
            END,
        ]


def main(out: str) -> None:
    tokenizer = train()
    Path(out).mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    codec = Codec(tokenizer)
    r = random.Random(7)
    sizes = []
    for _ in range(3000):
        example = draw_example(r, codec.spell)
        sizes.append((len(codec.prompt(example)), len(codec.output(example))))
    total = sorted(a + b for a, b in sizes)
    print(
        len(tokenizer), "tokens; mean prompt and output", [round(sum(x) / len(sizes)) for x in zip(*sizes, strict=True)]
    )
    print("length quantiles 50/75/90/95/99", [total[int(len(total) * q)] for q in (0.5, 0.75, 0.9, 0.95, 0.99)])
    for _ in range(6):
        example = draw_example(r, codec.spell)
        print([codec.core.decode([i]) for i in codec.output(example)])
    print(codec.core.encode("Leonardo da Vinci lived in São Paulo, 3+4 = 7.").tokens, codec.spell("leonardo"))
    print([codec.core.decode([i]) for i in range(7 + 256, len(tokenizer))])


if __name__ == "__main__":
    main(sys.argv[1])
