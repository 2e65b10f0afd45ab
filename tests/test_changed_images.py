"""Images and labels are part of what a study asks: it does not go on with others, and says what has changed."""

import json
import logging
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from nas_attn.data import ImageData, Part, fingerprint, load_data
from nas_attn.evaluation import data_question
from nas_attn.settings import DataModule, Digits, Fingerprint, ImageFolder, Planted, StudyFile, changes
from nas_attn.space import InputError, Kind, SearchSpace, Site, Slot
from nas_attn.study import begin_study, check_images, find_study, write_question

SPACE = SearchSpace((Slot("stage", (Site("block", "stage", "block", "branch", 16),), (Kind("gate"),)),))
QUESTION = {"objectives": ("accuracy",), "data": {"kind": "folder"}}


@pytest.fixture
def pictures(tmp_path):
    """Thirty pictures of noise of each of two classes; none is like another."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(30):
            write(tmp_path / "pictures" / name / f"{number:02}.png", rng)
    return tmp_path / "pictures"


def write(file, rng):
    Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(file)


def ask(folder, data, step="final"):
    """Begin a study with these data, or go on with it, as a search does."""
    study = find_study(folder, None, step) or begin_study(folder, None, ["accuracy"], step)
    write_question(study, QUESTION, SPACE, replace(data.facts, mean=(0.5,), std=(0.5,)), fingerprint(data))
    return study


def goes_on(pictures, **settings):
    """What a search says that goes on with these pictures: nothing, or the line about images."""
    folder = pictures.parent
    try:
        ask(folder, load_data(ImageFolder(path="pictures", **settings), folder))
    except InputError as error:
        (line,) = (line.strip() for line in str(error).splitlines() if line.startswith("  images"))
        return line
    return ""


def exchange(one, other):
    """Let two files change places."""
    aside = one.with_suffix(".aside")
    one.rename(aside), other.rename(one), aside.rename(other)


def test_the_same_pictures_is_no_change(pictures):
    assert goes_on(pictures) == ""
    assert goes_on(pictures) == ""


def test_labels_that_were_exchanged_are_counted_and_nothing_else_is_said(pictures):
    """Fifteen cats become dogs and fifteen dogs cats, at the same places, so that no mean of any part of data moves."""
    goes_on(pictures)
    for number in range(15):
        exchange(pictures / "cat" / f"{number:02}.png", pictures / "dog" / f"{number:02}.png")
    message = goes_on(pictures)
    assert message.startswith("images: the labels of 30 images changed (15 of them from ")
    if ";" in message:  # a file in the place of another may be in the other part of its class
        assert message.endswith("in another part, as files were added, removed or, where split_by is 'order', renamed")


def test_a_label_that_was_put_right_is_reported_with_its_classes(pictures):
    folder, data = pictures.parent, load_data(ImageFolder(path="pictures"), pictures.parent)
    ask(folder, data)
    labels = data.test.labels.clone()
    assert labels[0] == 0
    labels[0] = 1
    with pytest.raises(InputError, match=r"\n  images: the label of 1 image changed \(from cat to dog\)\n"):
        ask(folder, replace(data, test=Part(data.test.images, labels)))


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_a_pixel_of_any_part_counts(pictures, name):
    folder, data = pictures.parent, load_data(ImageFolder(path="pictures"), pictures.parent)
    ask(folder, data)
    part = getattr(data, name)
    images = part.images.clone()
    images[3, 1, 2, 0] ^= 1
    with pytest.raises(InputError, match=r"\n  images: 1 image is new; 1 image is missing\n"):
        ask(folder, replace(data, **{name: Part(images, part.labels)}))


def test_new_and_missing_pictures_are_counted(pictures):
    goes_on(pictures)
    rng = np.random.default_rng(1)
    write(pictures / "dog" / "30.png", rng), write(pictures / "dog" / "31.png", rng)
    (pictures / "cat" / "29.png").unlink()
    message = goes_on(pictures)
    assert "; 2 images are new; 1 image is missing" in message
    assert "label" not in message


def test_a_new_class_changes_no_label_of_the_others(pictures):
    folder, data = pictures.parent, load_data(ImageFolder(path="pictures"), pictures.parent)
    ask(folder, data)
    more = ImageData(
        *(Part(part.images, part.labels + 1) for part in (data.train, data.validation, data.test)),
        ("ant", "cat", "dog"),
        data.mean,
        data.std,
    )
    assert fingerprint(more).parts == fingerprint(data).parts


def test_a_file_that_was_renamed_is_no_other_picture(pictures):
    """The name of the last file is still the last, and two pictures of one part and class exchange theirs."""
    goes_on(pictures)
    (pictures / "cat" / "29.png").rename(pictures / "cat" / "zebra.png")
    assert goes_on(pictures) == ""
    data = load_data(ImageFolder(path="pictures"), pictures.parent)
    shown = {image.tobytes() for image in data.train.images.numpy()}
    files = [
        file
        for file in sorted((pictures / "cat").iterdir())
        if np.ascontiguousarray(np.asarray(Image.open(file)).transpose(2, 0, 1)).tobytes() in shown
    ]
    exchange(*files[:2])
    assert goes_on(pictures) == ""


def test_a_new_name_is_no_change_but_where_files_are_divided_by_their_order(pictures):
    goes_on(pictures)
    (pictures / "cat" / "29.png").rename(pictures / "cat" / "00a.png")
    assert goes_on(pictures) == ""


def test_a_file_whose_new_name_moves_others_to_other_parts_is_reported_as_that(pictures):
    goes_on(pictures, split_by="order")
    (pictures / "cat" / "29.png").rename(pictures / "cat" / "00a.png")
    message = goes_on(pictures, split_by="order")
    assert message.endswith("are in another part, as files were added, removed or, where split_by is 'order', renamed")
    assert not any(word in message for word in ("label", "new", "missing"))


def test_a_picture_that_is_there_several_times_counts_as_often(pictures):
    for number in (27, 28):
        shutil.copy(pictures / "cat" / "29.png", pictures / "cat" / f"{number}.png")
    data = load_data(ImageFolder(path="pictures"), pictures.parent)
    before = fingerprint(data)
    assert sum(entry.startswith(before.sample[0][:12]) for entry in before.sample) in (1, 3)
    ask(pictures.parent, data)
    (pictures / "cat" / "29.png").unlink()
    assert goes_on(pictures).endswith("1 image is missing")


def test_export_refuses_pictures_that_the_study_was_not_begun_with(pictures):
    folder, source = pictures.parent, ImageFolder(path="pictures")
    data = load_data(source, folder)
    study, facts = ask(folder, data), replace(data.facts, mean=(0.5,), std=(0.5,))
    check_images(study, QUESTION, facts, fingerprint(data))
    exchange(pictures / "cat" / "03.png", pictures / "dog" / "03.png")
    with pytest.raises(InputError, match="images: the labels of 2 images changed"):
        check_images(study, QUESTION, facts, fingerprint(load_data(source, folder)))


def test_a_study_of_an_earlier_version_goes_on_and_takes_the_pictures_of_today(pictures, caplog):
    folder = pictures.parent
    data = load_data(ImageFolder(path="pictures"), folder)
    facts = replace(data.facts, mean=(0.5,), std=(0.5,))
    study = begin_study(folder, None, ["accuracy"], "final")
    write_question(study, QUESTION, SPACE, facts)
    check_images(study, QUESTION, facts, fingerprint(data))
    assert len(caplog.messages) == 1
    caplog.clear()
    ask(folder, data)
    assert caplog.messages == [
        "study final: an earlier version began it, without a fingerprint of its images, so that it is not known whether"
        " they and their labels are still the same; those of today count from now on"
    ]
    caplog.clear()
    ask(folder, data)
    assert not caplog.messages
    exchange(pictures / "cat" / "03.png", pictures / "dog" / "03.png")
    assert "the labels of 2 images changed" in goes_on(pictures)


def noise(images, seed=0):
    """So many images of noise in two classes, as data of which most train."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (images, 1, 4, 4), dtype=torch.uint8, generator=generator)
    labels = torch.arange(images) % 2
    train, validation, test = (
        Part(pixels[rows], labels[rows])
        for rows in (slice(0, images - 200), slice(images - 200, images - 100), slice(images - 100, None))
    )
    return ImageData(train, validation, test, ("a", "b"), (0.5,), (0.25,))


def test_of_many_images_a_sample_tells_what_changed_and_says_so(tmp_path):
    data = noise(20_000)
    ask(tmp_path, data)
    assert len(fingerprint(data).sample) == 2000
    labels = data.train.labels.clone()
    changed = random.Random(0).sample(range(len(labels)), 5000)
    labels[changed] = 1 - labels[changed]
    with pytest.raises(InputError) as caught:
        ask(tmp_path, replace(data, train=Part(data.train.images, labels)))
    head, _, rest = (
        str(caught.value).partition("images, of a sample of 1,999 of 20,000: the labels of ")[2].partition(" ")
    )
    assert abs(int(head) / 1999 - 5000 / 20_000) < 0.05
    assert rest.startswith("images changed (")


def test_a_change_that_a_sample_does_not_show_is_refused_all_the_same(tmp_path):
    data = noise(20_000)
    ask(tmp_path, data)
    for row in range(len(data.train)):
        labels = data.train.labels.clone()
        labels[row] = 1 - labels[row]
        changed = replace(data, train=Part(data.train.images, labels))
        if fingerprint(changed).sample == fingerprint(data).sample:
            break
    with pytest.raises(
        InputError, match=r"images: the train part changed in a few images, of a sample of 1,999 of 20,000"
    ):
        ask(tmp_path, changed)


def test_a_sample_of_more_images_knows_those_that_stayed(tmp_path):
    ask(tmp_path, noise(3000))
    more, extra = noise(3000), noise(300, seed=1)
    train = Part(torch.cat([more.train.images, extra.train.images]), torch.cat([more.train.labels, extra.train.labels]))
    with pytest.raises(InputError) as caught:
        ask(tmp_path, replace(more, train=train))
    number = int(str(caught.value).partition("images, of a sample of ")[2].partition(": ")[2].split(" ")[0])
    assert "images are new\n" in str(caught.value)
    assert number == pytest.approx(100 * 2000 / 3100, abs=25)


def test_another_version_of_what_reads_images_is_named_where_pixels_differ(pictures):
    folder, data = pictures.parent, load_data(ImageFolder(path="pictures"), pictures.parent)
    study = ask(folder, data)
    study.set_user_attr("fingerprint", {**study.user_attrs["fingerprint"], "reader": "Pillow 1.0"})
    assert goes_on(pictures) == ""
    write(pictures / "cat" / "03.png", np.random.default_rng(5))
    assert "; they were read by Pillow 1.0, and now by Pillow " in goes_on(pictures)


@pytest.mark.parametrize("source", [Digits(), Planted(images=40)], ids=lambda source: source.kind)
def test_images_that_are_made_have_a_fingerprint_too(source, tmp_path):
    made = fingerprint(load_data(source, tmp_path))
    assert made == fingerprint(load_data(source, tmp_path))
    assert made != fingerprint(load_data(source.model_copy(update={"split_seed": 1}), tmp_path))


MODULE = """
import json
import pytorch_lightning as pl
import torch
from pathlib import Path
from torch.utils.data import DataLoader, TensorDataset

class Labels(pl.LightningDataModule):
    num_classes = 3
    def __init__(self, file):
        super().__init__()
        self.file = file
    def loader(self, part, shuffle=False):
        labels = torch.tensor(json.loads(Path(self.file).read_text())[part])
        images = torch.rand(len(labels), 1, 4, 4)
        return DataLoader(TensorDataset(images, labels), 4, shuffle=shuffle)
    def train_dataloader(self):
        return self.loader("train", shuffle=True)
    def val_dataloader(self):
        return self.loader("val")
    def test_dataloader(self):
        return self.loader("test")
"""


BROKEN = """
def broken(rows):
    if len(rows) < 4:
        raise OSError("row 4 is not there")
    return torch.utils.data.default_collate(rows)
"""


def test_labels_of_a_data_module_are_noticed_where_networks_are_judged(tmp_path, monkeypatch):
    """Its images are random in every pass, which is no change; exchanged labels are."""
    (tmp_path / "labels_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "labels.json"

    def begin(**changed):
        labels = {part: [0, 1, 2, 2, 1, 0, 1] for part in ("train", "val", "test")} | changed
        file.write_text(json.dumps(labels))
        source = DataModule(module="labels_of_mine:Labels", arguments={"file": str(file)})
        ask(tmp_path, load_data(source, tmp_path))

    begin()
    begin()
    for part, name in (("val", "validation"), ("test", "test"), ("train", "train")):
        with pytest.raises(InputError, match=f"images: the labels of {name} are others, or come in another order"):
            begin(**{part: [1, 0, 2, 2, 0, 1, 1] if part != "train" else [2, 2, 0, 0, 0, 1, 1]})


def test_a_data_module_that_fails_beyond_its_first_batch_is_reported_before_anything_is_trained(tmp_path, monkeypatch):
    (tmp_path / "labels_that_break.py").write_text(
        MODULE.replace("shuffle=shuffle)", "shuffle, collate_fn=broken)") + BROKEN
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({part: [0, 1, 2, 2, 1, 0, 1] for part in ("train", "val", "test")}))
    data = load_data(DataModule(module="labels_that_break:Labels", arguments={"file": str(file)}), tmp_path)
    with pytest.raises(
        InputError, match="Labels: a pass over its validation or test batches failed: OSError: row 4 is not there"
    ):
        fingerprint(data)


def test_a_study_from_before_there_was_a_background_goes_on_with_the_default():
    def question(**settings):
        data = {"kind": "folder", "path": "here", **settings}
        return {"data": data_question(StudyFile.model_validate({"space": "space.toml", "data": data}))}

    earlier = {"data": {name: value for name, value in question()["data"].items() if name != "background"}}
    assert changes(earlier, question()) == []
    assert changes(earlier, question(background="black")) == ["data.background: was white, is black"]


def test_a_fingerprint_comes_back_as_it_was_written(tmp_path):
    data = noise(300)
    stored = ask(tmp_path, data).user_attrs["fingerprint"]
    assert Fingerprint(**{**stored, "sample": tuple(stored["sample"])}) == fingerprint(data)
    assert len(str(fingerprint(noise(20_000)))) < 64_000


def test_nothing_is_reported_of_studies_without_change(pictures, caplog):
    with caplog.at_level(logging.INFO):
        goes_on(pictures), goes_on(pictures)
    assert not caplog.messages
