"""Whatever happens to a file of a study, nothing that it should not say is believed: it is named, and made again."""

import hashlib
import re
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_audit import ranking
from safetensors.torch import load_file
from small_protocol import RECIPE, STUDY, keeping, row
from small_study import SPACE

from nas_attn.assembly import load_space
from nas_attn.audit.rankings import read_rankings, write_rankings
from nas_attn.chain import Chain
from nas_attn.cost import LatencyReading, Readings
from nas_attn.cost.readings import _name_once
from nas_attn.evaluation import PretrainedStore, read_weights, weights_file
from nas_attn.preflight import Checked, Finding
from nas_attn.preflight.remembered import read_checked, write_checked
from nas_attn.results import Outcomes, outcomes_file, read_outcomes, write_outcomes
from nas_attn.settings import Backbone
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder, Unwritten
from nas_attn.verdict.changed_images import THUMBNAILS, read_thumbnails, write_thumbnails

SE, CBAM = (f"stage1.block0.branch={kind}" for kind in ("se(reduction=4)", "cbam(reduction=4)"))
AGAIN = "made again"


@dataclass
class Stored:
    """A file, how it is read, what is then known (nothing, where it is damaged), and what of another study holds."""

    path: Path
    read: Any
    other: bytes
    nothing: Any = AGAIN
    named: bool = True
    """Whether what is of another study is named: a latency is of its question, and of no study."""


def trained_weights(folder):
    protocol = keeping(folder)
    known, other = (protocol.train(row(SE, seed)) for seed in (0, 1))
    paths = [weights_file(protocol.keeps, one.key, one.seed) for one in (known, other)]

    def read():
        network = read_weights(protocol.build(parse(SE), 0), paths[0], known.weights_sha256)
        return summed(network.state_dict())

    return Stored(paths[0], read, paths[1].read_bytes(), None)


def outcomes_of_images(folder):
    path, found = folder / "outcomes", []
    for seed in (0, 1):
        values = {"loss": np.random.default_rng(seed).uniform(size=50).astype(np.float32)}
        digest = write_outcomes(Outcomes("ab" * 32, np.arange(50), values), outcomes_file(path, row(SE).key, seed))
        found.append(row(SE, seed, state="complete", loss=1.0, accuracy=0.5, outcomes_sha256=digest))

    def read():
        return {place: one.values["loss"].tolist() for place, one in read_outcomes(path, found[:1]).found.items()}

    first, second = (outcomes_file(path, one.key, one.seed) for one in found)
    return Stored(first, read, second.read_bytes(), {})


def checkpoint(folder):
    folder.mkdir()
    protocol = replace(keeping(folder), running=folder / "running", recipe=RECIPE.model_copy(update={"epochs": 2}))

    def stop(done, of):
        raise KeyboardInterrupt

    for seed in (1, 0):
        with pytest.raises(KeyboardInterrupt):
            protocol.train(row(SE, seed), stop)
    other, path = sorted(protocol.running.iterdir(), reverse=True)

    def read():
        found = protocol.train(row(SE, 0))
        return found.weights_sha256, found["loss"]

    return Stored(path, read, other.read_bytes())


def base(folder):
    task = keeping(folder).task
    stores = [PretrainedStore(folder / str(seed), Backbone(name="resnet8"), task, {}, seed, said) for seed in (0, 1)]
    other = stores[1].base(RECIPE).path
    return Stored(
        stores[0].base(RECIPE).path, lambda: summed(load_file(stores[0].base(RECIPE).path)), other.read_bytes()
    )


def supernet(folder):
    folder.mkdir()
    (folder / "space.toml").write_text(SPACE)
    spacefile, space = load_space(folder / "space.toml")
    task = keeping(folder).task
    stores = [PretrainedStore(folder / str(seed), spacefile.backbone, task, {}, seed, said) for seed in (0, 1)]

    def read(store=stores[0]):
        return summed(load_file(kept(store)))

    def kept(store):
        return store.supernet(space, RECIPE, lambda _: True, {}, [])[1].path

    return Stored(kept(stores[0]), read, kept(stores[1]).read_bytes())


def latency(folder):
    folder.mkdir()
    readings, question = Readings(folder / "latency.jsonl"), {"architecture": "h40bedbf9c", "image": (1, 8, 8)}
    reading = LatencyReading(2.0, 1.9, 2.1, 0.3, 300, "a processor")
    readings.put({**question, "image": (3, 8, 8)}, reading)
    other = readings.path.read_bytes()
    readings.path.unlink()
    readings.put(question, reading)
    return Stored(readings.path, lambda: readings.get(question), other, None, named=False)


def audit(folder):
    folder.mkdir()
    path = folder / "audit.json"
    write_rankings([ranking({parse(SE).key: 0.5, parse(CBAM).key: 0.25}, 0.01)], path)
    return Stored(path, lambda: [*map(astuple, read_rankings(path))], b'{"format_version": 2, "networks": []}', None)


def thumbnails(folder):
    folder.mkdir()
    write_thumbnails(folder, "cd" * 32, {7: b"another picture, of other images"})
    other = (folder / THUMBNAILS).read_bytes()
    write_thumbnails(folder, "ab" * 32, {7: b"a picture, as far as anybody knows"})
    return Stored(folder / THUMBNAILS, lambda: read_thumbnails(folder, "ab" * 32, [7]), other, {}, named=False)


def checked(folder):
    folder.mkdir()
    for name, text in (("study.toml", STUDY), ("space.toml", SPACE)):
        (folder / name).write_text(text)
    chain = Chain.open(StudyFolder.open(folder))
    write_checked(chain, Checked((Finding("images", "warning", "12 of them are black"),)))
    path = folder / "checked.json"
    other = path.read_bytes()
    other = re.sub(rb"[0-9a-f]{64}", lambda one: hashlib.sha256(one[0]).hexdigest().encode(), other)
    return Stored(path, lambda: read_checked(chain), other, None)


def unwritten(folder):
    known = row(SE, state="complete", loss=1.0, accuracy=0.5)
    Unwritten(folder).keep(known)
    (path,) = folder.iterdir()
    return Stored(path, lambda: [(one.key, one["loss"]) for one in Unwritten(folder).rows()], b"[1, 2]", [])


KINDS = (
    *(trained_weights, outcomes_of_images, checkpoint, base, supernet),
    *(latency, audit, thumbnails, checked, unwritten),
)
DAMAGES = {
    "cut short": lambda content, other: content[: len(content) * 2 // 3],
    "a flipped bit": lambda content, other: flipped(content, len(content) * 2 // 3),
    "empty": lambda content, other: b"",
    "of another study": lambda content, other: other,
}


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def summed(tensors):
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def said(*_):
    """What is told of a training that nobody waits for."""


@pytest.fixture(autouse=True)
def _kept_at_every_epoch(monkeypatch):
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_file_is_named_and_never_believed(tmp_path, caplog, kind):
    stored = kind(tmp_path / "files")
    content = stored.path.read_bytes()
    whole = stored.read()
    for name, damage in DAMAGES.items():
        caplog.clear()
        _name_once.cache_clear()
        stored.path.parent.mkdir(exist_ok=True)
        stored.path.write_bytes(damage(content, stored.other))
        try:
            found, words = stored.read(), caplog.text
        except InputError as error:
            found, words = None, str(error)
        assert found == (whole if stored.nothing is AGAIN else stored.nothing), name
        if (name != "of another study" or stored.named) and (name != "empty" or kind is not latency):
            assert stored.path.name in words, name


@pytest.mark.parametrize("kind", [latency, audit, thumbnails, checked], ids=lambda kind: kind.__name__)
def test_no_flipped_bit_of_a_small_file_changes_what_is_read(tmp_path, kind):
    stored = kind(tmp_path / "files")
    content, whole = stored.path.read_bytes(), stored.read()
    unread = 0
    for place in range(0, len(content), 1 if kind is latency else 5):
        stored.path.write_bytes(flipped(content, place))
        try:
            found = stored.read()
        except InputError:
            found = stored.nothing
        assert found in (whole, stored.nothing), place
        unread += found != whole
    assert unread > 30
