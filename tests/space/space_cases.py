"""Made-up spaces, small and crooked, and the spaces of every file that comes with the package."""

from pathlib import Path

from nas_attn.assembly import load_space
from nas_attn.space import Kind, SearchSpace, Site, Slot

ROOT = Path(__file__).parents[2]
FILES = [*sorted(ROOT.glob("search_spaces/*.toml")), *sorted(ROOT.glob("studies/*/space.toml"))]
SPACES = {path.stem if path.parent.name == "search_spaces" else path.parent.name: load_space(path)[1] for path in FILES}


def slot(name, *kinds, blocks=2):
    """A slot of some blocks, each with a site in the branch and one after the addition."""
    sites = (
        Site(f"{name}.block{block}.{position}", name, f"{name}.block{block}", position, 16)
        for block in range(blocks)
        for position in ("branch", "block")
    )
    return Slot(name, tuple(sites), kinds)


SE = Kind("se", (("reduction", (8, 4)), ("bias", (False, True))))
BOTH = Kind("gate", (("reduction", (2,)),), positions=("block", "branch"))
EQUIVALENT = Kind("se", SE.options, equivalents=((("branch", 4, True), ("branch", 8, True)),))
PLAIN = Kind("spatial")
WORDS = Kind("words", (("mode", ("mean", "none", "words")), ("share", (0.5, 1e-07, -2)), ("position_x", (1,))))

MADE_UP = {
    "nothing": SearchSpace(()),
    "an empty slot": SearchSpace((slot("stage1"), slot("stage2", PLAIN))),
    "one of each": SearchSpace((slot("stage1", SE), slot("stage2", BOTH, blocks=1), slot("stage3", PLAIN))),
    "all in each": SearchSpace(tuple(slot(f"stage{n}", SE, BOTH, PLAIN) for n in (1, 2))),
    "twelve blocks": SearchSpace((slot("stage1", BOTH, SE, blocks=12), slot("stage2", PLAIN))),
    "equivalent": SearchSpace((slot("stage1", EQUIVALENT), slot("stage2", PLAIN))),
    "words": SearchSpace((slot("stage1", WORDS, SE),)),
}
ALL = {**SPACES, **MADE_UP}
