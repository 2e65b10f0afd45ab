"""Somebody reads pages of four studies in a browser: with mouse or keyboard, at night, on a telephone, on paper."""

import re
from collections import namedtuple
from dataclasses import replace
from itertools import product

import pytest
from browser import Opened, chromium
from made_up import row, study_table
from made_up_trainings import trained

from nas_attn.drawing import Outline, Place
from nas_attn.report.page import Report, write_report
from nas_attn.results import across_seeds, spelt_curve, table
from nas_attn.space import parse
from nas_attn.verdict import Standings
from nas_attn.verdict.conclusion import conclude

NAN = float("nan")
HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"> & 'it'"
SLOTS = [(f"stage{number}", [f"stage{number}.block0.branch"]) for number in (1, 2, 3)]
OUTLINE = Outline(
    "resnet8",
    (3, 32, 32),
    10,
    tuple(
        Place(f"stage{n}.block0.branch", f"stage{n}", f"stage{n}.block0", "branch", (16 * n, 32 // n, 32 // n))
        for n in (1, 2, 3)
    ),
    (1000, 40_000, 80_000),
    {f"stage{n}.block0.branch": {"se": (16, 200 * n, 400 * n)} for n in (1, 2, 3)},
)
Study = namedtuple("Study", "path networks rows limits")


def curve_of(one):
    """A made-up learning curve that ends at the row's own loss."""
    losses = [(1, 2.3, 2.2), (5, 1.0, 1.1), (30, one["loss"] / 2, one["loss"])]
    return spelt_curve([(epoch, {"train_loss": train, "loss": loss}) for epoch, train, loss in losses])


def judged():
    """Networks with five seeds, what they conclude, a width-matched baseline and a budget."""
    rows = [one.but(learning_curve=curve_of(one)) for one in trained(2, effect=4.0)]
    wider = [
        one.but(key="width=1.25", role="width-matched", flops=95_000_000) for one in rows if one.architecture == "none"
    ]
    objectives = ["accuracy", "flops"]
    return Report(
        "a demonstration",
        table(across_seeds(rows)),
        objectives,
        SLOTS,
        "seed = 0",
        {"Commands": "nas-attn search"},
        standings=Standings.of(rows, wider, objectives),
        conclusion=conclude(rows, wider, objectives, slots=SLOTS),
        outline=OUTLINE,
        limits={"flops": 100_000_000},
        width_matched=across_seeds(wider),
    )


def many():
    """500 networks, of which every seventh failed and every eleventh costs too much."""
    kinds = ("", *(f"se(reduction={2**n})" for n in range(1, 8)))
    rows = []
    for number, filled in enumerate(product(kinds, repeat=3)):
        spelt = " ".join(f"stage{slot}.block0.branch={kind}" for slot, kind in enumerate(filled, 1) if kind) or "none"
        made = row(str(parse(spelt)), 0.9 + 0.05 * ((37 * number) % 101) / 101, 100 + number % 97, 1 + number / 1000)
        lost = {"accuracy": NAN, "loss": NAN}
        if number and number % 7 == 0:
            made = made.but(state="failed", reason="TrainingFailed: the loss is not finite", **lost)
        elif number and number % 11 == 0:
            made = made.but(state="over_budget", reason="flops 190,000,000 > 180,000,000", **lost)
        rows.append(made)
    return Report("many", table(rows[:500]), ["accuracy", "flops", "latency_ms"], SLOTS, "", {})


def hostile():
    """What others wrote, wherever a page shows it."""
    first, second, *_ = [
        row("none", 0.9, 100, 1.0),
        row("stage1.block0.branch=my_package.blocks:Attention_of_a_very_long_name(a=1)", 0.93, 120, 1.4),
    ]
    bad = replace(row("stage2.block0.branch=se", 0.92, 110, 1.2), architecture=HOSTILE, key=f"{HOSTILE}key")
    failed = row("stage3.block0.branch=se", NAN, 110, 1.2, state="failed", reason=HOSTILE)
    slots = [(HOSTILE, ["stage1.block0.branch"]), *SLOTS[1:]]
    return Report(
        HOSTILE, table([first, second, bad, failed]), ["accuracy", "flops"], slots, HOSTILE, {HOSTILE: HOSTILE}
    )


STUDIES = {
    "a demonstration": judged,
    "one network": lambda: Report("one", study_table().iloc[:1], ["accuracy", "flops"], SLOTS, "", {}),
    "500 rows": many,
    "hostile names": hostile,
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=STUDIES)
def study(request, tmp_path_factory):
    path, report = tmp_path_factory.mktemp("study") / "report.html", STUDIES[request.param]()
    front = write_report(report, path)
    widths = [one.key for one in report.width_matched]
    return Study(path, [*map(str, front.rows.index), *widths], len(report.table) + len(widths), report.limits)


@pytest.fixture(scope="module")
def opened(browser, study):
    opened = Opened(browser, study.path, places=("explorer", "progress"))
    opened.page.wait_for_selector("html[data-drawn]")
    yield opened
    opened.page.close()


def quiet(opened):
    """Nothing to complain of, nobody asked, nothing sticks out, and nothing is shown that only a machine means."""
    assert opened.complaints == []
    assert len(opened.asked) == 1
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= opened.page.viewport_size["width"]
    shown = opened.page.locator("main").inner_text()
    assert not re.search(r"\b(undefined|NaN|null|\[object)\b", shown)


def dots(opened, having=""):
    """The networks of the chart, those that have an attribute."""
    return opened.page.locator(f"#explorer svg [aria-roledescription='point'][aria-label*='role: ']{having}")


def chosen(opened):
    """The key of the chosen network wherever it shows: in words, in the drawing, in tables, in the chart."""
    page = opened.page
    key = page.locator("#chosen").inner_text()
    assert dots(opened, "[stroke='var(--red)']").count() == 1, "in the chart"
    lines = page.locator("tr.chosen").evaluate_all("lines => lines.map((line) => line.dataset.key)")
    assert set(lines) <= {key}, "in the tables"
    return key


def standing(opened):
    """What the drawing has at each of its places."""
    found = opened.page.locator("#drawing .line:has(.chip)").all()
    return {line.get_attribute("data-site"): line.locator(".chip .kind").text_content() for line in found}


def test_a_page_is_quiet_and_whole_by_day(opened):
    quiet(opened)
    links = opened.page.locator("nav a").all()
    assert links
    assert all(opened.page.locator(link.get_attribute("href")).count() == 1 for link in links)
    assert opened.page.title() != "taken"


def test_every_network_tells_its_values_where_one_points(opened, study):
    marks = dots(opened)
    assert marks.count() == len(study.networks)
    for number in range(0, marks.count(), max(1, marks.count() // 5)):
        told = opened.told(marks.nth(number))
        assert told["Key"] in study.networks
        assert re.fullmatch(r"[\d.]+ %", told["Accuracy"])


def test_a_click_chooses_a_network_everywhere(opened, study):
    for mark in {dots(opened).first, dots(opened).last}:
        told = opened.told(mark)
        mark.click(force=True)
        assert chosen(opened) == told["Key"]
        assert opened.page.locator("#chosen-values").inner_text().count(told["Accuracy"]) == 1
        if "=" in told["Architecture"] and "<" not in told["Architecture"]:
            placements = parse(told["Architecture"]).placements
            expected = {one.site: one.attention.kind.rpartition(":")[2] for one in placements}
            assert {site: kind[:17] for site, kind in standing(opened).items()} == {
                site: kind[:17] for site, kind in expected.items()
            }


def test_a_click_in_the_table_chooses_too(opened, study):
    button = opened.page.locator("#rows tbody button").first
    key = button.inner_text()
    button.click()
    assert chosen(opened) == key
    assert opened.page.locator("#rows tr.chosen").get_attribute("data-key") == key


def test_the_arrow_keys_reach_every_network(opened, study):
    opened.page.locator("#explorer").focus()
    opened.page.keyboard.press("Home")
    reached = [opened.page.locator("#chosen").inner_text()]
    for _ in range(min(len(study.networks), 40) - 1):
        opened.page.keyboard.press("ArrowRight")
        reached.append(opened.page.locator("#chosen").inner_text())
    assert len(set(reached)) == min(len(study.networks), 40)
    assert set(reached) <= set(study.networks)
    opened.page.keyboard.press("End")
    assert opened.page.locator("#said").text_content().startswith("Architecture: ")


def test_axes_are_switched(opened, study):
    opened.page.select_option("#across", "params")
    opened.page.select_option("#up", "loss")
    opened.page.wait_for_function("document.querySelector('#explorer').ariaLabel.startsWith('Loss against Parameters')")
    labels = dots(opened).evaluate_all("marks => marks.map((mark) => mark.ariaLabel)")
    assert len(labels) == len(study.networks)
    assert all(label.startswith("Parameters: ") and "Loss (nats): " in label for label in labels)
    opened.page.select_option("#across", "flops")
    opened.page.select_option("#up", "accuracy")
    opened.page.wait_for_function("document.querySelector('#explorer').ariaLabel.startsWith('Accuracy against FLOPs')")


def test_rows_are_filtered_and_sorted(opened, study):
    page = opened.page
    assert page.locator("#counted").inner_text() == f"{study.rows} row{'s' if study.rows > 1 else ''}"
    page.fill("#filter", "FAILED")
    failed = page.locator("#rows tbody tr").count()
    assert page.locator("#rows tbody td", has_text="failed").count() == failed
    page.fill("#filter", "")
    page.locator("#rows thead button", has_text="Accuracy").click()
    found = page.locator("#rows tbody tr td:nth-child(2)").all_inner_texts()
    numbers = [float(text) for text in found if text != "-"]
    assert numbers == sorted(numbers, reverse=True)
    assert found[: len(numbers)] == [text for text in found if text != "-"], "what is not known comes last"
    assert page.locator("#rows th[aria-sort='descending']").inner_text().startswith("Accuracy")


def test_learning_curves_are_drawn_and_say_their_values(opened, study):
    """Each line begins at the left and ends at the right, lower where the loss fell; its words are the numbers."""
    page = opened.page
    curves = page.locator("#rows svg.curve")
    assert curves.count() == (study.rows if "a demonstration" in page.title() else 0)
    assert page.locator("#rows thead", has_text="Learning curve").count() == bool(curves.count())
    for number in range(min(3, curves.count())):
        curve = curves.nth(number)
        words = curve.locator("title").text_content()
        training, validation = words.split("\n")
        numbers = [float(value) for value in re.findall(r"\d+: ([\d.]+)", training)]
        assert words.startswith("Training loss by epoch: 1: 2.3, 5: 1, 30: 0.")
        assert validation.startswith("Loss by epoch: 1: 2.2, 5: 1.1, 30: 0.")
        assert page.get_by_role("img", name=words).count() >= 1
        assert curve.locator("path").count() == 2
        drawn = curve.locator("path.training").get_attribute("d")
        points = [tuple(map(float, point.split())) for point in drawn[1:].split("L")]
        assert [point[0] for point in points] == pytest.approx([0, 100 * 4 / 29, 100], abs=0.06)
        heights = [24 * (1 - (value - numbers[-1]) / (numbers[0] - numbers[-1])) for value in numbers]
        assert [point[1] for point in points] == pytest.approx(heights, abs=0.3)
    if curves.count():
        page.locator("#rows thead button", has_text="Learning curve").click()
        shown = [float(re.search(r"30: ([\d.]+)", words)[1]) for words in curves.locator("title").all_text_contents()]
        assert shown == sorted(shown)
        page.locator("#rows thead button", has_text="Key").click()


def test_a_cell_of_the_map_shows_the_networks_that_have_it(browser, opened, study):
    buttons = opened.page.locator("[data-cell]")
    if not buttons.count():
        assert "a demonstration" not in opened.page.title()
        return
    button = opened.page.locator("[data-cell='se at stage2']")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    having = int(re.match(r"\d+", opened.page.locator("#placed").inner_text())[0])
    assert opened.page.locator("#rows tbody tr").count() == having
    opened.page.wait_for_timeout(100)
    assert dots(opened).count() - dots(opened, "[opacity='0.1']").count() == having
    assert f"{having} network" in button.inner_text()
    button.click()
    assert opened.page.locator("#rows tbody tr").count() == study.rows
    opened.page.locator(
        "#rows tbody button", has_text=opened.page.locator("#front-table button").first.inner_text()
    ).click()
    chip = opened.page.locator("#drawing .chip").last
    chip.focus()
    opened.page.keyboard.press("Enter")
    assert f"{opened.page.locator('[aria-pressed=true]').get_attribute('data-cell')}: show" in chip.get_attribute(
        "aria-label"
    )
    chip.click()
    assert opened.page.locator("[aria-pressed=true]").count() == 0


def test_the_budget_stands_in_the_chart(opened, study):
    words = opened.page.locator("#explorer svg text", has_text="budget").count()
    assert words == bool(study.limits)


def test_how_the_search_went_is_shown_by_what_was_spent(opened, study):
    """The demonstration's networks have five seeds of 30 s each; those of others one, whose time is not known."""
    page = opened.page
    assert page.locator("#volumes").count() == (len(study.networks) > 1)
    if len(study.networks) == 1:
        return
    judged = "a demonstration" in page.title()
    ways = page.locator("#along option").evaluate_all("ways => ways.map((way) => way.value)")
    assert ways == (["networks", "trainings", "seconds"] if judged else ["networks"])
    networks = sum(not key.startswith("width=") for key in study.networks)
    ends = {
        "networks": ("Networks, in the order in which they were trained", networks),
        "trainings": ("Trainings, network by network", 5 * networks),
        "seconds": ("Minutes of training", 5 * networks * 30 / 60),
    }
    for way in [*ways, ways[0]]:
        page.select_option("#along", way)
        title, end = ends[way]
        for place in ("progress", "volumes"):
            page.wait_for_function(
                "([place, title]) => document.querySelector(`#${place} svg`)?.textContent.includes(title)",
                arg=[place, title],
            )
        found = [opened.told(mark) for mark in (opened.marks("volumes")[0], opened.marks("volumes")[-1])]
        assert [list(one) for one in found] == [[title, "Hypervolume"]] * 2
        assert float(found[1][title].replace(",", "")) == pytest.approx(end, rel=5e-3)
        assert float(found[0][title]) == pytest.approx(end / networks, rel=5e-3)
        assert found[1]["Hypervolume"] == "100.0 %"
    quiet(opened)


def test_width_matched_baselines_have_intervals_in_the_chart_too(opened, study):
    """Of the demonstration every network has one of accuracy, the baseline among them."""
    if "a demonstration" not in opened.page.title():
        return
    rules = opened.page.locator("#explorer svg [aria-roledescription='rule mark'][stroke='var(--green)']")
    assert rules.count() == sum(key.startswith("width=") for key in study.networks) == 1
    box = rules.first.bounding_box()
    (dot,) = [mark for mark in dots(opened).all() if "width-matched" in mark.get_attribute("aria-label")]
    middle = dot.bounding_box()
    assert box["y"] < middle["y"] + middle["height"] / 2 < box["y"] + box["height"]


def test_paper_loses_nothing(opened, study):
    page = opened.page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1047})  # A4 without its margins
    assert page.locator("#rows tbody tr").count() == study.rows
    assert page.locator("details:not([open])").count() == 0
    wide = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1"
        " && getComputedStyle(one).display !== 'none' && !one.closest('svg')).map((one) => one.outerHTML.slice(0, 80))"
    )
    assert wide == []
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_page_is_quiet_and_whole_at_night_on_a_telephone(browser, study):
    opened = Opened(browser, study.path, 390, ("explorer", "progress"), "dark")
    opened.page.wait_for_selector("html[data-drawn]")
    quiet(opened)
    colours = opened.page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    dark, light = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert dark < 150 < 600 < light
    axis = opened.page.locator("#explorer svg .role-axis-label text").first
    assert axis.evaluate("node => getComputedStyle(node).fill") == "rgb(182, 188, 196)", "charts take its colours"
    opened.page.close()
