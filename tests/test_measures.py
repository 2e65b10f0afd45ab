"""A measure that is added in one place, driven through everything that asks the table of measures."""

from datetime import timedelta

import numpy as np
import optuna
import pandas as pd
import pytest
from fakes import FakeEvaluator, begun, search, space, study_file
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.cli.progress import _row_line
from nas_attn.report.page import Report, write_report
from nas_attn.results import evaluations, read_csv, table, write_csv
from nas_attn.search import promoted
from nas_attn.search.samplers import SAMPLERS, Problem
from nas_attn.settings import BUILT_IN, MEASURES, Measure, duration
from nas_attn.space import former_key, parse
from nas_attn.study import StudyFolder
from nas_attn.verdict.conclusion import conclude

CHAIN = [{"proxy": "scratch", "epochs": 1, "networks": 8}, {"proxy": "final", "networks": 5, "seeds": 2}]
LEARNT = Measure("mean_iou", "Mean IoU", "%", "max", "learnt", largest=1.0, ticks="~%")
COUNTED = Measure("activations_mb", "Activations", "MB", "min", "counted")
GAIN = {LEARNT.name: "points of mean IoU", COUNTED.name: "MB less activations"}


def quality(row):
    """Better with every `se`, worse with every gate; seeds differ by a hundredth."""
    kinds = [placement.attention.kind for placement in parse(row.architecture).placements]
    return (
        0.5
        + 0.1 * kinds.count("se")
        - 0.05 * kinds.count("gate")
        + 0.01 * row.seed
        + 0.001 * (int(former_key(row.key), 16) % 7)
    )


class Evaluator(FakeEvaluator):
    """Knows the made-up measure, and trains by it."""

    def count(self, architecture):
        row = super().count(architecture)
        return row.but(activations_mb=100.0 * (1.5 - quality(row))) if COUNTED.name in MEASURES else row

    def result(self, row):
        found = super().result(row)
        return found.but(mean_iou=quality(row)) if LEARNT.name in MEASURES else found


@pytest.fixture(scope="module", params=[LEARNT, COUNTED], ids=lambda one: one.source)
def one(request):
    with pytest.MonkeyPatch.context() as patch:
        for table in (BUILT_IN, MEASURES):
            patch.setitem(table, request.param.name, request.param)
        yield request.param


@pytest.fixture(scope="module")
def folder(one, tmp_path_factory):
    """A study whose leading objective it is, searched in two steps, the last with two seeds."""
    tmp_path = tmp_path_factory.mktemp("study")
    file = study_file(objectives=(one.name, "flops"), chain=CHAIN, search={"sampler": "known_cost"})
    study, step = begun(tmp_path, file, step="scratch"), file.steps[0]
    assert step.score == one.name
    searching = search(tmp_path, Evaluator(), file=file)
    searching.study, searching.step = study, step
    searching.__post_init__()
    searching.run()
    rows = StudyFolder(tmp_path, file).seed_rows("scratch")
    search(tmp_path, Evaluator(), file=file, given=promoted(rows, file, 5, step.score)).run()
    return StudyFolder(tmp_path, file)


def means(folder, one, step):
    rows = pd.DataFrame([(row.key, row[one.name]) for row in folder.seed_rows(step)], columns=["key", "value"])
    return rows.groupby("key")["value"].mean()


def best_first(values, one):
    return list(values.sort_values(ascending=one.better == "min").index)


def test_the_table_holds_its_mean_over_seeds_and_a_file_gives_it_back(folder, one, tmp_path):
    found = folder.table()
    assert found[one.name].to_dict() == pytest.approx(means(folder, one, "final").to_dict())
    assert set(found["seeds"]) == {2}
    if one.source == "learnt":
        assert found[f"{one.name}_std"].to_numpy() == pytest.approx(0.01 / np.sqrt(2))
    write_csv(found, tmp_path / "rows.csv")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "rows.csv"), found)
    assert table(evaluations(found)).equals(found)


def test_optuna_is_given_its_mean_with_its_direction(folder, one):
    study = folder.study("final")
    assert study.directions[0].name == f"{one.better}IMIZE".upper()
    known = means(folder, one, "final")
    complete = [trial for trial in study.trials if trial.state is optuna.trial.TrialState.COMPLETE]
    keys = [parse(trial.user_attrs["architecture"]).key for trial in complete]
    assert [next(iter(trial.values)) for trial in complete] == pytest.approx([known[key] for key in keys])


def test_the_best_by_it_goes_on_and_it_leads_the_front(folder, one):
    first = means(folder, one, "scratch")
    assert best_first(first, one)[0] in set(folder.table("final").index)
    front = folder.front()
    assert list(front.best[one.name]) == sorted(front.best[one.name], reverse=one.better == "max")
    assert front.best.index[0] == best_first(means(folder, one, "final"), one)[0]
    assert folder.pick("best").key == front.best.index[0]
    assert folder.pick("knee").key == front.knee


def test_the_sampler_learns_it(folder, one, monkeypatch):
    requested = []
    monkeypatch.setattr("nas_attn.search.samplers.KnownCostSampler", lambda *_, **said: requested.append(said))
    SAMPLERS["known_cost"](Problem(space(), folder.file, lambda: Evaluator().prices(space())), 0)
    assert requested[0]["leading"] == 0


def test_the_line_of_a_network_shows_it(folder, one):
    row = folder.pick("best")
    assert one.spell(row[one.name]) in _row_line(row, [folder.file.leading.name, "flops", "latency_ms"], "", 1, 5)


def test_the_verdict_speaks_of_it_in_its_unit(folder, one):
    known = means(folder, one, "final")
    plain = parse("none").key
    said = conclude(folder.full_rows(), [], folder.file.objectives)
    assert said.comparison.measure is one
    gains = {each.what: each.gain.value for each in said.comparison.networks}
    signed = {key: one.sign * (known[key] - known[plain]) for key in gains}
    assert gains == pytest.approx(signed)
    assert any(GAIN[one.name] in sentence for sentence in said.sentences)
    assert said.leader == best_first(known, one)[0]
    assert said.table[one.name].to_dict() == pytest.approx(known.to_dict(), abs=0.02 * known.abs().max())
    assert one.title in said.readable.columns


def test_the_page_shows_it(folder, one, tmp_path):
    said = conclude(folder.full_rows(), [], folder.file.objectives)
    write_report(
        Report("t", folder.table(), folder.file.objectives, (), "", {}, conclusion=said), tmp_path / "report.html"
    )
    text = (tmp_path / "report.html").read_text()
    best = folder.front().best.iloc[0]
    assert f"<th>{one.head}" in text or one.head in text
    assert one.spell(best[one.name]).removesuffix(f" {one.unit}") in text
    assert one.word in text
    assert GAIN[one.name] in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (99, "99 seconds"), (100, "1.7 minutes"), (597, "10 minutes"), (9e3, "2.5 hours")],
)
def test_a_time_is_spelt_in_its_unit(seconds, text):
    assert duration(seconds) == text


@given(st.floats(1.5, 1e9))
def test_a_time_that_is_spelt_is_that_time(seconds):
    """Read back by Python's own measure of time, it differs by what two digits, or a second, leave out."""
    value, unit = duration(seconds).split()
    again = timedelta(**{unit: float(value.replace(",", ""))}).total_seconds()
    assert again == pytest.approx(seconds, rel=0.051, abs=0.5)
    assert "e" not in value
