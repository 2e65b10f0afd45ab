"""A study whose recipe names what people train with: checked, searched by a supernet, shown, refused when changed."""

import time

import pytest
from small_study import CHAIN, STUDY

from nas_attn.launch import open_study
from nas_attn.report.write import report_study
from nas_attn.space import InputError

RECIPE = """
[recipe]
epochs = 2
batch_size = 256
optimizer = "NAdam"
learning_rate = 0.01
schedule = "CosineAnnealingLR"
warmup_epochs = 0.5
loss = "bce"
class_weights = "balanced"
label_smoothing = 0.1
transforms = [{ name = "RandomErasing", p = 0.25 }]
mixup = 0.2
cutmix = 1.0
ema_decay = 0.9
"""
LOSS = """
import torch.nn.functional as F

def loss(logits, labels, power=1):
    return F.cross_entropy(logits, labels) ** power
"""


def with_recipe(study, recipe):
    head, _, rest = study.partition("[recipe]")
    return f"{head}{recipe}\n{rest[rest.index('[latency]') :]}"


def test_every_step_learns_by_it_and_the_page_shows_it(make_study):
    study = with_recipe(CHAIN, RECIPE)
    for was, now in {"= 20": "= 4", "= 5": "= 2", "= 2, seeds = 2": "= 1"}.items():
        study = study.replace(f"networks {was}", f"networks {now}")
    one = open_study(make_study(study))
    one.run()
    rows = one.folder.all_rows()
    assert {row.step for row in rows} == {"supernet", "inherit", "final"}
    assert all(row.state == "complete" for row in rows)
    page = report_study(one.folder.path)[0].read_text()
    for shown in ("NAdam", "CosineAnnealingLR", "RandomErasing", "cutmix", "ema_decay"):
        assert page.count(shown) >= 2  # in the row of the recipe, and in the file as it is written
    assert "focal_gamma" not in page


@pytest.fixture(autouse=True)
def _nothing_is_exported(monkeypatch):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])


def test_a_check_finds_in_seconds_what_there_is_not(make_study):
    faulty = {
        "class_weights": ("class_weights = [1, 2]", "found 2 numbers; the data have 10 classes"),
        "optimizer": ('optimizer = "Adan"', "torch.optim has no 'Adan'; did you mean 'Adam'?"),
        "schedule": ('schedule = "StepLR"', "StepLR: TypeError: "),
        "loss": ('loss = "nowhere:Loss"', "nowhere:Loss: nowhere cannot be imported"),
        "transforms": ('transforms = ["RandAugmnt"]', "did you mean 'RandAugment'?"),
    }
    for key, (said, text) in faulty.items():
        folder = make_study(STUDY.replace("epochs = 1", f"epochs = 1\n{said}"), name=key)
        began = time.monotonic()
        (fault,) = open_study(folder).check().faults
        assert time.monotonic() - began < 10
        assert str(fault).startswith(f"recipe: recipe.{key}: ")
        assert text in str(fault)
        with pytest.raises(InputError, match=key if key != "loss" else "^nowhere:Loss: nowhere cannot be imported"):
            open_study(folder).run()
        assert open_study(folder).folder.all_rows() == []


def test_a_fault_of_the_recipe_of_the_base_is_called_so(make_study):
    study = f'{STUDY}\n[base]\nepochs = 1\noptimizer = "Adan"\n'
    (fault,) = open_study(make_study(study)).check().faults
    assert str(fault).startswith("base: base.optimizer: torch.optim has no 'Adan'")


def test_rows_of_a_loss_that_has_changed_do_not_mix(make_study, tmp_path, monkeypatch):
    path = tmp_path / "my_loss_of_rows.py"
    path.write_text(LOSS)
    monkeypatch.syspath_prepend(tmp_path)
    said = 'loss = "my_loss_of_rows:loss"\nloss_arguments = { power = 2 }'
    study = STUDY.replace("batch_size", f"{said}\nbatch_size")
    folder = make_study(study)
    open_study(folder).run(trials=1)
    assert open_study(folder).run(trials=1) == "1 of 1 networks are trained"
    path.write_text(LOSS + "\n# another one\n")
    with pytest.raises(InputError, match=r"code.my_loss_of_rows:loss: was "):
        open_study(folder).run(trials=2)
    path.write_text(LOSS)
    (folder / "study.toml").write_text(study.replace("power = 2", "power = 3"))
    with pytest.raises(InputError, match=r"recipe.loss_arguments.power: was 2, is 3"):
        open_study(folder).run(trials=2)
