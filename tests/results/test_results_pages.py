"""The program that draws a page's charts is put together once, and kept for later pages."""

import pytest

from nas_attn.results import pages


@pytest.fixture
def bundled(monkeypatch, tmp_path):
    """How often the program was put together; what is kept lies in a folder of the test."""
    times = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda _: times.append(1) or "the <program>\nof charts")
    yield times
    pages._program.cache_clear()


def program():
    """As a new process finds it."""
    pages._program.cache_clear()
    return str(pages._program())


def test_what_is_kept_is_not_put_together_again(bundled):
    assert program() == program() == "the <program>\nof charts"
    assert len(bundled) == 1


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"0" * 64 + b"\nthe <program>\nof charts"])
def test_what_is_not_whole_is_put_together_again(bundled, tmp_path, content):
    program()
    (kept,) = (tmp_path / "cache" / "nas-attn").iterdir()
    kept.write_bytes(content)
    assert program() == program() == "the <program>\nof charts"
    assert len(bundled) == 2


def test_where_nothing_can_be_kept_there_is_a_page_all_the_same(bundled, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert program() == program() == "the <program>\nof charts"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pathlib.Path.expanduser", lambda _: (_ for _ in ()).throw(RuntimeError("no home")))
    assert program() == "the <program>\nof charts"
    assert len(bundled) == 3
