"""Wordings of the criteria: for checking against a reference, and for the closed list about the response alone.

The closed-list wordings come from a grammar (subject, verb, object, wrapper) with systematic negation.
One combination in eight is held out by hash; ``NATURAL`` in ``heldout.py`` holds wordings that the grammar lacks.
"""

from __future__ import annotations

import random
import zlib

from .worlds import Split

VERIFY = """Does the response's final answer equal the reference answer?|The response's final answer is correct.|
Is the response factually correct according to the reference?|The final answer matches the reference.|The answer is correct.|
Is the answer right?|The response's answer equals the reference answer.|Correctness|correctness|accuracy|Accuracy of the final answer|
The response reaches the same final answer as the reference.|Check the answer against the reference.|The response is right.|
Is the final answer the same as the reference?|The final answer equals the reference.|Does the answer match the reference?|
Same result as the reference|The result is correct.|Verify the final answer against the reference answer.|Is this solution correct?|
Correct final answer.|The answer must agree with the given reference.|Compare the result with the reference.|exact match with the reference|
Grade the answer using the reference.|Did the response get it right?|Right or wrong?|The response concludes with the reference answer.|
Does the response arrive at the reference answer?|Reference check|The submitted answer is equivalent to the reference.|Pass if the answer is right.|
True if the final answer matches.|Is the outcome equal to the reference?|Judge whether the answer is correct.|The conclusion is correct.|
Given the reference, is the response correct?|The final number or word is the same as in the reference.|The student's answer is correct.|
Is the response correct?|Does the response give the correct answer?|The response gives the correct answer.|The response states the right answer.|
Does the final answer agree with the reference answer?|The final answer agrees with the reference.|Is the stated answer the reference answer?|
The response contains the correct final answer.|Does the final result match the expected answer?|The expected answer is reached.|
The response answers the question correctly.|Does the response answer the question correctly?|Is the final answer correct?|final answer correct|
Does the solution end with the right value?|The value at the end equals the reference value.|Is the response consistent with the reference answer?|
The answer is the same as the gold answer.|Does the answer equal the gold answer?|Is it correct?|The prediction matches the ground truth.|
Does the prediction match the ground truth?|The response is factually correct.|The response agrees with the reference.|
Does the candidate's answer match the correct answer?|Matches the reference|The output equals the target.|Does the output equal the target?|
The given answer is accurate.|Is the answer accurate?|Is the final answer equivalent to the reference answer?|Answer correctness: yes or no?""".replace("\n", "").split("|")
VERIFY_HELD = """Does the conclusion agree with the reference?|Say yes when the result is the same as the reference.|Final answer correctness|
The given solution ends in the reference value.|Has the question been answered correctly?|The model's final answer is identical to the reference.|
Is the end result the one in the reference?|Does what the response concludes match the reference answer?|The response got the right answer.|
Mark the response as correct only if its final answer equals the reference.|Is the answer given by the response true according to the reference?|
The answer provided is the correct one.""".replace("\n", "").split("|")

KEYS = ("answer", "steps", "refusal", "bullets", "numbering", "code", "question", "doubt", "greeting")
# key -> noun phrases as (with article, bare, plural?)
NOUNS = {
    "answer": ["a final answer", "a clear answer", "an answer", "a definite answer", "a final result", "an explicit final answer", "a conclusion", "a concrete answer"],
    "steps": ["intermediate steps", "its steps", "step-by-step working", "its working", "its reasoning", "a derivation", "worked steps", "the calculation steps", "an explanation of its steps"],
    "refusal": ["a refusal", "an apology", "an apology or a refusal", "a refusal or an apology", "a refusal to answer", "words of apology"],
    "bullets": ["a bulleted list", "bullet points", "a bullet list", "bullets", "a list with bullets", "bulleted items", "a bullet-point list"],
    "numbering": ["a numbered list", "numbered points", "numbered items", "a list with numbers", "an ordered list", "enumerated points", "numbered steps"],
    "code": ["a code block", "a fenced code block", "code in a fenced block", "a block of code", "fenced code", "a code snippet in a fence", "code blocks"],
    "question": ["a question", "a question for the reader", "a question to the user", "questions", "at least one question", "a follow-up question"],
    "doubt": ["hedging", "uncertainty", "doubt", "hedging language", "an expression of uncertainty", "signs of doubt", "words of uncertainty"],
    "greeting": ["a greeting", "a greeting at the start", "an opening greeting", "a hello at the start", "a salutation", "words of greeting"],
}  # fmt: skip
# key -> verbs that take a noun, as (third person, base)
VERBS = {
    "answer": [("states", "state"), ("gives", "give"), ("contains", "contain"), ("provides", "provide"), ("commits to", "commit to"), ("ends with", "end with"), ("reaches", "reach")],
    "steps": [("shows", "show"), ("contains", "contain"), ("gives", "give"), ("includes", "include"), ("presents", "present"), ("writes out", "write out")],
    "refusal": [("contains", "contain"), ("includes", "include"), ("has", "have"), ("gives", "give"), ("is", "be"), ("offers", "offer")],
    "bullets": [("uses", "use"), ("contains", "contain"), ("has", "have"), ("includes", "include"), ("makes use of", "make use of")],
    "numbering": [("uses", "use"), ("contains", "contain"), ("has", "have"), ("includes", "include"), ("makes use of", "make use of")],
    "code": [("contains", "contain"), ("has", "have"), ("includes", "include"), ("uses", "use"), ("shows", "show")],
    "question": [("asks", "ask"), ("contains", "contain"), ("has", "have"), ("includes", "include"), ("poses", "pose")],
    "doubt": [("expresses", "express"), ("contains", "contain"), ("shows", "show"), ("uses", "use"), ("includes", "include")],
    "greeting": [("opens with", "open with"), ("contains", "contain"), ("begins with", "begin with"), ("starts with", "start with"), ("has", "have"), ("includes", "include")],
}  # fmt: skip
# key -> whole predicates as (third person, base, participle for "without")
PREDICATES = {
    "answer": [("says what the answer is", "say what the answer is"), ("answers the question", "answer the question"), ("commits to one result", "commit to one result"), ("concludes with a result", "conclude with a result"), ("tells the reader the result", "tell the reader the result")],
    "steps": [("explains how the result was reached", "explain how the result was reached"), ("works step by step", "work step by step"), ("shows how it got there", "show how it got there"), ("shows its work", "show its work"), ("reasons in steps", "reason in steps")],
    "refusal": [("apologises", "apologise"), ("apologizes or declines", "apologize or decline"), ("refuses", "refuse"), ("refuses to answer", "refuse to answer"), ("declines the request", "decline the request"), ("says sorry", "say sorry"), ("says that it cannot help", "say that it cannot help"), ("turns the request down", "turn the request down")],
    "bullets": [("is written as a bulleted list", "come as a bulleted list"), ("lists things with bullets", "list things with bullets"), ("is formatted with bullet points", "format with bullet points"), ("presents its points as bullets", "present its points as bullets")],
    "numbering": [("numbers its points", "number its points"), ("is written as a numbered list", "come as a numbered list"), ("lists things with numbers", "list things with numbers"), ("enumerates its points", "enumerate its points")],
    "code": [("shows code in a block", "show code in a block"), ("presents code in a fence", "present code in a fence"), ("puts code between backtick fences", "put code between backtick fences"), ("gives a program in a code block", "give a program in a code block")],
    "question": [("asks something", "ask something"), ("asks the reader something", "ask the reader something"), ("asks the user a question", "ask the user a question"), ("asks back", "ask back"), ("puts a question to the reader", "put a question to the reader")],
    "doubt": [("hedges", "hedge"), ("is uncertain", "sound uncertain"), ("says that it is not sure", "say that it is not sure"), ("admits uncertainty", "admit uncertainty"), ("sounds unsure", "sound unsure"), ("is tentative", "sound tentative")],
    "greeting": [("greets the user", "greet the user"), ("greets the reader", "greet the reader"), ("says hello", "say hello"), ("says hello first", "say hello first"), ("starts by greeting the user", "start by greeting the user")],
}  # fmt: skip
SUBJECTS = ["the response", "the response", "the reply", "the text", "the output", "the message", "it", "the assistant", "the answer given", "the assistant's reply", "the model's response", "this response"]
WRAPPERS = ["{c}", "{c}", "{c}", "{c}", "{c}", "Check: {c}", "Criterion: {c}", "{c} Answer yes or no.", "Is this true? {c}", "Requirement: {c}",
            "Verify: {c}", "Judge this: {c}", "{c} (yes/no)", "Does this hold? {c}"]  # fmt: skip
_POSITIVE = ["{S} {v3} {o}.", "{S} {v3} {o}.", "Does {s} {v} {o}?", "{S} should {v} {o}.", "{S} must {v} {o}.", "Check that {s} {v3} {o}.",
             "Whether {s} {v3} {o}", "There is {o} in {s}.", "Is there {o} in {s}?", "{O} is present.", "{O} in {s}", "{s} {v3} {o}", "{v3} {o}",
             "Can {o} be found in {s}?", "It is the case that {s} {v3} {o}.", "{O} can be seen in {s}."]  # fmt: skip
_NEGATIVE = ["{S} does not {v} {o}.", "{S} doesn't {v} {o}.", "{S} never {v3} {o}.", "{S} {v3} no {b}.", "There is no {b} in {s}.", "Is {s} free of {b}?",
             "{S} avoids {b}.", "{S} should not {v} {o}.", "{S} must not {v} {o}.", "No {b} in {s}", "No {b} is present.", "{S} lacks {b}.", "{S} is without {b}.",
             "{O} is absent.", "{O} is missing from {s}.", "Check that {s} does not {v} {o}.", "Does {s} avoid {b}?", "{S} is free of {b}.", "does not {v} {o}",
             "without {b}", "It is not the case that {s} {v3} {o}.", "{S} cannot {v} {o}.", "Does {s} lack {b}?", "{S} leaves out {b}.", "{S} contains no {b}."]  # fmt: skip
_POSITIVE_VP = ["{S} {v3}.", "{S} {v3}.", "Does {s} {v}?", "{S} should {v}.", "{S} must {v}.", "Check that {s} {v3}.", "Whether {s} {v3}", "{v3}", "It is true that {s} {v3}."]  # fmt: skip
_NEGATIVE_VP = ["{S} does not {v}.", "{S} doesn't {v}.", "{S} should not {v}.", "{S} must not {v}.", "{S} never {v3}.", "Check that {s} does not {v}.", "does not {v}",
                "It is not the case that {s} {v3}.", "It is not true that {s} {v3}.", "{S} may not {v}.", "At no point {v3}", "{S} neither {v3} nor comes close to it."]  # fmt: skip


def _bare(noun: str) -> str:
    for article in ("a ", "an ", "the ", "its ", "at least one "):
        if noun.startswith(article):
            return noun[len(article) :]
    return noun


def closed(r: random.Random, key: str, negated: bool, split: Split) -> str:
    """A wording of a closed-list criterion from the grammar, of the split."""
    while True:
        s = r.choice(SUBJECTS)
        given = {"s": s, "S": s[:1].upper() + s[1:]}
        if r.random() < 0.66:
            noun = r.choice(NOUNS[key])
            v3, v = r.choice(VERBS[key])
            core = r.choice(_NEGATIVE if negated else _POSITIVE)
            given |= {"v3": v3, "v": v, "o": noun, "O": noun[:1].upper() + noun[1:], "b": _bare(noun)}
        else:
            v3, v = r.choice(PREDICATES[key])
            core = r.choice(_NEGATIVE_VP if negated else _POSITIVE_VP)
            given |= {"v3": v3, "v": v}
        text = core.format(**given)
        hidden = zlib.crc32(("ask:" + text.lower()).encode()) % 8 == 0
        if hidden == (split.phrasings == "held"):
            break
    if r.random() < 0.08:
        text = text.rstrip(".")
    return r.choice(WRAPPERS).format(c=text)


def verify(r: random.Random, split: Split) -> str:
    """A wording of the comparison with the reference."""
    if split.phrasings == "held":
        return r.choice(VERIFY_HELD)
    text = r.choice(VERIFY)
    return text if r.random() < 0.85 else r.choice(WRAPPERS).format(c=text)
