"""Steps of smaller images, and attention that is built for one size of map."""

import pytest

from nas_attn.assembly import load_space
from nas_attn.chain.steps import check_sizes
from nas_attn.settings import Step
from nas_attn.space import InputError

SIZED = "attentions_of_others:MapOfOneSize"


@pytest.mark.parametrize("kind", [SIZED, "attentions_of_others:SEAttention"])
def test_a_step_of_smaller_images_is_refused_before_it_trains_where_a_kind_is_built_for_one_size(tmp_path, kind):
    path = tmp_path / "space.toml"
    path.write_text(f'backbone = "resnet8"\nimage = [1, 8, 8]\n[kinds."{kind}"]\n')
    _, space = load_space(path)
    smaller = Step(name="small", proxy="scratch", epochs=1, networks=2, resolution=0.5)
    check_sizes([Step(name="small", proxy="scratch", epochs=1, networks=2)], space)
    if kind == SIZED:
        with pytest.raises(InputError, match=f"step 'small': resolution: found 0.5; allowed: 1, for {SIZED} is built"):
            check_sizes([smaller], space)
    else:
        check_sizes([smaller], space)
