"""From one reply to one completion: a broken answer is asked for again, a cut one is closed and completed.

    >>> completion = await Settling(asking, seed=7).settle(request.messages, plan, reply)    # doctest: +SKIP

A verdict is never lost to length. A critique (or thinking) that ran into the token limit is closed where it stands,
without the half character or escape at its end, and the rest of the plan is asked for behind it: as a prefill where
the caller has prefills and a grammar for what follows, else in a further turn, question by question. Only if that
fails too is the output cut.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from genrm.compiler.followup import ask_again, ask_rest
from genrm.compiler.output import Answer, Choice, Literal, OutputPlan, Text, Thinking
from genrm.compiler.request import Message
from genrm.engines.base import NOTHING, Completion, SlotReading, TextToken, Usage
from genrm.engines.calls.asking import Asking
from genrm.engines.calls.call import Constraint, Reply
from genrm.engines.calls.distributions import Output, critique_tokens, placed, read_slots
from genrm.engines.calls.layout import Field, Layout, lay_out, rest_regex, rest_tokens, unfenced, whole_units
from genrm.errors import JudgeError, TruncatedError, UnparseableError

Messages = tuple[Message, ...]


@dataclass(slots=True)
class Settling:
    """One vote on its way to a completion.

    Attributes:
        usage: of the calls so far, the failed ones included.
        closed: critiques, or "thinking", that were closed by force.
    """

    asking: Asking
    seed: int
    usage: Usage = NOTHING
    closed: list[str] = field(default_factory=list)
    thinking: str | None = None

    async def settle(self, messages: Messages, plan: OutputPlan, reply: Reply, *, lead: str = "") -> Completion:
        """The completion that a reply leads to.

        Args:
            messages: what it answers.
            plan: what was asked for; its thinking part is over, or in the reply.
            lead: how the judge's turn began: a thinking part that was written by an earlier call.

        Raises:
            JudgeError: a further call was needed and failed; it carries the usage of all.
        """
        try:
            return await self._settle(messages, plan, reply, lead)
        except JudgeError as error:
            # A copy: one failure may be the answer to several votes at once.
            raise copy.copy(error).spent(self.usage) from error

    async def _settle(self, messages: Messages, plan: OutputPlan, reply: Reply, lead: str) -> Completion:
        asked = messages
        for left in range(self.asking.settings.reasks, -1, -1):
            self.usage += reply.usage
            output, layout = self._output(asked, plan, reply, lead)
            if (answer := _answer(plan, output.data)) is not None:
                return await self._completion(output, layout, answer)
            if reply.finish == "length" and layout is not None:
                return await self._complete(output, layout)
            if left:
                # Only the last answer is shown: earlier ones were no better, and each costs tokens.
                asked = ask_again(messages, plan, _text(output), self.asking.settings.control_tokens)
                reply, lead = await self._ask(asked, plan), ""
        return self._cut(_text(output), cut=reply.finish == "length")

    async def _ask(self, messages: Messages, plan: OutputPlan) -> Reply:
        """A whole plan in a turn of its own, without thinking."""
        return await self.asking.ask_one(
            messages,
            self.seed,
            constraint=Constraint(plan.regex, plan.json_schema),
            max_tokens=plan.answer_tokens,
            top_logprobs=self.asking.top_logprobs,
        )

    def _output(self, messages: Messages, plan: OutputPlan, reply: Reply, lead: str) -> tuple[Output, Layout | None]:
        """What a reply says of the plan, and the layout of that."""
        thought, text, skip = reply.thinking, reply.text, 0
        if self.asking.offers.grammar not in ("regex", "json_schema"):
            if plan.thinking is not None and thought is None:
                thought, text = unthought(text, plan.thinking, cut=reply.finish == "length")
            text = unfenced(text)
            skip = len(reply.text[: reply.text.rindex(text)].encode(errors="replace"))
        if plan.thinking is not None and thought is not None:
            self.thinking = thought
            lead = opening(plan.thinking) + thought + plan.thinking.end
            if reply.finish == "length" and not text:
                self.closed.append("thinking")
        data = text.encode(errors="replace")
        if not skip:
            data = _as_tokens(reply, data)
        output = Output(messages, plan, data, placed(reply.tokens, data, skip=skip), lead)
        # Nobody asks where the fields of a whole answer are when there are no tokens to look up.
        sought = output.tokens or self.asking.offers.exact or reply.finish == "length"
        return output, lay_out(plan, data) if sought else None

    async def _completion(self, output: Output, layout: Layout | None, answer: Answer) -> Completion:
        slots: dict[str, SlotReading] = {}
        tokens: dict[str, tuple[TextToken, ...]] = {}
        if layout is not None:
            slots = await read_slots(self.asking, self.seed, output, layout)
            tokens = critique_tokens(output, layout, self.asking.settings)
        self.usage += output.usage
        return self._done(_text(output), slots, tokens, answer)

    def _done(
        self,
        text: str,
        slots: dict[str, SlotReading],
        tokens: dict[str, tuple[TextToken, ...]],
        answer: Answer | None = None,
    ) -> Completion:
        closed = tuple(dict.fromkeys(self.closed))
        return Completion(text, self.usage, slots, tokens, closed=closed, thinking=self.thinking, answer=answer)

    def _cut(self, text: str, *, cut: bool = True) -> Completion:
        """What there is: reading it gives the error, and its usage counts."""
        return Completion(text, self.usage, cut=cut, closed=tuple(self.closed), thinking=self.thinking)

    async def _complete(self, output: Output, layout: Layout) -> Completion:
        offers = self.asking.offers
        if offers.prefill and offers.grammar == "regex":
            return await self._complete_behind(output, layout)
        return await self._complete_by_turns(output, layout)

    async def _complete_behind(self, output: Output, layout: Layout) -> Completion:
        """Ask for the rest of the plan behind what is written, as often as it is cut again."""
        parts = output.plan.parts
        for _ in range(len(parts)):
            index = self._close(output, layout)
            part = parts[index] if index < len(parts) else None
            if isinstance(part, Literal):
                output.data += part.text.encode()
                index += 1
            if index == len(parts):
                break
            reply = await self.asking.ask_one(
                output.messages,
                self.seed,
                prefill=output.lead + _text(output),
                constraint=Constraint(rest_regex(parts[index:])),
                max_tokens=rest_tokens(parts[index:]),
                top_logprobs=self.asking.top_logprobs,
            )
            self.usage += reply.usage
            written = _as_tokens(reply, reply.text.encode(errors="replace"))
            output.tokens += placed(reply.tokens, written, at=len(output.data))
            output.data += written
            found = lay_out(output.plan, output.data)
            if found is None or found.whole or reply.finish != "length":
                break
            layout = found
        if (answer := _answer(output.plan, output.data)) is None:
            return self._cut(_text(output))
        return await self._completion(output, lay_out(output.plan, output.data), answer)

    def _close(self, output: Output, layout: Layout) -> int:
        """Cut the output back to the end of its last field; the index of the part that comes next."""
        last = layout.fields[-1] if layout.fields else None
        if last is None:
            index = next(i for i, part in enumerate(output.plan.parts) if not isinstance(part, Thinking))
            output.data = b""
        elif last.closed or isinstance(last.part, Text):
            index = last.index + 1
            output.data = output.data[: last.start] + self._body(output, last)
            if not last.closed and isinstance(last.part, Text):
                self.closed.append(last.part.name)
        else:  # inside a label, which is short: once more
            index = last.index
            output.data = output.data[: last.start]
        output.tokens = [(at, t) for at, t in output.tokens if at + len(t.data) <= len(output.data)]
        return index

    def _body(self, output: Output, item: Field) -> bytes:
        body = output.data[item.start : item.end]
        return body if item.closed else whole_units(body)

    async def _complete_by_turns(self, output: Output, layout: Layout) -> Completion:
        """Ask in further turns: for the label of a question whose critique is there, then for all questions left."""
        plan, bodies = output.plan, {item.index: self._body(output, item) for item in layout.fields}
        last = layout.fields[-1] if layout.fields else None
        if last is not None and not last.closed:
            if isinstance(last.part, Text):
                self.closed.append(last.part.name)
            else:
                del bodies[last.index]
        slots = await read_slots(self.asking, self.seed, output, layout)
        tokens = critique_tokens(output, layout, self.asking.settings)
        self.usage += output.usage
        said = _text(output) or self.thinking or ""
        while (part := _next_plan(plan, bodies)) is not None:
            named = len(plan.slots) > 1
            asked = ask_rest(output.messages, part, said, self.asking.settings.control_tokens, named=named)
            behind = Settling(self.asking, self.seed)
            found = await behind.settle(asked, part, await behind._ask(asked, part))
            self.usage += found.usage
            self.closed += found.closed
            data = found.text.encode(errors="replace")
            inner = lay_out(part, data)
            if inner is None or not inner.whole or _answer(part, data) is None:
                return self._cut(_join(plan, bodies))
            _put(plan, bodies, inner, data)
            slots |= found.slots
            tokens |= {name: tokens.get(name) or items for name, items in found.tokens.items()}
            said = _join(plan, bodies)
        return self._done(_join(plan, bodies), slots, tokens)


def opening(thinking: Thinking) -> str:
    """The mark that begins a thinking part, as far as its end tells: ``<think>`` for ``</think>``."""
    return "<" + thinking.end[2:] if thinking.end.startswith("</") else ""


def unthought(text: str, thinking: Thinking, *, cut: bool) -> tuple[str | None, str]:
    """What a judge without a grammar thought, and what it wrote behind its thinking.

    It was asked to think first, so all is thought up to the end mark, and, where it was cut before one, up to the cut.
    """
    before, end, after = text.partition(thinking.end)
    if not end and not (cut and opening(thinking) and text.lstrip().startswith(opening(thinking))):
        return None, text
    return before.lstrip().removeprefix(opening(thinking)), after


def _answer(plan: OutputPlan, data: bytes) -> Answer | None:
    """What an output says; None where it is cut or breaks the plan."""
    try:
        return plan.parse(data.decode(errors="replace"), cut=True)
    except (TruncatedError, UnparseableError):
        return None


def _as_tokens(reply: Reply, data: bytes) -> bytes:
    """The bytes of a reply as its tokens have them: in the text, half characters stand as U+FFFD."""
    spelled = b"".join(token.data for token in reply.tokens or ())
    return spelled if spelled and spelled.decode(errors="replace") == reply.text else data


def _text(output: Output) -> str:
    return output.data.decode(errors="replace")


def _next_plan(plan: OutputPlan, bodies: dict[int, bytes]) -> OutputPlan | None:
    """What to ask for next: the label behind a critique that is there, else all questions without an answer."""
    open_slots: dict[str, tuple[str, ...]] = {}
    for index, part in enumerate(plan.parts):
        if isinstance(part, Choice) and index not in bodies:
            if plan.critique and index - 2 in bodies:
                return OutputPlan({part.slot: part.labels}, plan.critique_tokens, critique=False)
            open_slots[part.slot] = part.labels
    return replace(plan, slots=open_slots, thinking=None) if open_slots else None


def _put(plan: OutputPlan, bodies: dict[int, bytes], layout: Layout, data: bytes) -> None:
    """Enter what a further turn answered."""
    places = {(type(part), _name(part)): index for index, part in enumerate(plan.parts) if _name(part)}
    for item in layout.fields:
        bodies[places[type(item.part), _name(item.part)]] = data[item.start : item.end]


def _name(part: object) -> str | None:
    return part.name if isinstance(part, Text) else part.slot if isinstance(part, Choice) else None


def _join(plan: OutputPlan, bodies: dict[int, bytes]) -> str:
    """The text of a plan as far as its bodies are known, from the first part on."""
    pieces: list[str] = []
    parts: Sequence[object] = plan.parts
    for index, part in enumerate(parts):
        if isinstance(part, Literal):
            pieces.append(part.text)
        elif isinstance(part, Text | Choice):
            if index not in bodies:
                break
            pieces.append(bodies[index].decode(errors="replace"))
    return "".join(pieces)
