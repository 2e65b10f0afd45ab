"""Preflight of a study: all that would end or spoil its search, found before it trains."""

from .findings import Checked, Finding, OnFinding
from .leaving import warn_of_what_stays
from .run import preflight
