"""What a search will take is known before it trains: trainings are counted, minutes estimated from a timed step."""

import math
import re
import time
from dataclasses import replace

import pytest
from small_study import CHAIN, SPACE, STUDY

import nas_attn
from nas_attn.chain import Watch
from nas_attn.evaluation import Pace
from nas_attn.planning import plan_said
from nas_attn.settings import usual_measures

RACE = STUDY.split("[search]")[0] + "[[chain]]\n" + 'proxy = "final"\nnetworks = 4\nseeds = 2\nextra_trainings = 3\n'


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A study that is planned, searched and planned again: its folder, both plans, what the search said, its time."""
    folder = tmp_path_factory.mktemp("planned")
    (folder / "study.toml").write_text(RACE.replace("epochs = 1", "epochs = 3"))
    (folder / "space.toml").write_text(SPACE.replace("width = 8", "width = 2").replace("[4, 8]", "[2, 4]"))
    study, said = nas_attn.open_study(folder), []
    before = study.plan()
    files = {file.name for file in folder.iterdir()}
    began = time.perf_counter()
    study.run(watch=Watch(on_planned=lambda plan: said.extend(plan_said(plan)), on_row=lambda *_: said.append("row")))
    return before, files, said, time.perf_counter() - began, study.plan()


def test_trainings_and_images_are_counted(planned):
    before, *_, after = planned
    (step,) = before.steps
    assert (step.networks, step.seeds, step.more, step.trained, step.trainings) == (4, 2, 3, 0, 11)
    assert (step.epochs, step.images, before.parts, before.space) == (3, 1079, (1079, 359, 359), 4 * 4 * 3)
    assert after.steps[0].trained >= 8
    assert after.steps[0].trainings == 11 - after.steps[0].trained


def test_a_plan_begins_no_study(planned):
    assert planned[1] == {"study.toml", "space.toml", "latency.jsonl", ".latency.jsonl.lock"}


def test_the_time_of_a_search_is_foreseen(planned):
    """Within a factor of three, on a machine that others use too; latencies are timed beside the trainings."""
    before, _, _, seconds, after = planned
    trained = after.steps[0].trained / before.steps[0].trainings
    assert before.seconds * trained / 3 < seconds < before.seconds * 3


def test_a_search_says_what_it_will_take_before_its_first_row(planned):
    said = planned[2]
    assert said.index("row") > [line.startswith("One of 359 images is 0.28 points") for line in said].index(True)
    assert (
        sum(line.startswith("step final: up to 4 networks x 2 seeds and 3 more trainings, 3 ep") for line in said) == 1
    )


def test_what_the_validation_part_can_tell_apart_follows_from_its_size(planned):
    """By the formula of Wilson (1927) for 323 of 359."""
    share, number, z = 323 / 359, 359, 1.959964
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    ends = f"{100 * (middle - half):.1f} to {100 * (middle + half):.1f} %"
    assert list(plan_said(planned[0]))[-1].split("may be ")[1].startswith(ends)


def test_a_chain_is_planned_step_by_step(make_study):
    plan = nas_attn.open_study(make_study(CHAIN)).plan()
    _, inherit, _ = plan.steps
    assert [(step.name, step.networks, step.seeds, step.epochs) for step in plan.steps] == [
        ("supernet", 20, 1, 2),
        ("inherit", 5, 1, 1),
        ("final", 2, 2, 2),
    ]
    assert all(step.seconds > 0 for step in plan.steps)
    assert inherit.trainings == 5
    assert plan.measure.name == "accuracy"


def test_a_training_function_of_the_users_own_is_counted_and_not_timed(make_study, tmp_path, monkeypatch):
    (tmp_path / "own_of_plan.py").write_text(
        "def train(network, seed, *, epochs, device):\n    return {'score': 0.5}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = '[task]\nfunction = "own_of_plan:train"\nmonitor = { score = "max" }\n[latency]\ncalls = 50\n'
    plan = nas_attn.open_study(make_study(f'space = "space.toml"\n{task}[search]\ntrials = 6\n')).plan()
    lines = list(plan_said(plan))
    assert "At most 6 trainings, by code of your own, which is not timed before" in lines
    assert not any(re.search(r"ms for|One of", line) for line in lines)


def test_nothing_is_timed_where_nothing_is_left(planned):
    after = planned[-1]
    if after.steps[0].trainings == 0:
        assert (after.timed, list(plan_said(after))[-2]) == (0, "Nothing is left to be trained")


def test_seconds_add_up():
    assert Pace(start_s=1.0, iteration_s=0.5, validation_s=2.0, networks=1).seconds(epochs=3, batches=4) == 9.0


def test_measures_that_are_no_share_of_images_have_no_points(planned):
    loss = next(one for one in usual_measures("classification") if one.name == "loss")
    assert list(plan_said(replace(planned[0], measure=loss)))[-1] == "Loss is judged by 359 images"
