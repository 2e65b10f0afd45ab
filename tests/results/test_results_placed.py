import pandas as pd
import pytest
from made_up import study_table

from nas_attn import InputError, placements
from nas_attn.space import parse


def test_every_placement_is_a_row_with_all_that_is_known_of_its_network():
    table = study_table()
    found = placements(table)
    for key, row in table.iterrows():
        expected = {(one.site, str(one.attention)) for one in parse(row["architecture"]).placements} or {("", "")}
        own = found.loc[[key]]
        spelt = [f"{kind}({options})" if options else kind for kind, options in zip(own.kind, own.options, strict=True)]
        assert set(zip(own["site"], spelt, strict=True)) == expected
        assert len(own) == len(expected)
        assert own["flops"].eq(row["flops"]).all()
    assert found.index.name == "key"


def test_placements_are_grouped_in_a_line():
    found = placements(study_table()).groupby(["stage", "kind"])["accuracy"].mean()
    assert found["stage1", "se"] == pytest.approx((0.93 + 0.93 + 0.92 + 0.92) / 4)
    assert found["stage2", "cbam"] == pytest.approx(0.94)


def test_a_table_without_architectures_is_refused():
    with pytest.raises(InputError, match="no column 'architecture'"):
        placements(pd.DataFrame({"accuracy": [0.9]}))
    with pytest.raises(InputError, match="se at stage1"):
        placements(pd.DataFrame({"architecture": ["se at stage1"]}))
    assert placements(study_table().iloc[:0]).empty
