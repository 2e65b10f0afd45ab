"""What a user writes: files in TOML, and the checked, frozen values that their tables become."""

from .backbone import Backbone, Pixels
from .budget import Budget
from .chain import FINAL, Start, Step
from .check import check, meaning
from .claim import Claim
from .data import (
    DataModule,
    DataSource,
    Digits,
    Fingerprint,
    ImageFacts,
    ImageFolder,
    OfTask,
    Parquet,
    Planted,
    Torchvision,
)
from .document import Document, KeyPath, read_document
from .fitting import refuse_what_does_not_fit
from .latency import LatencyTarget
from .measures import (
    BUILT_IN,
    MEASURES,
    Direction,
    Measure,
    Objective,
    Score,
    digits,
    duration,
    known_measure,
    leading,
    learnt,
    listed,
    measure,
    short,
    use_measures,
)
from .metrics import VOID, BuiltIn, Metric, make_metric, usual_measures
from .objects import chosen, is_named_object, library, named_object
from .questions import changes, complete, flat, lasting
from .recipe import Recipe
from .studyfile import Search, StudyFile, read_study_file
from .table import Settings
from .task import BuiltInTask, Monitored, OwnFunction, OwnModule, Task
from .toml_text import toml_comment, toml_lines, toml_value
from .transform import Transform
from .written import Count, bounded, check_format, read_written, sealed, unsealed, with_nan, with_null
