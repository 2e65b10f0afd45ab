"""Hundreds of damaged inputs of every kind are read or refused in a word; `benchmarks/fuzz.py` tries many more."""

import fuzz
import pytest


def test_damaged_inputs_are_read_or_refused(capsys):
    assert [*fuzz.faults(500, seed=1)] == []


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_what_is_not_damaged_is_read(kind):
    rng = fuzz.random.Random(0)
    assert {fuzz.outcome(fuzz.KINDS[kind], fuzz.KINDS[kind].good(rng)) for _ in range(6)} == {"read"}


def test_what_raises_anything_else_or_takes_too_long_is_found(monkeypatch):
    def hangs(_):
        while True:
            pass

    monkeypatch.setattr(fuzz, "LONGEST_SECONDS", 0.05)
    for read, found in ((lambda _: {}["x"], "KeyError: 'x'"), (hangs, "TimeoutError: more than 0.05 s")):
        assert fuzz.outcome(fuzz.Kind(lambda _: b"", read, "file"), b"").startswith(found)
