"""What a user writes: files in TOML, and the checked, frozen values that their tables become."""

from .check import check
from .data import DataSource, Digits, ImageFacts, ImageFolder, Parquet
from .document import Document, KeyPath, read_document
from .recipe import Recipe, Settings
from .studyfile import Budget, Latency, Objective, Search, StudyFile, read_study_file

__all__ = [
    "Budget",
    "DataSource",
    "Digits",
    "Document",
    "ImageFacts",
    "ImageFolder",
    "KeyPath",
    "Latency",
    "Objective",
    "Parquet",
    "Recipe",
    "Search",
    "Settings",
    "StudyFile",
    "check",
    "read_document",
    "read_study_file",
]
