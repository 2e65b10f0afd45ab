"""What a notebook shows of an object is short, and says which it is."""

from made_up_trainings import trained

import nas_attn
from nas_attn.verdict.conclusion import conclude
from nas_attn.verdict.run import Verdict


def test_objects_say_in_a_line_what_they_are(make_study):
    said = conclude(trained(2, effect=4.0), [], ["accuracy", "flops"])
    _, space = nas_attn.load_space(make_study() / "space.toml")
    assert repr(space) == "SearchSpace(stage1, stage2, stage3)"
    assert repr(nas_attn.open_ledger("resnet8", (3, 32, 32), 10)) == "Ledger('resnet8', (3, 32, 32), 10)"
    assert repr(nas_attn.load_table("digits-table")) == "Table('digits-table', 216 networks with 5 seeds each)"
    assert repr(Verdict(said, said.sentences, [])) == f"Verdict('pays', {len(said.sentences)} sentences)"
