"""All forms of an exported network give its outputs; `make parity` asks it of every kind and writes the page."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from parity_page import FAMILIES, PAGE, compared, families, kinds, page, rows_of

from nas_attn.attention import ATTENTIONS

_LARGEST = 1e-4  # share of the largest output by which rounding may change another


@pytest.mark.skipif(not os.environ.get("NAS_ATTN_PARITY"), reason="takes many minutes: make parity")
def test_every_kind_and_ten_families_leave_in_forms_that_agree():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        results = list(workers.map(compared, *zip(*kinds(), *families(), strict=True)))
    PAGE.write_text(page(results), encoding="utf-8")
    assert all(isinstance(one, str) or one < _LARGEST for result in results for one in result.differences.values())


def test_the_page_has_every_kind_and_ten_families_and_their_forms_agree():
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert [*rows] == [*ATTENTIONS, *FAMILIES]
    assert all(float(cell) < _LARGEST for row in rows.values() for cell in row)
