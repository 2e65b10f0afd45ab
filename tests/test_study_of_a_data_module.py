"""A study whose images a `LightningDataModule` makes, with hooks: no step sees a batch that did not go through them."""

from collections import Counter

import pytest
from small_study import SPACE

import nas_attn
from nas_attn.space import InputError

MODULE = """
from collections import Counter
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, default_collate

COUNTS = Counter()
LABELS = {part: [row % 3 for row in range(30)] for part in ("train", "val", "test")}

class Bands(pl.LightningDataModule):
    num_classes = 3

    def loader(self, part):
        assert self.trainer.world_size == 1
        def served(rows):
            COUNTS["served"] += 1
            return default_collate(rows)
        rows = [(torch.full((1, 8, 8), 100 * label, dtype=torch.uint8), label) for label in LABELS[part]]
        return DataLoader(rows, 10, shuffle=part == "train", collate_fn=served)

    def train_dataloader(self):
        return self.loader("train")

    def val_dataloader(self):
        return self.loader("val")

    def test_dataloader(self):
        return self.loader("test")

    def on_after_batch_transfer(self, batch, dataloader_idx):
        COUNTS[next(stage for stage in ("training", "validating", "testing") if getattr(self.trainer, stage))] += 1
        images, labels = batch
        return images / 100 - 1, labels
"""

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{proxy = "supernet", epochs = 1, networks = 4}, {proxy = "inherit", epochs = 1, networks = 2}, \
{proxy = "final", networks = 1}]

[data]
kind = "module"
module = "bands_of_mine:Bands"

[recipe]
epochs = 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bands_of_mine.py").write_text(MODULE)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "space.toml").write_text(SPACE)
    (tmp_path / "study" / "study.toml").write_text(STUDY)
    return tmp_path / "study"


def test_every_batch_of_a_search_an_audit_and_an_export_goes_through_the_hooks(folder, forked_proofs):
    mine, before = __import__("bands_of_mine"), Counter()

    def looked_at():
        """By stage, the batches since the last look; each that was served went through the hook once."""
        new = mine.COUNTS - before
        before.update(new)
        assert new["served"] == sum(count for stage, count in new.items() if stage != "served")
        return {stage for stage in new if stage != "served"}

    study = nas_attn.open_study(folder)
    study.run()
    assert looked_at() == {"training", "validating", "testing"}
    study.audit(networks=2, seeds=1)
    assert looked_at() == {"training", "validating", "testing"}
    best, _ = study.export(folder / "out", "best")
    assert best["accuracy"] > 0
    mine.LABELS["val"] = mine.LABELS["val"][::-1]
    with pytest.raises(InputError, match="the labels of validation are others, or come in another order"):
        study.run()
