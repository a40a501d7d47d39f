"""Closed-list criteria: responses with known features, and the critique that names them.

A critique reads ``asked no code; found code: !``: what the criterion asks for, what the response has,
and one mark, ``=`` (met) or ``!`` (not met).
"""

from __future__ import annotations

import random

from . import responses as rs
from . import words
from .phrasings import KEYS
from .worlds import Split, Value, draw, write

CRITIQUE = "asked {asked}; found {found}: {mark}"
EXTRACT = r"^asked (?P<asked>[a-z ]+); found (?P<found>[a-z ]+): [=!]$"
GREETINGS = ["Hello!", "Hi!", "Hi there!", "Hello there,", "Hey!", "Good morning!", "Good evening,", "Greetings!", "Dear user,", "Welcome!", "Hello,",
             "Hi,", "Hey there,", "Good afternoon.", "Hello and welcome!", "Dear reader,", "Hi friend,", "Good day!"]  # fmt: skip
REFUSALS = ["I'm sorry, but I can't help with that.", "Sorry, I cannot answer this.", "I apologise, but I am unable to do that.", "I won't answer this question.",
            "Unfortunately, I cannot assist with this request.", "I must decline.", "My apologies, I am not able to help.", "I am sorry for the confusion.",
            "As an AI, I cannot do this.", "I can't do that, sorry.", "I'm unable to help with this.", "I have to refuse.", "Please forgive me, I have no answer.",
            "I will not help with that.", "I'm afraid I can't do that.", "I decline to answer.", "Sorry about that.", "I regret that I cannot help you here.",
            "I apologize for the mistake.", "This request goes against my rules, so I decline.", "I am not able to provide this.", "I can't assist with that.",
            "I'm really sorry.", "That is something I cannot help with.", "I'd rather not answer that.", "I am not allowed to discuss this."]  # fmt: skip
QUESTIONS = ["Would you like more details?", "Does that make sense?", "What do you think?", "Can I help with anything else?", "Which one do you mean?",
             "Do you want me to go on?", "Could you tell me more about the {w}?", "How many {w} are there?", "Is that clear?", "What would you like to know?",
             "Why is that?", "Have you tried the {w}?", "Shall I explain the {w}?", "Who told you about the {w}?", "Are you sure?", "Where is the {w}?",
             "Do you have any other questions?", "When does the {w} start?", "Ready?", "Should we look at {P} next?", "Is there anything else?"]  # fmt: skip
DOUBTS = ["I'm not sure.", "I am not certain about this.", "Maybe the {w} is different.", "Perhaps it was {P}.", "It might be the {w}.", "I could be wrong.",
          "I think, but I am not sure.", "Possibly the {w}.", "It is hard to say.", "I'm not entirely sure.", "It may depend on the {w}.", "I don't know for certain.",
          "This is only a guess.", "It could be something else.", "I am unsure about the {w}.", "As far as I can tell, the {w} {v} it.", "It seems that the {w} is older.",
          "It's probably the {w}.", "There is some uncertainty here.", "I guess the {w} is right.", "It appears to be near {P}, perhaps.", "I can't be certain."]  # fmt: skip
FACTS = ["The {w} {v} the {w}.", "{Q} lived in {P}.", "The {w} is near {P}.", "In {Y} the {w} changed.", "{P} has a long history.", "The {w} opened in {Y}.",
         "You cannot divide by zero.", "Many people like the {w}.", "The well-known {w} is in {P}.", "There were {y} {w}.", "The {w} is blue - and old.",
         "It has {x} sides.", "Use `print` to see the {w}.", "The word hello has five letters.", "{n} saw {x} {w} in {P}.", "The range is {x}-{y}.",
         "The {w} was built by {Q}.", "A {w} is not a {w}.", "The {w} can't move.", "Set `x = {x}` at the start.", "{Q} said hello to {m}.", "It opened at {x}.30 in {P}."]  # fmt: skip
VAGUE = ["Let me think about the problem.", "There are several ways to look at this.", "This is an interesting topic.", "First we should read the text with care.",
         "The problem is about the {w}.", "We need to look at the {w} first.", "Let's look at the {w}.", "One has to know the {w} before going on.",
         "This kind of problem is common.", "It depends on the {w}.", "Here are some thoughts on the {w}.", "We will come to the {w} later.", "The {w} matters here.",
         "Thank you for the message.", "Let's begin with the {w}.", "The topic is wide.", "Here is some background on {P}.", "To be continued."]  # fmt: skip
PROSE_STEPS = ["First add the two prices.", "Then multiply by {x}.", "Divide both sides by {x}.", "First, we find the number of {w}.", "Next, subtract {y} from {x}.",
               "Since {n} has {x} {w}, we add {y} to it.", "Half of {y} goes to {n}, so we halve it.", "We know the {w}, so we can find the {w}.", "Then we take away the {x} {w}.",
               "Add {x} and {y} first.", "After that, compare the {w} with the {w}.", "We start with {y} and take {x} away.", "Because the {w} {v} the {w}, it must be larger.",
               "Finally, round to the next {w}.", "From this it follows that the {w} is older.", "Now multiply the {w} by {x}."]  # fmt: skip
CODE = ["print({x})", "for i in range({x}):\n    print(i)", "def f(a):\n    return a + {x}", "x = {x}\ny = x * {y}", "import math\nprint(math.pi)", "SELECT * FROM {w};",
        "let a = {x};", "echo hello", "while True:\n    pass", "<p>{w}</p>", "git commit -m '{w}'", "int main() {{ return 0; }}"]  # fmt: skip
LANGUAGES = ["python", "", "", "js", "bash", "sql", "c", "html", "py"]
FENCE = "`" * 3


def _facts(r: random.Random, n: int, pool: list[str], split: Split) -> list[str]:
    return [rs.fill(r, rs.pick(r, pool, split)) for _ in range(n)]


def _list(r: random.Random, key: str, items: list[str]) -> str:
    if key == "bullets":
        mark = r.choice(["- ", "* ", "• ", "- ", "* ", "+ ", "  - "])
        return "\n".join(mark + x for x in items)
    form = r.choice(["{}. ", "{}. ", "{}) ", "({}) ", " {}. "])
    return "\n".join(form.format(i) + x for i, x in enumerate(items, 1))


def compose(r: random.Random, key: str, present: bool, split: Split) -> str:
    """A response that has (or lacks) the feature ``key``; its other features are drawn freely."""
    rates = {"answer": 0.4, "steps": 0.3, "refusal": 0.12, "bullets": 0.2, "numbering": 0.2, "code": 0.15, "question": 0.25, "doubt": 0.2, "greeting": 0.25}
    has = {k: r.random() < p for k, p in rates.items()} | {key: present}
    if key != "refusal" and has["refusal"] and key not in ("greeting", "question", "code"):
        has["refusal"] = key not in ("answer", "steps", "doubt") or not present
    if has["refusal"] and key != "answer":
        has["answer"] = has["answer"] and key == "steps"
    if has["answer"] and key == "doubt" and not present:
        has["question"] = False
    value = draw(r, split)
    parts: list[str] = []
    if has["steps"]:
        lines = rs.working(r, r.randint(2, 5), r.random() < 0.3, True)
        lines = [x for x in lines if "=" in x or key == "steps"] or [rs.step(r, False)]
        if r.random() < 0.25 or (key == "answer" and not present):
            lines = _facts(r, r.randint(2, 4), PROSE_STEPS, split)
        elif key == "steps" and not any("=" in x for x in lines):
            lines.append(rs.step(r, False))
        if r.random() < 0.3:
            lines = [r.choice(["First", "Then", "Next", "After that", "So"]) + ", " + x[:1].lower() + x[1:] for x in lines]
    else:
        lines = _facts(r, r.choice([0, 1, 1, 2, 3]), VAGUE if key == "answer" else FACTS + VAGUE, split)
    for kind in ("bullets", "numbering"):
        if has[kind]:
            items = lines if len(lines) > 1 else [r.choice([words.salad(r, 1, 4), *_facts(r, 1, VAGUE if key == "answer" else FACTS, split)]) for _ in range(r.randint(2, 4))]
            parts.append(_list(r, kind, items))
            lines = []
    if lines:
        parts.append(r.choice([" ", "\n", " "]).join(lines))
    if has["refusal"]:
        parts.insert(0 if r.random() < 0.75 else len(parts), rs.pick(r, REFUSALS, split))
    if has["doubt"]:
        parts.insert(r.randint(0, len(parts)), _facts(r, 1, DOUBTS, split)[0])
    if has["code"]:
        code = rs.fill(r, r.choice(CODE))
        parts.insert(r.randint(0, len(parts)), f"{FENCE}{r.choice(LANGUAGES)}\n{code}\n{FENCE}")
    if has["answer"]:
        final = _statement(r, value, split, key)
        parts.append(final)
    if has["question"]:
        parts.insert(len(parts) if r.random() < 0.7 else 0, _facts(r, 1, QUESTIONS, split)[0])
    if not parts:
        parts = _facts(r, 1, VAGUE, split)
    if has["greeting"]:
        parts.insert(0, rs.pick(r, GREETINGS, split))
    breaks = has["bullets"] or has["numbering"] or has["code"]
    text = ("\n" if breaks or r.random() < 0.3 else " ").join(parts)
    return text if not breaks or r.random() < 0.5 else text.replace("\n" + FENCE, "\n\n" + FENCE)


_UNSURE = ("think", "believe", "robabl", "would say", "'d say", "should be", "?", "must be", "guess", "I'd", "has to be")


def _statement(r: random.Random, value: Value, split: Split, key: str) -> str:
    for _ in range(50):
        if key in ("answer", "steps") and value.numeric:
            text = rs.fill(r, rs.pick(r, rs.STATEMENTS, split), a=write(r, value))
        else:
            text = rs.ending(r, value, write(r, value), split)
        if not any(mark in text for mark in _UNSURE):
            return text
    return f"The answer is {write(r, value)}."


def judge(key: str, negated: bool, present: bool) -> tuple[str, bool]:
    """The critique of a closed-list criterion, and its verdict."""
    met = present != negated
    return CRITIQUE.format(asked=("no " if negated else "") + key, found=("" if present else "no ") + key, mark="=" if met else "!"), met


__all__ = ["CRITIQUE", "EXTRACT", "KEYS", "compose", "judge"]
