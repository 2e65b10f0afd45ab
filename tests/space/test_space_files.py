"""Files and folders beside those of a study: told where they cannot be made, and pipes are no files."""

import subprocess
import sys

import pytest

from nas_attn.space import InputError, make_folder


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/weights: cannot be written: Not a directory"):
        make_folder(tmp_path / "file" / "weights")


def test_what_is_written_to_a_pipe_arrives_there():
    code = "import pathlib, nas_attn.space.files as f; f.write_whole(pathlib.Path('/dev/stdout'), b'rows')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"rows"
