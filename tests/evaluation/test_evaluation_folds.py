"""Studies whose seeds validate on folds in turn: what each training learns from, inherits and is judged by."""

import base64
from collections import Counter

import pytest
import torch
from small_protocol import STUDY
from small_study import CHAIN, SPACE, reproducible

import nas_attn
from nas_attn.chain import Chain, Watch
from nas_attn.data import load_data
from nas_attn.planning import plan_said
from nas_attn.preflight import preflight
from nas_attn.report.write import report_study
from nas_attn.results import OUTCOMES, outcomes_file, read_outcomes, write_outcomes
from nas_attn.settings import Digits
from nas_attn.space import Architecture, InputError
from nas_attn.tasks import ImageTask, Training
from nas_attn.verdict.thumbnails import thumbnail

FOLDS = 'kind = "digits"\nfolds = 3'
STEPS = 'chain = [{proxy = "final", networks = 2, seeds = 3}]\n[data]'
FOLDED = STUDY.replace('kind = "digits"', FOLDS).replace("[data]", STEPS)
PLAIN = Architecture().key


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_data(Digits(folds=3), tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A study of two networks with three seeds, planned, searched and judged: study, plan and verdict."""
    folder = tmp_path_factory.mktemp("folded")
    (folder / "study.toml").write_text(FOLDED.replace("epochs = 1", "epochs = 2"))
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    said = [*plan_said(study.plan())]
    study.run()
    return study, said, study.verdict()


def test_networks_of_a_seed_share_a_fold_and_all_images_judge(judged, data):
    """What was kept of each training is what a loop in torch finds on the fold of its seed."""
    study = judged[0]
    rows = [row for row in study.folder.full_rows() if row.state == "complete"]
    kept = read_outcomes(study.folder.path / OUTCOMES, rows, 3, study.folder.file.fold_of)
    assert kept.ignored == ()
    assert Counter(one.images for one in kept.found.values()).total() == len(rows)
    for (key, seed), outcomes in kept.found.items():
        part = data.of_fold(seed).validation
        assert outcomes.classes.tolist() == part.labels.tolist()
        if seed == 0:  # whose weights are those that are handed out
            mean, std = (255 * torch.tensor(numbers).reshape(1, -1, 1, 1) for numbers in (data.mean, data.std))
            with torch.no_grad():
                scores = study.network(key)((part.images - mean) / std)
            assert (scores.argmax(1) == part.labels).tolist() == outcomes.values["accuracy"].tolist()
    assert sum(len(one) for (key, _), one in kept.found.items() if key == PLAIN) == 1797 - len(data.test)


def test_a_plan_and_a_verdict_say_how_many_images_judge(judged):
    study, said, verdict = judged
    assert "958 images train, 480 judge, 359 are kept apart" in said[0]
    assert said[1] == "3 folds judge in turn, one with each seed: 1,438 images with those of the last step"
    assert said[-1].startswith("One of 1,438 images is 0.07 points of accuracy; ")
    judge = "3 folds validate in turn, one with each seed: 1,438 images judge, which are all but the test part."
    assert judge in verdict.sentences
    assert any(one.startswith("For other images than these 1,438 too, ") for one in verdict.sentences)
    assert {row.seed for row in study.folder.width_matched()} in ({0, 1, 2}, set())


def test_a_page_shows_images_of_all_folds(judged, data):
    study, _, verdict = judged
    report_study(study.folder.path)
    page, changed = (study.folder.path / "report.html").read_text(), verdict.conclusion.changed
    parts = [one.validation for one in data.folds]
    every, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    assert (len(changed.folds), changed.count) == (3, len(every))
    assert changed.most
    for one in changed.most:
        assert (one.label, one.seeds) == (int(labels[one.number]), 1)
        png = base64.b64encode(thumbnail(every[one.number])).decode()
        assert f'<img src="data:image/png;base64,{png}" alt="{data.class_names[one.label]}">' in page


def test_what_a_seed_got_on_another_seed_s_fold_does_not_count(judged):
    study = judged[0]
    rows = study.folder.full_rows()
    folder, (first, second) = study.folder.path / OUTCOMES, [row for row in rows if row.key == PLAIN][:2]
    found = read_outcomes(folder, rows, 3, study.folder.file.fold_of).found
    path = outcomes_file(folder, PLAIN, second.seed)
    content = path.read_bytes()
    moved = second.but(outcomes_sha256=write_outcomes(found[PLAIN, first.seed], path))
    try:
        kept = read_outcomes(folder, [moved if row is second else row for row in rows], 3, study.folder.file.fold_of)
    finally:
        path.write_bytes(content)
    assert (PLAIN, second.seed) not in kept.found
    assert len(kept.ignored) == 1


def test_a_check_says_whether_all_folds_validate_also_once_that_has_changed(make_study, monkeypatch):
    monkeypatch.setattr("nas_attn.preflight.run._check_networks", lambda *_: None)
    folder = make_study(FOLDED.replace(", seeds = 3", ""))
    some, every = (
        "1 of 3 validate in the search, as its last step trains with 1 seed",
        "each of 3 validates with a seed",
    )
    for seeds, state, text in (("", "warning", some), (", seeds = 3", "ok", every)):
        (folder / "study.toml").write_text(FOLDED.replace(", seeds = 3", seeds))
        _, checked = preflight(nas_attn.open_study(folder).folder)
        said = {one.what: one for one in checked.findings}
        assert said["folds"].state == state
        assert said["folds"].text.startswith(text)
        assert said["labels"].text.startswith("480 fold1, 479 fold2, 479 fold3, 359 test images of 1 x 8 x 8")


def test_what_a_network_inherits_has_not_trained_on_what_judges_it(make_study, data):
    """A base for each fold; each is what training the plain backbone with the fold's seed gives."""
    text = FOLDED.replace("[data]", 'final = "inherit"\nseed = 5\n[data]').replace("networks = 2", "networks = 1")
    study, told = nas_attn.open_study(make_study(text)), []
    study.run(watch=Watch(on_base=told.append))
    assert len(told) == 3
    assert len([*(study.folder.path / "trained").glob("base-*.safetensors")]) == 3
    chain = Chain.open(study.folder)
    protocol = chain.protocol(study.folder.file.steps[-1])
    for seed in (5, 6, 7, 8):
        begun = protocol.build(Architecture(), seed)
        first = 5 + (seed - 5) % 3
        plain = chain.task.build(Architecture(), chain.backbone, first)
        turn = data.of_fold(first - 5)
        usual = ImageTask(turn).train(plain, Training(study.folder.file.recipe, first))
        assert usual.validation == told[first - 5]
        for name, weights in plain.state_dict().items():
            torch.testing.assert_close(begun.state_dict()[name], weights, rtol=0, atol=0)


def test_proxies_of_a_chain_take_turns_too_and_a_stopped_study_goes_on(make_study):
    """Supernet, inherited base, a share of the images: a study that is broken off has the rows of one that is not."""
    text = CHAIN.replace('kind = "digits"', FOLDS).replace("epochs = 2, networks = 20", "epochs = 1, networks = 4")
    text = text.replace("networks = 5}", "networks = 2, data_share = 0.5}").replace(
        "networks = 2, seeds", "networks = 1, seeds"
    )
    whole = nas_attn.open_study(make_study(text))
    whole.run()
    folder, trainings = make_study(text, name="stopped"), []

    def stop(row, done, epochs):
        if done == epochs:
            trainings.append(row)
            if len(trainings) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas_attn.open_study(folder).run(watch=Watch(on_epoch=stop))
    study = nas_attn.open_study(folder)
    study.run()
    assert reproducible(study.folder.all_rows()) == reproducible(whole.folder.all_rows())
    assert {row.seed for row in study.folder.full_rows()} == {1, 2}


def test_folds_that_change_are_another_question(judged, make_study):
    study = judged[0]
    path = study.folder.path / "study.toml"
    text = path.read_text()
    try:
        for other, said in (("folds = 4", "data.folds: was 3, is 4"), ("", "data.folds: was 3, is None")):
            path.write_text(text.replace("folds = 3", other))
            with pytest.raises(InputError, match=said):
                nas_attn.open_study(study.folder.path).run()
    finally:
        path.write_text(text)


def test_a_network_is_trained_for_good_without_folds_and_judged_by_the_same_test_part(judged):
    study = judged[0]
    other = next(row.key for row in study.folder.full_rows() if row.key != PLAIN)
    found, _ = study.train(other, seeds=1)
    assert found.test_images == 359
    assert all(row.state == "complete" for row in found.rows)
