"""Rows that nobody measured, for tests of what is done with rows."""

from nas_attn.results import Evaluation
from nas_attn.space import parse


def evaluation(spelling="none", **known):
    """The row of an architecture, made up but for what is given."""
    made_up = {
        "key": parse(spelling).key,
        "architecture": spelling,
        "params": 269_722,
        "macs": 40_813_184,
        "flops": 82_000_000,
        "latency_ms": 2.31,
        "latency_iqr_ms": 0.05,
        "latency_calls": 300,
        "latency_device": "a processor",
        "latency_threads": 1,
        "latency_batch": 1,
        "latency_dtype": "float32",
    }
    return Evaluation(**{**made_up, **known})
