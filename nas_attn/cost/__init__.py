"""What a network costs: parameters, multiply-accumulates and FLOPs, counted, and milliseconds, measured."""

from .counting import Cost as Cost
from .counting import UncountedOperator as UncountedOperator
from .counting import count as count
from .latency import LatencyReading as LatencyReading
from .latency import Reference as Reference
from .latency import alone_on_this_host as alone_on_this_host
from .latency import device_name as device_name
from .latency import measure_latency as measure_latency
from .operators import Rule as Rule
from .prediction import Forecast as Forecast
from .prediction import Part as Part
from .prediction import Prediction as Prediction
from .prediction import fit_latency as fit_latency
from .readings import Readings as Readings
from .targets import Unrunnable as Unrunnable
from .targets import prepare as prepare
