"""Verdict of a study, after training what its most promising network has to be compared with."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas_attn.audit import write_frame
from nas_attn.chain import Chain
from nas_attn.results import Evaluation
from nas_attn.results.pictures import write_picture
from nas_attn.search import read_comparing, write_comparing
from nas_attn.settings import FINAL
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.study import WIDTH_MATCHED, OptunaStudy, StudyFolder

from .claim_picture import claims_chart
from .conclusion import Conclusion
from .stored import VERDICT, concluded
from .thumbnails import keep_thumbnails
from .widths import matching, prices, widths_of

_SEEDS = 3  # at least, for noise to be known a little
_ROUNDS = 3  # in which another network may turn out to be the most promising one


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a study concludes, and where it is written."""

    conclusion: Conclusion
    sentences: Sequence[str]
    files: Sequence[Path]

    def __repr__(self) -> str:
        return f"Verdict({self.conclusion.finding!r}, {len(self.sentences)} sentences)"


def run_verdict(chain: Chain, seeds: int | None = None, minutes: float | None = None) -> Verdict:
    """Train what the most promising network of a study has to be compared with, and conclude.

    That is the plain backbone, itself without one of its placements at a time, and the backbone at the widths just
    below and just above its price, each with the same seeds: at least so many; without a number, as many as the final
    step of the chain has, and at least 3, or one for each fold. Where another network is the most promising one
    afterwards, its turn comes, up to 3 times. Where none is promising, the one that loses least and the plain backbone
    get these seeds, so that noise is known, and no width-matched baseline is trained. `minutes` is what `conclude` says
    of that many more.

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
    """The conclusion as a table and, where there is a difference to draw, as pictures."""
    table, picture, claims = (folder.path / name for name in (VERDICT, "verdict.svg", "claims.svg"))
    write_frame(found.table.reset_index(), table)
    if found.drawn:
        write_picture(found.picture(), picture)
    if compared := any(not one.reason for one in found.claims):
        write_picture(claims_chart(found.claims), claims)
    written = [table, *([picture] if found.drawn else []), *([claims] if compared else [])]
    return Verdict(found, (*found.sentences, *unmatched), written)


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
    usual = max([_SEEDS, file.folds, *(step.seeds for step in file.steps if step.name == FINAL)])
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
    widths, reason = widths_of(chain)
    if reason:
        return [reason]
    near = matching(widths, leader, prices(chain.folder.file))
    step = chain.folder.file.final_step(len(near), seeds)
    if near:
        chain.watch.on_step(step.model_copy(update={"name": "width-matched baselines"}))
    return [reason for done, plain in enumerate(near) if (reason := plain.train(study, step, done))]
