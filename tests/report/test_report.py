import base64
import gzip
import html
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import moocore
import numpy as np
import pandas as pd
import pytest
from made_up_audit import ranking, simulated
from made_up_trainings import trained

from nas_attn.audit import sentences
from nas_attn.audit.ranking import audit
from nas_attn.report.headline import headline
from nas_attn.report.page import Report, write_report
from nas_attn.report.placements import ELSEWHERE, Standing, matrix
from nas_attn.results import across_seeds, evaluations, front, knee, pareto_front, spelt_curve, table
from nas_attn.settings import Claim
from nas_attn.space import InputError
from nas_attn.verdict import Standings
from nas_attn.verdict.conclusion import conclude

OBJECTIVES = ["accuracy", "flops", "latency_ms"]
SETTINGS = 'space = "resnet20" # <mine> & yours\n'


class Page(HTMLParser):
    """What a browser would find: the tags with their attributes, and the words outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.styles, self.inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        (self.styles if self.inside == "style" else self.words if self.inside != "script" else []).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def document_of(text):
    """The rows of a page, unpacked as its script does it."""
    packed = re.search(r'<script type="text/plain" id="document">([^<]+)</script>', text)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def page(tmp_path, rows, slots, objectives=OBJECTIVES, title="digits & <others>"):
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "report.html"
    write_report(Report(title, rows, objectives, slots, SETTINGS, {"Budget": "flops < 150 M"}), path)
    assert list(tmp_path.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory, rows, slots):
    return page(tmp_path_factory.mktemp("page"), rows, slots)


def test_a_page_loads_nothing(written):
    found = Page(written)
    loading = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
    loaded = [(tag, given) for tag, given in found.tags if loading & set(given)]
    assert [(tag, given) for tag, given in loaded if not given.get("href", "").startswith("#")] == []
    places = {given["id"] for _, given in found.tags if "id" in given}
    assert {given["href"][1:] for _, given in loaded} <= places, "what the contents list names is there"
    assert not {"link", "iframe", "img", "object", "embed", "base"} & {tag for tag, _ in found.tags}
    assert not re.search(r"url\(|@import|https?:", "".join(found.styles))
    assert not re.search(r"^\s*import[\s{*\"']", written, flags=re.MULTILINE)
    policy = next(given["content"] for tag, given in found.tags if given.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "connect-src" not in policy


def test_a_page_holds_the_figure_and_the_program_that_draws_it(written):
    assert "window.vegaEmbed" in written
    assert 'mode: "vega-lite"' in written
    assert len([1 for _, given in Page(written).tags if given.get("id") in ("explorer", "explorer-specification")]) == 2


def test_a_page_shows_the_front_its_knee_and_every_row_with_its_reason(written, rows):
    text = Page(written).text
    for key in front(rows, OBJECTIVES).index:
        assert text.count(key) >= 2, "in the front and in the matrix"
    assert f"{knee(rows, OBJECTIVES)} knee" in text
    known = document_of(written)
    assert known["keys"] == [*rows.index]
    assert [" ".join(known["parts"][part]["text"] for part in parts) for parts in known["architectures"]] == [
        row.architecture for row in evaluations(rows)
    ]
    assert known["words"]["State"][-2:] == ["over budget: too expensive", "failed: loss <is> NaN"]
    assert known["standings"][-2:] == [None, None], "what was not trained is not drawn"
    assert "flops < 150 M" in text
    assert SETTINGS.strip() in text
    assert "measured for one pass of 1 image with 1 thread in float32, contiguous, eager, on a processor" in text


def test_what_comes_from_the_table_is_escaped(tmp_path, rows, slots):
    hostile = "stage1=<script>alert(1)</script>&\"'"
    some = [replace(row, architecture=hostile) if row["accuracy"] == 0.94 else row for row in evaluations(rows)]
    text = page(tmp_path, table(some), slots)
    assert "<script>alert" not in text
    assert html.escape("<script>alert(1)</script>") in text
    assert "digits &amp; &lt;others&gt;" in text
    assert "its spelling cannot be read" in text


def test_a_page_without_a_complete_row_says_so(tmp_path, rows, slots):
    text = page(tmp_path, rows[rows["state"] != "complete"], slots)
    found = Page(text)
    assert "No network has been trained to the end" in found.text
    assert "Of the rows, 1 is over budget and 1 is without a result." in found.text
    assert "over budget: too expensive" in document_of(text)["words"]["State"]
    assert "window.vegaEmbed = " not in text


def test_a_page_computes_its_front_once(tmp_path, monkeypatch):
    """That of its own table: an audit and a verdict have questions of their own."""
    fronts, of = [], moocore.is_nondominated
    monkeypatch.setattr(moocore, "is_nondominated", lambda *args, **kwargs: fronts.append(args) or of(*args, **kwargs))
    trainings = trained(2, effect=4.0)
    said, (known, worth) = conclude(trainings, [], ["accuracy", "flops"]), simulated()
    found = audit(known, [ranking(worth, 0.01, "supernet")])
    fronts.clear()
    shown = table(across_seeds(trainings))
    report = Report("t", shown, ["accuracy", "flops"], (), SETTINGS, {}, conclusion=said, audit=found)
    front = write_report(report, tmp_path / "report.html")
    assert len(fronts) == 1
    assert front.knee == knee(shown, ["accuracy", "flops"])


def test_a_page_of_an_empty_table_can_be_written(tmp_path, rows, slots):
    assert "No network has been trained" in page(tmp_path, rows.iloc[:0], slots)


def test_a_page_for_one_objective_speaks_of_the_best(tmp_path, rows, slots):
    text = Page(page(tmp_path, rows, slots, ["accuracy"])).text
    assert f"The best network is {knee(rows, ['accuracy'])}" in text
    assert "knee" not in text


def test_latencies_of_two_devices_make_no_page(tmp_path, rows, slots):
    mixed = rows.assign(latency_device=["one", "two"] * 3 + ["one"])
    with pytest.raises(InputError, match="latency_device is 'one'"):
        page(tmp_path, mixed, slots)
    assert list(tmp_path.iterdir()) == []


def test_a_page_tells_of_an_audit_where_there_was_one(tmp_path, rows, slots):
    known, worth = simulated()
    found = audit(known, [ranking(worth, 0.01, "super<net>")])
    write_report(Report("t", rows, OBJECTIVES, slots, SETTINGS, {}, audit=found), tmp_path / "report.html")
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = Page(written).text
    assert all(sentence in text for sentence in sentences(found))
    assert f"super<net> trusted 24 {found.ranked[0].spearman}" in text
    assert "<net>" not in written
    assert {"explorer", "audit"} <= {given.get("id") for _, given in Page(written).tags}
    assert "What the proxies are worth" not in Page(page(tmp_path, rows, slots)).text


def test_a_page_tells_the_verdict_where_one_was_asked_for(tmp_path, rows, slots):
    said = conclude(trained(2, effect=4.0), [], ["accuracy", "flops"])
    write_report(Report("t", rows, OBJECTIVES, slots, SETTINGS, {}, conclusion=said), tmp_path / "report.html")
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert all(sentence in found.text for sentence in said.sentences)
    first = said.readable.iloc[0]
    assert first["Key"] == said.leader
    assert " ".join(map(str, first)).replace("=", "= ") in found.text
    assert {"explorer", "verdict"} <= {given.get("id") for _, given in found.tags}
    assert "Does attention pay?" not in Page(page(tmp_path / "other", rows, slots)).text


def test_a_verdict_without_noise_is_told_without_a_picture(tmp_path, rows, slots):
    once = [row for row in trained(2, effect=4.0) if row.seed == 0]
    said = conclude(once, [], ["accuracy", "flops"])
    write_report(Report("t", rows, OBJECTIVES, slots, SETTINGS, {}, conclusion=said), tmp_path / "report.html")
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert said.sentences[0] in found.text
    assert "verdict" not in {given.get("id") for _, given in found.tags}


def test_a_page_says_what_became_of_each_claim(tmp_path, rows, slots):
    trainings = trained(2, effect=4.0)
    claims = [
        Claim(where=trainings[-1].architecture, gain=gain, error=0.5, source=f"<Somebody> {gain}") for gain in (0.1, 90)
    ]
    claims.append(Claim(where="stage9=se", gain=1, source="Nobody"))
    said = conclude(trainings, [], ["accuracy", "flops"], claims=claims)
    write_report(Report("t", rows, OBJECTIVES, slots, SETTINGS, {}, conclusion=said), tmp_path / "report.html")
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Page(written)
    assert {one.finding for one in said.claims} >= {"refuted", "not measured"}
    assert all(sentence in found.text for sentence in said.sentences)
    assert all(found.text.count(sentence) == 1 for sentence in said.sentences[-3:])
    assert "<Somebody>" not in written
    assert {"verdict", "claims"} <= {given.get("id") for _, given in found.tags}
    assert "What is printed" not in Page(page(tmp_path / "other", rows, slots)).text


def test_an_audit_of_nothing_can_be_written(tmp_path, rows, slots):
    write_report(
        Report("t", rows.iloc[:0], OBJECTIVES, slots, SETTINGS, {}, audit=audit([], [])), tmp_path / "report.html"
    )
    assert "Too few networks to tell" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_page_tells_the_chain_and_compares_rows_of_the_deciding_step_alone(tmp_path, rows, slots):
    screened = [row.but(step="supernet", accuracy=0.99, train_seconds=2.0) for row in evaluations(rows)]
    screened[1] = replace(screened[1], seeds=3)
    text = Page(page(tmp_path, table([*screened, *evaluations(rows)]), slots)).text
    assert "supernet 7 5 1 to 3 18.00 s" in text
    assert "final 7 5 1" in text
    assert "5 networks were trained; 3 of them are on the front" in text
    assert "93.00 % accuracy" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "How networks were judged" not in Page(page(tmp_path, rows, slots)).text


def test_a_page_of_5000_rows_is_small_and_soon_written(tmp_path, rows, slots):
    many = pd.concat([rows] * 715).iloc[:5000].copy()
    many.index = pd.Index([f"key{number}" for number in range(len(many))], name="key")
    rng = np.random.default_rng(0)
    many["accuracy"] += rng.uniform(-0.05, 0.05, len(many))
    losses = np.exp(-np.arange(30) / 10)[:, None] + rng.uniform(0, 0.1, (len(many), 30, 3))
    names = ("train_loss", "loss", "accuracy")
    curves = [[(number, dict(zip(names, line, strict=True))) for number, line in enumerate(one, 1)] for one in losses]
    many["learning_curve"] = list(map(spelt_curve, curves))
    page(tmp_path / "first", rows, slots)
    before = time.process_time()
    text = page(tmp_path / "page", many, slots)
    assert time.process_time() - before < 5
    assert len(text.encode()) < 2_000_000
    assert len(document_of(text)["keys"]) == 5000


def headed(rows, objectives=OBJECTIVES):
    return headline(rows, pareto_front(rows, objectives))


def plain(sentences):
    """The sentences with the letters of a keyboard only."""
    return [
        sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MULTIPLICATION SIGN}", "x") for sentence in sentences
    ]


def test_the_headline_counts_and_holds_the_finding_against_the_bare_network(rows):
    counted, balanced, leader, trust = plain(headed(rows))
    assert counted == (
        "5 networks were trained; 3 of them are on the front of accuracy, FLOPs and latency. "
        "Of the others, 1 is over budget and 1 is without a result."
    )
    assert "93.00 % accuracy, 104.0 M FLOPs and 1.200 ms latency" in balanced
    assert balanced.endswith("that is +3.00 points of accuracy, 1.04 x its FLOPs and 1.2 x its latency.")
    assert leader.startswith("Best in accuracy is")
    assert "+4.00 points" in leader
    assert "one seed, 0" in trust
    assert "noise" in trust


def test_the_headline_can_say_that_no_attention_wins(rows):
    flat = rows.assign(accuracy=[0.95, 0.93, 0.94, 0.89, 0.92, float("nan"), float("nan")])
    counted, balanced, _ = plain(headed(flat))
    assert "1 of them is on the front" in counted
    assert "is the plain backbone h40bedbf9c, without any attention" in balanced


def test_the_headline_says_where_there_is_nothing_to_hold_against(rows):
    balanced = headed(rows.iloc[1:])[1]
    assert "the plain backbone was not trained" in balanced


def test_the_headline_says_so_where_seeds_differ_or_an_objective_is_lacking(rows):
    assert "different seeds (0, 1)" in headed(rows.assign(seed=[0, 1, 0, 0, 0, 0, 0]))[-1]
    lacking = rows.assign(loss=[float("nan"), *rows["loss"].iloc[1:]])
    assert "1 is trained but lacking an objective" in headed(lacking, ["loss", "flops"])[0]


def test_front_page_and_verdict_say_the_same_of_the_front_and_of_the_noise(tmp_path, slots):
    seeds = trained(2, effect=1.0)
    sure, said = Standings.of(seeds, [], ["accuracy", "flops"]), conclude(seeds, [], ["accuracy", "flops"])
    shown = table(across_seeds(seeds))
    counted, *_, noise = headline(shown, pareto_front(shown, ["accuracy", "flops"]), sure)
    assert counted.startswith(
        "24 networks were trained; on the front of accuracy and FLOPs with probability at least 0.95: "
    )
    assert {sure.sentence, noise} <= set(said.sentences)
    report = Report("t", shown, ["accuracy", "flops"], slots, SETTINGS, {}, standings=sure, conclusion=said)
    front = write_report(report, tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    listed = sure.rows(front)
    places = {key: number for number, key in enumerate(sure.membership.posterior.keys)}
    assert [*front.best.index] == [*listed.index][: len(front.best)]
    expected = {key for key, number in places.items() if sure.membership.standing(number) != "out"}
    assert set(listed.index) == expected | set(front.best.index)
    for key, place in listed["front"].items():
        assert f"{100 * sure.membership.probability[places[key]]:.0f} %" in place
        assert f"{place} {shown.loc[key, 'architecture']}".replace("=", " = ").split()[0] in text


def test_where_noise_is_not_known_it_is_said(rows):
    assert Standings.of(evaluations(rows), [], OBJECTIVES) is None
    several = rows.assign(seeds=3)
    assert "No two networks share two seeds" in headed(several)[-1]


def test_the_matrix_says_what_stands_in_each_slot(rows, slots):
    networks = list(rows["architecture"].items())
    found = dict(matrix(networks, slots).lines)
    keys = list(rows.index)
    assert matrix(networks, slots).columns == ("stage1", "stage2")
    assert matrix(networks, slots).kinds == ["cbam", "gate", "se"]
    assert found[keys[0]] == ((), ())
    assert found[keys[2]] == ((), (Standing("cbam", "kernel_size=7 reduction=8", ""),))
    assert found[keys[4]] == ((Standing("se", "reduction=8", ""),), (Standing("se", "reduction=4", "1 of 2 sites"),))


def test_the_matrix_tells_the_position_where_it_was_a_choice():
    sites = ["s1.b0.branch", "s1.b0.block"]
    found = matrix([("a", "s1.b0.block=gate"), ("b", "s1.b0.branch=gate")], [("s1", sites)])
    assert [cells[0][0].where for _, cells in found.lines if cells] == ["block", "branch"]


def test_what_stands_outside_every_slot_is_not_hidden(slots):
    found = matrix([("a", "stage9.block0.branch=gate")], slots)
    assert found.columns == ("stage1", "stage2", ELSEWHERE)
    assert found.lines == (("a", ((), (), (Standing("gate", "", ""),))),)


def test_a_width_matched_baseline_is_as_uncertain_as_a_network_of_the_same_values(tmp_path):
    """One that got in each training what the plain backbone got, and another with two of its five seeds."""
    rows = trained(2, effect=4.0)
    plain = [row for row in rows if row.architecture == "none"]
    wider = [row.but(key="width=1.25", role="width-matched") for row in plain]
    wider += [row.but(key="width=1.5", role="width-matched") for row in plain[:2]]
    report = Report(
        "x", table(across_seeds(rows)), ["accuracy", "flops"], (), "", {}, width_matched=across_seeds(wider)
    )
    standings = Standings.of(rows, wider, ["accuracy", "flops"])
    write_report(replace(report, standings=standings), tmp_path / "report.html")
    known = document_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    ends = dict(zip(known["keys"], known["ends"]["accuracy"], strict=True))
    low, high = ends[plain[0].key]
    assert ends["width=1.25"] == pytest.approx([low, high], abs=0.1 * (high - low))
    assert ends["width=1.5"][1] - ends["width=1.5"][0] > 1.2 * (high - low)
    assert known["spent"]["trainings"][-2:] == [5, 2]
    assert known["spent"]["seconds"][-2:] == [150.0, 60.0]


def test_networks_are_counted_by_where_they_stand():
    rows = trained(2, effect=4.0)
    standings = Standings.of(rows, [], ["accuracy", "flops"])
    frame = standings.rows(pareto_front(table(across_seeds(rows)), ["accuracy", "flops"]))
    shown = frame["front"].str.split(" ").str[0].value_counts()
    first, *counts = map(int, re.findall(r"(\d+) (?:networks|on|undecided|out)", standings.counted))
    assert first == sum(counts) == 24
    assert counts[0] == shown["in"]
    assert counts[1] == shown["undecided"]
