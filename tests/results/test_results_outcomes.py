"""Files of what each image got: written whole, sealed by rows, and never read in silence where they are damaged."""

import hashlib
import io

import numpy as np
import pytest
from made_up import evaluation

from nas_attn.results import Outcomes, outcomes_file, packed_outcomes, read_outcomes, unpacked_outcomes, write_outcomes
from nas_attn.space import InputError

RIGHT = np.array([True, False, True])
IMAGES = "ab" * 32


def outcomes(images=IMAGES, right=RIGHT):
    return Outcomes(
        images, np.array([0, 1, 2], dtype=np.int32), {"accuracy": right, "odd: name/": np.float32([1, 2, 3])}
    )


def kept(folder, seed=0, **said):
    """A row whose outcomes are kept in a folder."""
    found = evaluation(seed=seed, accuracy=2 / 3, loss=1.0, state="complete")
    return found.but(outcomes_sha256=write_outcomes(outcomes(**said), outcomes_file(folder, found.key, seed)))


def test_what_is_written_is_read_back():
    content, sha256 = packed_outcomes(outcomes())
    assert packed_outcomes(outcomes()) == (content, sha256)
    read = unpacked_outcomes(content, sha256)
    assert (read.images, len(read), read.values.keys()) == (IMAGES, 3, {"accuracy", "odd: name/"})
    assert read.values["accuracy"].dtype == bool
    np.testing.assert_array_equal(read.values["accuracy"], RIGHT)
    np.testing.assert_array_equal(read.classes, [0, 1, 2])


def test_ten_thousand_images_take_a_few_kilobytes():
    rng = np.random.default_rng(0)
    right = Outcomes(IMAGES, rng.integers(0, 10, 10_000, dtype=np.int32), {"accuracy": rng.uniform(size=10_000) < 0.9})
    assert len(packed_outcomes(right)[0]) < 12_000


def packed(accuracy, classes=(), version=1):
    file = io.BytesIO()
    arrays = {"format_version": np.array(version), "images": np.zeros(32, np.uint8), "classes": np.zeros(len(classes))}
    np.savez(file, **arrays, **{"value:accuracy": accuracy})
    return file.getvalue()


FOREIGN = {
    "empty": b"",
    "no archive": b"PK, but nothing else",
    "a newer version's": packed(RIGHT, version=2),
    "objects": packed(np.array([print, print], dtype=object)),
    "two lengths": packed(RIGHT, classes=(1, 2)),
    "one number": packed(np.array(1.0)),
    "words": packed(np.array(["yes", "no"])),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_such_file_is_refused_even_under_its_own_digest(content):
    with pytest.raises(InputError, match=r"holds no outcomes|format_version: found 2; .* a newer nas-attn"):
        unpacked_outcomes(content, hashlib.sha256(content).hexdigest())


def test_damaged_missing_and_foreign_files_are_named_and_ignored(tmp_path, caplog):
    rows = [kept(tmp_path, seed) for seed in range(3)] + [kept(tmp_path, 3, images="cd" * 32)]
    rows.append(evaluation(seed=4, accuracy=0.5, loss=1.0, state="complete"))  # as earlier versions wrote rows
    key = rows[0].key
    assert read_outcomes(tmp_path, rows[:3]).ignored == ()
    path = outcomes_file(tmp_path, key, 0)
    content = path.read_bytes()
    path.write_bytes(content[:-30] + bytes([content[-30] ^ 4]) + content[-29:])
    outcomes_file(tmp_path, key, 1).unlink()
    rows += [kept(tmp_path, 5)]
    found = read_outcomes(tmp_path, rows)
    assert found.found.keys() == {(key, 2), (key, 5)}
    assert [line.split(" ")[0] for line in found.ignored] == [f"{key}-seed{seed}.npz" for seed in (0, 1, 3)]
    assert rows[0].outcomes_sha256 in found.ignored[0]
    assert "is missing" in found.ignored[1]
    assert "other images" in found.ignored[2]
    assert found.said in caplog.text


def test_rows_of_an_earlier_version_have_no_outcomes(tmp_path):
    found = read_outcomes(tmp_path / "nowhere", [evaluation(accuracy=0.5, loss=1.0, state="complete")])
    assert (found.found, found.said) == ({}, "")


def test_folds_have_images_of_their_own_and_a_seed_of_another_fold_s_is_ignored(tmp_path):
    """Seeds 0, 2, 4, 6 validate on the first of two folds, the others on the second."""
    first, second, other = IMAGES, "cd" * 32, "ef" * 32
    images = [first, second, first, second, second, other, first]
    rows = [kept(tmp_path, seed, images=which) for seed, which in enumerate(images)]
    found = read_outcomes(tmp_path, rows, 2, lambda seed: seed % 2)
    assert ({seed for _, seed in found.found}, found.folds) == ({0, 1, 2, 3, 6}, 2)
    assert [line.partition(".npz")[0][-6:] for line in found.ignored] == ["-seed4", "-seed5"]
    assert {seed for _, seed in read_outcomes(tmp_path, rows).found} == {0, 2, 6}
