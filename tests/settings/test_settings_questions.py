"""Questions of stored results: an absent name means its default, and only a setting that means another is a change."""

from dataclasses import field, make_dataclass

import pytest
from pydantic import create_model

from nas_attn.settings import Backbone, LatencyTarget, Recipe, Step, changes, complete, lasting, questions
from nas_attn.settings.data import Digits

STORED = {"recipe": Recipe(epochs=3).model_dump(), "data": Digits().model_dump(), "backbone": "resnet8"}
OF_0_1_0 = {
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "label_smoothing": 0.0,
    "horizontal_flip": False,
    "crop_padding": 0,
    "cutout": 0,
}


@pytest.fixture
def settings_added(monkeypatch):
    """Each table has a setting more, called `more`, whose default is 1."""
    grown = {name: create_model("Grown", __base__=table, more=(int, 1)) for name, table in questions._TABLES.items()}
    monkeypatch.setattr(questions, "_TABLES", grown)
    monkeypatch.setitem(questions._DATA, "digits", create_model("Grown", __base__=Digits, more=(int, 1)))
    facts = make_dataclass("Facts", [("in_channels", int), ("more", int, field(default=1))])
    monkeypatch.setattr(questions, "ImageFacts", facts)
    questions._defaults.cache_clear()
    yield {**grown, "data": questions._DATA["digits"]}
    questions._defaults.cache_clear()


def test_a_question_is_itself():
    assert changes(STORED, STORED) == []
    assert changes(complete(STORED), STORED) == []


@pytest.mark.parametrize("table", [*questions._TABLES, "data", "images"])
def test_a_setting_that_is_absent_means_its_default(settings_added, table):
    now = {**STORED, table: {**(STORED.get(table, {}) if table != "backbone" else {"name": "resnet8"}), "more": 1}}
    assert changes(STORED, now) == []
    now[table]["more"] = 2
    assert changes(STORED, now) == [f"{table}.more: was 1, is 2"]


def test_tables_within_tables_count_too():
    nested = {"trainer": {"callbacks": {"class": "a:B", "depth": 2}}}
    assert changes(nested, {"trainer": {"callbacks": {"class": "a:B", "depth": 3}}}) == [
        "trainer.callbacks.depth: was 2, is 3"
    ]
    assert changes(nested, {}) == [
        "trainer.callbacks.class: was a:B, is absent",
        "trainer.callbacks.depth: was 2, is absent",
    ]


def test_a_setting_that_is_gone_is_passed_over_where_its_value_is_what_holds_today():
    stored, now = {"architecture": "h40bedbf9c", "versions": {"torch": "2.15.0"}}, {"torch": "2.15.0"}
    for version, lines in (("0.1.0", []), ("0.0.9", ["versions.nas-attn: was 0.0.9, is absent"])):
        assert changes({**stored, "versions": {**now, "nas-attn": version}}, stored) == lines


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_files_of_an_earlier_version_were_divided_by_their_order(kind):
    stored = {"data": {"kind": kind, "validation": 0.2}}
    by_content, by_order = ({"data": {**stored["data"], "split_by": how}} for how in ("content", "order"))
    assert changes(stored, by_content) == ["data.split_by: was order, is content"]
    assert changes(stored, by_order) == []
    assert changes({"data": {"kind": "digits"}}, {"data": {"kind": "digits", "validation": 0.2}}) == []


def test_a_setting_of_a_newer_version_is_refused_as_such():
    assert changes({**STORED, "recipe": {"epochs": 3, "sharpness": 0.5}}, STORED) == [
        "recipe.sharpness: was 0.5, which this version does not know"
    ]


def test_a_backbone_without_settings_is_its_name():
    plain, stripped = Backbone(name="resnet8"), Backbone(name="resnet8", attention="strip")
    assert changes({"backbone": plain.identity()}, {"backbone": plain.model_dump(mode="json")}) == []
    assert changes({"backbone": plain.identity()}, {"backbone": stripped.identity()}) == [
        "backbone.attention: was keep, is strip"
    ]


def test_a_password_is_not_shown():
    assert changes({"trainer": {"logger": "postgresql://me:secret@host"}}, {}) == [
        "trainer.logger: was postgresql://me:***@host, is absent"
    ]


def test_what_digests_are_made_of_stays_when_a_setting_is_added():
    grown = create_model("Grown", __base__=Recipe, more=(int, 1))
    assert lasting(Recipe()) == lasting(grown()) == OF_0_1_0
    assert lasting(grown(more=2)) == {**OF_0_1_0, "more": 2}
    assert lasting(grown(mixup=0.2, epochs=3)) == {**OF_0_1_0, "epochs": 3, "mixup": 0.2}


def test_what_a_target_is_called_and_where_it_is_known_from_is_filled_in_on_both_sides():
    target = LatencyTarget().model_dump(exclude={"name", "source", "device"})
    assert changes({"target": target}, {"target": LatencyTarget().model_dump()}) == []
    assert changes({"step": Step(proxy="scratch").model_dump(exclude={"score"})}, {"step": {"proxy": "scratch"}}) == []
