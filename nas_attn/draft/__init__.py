"""Draft of a study: the files that a first search of somebody's images begins with."""

from .budgets import read_budget
from .questions import Ask, Question, assumed
from .run import Draft, draft
