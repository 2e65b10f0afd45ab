"""Preflight of a study: all that would end or spoil its search, found before it trains."""

from .findings import Checked, Finding, OnFinding
from .run import preflight
