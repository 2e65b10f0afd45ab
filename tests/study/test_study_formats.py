"""What is stored says its format version: one that is too new is refused with the reason, one without is the first."""

import json
import math

import pytest
import torch
from fakes import FACTS, FakeEvaluator, search, space

from nas_attn.audit import read_rankings
from nas_attn.audit.ranking import Ranking
from nas_attn.audit.rankings import write_rankings
from nas_attn.cost import LatencyReading, Readings
from nas_attn.evaluation import pretraining
from nas_attn.evaluation.protocol import write_weights
from nas_attn.report.write import report_study
from nas_attn.settings import check_format
from nas_attn.space import InputError
from nas_attn.study import StudyFolder, find_study, write_question
from nas_attn.training import checkpoint

NEWER = r"format_version: found {}; allowed: 1 to {}; a newer nas-attn reads it"
WORDS = {"accuracy": "0.5", "loss": "1.0", "seconds": "2.0"}
IDENTITY = {"identity": "this one", "seconds": 1.0}


def too_new(found, newest):
    return pytest.raises(InputError, match=NEWER.format(found, newest))


@pytest.mark.parametrize("found", [0, -1, "1", True, None, 1.0, [1]])
def test_what_is_no_format_version_is_refused(found):
    with pytest.raises(InputError, match=r"^here: format_version: found .*; allowed: 1 to 3$"):
        check_format(found, 3, "here")


def test_a_study(tmp_path):
    (tmp_path / "study.toml").write_text('space = "space.toml"\n')
    search(tmp_path, FakeEvaluator()).run(3)
    study = find_study(tmp_path, None, "final")
    assert study.user_attrs["format_version"] == 1
    study.set_user_attr("format_version", 2)
    for read in (
        lambda: StudyFolder.open(tmp_path).front(),
        lambda: report_study(tmp_path),
        lambda: write_question(find_study(tmp_path, None, "final"), {"objectives": ["accuracy"]}, space(), FACTS),
    ):
        with too_new(2, 1):
            read()


def test_a_latency(tmp_path):
    readings, question = Readings(tmp_path / "latency.jsonl"), {"architecture": "h40bedbf9c"}
    readings.put(question, LatencyReading(2.0, 1.9, 2.1, 0.3, 300, "a processor"))
    line = json.loads(readings.path.read_text())
    assert line.pop("format_version") == 1
    assert line.pop("sha256")
    readings.path.write_text(json.dumps(line) + "\n")
    assert readings.get(question).median_ms == 2.0
    readings.path.write_text(json.dumps({**line, "format_version": 2}) + "\n")
    with too_new(2, 1):
        readings.get(question)


def test_the_rankings_of_an_audit(tmp_path):
    path, rankings = tmp_path / "audit.json", [Ranking("one", {"a": 1.0, "b": math.nan}, seconds=math.inf)]
    write_rankings(rankings, path)
    stored = json.loads(path.read_text())
    assert stored.pop("sha256")
    assert stored == {
        "format_version": 2,
        "rankings": [
            {
                "name": "one",
                "scores": {"a": 1.0, "b": None},
                "kind": "proxy",
                "seconds": None,
                "shared_seconds": 0.0,
                "shared_by": 1,
            }
        ],
    }
    path.write_text(json.dumps([{"name": "one", "scores": stored["rankings"][0]["scores"]}]))
    assert repr(read_rankings(path)) == repr([Ranking("one", {"a": 1.0, "b": math.nan})])
    path.write_text(json.dumps({**stored, "format_version": 3}))
    with too_new(3, 2):
        read_rankings(path)


def test_what_is_trained_for_all_networks(tmp_path):
    path, network = tmp_path / "trained.safetensors", torch.nn.Linear(2, 2)
    for words in (WORDS, {**WORDS, "format_version": "1"}):
        write_weights(network, path, **words)
        assert pretraining._find(path).validation == {"accuracy": 0.5, "loss": 1.0}
    write_weights(network, path, **WORDS, format_version="2")
    with too_new(2, 1):
        pretraining._find(path)


def test_an_interrupted_training(tmp_path):
    path = tmp_path / "training.ckpt"
    for stored in (IDENTITY, {**IDENTITY, "format_version": 1}):
        checkpoint.WholeFiles().save_checkpoint({"callbacks": {"nas_attn.training": stored}}, path)
        assert checkpoint.resumable(path, "this one") == path
    checkpoint.WholeFiles().save_checkpoint(
        {"callbacks": {"nas_attn.training": {**IDENTITY, "format_version": 2}}}, path
    )
    with too_new(2, 1):
        checkpoint.resumable(path, "this one")
