"""Rows of version 0.1.0 whose attention began otherwise than networks begin now."""

from types import SimpleNamespace

import pytest
from made_up import evaluation

from nas_attn.chain.run import _warn_of_former_starts

OLD, NEW = "nas-attn 0.1.0, torch 2.15.0", "nas-attn 0.2.0, torch 2.15.0"


@pytest.mark.parametrize(
    ("spelt", "versions", "state", "named"),
    [
        ("s.b.branch=cbam t.b.block=non_local(reduction=4)", OLD, "complete", "cbam, non_local"),
        ("s.b.branch=triplet", OLD, "complete", "triplet"),
        ("s.b.branch=cbam(start=identity)", OLD, "complete", ""),
        ("s.b.branch=se", OLD, "complete", ""),
        ("s.b.branch=cbam", NEW, "complete", ""),
        ("s.b.branch=cbam", OLD, "failed", ""),
    ],
)
def test_kinds_that_begin_otherwise_than_they_did_are_named(spelt, versions, state, named, caplog):
    row = evaluation(spelt, state=state, versions=versions)
    _warn_of_former_starts(SimpleNamespace(path="here", all_rows=lambda: [row, evaluation("none", versions=OLD)]))
    began = f"here: rows of version 0.1.0 with {named} began with torch's initial weights, new ones with their authors'"
    assert caplog.messages == [began] * bool(named)
