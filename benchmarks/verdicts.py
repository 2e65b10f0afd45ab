"""How long a verdict takes, by the number of networks that were trained with three seeds each.

    OMP_NUM_THREADS=1 python benchmarks/verdicts.py

Made-up rows; CPU time on one core, and as many times that of 200 networks.
"""

import sys
import time
from pathlib import Path

import typer

from nas_attn.verdict.conclusion import conclude

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up_trainings import trained


def main() -> None:
    print("| networks | seconds | times as long as the first |\n|---|---|---|")
    first = 0.0
    for number in (200, 800, 3000):
        rows = trained(0, networks=number, seeds=3, slots=6, kinds=4, effect=1.0)
        begun = time.process_time()
        found = conclude(rows, [], ["accuracy", "flops"])
        assert found.sentences
        assert len(found.table) == number
        seconds = time.process_time() - begun
        first = first or seconds
        print(f"| {number} | {seconds:.1f} | {seconds / first:.1f} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
