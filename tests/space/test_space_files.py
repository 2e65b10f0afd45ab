"""Files that cannot be written: one clear line, and nothing is left beside."""

import subprocess
import sys

import pytest

from nas_attn.space import InputError
from nas_attn.space.files import make_folder, write_whole


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("file/rows.csv", "Not a directory"),
        ("missing/rows.csv", "No such file or directory"),
        ("folder", "Is a directory"),
        ("n" * 300, "File name too long"),
        ("a\0b", "null"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, name, told):
    (tmp_path / "file").write_text("a text of the user's")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"cannot be written: .*{told}"):
        write_whole(tmp_path / name, b"content")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "a text of the user's"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/weights: cannot be written: Not a directory"):
        make_folder(tmp_path / "file" / "weights")


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 KiB, where one may be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_is_told_and_the_file_of_before_stays(disk):
    write_whole(disk / "rows.csv", b"before")
    with pytest.raises(InputError, match=r"rows\.csv: cannot be written: No space left on device"):
        write_whole(disk / "rows.csv", b"x" * 100_000)
    assert [path.name for path in disk.iterdir()] == ["rows.csv"]
    assert (disk / "rows.csv").read_bytes() == b"before"


def test_a_disk_that_may_only_be_read_is_told(disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(InputError, match=r"report\.html: cannot be written: Read-only file system"):
        write_whole(disk / "report.html", b"page")


def test_what_is_written_to_a_pipe_arrives_there():
    code = "import pathlib, nas_attn.space.files as f; f.write_whole(pathlib.Path('/dev/stdout'), b'rows')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"rows"
