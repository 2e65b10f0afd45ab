"""What Lightning's loggers write lies beside the study, a folder for each training, with what was trained."""

import yaml

import nas_attn

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{ proxy = "inherit", networks = 2, epochs = 1 }, { proxy = "final", networks = 1, seeds = 2 }]
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 512
[trainer]
logger = ["csv", { class = "csv", name = "mine", save_dir = "elsewhere", version = 3 }]
"""


def test_each_training_logs_into_a_folder_of_its_own_that_says_what_it_is(make_study, monkeypatch, tmp_path):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    folder = make_study(STUDY, 'backbone = "resnet8"\nslots = ["stage1"]\n[kinds]\nse = {}\n')
    nas_attn.open_study(folder).run()
    rows = {(row.step, row.key, row.seed): row for row in nas_attn.open_study(folder).folder.all_rows()}
    found = {file.parent.relative_to(folder / "logs") for file in folder.glob("logs/*/*/metrics.csv")}
    of_rows = {f"{step}/{key}-seed{seed}" for step, key, seed in rows}
    (base,) = {str(one) for one in found} - of_rows
    assert base.startswith("base/base-")
    assert len(of_rows) == len(found) - 1 == 4
    for (step, key, seed), row in rows.items():
        facts = yaml.safe_load((folder / f"logs/{step}/{key}-seed{seed}/hparams.yaml").read_text())
        expected = {"key": key, "architecture": row.architecture, "step": step, "seed": seed, "flops": row["flops"]}
        assert expected.items() <= facts.items()
    assert {path.name for path in (tmp_path / "cwd").iterdir()} == {"elsewhere"}  # where the user sent the other one
