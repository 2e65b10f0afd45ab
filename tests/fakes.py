"""A space and an evaluator that cost nothing, so that a search can be watched."""

import random
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from nas_attn.pricing import SpacePrices
from nas_attn.results import evaluation
from nas_attn.search import Search
from nas_attn.settings import ImageFacts, StudyFile
from nas_attn.space import Kind, SearchSpace, Site, Slot, former_key, parse
from nas_attn.study import begin_study, find_study, write_question

FACTS = ImageFacts(1, 8, 8, ("zero", "one"), (0.5,), (0.25,))


def space(stages=3, ratios=(4, 8)):
    """`stages` slots of one site, each empty, or filled by `se` with a ratio, or by `gate`."""
    kinds = (Kind("se", (("reduction", tuple(ratios)),)), Kind("gate"))
    return SearchSpace(
        tuple(
            Slot(f"stage{n}", (Site(f"stage{n}.block0.branch", f"stage{n}", f"stage{n}.block0", "branch", 16),), kinds)
            for n in range(1, stages + 1)
        )
    )


class FakeEvaluator:
    """Knows everything from the placements; remembers the calls."""

    jobs = 1

    def __init__(self, fails=(), stops_at=None, predicts=False):
        self.counted, self.timed, self.measured, self.trained = [], [], [], []
        self.predicts = predicts
        self.fails = fails
        self.stops_at = stops_at

    def prices(self, over):
        """What `count` adds for each filling of each slot."""
        placed = [np.array([[len(filling)] for filling in slot.fillings()]) for slot in over.slots]
        return SpacePrices(np.array([1000, 5000, 10_000]), tuple(100 * some * [1, 1, 2] for some in placed))

    def count(self, architecture):
        self.counted.append(str(architecture))
        extra = 100 * len(architecture.placements)
        return evaluation(
            key=architecture.key,
            architecture=str(architecture),
            params=1000 + extra,
            macs=5000 + extra,
            flops=10_000 + 2 * extra,
        )

    def time(self, row):
        self.timed.append(row.architecture)
        latency_ms = 1.0 + 0.1 * len(parse(row.architecture).placements)
        timed = row.but(latency_ms=latency_ms, latency_iqr_ms=0.01, latency_calls=300, latency_device="fake")
        return timed.but(latency_source="predicted") if self.predicts else timed

    def measure(self, row):
        """Half a millisecond more than was predicted, for everything with a gate."""
        self.measured.append(row.architecture)
        more = 0.5 * ("gate" in row.architecture)
        return row.but(latency_ms=row["latency_ms"] + more, latency_source="measured")

    def train(self, row):
        if self.stops_at == len(self.trained):
            self.stops_at = None
            raise KeyboardInterrupt
        self.trained.append(row.architecture)
        future = Future()
        future.set_result(self.result(row))
        return future

    def result(self, row):
        """What training finds: accuracies that differ by key, and by a thousandth from seed to seed."""
        if any(part in row.architecture for part in self.fails):
            return replace(row, state="failed", reason="the loss is not finite")
        accuracy = 0.5 + int(former_key(row.key), 16) % 1000 / 2500 + row.seed / 1000
        return row.but(state="complete", accuracy=accuracy, loss=1.0, train_loss=0.5, train_seconds=2.0)


class Noisy(FakeEvaluator):
    """Accuracies that differ by network, by seed, and by a noise of both."""

    def __init__(self, noise, stops_at=None):
        super().__init__(stops_at=stops_at)
        self.noise = noise

    def result(self, row):
        noise = random.Random(f"{former_key(row.key)} {row.seed}").gauss(0, self.noise)
        mean = 0.5 + int(former_key(row.key), 16) % 1000 / 2500
        return super().result(row).but(accuracy=min(1.0, max(0.0, mean + 0.01 * row.seed + noise)))


def study_file(**tables):
    return StudyFile.model_validate({"space": "space.toml", "search": {"sampler": "random"}, **tables})


def begun(folder, file=None, over=None, step="final"):
    """The study of this folder's step, begun where it was not."""
    file = file or study_file()
    study = find_study(folder, None, step) or begin_study(folder, None, file.objectives, step)
    write_question(study, {"objectives": file.objectives, "seed": file.seed}, over or space(), FACTS)
    return study


def search(folder, evaluator, *, file=None, over=None, on_row=lambda row, trained: None, given=None):
    """A search of the last step of the study of this folder, begun where it was not."""
    file, over = file or study_file(), over or space()
    study = begun(folder, file, over, file.steps[-1].name)
    return Search(study, over, file, file.steps[-1], evaluator, on_row, given)
