"""A search or a screening in a process of its own, so slow that it can be killed: `FOLDER LOG search|screen`.

The log has a line for each training or scoring that is begun, and one for each row that is reported.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fakes import FakeEvaluator, begun, search, space, study_file

from nas_attn.search import screen

FILE = study_file(chain=[{"proxy": "inherit", "networks": 60}, {"proxy": "final", "seeds": 2}])


def note(*words):
    with Path(sys.argv[2]).open("a") as log:
        log.write(" ".join(map(str, words)) + "\n")


class Slow(FakeEvaluator):
    jobs = 3

    def __init__(self):
        super().__init__()
        self.pool = ThreadPoolExecutor(self.jobs)

    def train(self, row):
        note("begin", row.key, row.seed)
        return self.pool.submit(self._slowly, row)

    def _slowly(self, row):
        time.sleep(0.2)
        return self.result(row)


def slowly_scored(architectures):
    evaluator = FakeEvaluator()
    for architecture in architectures:
        note("begin", architecture.key, 0)
        time.sleep(0.02)
        yield evaluator.result(evaluator.count(architecture))


def main():
    folder = Path(sys.argv[1])
    if sys.argv[3] == "search":
        search(folder, Slow(), file=FILE, on_row=lambda row, trained: note("row", row.key, row.seed)).run(8)
    else:
        screen(begun(folder, FILE, step="inherit"), FILE.steps[0], 0, [*space().architectures()][:60], slowly_scored)


if __name__ == "__main__":
    main()
