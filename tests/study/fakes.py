"""A space and an evaluator that cost nothing, so that a search can be watched."""

from dataclasses import replace

from nas_attn.results import Evaluation
from nas_attn.settings import ImageFacts, StudyFile
from nas_attn.space import Kind, SearchSpace, Site, Slot, parse
from nas_attn.study import Search, begin_study, find_study, write_asked

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
    """Knows everything from the placements; remembers what it was asked."""

    def __init__(self, fails=(), stops_at=None, predicts=False):
        self.counted, self.timed, self.measured, self.trained = [], [], [], []
        self.predicts = predicts
        self.fails = fails
        self.stops_at = stops_at

    def count(self, architecture):
        self.counted.append(str(architecture))
        extra = 100 * len(architecture.placements)
        return Evaluation(
            key=architecture.key,
            architecture=str(architecture),
            params=1000 + extra,
            macs=5000 + extra,
            flops=10_000 + 2 * extra,
            latency_ms=float("nan"),
            latency_iqr_ms=float("nan"),
            latency_calls=0,
            latency_device="",
            latency_threads=1,
            latency_batch=1,
            latency_dtype="",
        )

    def time(self, row):
        self.timed.append(row.architecture)
        latency_ms = 1.0 + 0.1 * len(parse(row.architecture).placements)
        timed = replace(row, latency_ms=latency_ms, latency_iqr_ms=0.01, latency_calls=300, latency_device="fake")
        return replace(timed, latency_source="predicted") if self.predicts else timed

    def measure(self, row):
        """Half a millisecond more than was predicted, for everything with a gate."""
        self.measured.append(row.architecture)
        more = 0.5 * ("gate" in row.architecture)
        return replace(row, latency_ms=row.latency_ms + more, latency_source="measured")

    def train(self, row):
        if self.stops_at == len(self.trained):
            self.stops_at = None
            raise KeyboardInterrupt
        self.trained.append(row.architecture)
        if any(part in row.architecture for part in self.fails):
            return replace(row, state="failed", reason="the loss is not finite")
        return replace(row, state="complete", accuracy=0.5 + int(row.key, 16) % 1000 / 2500, loss=1.0)


def study_file(**tables):
    return StudyFile.model_validate({"space": "space.toml", "search": {"sampler": "random"}, **tables})


def search(folder, evaluator, *, file=None, over=None, on_row=lambda row, trained: None):
    """A search on the study of this folder, begun where it was not."""
    file, over = file or study_file(), over or space()
    study = find_study(folder, None) or begin_study(folder, None, file.objectives)
    write_asked(study, {"objectives": file.objectives, "seed": file.seed}, over, FACTS)
    return Search(study, over, file, evaluator, on_row)
