"""Searches a study with an evaluator that costs nothing but time: `FOLDER URL NETWORKS SECONDS [SEEDS]`.

It prints a line for each training when it begins. URL is `-` for the folder's own SQLite file.
"""

import sys
import time
from functools import partial
from pathlib import Path

from fakes import FACTS, FakeEvaluator, space, study_file

from nas_attn.search import Search
from nas_attn.study import begin_study, find_study, shared, write_question

say = partial(print, flush=True)


class Slow(FakeEvaluator):
    """Trains for some time, and says so."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def train(self, row):
        say(row.key, row.seed)
        time.sleep(self.seconds)
        return super().train(row)


def searched(folder, url, networks, seconds, seeds=1, extra_trainings=0, waited=lambda _line: None):
    """Why a search of this folder's study has stopped."""
    step = {"proxy": "final", "networks": networks, "seeds": seeds, "extra_trainings": extra_trainings}
    file = study_file(search={"storage": url}, chain=[step])
    with shared(folder, url, waited, "there" if url else None) as claims:
        study = find_study(folder, url, "final") or begin_study(folder, url, file.objectives, "final")
        write_question(study, {"objectives": file.objectives, "seed": file.seed}, space(), FACTS)
        searching = Search(study, space(), file, file.steps[0], Slow(seconds), lambda *_: None, claims=claims)
        searching.unwritten = folder / "unwritten"
        return searching.run()


def main():
    folder, url, networks, seconds, *more = sys.argv[1:]
    Path(folder).mkdir(exist_ok=True)
    url = None if url == "-" else url
    say(searched(Path(folder), url, int(networks), float(seconds), *map(int, more), waited=say))


if __name__ == "__main__":
    main()
