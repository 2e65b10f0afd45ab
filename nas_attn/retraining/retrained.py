"""A network that was trained for good with several seeds, beside the plain backbone and a width-matched baseline."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nas_attn.results import Evaluation, across_seeds
from nas_attn.settings import MEASURES, Measure, measure
from nas_attn.space import InputError, allowed, present_key
from nas_attn.statistics import Estimate
from nas_attn.study import StudyFolder, read_picks, read_rows, read_tested
from nas_attn.verdict.pair import by_seed, paired


@dataclass(frozen=True, slots=True)
class Retrained:
    """What is known of networks that were trained for good, the picked one first."""

    pick: str
    """The key of the picked one."""
    rows: Sequence[Evaluation]
    """Of each network and seed, with the learnt measures of the hold-out part."""
    tested: Sequence[Evaluation]
    """The same with those of the test part; none where there is no such part."""
    test_images: int
    leading: Measure
    """What is ranked and judged."""
    earlier: Sequence[str] = ()
    """The keys of other networks that were picked before, and judged by the same test part."""

    @property
    def chosen(self) -> Evaluation:
        """The training of the picked network that does best on the hold-out part, whatever the test part says."""
        ranks = dict.fromkeys((self.ranked.name, self.leading.name))
        own = [row for row in self.rows if row.key == self.pick and row.state == "complete"]
        return max(own, key=lambda row: ([_known(measure(name).sign * row[name]) for name in ranks], -row.seed))

    @property
    def ranked(self) -> Measure:
        """The measure of the hold-out part by which a training is chosen."""
        return measure(self.leading.ranked_by or self.leading.name)

    @property
    def networks(self) -> Sequence[Evaluation]:
        """A row a network: the means of the test part over its seeds, with their standard deviations."""
        return across_seeds(self.tested or self.rows)

    @property
    def own(self) -> Evaluation | None:
        """What the test part says of the chosen training; None where there is no such part."""
        chosen = self.chosen
        return next((row for row in self.tested if (row.key, row.seed) == (chosen.key, chosen.seed)), None)

    def word(self, row: Evaluation) -> str:
        """What a network is trained for."""
        if row.key == self.pick:
            return "picked"
        return "width-matched baseline" if row.role == "width-matched" else "plain backbone"

    def sentences(self) -> list[str]:
        """What the picked network gains over each other, and whether the test part has judged others before."""
        one, said = self.leading, []
        part = "on the hold-out part" if self._judging is self.rows else f"on {self.test_images} test images"
        for other, gain in self.gains():
            found = f"{one.difference(gain.value)} {one.points}".rstrip()
            sure = "one seed, which says nothing of noise"
            if not math.isnan(gain.low):
                sure = f"95 % interval {one.difference(gain.low)} to {one.difference(gain.high)}, for other seeds"
            said.append(f"{one.word} gained over the {self.word(other)}, {other.key}: {found} {part} ({sure})")
        if self.earlier:
            said.append(f"the test part has judged {', '.join(self.earlier)} too, so that it is none to choose by")
        return said

    @property
    def _judging(self) -> Sequence[Evaluation]:
        """The rows of the test part, or of the hold-out part where a test part has nothing of the leading measure."""
        return self.tested if any(self.leading.name in row.measures for row in self.tested) else self.rows

    def gains(self) -> Iterator[tuple[Evaluation, Estimate]]:
        """Each other network, with how much more the picked one has of the leading measure, over the seeds of both."""
        found = self._judging
        mine = by_seed([row for row in found if row.key == self.pick], self.leading.name)
        for other in self.networks:
            theirs = by_seed([row for row in found if row.key == other.key], self.leading.name)
            gain = paired(mine, theirs)
            if other.key != self.pick and gain is not None:
                yield other, gain


def read_retrained(folder: StudyFolder, which: str | None = None) -> Retrained | None:
    """What is known of the network with this key, or of the last that was picked; None where none was trained.

    Raises `InputError` for a key that was not trained for good, where others were.
    """
    study = folder.retrained()
    picks = {} if study is None else read_picks(study)
    if study is None or not picks:
        return None
    key = present_key(which or [*picks][-1])
    if key not in picks:
        raise InputError(f"pick: found {key!r}, which was not trained for good; {allowed(key, picks)}")
    rows, tested = read_rows(study), read_tested(study)
    keys = [key, *picks[key]]
    known = [row for name in keys for row in rows.values() if row.key == name]
    if not any(row.key == key and row.state == "complete" for row in known):
        return None
    unknown = {name: math.nan for name, one in MEASURES.items() if one.source == "learnt"}
    judged = [row.but(**{**unknown, **tested[row.key, row.seed][0]}) for row in known if (row.key, row.seed) in tested]
    images = max((count for _, count in tested.values()), default=0)
    earlier = [other for other in picks if other not in keys and any(name == other for name, _ in tested)]
    return Retrained(key, known, judged, images, folder.file.leading, earlier)


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value
