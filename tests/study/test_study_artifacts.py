"""Weights and outcomes in a place that all folders of a study reach."""

import fsspec
import pytest

from nas_attn.space import InputError
from nas_attn.study import Artifacts


@pytest.mark.parametrize("form", ["absolute", "relative", "file", "memory"])
def test_what_one_folder_puts_there_another_fetches(tmp_path, form):
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "weights").mkdir(parents=True)
    url = {
        "absolute": str(tmp_path / "place"),
        "relative": "../place",
        "file": f"file://{tmp_path}/place",
        "memory": f"memory://{tmp_path.name}",
    }[form]
    file = one / "weights" / "a-seed0.safetensors"
    file.write_bytes(b"numbers" * 1000)
    Artifacts(one, url, "digits-12").put(file)
    copy = other / "weights" / file.name
    Artifacts(other, url, "digits-13").fetch(copy)
    assert not copy.exists(), "another study's is none of its own"
    Artifacts(other, url, "digits-12").fetch(copy, other / "weights" / "never-written")
    assert copy.read_bytes() == file.read_bytes()
    copy.write_bytes(b"mine")
    Artifacts(other, url, "digits-12").fetch(copy)
    assert copy.read_bytes() == b"mine", "what is there is left alone"


def test_a_place_that_cannot_be_written_to_is_named_without_its_password(tmp_path):
    (tmp_path / "place").write_text("a file")
    (tmp_path / "weights").write_text("numbers")
    for url in (f"{tmp_path}/place", "nosuch://me:secret@host/bucket", "s3://key:secret@bucket/x"):
        with pytest.raises(InputError, match=r"artifacts .*: cannot be") as raised:
            Artifacts(tmp_path, url, "study").put(tmp_path / "weights")
        assert "secret" not in str(raised.value)


def test_without_a_place_nothing_is_copied(tmp_path):
    Artifacts(tmp_path).put(tmp_path / "is-not-there")
    Artifacts(tmp_path).fetch(tmp_path / "is-not-there")
    assert [*tmp_path.iterdir()] == []


def test_half_a_file_is_never_seen(tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"numbers")
    place = Artifacts(tmp_path, str(tmp_path / "place"), "study")
    place.put(file)
    file.write_bytes(b"others, and more of them")

    def dies(*_):
        raise OSError("the network is gone")

    monkeypatch.setattr(fsspec.implementations.local.LocalFileOpener, "commit", dies)
    with pytest.raises(InputError, match="the network is gone"):
        place.put(file)
    assert (tmp_path / "place" / "study" / "weights").read_bytes() == b"numbers"
