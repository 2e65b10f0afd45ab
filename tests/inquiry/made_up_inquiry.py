"""Rows of one question that nobody trained, of which it is known what is true."""

import numpy as np
from made_up import evaluation

from nas_attn.inquiry.beside import Beside
from nas_attn.inquiry.candidate import Candidate
from nas_attn.inquiry.comparing import answered
from nas_attn.inquiry.turns import in_turn, planned
from nas_attn.space import parse

SITE = "stage3.block0.block=cbam(start={})"
PLAIN = parse("none").key
WIDE = "width=1.5"
UNIT = 0.01
"""Accuracy that one standard deviation of the seed noise is."""
FLOPS = {"none": 80_000_000, "paper": 82_000_000, "identity": 82_100_000, WIDE: 100_000_000}


def candidate(start):
    """The network of one start."""
    return Candidate("stage3.block=cbam", start, parse(SITE.format(start)))


WANTED = tuple(map(candidate, ("paper", "identity")))


class Made:
    """Trainings of the plain backbone, of two starts with these gains, and of a wider one, in seed noises."""

    def __init__(self, seed, gains=(0.0, 0.0), wide=0.0, noise=None, shared=0.5):
        self.rng, self.noise = np.random.default_rng(seed), noise or (lambda rng: rng.standard_normal())
        names = dict(zip((PLAIN, *(one.key for one in WANTED), WIDE), FLOPS, strict=True))
        values = dict(zip(names, (0.0, *gains, wide), strict=True))
        self.names, self.values, self.shared, self.rows = names, values, shared, []
        self.seeds = self.rng.standard_normal(1000)
        self.beside = Beside(None, {one.key: {WIDE: 0.1} for one in WANTED}, {WIDE: None})

    def train(self, key, seed):
        """One training more."""
        own = np.sqrt(1 - self.shared**2) * self.noise(self.rng)
        value = self.values[key] + self.shared * self.seeds[seed] + own
        spelling = {PLAIN: "none", WIDE: "none"}.get(key) or SITE.format(self.names[key])
        known = {"role": "width-matched"} if key == WIDE else {}
        accuracy = 0.8 + UNIT * value / np.sqrt(1 - self.shared**2)
        flops, done = FLOPS[self.names[key]], {"state": "complete", "train_seconds": 30.0, "step": "final"}
        self.rows.append(evaluation(spelling, key=key, seed=seed, accuracy=accuracy, flops=flops, **known, **done))

    def answers(self):
        """What is known."""
        inside = [row for row in self.rows if row.key != WIDE]
        return answered(WANTED, inside, [row for row in self.rows if row.key == WIDE], "accuracy")

    def plan(self, found):
        """What is trained next."""
        had = {key: in_turn({row.seed for row in self.rows if row.key == key}, 0) for key in self.names}
        return planned(found, had, self.beside)

    def run(self, most=40):
        """Answers once all is known, or so many seeds are trained."""
        while True:
            found = self.answers()
            plan = self.plan(found)
            if not plan or plan[0].seeds > most:
                return found
            for one in plan:
                self.train(one.key, one.seeds - 1)
