import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from nas_attn.cost import LatencyReading, Readings
from nas_attn.space import InputError

READING = LatencyReading(2.0, 1.9, 2.1, 0.3, 300, "a processor")
QUESTION = {"architecture": "h40bedbf9c", "image": (1, 8, 8), "host": "here"}


@pytest.fixture
def readings(tmp_path):
    return Readings(tmp_path / "latency.jsonl")


def test_an_answer_is_found_again(readings):
    assert readings.get(QUESTION) is None
    readings.put(QUESTION, READING)
    assert readings.get(QUESTION) == READING
    assert Readings(readings.path).get(dict(reversed(QUESTION.items()))) == READING


@pytest.mark.parametrize("name", QUESTION)
def test_another_question_has_no_answer(readings, name):
    readings.put(QUESTION, READING)
    assert readings.get({**QUESTION, name: "another"}) is None


def test_the_first_answer_counts(readings):
    readings.put(QUESTION, READING)
    readings.put(QUESTION, LatencyReading(9.0, 8.0, 10.0, 1.0, 300, "a processor"))
    assert readings.get(QUESTION) == READING


@pytest.mark.parametrize("left", [1, 40, -2, -1])
def test_a_torn_last_line_costs_no_other(readings, left):
    other, third = {**QUESTION, "host": "there"}, {**QUESTION, "host": "elsewhere"}
    readings.put(QUESTION, READING)
    before = readings.path.stat().st_size
    readings.put(other, READING)
    content = readings.path.read_bytes()
    readings.path.write_bytes(content[: before + left] if left > 0 else content[:left])
    readings.put(third, READING)
    assert readings.get(QUESTION) == readings.get(third) == READING
    assert readings.get(other) == (READING if left == -1 else None)


def test_many_may_write_at_once(readings):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: readings.put({**QUESTION, "number": number}, READING), range(40)))
    lines = readings.path.read_text().splitlines()
    assert sorted(json.loads(line)["question"]["number"] for line in lines) == list(range(40))


def test_a_file_that_cannot_be_used_is_reported(readings):
    readings.path.mkdir()
    with pytest.raises(InputError, match=r"latency\.jsonl: cannot be read"):
        readings.get(QUESTION)
    with pytest.raises(InputError, match=r"latency\.jsonl: cannot be written"):
        readings.put(QUESTION, READING)
