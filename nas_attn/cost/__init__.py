"""What a network costs: parameters, multiply-accumulates and FLOPs, counted, and milliseconds, measured."""

from .counting import Cost, UncountedOperator, count
from .latency import LatencyReading, device_name, measure_latency
from .operators import Rule

__all__ = [
    "Cost",
    "LatencyReading",
    "Rule",
    "UncountedOperator",
    "count",
    "device_name",
    "measure_latency",
]
