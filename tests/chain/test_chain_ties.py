"""Who stays behind with the score of one that goes on is counted."""

from nas_attn.chain.run import _ties
from nas_attn.results import evaluation
from nas_attn.space import Architecture, parse

SPELT = (
    "none",
    "stage1.block0.branch=se(reduction=4)",
    "stage2.block0.branch=se(reduction=4)",
    "stage3.block0.branch=se(reduction=4)",
)


def row(text, accuracy, state="complete"):
    costs = {"params": 1, "macs": 1, "flops": 1, "latency_ms": 1.0}
    architecture = parse(text)
    return evaluation(key=architecture.key, architecture=text, accuracy=accuracy, state=state, **costs)


def test_an_equal_score_that_stays_behind_is_counted():
    rows = [row(text, score) for text, score in zip(SPELT, (0.5, 0.9, 0.9, 0.8), strict=True)]
    assert _ties(rows, "accuracy", [Architecture(), parse(SPELT[1])]) == 1
    assert _ties(rows, "accuracy", [Architecture(), parse(SPELT[1]), parse(SPELT[2])]) == 0


def test_the_plain_backbone_which_always_goes_on_ties_with_nobody():
    rows = [row(text, score) for text, score in zip(SPELT, (0.8, 0.9, 0.7, 0.8), strict=True)]
    assert _ties(rows, "accuracy", [Architecture(), parse(SPELT[1])]) == 0


def test_what_failed_ties_with_nobody():
    rows = [row(SPELT[0], 0.5), row(SPELT[1], 0.9), row(SPELT[2], 0.9, "failed")]
    assert _ties(rows, "accuracy", [parse(SPELT[1])]) == 0
