"""The commands that say what there is to choose from, and what it costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_attn.space import InputError

from .priced import is_file_or_study, priced
from .showing import show, show_network, spelt

if TYPE_CHECKING:
    from nas_attn.assembly import SpaceFile
    from nas_attn.evaluation import Ledger
    from nas_attn.pricing import SpacePrices
    from nas_attn.settings import Backbone
    from nas_attn.space import SearchSpace

_MEASURES = ("params", "macs", "flops")
_Image = Annotated[
    str | None, typer.Option(help="Channels, height and width of an image, such as 3x224x224.", metavar="CxHxW")
]
_Classes = Annotated[int | None, typer.Option(min=2, max=1_000_000, help="Classes to tell apart.")]
_Most = Annotated[int | None, typer.Option(min=1, help="Show the share of the networks that have no more.")]


def kinds(
    kind: Annotated[
        str | None, typer.Argument(help="One of them, or your own: my_package.blocks:MyAttention.", metavar="KIND")
    ] = None,
) -> None:
    """List the kinds of attention: allowed positions, options with the paper's defaults, parameters, and the paper.

    In the formulas C is the number of channels, G that of a gating signal, m or n the width of a hidden layer,
    C // reduction, and k the kernel size. A kind may be given `position`, one or more of those allowed, the paper's own
    place first, `start` (paper, identity) and `slots`. With KIND, see that it can be used, and show it alone.
    """
    if kind is None:
        from nas_attn.attention.catalogue import listing  # what is said of the kinds is read without torch

        for number, (head, rows) in enumerate(listing()):
            typer.echo("\n" if number else "", nl=False)
            show(head, rows)
        return
    from nas_attn.attention import attention_class, check_attention, details

    remarks = check_attention(kind)
    show(("kind", kind), [*details(attention_class(kind)), *_cost(kind)])
    for remark in remarks:
        typer.echo(remark)


def _cost(kind: str) -> Iterator[tuple[str, str]]:
    """What somebody else's class costs where it works; raises `InputError` for an operator without a price."""
    from nas_attn.attention import attention_class, construct, fitting_situation, is_own
    from nas_attn.cost import count

    found = fitting_situation(kind) if is_own(kind) else None
    if found is not None:
        made = attention_class(kind)
        shapes = found.shapes(bool(getattr(made, "gated", False)))
        cost = count(construct(made, found.widths, found.options), *(shape[1:] for shape in shapes))
        yield f"MACs of {_by(shapes[0][1:])}", f"{cost.macs:,}"
        yield f"FLOPs of {_by(shapes[0][1:])}", f"{cost.flops:,}"


def sites(
    network: Annotated[
        str,
        typer.Argument(
            help="resnet20, timm:resnet50, torchvision:vgg16, my_package.nets:make_net; a space file, or a study.",
            metavar="NETWORK",
        ),
    ],
    image: _Image = None,
    classes: _Classes = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw it instead, from input to output, with the size of every map.")
    ] = False,
    architecture: Annotated[
        str, typer.Option(help="What stands where in the drawing, as rows spell it.", metavar="SPELLING")
    ] = "none",
    picture: Annotated[Path | None, typer.Option(help="Write the drawing to this SVG file.", metavar="FILE")] = None,
) -> None:
    """List the places of a network where attention may stand, by the names that space files and architectures use.

    The places of a network that was not written for attention are found by running it once: at the end of residual
    branches, before their last convolution, before the branch, after blocks and after stages.
    """
    from nas_attn.evaluation import open_ledger

    backbone, size, number, own, remarks = _network(network, image, classes)
    ledger = open_ledger(backbone, size, number)
    if draw or picture is not None:
        show_network(ledger, architecture, picture)
        return
    blocks, stages = ({getattr(site, of) for site in ledger.sites.values()} for of in ("block", "stage"))
    params, macs, _ = spelt(ledger.plain, _MEASURES)
    typer.echo(f"{backbone.name}: {len(ledger.sites)} places in {len(blocks)} blocks of {len(stages)} stages")
    typer.echo(f"{params} parameters and {macs} MACs for an image of {_by(size)} and {number} classes")
    for remark in remarks:
        typer.echo(remark)
    _tell_what_was_found(backbone, size, number)
    _tell_how_it_leaves(backbone, own, size, number)
    typer.echo()
    _show_sites(ledger)


def _network(
    network: str, image: str | None, classes: int | None
) -> tuple["Backbone", tuple[int, int, int], int, tuple[str, ...], tuple[str, ...]]:
    """The backbone that is named, for which image and classes, with which kinds, and where that comes from."""
    from nas_attn.settings import Backbone

    given = None if image is None else _image(image)
    if is_file_or_study(network):
        found = priced(Path(network), given, classes)
        return found.said.backbone, found.image, found.classes, found.space.kinds, found.remarks
    missing = [name for name, value in (("--image", image), ("--classes", classes)) if value is None]
    remarks = (f"Assumed without {' and '.join(missing)}; a study's folder has its own",) if missing else ()
    return Backbone(name=network), given or (3, 224, 224), classes or 1000, (), remarks


def space(
    file: Annotated[Path, typer.Argument(help="A search-space file, or a study's folder.", metavar="FILE")],
    image: _Image = None,
    classes: _Classes = None,
    max_params: _Most = None,
    max_macs: _Most = None,
    max_flops: _Most = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the distribution of every measure: .png, .svg or .html.", metavar="FILE")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write networks with their prices: all, or 100,000 drawn at random.", metavar="FILE"),
    ] = None,
) -> None:
    """Show what may be chosen in a search space, how many networks that is, and what they cost.

    The cheapest and the most expensive network and the number of networks are exact, and so is the distribution unless
    it says that it is sampled. The last table prices the baselines: no attention anywhere, and each kind everywhere.
    """
    from nas_attn.evaluation import open_ledger

    found = priced(file, None if image is None else _image(image), classes)
    said, space, size, number = found.said, found.space, found.image, found.classes
    ledger = open_ledger(said.backbone, size, number)
    prices = ledger.space_prices(space)
    _tell_choices(file, said, space)
    for remark in found.remarks:
        typer.echo(remark)
    _tell_what_was_found(said.backbone, size, number)
    _tell_how_it_leaves(said.backbone, space.kinds, size, number)
    what = f"for one image of {_by(size)} and {number} classes"
    _tell_prices(space, prices, what)
    limits = {"params": max_params, "macs": max_macs, "flops": max_flops}
    _tell_share(prices, {measure: limit for measure, limit in limits.items() if limit is not None})
    _tell_baselines(ledger, space)
    if picture is not None:
        _draw(prices, f"What the {space.size:,} networks of {file.name} cost", f"{said.backbone.name}, {what}", picture)
    if csv is not None:
        _write_table(ledger, space, csv)


def _write_table(ledger: "Ledger", space: "SearchSpace", csv: Path) -> None:
    from nas_attn.space import write_whole

    table = ledger.table(space)
    write_whole(csv, table.to_csv().encode())
    typer.echo(f"Written: {csv}  ({len(table):,} of {space.size:,} networks)")


def _draw(prices: "SpacePrices", title: str, subtitle: str, picture: Path) -> None:
    from nas_attn.pricing.pictures import space_chart
    from nas_attn.results.pictures import write_picture

    known = {name: prices.distribution(name) for name in _MEASURES}
    write_picture(space_chart(prices, known, title, subtitle), picture)
    typer.echo(f"Written: {picture}")


def _show_sites(ledger: "Ledger") -> None:
    head = ("site", "channels", "size", "signal", "module")
    rows = []
    for site in ledger.sites.values():
        features, signal = next(iter(ledger.passes[site.name]), ((), ()))  # nothing, where no image ever comes by
        rows.append((site.name, str(site.channels), _by(features[1:]), _by(signal), site.module))
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


def _tell_what_was_found(backbone: "Backbone", image: tuple[int, int, int], classes: int) -> None:
    from nas_attn.backbones import is_foreign, plan

    if not is_foreign(backbone.name):
        return
    planned = plan(backbone, in_channels=image[0], classes=classes)
    for remark in planned.remarks:
        typer.echo(remark)
    if own := planned.own_attention:
        shown = ", ".join([*own[:3], *(["..."] if len(own) > 3 else [])])
        done = 'kept; attention = "strip" in the space file removes it' if backbone.attention == "keep" else "stripped"
        typer.echo(f"It has attention of its own, {len(own)} modules ({shown}): {done}")


def _tell_how_it_leaves(
    backbone: "Backbone", kinds: tuple[str, ...], image: tuple[int, int, int], classes: int
) -> None:
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


def _by(numbers: tuple[int, ...]) -> str:
    return " x ".join(map(str, numbers))


def _image(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise InputError(f"--image: found {text!r}; allowed: channels, height and width, such as 3x224x224")
    channels, height, width = map(int, parts)
    return channels, height, width
