"""What `sites` and `space` print."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .showing import show, spelt

if TYPE_CHECKING:
    from nas_attn.assembly import SpaceFile
    from nas_attn.evaluation import Ledger
    from nas_attn.pricing import SpacePrices
    from nas_attn.settings import Backbone
    from nas_attn.space import SearchSpace

_MEASURES = ("params", "macs", "flops")


def tell_sites(backbone: "Backbone", ledger: "Ledger", remarks: Iterable[str], kinds: tuple[str, ...]) -> None:
    """A network with its places."""
    blocks, stages = ({getattr(site, of) for site in ledger.sites.values()} for of in ("block", "stage"))
    params, macs, _ = spelt(ledger.plain, _MEASURES)
    typer.echo(f"{backbone.name}: {len(ledger.sites)} places in {len(blocks)} blocks of {len(stages)} stages")
    typer.echo(f"{params} parameters and {macs} MACs for an image of {by(ledger.image)} and {ledger.classes} classes")
    for line in remarks:
        typer.echo(line)
    tell_how_it_leaves(backbone, kinds, ledger.image, ledger.classes)
    typer.echo()
    _show_sites(ledger)


def tell_space(
    file: Path,
    said: "SpaceFile",
    space: "SearchSpace",
    ledger: "Ledger",
    prices: "SpacePrices",
    limits: dict[str, int],
    remarks: Iterable[str],
) -> None:
    """A space with its choices, prices and baselines."""
    _tell_choices(file, said, space)
    for line in remarks:
        typer.echo(line)
    tell_how_it_leaves(said.backbone, space.kinds, ledger.image, ledger.classes)
    _tell_prices(space, prices, f"for one image of {by(ledger.image)} and {ledger.classes} classes")
    _tell_share(prices, limits)
    _tell_baselines(ledger, space)


def _show_sites(ledger: "Ledger") -> None:
    head = ("site", "channels", "size", "signal", "module")
    rows = []
    for site in ledger.sites.values():
        features, signal = next(iter(ledger.passes[site.name]), ((), ()))  # nothing, where no image ever comes by
        rows.append((site.name, str(site.channels), by(features[1:]), by(signal), site.module))
    columns = len(head) if any(site.module for site in ledger.sites.values()) else len(head) - 1
    show(head[:columns], (row[:columns] for row in rows))


def _tell_baselines(ledger: "Ledger", space: "SearchSpace") -> None:
    costs = [(architecture, ledger.price(architecture)) for architecture in space.baselines()]
    plain = costs[0][1].flops
    typer.echo("\nThe baselines:\n")
    rows = ((*spelt(cost, _MEASURES), f"{cost.flops / plain - 1:+.2%}", str(a)) for a, cost in costs)
    show(("params", "MACs", "FLOPs", "more FLOPs", "baseline"), rows)


def _tell_choices(file: Path, said: "SpaceFile", space: "SearchSpace") -> None:
    from nas_attn.space import fold, spell_value

    kinds: dict[str, list[Any]] = {}
    for slot in space.slots:
        for kind in slot.kinds:
            offered = (f"{question}={'|'.join(map(spell_value, values))}" for question, values in kind.questions)
            text = f"{kind.name}({', '.join(offered)})"
            kinds.setdefault(text, []).append(slot.name)
    networks = f"{space.size:,} network{'s' if space.size > 1 else ''}"
    ways = f" that differ, of {space.spellings:,} ways to choose" if space.spellings > space.size else ""
    slots = f"{len(space.slots)} slot{'s' if len(space.slots) > 1 else ''} (one a {said.per})"
    typer.echo(f"{file}: {said.backbone.name}, {slots}, {networks}{ways}\n")
    show(("what may stand there", "slots"), ((text, ", ".join(fold(slots))) for text, slots in kinds.items()))
    for remark in space.remarks:
        typer.echo(remark)


def found_outside(backbone: "Backbone", image: tuple[int, int, int], classes: int) -> Iterator[str]:
    """What there is to know of a network from outside."""
    from nas_attn.backbones import is_foreign, plan

    if not is_foreign(backbone.name):
        return
    planned = plan(backbone, in_channels=image[0], classes=classes)
    yield from planned.remarks
    if own := planned.own_attention:
        shown = ", ".join([*own[:3], *(["..."] if len(own) > 3 else [])])
        done = 'kept; attention = "strip" in the space file removes it' if backbone.attention == "keep" else "stripped"
        yield f"It has attention of its own, {len(own)} modules ({shown}): {done}"


def tell_how_it_leaves(backbone: "Backbone", kinds: tuple[str, ...], image: tuple[int, int, int], classes: int) -> None:
    """How a network leaves the study, and what is to be known of it."""
    from nas_attn.export import leaving

    leaves = leaving(backbone, kinds, in_channels=image[0], classes=classes)
    for line in (str(leaves), *leaves.remarks):
        typer.echo(line)


def _tell_prices(space: "SearchSpace", prices: "SpacePrices", what: str) -> None:
    import numpy as np

    from nas_attn.pricing import filled
    from nas_attn.pricing.pictures import bars
    from nas_attn.settings import measure

    def row(name: str, plain: int) -> Iterator[str]:
        known = prices.distribution(name)
        quartiles = [known.quantile(share) for share in (0.25, 0.5, 0.75)]
        yield _TITLES[name] + (" (sampled)" if known.sampled else "")
        yield from (measure(name).spell(value) for value in (plain, known.lowest, *quartiles, known.highest))
        yield bars([share for _, _, share in known.histogram(30)])

    typer.echo(f"\nWhat they cost, {what}:\n")
    quarters = ("a quarter up to", "half up to", "three quarters up to")
    head = ("", "plain", "cheapest", *quarters, "most expensive", "how many")
    show(head, (tuple(row(*pair)) for pair in zip(_MEASURES, prices.plain.tolist(), strict=True)))
    ends = np.array([prices.extreme("flops", highest=highest) for highest in (False, True)])
    typer.echo()
    for word, architecture in zip(("fewest", "most"), filled(space, ends), strict=True):
        typer.echo(f"{word} FLOPs: {architecture}")


def _tell_share(prices: "SpacePrices", limits: dict[str, int]) -> None:
    if not limits:
        return
    share = prices.within(limits)
    said = " and ".join(f"{limit:,} {_TITLES[name]}" for name, limit in limits.items())
    found = f"{share.holds:,} of {share.of:,}" + (f" drawn, standard error {share.error:.2%}" if share.sampled else "")
    typer.echo(f"\nAt most {said}: {share.share:.2%} of the networks ({found})")


_TITLES = {"params": "parameters", "macs": "MACs", "flops": "FLOPs"}


def by(numbers: tuple[int, ...]) -> str:
    """A size, as people write it: `3 x 224 x 224`."""
    return " x ".join(map(str, numbers))
