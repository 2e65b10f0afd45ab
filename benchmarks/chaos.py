"""What is lost when workers on one study are killed, cut off and out of disk, and their database restarts.

    OMP_NUM_THREADS=1 python benchmarks/chaos.py --trainings 200 --workers 4 --kills 100 --restarts 5 --fills 2 \
--partitions 2 [--storage postgresql|sqlite] [--seed 0]

One worker trains a fixed list of networks on scikit-learn's digits, each with five seeds, undisturbed. Then several do
the same on a PostgreSQL server, each in a folder and as if on a machine of its own, or on a SQLite file in one folder.
At random moments a worker is killed by SIGKILL, SIGTERM or SIGINT, and begun again at once; the server dies and comes
back; the disk of the folders is full for a while; a worker's connections pass nothing for a while, every other time for
longer than a worker may give no sign of life. Each row has to be there once, the same bit for bit but for times, the
SHA-256 of its weights and of what each image got among it; and nothing may be left behind.
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import typer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from processes import FORKS
from servers import Proxy, Server

from nas_attn import cli, load_space
from nas_attn.cost import latency
from nas_attn.evaluation import TrainingProtocol
from nas_attn.results import Evaluation
from nas_attn.results.written import written_row
from nas_attn.study import StudyFolder, find_study, identity, lease, read_rows

SEEDS = 5
STALE_S = 6.0
"""How long a worker may give no sign of life, instead of a minute."""
FULL_S = 4.0
"""How long the disk is full."""
DISK = "128m"
NAME = "chaos"
SPACE = """
backbone = { name = "resnet8", arguments = { width = 4 } }
per = "stage"
image = [1, 8, 8]
classes = 10
[kinds.se]
reduction = 2
[kinds.coordinate]
reduction = 2
[kinds.bam]
reduction = 2
"""
STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{{proxy = "final", seeds = {seeds}, architectures = {networks}}}]
[data]
kind = "digits"
[recipe]
epochs = 2
batch_size = 128
[latency]
device = "cpu"
threads = 1
calls = 50
{storage}
"""
Due = tuple[float, str, Callable[[], None]]
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


def act(log: str, begun: str, machine: str, folder: str) -> None:
    """Be `nas-attn search` on a machine of its own, and write down what is trained, and what is said."""
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    latency.WARM_UP_MS = 0.0
    lease.STALE_AFTER_S, lease.RENEWED_EVERY_S = STALE_S, STALE_S / 4
    lease.machine = identity.machine = lambda: (
        machine
    )  # what lives on one of several machines is seen by its lease alone
    train = TrainingProtocol.train

    def noted(protocol: TrainingProtocol, row: Evaluation, *more: Any) -> Evaluation:
        note("begin", row)
        found = train(protocol, row, *more)
        note("end", row)
        return found

    def note(what: str, row: Evaluation) -> None:
        with Path(begun).open("a") as file:
            file.write(f"{what} {row.key} {row.seed}\n")

    TrainingProtocol.train = noted  # type: ignore[method-assign]
    sys.argv = ["nas-attn", "search", "--no-check", folder]
    cli.main()


@dataclass
class Worker:
    """One of the processes, begun again whenever it has ended before its time."""

    number: int
    folder: Path
    notes: Path
    ends: Counter[str] = field(default_factory=Counter)
    _process: Any = None

    def begin(self) -> None:
        arguments = (str(self.log), str(self.notes / "trainings.log"), self.folder.name, str(self.folder))
        self._process = FORKS.Process(target=act, args=arguments)
        self._process.start()

    @property
    def log(self) -> Path:
        """What it says."""
        return self.notes / f"worker{self.number}.log"

    def works(self) -> bool:
        """Whether it is not done; one that has ended otherwise is begun again."""
        if (code := self._process.exitcode) is None:
            return True
        self.ends[f"{signal.Signals(-code).name if code < 0 else f'exit code {code}'}"] += code != 0
        if code != 0:
            self.begin()
        return bool(code != 0)

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def counted(notes: Path, what: str) -> Counter[tuple[str, str]]:
    """How often trainings were begun, or ended, by key and seed."""
    log = notes / "trainings.log"
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return Counter((key, seed) for kind, key, seed in lines if kind == what)


def write_study(folder: Path, networks: Sequence[str], url: str | None, place: Path) -> None:
    """Write the files of a study, in a storage of its own or in that of all."""
    folder.mkdir(parents=True)
    (folder / "space.toml").write_text(SPACE)
    storage = f'[search]\nstorage = "{url}"\nartifacts = "{place}"' if url else ""
    (folder / "study.toml").write_text(STUDY.format(seeds=SEEDS, networks=[*networks], storage=storage))
    if url:
        identity.write_study_id(folder, NAME)


def lasting(row: Evaluation) -> dict[str, Any]:
    """A row without what time alone decides."""
    columns = written_row(row)
    return {name: repr(columns[name]) for name in columns if not name.startswith(("latency_", "train_seconds"))}


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own in a folder, where one may be mounted; whether it is there."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # SQLite files may be open here


def fill(disk: Path, seconds: float) -> None:
    """Leave no room on a disk for some time."""
    path = disk / "filling"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    time.sleep(seconds)
    path.unlink(missing_ok=True)


def cut(proxy: Proxy, seconds: float) -> None:
    with proxy.cut():
        time.sleep(seconds)


@dataclass
class Chaos:
    """Workers, and what happens to them."""

    workers: Sequence[Worker]
    notes: Path
    wanted: int
    rng: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    _meanwhile: list[Thread] = field(default_factory=list)

    def run(self, due: Sequence[Due]) -> None:
        """Let things happen, each once so many trainings have ended, until all workers are done."""
        left = sorted(due, key=lambda one: one[0])
        while sum(worker.works() for worker in self.workers):  # each is seen to
            time.sleep(self.rng.uniform(0.02, 0.2))
            ended = len(counted(self.notes, "end"))
            if left and left[0][0] * self.wanted <= ended:
                _, what, happen = left.pop(0)
                happen()
                self.happened[what] += 1
        for one in self._meanwhile:
            one.join()

    def beside(self, act: Callable[..., None], *arguments: Any) -> None:
        self._meanwhile.append(Thread(target=act, args=arguments))
        self._meanwhile[-1].start()


def compared(quiet: dict[Any, Evaluation], rows: dict[Any, Evaluation], folder: StudyFolder) -> list[str]:
    """What is wrong with rows, beside those of the undisturbed run, and with their files."""
    faults = [f"missing: {place}" for place in quiet.keys() - rows.keys()]
    faults += [f"of nobody's: {place}" for place in rows.keys() - quiet.keys()]
    for place in quiet.keys() & rows.keys():
        one, other = lasting(quiet[place]), lasting(rows[place])
        faults += [f"{place}: {name}: {other[name]}, not {one[name]}" for name in one if one[name] != other[name]]
        weights = folder.path / "weights" / f"{rows[place].key}-seed{rows[place].seed}.safetensors"
        folder.artifacts.fetch(weights)
        if hashlib.sha256(weights.read_bytes()).hexdigest() != rows[place].weights_sha256:
            faults.append(f"{weights}: is not what its row says")
    return faults


def undisturbed(folder: Path, networks: Sequence[str]) -> dict[Any, Evaluation]:
    """The rows that one worker finds."""
    write_study(folder, networks, None, folder)
    worker, began = Worker(0, folder, folder), time.perf_counter()
    worker.begin()
    Chaos([worker], folder, 1, random.Random(0)).run([])
    rows = read_rows(StudyFolder.open(folder).study())
    typer.echo(f"undisturbed: {len(rows)} trainings by one worker in {time.perf_counter() - began:.0f} s")
    return rows


@dataclass
class Place:
    """Where workers work: folders, one for each or one for all, and the storage behind them."""

    folders: Sequence[Path]
    url: str | None = None
    server: Server | None = None
    proxies: Sequence[Proxy] = ()
    """One before the server for each folder."""
    disk: Path | None = None
    """The file system of the folders, where they have one of their own."""

    def rows(self) -> dict[Any, Evaluation]:
        study = find_study(self.folders[0], self.url, "final")
        return {} if study is None else read_rows(study)

    def strays(self) -> list[str]:
        """What is left behind: locks, files that are not whole, rows that are not written, running trials."""
        files = [path for folder in self.folders for path in folder.rglob("*") if path.is_file()]
        found = [str(path) for path in files if path.suffix == ".part" or {".workers", "unwritten"} & {*path.parts}]
        for name in ("final", "search-lease", "search-reservations"):
            study = find_study(self.folders[0], self.url, name)
            running = [] if study is None else [one for one in study.trials if not one.state.is_finished()]
            found += [f"running trial {one.number} of {name}: {one.user_attrs}" for one in running]
        return found


@contextmanager
def opened(top: Path, networks: Sequence[str], workers: int, served: bool) -> Iterator[Place]:
    """A place for workers, with its study."""
    with ExitStack() as stack:
        disk = top / "disk"
        mounted = stack.enter_context(small_disk(disk))
        if not mounted:
            typer.echo("left out: the full disk, as no file system can be mounted here")
        place = Place([disk / f"study{number}" for number in range(workers if served else 1)])
        place.disk = disk if mounted else None
        if served:
            place.server = Server()
            stack.callback(place.server.stop)
            place.url = place.server.database()
            place.proxies = [stack.enter_context(Proxy(place.server.socket)) for _ in range(workers)]
        for number, folder in enumerate(place.folders):
            write_study(folder, networks, place.url and place.proxies[number].url(place.url), disk / "artifacts")
        yield place


def disturbances(chaos: Chaos, place: Place, counts: dict[str, int]) -> Iterator[Due]:
    """When what happens: the share of the trainings that have ended by then, its name, and how."""
    rng = chaos.rng
    for _ in range(counts["kills"]):
        name, worker = rng.choice([*SIGNALS]), rng.choice(chaos.workers)
        yield rng.uniform(0, 0.95), name, partial(worker.send, SIGNALS[name])
    for _ in range(counts["fills"] if place.disk else 0):
        yield rng.uniform(0.05, 0.8), "disk full", partial(chaos.beside, fill, place.disk, FULL_S)
    if place.server is None:
        return
    for _ in range(counts["restarts"]):
        yield rng.uniform(0.05, 0.9), "server restarted", place.server.restart
    for number in range(counts["partitions"]):
        seconds = (STALE_S / 4, 5 * STALE_S)[number % 2]
        yield (
            rng.uniform(0.05, 0.8),
            f"cut off for {seconds:g} s",
            partial(chaos.beside, cut, rng.choice(place.proxies), seconds),
        )


def report(chaos: Chaos, quiet: dict[Any, Evaluation], place: Place, said: str) -> bool:
    """Print what came of it; whether nothing is wrong."""
    rows, begun, ended = place.rows(), counted(chaos.notes, "begin"), counted(chaos.notes, "end")
    faults, left = compared(quiet, rows, StudyFolder.open(place.folders[0])), place.strays()
    failed = [f"{row.key} seed {row.seed}: {row.reason}" for row in rows.values() if row.state != "complete"]
    ends = sum((worker.ends for worker in chaos.workers), Counter[str]())
    for what, many in (("happened", chaos.happened), ("ended before they were done", ends)):
        typer.echo(f"{what}: {', '.join(f'{name} {count}' for name, count in sorted(many.items())) or 'nothing'}")
    typer.echo(
        f"trainings: {begun.total()} begun, {ended.total()} finished, of {len(begun)} networks and seeds; "
        f"{begun.total() - len(begun)} begun again, {ended.total() - len(ended)} of them after they were finished"
    )
    typer.echo(f"rows: {len(rows)} of {len(quiet)}, {len(failed)} failed, {len(faults)} differ or are missing")
    typer.echo(
        f"said: taken over {said.count('has taken over')}, storage away {said.count('storage is away')}, "
        f"tracebacks {said.count('Traceback')}; left behind: {len(left)}"
    )
    raised = re.findall(r"Traceback .*\n(?:[ \t].*\n)*(.*)", said)
    for line in [*faults[:20], *failed[:20], *left[:20], *raised[:20]]:
        typer.echo(f"  {line}")
    return not (faults or failed or left)


def main(
    trainings: int = 200,
    workers: int = 4,
    kills: int = 100,
    restarts: int = 5,
    fills: int = 2,
    partitions: int = 2,
    storage: Literal["postgresql", "sqlite"] = "postgresql",
    seed: int = 0,
    keep: Path | None = None,
) -> None:
    """Disturb workers, and say what is lost; `keep` names a file for all that they say."""
    counts = {"kills": kills, "restarts": restarts, "fills": fills, "partitions": partitions}
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        top = Path(name)
        (top / "space.toml").write_text(SPACE)
        space = load_space(top / "space.toml")[1]
        networks = [*map(str, islice(space.architectures(), trainings // SEEDS))]
        quiet = undisturbed(top / "quiet", networks)
        with opened(top, networks, workers, storage == "postgresql") as place:
            (notes := top / "notes").mkdir()
            folders = [place.folders[number % len(place.folders)] for number in range(workers)]
            crew = [Worker(number, folder, notes) for number, folder in enumerate(folders)]
            chaos, began = Chaos(crew, notes, len(quiet), random.Random(seed)), time.perf_counter()
            for worker in crew:
                worker.begin()
            chaos.run([*disturbances(chaos, place, counts)])
            typer.echo(f"{storage}, disturbed: {workers} workers, {time.perf_counter() - began:.0f} s")
            said = "".join(worker.log.read_text() for worker in crew)
            if keep is not None:
                keep.write_text(said)
            for line in place.strays():
                typer.echo(f"left for the next start to remove: {line}")
            crew[0].begin()
            chaos.run([])
            if not report(chaos, quiet, place, said):
                raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
