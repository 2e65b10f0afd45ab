"""Somebody opens a page in a browser and points at its marks."""

import re
from dataclasses import replace

import numpy as np
import pytest
from browser import Opened, chromium
from made_up import row, study_table
from made_up_audit import ranking, simulated
from made_up_trainings import trained

from nas_attn.audit.ranking import audit
from nas_attn.pricing import COUNTED, SpacePrices
from nas_attn.pricing.pictures import space_chart
from nas_attn.report.page import Report, write_report
from nas_attn.results import evaluations, table
from nas_attn.results.pictures import front_chart, write_picture
from nas_attn.verdict.conclusion import conclude

OBJECTIVES = ["accuracy", "flops", "latency_ms"]
HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"> & 'it'"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def said():
    rows = trained(2, effect=4.0)
    rivals = [
        row.but(key="width=1.25", role="width-matched", flops=95_000_000) for row in rows if row.architecture == "none"
    ]
    return conclude(rows, rivals, ["accuracy", "flops"])


@pytest.fixture(scope="module")
def audited():
    known, worth = simulated(networks=8)
    return audit(known, [ranking(worth, 0.01, "super<net>")])


@pytest.fixture(scope="module", params=[1280, 400], ids="{} pixels wide".format)
def report(request, browser, tmp_path_factory, said, audited):
    """The page of a study with a verdict and an audit; one network's latency is not known, another's is predicted."""
    rows, unknown = evaluations(study_table()), float("nan")
    rows[3] = rows[3].but(latency_ms=unknown, latency_ms_low=unknown, latency_ms_high=unknown)
    rows[4] = rows[4].but(latency_source="predicted")
    path = tmp_path_factory.mktemp("page") / "report.html"
    known = table(rows)
    write_report(
        Report("digits", known, ["accuracy", "flops", "params"], (), "", {}, conclusion=said, audit=audited), path
    )
    opened = Opened(browser, path, request.param, ("explorer", "verdict", "audit", "progress"))
    yield opened, {row.key: row for row in rows if row.state == "complete"}
    opened.page.close()


def written(browser, chart, path):
    write_picture(chart, path)
    return Opened(browser, path)


def dots(opened, place="explorer"):
    """The networks of a chart of the front, by what is said aloud of each: its role."""
    return [mark for mark in opened.marks(place) if "role: " in (mark.get_attribute("aria-label") or "")]


def test_who_points_at_a_network_of_the_front_reads_its_row(report):
    opened, rows = report
    found = [(mark.get_attribute("aria-label"), opened.told(mark)) for mark in dots(opened)]
    assert sorted(told["Key"] for _, told in found) == sorted(rows)
    for label, told in found:
        row = rows[told["Key"]]
        assert f": {100 * row['accuracy']:.0f}%;" in label, "what is told is told of what is pointed at"
        assert told["Architecture"] == row.architecture
        assert told["Accuracy"] == f"{100 * row['accuracy']:.2f} %"
        assert told["FLOPs"] == f"{row['flops'] / 1e6:.1f} M"
        assert told["Parameters"] == f"{row['params'] / 1e3:.1f} k"
        assert told["MACs"] == f"{row['macs'] / 1e6:.2f} M"
        assert float(told["Loss"].removesuffix(" nats")) == pytest.approx(row["loss"])
        assert list(told)[:2] == ["Key", "Architecture"]
    latencies = {told["Key"]: told["Latency"] for _, told in found}
    keys = [*rows]
    assert latencies[keys[0]] == "1.000 (0.950 to 1.050) ms"
    assert latencies[keys[3]] == "-"
    assert latencies[keys[4]] == "1.800 (1.750 to 1.850) ms, predicted"


def test_who_points_beside_a_network_reads_the_nearest_and_sees_it_ringed(report):
    opened, rows = report
    for mark in dots(opened)[: len(rows)]:
        told = opened.told(mark, aside=(14, 9))
        assert f": {100 * rows[told['Key']]['accuracy']:.0f}%;" in mark.get_attribute("aria-label")
        ringed = [other for other in dots(opened) if other.get_attribute("stroke") == "var(--ink)"]
        pointed = [] if told["Key"] == opened.page.locator("#chosen").inner_text() else [mark]
        assert [other.get_attribute("aria-label") for other in ringed] == [
            other.get_attribute("aria-label") for other in pointed
        ]


def test_what_is_told_stays_in_the_window(report):
    opened, _ = report
    for mark in dots(opened):
        opened.told(mark)
        box, window = opened.page.locator("#vg-tooltip-element").bounding_box(), opened.page.viewport_size
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= window["width"]
        assert box["y"] + box["height"] <= window["height"]


def test_who_points_at_the_verdict_reads_the_gain_of_that_network_and_of_that_kind(report, said):
    opened, _ = report
    gains = {held.what: held for held in (*said.comparison.networks, *said.comparison.widths)}
    effects = {held.what: held for held in said.comparison.effects}
    seen = {}
    for mark in opened.marks("verdict"):
        told = opened.told(mark)
        name = told.get("Key", told.get("Kind"))
        seen.setdefault(name, 0)
        seen[name] += 1
        value = 100 * (gains | effects)[name].gain.value
        assert told["Gain"].replace("\N{MINUS SIGN}", "-").startswith(f"{value:+.2f} points of accuracy (")
        label = mark.get_attribute("aria-label").replace("\N{MINUS SIGN}", "-")
        assert float(re.search(r"(?:points of accuracy.*|low|gain): (-?[\d.]+)", label)[1]) == pytest.approx(
            value, abs=1e-6
        )
    assert seen == dict.fromkeys(gains | effects, 1) | {said.leader: 2}, "the most promising one is ringed"


def test_who_points_at_the_audit_reads_what_full_training_said_of_that_network(report, audited):
    opened, _ = report
    truth = {
        network.key: (network.architecture, values.mean())
        for network, values in zip(audited.truth.networks, audited.truth.values["loss"], strict=True)
    }
    found = [opened.told(mark) for mark in opened.marks("audit")]
    assert len(found) == len(truth) * len(audited.ranked)
    for told in found:
        architecture, loss = truth[told["Key"]]
        assert told["Architecture"] == architecture
        assert float(told["Loss"].removesuffix(" nats")) == pytest.approx(loss, rel=1e-3)
    scores = next(ranked.ranking.scores for ranked in audited.ranked if ranked.ranking.name == "super<net>")
    for told in found[: len(truth)]:
        assert float(told["Score"].replace("\N{MINUS SIGN}", "-")) == pytest.approx(scores[told["Key"]], rel=1e-3)


def test_a_browser_finds_nothing_to_complain_of_and_asks_nobody_for_anything(report):
    opened, _ = report
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith("file:")] == []
    assert len(opened.asked) == 1
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"], "nothing sticks out"
    shown = page.locator("main").inner_text().replace("loss <is> NaN", "")
    assert not re.search(r"\b(undefined|NaN|null|\[object)\b", shown)


def test_a_picture_of_the_front_as_a_page_tells_names_as_they_are_written_whatever_they_hold(browser, tmp_path):
    rows = [row("none", 0.9, 100, 1.0), replace(row("stage1.block0.branch=se", 0.93, 120, 1.4), architecture=HOSTILE)]
    opened = written(browser, front_chart(table(rows), OBJECTIVES, HOSTILE), tmp_path / "it's \"<b>.html")
    assert {opened.told(mark)["Architecture"] for mark in dots(opened, "figure")} == {"none", HOSTILE}
    assert opened.page.title() == "it's \"<b>"
    assert (opened.complaints, len(opened.asked)) == ([], 1)
    opened.page.close()


def test_a_picture_of_a_table_of_ones_own_tells_its_columns(browser, tmp_path):
    """Also those whose names a tooltip would take for a heading or a picture to load."""
    wine = table([row("none", 0.9, 100, 1.0), row("stage1.block0.branch=se", 0.93, 120, 1.4)])[["accuracy"]]
    wine = wine.assign(**{"price [a.b]": [3.0, 2.5], "title": [1.0, 2.0], "image": [4.0, 5.0]})
    chart = front_chart(wine, {"accuracy": "max", "price [a.b]": "min", "title": "max", "image": "max"})
    opened = written(browser, chart, tmp_path / "wine.html")
    told = {told["Key"]: told for told in map(opened.told, opened.marks("figure")[:2])}
    assert set(told) == set(wine.index)
    first = told[wine.index[0]]
    assert first == {"Key": wine.index[0], "Accuracy": "90.00 %"} | dict(
        zip(("Price [a.b]", "Title", "Image"), ("3.000", "1.000", "4.000"), strict=True)
    )
    assert (opened.complaints, len(opened.asked)) == ([], 1)
    opened.page.close()


def test_a_picture_of_one_objective_tells_the_place_of_each_network(browser, tmp_path):
    opened = written(browser, front_chart(study_table(), ["accuracy"]), tmp_path / "one.html")
    places = {told["Place"]: told["Accuracy"] for told in map(opened.told, dots(opened, "figure"))}
    assert places == {"1": "94.00 %", "2": "93.00 %", "3": "92.00 %", "4": "90.00 %", "5": "89.00 %"}
    opened.page.close()


def test_a_picture_of_a_space_tells_how_many_networks_cost_how_much(browser, tmp_path):
    """Half of the networks have the plain backbone's 100 parameters, the others 110."""
    added = (np.array([(0, 0, 0), (10, 20, 40)]),)
    prices = SpacePrices(np.array((100, 200, 400)), added)
    known = {measure: prices.distribution(measure) for measure in COUNTED}
    opened = written(browser, space_chart(prices, known, "Networks", "of a test"), tmp_path / "space.html")
    told = [opened.told(mark) for mark in opened.marks("figure", "bar") if mark.bounding_box()["height"] > 5]
    assert [(line.popitem()[1], line.popitem()) for line in told] == [
        ("50.00 %", ("Parameters", "100")),
        ("50.00 %", ("Parameters", "110")),
        ("50.00 %", ("MACs", "200")),
        ("50.00 %", ("MACs", "220")),
        ("50.00 %", ("FLOPs", "400")),
        ("50.00 %", ("FLOPs", "440")),
    ]
    opened.page.close()
