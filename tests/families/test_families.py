"""Attention on members of many families of networks; `make families` looks at all of them and writes the page."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from family_page import PAGE, page, rows_of
from family_table import FAMILIES, FAST, Result, examine
from placing import LIBRARIES, installed

ALL = bool(os.environ.get("NAS_ATTN_FAMILIES"))


@pytest.fixture(scope="module", autouse=True)
def _libraries():
    for library in LIBRARIES:
        if not installed(library):
            pytest.skip(f"{library} is not there")


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.name in FAST], ids=lambda family: family.name
)
@pytest.mark.skipif(ALL, reason="all families are looked at")
def test_a_member_of_a_family_takes_attention_anywhere(family):
    assert examine(family, placements=1).failure == ""


@pytest.mark.skipif(not ALL, reason="takes many minutes: make families")
def test_all_families_are_looked_at_and_told_on_the_page():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        results = list(workers.map(examine, FAMILIES))
    PAGE.write_text(page(results), encoding="utf-8")
    assert sum(not result.failure for result in results) >= 27


def test_the_page_has_every_family_and_most_of_them_work():
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert list(rows) == [family.name for family in FAMILIES]
    assert len(rows) >= 30
    assert sum(rows.values()) >= 27


def test_a_family_that_does_not_work_is_told_with_the_step_and_the_reason():
    family = next(family for family in FAMILIES if family.name == "Inception v3")
    small = type(family)("Too small", family.network, 16)
    failed = examine(small, placements=1)
    assert failed.failure.startswith(("run: ", "count: "))
    assert rows_of(page([failed, Result(FAMILIES[0], {}, 0)])) == {"Too small": False, FAMILIES[0].name: True}
