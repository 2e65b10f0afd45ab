"""A network is trained for good beside what it has to beat; a hold-out part chooses the seed, the test part nothing."""

import csv
import json
import signal
import statistics
from dataclasses import replace

import processes
import pytest
import torch
from made_up import evaluation
from safetensors.torch import load_file
from scipy import stats
from small_study import SPACE, STUDY
from typer.testing import CliRunner

import nas_attn
from nas_attn import cli
from nas_attn.chain import Watch
from nas_attn.data import ImageData, joined, load_data
from nas_attn.launch.winner import another
from nas_attn.retraining import Retrained, read_retrained
from nas_attn.settings import MEASURES
from nas_attn.space import InputError
from nas_attn.training import score

SE = "stage1-3.block0.branch=se(reduction=4)"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study that has trained three networks once, and the one with squeeze-and-excitation for good."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY)
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    return study


@pytest.fixture(scope="module")
def found(study):
    """What training for good has found, after it was killed in the middle."""
    key = nas_attn.parse(SE).key
    process = processes.start("train", study.folder.path, "--pick", key, "--seeds", "2")
    said = []
    while "   1/3 " not in (line := process.stdout.readline()):
        assert line, process.communicate()
        said.append(line[9:].rstrip())
    assert "step training for good: up to 3 networks with 2 seeds each" in said
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = snapshot(study)
    assert 3 <= len(before) < 6
    told = []
    found, remarks = study.train(key, 2, watch=Watch(on_row=lambda row, done: told.append((row.key, row.seed, done))))
    assert remarks == []
    assert before.items() <= snapshot(study).items()  # what was trained is trained no more
    done = [done for _, _, done in told]  # networks with both seeds
    assert len(done) == 6 - len(before)
    assert done == sorted(done)
    assert (done[0], done[-1]) in [(1, 3), (2, 3), (3, 3)]
    return found


def snapshot(study):
    return {path.name: path.stat().st_mtime_ns for path in (study.folder.path / "retrained").iterdir()}


def test_each_network_is_trained_with_each_seed_and_judged_once_by_the_test_part(study, found):
    plain, width = nas_attn.parse("none").key, "width=1.125"
    assert [(row.key, row.seed) for row in found.rows] == [
        (key, seed) for key in (found.pick, plain, width) for seed in (0, 1)
    ]
    assert [found.word(row) for row in found.networks] == ["picked", "plain backbone", "width-matched baseline"]
    widths = {row.key: row["flops"] for row in found.networks}
    assert widths[plain] < widths[found.pick] < widths[width]
    data = load_data(study.folder.file.data, study.folder.path)
    task_network = study.network(found.pick)
    for row in found.tested:
        if row.key == found.pick:
            task_network.load_state_dict(
                load_file(study.folder.path / "retrained" / f"{row.key}-seed{row.seed}.safetensors")
            )
            assert row["accuracy"] == pytest.approx(score(task_network, data.test, data, 128)["accuracy"])
    assert found.test_images == len(data.test) == 359
    tests = []
    again, _ = study.train(found.pick, 2, watch=Watch(on_row=lambda *row: tests.append(row)))
    assert tests == []
    assert again == found


def test_the_hold_out_part_chooses_and_its_figures_are_those_of_the_weights(study, found):
    data = joined(load_data(study.folder.file.data, study.folder.path), 0.25)
    network, losses = study.network(found.pick), {}
    for seed in (0, 1):
        file = study.folder.path / "retrained" / f"{found.pick}-seed{seed}.safetensors"
        network.load_state_dict(load_file(file))
        losses[seed] = score(network, data.validation, data, 128)["loss"]
    assert found.chosen.seed == min(losses, key=losses.get)
    assert found.chosen["loss"] == pytest.approx(min(losses.values()), rel=1e-4)


def images_of(part):
    return [image.numpy().tobytes() for image in part.images]


def test_three_quarters_of_the_validation_part_train_and_nothing_of_the_test_part(study):
    data = load_data(study.folder.file.data, study.folder.path)
    whole = joined(data, 0.25)
    train, chosen_by, test = (images_of(part) for part in (whole.train, whole.validation, whole.test))
    assert sorted(train + chosen_by) == sorted(images_of(data.train) + images_of(data.validation))
    assert len(chosen_by) == pytest.approx(len(data.validation) / 4, abs=5)
    assert test == images_of(data.test)
    assert torch.bincount(whole.validation.labels, minlength=10).min() >= 8
    labels = {
        image: int(label) for image, label in zip(images_of(data.validation), data.validation.labels, strict=True)
    }
    rows = zip(train, whole.train.labels, strict=True)
    assert all(labels[image] == label for image, label in rows if image in labels)
    assert (whole.mean, whole.std, whole.class_names) == (data.mean, data.std, data.class_names)


def made_up(hold_out, tested):
    """Trainings of a network by seed, with their losses on the hold-out part and accuracies on the test part."""
    rows = [
        replace(evaluation(SE, loss=loss, accuracy=0.5, state="complete"), seed=seed) for seed, loss in hold_out.items()
    ]
    judged = [row.but(accuracy=tested[row.seed]) for row in rows]
    return Retrained(rows[0].key, rows, judged, 100, MEASURES["accuracy"])


def test_the_best_of_the_test_part_is_not_chosen():
    found = made_up({0: 0.5, 1: 0.4, 2: 0.6}, {0: 0.9, 1: 0.7, 2: 0.95})
    assert found.chosen.seed == 1
    assert found.own["accuracy"] == 0.7


def test_gains_are_paired_by_seed_as_scipy_pairs_them():
    mine, theirs = {0: 0.9, 1: 0.7, 2: 0.95}, {0: 0.85, 1: 0.71, 2: 0.9}
    found = made_up({0: 0.5, 1: 0.4, 2: 0.6}, mine)
    plain = [replace(evaluation("none", accuracy=theirs[seed], state="complete"), seed=seed) for seed in theirs]
    both = replace(found, rows=[*found.rows, *plain], tested=[*found.tested, *plain])
    ((other, gain),) = both.gains()
    test = stats.ttest_rel([*mine.values()], [*theirs.values()])
    low, high = test.confidence_interval(0.95)
    assert other.architecture == "none"
    assert (gain.value, gain.low, gain.high) == pytest.approx((statistics.fmean(mine.values()) - 0.82, low, high))
    (said,) = both.sentences()
    assert said == (
        f"accuracy gained over the plain backbone, {other.key}: +3.00 points on 100 test images (95 % interval "
        f"{100 * low:+.2f} to {100 * high:+.2f}, for other seeds)".replace("-", "\N{MINUS SIGN}")
    )


def test_the_best_seed_leaves_with_its_own_figures_beside_those_of_all(
    study, found, tmp_path, forked_proofs, no_program
):
    row, notes = study.export(tmp_path / "out", found.pick)
    assert row.key == found.pick
    card, config = (
        (tmp_path / "out" / "README.md").read_text(),
        json.loads((tmp_path / "out" / "config.json").read_text()),
    )
    tested = {one.seed: one["accuracy"] for one in found.tested if one.key == found.pick}
    chosen = found.chosen
    assert config["weights"]["seed"] == chosen.seed
    assert config["weights"]["accuracy"] == chosen["accuracy"]
    assert config["weights"]["test_accuracy"] == tested[chosen.seed]
    weights = load_file(study.folder.path / "retrained" / f"{found.pick}-seed{chosen.seed}.safetensors")
    left = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(left[name], value) for name, value in weights.items())
    mean, deviation = statistics.fmean(tested.values()), statistics.stdev(tested.values())
    for line in (
        f"| accuracy, hold-out part, these weights | {100 * chosen['accuracy']:.2f} %, seed {chosen.seed} |",
        "| accuracy, test part, which no search has seen, these weights | "
        f"{100 * tested[chosen.seed]:.2f} %, 359 images |",
        f"| accuracy, test part, mean of 2 training runs | {100 * mean:.2f} %, "
        f"standard deviation {100 * deviation:.2f} points |",
        f"here are those of seed {chosen.seed}, the best of 2 by loss on the hold-out part",
        f"| picked, {found.pick} | 2 | accuracy {100 * mean:.2f} % ± {100 * deviation:.2f}; loss",
        f"- {found.sentences()[1]}",
    ):
        assert f"\n{line}" in card
    assert [line["is"] for line in config["final"]["networks"]] == [
        "picked",
        "plain backbone",
        "width-matched baseline",
    ]
    assert any(note.startswith(f"the weights are those of seed {chosen.seed}, the best of the 2") for note in notes)


def test_what_the_search_trained_leaves_where_it_is_wanted(study, found, tmp_path, forked_proofs, no_program):
    study.export(tmp_path / "out", found.pick, trained=False)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["final"] is None
    assert config["weights_sha256"] == study.folder.pick(found.pick).weights_sha256
    other = next(key for key in study.folder.rows() if key != found.pick)
    with pytest.raises(InputError, match=f"{other}: was not trained for good; `nas-attn train .* --pick {other}`"):
        study.export(tmp_path / "out", other, trained=True)


def test_a_plain_backbone_says_how_to_get_another(study):
    folder, front = study.folder, study.front()
    plain = folder.pick(nas_attn.parse("none").key)
    attended = front[front["architecture"] != "none"]
    said = f"{plain.key} is the plain backbone, without attention"
    if attended.empty:
        assert another(folder, plain) == f"{said}, and so is all of the front; --pick KEY takes any other"
    else:
        assert another(folder, plain).startswith(f"{said}; --pick ")
        assert f"takes {attended['architecture'].iloc[0]}, accuracy" in another(folder, plain)
    assert another(folder, folder.pick(nas_attn.parse(SE).key)) == ""


def test_two_networks_and_two_studies_are_compared_on_the_command_line(study, tmp_path):
    folder, se, plain = study.folder.path, nas_attn.parse(SE).key, nas_attn.parse("none").key
    said = processes.command("compare", folder, plain, se, "--csv", tmp_path / "pair.csv").splitlines()
    row, other = (study.folder.pick(key) for key in (plain, se))
    assert said[0].split() == ["what", "stands", "where", plain, se]
    assert said[1].split() == ["stage1.block0.branch", "-", "se(reduction=4)"]
    (line,) = [line for line in said if line.startswith("accuracy")]
    assert f"{100 * row['accuracy']:.2f} %" in line
    assert f"{100 * (other['accuracy'] - row['accuracy']):+.2f} points, one seed" in line.replace("\N{MINUS SIGN}", "-")
    assert (tmp_path / "pair.csv").read_text().startswith(f"measure,{plain},{se},difference,low,high,seeds\n")
    both = processes.command("compare", folder, folder, "best").splitlines()
    assert both[0] == "both ask the same"
    assert "+0.00 points, one seed in common" in both[3]
    process = processes.start("compare", folder, plain)
    assert process.communicate()[1].startswith(
        f"error: compare: found the study {folder}, '{plain}', no study; allowed: "
    )


def test_a_front_is_that_of_the_networks_that_meet_a_condition_in_the_objectives_that_are_named(study):
    table = study.table()
    attended = table[table["architecture"] != "none"]
    said = processes.command(
        "front", study.folder.path, "--where", "architecture != 'none'", "--objective", "loss", "--objective", "params"
    )
    expected = nas_attn.front(attended, ["loss", "params"])
    assert [key for key in table.index if key in said] == [key for key in table.index if key in expected.index]
    process = processes.start("front", study.folder.path, "--where", "latency <= 2")
    assert process.communicate()[1].startswith("error: where: found the column 'latency'; did you mean 'latency_ms'?")


def test_a_second_pick_is_told_of_the_first(study, found):
    plain = nas_attn.parse("none").key
    second, remarks = study.train(plain, 1)
    assert remarks == [f"{plain} is the plain backbone: there is nothing that it has to beat"]
    assert second.sentences() == [f"the test part has judged {found.pick} too, so that it is none to choose by"]
    assert read_retrained(study.folder).pick == plain
    assert read_retrained(study.folder, found.pick) == replace(found, earlier=[])
    with pytest.raises(InputError, match="pick: found 'x', which was not trained for good"):
        read_retrained(study.folder, "x")


def test_images_that_a_module_divides_stay_as_they_are():
    data = ImageData(None, None, None, ("a", "b"), (0.5,), (0.2,))
    with pytest.raises(InputError, match="a data module divides its images itself"):
        joined(data, 0.25)


def test_training_for_good_ends_with_a_table_for_programs_that_says_what_its_words_say(study, found):
    said = processes.command("train", study.folder.path, "--pick", found.pick, "--seeds", "2")
    lines = processes.command("train", study.folder.path, "--pick", found.pick, "--seeds", "2", "--json").splitlines()
    first, *_, end = map(json.loads, lines)
    assert (first["event"], end["event"], end["part"], end["images"]) == ("train", "end", "test", 359)
    assert "On the test part, 359 images, " in said
    assert [row["is"] for row in end["table"]] == ["picked", "plain backbone", "width-matched baseline"]
    for row in end["table"]:
        (line,) = [line for line in said.splitlines() if line.startswith(f"{row['is']}  ")]
        spread = f"{100 * row['accuracy']:.2f} % \N{PLUS-MINUS SIGN} {100 * row['accuracy_std']:.2f}"
        assert row["key"] in line.split()
        assert spread in line
    assert said.splitlines()[-len(end["sentences"]) - 2 : -2] == end["sentences"]
    assert end["sentences"][0].startswith(f"The best of 2 seeds by the hold-out part is {end['chosen']['seed']}, ")
    assert f"{100 * end['chosen_tested']['accuracy']:.2f} %" in said
    for gain in end["gains"]:
        (sentence,) = [one for one in end["sentences"] if f", {gain['over']}: " in one]
        ends = f"{100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}".replace("-", "\N{MINUS SIGN}")
        assert ends in sentence


def test_two_networks_and_two_studies_are_compared_for_programs(study, tmp_path):
    folder, se, plain = study.folder.path, nas_attn.parse(SE).key, nas_attn.parse("none").key
    pair = json.loads(processes.command("compare", folder, plain, se, "--json", "--csv", tmp_path / "pair.csv"))
    assert pair["sites"][0] == {"site": "stage1.block0.branch", plain: None, se: "se(reduction=4)"}
    with (tmp_path / "pair.csv").open(newline="") as file:
        lines = {row["measure"]: row for row in csv.DictReader(file)}
    for row in pair["measures"]:
        name = row.pop("measure")
        assert row == {column: float(cell) if cell else None for column, cell in lines[name].items() if column in row}
    both = json.loads(processes.command("compare", folder, folder, "best", "--json"))
    assert (both["differing"], both["measure"]) == ([], "accuracy")
    (network,) = both["networks"]
    assert network["first"] == network["second"] == study.folder.pick("best")["accuracy"]
    assert (network["difference"], network["low"], network["seeds"]) == (0, None, 1)


def test_a_page_and_an_export_are_named_for_programs(study, tmp_path, forked_proofs, no_program):
    folder = study.folder.path
    page = json.loads(processes.command("report", folder, "--csv", tmp_path / "rows.csv", "--json"))
    assert page == {"study": str(folder), "files": [str(folder / "report.html"), str(tmp_path / "rows.csv")]}
    plain, out = nas_attn.parse("none").key, tmp_path / "out"
    outcome = CliRunner().invoke(cli.app, ["export", str(folder), str(out), "--pick", plain, "--searched", "--json"])
    assert outcome.exit_code == 0, outcome.output
    left, config = json.loads(outcome.stdout), json.loads((out / "config.json").read_text())
    assert left["folder"] == str(out)
    assert (left["row"]["key"], left["row"]["weights_sha256"]) == (plain, config["weights_sha256"])
    assert left["proved"] == [name for name in ("model.py", "model.pt2", "model.onnx") if (out / name).is_file()]
    assert any(note.startswith(f"{plain} is the plain backbone, without attention") for note in left["notes"])
