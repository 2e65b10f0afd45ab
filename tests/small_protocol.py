"""Trainings of one epoch on digits, whose weights are kept, and rows for them."""

from nas_attn.data import load_data
from nas_attn.evaluation import TrainingProtocol
from nas_attn.results import evaluation
from nas_attn.settings import Backbone, Digits, Recipe
from nas_attn.space import parse
from nas_attn.tasks import ImageTask

NAN = float("nan")
RECIPE = Recipe(epochs=1, batch_size=512)
STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 512
[search]
trials = 3
[latency]
calls = 50
"""


def keeping(folder):
    """A protocol that keeps weights in a folder."""
    return TrainingProtocol(
        Backbone(name="resnet8"), ImageTask(load_data(Digits(), folder)), RECIPE, "scratch", keeps=folder / "kept"
    )


def row(spelt="none", seed=0, **said):
    """What is known of a network before it is trained."""
    architecture = parse(spelt)
    return evaluation(key=architecture.key, architecture=spelt, params=1, macs=1, flops=1, seed=seed, **said)
