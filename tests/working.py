"""A worker in a process of its own, whose evaluator costs nothing but time; it prints what it does, line by line."""

import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from fakes import FACTS, Noisy, space, study_file

from nas_attn.search import Search
from nas_attn.space import InputError
from nas_attn.study import Unwritten, begin_study, find_study, identity, lease, shared, terminable, write_question

NOISE = 0.02
say = partial(print, flush=True)


class Slow(Noisy):
    """Trains for some time, and says so."""

    def __init__(self, seconds, noise):
        super().__init__(noise)
        self.seconds = seconds

    def train(self, row):
        say("trains", row.key, row.seed)
        time.sleep(self.seconds)
        return super().train(row)


def searched(folder, url, networks, seconds, seeds=1, extra_trainings=0, noise=NOISE, waited=lambda _line: None):
    """Why a search of this folder's study has stopped; without a URL, in its own SQLite file."""
    step = {"proxy": "final", "networks": networks, "seeds": seeds, "extra_trainings": extra_trainings}
    file = study_file(search={"storage": url}, chain=[step])
    with shared(folder, url, waited, "there" if url else None) as reservations:
        study = find_study(folder, url, "final") or begin_study(folder, url, file.objectives, "final")
        write_question(study, {"objectives": file.objectives, "seed": file.seed}, space(), FACTS)
        searching = Search(
            study, space(), file, file.steps[0], Slow(seconds, noise), lambda *_: None, reservations=reservations
        )
        searching.unwritten = Unwritten(folder / "unwritten")
        return searching.run()


def work(folder, begins_at=0.0, machine=None, stale_s=None, renewed_s=None, **how):
    """Search as `searched` does, from a moment on, until that is done or a signal comes."""
    if machine is not None:
        lease.machine = identity.machine = lambda: machine
    if stale_s is not None:
        lease.STALE_AFTER_S, lease.RENEWED_EVERY_S = stale_s, renewed_s
    time.sleep(max(0.0, begins_at - time.time()))
    Path(folder).mkdir(exist_ok=True)
    try:
        with suppress(KeyboardInterrupt), terminable():
            say("ends:", searched(Path(folder), waited=partial(say, "waits:"), **how))
    except InputError as error:
        say("stops:", error)
