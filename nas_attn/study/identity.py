"""Name of a folder's study in a storage that studies share."""

import secrets
from collections.abc import Collection
from pathlib import Path

import optuna

from nas_attn.space import InputError, write_whole

from .lease import Lease, machine

_FILE = "study.id"
_HOME = "home"


def study_id(folder: Path, names: Collection[str]) -> str | None:
    """The name from a file of the folder, so that it moves with the folder; None where no study was begun.

    Version 0.1.0 took the name of the folder itself, which still counts where the folder contains trained networks.

    Raises `InputError` where the names of all studies in the storage leave it open.
    """
    return read_study_id(folder) or _id_of_0_1_0(folder, names)


def read_study_id(folder: Path) -> str:
    """The name in a folder's file; empty where there is none, `InputError` where it cannot be read."""
    path = folder / _FILE
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not text or len(text.splitlines()) > 1:
        raise InputError(f"{path}: found {text[:40]!r}; allowed: one line, the name of the study in its storage")
    return text


def new_study_id(folder: Path) -> str:
    """A name that no other folder has, written into the folder."""
    name = f"{folder.absolute().name}-{secrets.token_hex(4)}"
    write_study_id(folder, name)
    return name


def write_study_id(folder: Path, name: str) -> None:
    """Write the name of a folder's study into the folder."""
    write_whole(folder / _FILE, f"{name}\n".encode())


def settle(study: optuna.Study, folder: Path) -> None:
    """Write down the only home of a study, for `refuse_copy`."""
    study.set_user_attr(_HOME, {"machine": machine(), "folder": str(folder.absolute())})


def open_house(study: optuna.Study) -> None:
    """Write down that a study may be worked on from any folder."""
    if study.user_attrs.get(_HOME):
        study.set_user_attr(_HOME, {})


def refuse_copy(study: optuna.Study, folder: Path) -> None:
    """Raise `InputError` for a copy of a folder that is still on this machine: rows belong to one folder's weights."""
    home = study.user_attrs.get(_HOME, {})
    original = Path(home.get("folder", folder))
    if home.get("machine") != machine() or not (original / _FILE).is_file() or original.samefile(folder):
        return
    if (original / _FILE).read_bytes() == (folder / _FILE).read_bytes():
        raise InputError(
            f"{folder}: is a copy of {original}, to which the rows in the storage belong; remove {folder / _FILE} to "
            "begin a study of its own"
        )


def refuse_apart(lease: Lease) -> None:
    """Raise `InputError` where another living process works in another folder, whose weights this one would not see."""
    mine = lease.me["folder"], lease.me["machine"]
    for worker in lease.living():
        if worker.folder and worker.number != lease.number and (worker.folder, worker.machine) != mine:
            raise InputError(
                f"study {lease.study.study_name}: {worker} works on it too, and trained weights would lie in two "
                "folders; name one place for both as [search] artifacts, a shared folder or a URL such as "
                "s3://bucket/study"
            )


def refuse_other_versions(lease: Lease) -> None:
    """Raise `InputError` where another living process computes rows with other versions of packages."""
    mine = lease.me.get("versions", "")
    for worker in lease.living():
        if worker.versions and mine and worker.versions != mine:
            raise InputError(
                f"study {lease.study.study_name}: {worker} computes with {worker.versions}, and this one would with "
                f"{mine}; install the same versions here"
            )


def _id_of_0_1_0(folder: Path, names: Collection[str]) -> str | None:
    name = folder.absolute().name
    if not any(known.startswith(f"{name}.") for known in names):
        return None
    if not any((folder / kept).is_dir() and any((folder / kept).iterdir()) for kept in ("weights", "trained")):
        raise InputError(
            f"{folder}: the storage has rows of a folder called {name!r}, from before studies had names of their "
            f"own, and nothing here shows whether they are this one's. If they are, write {name} into "
            f"{folder / _FILE}, else any other name"
        )
    return name
