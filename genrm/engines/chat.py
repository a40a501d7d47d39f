"""The chat template of a model: from messages to the text that it reads.

>>> Chat(tokenizer, "my-model").render(({"role": "user", "content": "Hi"},))             # doctest: +SKIP
'<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genrm.compiler.request import Message
from genrm.errors import Fault, SpecError


class Chat:
    """Renders messages with a tokenizer's chat template.

    Raises:
        SpecError: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any, model: str) -> None:
        template = tokenizer.chat_template
        if not template:
            raise SpecError(
                Fault(
                    "the model has no chat template, so it does not know where an instruction ends",
                    field="model",
                    value=model,
                    fix="use the instruction-tuned model of the family, or set tokenizer.chat_template and save it",
                )
            )
        self._tokenizer = tokenizer
        self._source = template if isinstance(template, str) else "\n".join(template.values())
        self._can_think = "enable_thinking" in self._source

    @property
    def control_tokens(self) -> frozenset[str]:
        """Texts that the tokenizer reads as one control token: its special tokens, and others that the template uses.

        Tokens such as ``<think>`` are often not marked as special, yet mean something to the model.
        """
        added = self._tokenizer.added_tokens_decoder.values()
        return frozenset(
            token.content
            for token in added
            if token.content.strip() and (token.special or token.content in self._source)
        )

    def render(self, messages: Sequence[Message], *, thinking: bool = False) -> str:
        """The prompt, up to where the model's answer begins.

        A template that refuses system messages gets their text at the beginning of the first user message.
        """
        from jinja2 import TemplateError

        options = {"enable_thinking": thinking} if self._can_think else {}
        try:
            return self._apply(messages, options)
        except TemplateError:
            if messages[0]["role"] != "system" or len(messages) < 2:
                raise
        system, first, *rest = messages
        merged: Message = {"role": first["role"], "content": system["content"] + "\n\n" + first["content"]}
        return self._apply((merged, *rest), options)

    def _apply(self, messages: Sequence[Message], options: dict[str, bool]) -> str:
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True, **options
        )
        return str(text)
