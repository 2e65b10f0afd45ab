"""Four processes that work on one study, of which one is killed: nothing is lost, and nothing is done twice."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress

import optuna
import pytest

from nas_attn.evaluation import Workers
from nas_attn.results import evaluation
from nas_attn.search import Search
from nas_attn.settings import ImageFacts, StudyFile
from nas_attn.space import Kind, SearchSpace, Site, Slot, former_key
from nas_attn.study import read_rows, write_question

SLOTS = [Slot(f"s{n}", (Site(f"s{n}", f"s{n}", f"s{n}", "branch", 16),), (Kind("gate"), Kind("eca"))) for n in range(3)]
SPACE = SearchSpace(tuple(SLOTS))
FILE = StudyFile.model_validate(
    {
        "space": "space.toml",
        "objectives": ["accuracy", "params"],
        "search": {"sampler": "random"},
        "chain": [{"proxy": "final", "seeds": 2, "extra_trainings": 8}],
    }
)


class Noted:
    """A protocol that trains nothing and notes what is begun and what is done; one process is killed in its middle."""

    limit_minutes = None

    def __init__(self, log):
        self.log = log

    def forget(self, row):
        """Nothing is kept of it."""

    def train(self, row, on_epoch):
        self._note("begin", row)
        time.sleep(0.05)
        if len(noted(self.log, "end")) >= 6:
            with suppress(FileExistsError):
                self.log.with_name("killed").open("x").close()
                os.kill(os.getpid(), signal.SIGKILL)
        self._note("end", row)
        luck = hash((int(former_key(row.key), 16), row.seed)) % 1000 / 1000
        return row.but(state="complete", accuracy=0.5 + luck / 4, loss=1.0, train_loss=1.0, train_seconds=0.05)

    def _note(self, what, row):
        with self.log.open("a") as log:
            log.write(f"{what} {row.key} {row.seed} {os.getpid()}\n")


class Evaluator:
    """What a network costs, and workers that train it."""

    def __init__(self, workers):
        self.jobs, self.train = workers.jobs, workers.train

    def count(self, architecture):
        size = 100 + len(str(architecture))
        return evaluation(key=architecture.key, architecture=str(architecture), params=size, macs=size, flops=size)

    def time(self, row):
        return row

    def prices(self, space):
        raise NotImplementedError("a sampler that draws at random asks for none")


def noted(log, what):
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(key, int(seed), int(process)) for kind, key, seed, process in lines if kind == what]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process can be killed so there")
def test_four_workers_do_nothing_twice_and_lose_nothing_when_one_is_killed(tmp_path, forked_workers):
    log, facts = tmp_path / "log", ImageFacts(1, 8, 8, ("a", "b"), (0.5,), (1.0,))
    log.touch()
    study = optuna.create_study(directions=["maximize", "minimize"])
    write_question(study, {"objectives": FILE.objectives, "seed": 0}, SPACE, facts)
    with Workers(Noted(log), 4) as workers:
        said = Search(study, SPACE, FILE, FILE.steps[-1], Evaluator(workers), lambda row, trained: None).run(10)
    assert said.startswith("10 of 10 networks are trained; 8 of 8 more trainings were spent: ")
    rows = read_rows(study)
    assert len(rows) == 10 * 2 + 8
    assert {row.state for row in rows.values()} == {"complete"}
    begun, ended = ([pair[:2] for pair in noted(log, what)] for what in ("begin", "end"))
    assert Counter(ended) == Counter(rows.keys())
    assert len(begun) == len(ended) + 1, "what the killed process had begun is the only thing that is begun again"
    assert len({process for *_, process in noted(log, "begin")}) == 5
