"""What a network costs: parameters, multiply-accumulates and FLOPs, counted, and milliseconds, measured."""

from .counting import Cost, UncountedOperator, count
from .latency import LatencyReading, Reference, device_name, measure_latency
from .operators import Rule
from .targets import Unrunnable, prepare

__all__ = [
    "Cost",
    "LatencyReading",
    "Reference",
    "Rule",
    "UncountedOperator",
    "Unrunnable",
    "count",
    "device_name",
    "measure_latency",
    "prepare",
]
