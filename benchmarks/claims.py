"""How often a claim is wrongly judged, on simulated studies whose truth is known.

    python benchmarks/claims.py --runs 400

The noise of a training has a standard deviation of one point. A claim is printed of a gain of 1 or 2 points, as exact
or with a standard error; here the gain is as large, half, twice, nothing or the opposite. Wrong is `refuted` where the
gain is as large or larger, and `reproduced` where there is none or the opposite one. Rates have their 95 % interval
(Wilson).
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from scipy.stats import binomtest

from nas_attn.verdict.claims import claim_results
from nas_attn.verdict.comparison import comparison

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up_claims import claimed, skewed, uneven

STUDIES: dict[str, dict[str, Any]] = {
    "8 networks, 5 seeds, 1 claim of 1 point": {},
    "the same, printed with an error of a third": {"error": 1 / 3},
    "the same, 1 claim of 2 points": {"error": 1 / 3, "size": 2.0},
    "the same, 10 seeds": {"error": 1 / 3, "size": 2.0, "seeds": 10},
    "the same, 3 seeds": {"error": 1 / 3, "size": 2.0, "seeds": 3},
    "2 networks, 5 seeds": {"error": 1 / 3, "size": 2.0, "networks": 2},
    "24 networks, 5 seeds": {"error": 1 / 3, "size": 2.0, "networks": 24},
    "8 networks, 5 seeds, 6 claims": {"error": 1 / 3, "size": 2.0, "claims": 6},
    "the same, an error of 1 point": {"error": 1.0, "size": 2.0, "claims": 6},
    "the same, uneven noise": {"error": 1 / 3, "size": 2.0, "claims": 6, "drawn": uneven},
    "the same, skewed noise": {"error": 1 / 3, "size": 2.0, "claims": 6, "drawn": skewed},
}
TRUTHS = {"as printed": 1.0, "half": 0.5, "twice": 2.0, "nothing": 0.0, "the opposite": -1.0}
WRONG = {"as printed": "refuted", "twice": "refuted", "nothing": "reproduced", "the opposite": "reproduced"}


def main(runs: Annotated[int, typer.Option(help="simulated studies of each kind and truth")] = 400) -> None:
    print("| study | the truth | reproduced | refuted | not told apart | any claim wrongly |")
    print("|---|---|---|---|---|---|")
    right: list[bool] = []
    decided: list[bool] = []
    for name, kind in STUDIES.items():
        for truth, times in TRUTHS.items():
            studies = [findings(seed, times, kind) for seed in range(runs)]
            said = Counter(finding for one in studies for finding in one)
            shares = [
                f"{100 * said[word] / said.total():.1f} %" for word in ("reproduced", "refuted", "not told apart")
            ]
            wrongly = "-"
            if wrong := WRONG.get(truth):
                right += [finding != wrong for one in studies for finding in one]
                decided += [finding != wrong for one in studies for finding in one if finding != "not told apart"]
                wrongly = rate([wrong in one for one in studies])
            print(f"| {name} | {truth} | {' | '.join(shares)} | {wrongly} |", flush=True)
    print(f"\nclaims rightly judged: {rate(right)} of {len(right):,}")
    print(f"of those that are reproduced or refuted: {rate(decided)} of {len(decided):,}")


def findings(seed: int, times: float, kind: dict[str, Any]) -> list[str]:
    """What becomes of each claim of a simulated study."""
    rows, claims = claimed(seed, times, **kind)
    return [one.finding for one in claim_results(comparison(rows, [], "accuracy"), rows, [], claims)]


def rate(found: list[bool]) -> str:
    interval = binomtest(sum(found), len(found)).proportion_ci(method="wilson")
    return f"{100 * sum(found) / len(found):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


if __name__ == "__main__":
    typer.run(main)
