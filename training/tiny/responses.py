"""Responses: worked solutions, one-liners and bare answers, with other values before and after the answer.

``respond`` turns a written answer into a response. Styles are templates; one template in ten is held out
by hash, and a few layouts are held out by hand (``HELD_ENDINGS``).
"""

from __future__ import annotations

import random
import zlib

from . import words
from .worlds import LENGTH_UNITS, Split, Value, write, write_unit

HELD_ENDINGS = """Upshot: {a}|My conclusion: {a}.|That puts us at {a}.|{a} is what I end up with.|Verdict -> {a}|
So the number you want is {a}.|I arrive at {a}.|The solution comes out as {a}.|Ergo {a}.|I would go with {a}.|
It works out to be {a}.|[answer] {a} [/answer]|Final reply: {a}.|This leads us to {a}.|Computed value: {a}|
Hence we conclude with {a}.|In conclusion, {a}.|**Result:** {a}|\\[\\boxed{{{a}}}\\]|My pick is {a}.|The result? {a}.""".replace("\n", "").split("|")  # fmt: skip
STATEMENTS = """The answer is {a}.|The answer is {a}|The final answer is {a}.|Answer: {a}|answer: {a}|Final answer: {a}|
Final Answer: {a}.|**Answer:** {a}|**Answer: {a}**|**{a}**|#### {a}|A: {a}|A: {a}|#### {a}|### Answer {a}|
So the answer is {a}.|Therefore, the answer is {a}.|Thus the answer is {a}.|Hence, the answer is {a}.|
Therefore {a}.|Thus, {a}.|So {a}.|so {a}|Hence {a}.|The correct answer is {a}.|the correct answer is: {a}|
\\boxed{{{a}}}|$\\boxed{{{a}}}$|The final answer is $\\boxed{{{a}}}$.|The final answer is \\boxed{{{a}}}.|
Ans: {a}|ans = {a}|Result: {a}|Result = {a}|Solution: {a}|Output: {a}|Respuesta: {a}|Antwort: {a}|Réponse : {a}|
答案：{a}|= {a}|=> {a}|-> {a}|{a}!|{a}?|({a})|[{a}]|"{a}"|`{a}`|It is {a}.|it's {a}|It's {a}.|That is {a}.|
This gives {a}.|We get {a}.|I get {a}.|I got {a}.|We obtain {a}.|which gives {a}.|The result is {a}.|
The solution is {a}.|I think it is {a}.|I believe it's {a}.|I think the answer is {a}.|My answer is {a}.|
My final answer is {a}.|{a} is the answer.|{a} is correct.|{a} is the final answer.|The right answer is {a}.|
That makes {a}.|That leaves {a}.|It must be {a}.|It has to be {a}.|It should be {a}.|Clearly {a}.|{a}, of course.|
Easy: {a}|ok, {a}|easy, {a}|{{"answer": "{a}"}}|<answer>{a}</answer>|print({a})|return {a}|Sure! The answer is {a}.|
Sure, it's {a}.|Final: {a}|final answer = {a}|The answer would be {a}.|The answer to this is {a}.|It comes to {a}.|
In the end it is {a}.|In the end we have {a}.|So we end up with {a}.|Altogether {a}.|It equals {a}.|It works out as {a}.|
The answer: {a}|Answer is {a}|THE ANSWER IS {a}|Final answer below.¶{a}|Answer¶{a}|**Final Answer**¶{a}|
## Answer¶¶{a}|The value we want is {a}.|I would say {a}.|I'd say {a}.|The answer is **{a}**.|= **{a}**|So we get **{a}**.|It is **{a}**.|Probably {a}.|I am sure it is {a}.""".replace("\n", "").replace("¶", "\n").split("|")  # fmt: skip
_NUMBER_ENDINGS = """x = {a}|so x = {a}.|n = {a}|y = {a}.|In total there are {a}.|There are {a} in total.|{n} has {a} left.|
{n} needs {a} in all.|{n} pays {a}.|{n} earned {a} that week.|So {n} made {a} in total.|A total of {a} are left.|
It costs {a}.|The total cost is {a}.|The price is {a}.|The total is {a}.|Total: {a}|total = {a}|The sum is {a}.|
The difference is {a}.|The product is {a}.|The distance is {a}.|The area is {a}.|The mean is {a}.|It takes {a}.|
{x} + {y} = {a}|{x} * {y} = {a}.|{x} x {y} = {a}|{x} / {y} = {a}.|{x} - {y} = {a}|{x}*{y}={a}|so {x} + {y} = {a}.|
We add {x} and {y} to get {a}.|Subtract {x} to get {a}.|Dividing by {x} gives {a}.|{n} has {x} - {y} = {a} left.|
{n} makes {x} * {y} = {a} every day.|After {x} days {n} has {a}.|{n} ends up with {a}.|f({x}) = {a}|{x}^2 = {a}|
{n} must buy {a} more.|That makes {a} altogether.|They have {a} together.|Everyone gets {a}.|There were {a} of them.|
which is {a} in all.|The {w} is {a}.|The {w} has {a}.|They sold {a} in {x} days.|{n} and {m} have {a} together.|
with {x} of them we need {a}.|It is {a} because {x} and {y} are added.|That is {x} {w} and so {a}.|It was in {a}.|
The probability is {a}.|{x} out of {y} gives {a}.|You'd need {a}.|The ratio is {a}.|At {a}.|Only {a} remain.|{a} remain.|
{a} are left.|So there are **{a}** left.|The total is **{a}**.|{a} in total.|{a} were sold.""".replace("\n", "").split("|")  # fmt: skip
OPENERS = ["Sure!", "Let's see.", "Okay.", "Let me think.", "Great question!", "Let's solve this step by step.",
           "To solve this, we go step by step.", "First, read the problem.", "Hmm.", "Solution:", "Here is my reasoning.",
           "Let me work through it.", "We need to find the value.", "Good question.", "Step 1:", "Of course.", "Well,",
           "Thought process:", "Here goes:", "**Solution**", "Let's think."]  # fmt: skip
SLIPS = ["Wait, that is wrong.", "Wait, no.", "Wait.", "Hold on.", "Actually, no.", "Let me redo this.", "Hmm, no.",
         "Oops, I made a mistake.", "Correction:", "No, that can't be right.", "But checking again:", "Scratch that.",
         "That is a mistake.", "I was wrong."]  # fmt: skip
GUESSES = ["At first I thought it was {o}.", "One might say {o}, but that is wrong.", "Some people say {o}.", "It is not {o}.",
           "Not {o}.", "{o} looks close, but no.", "My first guess was {o}.", "A friend said {o}, but I disagree.",
           "It is tempting to say {o}.", "You may think {o}.", "Many would answer {o}, wrongly.", "The answer isn't {o}.",
           "It can't be {o}.", "I considered {o} and rejected it.", "Earlier I had {o}."]  # fmt: skip
DENIALS = ["Not {o}.", "It is not {o}.", "So it isn't {o}.", "{o} would be wrong.", "Definitely not {o}.", "(And not {o}.)",
           "The other option, {o}, is wrong.", "Some say {o}, but that is a mistake.", "{o} is a common mistake.",
           "Don't confuse it with {o}.", "If you got {o}, check your work."]  # fmt: skip
CLOSERS = ["I checked it {x} times.", "I checked this {x} times.", "This took me {x} minutes.", "That took {x} minutes.",
           "See page {y} of the book.", "(page {y})", "I used {x} steps.", "Next, try exercise {y}.", "Done in {x} steps.",
           "Question {x} is next.", "I am {y}% sure.", "Confidence: {y}%", "See chapter {x} for more.", "Rated {x} out of 10.",
           "(I rounded {x} times.)", "Written on day {x}.", "See also problem {y}.", "Thanks for reading all {x} lines.",
           "The check used {y} and {x}.", "We used {x} and {y} above.", "Example {x} is similar.", "That was {x} days ago.",
           "It took {n} {x} tries.", "In other words, {x} steps of work."]  # fmt: skip
ENDS = ["I hope this helps!", "Let me know if you have questions.", "Done.", "QED", "Thank you!", "Cheers.", "I hope that is right.",
        "That's it.", "(see above)", "Does that make sense?", "Have a nice day!", "<¦end¦>", "<|fim|>", "Is there anything else?",
        "I'm confident.", "as required.", "Hope this helps.", "</s>", "[END]", "That is my answer."]  # fmt: skip
_SUBJECTS = ["the capital of {P}", "the author of the {w}", "the largest {w}", "this {w}", "the {w}", "the {w} of {P}", "it",
             "the first {w}", "the name of the {w}", "its {w}", "that", "the {w} in question", "the person", "the best {w}",
             "the chemical name", "the term for it", "the {w} that {v} the {w}", "what they used", "the winner"]  # fmt: skip
_LINKS = ["is", "is", "was", "is", "is called", "is named", "is known as", "must be", "turned out to be", "has to be",
          "would be", "became"]  # fmt: skip
_DEEDS = ["painted", "wrote", "discovered", "invented", "won", "founded", "built", "is the capital of", "has the largest",
          "was the first to see", "made", "designed", "is famous for", "produces", "contains", "runs through", "borders",
          "described", "composed", "directed", "eats", "is found near", "is another word for", "ruled"]  # fmt: skip
_FRAMES = ["plants take in {a}{c}", "they take {a}{c}", "it was painted by {a}{c}", "it was written by {a}{c}", "it is made of {a}{c}",
           "we call it {a}{c}", "people call this {a}{c}", "this is known as {a}{c}", "it was {a} who {v} it{c}", "it lives in {a}{c}",
           "she was born in {a}{c}", "he lived in {a}{c}", "it lies in {a}{c}", "it comes from {a}{c}", "it belongs to {a}{c}",
           "he used {a}{c}", "she chose {a}{c}", "it turns into {a}{c}", "it happened in {a}{c}", "the {w} uses {a}{c}",
           "{P} is home to {a}{c}", "you need {a}{c}", "it contains {a}{c}", "the process is called {a}{c}", "that was {a}{c}",
           "it is {a}{c}", "it's {a}{c}", "look for {a}{c}", "I believe the {w} is {a}{c}", "I think that {a} is the {w}",
           "{a} is the {w}{c}", "everyone knows it is {a}{c}", "the {w} gives off {a}{c}", "by {a}", "in {a}", "from {a}{c}"]  # fmt: skip
_CONTEXTS = ["", "", "", "", " in {Y}", " from the air", " at that time", ", in {P}", " near {P}", ", which {v} the {w}", " since {Y}",
             " by {Q}", " of the {w}", ", not far from {P}", " for {x} years", " with {x} {w}", ", the {w} of {P}", " in the {w}",
             " during the day", ", as {Q} said", " and the {w}", " because of the {w}", ", born in {Y}", " (see {P})"]  # fmt: skip
_AFTER = ["{A} {v} it in {Y}.", "It has {x} {w}.", "{Q} {v} the {w} in {Y}.", "It is near {P}.", "The {w} is in {P}.",
          "That was in {Y}.", "It {v} the {w} too.", "{P} has {y} {w}.", "The {w} came {x} years later."]  # fmt: skip


def _usable(template: str, split: Split) -> bool:
    hidden = zlib.crc32(("style:" + template).encode()) % 10 == 0
    return hidden == (split.styles == "held")


def pick(r: random.Random, templates: list[str], split: Split) -> str:
    """A template of the split (any template where the list has none)."""
    for _ in range(60):
        template = r.choice(templates)
        if _usable(template, split):
            return template
    return r.choice(templates)


def fill(r: random.Random, template: str, **given: str) -> str:
    """Fill names, words and numbers into a template; every letter is drawn afresh."""
    slots = {
        "x": str(r.randint(2, 12)), "y": str(r.randint(2, 99)) if r.random() < 0.7 else str(r.randint(100, 999)),
        "n": r.choice([*words.FIRST, "He", "She", "They", "We"]), "m": r.choice(words.FIRST),
        "w": r.choice(words.WORDS) if r.random() < 0.6 else r.choice(words.ITEMS + words.ANIMALS),
        "v": r.choice(_DEEDS), "Y": str(r.randint(1200, 2024)), "Q": words.person(r),
        "P": r.choice(words.CITIES + words.COUNTRIES) if r.random() < 0.8 else words.pseudo(r).capitalize(),
        "A": r.choice(["She", "He", "They", words.person(r)]),
    }  # fmt: skip
    return template.format(**{**slots, **given})


def sentence(text: str, r: random.Random) -> str:
    """Close a clause as a sentence, most of the time with a capital and a full stop."""
    if r.random() < 0.85:
        text = text[:1].upper() + text[1:]
    return text + r.choice([".", ".", ".", ".", "", "!"])


def step(r: random.Random, annotate: bool, result: str | None = None, money: bool = False) -> str:
    """One line of arithmetic with its words; ``result`` is the wanted outcome, else a computed one."""
    a, b, op = r.randint(2, 99), r.randint(2, 40), r.choice("+-**/+")
    if r.random() < 0.2:
        a *= r.choice([10, 100, 5])
    if op == "-" and a < b:
        a, b = b, a
    if op == "/":
        a = a * b
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
    shown = result if result is not None else str(value)
    plain = shown.split(" ")[0].replace(",", "").replace("$", "") + (".0" if op == "/" and r.random() < 0.4 else "")
    mark = "$" if (money or r.random() < 0.2) and not shown.startswith("$") else ""
    if shown[:1].isdigit() is False:
        mark = ""
    sign = op if r.random() < 0.8 else {"*": "x", "/": "÷"}.get(op, op)
    left = f"{a} {sign} {b}" if r.random() < 0.6 else f"{a}{sign}{b}"
    note = f"<<{a}{op}{b}={plain}>>" if annotate else ""
    eq = r.choice([" = ", " = ", "=", " = "])
    n, item = r.choice([*words.FIRST, "he", "she", "they"]), r.choice(words.ITEMS + LENGTH_UNITS[:2])
    item = "in all" if " " in shown else item
    body = r.choice([
        f"{n} has {left}{eq}{mark}{note}{shown} {item}", f"{n} sells {left}{eq}{mark}{note}{shown} {item} a day",
        f"{n} needs {left}{eq}{mark}{note}{shown} {item} in total", f"the {r.choice(words.WORDS)} costs {left}{eq}{mark}{note}{shown}",
        f"{n} and {r.choice(words.FIRST)} have {left}{eq}{mark}{note}{shown} {item}", f"there are {left}{eq}{note}{shown} {item}",
        f"{left}{eq}{mark}{note}{shown}", f"so {n} pays {left}{eq}{mark}{note}{shown} for the {item}", f"that is {left}{eq}{note}{shown}",
        f"{n} spends {left}{eq}{mark}{note}{shown} each week", f"the total is {left}{eq}{mark}{note}{shown}",
    ])  # fmt: skip
    if r.random() < 0.3:
        body = r.choice(["First, ", "Then ", "Next, ", "So ", "Now ", "After that ", "Since {} is left, ".format(b)]) + body
    return sentence(body, r) if not annotate else body[:1].upper() + body[1:] + r.choice(["", ".", "."])


def remark(r: random.Random) -> str:
    """A line of working without a result: facts, LaTeX, equations, chatter."""
    a, b, c = r.randint(2, 99), r.randint(2, 400), r.randint(2, 12)
    n, item = r.choice(words.FIRST), r.choice(words.ITEMS)
    return r.choice([
        f"{n} has {a} {item} and buys {c} more.", f"There are {b} {item} in each of the {c} boxes.", f"We know that {n} is {a} years old.",
        f"Let x be the number of {item}.", f"${a}x + {c} = {b}$", f"\\[ {a}x = {b} \\]", f"We divide both sides by {c}.",
        f"\\frac{{{a}}}{{{c}}} of the {item} are {r.choice(words.COLOURS)}.", f"{a}% of {b} is needed.", f"The {r.choice(words.WORDS)} {words.salad(r, 2, 6)}.",
        f"{n} starts at {c}:{r.randint(10, 59)}.", f"Step {r.randint(1, 9)}: {words.salad(r, 2, 6)}.", f"{words.person(r)} lived in {r.choice(words.CITIES)}.",
        f"In {r.randint(1200, 2024)} the {r.choice(words.WORDS)} changed.", f"{words.salad(r, 3, 8).capitalize()}.", f"Recall that 1 km is 1000 m and 1 hour is 60 minutes.",
        f"{r.choice(words.CITIES)} is larger than {r.choice(words.CITIES)}.", f"f(x) = {c}x^2 - {a}",
    ])  # fmt: skip


def working(r: random.Random, lines: int, annotate: bool, numeric: bool) -> list[str]:
    """Some lines of working."""
    return [step(r, annotate) if r.random() < (0.75 if numeric else 0.12) else remark(r) for _ in range(lines)]


def ending(r: random.Random, value: Value, a: str, split: Split) -> str:
    """The statement of the final answer."""
    if split.styles == "held" and r.random() < 0.5:
        return fill(r, r.choice(HELD_ENDINGS), a=a)
    if value.numeric:
        t = r.random()
        if t < 0.10:
            return step(r, r.random() < 0.4, a.replace("\\", "")) if "frac" not in a else f"It is {a}."
        return fill(r, pick(r, STATEMENTS if t < 0.58 else _NUMBER_ENDINGS, split), a=a)
    if value.kind in ("mc", "bool"):
        return choice_ending(r, value, a, split)
    t = r.random()
    if t < 0.33:
        return fill(r, pick(r, STATEMENTS, split), a=a)
    context = fill(r, pick(r, _CONTEXTS, split))
    if t < 0.60:
        return sentence(fill(r, pick(r, _SUBJECTS, split)) + f" {r.choice(_LINKS)} {a}{context}", r)
    if t < 0.75:
        thing = r.choice(["it", "the {w}", "{P}", "the {w} of {P}", "this", "most of the {w}"])
        return sentence(fill(r, "{a} {v} " + thing, a=a) + context, r)
    return sentence(fill(r, pick(r, _FRAMES, split), a=a, c=context), r)


def choice_ending(r: random.Random, value: Value, a: str, split: Split) -> str:
    """Multiple choice: the letter alone, in brackets, or with the option's text; yes/no: a first word or a statement."""
    if value.kind == "bool":
        reason = fill(r, r.choice(["the {w} {v} the {w}", "{Q} {v} it", "the {w} is in {P}", "{x} is less than {y}"]))
        if r.random() < 0.4:
            return r.choice([f"{a}.", f"{a}, {reason}.", f"{a}, because {reason}.", f"{a}. {reason.capitalize()}."])
        if a.lower() in ("true", "false") and r.random() < 0.5:
            return r.choice([f"The statement is {a}.", f"This is {a}.", f"That's {a}.", f"It is {a} that {reason}."])
        return fill(r, pick(r, STATEMENTS, split), a=a)
    shown = r.choice([a, a, f"({a})", f"({a})", f"{a})", f"{a}) {value.option}", f"{a}. {value.option}", f"({a}) {value.option}", f"{a}: {value.option}"])
    if r.random() < 0.3:
        return r.choice([f"Option {a}.", f"option {a}", f"The correct option is {shown}", f"I choose {shown}.", f"Choice {a} is correct.",
                         f"({a}) is right.", f"{a} is correct.", f"The best choice is {shown}.", f"I'd pick {shown}"])  # fmt: skip
    return fill(r, pick(r, STATEMENTS, split), a=shown)


def respond(r: random.Random, value: Value, split: Split, other: Value | None = None, length: str = "mixed", unit: bool = True) -> str:
    """A response whose final answer is ``value``; ``other`` is a value that it mentions but does not conclude."""
    a = write(r, value)
    if unit:
        a += write_unit(r, value)
    o = write(r, other) + (write_unit(r, other) if other and r.random() < 0.3 else "") if other else ""
    if length == "bare":
        return a + r.choice(["", "", "", ".", ".", "!", "\n", " "])
    annotate = value.numeric and r.random() < 0.35
    lines = {"line": 0, "long": r.randint(8, 16)}.get(length)
    if lines is None:
        lines = r.choice([0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
    parts = working(r, lines, annotate, value.numeric or value.kind == "mc" and r.random() < 0.5)
    if value.kind == "mc" and r.random() < 0.3:
        letters = [x for x in "ABCD"]
        parts += [f"{x}) {words.salad(r, 1, 3)}" for x in letters] if r.random() < 0.4 else [f"Option {r.choice(letters)} is {r.choice(words.WORDS)}."]
    if other:
        t = r.random()
        if t < 0.35:
            parts.insert(r.randint(0, len(parts)), fill(r, pick(r, GUESSES, split), o=o))
        elif t < 0.6:
            parts.append(ending(r, other, o, split) + " " + pick(r, SLIPS, split))
        elif t < 0.8 and value.numeric and other.numeric and "frac" not in o:
            parts.insert(r.randint(0, len(parts)), step(r, annotate, o))
    final = ending(r, value, a, split)
    if annotate and r.random() < 0.6 and "frac" not in a:
        parts.append(step(r, True, a.split(" ")[0]))
        final = r.choice(["A: {a}", "#### {a}", "A: {a}", "The answer is {a}."]).format(a=a)
    if r.random() < 0.12:
        parts.insert(0, pick(r, OPENERS, split))
    parts.append(final)
    if r.random() < (0.35 if length != "long" else 0.15):
        if other and r.random() < 0.45:
            parts.append(fill(r, pick(r, DENIALS, split), o=o))
        elif value.numeric or r.random() < 0.5:
            parts.append(fill(r, pick(r, CLOSERS + ENDS, split)))
        else:
            parts.append(fill(r, pick(r, _AFTER + ENDS, split)))
        if r.random() < 0.15:
            parts.append(fill(r, r.choice(CLOSERS + ENDS)))
    gap = r.choice([" ", "\n", "\n", "\n\n"]) if lines else r.choice([" ", " ", "\n"])
    return gap.join(parts)
