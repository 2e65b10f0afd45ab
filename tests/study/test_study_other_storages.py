"""Workers on the storages that are neither SQLite nor PostgreSQL: a journal file, Redis, and Optuna's gRPC proxy."""

import pickle
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread

import pytest
from crews import Crew, check
from optuna.trial import Trial
from servers import free_port

from nas_attn.space import InputError
from nas_attn.study import begin_study, find_study, patient

_PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), port=int(sys.argv[2]))
"""


@contextmanager
def redis():
    """The port of a server that keeps everything in this process."""
    fakeredis = pytest.importorskip("fakeredis")
    pytest.importorskip("lupa")
    with fakeredis.TcpFakeServer(("127.0.0.1", 0)) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def grpc_proxy(url, port):
    """Optuna's own proxy, in a process of its own, before a database."""
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", _PROXY, url, str(port)]) as proxy:
        try:
            yield
        finally:
            proxy.kill()


@contextmanager
def _journal(folder):
    yield {"url": str(folder / "journal.log")}, str(folder / "journal.log")


@contextmanager
def _redis(_folder):
    with redis() as port:
        yield {"url": f"redis://127.0.0.1:{port}/0"}, f"redis://127.0.0.1:{port}/0"


@contextmanager
def _grpc(folder):
    pytest.importorskip("grpc")
    behind, port = f"sqlite:///{folder}/behind.db", free_port()
    with grpc_proxy(behind, port):
        yield {"url": f"grpc://127.0.0.1:{port}"}, behind


@pytest.mark.parametrize("storage", [_journal, _redis, _grpc])
def test_workers_train_everything_once_though_one_is_killed(tmp_path, storage):
    with storage(tmp_path) as (options, read_by):
        crew = Crew.apart(tmp_path, read_by, {"seconds": 0.1, "networks": 8, "seeds": 2, **options})
        first, *others = [crew.begin(number) for number in range(3)]
        crew.lines.append(first.stdout.readline().rstrip())
        first.send_signal(signal.SIGKILL)
        crew.end(first)
        crew.end(crew.begin(0), *others)
        crew.end(crew.begin(0, stale_s=0.0, renewed_s=1.0))
        check(crew, tmp_path, 8, 2, repeated=1)


def test_a_grpc_proxy_that_is_away_is_waited_for(tmp_path):
    pytest.importorskip("grpc")
    behind, port = f"sqlite:///{tmp_path}/behind.db", free_port()
    crew = Crew.apart(tmp_path, behind, {"seconds": 0.1, "networks": 10, "url": f"grpc://127.0.0.1:{port}"}, folders=2)
    with grpc_proxy(behind, port):
        working = [crew.begin(number) for number in range(2)]
        crew.lines += [one.stdout.readline().rstrip() for one in working for _ in range(2)]
    time.sleep(0.5)
    with grpc_proxy(behind, port):
        crew.end(*working)
    assert len([line for line in crew.lines if "the storage is away" in line]) == 2
    assert [line for line in crew.lines if line.startswith("ends")] == 2 * ["ends: 10 of 10 networks are trained"]
    check(crew, tmp_path, 10)


def test_a_proxy_that_was_restarted_goes_on_with_a_trial_begun_before(tmp_path):
    pytest.importorskip("grpc")
    behind, port = f"sqlite:///{tmp_path}/behind.db", free_port()
    with grpc_proxy(behind, port):
        study = begin_study(tmp_path, f"grpc://127.0.0.1:{port}", ["accuracy"], "final")
        trial = study.ask()
    with grpc_proxy(behind, port), patient(lambda _: None):
        again = find_study(tmp_path, f"grpc://127.0.0.1:{port}", "final")
        taken = Trial(again, trial._trial_id)
        assert taken.suggest_categorical("stage1", ["none"]) == "none"
        assert again.get_trials()[0].params == {"stage1": "none"}


def test_nobody_answers_behind_a_grpc_url(tmp_path, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr("nas_attn.study.database._PROXY_S", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(InputError, match="no gRPC proxy has answered"),
    ):
        find_study(tmp_path, f"grpc://127.0.0.1:{silent.getsockname()[1]}", "final")


class _Touches:
    """What is unpickled makes a file."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (self._path, "w")


def test_what_somebody_has_pickled_into_redis_is_not_loaded(tmp_path):
    evil = tmp_path / "evil"
    with redis() as port:
        client = pytest.importorskip("redis").Redis(port=port)
        client.set(":snapshot", pickle.dumps(_Touches(str(evil))))
        begin_study(tmp_path, f"redis://127.0.0.1:{port}/0", ["accuracy"], "final")
        assert find_study(tmp_path, f"redis://127.0.0.1:{port}/0", "final") is not None
        client.close()
    assert not evil.exists()
