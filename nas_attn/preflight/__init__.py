"""Preflight of a study: all that would end or spoil its search, found before it trains; and what damaged it since."""

from .doctor import examine
from .findings import Checked, Finding, OnFinding
from .leaving import warn_of_what_stays
from .run import preflight
