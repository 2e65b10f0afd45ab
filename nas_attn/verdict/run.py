"""Verdict of a study, after training what its most promising network has to be compared with."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path

from nas_attn.audit import write_frame
from nas_attn.backbones import scaled, wider
from nas_attn.chain import Chain
from nas_attn.evaluation import Costs, Evaluator, Workers
from nas_attn.results import Evaluation
from nas_attn.results.pictures import write_picture
from nas_attn.search import read_comparing, train_width_matched, write_comparing
from nas_attn.settings import FINAL, Backbone, Step, StudyFile, measure
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.study import WIDTH_MATCHED, OptunaStudy, StudyFolder, read_rows

from .conclusion import Conclusion
from .stored import VERDICT, concluded
from .thumbnails import keep_thumbnails

_SEEDS = 3  # at least, for noise to be known a little
_ROUNDS = 3  # in which another network may turn out to be the most promising one


@dataclass(frozen=True)
class Verdict:
    """What a study concludes, and where it is written."""

    conclusion: Conclusion
    sentences: Sequence[str]
    files: Sequence[Path]


def run_verdict(chain: Chain, seeds: int | None = None, minutes: float | None = None) -> Verdict:
    """Train what the most promising network of a study has to be compared with, and conclude.

    That is the plain backbone, itself without one of its placements at a time, and the backbone at the widths just
    below and just above its price, each with the same seeds: at least so many; without a number, as many as the final
    step of the chain has, and at least 3. Where another network is the most promising one afterwards, its turn comes,
    up to 3 times. Where none is promising, the one that loses least and the plain backbone get these seeds, so that
    noise is known, and no width-matched baseline is trained. `minutes` is what `conclude` says of that many more.

    Raises `InputError` where no network was trained as the winner will be, and as `Chain.run_step` does.
    """
    compared: set[str] = set()
    unmatched: list[str] = []
    found = _found(chain.folder, minutes)
    study = chain.study(chain.folder.file.final_step(1, 1).model_copy(update={"name": WIDTH_MATCHED}))
    leader = found.first(read_comparing(study))
    for _ in range(_ROUNDS):
        if leader is None:
            found = _seeded(chain, found, seeds)
            leader = found.leader
        if leader is None or leader.key in compared:
            break
        compared.add(leader.key)
        write_comparing(study, leader.key)
        unmatched = _compare(chain, study, found, leader, seeds)
        write_comparing(study, "")
        found, leader = _found(chain.folder, minutes), None
    keep_thumbnails(chain, found.conclusion)
    return _written(chain.folder, found.conclusion, unmatched)


def read_verdict(folder: StudyFolder, minutes: float | None = None) -> Verdict:
    """Verdict from the rows that are there.

    Raises `InputError` where no network was trained as the winner will be, or each of them with one seed.
    """
    found = _found(folder, minutes).conclusion
    if max(found.comparison.trainings.counts) < 2:
        raise InputError(
            f"{folder.path}: every network was trained with one seed, which shows nothing of noise; "
            f"`nas-attn verdict {folder.path} --seeds {_SEEDS}` trains what is needed with more"
        )
    return _written(folder, found, [])


@dataclass(frozen=True)
class _Found:
    """What is known at a time."""

    rows: Sequence[Evaluation]
    """Those of networks of the space that were trained as the winner will be."""
    conclusion: Conclusion
    minutes: float | None

    @property
    def leader(self) -> Evaluation | None:
        """The first training of the most promising network; None where none is promising."""
        return self.first(self.conclusion.leader)

    @property
    def best(self) -> Evaluation | None:
        """The first training of the network with attention that is likely to gain most, be it less than nothing."""
        found = self.conclusion.comparison
        return self.first(found.trainings.networks[found.order[0]].key) if found.order else None

    def pairs(self, seeds: int) -> bool:
        """Whether the plain backbone and another have so many rows each."""
        rows = Counter(row.key for row in self.rows)
        return min(rows.pop(Architecture().key, 0), max(rows.values(), default=0)) >= seeds

    def first(self, key: str | None) -> Evaluation | None:
        """The first training of a network; None where it was not trained."""
        rows = (row for row in self.rows if row.key == key and row.state == "complete")
        return min(rows, key=lambda row: row.seed, default=None)


def _found(folder: StudyFolder, minutes: float | None) -> _Found:
    rows = folder.full_rows()
    if not any(row.state == "complete" for row in rows):
        raise InputError(
            f"{folder.path}: no network was trained as the winner will be yet; `nas-attn search {folder.path}` does "
            f"so where the chain ends with {FINAL!r}, and `nas-attn audit {folder.path}` in any case"
        )
    return _Found(rows, concluded(folder, minutes), minutes)


def _written(folder: StudyFolder, found: Conclusion, unmatched: Sequence[str]) -> Verdict:
    """The conclusion as a table and, where there is a difference to draw, as a picture."""
    table, picture = folder.path / VERDICT, folder.path / "verdict.svg"
    write_frame(found.table.reset_index(), table)
    if found.drawn:
        write_picture(found.picture(), picture)
    return Verdict(found, (*found.sentences, *unmatched), (table, picture) if found.drawn else (table,))


def _seeded(chain: Chain, found: _Found, requested: int | None) -> _Found:
    """What is known once the plain backbone and the most promising one, or any where none is, have all their seeds."""
    seen: set[str] = set()
    while (first := found.leader or found.best) is not None and first.key not in seen:
        seen.add(first.key)
        networks, seeds = (Architecture(), parse(first.architecture)), _seeds(chain, found, first, requested)
        if found.leader is None and found.pairs(seeds):
            break
        if _train(chain, found, networks, seeds):
            found = _found(chain.folder, found.minutes)
    return found


def _compare(chain: Chain, study: OptunaStudy, found: _Found, leader: Evaluation, requested: int | None) -> list[str]:
    """Train what a network has to be compared with, and say why where some of it cannot be."""
    seeds = _seeds(chain, found, leader, requested)
    _train(chain, found, [*_without_one(chain.space, parse(leader.architecture))], seeds)
    return _compare_widths(chain, study, leader, seeds)


def _seeds(chain: Chain, found: _Found, leader: Evaluation, requested: int | None) -> int:
    """How many seeds everything has that is compared: at least as many as the leader or the plain backbone has."""
    file, keys = chain.folder.file, (leader.key, Architecture().key)
    had = [row.seed - file.seed + 1 for row in found.rows if row.key in keys]
    usual = max([_SEEDS, *(step.seeds for step in file.steps if step.name == FINAL)])
    return max(requested or usual, *had)


def _train(chain: Chain, found: _Found, networks: Sequence[Architecture], seeds: int) -> bool:
    """Train networks as the winner will be, for as many seeds, where they are not; whether any had to be."""
    file = chain.folder.file
    known = {(row.key, row.seed) for row in found.rows}
    wanted = range(file.seed, file.seed + seeds)
    missing = [each for each in networks if any((each.key, seed) not in known for seed in wanted)]
    if missing:
        chain.run_step(file.final_step(len(missing), seeds), missing)
    return bool(missing)


def _without_one(space: SearchSpace, architecture: Architecture) -> Iterable[Architecture]:
    """The architecture with one slot emptied at a time."""
    for slot in space.slots:
        sites = {site.name for site in slot.sites}
        left = tuple(placement for placement in architecture.placements if placement.site not in sites)
        if len(left) < len(architecture.placements):
            yield Architecture(left)


def _compare_widths(chain: Chain, study: OptunaStudy, leader: Evaluation, seeds: int) -> list[str]:
    """Train width-matched baselines at a network's prices, and say why where there are none."""
    name, widths = chain.backbone.name, wider(chain.backbone)
    if not widths:
        return [f"It is compared with no width-matched baseline, as {name} takes no `width`."]
    if chain.backbone.weights is not None:
        return [f"It is compared with no width-matched baseline, as the weights of {name} are of one width."]
    matching = _matching([_Plain(chain, share) for share in widths], leader, _prices(chain.folder.file))
    step = chain.folder.file.final_step(len(matching), seeds)
    if matching:
        chain.watch.on_step(step.model_copy(update={"name": "width-matched baselines"}))
    return [reason for done, plain in enumerate(matching) if (reason := plain.train(study, step, done))]


def _prices(file: StudyFile) -> list[str]:
    """FLOPs, and what else of a network's costs the study trades off or limits."""
    named = dict.fromkeys(("flops", *file.objectives, *file.budget.limits))
    return [name for name in named if measure(name).source != "learnt"]


@dataclass(frozen=True)
class _Plain:
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
            watch, protocol = self.chain.watch, replace(self._chain.protocol(step), keeps=None)
            with Workers(protocol, self.chain.jobs) if self.chain.jobs > 1 else nullcontext() as workers:
                evaluator = Evaluator(self._chain.timing, None, protocol, workers, watch.on_epoch)
                rows = [replace(row, seed=each) for each in missing]
                train_width_matched(study, rows, evaluator, lambda row: watch.on_row(row, done), self.chain.check_hold)
        return ""

    @property
    def _chain(self) -> Chain:
        """The chain of a study that asks the same of the other width."""
        timing = replace(self.chain.timing, backbone=self._backbone, beside=self.chain.timing)
        return replace(self.chain, backbone=self._backbone, timing=timing)

    @property
    def _backbone(self) -> Backbone:
        return scaled(self.chain.backbone, self.share)

    @property
    def _costs(self) -> Costs:
        return Costs(self._chain.timing, None, failures=self.chain.failures)


def _matching(plain: Sequence[_Plain], leader: Evaluation, prices: Iterable[str]) -> list[_Plain]:
    """By each price the most expensive that costs less than the leader, and the cheapest that does not, by width."""
    found: set[int] = set()
    for price in prices:
        wanted = float(leader[price])
        if math.isfinite(wanted):
            above = bisect_left(plain, wanted, key=methodcaller("price", price))
            found |= {above - 1, above} & {*range(len(plain))}
    return [plain[number] for number in sorted(found)]
