"""Artifacts of a study: trained weights, and what single images got, in a place that all who work on it reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from nas_attn.space import InputError, first_line, make_folder, without_password, without_passwords, write_whole


@dataclass(frozen=True)
class Artifacts:
    """The files of a study's folder that others need, with a copy in the place of an fsspec URL, if one is named.

    They are named as in the folder, below the study's name, and are checked by digests of their own or their rows'.
    """

    folder: Path
    url: str | None = None
    name: str = ""
    """The study's name in its storage."""

    def put(self, *paths: Path) -> None:
        """Copy files to the place, whole or not at all; raises `InputError` where that cannot be."""
        if self.url is None:
            return
        with self._reported("cannot be written to"):
            for path in paths:
                target = self._target(path)
                self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
                with self._system.transaction, self._system.open(target, "wb") as file:
                    file.write(path.read_bytes())

    def fetch(self, *paths: Path) -> None:
        """Copy the files that are missing in the folder from the place, where they are there.

        Raises `InputError` where the place cannot be read.
        """
        missing = [path for path in paths if not path.exists()] if self.url is not None else []
        for path in missing:
            with self._reported("cannot be read"):
                try:
                    content = self._system.cat_file(self._target(path))
                except FileNotFoundError:
                    continue
            make_folder(path.parent)
            write_whole(path, content)

    def _target(self, path: Path) -> str:
        return "/".join((self._root.rstrip("/"), self.name, path.relative_to(self.folder).as_posix()))

    @cached_property
    def _place(self) -> tuple[Any, str]:
        url = self.url or ""
        if "://" not in url:
            url = str((self.folder / Path(url).expanduser()).resolve())
        with self._reported("cannot be used"):
            system, root = import_module("fsspec").url_to_fs(url)  # not for who only reads rows
        return system, root

    @property
    def _system(self) -> Any:
        return self._place[0]

    @property
    def _root(self) -> str:
        return self._place[1]

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # each file system has its own; fsspec names the package that one lacks
            cause = without_passwords(first_line(error), self.url)
            raise InputError(f"artifacts {without_password(self.url or '')}: {what}: {cause}") from None
