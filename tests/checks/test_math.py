import json
import os
import threading
import time

import pytest

from genrm.checks import bounded
from genrm.errors import DeadlineError, EngineError, InputError


@pytest.mark.parametrize(
    ("response", "references", "label"),
    [
        ("The answer is $\\frac{1}{2}$.", ["0.5"], "yes"),
        ("so it is 1/2", ["\\frac{1}{2}"], "yes"),
        ("\\sqrt{2}", ["$\\sqrt 2$"], "yes"),
        ("x^2+1", ["3"], "no"),
        ("it is 3", ["x^2+1"], "no"),
        ("It is $x^2+2x+1$", ["(x+1)^2"], "yes"),
        ("\\boxed{18}", ["17", "18 dollars"], "yes"),
        ("50%", ["0.5"], "yes"),
        ("total 1,234", ["1234"], "yes"),
        ("A: 18", ["Half of 36 is 18.\n#### 18"], "yes"),
        ("$\\{1,2\\}$", ["\\{2,1\\}"], "yes"),
        ("no answer here", ["4"], "no"),
        ("\ud800 it is $5$", ["5"], "yes"),
        ("(" * 100_000, ["18"], "no"),
    ],
)
def test_label(judged, response, references, label):
    verdict = judged({"math": True}, response, *references)
    assert (verdict.label, verdict.error) == (label, None)


def test_precision_rounds_decimals(judged):
    assert judged({"math": {"precision": 2}}, "3.1416", "3.14").label == "yes"
    assert judged({"math": {"precision": 4}}, "3.1416", "3.14").label == "no"


@pytest.mark.parametrize("reference", ["Paris", "the answer is 4", "18 of the 20 apples were red"])
def test_prose_is_no_mathematical_reference(judged, reference):
    verdict = judged({"math": True}, "18", reference)
    assert verdict.label is None
    assert isinstance(verdict.error, InputError)


def test_an_endless_computation_is_a_timeout_and_the_next_check_works(judged, monkeypatch):
    monkeypatch.setattr("genrm.checks.math.MATH_SECONDS", 1.0)
    start = time.monotonic()
    verdict = judged({"math": True}, "$9^{9^{9^9}}$", "4")
    assert time.monotonic() - start < 20
    assert verdict.label is None
    assert isinstance(verdict.error, DeadlineError)
    assert judged({"math": True}, "$4$", "4").label == "yes"


def test_threads_share_the_processes(judged):
    labels = {}

    def work(number):
        labels[number] = judged({"math": True}, f"\\boxed{{{number}}}", str(number - number % 2)).label

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert labels == {number: "no" if number % 2 else "yes" for number in range(8)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_its_own_processes(judged):
    assert judged({"math": True}, "4", "4").label == "yes"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, (judged({"math": True}, "5", "5").label or "none").encode())
            bounded.shut_down()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        assert answers.read() == b"yes"
    os.waitpid(child, 0)
    assert judged({"math": True}, "6", "6").label == "yes"


def test_a_process_that_was_killed_while_idle_is_replaced(judged):
    assert judged({"math": True}, "4", "4").label == "yes"
    for worker in bounded._pools["genrm.checks.jobs_math"]._idle:
        worker._process.kill()
        worker._process.wait()
    assert judged({"math": True}, "4", "4").label == "yes"


def test_jobs_that_raise_or_cannot_start_are_engine_errors():
    with pytest.raises(EngineError, match="KeyError"):
        bounded.call("genrm.checks.jobs_math", {}, seconds=5, purpose="testing")
    with pytest.raises(EngineError, match="did not start"):
        bounded.call("genrm.checks.no_such_job", {}, seconds=5, purpose="testing")


def solutions(data):
    path = data / "gsm8k" / "example_model_solutions.jsonl"
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        reference = row["ground_truth"].rpartition("A:")[2].strip()
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            yield row[model]["solution"], reference, "yes" if row[model]["is_correct"] else "no"


def test_number_agrees_with_the_labels_of_all_gsm8k_solutions(judged, data):
    outcomes = [judged({"number": True}, text, reference).label == label for text, reference, label in solutions(data)]
    assert len(outcomes) == 5276
    assert sum(outcomes) == 5276


@pytest.mark.full
def test_math_agrees_with_the_labels_of_all_gsm8k_solutions(judged, data):
    outcomes = [judged({"math": True}, text, reference).label == label for text, reference, label in solutions(data)]
    assert sum(outcomes) == len(outcomes) == 5276
