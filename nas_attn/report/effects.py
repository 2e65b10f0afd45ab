"""Map of what each kind adds in each slot: effect with interval, and what it costs there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nas_attn.drawing import Outline
from nas_attn.results import Slots
from nas_attn.settings import measure
from nas_attn.verdict import Conclusion


@dataclass(frozen=True, slots=True)
class Cell:
    """A kind in a slot."""

    what: str
    """`se at stage2`."""
    effect: str
    """What it adds where nothing stood; empty where that is not known."""
    interval: str
    decided: bool
    """Whether it surely adds or costs something."""
    strength: float
    """From -1, the strongest harm on the map, to 1."""
    cost: str
    networks: int
    """How many networks have it."""


@dataclass(frozen=True, slots=True)
class EffectsMap:
    """A line a kind, a column a slot."""

    unit: str
    slots: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    """Each kind with a cell for each slot; None where no network has it."""


def effects_map(said: Conclusion, outline: Outline, slots: Slots) -> EffectsMap | None:
    """What is known of each kind in each slot; None where nothing stands anywhere."""
    found = said.comparison
    effects = {one.what: one.gain for one in found.effects}
    having = [what for parts in found.parts for what in parts]
    names = sorted({*effects, *having}, key=lambda what: what.partition(" at ")[0])
    if not names:
        return None
    columns = [name for name, _ in slots] or sorted({what.partition(" at ")[2] for what in names})
    strongest = max([abs(gain.value) for gain in effects.values()], default=0.0) or 1.0

    def cell(kind: str, slot: str) -> Cell | None:
        what = f"{kind} at {slot}"
        if what not in names:
            return None
        gain = effects.get(what)
        cost = _cost(outline, kind, next((sites for name, sites in slots if name == slot), ()))
        if gain is None:
            return Cell(what, "", "", False, 0.0, cost, having.count(what))
        spelt = found.measure.difference
        return Cell(
            *(what, spelt(gain.value), f"{spelt(gain.low)} to {spelt(gain.high)}", gain.positive or gain.negative),
            gain.value / strongest,
            cost,
            having.count(what),
        )

    kinds = dict.fromkeys(what.partition(" at ")[0] for what in names)
    lines = tuple((kind, tuple(cell(kind, slot) for slot in columns)) for kind in kinds)
    return EffectsMap(found.measure.gain, tuple(columns), lines)


def _cost(outline: Outline, kind: str, sites: Sequence[str]) -> str:
    """FLOPs that a kind adds in a slot, at all its sites of one position: from its cheapest options to the others."""
    totals: Counter[tuple[str, str]] = Counter()
    for site in sites:
        for spelt, costs in outline.prices.get(site, {}).items():
            if spelt.partition("(")[0] == kind:
                totals[site.rpartition(".")[2], spelt] += costs[2]
    if not totals or not outline.plain[2]:
        return ""
    ends = min(totals.values()), max(totals.values())
    shares = dict.fromkeys(f"{100 * one / outline.plain[2]:.2g}" for one in ends)
    return f"+{' to '.join(shares)} % {measure('flops').word}"
