"""The parts of `make gpu`, the most telling first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A function of a `Bench` that yields rows."""

    name: str
    seconds: float
    """The most that it may take; together with the others it stays below eight and a half minutes."""
    function: str
    """`package.module:function`."""


PARTS = (
    Part("tests", 110, "gpu.marked_tests:passed"),
    Part("training", 75, "gpu.training:beside_stock"),
    Part("steps", 30, "gpu.steps:waiting_and_memory"),
    Part("latency", 65, "gpu.latency:predicted"),
    Part("graphs", 20, "gpu.graphs:captured"),
    Part("jobs", 65, "gpu.jobs:networks_an_hour"),
    Part("screening", 60, "gpu.screening:screened_and_refined"),
    Part("stacked", 35, "gpu.stacked:seeds_at_once"),
    Part("compiled", 45, "gpu.graphs:compiled"),
)
