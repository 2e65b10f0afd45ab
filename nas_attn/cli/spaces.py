"""The commands that say what there is to choose from, and what it costs."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas_attn.space import InputError

from .places import by, found_outside, tell_sites, tell_space
from .priced import is_file_or_study, priced
from .records import sites_record, space_record
from .reporting import AsJson, print_json
from .showing import show, show_network

if TYPE_CHECKING:
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
    as_json: AsJson = False,
) -> None:
    """List the kinds of attention: allowed positions, options with the paper's defaults, parameters, and the paper.

    In the formulas C is the number of channels, G that of a gating signal, m or n the width of a hidden layer,
    C // reduction, and k the kernel size. A kind may be given `position`, one or more of those allowed, the paper's own
    place first, `start` (paper, identity) and `slots`. With KIND, see that it can be used, and show it alone.
    """
    if kind is None:
        from nas_attn.attention.catalogue import (
            descriptions,
            listing,
        )  # what is said of the kinds is read without torch

        if as_json:
            print_json({"kinds": [{"kind": name, **asdict(known)} for name, known in descriptions().items()]}, indent=1)
            return
        for number, (head, rows) in enumerate(listing()):
            typer.echo("\n" if number else "", nl=False)
            show(head, rows)
        return
    from nas_attn.attention import attention_class, check_attention, details

    remarks = check_attention(kind)
    facts = dict((*details(attention_class(kind)), *_cost(kind)))
    if as_json:
        print_json({"kind": kind, **facts, "remarks": remarks}, indent=1)
        return
    show(("kind", kind), facts.items())
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
        yield f"MACs of {by(shapes[0][1:])}", f"{cost.macs:,}"
        yield f"FLOPs of {by(shapes[0][1:])}", f"{cost.flops:,}"


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
    as_json: AsJson = False,
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
    outside = (*remarks, *found_outside(backbone, size, number))
    if as_json:
        print_json(sites_record(backbone, ledger, outside), indent=1)
        return
    tell_sites(backbone, ledger, outside, own)


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
    as_json: AsJson = False,
) -> None:
    """Show what may be chosen in a search space, how many networks that is, and what they cost.

    The cheapest and the most expensive network and the number of networks are exact, and so is the distribution unless
    it says that it is sampled. The last table prices the baselines: no attention anywhere, and each kind everywhere.
    """
    from nas_attn.evaluation import open_ledger

    found = priced(file, None if image is None else _image(image), classes)
    said, space, size, number = found.said, found.space, found.image, found.classes
    ledger = open_ledger(said.backbone, size, number)
    prices, most = ledger.space_prices(space), {"params": max_params, "macs": max_macs, "flops": max_flops}
    limits = {measure: limit for measure, limit in most.items() if limit is not None}
    remarks = (*found.remarks, *found_outside(said.backbone, size, number))
    if as_json:
        print_json(space_record(said, space, ledger, prices, limits, (*space.remarks, *remarks)), indent=1)
    else:
        tell_space(file, said, space, ledger, prices, limits, remarks)
    if picture is not None:
        what = f"{said.backbone.name}, for one image of {by(size)} and {number} classes"
        _draw(prices, f"What the {space.size:,} networks of {file.name} cost", what, picture)
        typer.echo(f"Written: {picture}", err=as_json)
    if csv is not None:
        number = _write_table(ledger, space, csv)
        typer.echo(f"Written: {csv}  ({number:,} of {space.size:,} networks)", err=as_json)


def _write_table(ledger: "Ledger", space: "SearchSpace", csv: Path) -> int:
    from nas_attn.space import write_whole

    table = ledger.table(space)
    write_whole(csv, table.to_csv().encode())
    return len(table)


def _draw(prices: "SpacePrices", title: str, subtitle: str, picture: Path) -> None:
    from nas_attn.pricing.pictures import space_chart
    from nas_attn.results.pictures import write_picture

    known = {name: prices.distribution(name) for name in _MEASURES}
    write_picture(space_chart(prices, known, title, subtitle), picture)


def _image(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise InputError(f"--image: found {text!r}; allowed: channels, height and width, such as 3x224x224")
    channels, height, width = map(int, parts)
    return channels, height, width
