"""What a user writes: files in TOML, and the checked, frozen values that their tables become."""

from .backbone import Backbone
from .chain import FINAL, Start, Step
from .check import check, meaning
from .data import DataModule, DataSource, Digits, Fingerprint, ImageFacts, ImageFolder, Parquet, Planted, Torchvision
from .document import Document, KeyPath, read_document
from .objects import is_named_object, library, named_object
from .questions import changes, complete, flat, lasting
from .recipe import Recipe, Settings
from .studyfile import Budget, Latency, Objective, Search, StudyFile, read_study_file
from .written import Count, Share, check_format, read_written, with_nan, with_null

__all__ = [
    "FINAL",
    "Backbone",
    "Budget",
    "Count",
    "DataModule",
    "DataSource",
    "Digits",
    "Document",
    "Fingerprint",
    "ImageFacts",
    "ImageFolder",
    "KeyPath",
    "Latency",
    "Objective",
    "Parquet",
    "Planted",
    "Recipe",
    "Search",
    "Settings",
    "Share",
    "Start",
    "Step",
    "StudyFile",
    "Torchvision",
    "changes",
    "check",
    "check_format",
    "complete",
    "flat",
    "is_named_object",
    "lasting",
    "library",
    "meaning",
    "named_object",
    "read_document",
    "read_study_file",
    "read_written",
    "with_nan",
    "with_null",
]
