"""What a recipe may name, what goes with what, and what of it a study's question and identity are made of."""

import json
import sys

import pytest

from nas_attn.settings import Recipe, Step, Transform, changes, lasting, read_study_file
from nas_attn.settings.data import _DECIDED_BY_A_MODULE, _DECIDED_BY_A_TASK

SPACE = "space = 's'\n"
ALL = {
    "optimizer": "RMSprop",
    "optimizer_arguments": {"alpha": 0.9},
    "schedule": "MultiStepLR",
    "schedule_arguments": {"milestones": [2, 4]},
    "warmup_epochs": 2,
    "loss": "bce",
    "class_weights": [1, 2.5],
    "transforms": ["RandAugment", {"name": "RandomErasing", "p": 0.25}],
    "mixup": 0.2,
    "cutmix": 1,
    "ema_decay": 0.99,
}


def test_every_key_reaches_its_field(tmp_path):
    tmp_path.joinpath("study.toml").write_text(
        SPACE + "[recipe]\n"
        "optimizer = 'RMSprop'\noptimizer_arguments = { alpha = 0.9 }\n"
        "schedule = 'MultiStepLR'\nschedule_arguments = { milestones = [2, 4] }\nwarmup_epochs = 2\n"
        "loss = 'bce'\nclass_weights = [1, 2.5]\n"
        "transforms = ['RandAugment', { name = 'RandomErasing', p = 0.25 }]\n"
        "mixup = 0.2\ncutmix = 1\nema_decay = 0.99\n"
    )
    recipe = read_study_file(tmp_path).recipe
    assert recipe == Recipe(**ALL)
    assert recipe.transforms == (Transform(name="RandAugment"), Transform(name="RandomErasing", arguments={"p": 0.25}))
    assert recipe.class_weights == (1.0, 2.5)
    assert Recipe.model_validate(json.loads(json.dumps(recipe.model_dump()))) == recipe
    assert hash(Recipe(**ALL)) == hash(recipe)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            "schedule = 'cosine'",
            "schedule: found 'cosine'; allowed: one_cycle, constant, or a class of torch.optim.lr_scheduler, such as"
            " CosineAnnealingLR",
        ),
        (
            "schedule = 'ReduceLROnPlateau'",
            "schedule: found 'ReduceLROnPlateau', which waits for the validation part, and that is for comparing"
            " networks: it is scored once, after the last epoch; allowed: schedules that depend on the iteration alone",
        ),
        (
            "loss = 'focl'",
            "loss: found 'focl'; did you mean 'focal'? allowed: usual, cross_entropy, focal, bce, or a loss of your"
            " own, as my_package.losses:Loss",
        ),
        (
            "optimizer_arguments = { lr = 0.1 }",
            "optimizer_arguments: found lr; say it as learning_rate",
        ),
        ("optimizer_arguments = 3", "optimizer_arguments: found 3; allowed: a table"),
        (
            "optimizer_arguments = { when = 2020-01-01 }",
            "optimizer_arguments.when: found datetime.date(2020, 1, 1); input was not a valid JSON value",
        ),
        (
            "{ optimizer = 'Adam', momentum = 0.5 }",
            "momentum: found 0.5 with optimizer = 'Adam'; say it in optimizer_arguments",
        ),
        (
            "{ schedule = 'constant', schedule_arguments = { gamma = 1 } }",
            "schedule_arguments: found {'gamma': 1} with schedule = 'constant', which has none; leave it out",
        ),
        (
            "warmup_epochs = 2",
            "warmup_epochs: found 2.0 with schedule = 'one_cycle', which warms up by itself; leave it out",
        ),
        (
            "{ epochs = 3, schedule = 'constant', warmup_epochs = 3 }",
            "warmup_epochs: found 3 of 3 epochs; allowed: less than 3",
        ),
        (
            "{ loss = 'bce', focal_gamma = 1 }",
            "focal_gamma: found 1.0 with loss = 'bce', which has none; leave it out",
        ),
        (
            "{ loss = 'focal', loss_arguments = { gamma = 1 } }",
            "loss_arguments: found {'gamma': 1} with loss = 'focal', which takes none; leave it out",
        ),
        (
            "{ loss = 'focal', label_smoothing = 0.1 }",
            "label_smoothing: found 0.1 with loss = 'focal', which has none; leave it out",
        ),
        (
            "{ loss = 'a.b:C', class_weights = 'balanced' }",
            "class_weights: found 'balanced' with loss = 'a.b:C'; give it to your loss in loss_arguments",
        ),
        (
            "{ loss = 'focal', mixup = 0.2 }",
            "mixup: found 0.2 with loss = 'focal', which is not defined for labels that are shares of classes",
        ),
        (
            "{ loss = 'focal', cutmix = 1 }",
            "cutmix: found 1.0 with loss = 'focal', which is not defined for labels that are shares of classes",
        ),
        (
            "class_weights = 'balancd'",
            "class_weights: found 'balancd'; allowed: 'balanced', or a list of numbers of 0 or more, one a class",
        ),
        (
            "class_weights = [1, -1]",
            "class_weights: found [1, -1]; allowed: 'balanced', or a list of numbers of 0 or more, one a class",
        ),
        (
            "class_weights = [0, 0]",
            "class_weights: found [0, 0]; allowed: 'balanced', or a list of numbers of 0 or more, one a class",
        ),
        ("mixup = -1", "mixup: found -1; allowed: at least 0"),
        ("ema_decay = 1", "ema_decay: found 1; allowed: less than 1"),
        ("transforms = 'RandAugment'", "transforms: found 'RandAugment'; allowed: a list"),
        ("transforms = [{ p = 1 }]", "transforms.0.name: is missing"),
        ("transforms = [3]", "transforms.0: found 3; allowed: a table"),
        (
            "transforms = ['CutMix']",
            "transforms.0: found 'CutMix', which mixes a batch; say cutmix = 1.0 beside the transforms",
        ),
        (
            "transforms = ['nonsuch_package:A']",
            "transforms.0: found 'nonsuch_package:A', which needs nonsuch_package, and that is not installed; install"
            " the package that has it",
        ),
    ],
)
def test_a_fault_says_where_it_is_what_was_found_and_what_is_allowed(faults_of, said, fault):
    recipe = f"recipe = {said}" if said.startswith("{") else f"recipe.{said}"
    assert faults_of(SPACE + recipe) == [f"2: recipe.{fault}"]


@pytest.mark.parametrize("said", ["mixup = 0.2", "cutmix = 1", "transforms = ['RandAugment']"])
def test_without_torchvision_a_recipe_that_needs_it_is_refused_with_what_to_install(faults_of, monkeypatch, said):
    monkeypatch.setattr("nas_attn.settings.transform.find_spec", lambda _name: None)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    (fault,) = faults_of(f"{SPACE}recipe.{said}")
    assert fault.endswith("which needs torchvision, and that is not installed; pip install 'nas-attn[torchvision]'")


def test_every_key_but_the_epochs_is_decided_by_a_task_of_ones_own():
    decided = {*_DECIDED_BY_A_MODULE, *_DECIDED_BY_A_TASK}
    assert Recipe.model_fields.keys() - decided == {"epochs"}
    assert decided - Recipe.model_fields.keys() == {"data_share", "resolution"}


@pytest.mark.parametrize("name", [*ALL, "focal_gamma", "loss_arguments"])
def test_a_task_of_ones_own_decides_it(faults_of, name):
    with_it = {"focal_gamma": {"loss": "focal", "focal_gamma": 1}, "loss_arguments": {"loss": "a:b"}}.get(name)
    others = {"schedule_arguments": ("schedule",), "warmup_epochs": ("schedule",)}.get(name, ())
    recipe = with_it or {key: ALL[key] for key in (*others, name)}
    task = "task = { module = 'my:Lit', monitor = { iou = 'max' } }\n"
    (fault,) = faults_of(f"{SPACE}{task}recipe = {toml(recipe)}")
    assert "which has no effect on a task of the user's own; leave it out" in fault


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


@pytest.mark.parametrize("name", ["transforms", "mixup", "cutmix"])
def test_a_data_module_decides_what_becomes_of_its_images(faults_of, name):
    data = "data = { kind = 'module', module = 'my:Data' }\n"
    (fault,) = faults_of(f"{SPACE}{data}recipe.{name} = {toml(ALL[name])}")
    assert "which has no effect on a data module; leave it out" in fault


def test_labels_of_a_data_module_are_not_counted_and_its_classes_may_be_weighted(faults_of, tmp_path):
    data = "data = { kind = 'module', module = 'my:Data' }\n"
    assert faults_of(f"{SPACE}{data}recipe.class_weights = 'balanced'") == [
        "3: recipe: found class_weights = balanced for a data module, whose labels are not counted; list them"
    ]
    said = {key: ALL[key] for key in ALL if key not in ("transforms", "mixup", "cutmix")}
    tmp_path.joinpath("study.toml").write_text(f"{SPACE}{data}recipe = {toml(said)}")
    assert read_study_file(tmp_path).recipe == Recipe(**said)


def test_a_step_of_other_epochs_warms_up_for_the_same_share_of_them():
    full = Recipe(epochs=20, schedule="constant", warmup_epochs=3)
    shorter = Step(proxy="inherit", epochs=5).recipe(full)
    assert (shorter.epochs, shorter.warmup_epochs) == (5, 0.75)
    assert Step(proxy="final", epochs=20).recipe(full) == Step(proxy="final").recipe(full) == full


def test_defaults_change_neither_a_question_nor_an_identity():
    of_0_1_0 = {"epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay", "label_smoothing"}
    of_0_1_0 |= {"horizontal_flip", "crop_padding", "cutout"}
    before = {"recipe": Recipe(epochs=3).model_dump(include=of_0_1_0)}
    assert changes(before, {"recipe": Recipe(epochs=3).model_dump()}) == []
    assert lasting(Recipe(epochs=3)) == before["recipe"]


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("optimizer_arguments", "schedule_arguments")])
def test_each_key_changes_a_question_and_an_identity(name):
    said = {key: ALL[key] for key in ("schedule", name)} if name == "warmup_epochs" else {name: ALL[name]}
    now, usual = Recipe(**said), Recipe()
    stored = json.loads(json.dumps({"recipe": now.model_dump()}))
    assert changes(stored, {"recipe": now.model_dump()}) == []
    assert any(line.startswith(f"recipe.{name}: was ") for line in changes({"recipe": usual.model_dump()}, stored))
    assert lasting(now)[name] == now.model_dump(exclude_defaults=True)[name]
    assert lasting(now).keys() - lasting(usual).keys() == said.keys() - {"optimizer"}


def test_arguments_change_a_question_one_by_one():
    one, other = (
        {"recipe": Recipe(optimizer="Adam", optimizer_arguments=said).model_dump()}
        for said in ({"eps": 1e-3}, {"amsgrad": True})
    )
    assert changes(one, other) == [
        "recipe.optimizer_arguments.amsgrad: was absent, is True",
        "recipe.optimizer_arguments.eps: was 0.001, is absent",
    ]


def test_what_it_names_of_python_is_known():
    recipe = Recipe(
        optimizer="torch.optim:Adam", loss="json:dumps", transforms=("RandAugment", "json:loads"), schedule="constant"
    )
    assert recipe.named == ("torch.optim:Adam", "json:dumps", "json:loads")
