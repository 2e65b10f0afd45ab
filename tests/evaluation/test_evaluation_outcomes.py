"""What single validation images got is kept with every full training, and is what a loop in torch finds."""

import base64

import numpy as np
import pytest
import torch
from small_protocol import STUDY
from small_study import CHAIN

import nas_attn
from nas_attn.chain import Watch
from nas_attn.data import load_data
from nas_attn.report.write import report_study
from nas_attn.results import OUTCOMES, outcomes_file, read_outcomes
from nas_attn.settings import FINAL, Digits
from nas_attn.space import Architecture, InputError
from nas_attn.verdict.changed_images import THUMBNAILS
from nas_attn.verdict.thumbnails import thumbnail


def final_rows(study):
    return study.folder.full_rows()


def check(study):
    """Each full training has its file, whose means are the row's; the outcomes by key and seed."""
    rows = [row for row in final_rows(study) if row.state == "complete"]
    kept = read_outcomes(study.folder.path / OUTCOMES, rows)
    assert kept.found.keys() == {(row.key, row.seed) for row in rows}
    for row in rows:
        values = kept.found[row.key, row.seed].values
        assert np.float32(values["accuracy"].mean()) == np.float32(row["accuracy"])
        assert float(values["loss"].mean(dtype=np.float64)) == pytest.approx(row["loss"], rel=1e-5)
    assert sorted(path.name for path in (study.folder.path / OUTCOMES).iterdir()) == sorted(
        outcomes_file(study.folder.path, row.key, row.seed).name for row in rows
    )
    return kept.found


def test_they_are_what_a_loop_in_torch_finds(make_study, tmp_path):
    study = nas_attn.open_study(make_study(STUDY.replace("trials = 3", "trials = 2")))
    study.run()
    found = check(study)
    assert len(found) == 2
    data = load_data(Digits(), tmp_path)
    mean, std = (255 * torch.tensor(numbers).reshape(1, -1, 1, 1) for numbers in (data.mean, data.std))
    for (key, _), outcomes in found.items():
        network, right, losses = study.network(key), [], []
        with torch.no_grad():
            for image, label in zip(data.validation.images, data.validation.labels, strict=True):
                scores = network((image[None] - mean) / std)[0].double()
                right.append(int(scores.argmax()) == int(label))
                losses.append(float(torch.logsumexp(scores, 0) - scores[label]))
        assert outcomes.values["accuracy"].tolist() == right
        np.testing.assert_allclose(outcomes.values["loss"], losses, rtol=1e-4, atol=1e-6)
        assert outcomes.classes.tolist() == data.validation.labels.tolist()


def test_only_full_trainings_of_a_chain_are_kept_and_an_interrupted_study_goes_on(make_study):
    folder, trainings = make_study(CHAIN), []

    def stop(row, done, epochs):
        if row.step == FINAL and done == epochs:
            trainings.append(row)
            if len(trainings) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas_attn.open_study(folder).run(watch=Watch(on_epoch=stop))
    study = nas_attn.open_study(folder)
    assert len(check(study)) == 2
    outcomes_file(folder / OUTCOMES, trainings[2].key, trainings[2].seed).write_bytes(b"of a process that was killed")
    study.run()
    assert len(check(study)) == 4


def test_a_folder_that_cannot_be_written_ends_the_search_without_a_row(make_study):
    folder = make_study(STUDY)
    (folder / OUTCOMES).write_text("a file where the folder should be")
    with pytest.raises(InputError, match=f"{OUTCOMES}: cannot be written"):
        nas_attn.open_study(folder).run()
    assert nas_attn.open_study(folder).folder.full_rows() == []


def check_gallery(folder, changed):
    """The page shows the images that change most, as they are, and goes without pictures where there are none."""
    assert changed.most
    data = load_data(Digits(), folder)
    report_study(folder)
    page = (folder / "report.html").read_text()
    for one in changed.most:
        png = base64.b64encode(thumbnail(data.validation.images[one.number])).decode()
        assert f'<img src="data:image/png;base64,{png}" alt="{data.class_names[one.label]}">' in page
    (folder / THUMBNAILS).unlink()
    report_study(folder)
    assert "Which images gain and lose" in (folder / "report.html").read_text()
    assert "data:image/png;base64" not in (folder / "report.html").read_text()


def test_a_verdict_says_what_holds_for_other_images_and_names_what_is_damaged(make_study):
    folder = make_study(STUDY.replace("epochs = 1", "epochs = 2"))
    study = nas_attn.open_study(folder)
    study.run()
    verdict = study.verdict(2)
    sentences = verdict.sentences
    widths = study.folder.width_matched()
    assert {row.outcomes_sha256 for row in widths} != {""}
    rows = [*final_rows(study), *widths]
    assert len(read_outcomes(folder / OUTCOMES, rows).found) == len(rows)
    (said,) = (one for one in sentences if one.startswith("For other images than these 359 too, "))
    assert "more validation images would" in said
    plain = Architecture().key
    check_gallery(folder, verdict.conclusion.changed)
    outcomes_file(folder / OUTCOMES, plain, 0).write_bytes(b"damaged")
    sentences = study.verdict(train=False).sentences
    assert any(
        one.startswith(f"Ignored of what single validation images got: {plain}-seed0.npz (") for one in sentences
    )
    assert any(one.startswith("For other images than these 359 too, ") for one in sentences)
    for path in (folder / OUTCOMES).iterdir():
        path.unlink()
    sentences = study.verdict(train=False).sentences
    assert any(one.startswith("All intervals hold for these validation images only: ") for one in sentences)
