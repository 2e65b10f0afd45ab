"""Workers on one study: real processes, on a file and on a server, killed, restarted and cut off from it."""

import random
import signal
import time
from threading import Thread

import pytest
from crews import Crew, alone, check
from optuna.study import StudyDirection
from servers import Proxy, Server
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError
from thoroughness import THOROUGH, thorough

from nas_attn.study import database
from nas_attn.study.patience import is_passing


@pytest.fixture(autouse=True)
def _closed():
    """What reads a server's rows here is closed in the end."""
    connections = []

    def note(connection, _record):
        connections.append(connection)

    event.listen(Engine, "connect", note)
    yield
    event.remove(Engine, "connect", note)
    for one in connections:
        one.close()


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server; what needs it is skipped where none can be started."""
    try:
        made = Server()
    except Exception as error:
        pytest.skip(f"no PostgreSQL server can be started here: {type(error).__name__}: {error}")
    yield made
    made.stop()


@pytest.fixture
def make(request, tmp_path):
    """Make a crew for a study: in one folder with a SQLite file, or in several with a database of the server."""

    def make(storage, folders=3, **options):
        if storage == "sqlite":
            return Crew([tmp_path / "study"], None, options)
        return Crew.apart(tmp_path, request.getfixturevalue("server").database(), options, folders)

    return make


@pytest.mark.parametrize(("storage", "workers"), [("sqlite", 3), ("postgresql", 10 if THOROUGH else 4)])
def test_workers_that_begin_at_one_instant_train_everything_once(make, tmp_path, storage, workers):
    crew = make(storage, 5, seconds=0.05, networks=14, seeds=2)
    began = time.time() + 1.0
    crew.end(*(crew.begin(number, begins_at=began) for number in range(workers)))
    check(crew, tmp_path, 14, 2)
    assert crew.ended == workers * [0]
    assert {line for line in crew.lines if line.startswith("ends")} == {"ends: 14 of 14 networks are trained"}


@pytest.mark.parametrize(("storage", "networks", "stops"), [("sqlite", 12, 5), ("postgresql", 24, 10)])
def test_workers_that_are_stopped_and_restarted_lose_nothing(make, tmp_path, storage, networks, stops):
    crew, rng = make(storage, seconds=0.1, networks=networks, seeds=2), random.Random(storage)
    working, stopped = [crew.begin(number) for number in range(3)], 0
    while stopped < stops:
        number = rng.randrange(3)
        time.sleep(rng.uniform(0.0, 0.3))
        if working[number].poll() is not None:
            break
        working[number].send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        crew.end(working[number])
        working[number], stopped = crew.begin(number), stopped + 1
    crew.end(*working)
    late = {"stale_s": 0.0, "renewed_s": 1.0}  # as if a minute had passed
    for number in range(len(crew.folders)):
        crew.end(crew.begin(number, **late))  # what those that were killed have left behind is found by the next start
    assert stopped == stops
    check(crew, tmp_path, networks, 2, repeated=stopped)


@thorough
def test_a_worker_may_join_later_and_leave_earlier(make, tmp_path):
    crew = make("postgresql", seconds=0.2, networks=16)
    first = crew.begin(0)
    crew.lines.append(first.stdout.readline().rstrip())
    second = crew.begin(1)
    crew.lines.append(second.stdout.readline().rstrip())
    first.send_signal(signal.SIGTERM)
    crew.end(first, second)
    assert crew.lines[-1] == "ends: 16 of 16 networks are trained"
    check(crew, tmp_path, 16, repeated=1)


@thorough
def test_further_seeds_are_shared_too(make, tmp_path):
    crew = make("postgresql", seconds=0.05, networks=7, seeds=2, extra_trainings=6, noise=0.2)  # nothing is decided
    ends = [line for line in crew.end(*map(crew.begin, range(3))) if line.startswith("ends")]
    rows, trained = crew.rows(), crew.trained()
    assert {(key, str(seed)): 1 for key, seed in rows} == trained
    more = len([seed for _, seed in rows if seed > 1])
    assert more == 6
    assert len(rows) - more == 14
    assert all(f"; {more} of 6 more trainings were spent" in line for line in ends)
    assert rows == alone(tmp_path, rows, noise=0.2)
    assert crew.strays() == []


def test_a_server_that_restarts_ends_no_worker(make, tmp_path, server):
    crew = make("postgresql", seconds=0.1, networks=14)
    working = [crew.begin(number) for number in range(3)]
    crew.lines += [one.stdout.readline().rstrip() for one in working for _ in range(2)]
    server.restart()
    for one in working:
        said = crew.end(one)
        assert len([line for line in said if "the storage is away" in line]) <= 1
    assert any("the storage is there again" in line for line in crew.lines)
    assert len([line for line in crew.lines if line.startswith("ends")]) == 3
    check(crew, tmp_path, 14)


def test_a_worker_that_begins_while_the_server_is_away_waits_for_it(make, tmp_path, server):
    crew = make("postgresql", seconds=0.0, networks=4)
    with server.away():
        worker = crew.begin()
        crew.lines.append(said := worker.stdout.readline().rstrip())
    assert said.startswith("waits: the storage is away, which is tried again")
    assert crew.end(worker)[-1] == "ends: 4 of 4 networks are trained"
    check(crew, tmp_path, 4)


@thorough
def test_a_short_partition_is_waited_out(make, tmp_path, server):
    crew = make("postgresql", seconds=0.1, networks=10)
    with Proxy(server.socket) as proxy:
        cut_off = crew.begin(0, url=proxy.url(crew.url))
        other = crew.begin(1)
        crew.lines.append(cut_off.stdout.readline().rstrip())
        with proxy.cut():
            time.sleep(2)
        assert crew.end(other, cut_off)[-1] == "ends: 10 of 10 networks are trained"
    check(crew, tmp_path, 10)


def test_what_is_finished_behind_a_long_partition_is_written_once(make, tmp_path, server):
    crew = make("postgresql", networks=2, stale_s=1.5, renewed_s=0.2)
    with Proxy(server.socket) as proxy:
        cut_off = crew.begin(0, url=proxy.url(crew.url), machine="elsewhere", seconds=1.0)
        crew.lines.append(begun := cut_off.stdout.readline().rstrip())
        with proxy.cut():
            other = crew.begin(1, seconds=1.5)
            while crew.lines.count(begun) < 2:  # it takes over
                crew.lines.append(next(other.stdout).rstrip())
            other.send_signal(signal.SIGKILL)
            crew.end(other)
        (said,) = crew.end(cut_off)
    assert said.startswith("stops: study study-1.search-lease: another process has taken over the work of this one")
    assert len([*(crew.folders[0] / "unwritten").iterdir()]) == 1
    assert crew.end(crew.begin(0, seconds=0.1)) == ["ends: 2 of 2 networks are trained"]
    check(crew, tmp_path, 2, repeated=1)


def test_a_worker_that_is_cut_off_in_the_midst_of_writing_stops_no_other(server, monkeypatch):
    monkeypatch.setattr(database, "_SILENT_S", 1)
    url = server.database()
    other = database.database(url)
    study = other.create_new_study([StudyDirection.MINIMIZE])
    writing = Thread(target=other.create_new_trial, args=(study,))
    with Proxy(server.socket) as proxy, database._served(proxy.url(url)).engine.connect() as connection:
        connection.execute(text("SELECT * FROM studies FOR UPDATE"))
        with proxy.cut():
            writing.start()
            writing.join(timeout=30)
            assert not writing.is_alive()
        with pytest.raises(DBAPIError) as ended:
            connection.execute(text("SELECT 1"))
    assert is_passing(ended.value)
    assert len(other.get_all_trials(study)) == 1
