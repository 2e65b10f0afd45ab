"""Width-matched baselines: the plain backbone of a study at the widths around a network's prices."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import methodcaller
from pathlib import Path

from nas_attn.backbones import scaled, wider
from nas_attn.chain import Chain
from nas_attn.evaluation import Costs, Evaluator, workers
from nas_attn.results import Evaluation
from nas_attn.search import train_width_matched
from nas_attn.settings import FINAL, Backbone, Step, StudyFile, measure
from nas_attn.space import Architecture
from nas_attn.study import OptunaStudy, Unwritten, read_rows


def widths_of(chain: Chain) -> "tuple[list[Widened], str]":
    """The plain backbone of a study at other widths, the narrowest first; where there are none, a sentence on why."""
    name, shares = chain.backbone.name, wider(chain.backbone)
    if not shares:
        return [], f"It is compared with no width-matched baseline, as {name} takes no `width`."
    if chain.backbone.weights is not None:
        return [], f"It is compared with no width-matched baseline, as the weights of {name} are of one width."
    return [Widened(chain, share) for share in shares], ""


def prices(file: StudyFile) -> list[str]:
    """FLOPs, and what else of a network's costs the study trades off or limits."""
    named = dict.fromkeys(("flops", *file.objectives, *file.budget.limits))
    return [name for name in named if measure(name).source != "learnt"]


@dataclass(frozen=True)
class Widened:
    """The backbone of a study without attention, at another width."""

    chain: Chain
    share: float
    """Of the width that it has in the study."""

    def row(self, timed: bool = True) -> Evaluation:
        """What it costs; its latency is measured in turn with that of the study's own plain backbone."""
        costs = self._costs
        row = replace(costs.count(Architecture()), key=f"width={self.share:g}", role="width-matched", step=FINAL)
        return costs.measure(row) if timed else row

    def price(self, name: str) -> float:
        """What it costs by one measure; NaN where it is not known."""
        return float(self.row(timed=measure(name).source == "timed")[name])

    def train(self, study: OptunaStudy, step: Step, done: int) -> str:
        """Train it for the seeds that have no row yet, and say why it cannot be, where it cannot.

        `done` is how many others are trained before.
        """
        row, seed, known = self.row(), self.chain.folder.file.seed, read_rows(study)
        if row.state == "failed":
            return f"{row.key} is trained as no baseline: {row.reason}."
        missing = [each for each in range(seed, seed + step.seeds) if (row.key, each) not in known]
        if missing:
            on_row = self.chain.watch.on_row
            self.train_rows(study, step, [replace(row, seed=each) for each in missing], lambda row: on_row(row, done))
        return ""

    def train_rows(
        self,
        study: OptunaStudy,
        step: Step,
        rows: Iterable[Evaluation],
        on_row: Callable[[Evaluation], None],
        keeps: Path | None = None,
    ) -> None:
        """Train it for the seed of each row; the weights are kept where there is a folder for them."""
        protocol = replace(self._chain.protocol(step), keeps=keeps)
        with workers(protocol, self.chain.jobs) as pool:
            evaluator = Evaluator(self._chain.timing, None, protocol, pool, self.chain.watch.on_epoch)
            store, unwritten = partial(self.chain.store, protocol), Unwritten.of(self.chain.folder.path, study)
            train_width_matched(study, rows, evaluator, on_row, self.chain.reservations, store, unwritten)

    @property
    def _chain(self) -> Chain:
        """The chain of a study that asks the same of the other width."""
        timing = replace(self.chain.timing, backbone=self.backbone, beside=self.chain.timing)
        return replace(self.chain, backbone=self.backbone, timing=timing)

    @property
    def backbone(self) -> Backbone:
        """Of this width."""
        return scaled(self.chain.backbone, self.share)

    @property
    def _costs(self) -> Costs:
        return Costs(self._chain.timing, None, failures=self.chain.failures)


def matching(plain: Sequence[Widened], leader: Evaluation, prices: Iterable[str]) -> list[Widened]:
    """By each price the most expensive that costs less than the leader, and the cheapest that does not, by width."""
    found: set[int] = set()
    for price in prices:
        wanted = float(leader[price])
        if math.isfinite(wanted):
            above = bisect_left(plain, wanted, key=methodcaller("price", price))
            found |= {above - 1, above} & {*range(len(plain))}
    return [plain[number] for number in sorted(found)]
