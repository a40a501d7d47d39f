"""Rendering: the messages that a judge reads, from the templates in ``prompts/`` and the judged material.

    >>> page = Page()
    >>> page.fill("Q: " + page.put("what is {{ 1 + 1 }}?"))
    'Q: what is {{ 1 + 1 }}?'

Jinja sees the fixed words and the shape of the rubric alone. Texts from outside stand in its output as placeholders
and are put in afterwards, in one pass, so nothing inside them is ever read as a template or as a placeholder. That is
also why templates run once per question and shape of the material, not once per sample.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

from genrm.compiler.fences import fence_codes
from genrm.compiler.neutral import neutralise
from genrm.compiler.output import OutputPlan
from genrm.compiler.request import Message
from genrm.engines.base import PromptStyle
from genrm.errors import Fault, SpecError
from genrm.resources import prompts_dir
from genrm.specs.criterion import Criterion
from genrm.specs.holistic import Part
from genrm.specs.rubric import Principle
from genrm.specs.sample import Sample, Turn
from genrm.specs.verdict_format import VerdictFormat

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_PLACEHOLDER = re.compile("\x00([0-9]+)\x00")

WORDS_PER_TOKEN = 0.6
"""English words that fit in a token of critique, on the safe side, so that critiques end before their budget."""


class Page:
    """Texts from outside, kept apart from the template until it has run.

    The placeholders are set off by NUL, which no neutral text and no template contains.
    """

    def __init__(self, *texts: str) -> None:
        self._texts: list[str] = list(texts)

    def put(self, text: str) -> str:
        """Keep a text; returns the placeholder that stands for it."""
        self._texts.append(text)
        return f"\x00{len(self._texts) - 1}\x00"

    def fill(self, rendered: str) -> str:
        """The rendered template with every placeholder replaced, in one pass."""
        return _PLACEHOLDER.sub(lambda match: self._texts[int(match[1])], rendered)


@dataclass(frozen=True, slots=True)
class Material:
    """The texts of a sample, neutral."""

    turns: tuple[Turn, ...]
    context: str | None
    references: tuple[str, ...]
    response: str

    @classmethod
    def of(cls, sample: Sample, control_tokens: frozenset[str]) -> Material:
        """The material of a sample, with control characters and control tokens disarmed."""
        safe = partial(neutralise, control_tokens=control_tokens)
        return cls(
            turns=tuple(Turn(turn.role, safe(turn.text)) for turn in sample.prompt),
            context=safe(sample.context) if sample.context and not sample.context.isspace() else None,
            references=tuple(safe(text) for text in sample.reference),
            response=safe(sample.response),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What one request asks: its criteria (``parts`` are those that an overall question is about), and how.

    With a ``format`` its instructions stand where ours would tell the judge what to write. A question is equal to
    itself alone: what is rendered of it is kept for the next sample.
    """

    criteria: tuple[Criterion, ...]
    principles: tuple[Principle, ...]
    verify: bool
    output: OutputPlan
    control_tokens: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    format: VerdictFormat | None = None


def render_full(question: Question, material: Material) -> tuple[Message, ...]:
    """A system message that depends on the question alone, and a user message with the fenced material."""
    system = _system(question)
    codes = fence_codes((system, *_shared(material)), material.response)
    roles = tuple(turn.role for turn in material.turns)
    context = () if material.context is None else (material.context,)
    texts = (*(turn.text for turn in material.turns), *context, *material.references)
    page = Page(codes.shared, codes.response, codes.masked(material.response), *texts)
    user = page.fill(_user_page(question, roles, bool(context), len(material.references)))
    return Message(role="system", content=system), Message(role="user", content=user)


@lru_cache(maxsize=256)
def _system(question: Question) -> str:
    page = Page()
    safe = partial(_hung, page=page, control_tokens=question.control_tokens)
    return page.fill(
        run_template(
            "full/system.md.j2",
            **_shape(question),
            role="verify" if question.verify else "pointwise",
            instructions=_instructions(question, page),
            criteria=[_criterion(criterion, safe) for criterion in question.criteria],
            parts=[{"ask": safe(part.ask), "importance": part.importance} for part in question.parts],
            principles=[{"text": safe(p.text), "negative": p.kind == "negative"} for p in question.principles],
        )
    )


@lru_cache(maxsize=256)
def _user_page(question: Question, roles: tuple[str, ...], context: bool, references: int) -> str:
    """The user message of all material of one shape, with a placeholder for every text of it.

    They stand for the two codes, the response, the turns, the context and the references.
    """
    page = Page()
    shared_code, response_code, response = page.put(""), page.put(""), page.put("")
    return run_template(
        "full/user.md.j2",
        **_shape(question),
        criteria=question.criteria,
        shared_code=shared_code,
        response_code=response_code,
        turns=[{"role": role, "text": page.put("")} for role in roles],
        context=page.put("") if context else None,
        references=[page.put("") for _ in range(references)],
        response=response,
    )


def render_compact(question: Question, material: Material) -> tuple[Message, ...]:
    """One user message: the criterion, the reference where there is one, the response.

    Raises:
        ValueError: there is more than one criterion; this style asks one at a time.
    """
    (criterion,) = question.criteria
    page = Page()
    user = run_template(
        "compact/user.md.j2",
        criterion=page.put(neutralise(criterion.ask or "", question.control_tokens)),
        reference=page.put(" / ".join(material.references)) if material.references else None,
        response=page.put(material.response),
    )
    return (Message(role="user", content=page.fill(user)),)


@cache
def prompt_digest(style: PromptStyle) -> str:
    """``sha256:…`` over the names and bytes of all templates of a style."""
    digest = hashlib.sha256()
    for path in sorted((prompts_dir() / style).glob("*.j2")):
        # Checkouts on some systems turn line ends around; the template loader turns them back, so the digest does too.
        body = path.read_bytes().replace(b"\r\n", b"\n")
        for part in (path.name.encode(), body):
            digest.update(len(part).to_bytes(8, "big") + part)
    return "sha256:" + digest.hexdigest()


def answer_form(output: OutputPlan) -> str:
    """The answer as a judge is shown it: every key in order, with dots for what it is to write."""
    answer = '{"critique":"…","label":"…"}' if output.critique else '{"label":"…"}'
    if len(output.slots) > 1:
        answer = "{" + ",".join(f"{json.dumps(slot)}:{answer}" for slot in output.slots) + "}"
    return answer


def _shape(question: Question) -> dict[str, Any]:
    """What the templates know about the answer."""
    output = question.output
    return {
        "form": answer_form(output),
        "critique": output.critique,
        "words": max(1, int(output.critique_tokens * WORDS_PER_TOKEN)),
        "think": output.thinking is not None,
        "think_end": output.thinking.end if output.thinking else None,
        "formatted": question.format is not None,
        "instructed": question.format is not None and question.format.instructions is not None,
    }


def _instructions(question: Question, page: Page) -> str | None:
    """What the verdict format tells a judge to write; labels in it are placeholders of the page."""
    spec = question.format
    if spec is None or spec.instructions is None:
        return None

    def put(text: str) -> str:
        return page.put(neutralise(text, question.control_tokens))

    labels = [
        {"name": put(label.name), "says": put(spec.says(label.name)), "means": label.means and put(label.means)}
        for label in question.criteria[0].scale.labels
    ]
    return render_instructions(spec, labels, [criterion.id for criterion in question.criteria])


def render_instructions(spec: VerdictFormat, labels: Sequence[Mapping[str, Any]], criteria: Sequence[str]) -> str:
    """The instructions of a verdict format.

    Args:
        labels: per label of the scale its ``name``, what the judge ``says`` for it, and what it ``means`` or None.
        criteria: ids.

    Raises:
        SpecError: the template is wrong, or names something that there is not.
    """
    from jinja2 import TemplateError

    try:
        text: str = _environment("full").from_string(spec.instructions or "").render(labels=labels, criteria=criteria)
    except TemplateError as error:
        raise SpecError(
            Fault(f"the template is wrong: {error}", field="instructions", value=spec.name, fix="correct the format")
        ) from None
    return text.strip("\n")


def _criterion(criterion: Criterion, safe: partial[str]) -> dict[str, Any]:
    """A criterion as the judge sees it: no weight, no sign, no values."""
    scale = criterion.scale
    names = scale.names
    whole = scale.kind in ("likert", "numeric")
    return {
        "id": criterion.id,
        "ask": safe(criterion.ask or ""),
        "range": {"low": names[0], "high": names[-1], "step": int(names[1]) - int(names[0])} if whole else None,
        "explained": any(label.means for label in scale.labels),
        "labels": [
            {"name": safe(json.dumps(label.name, ensure_ascii=False)), "means": label.means and safe(label.means)}
            for label in scale.labels
        ],
    }


def _hung(text: str, page: Page, control_tokens: frozenset[str]) -> str:
    """A placeholder for a text of the rubric; lines after the first hang, so that none can pose as a heading."""
    return page.put(neutralise(text, control_tokens).replace("\n", "\n    "))


def _shared(material: Material) -> Iterable[str]:
    """Every text before the response, each set off by what it is."""
    for turn in material.turns:
        yield turn.role
        yield turn.text
    yield "context" if material.context is not None else "no context"
    yield material.context or ""
    yield from material.references


@cache
def _environment(style: str) -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader(prompts_dir() / style),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # The templates are part of the package: nobody edits them under a running process.
        auto_reload=False,
    )


def run_template(name: str, **values: Any) -> str:
    """A template (``STYLE/FILE``) with its values; files end with a line end, messages do not."""
    style, _, file = name.partition("/")
    return _environment(style).get_template(file).render(values).strip("\n")


RENDERERS = {"full": render_full, "compact": render_compact}


def render(style: PromptStyle, question: Question, material: Material) -> tuple[Message, ...]:
    """The messages in the style that the engine's model was made for."""
    return RENDERERS[style](question, material)


def all_text(messages: Sequence[Message]) -> str:
    """All that the judge reads, as one text, for counting tokens."""
    return "\n".join(message["content"] for message in messages)
