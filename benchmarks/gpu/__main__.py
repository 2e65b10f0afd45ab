"""Everything that one GPU can tell: `python -m gpu`, with the source tree and `benchmarks` on `PYTHONPATH`.

Parts that are done are not run again, unless the device, torch or the code is another. Exit code: 0 where every part
has ended well, 1 where one failed or had no time, 3 without a GPU, 4 where packages are missing, 130 after Ctrl-C.
"""

import argparse
import os
import sys
from pathlib import Path

from .driver import run
from .needs import ROOT
from .parts import PARTS

_PLACES = ("../shared/data/cifar10", "data/cifar10")


def main() -> int:
    """Read the options, and run the parts."""
    parser = argparse.ArgumentParser("gpu", description=__doc__.splitlines()[0])
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(names)}; without any: all")
    parser.add_argument("--minutes", type=float, default=8.5, help="the most that it may take (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="where all of it is kept (%(default)s)")
    parser.add_argument(
        "--images", type=Path, help="the folder of CIFAR-10 as Parquet; NAS_ATTN_GPU_IMAGES names it too"
    )
    parser.add_argument("--again", action="store_true", help="run what is done, too")
    said = parser.parse_args()
    if unknown := set(said.parts).difference(names):
        parser.error(f"found {', '.join(unknown)}; allowed: {', '.join(names)}")
    named = said.images or os.environ.get("NAS_ATTN_GPU_IMAGES")
    places = [Path(named)] if named else [ROOT / place for place in _PLACES]
    images = next((place.resolve() for place in places if any(place.glob("train-*.parquet"))), None)
    chosen = [part for part in PARTS if part.name in said.parts or not said.parts]
    return run(chosen, said.json, said.minutes, images, said.again)


if __name__ == "__main__":
    sys.exit(main())
