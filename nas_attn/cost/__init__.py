"""What a network costs: parameters, multiply-accumulates and FLOPs, counted, and milliseconds, measured."""

from .counting import Cost, UncountedOperator, count
from .latency import LatencyReading, Reference, alone_on_this_host, device_name, measure_latency, measure_pass
from .operators import Rule
from .prediction import Forecast, Part, Prediction, fit_latency
from .readings import Readings
from .targets import Unrunnable, onnx_pass, prepare
