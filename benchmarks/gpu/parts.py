"""The parts of `make gpu`, the most telling first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A function of a `Bench` that yields rows."""

    name: str
    seconds: float
    """The most that it may take where all parts have eight and a half minutes; else in proportion."""
    function: str
    """`package.module:function`."""


PARTS = (
    Part("tests", 110, "gpu.marked_tests:passed"),
    Part("training", 70, "gpu.training:beside_stock"),
    Part("steps", 40, "gpu.steps:waiting_and_memory"),
    Part("latency", 60, "gpu.latency:predicted"),
    Part("graphs", 20, "gpu.graphs:captured"),
    Part("jobs", 60, "gpu.jobs:networks_an_hour"),
    Part("screening", 70, "gpu.screening:screened_and_refined"),
    Part("stacked", 35, "gpu.stacked:seeds_at_once"),
    Part("compiled", 45, "gpu.graphs:compiled"),
)
