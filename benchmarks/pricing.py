"""How fast a million architectures are priced, beside counting each of them, and whether both give the same.

python benchmarks/pricing.py [SPACE_FILE] [--networks 1000000] [--counted 20]
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from nas_attn.assembly import build, load_space
from nas_attn.cost import count
from nas_attn.evaluation import open_ledger
from nas_attn.pricing import filled

SPACE = Path(__file__).parents[1] / "search_spaces" / "resnet20-blocks.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", nargs="?", type=Path, default=SPACE)
    parser.add_argument("--networks", type=int, default=1_000_000)
    parser.add_argument("--counted", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    file, space = load_space(chosen.space)

    begun = perf_counter()
    ledger = open_ledger(file.backbone, file.image, file.classes)
    sizes = ledger.space_prices(space).fillings
    opened_s = perf_counter() - begun

    answers = np.random.default_rng(0).integers(0, sizes, (chosen.networks, len(sizes)))
    begun = perf_counter()
    totals = ledger.space_prices(space).totals(answers)
    priced_s = perf_counter() - begun

    begun = perf_counter()
    equal = 0
    for number, architecture in enumerate(filled(space, answers[: chosen.counted])):
        with torch.device("meta"):
            network = build(architecture, file.backbone, in_channels=file.image[0], classes=file.classes)
        cost = count(network, file.image)
        equal += all(int(totals[measure][number]) == getattr(cost, measure) for measure in totals)
    each_s = (perf_counter() - begun) / chosen.counted

    print(f"{chosen.space.stem}: {space.size:,} networks, {sum(sizes):,} fillings of {len(sizes)} slots")
    print(f"the ledger is opened, every filling priced, in   {opened_s:.2f} s")
    print(f"{chosen.networks:,} networks are priced in        {priced_s:.2f} s")
    print(f"one network is built and counted in              {each_s:.3f} s")
    print(f"so counting them all would take                  {chosen.networks * each_s / priced_s:,.0f} times as long")
    print(f"of {chosen.counted} that were counted, the sums are equal for {equal}")


if __name__ == "__main__":
    main()
