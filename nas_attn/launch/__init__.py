"""A study's folder, opened to search, to audit, to judge and to hand out networks; a question; published tables."""

from .ask import ask
from .study import Study, open_study
from .tables import load_table
