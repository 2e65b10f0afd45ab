"""Rows that nobody measured, for tests of what is done with rows."""

from dataclasses import replace

from nas_attn.results import evaluation as row_of
from nas_attn.results import table
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
        "latency_ms_low": 2.29,
        "latency_ms_high": 2.34,
        "latency_calls": 300,
        "latency_device": "a processor",
        "latency_threads": 1,
        "latency_batch": 1,
        "latency_dtype": "float32",
        "latency_target": "a desk",
    }
    return row_of(**{**made_up, **known})


_BRANCH = "stage{}.block0-1.branch={}"
_TRAINED = [
    ("none", 0.90, 100, 1.0),
    (_BRANCH.format(1, "se(reduction=8)"), 0.93, 104, 1.2),
    (_BRANCH.format(2, "cbam(kernel_size=7,reduction=8)"), 0.94, 120, 1.9),
    (_BRANCH.format(1, "gate(reduction=2)"), 0.89, 130, 2.0),
    (f"{_BRANCH.format(1, 'se(reduction=8)')} stage2.block0.branch=se(reduction=4)", 0.92, 125, 1.8),
]


def row(spelling, accuracy, megaflops, latency_ms, **others):
    return evaluation(
        spelling,
        **{
            "params": 2_000 * megaflops,
            "macs": 450_000 * megaflops,
            "flops": 1_000_000 * megaflops,
            "latency_ms": latency_ms,
            "latency_ms_low": latency_ms - 0.05,
            "latency_ms_high": latency_ms + 0.05,
            "accuracy": accuracy,
            "loss": 1 - accuracy,
            "state": "complete",
            **others,
        },
    )


def study_table():
    """Five networks that were trained, the first three of which are on the front, and two that were not."""
    trained = [row(*spelling) for spelling in _TRAINED]
    trained[0] = replace(trained[0], role="baseline")
    nan = float("nan")
    return table(
        [
            *trained,
            row("stage2.block1.branch=se(reduction=4)", nan, 200, 3.0, state="over_budget", reason="too expensive"),
            row("stage2.block1.branch=se(reduction=2)", nan, 110, 1.5, state="failed", reason="loss <is> NaN"),
        ]
    )
