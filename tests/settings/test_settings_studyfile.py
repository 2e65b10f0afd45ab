"""A study file becomes a frozen value, or is told every one of its faults."""

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from nas_attn.settings import (
    Budget,
    DataModule,
    Digits,
    Document,
    ImageFolder,
    LatencyTarget,
    Parquet,
    Recipe,
    Search,
    StudyFile,
    Torchvision,
    check,
    read_document,
    read_study_file,
)
from nas_attn.space import InputError

STUDIES = sorted(Path(__file__).parents[2].joinpath("studies").glob("*/study.toml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_every_study_that_comes_with_the_package_can_be_read(path):
    file = read_study_file(path.parent)
    assert (path.parent / file.space).is_file()


SHORT = "top5, balanced_accuracy, f1_macro, precision_macro, recall_macro, auroc, average_precision, calibration_error"


def test_there_are_studies():
    assert "digits" in {path.parent.name for path in STUDIES}


def test_a_study_of_one_line_has_the_defaults(tmp_path):
    tmp_path.joinpath("study.toml").write_text('space = "some.toml"')
    file = read_study_file(tmp_path)
    assert file == StudyFile(
        space="some.toml",
        objectives=("accuracy", "flops", "latency_ms"),
        seed=0,
        data=Digits(),
        recipe=Recipe(),
        latency=LatencyTarget(device="auto", batch=1, threads=1, calls=300),
        budget=Budget(),
        search=Search(trials=24, sampler="known_cost", storage=None),
    )
    assert file.budget.limits == {}


def test_every_key_reaches_its_field(tmp_path):
    tmp_path.joinpath("study.toml").write_text(
        'space = "s.toml"\nobjectives = ["loss", "params"]\nseed = 3\n'
        '[data]\nkind = "parquet"\npath = "p"\nimage_column = "img"\nchannels = 1\nvalidation = 0.1\nlimit = 100\n'
        "[recipe]\nlearning_rate = 1\nhorizontal_flip = true\n"
        '[latency]\ndevice = "cuda:1"\n[budget]\nmax_params = 5\n[search]\nstorage = "sqlite:///x.db"\n'
    )
    file = read_study_file(tmp_path)
    assert file.objectives == ("loss", "params")
    assert file.data == Parquet(path="p", image_column="img", channels=1, validation=0.1, limit=100)
    assert (file.recipe.learning_rate, file.recipe.horizontal_flip) == (1.0, True)
    assert (file.seed, file.latency.device, file.search.storage) == (3, "cuda:1", "sqlite:///x.db")
    assert file.budget.limits == {"params": 5.0}


def test_limits_are_named_for_their_measures():
    budget = Budget(max_params=1, max_macs=2, max_flops=3, max_latency_ms=0.5)
    assert budget.limits == {"params": 1.0, "macs": 2.0, "flops": 3.0, "latency_ms": 0.5}
    assert all(type(limit) is float for limit in budget.limits.values())


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(faults_of):
    told = faults_of(
        "sed = 1\n"
        'objectives = ["accuracy", "flop"]\n'
        "seed = -1\n"
        "[search]\n"
        'sampler = "tpee"\n'
        "[data]\n"
        'kind = "digits"\n'
        "validation = 1.5\n"
        "[recipe]\n"
        "epochs = 0\n"
        "batch_sise = 4\n"
    )
    assert [line.split(": ")[0] for line in told] == ["1", "1", "2", "3", "5", "8", "10", "11"]
    assert sorted(told[:2]) == [
        "1: sed: unknown name; did you mean 'seed'? allowed: space, task, metrics, objectives, seed, data, final,"
        " recipe, base, chain, trainer, latency, budget, search, claim",
        "1: space: is missing",
    ]
    assert told[2:] == [
        "2: objectives.1: found 'flop'; did you mean 'flops'? allowed: accuracy, loss, params, macs, flops, latency_ms,"
        f" {SHORT}",
        "3: seed: found -1; allowed: at least 0",
        "5: search.sampler: found 'tpee'; did you mean 'tpe'? allowed: known_cost, tpe, nsga2, random",
        "8: data.validation: found 1.5; allowed: less than 1",
        "10: recipe.epochs: found 0; allowed: at least 1",
        "11: recipe.batch_sise: unknown name; did you mean 'batch_size'? allowed: epochs, batch_size, optimizer,"
        " optimizer_arguments, learning_rate, momentum, weight_decay, schedule, schedule_arguments, warmup_epochs,"
        " loss, loss_arguments, focal_gamma, class_weights, label_smoothing, horizontal_flip, crop_padding, cutout,"
        " transforms, mixup, cutmix, ema_decay",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('space = ""', "1: space: found ''; allowed: a text that is not empty"),
        ("space = 3", "1: space: found 3; allowed: a text"),
        ("space = 's'\nobjectives = []", "2: objectives: found []; allowed: a list of 1 or more"),
        ("space = 's'\nobjectives = 'loss'", "2: objectives: found 'loss'; allowed: a list"),
        (
            "space = 's'\nobjectives = ['loss', 3]",
            f"2: objectives.1: found 3; allowed: accuracy, loss, params, macs, flops, latency_ms, {SHORT}",
        ),
        (
            "space = 's'\nobjectives = ['loss', 'loss']",
            "2: objectives: found loss, loss; each may stand there once",
        ),
        ("space = 's'\n[claim]\nwhere = 'stage1=se'\ngain = 1.0", "2: claim.source: is missing"),
        (
            "space = 's'\n[[claim]]\nwhere = 'stage1=se'\ngain = 1\nerror = -1\nsource = 'it'",
            "5: claim.0.error: found -1; allowed: at least 0",
        ),
        (
            "space = 's'\n[[claim]]\nwhere = 'stage1 se'\ngain = 1\nsource = 'it'",
            "3: claim.0.where: architecture 'stage1 se': found 'stage1'; a placement is spelt SITE=KIND or"
            " SITE=KIND(OPTION=VALUE,...)",
        ),
        (
            "space = 's'\n[[claim]]\nwhere = 'stage1=se'\nthan = 'stage1=se'\ngain = 1\nsource = 'it'",
            "4: claim.0.than: found 'stage1=se', the network of `where`; allowed: another one",
        ),
        (
            "space = 's'\n[[claim]]\nwhere = 'se=x'\ngain = nan\nsource = 'it'",
            "4: claim.0.gain: found nan; allowed: a finite number",
        ),
        ("space = 's'\nseed = true", "2: seed: found True; allowed: an integer"),
        ("space = 's'\nseed = 1.0", "2: seed: found 1.0; allowed: an integer"),
        ("space = 's'\nrecipe = 3", "2: recipe: found 3; allowed: a table"),
        ("space = 's'\n[[search]]\ntrials = 3", "2: search: found [{'trials': 3}]; allowed: a table"),
        ("space = 's'\nrecipe.momentum = 1", "2: recipe.momentum: found 1; allowed: less than 1"),
        ("space = 's'\nrecipe.momentum = -0.5", "2: recipe.momentum: found -0.5; allowed: at least 0"),
        ("space = 's'\nrecipe.momentum = '0.5'", "2: recipe.momentum: found '0.5'; allowed: a number"),
        ("space = 's'\nrecipe.learning_rate = 0", "2: recipe.learning_rate: found 0; allowed: more than 0"),
        ("space = 's'\nrecipe.learning_rate = inf", "2: recipe.learning_rate: found inf; allowed: a finite number"),
        ("space = 's'\nrecipe.horizontal_flip = 'no'", "2: recipe.horizontal_flip: found 'no'; allowed: true or false"),
        ("space = 's'\nrecipe.horizontal_flip = 1", "2: recipe.horizontal_flip: found 1; allowed: true or false"),
        (
            "space = 's'\nrecipe.optimizer = 'adam'",
            "2: recipe.optimizer: found 'adam'; did you mean 'adamw'? allowed: sgd, adamw, or a class of torch.optim,"
            " such as RMSprop",
        ),
        (
            "space = 's'\n[latency]\nruntime = 'onnxruntime'\ndtype = 'float16'",
            '3: latency.runtime: found \'onnxruntime\' with device "auto", dtype "float16"; allowed with it:'
            ' device = "cpu", dtype = "float32"',
        ),
        (
            "space = 's'\n[latency]\nruntime = 'onxruntime'",
            "3: latency.runtime: found 'onxruntime'; did you mean 'onnxruntime'? allowed: eager, compile, onnxruntime",
        ),
        ("space = 's'\nlatency.calls = 10", "2: latency.calls: found 10; allowed: at least 50"),
        ("space = 's'\nbudget.max_macs = 1e6", "2: budget.max_macs: found 1000000.0; allowed: an integer"),
        ("space = 's'\nbudget.max_latency_ms = nan", "2: budget.max_latency_ms: found nan; allowed: a finite number"),
        ("space = 's'\ndata = 3", "2: data: found 3; allowed: a table"),
        (
            "space = 's'\n[data]",
            "2: data.kind: is missing; allowed: digits, folder, parquet, torchvision, planted, module, task",
        ),
        (
            "space = 's'\n[data]\n\nkind = 'folders'",
            "4: data.kind: found 'folders'; did you mean 'folder'? allowed: digits, folder, parquet,"
            " torchvision, planted, module, task",
        ),
        ("space = 's'\n[data]\nkind = 'folder'", "2: data.path: is missing"),
        ("space = 's'\n[data]\nkind = 'torchvision'\npath = 'p'", "2: data.name: is missing"),
        ("space = 's'\n[data]\nkind = 'module'", "2: data.module: is missing"),
        (
            "space = 's'\n[data]\nkind = 'module'\nmodule = 'mine:Data'\narguments = 3",
            "5: data.arguments: found 3; allowed: a table",
        ),
        (
            "space = 's'\n[data]\nkind = 'module'\nmodule = 'mine.Data'",
            "4: data.module: found 'mine.Data'; allowed: a class, as my_package.data:Module",
        ),
        ("space = 's'\n[data]\nkind = 'folder'\npath = 'p'\nchannels = 2", "5: data.channels: found 2; allowed: 1, 3"),
        (
            "space = 's'\n[data]\nkind = 'digits'\nsplit_sed = 3",
            "4: data.split_sed: unknown name; did you mean 'split_seed'?"
            " allowed: validation, test, split_seed, folds, kind",
        ),
        (
            "space = 's'\n[data]\nkind = 'folder'\npath = 'p'\nshuffle = true",
            "5: data.shuffle: unknown name; allowed: validation, test, split_seed, folds, limit, image_size,"
            " path, val_path, test_path, split_by, channels, background, label_columns, class_names, kind, labels,"
            " file_column, label_column, masks, groups",
        ),
    ],
)
def test_a_fault_says_where_it_is_what_was_found_and_what_is_allowed(faults_of, text, fault):
    assert faults_of(text) == [fault]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("recipe.batch_size = 32", "recipe: found batch_size = 32"),
        ("recipe.horizontal_flip = true", "recipe: found horizontal_flip = True"),
        ("recipe.crop_padding = 2", "recipe: found crop_padding = 2"),
        ("base.cutout = 2", "base: found cutout = 2"),
        ("chain = ['scratch', {proxy = 'final', batch_size = 32}]", "chain: found batch_size = 32"),
        ("chain = [{proxy = 'scratch', data_share = 0.5}]", "chain: found data_share = 0.5"),
        ("chain = [{proxy = 'scratch', resolution = 0.5}]", "chain: found resolution = 0.5"),
    ],
)
def test_what_a_data_module_decides_by_itself_cannot_be_asked_for(faults_of, tmp_path, text, fault):
    module = "space = 's'\ndata = {kind = 'module', module = 'mine:Data'}\n"
    assert faults_of(module + text) == [f"3: {fault}, which has no effect on a data module; leave it out"]
    tmp_path.joinpath("study.toml").write_text(f"space = 's'\n{text}\n")
    read_study_file(tmp_path)
    tmp_path.joinpath("study.toml").write_text(
        f"{module}recipe = {{epochs = 3, learning_rate = 1}}\nchain = ['scratch']"
    )
    assert read_study_file(tmp_path).data == DataModule(module="mine:Data")


def test_whether_a_set_may_be_fetched_is_no_part_of_what_is_asked(tmp_path):
    tmp_path.joinpath("study.toml").write_text(
        "space = 's'\n[data]\nkind = 'torchvision'\nname = 'CIFAR10'\npath = 'p'\ndownload = true"
    )
    data = read_study_file(tmp_path).data
    assert data == Torchvision(name="CIFAR10", path="p", download=True)
    assert data.model_dump() == Torchvision(name="CIFAR10", path="p").model_dump()


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:01", "CPU", "cpu\n", "mps", ""])
def test_a_device_that_cannot_be_is_told(faults_of, device):
    told = faults_of(f"space = 's'\nlatency.device = {device!r}".replace("'cpu\\n'", '"cpu\\n"'))
    assert told == [f"2: latency.device: found {device!r}; allowed: auto, cpu, cuda or cuda:N"]


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_a_device_that_may_be_is_kept(device):
    assert LatencyTarget(device=device).device == device


def test_a_study_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'nowhere'}: there is no such folder")):
        read_study_file(tmp_path / "nowhere")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: has no study.toml")):
        read_study_file(tmp_path)
    path = tmp_path / "study.toml"
    path.write_text("space = \n")
    with pytest.raises(InputError, match=re.escape(f"{path}: is a file; a study is a folder")):
        read_study_file(path)
    with pytest.raises(InputError, match=re.escape(f"{path}: not a TOML file: ") + ".*line 1"):
        read_study_file(tmp_path)
    path.write_bytes(b"space = '\xe9'")
    with pytest.raises(InputError, match=re.escape(f"{path}: cannot be read as text: ")):
        read_study_file(tmp_path)


def test_what_was_read_never_changes(tmp_path):
    tmp_path.joinpath("study.toml").write_text('space = "some.toml"')
    file = read_study_file(tmp_path)
    for value, name in [(file, "seed"), (file.recipe, "epochs"), (file.data, "test"), (file.budget, "max_macs")]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, 1)
    with pytest.raises(FrozenInstanceError):
        read_document(tmp_path / "study.toml").path = tmp_path


def test_equal_settings_are_equal_values():
    assert ImageFolder(path="p") == ImageFolder(path="p")
    assert hash(Recipe(epochs=3)) == hash(Recipe(epochs=3))
    assert Recipe(epochs=3) != Recipe(epochs=4)


def test_a_complaint_without_words_of_ours_is_told_in_those_of_pydantic():
    class Odd(BaseModel):
        when: complex

    document = Document(Path("odd.toml"), {"when": []}, {("when",): 7})
    with pytest.raises(InputError, match=r"^odd\.toml:7: when: found \[\]; input should be a valid .*complex"):
        check(Odd, document)
