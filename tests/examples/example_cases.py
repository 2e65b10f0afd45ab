"""The examples, and how each is shortened."""

import re
import runpy
import shutil
import signal
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
_OURS = "nas_attn.training.classifier", "Classifier", "training_step"
_FEWER = (("channels = 1", r"\g<0>\nlimit = 160"), (r"batch_size = \d+", "batch_size = 32"))


@dataclass(frozen=True)
class Case:
    name: str
    measure: str
    word: str
    """What a sentence calls the measure that leads."""
    image: tuple[int, int, int]
    steps: tuple[str, str, str] = _OURS
    """Module, class if any, and function that takes a batch of training."""
    head: str = "{} (%)"
    """What stands over its column, with its title in place of the brackets."""
    unit: str = "points of {}"
    """What differences are counted in, with its word in place of the brackets."""
    further: tuple[str, ...] = ()
    """Other measures that every row has."""
    shorter: tuple[tuple[str, str], ...] = _FEWER
    killed_by: signal.Signals = signal.SIGINT

    def copied(self, folder):
        """The example in a folder of its own, with fewer networks, epochs and images, which it has made."""
        shutil.copytree(EXAMPLES / self.name, folder, ignore=lambda _, names: [n for n in names if not is_kept(n)])
        text = (folder / "study.toml").read_text()
        usual = (
            (r"chain = .*", 'chain = [{ proxy = "final", networks = 2, seeds = 2 }]'),
            (r"epochs = \d+", "epochs = 1"),
            (r', "latency_ms"\]', "]\nlatency = { calls = 50 }"),
        )
        for pattern, replacement in (*usual, *self.shorter):
            text, found = re.subn(pattern, replacement, text)
            assert found == 1, pattern
        (folder / "study.toml").write_text(text)
        if (folder / "make_images.py").exists():
            with chdir(folder):
                runpy.run_path("make_images.py")
        return folder


def is_kept(name):
    return name.endswith((".py", ".md")) or name in ("study.toml", "space.toml")


CASES = [
    Case(
        *("detection", "map", "mAP", (3, 96, 96), ("detector", "LitDetector", "training_step")),
        further=("map_50",),
        shorter=((r'(module = "detector:LitDetector")', r"\1\narguments = { train = 16, val = 8 }"),),
        killed_by=signal.SIGKILL,
    ),
    Case(
        *("segmentation_module", "iou", "mean IoU", (1, 64, 64), ("unet", "LitUNet", "training_step")),
        shorter=(),
    ),
    Case(
        *("template", "acc", "accuracy", (1, 32, 32), ("lit_template", "DigitsLitModule", "training_step")),
        shorter=(),
        killed_by=signal.SIGKILL,
    ),
    Case(
        *("function", "map", "mean average precision", (1, 8, 8), ("embed", "", "noisy_pairs")),
        shorter=(),
    ),
    Case(
        *("multilabel", "average_precision", "mean average precision", (1, 20, 20)),
        head="{}",
        unit="{}",
        further=("exact_match", "loss"),
        killed_by=signal.SIGKILL,
    ),
    Case(
        *("imbalanced", "balanced_accuracy", "balanced accuracy", (1, 20, 20)),
        further=("recall_macro", "accuracy"),
        shorter=(*_FEWER, (r"min_recall_macro = 0\.\d+", "min_recall_macro = 0.01")),
    ),
    Case(
        *("regression", "mae", "mean absolute error", (1, 20, 20)),
        head="{} (px)",
        unit="px",
        further=("r2", "loss"),
        killed_by=signal.SIGKILL,
    ),
    Case(
        *("segmentation", "mean_iou", "mean IoU", (1, 32, 32)),
        further=("dice", "loss"),
    ),
]
OFTEN = ("template", "multilabel", "function")
"""Those that are killed and exported in every run of the tests: a module, a task of our own and a function."""
