"""The page that says which families work."""

import platform
from importlib.metadata import version
from pathlib import Path

from family_table import POSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
_HEAD = """# Families of networks

Which networks of timm and torchvision take attention, as `make families` found it: for one member of each family, with
ten classes, the sites are found by running it once; then three times attention of random kinds is attached to two to
five random sites, and the network is built, run, counted without an unknown operator, trained for one step in which
every attention gets a gradient, and exported with `torch.export`, whose program has to give the network's numbers.

The sites are counted by position. *Own* is attention that the network has by itself, which can be kept or stripped.
*Any size* says that the exported program takes any batch and images of any size; otherwise it takes those of its
example only. Random placements and images have fixed seeds.

Where the sites are is checked against the library. *Sites*: the first and the last `block`, `branch` and `stage` stand
at the modules, and have the channels, that the network's source says. *Stages*: attention at the `stage` sites gives
what it gives when it is hooked by hand where timm takes the features of a stage. *Own attention*: what was stripped,
put back at the sites of its positions, gives the library's network to 1e-12.

"""


def page(results):
    """The page's text: versions, how many work, and a row for each family."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm", "fvcore"))
    working = sum(not result.failure for result in results)
    rows = [
        f"Python {platform.python_version()}, {versions}: {working} of {len(results)} families work.",
        "",
        f"| family | network | pixels | {' | '.join(POSITIONS)} | own | sites checked | works "
        "| exported program takes |",
        f"|---|---|---|{'---|' * len(POSITIONS)}---|---|---|---|",
        *map(_row, results),
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _row(result):
    counts = " | ".join(str(result.sites.get(position, 0)) for position in POSITIONS)
    takes = "" if result.failure else "any size" if result.any_size else "one size"
    family = result.family
    return (
        f"| {family.name} | `{family.network}` | {family.size} | {counts} | {result.own_attention} "
        f"| {', '.join(result.where)} | {result.failure.replace('|', '/') or 'yes'} | {takes} |"
    )


def rows_of(text):
    """The rows of the page: families with whether they work."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[-2] == "yes" for row in cells[1:]}
