"""Keys as spreadsheets and earlier versions meet them."""

import io
import random

import pandas as pd
import pytest
from space_cases import SPACES

from nas_attn.space import Architecture, former_key, present_key


def test_no_key_is_a_number_to_whoever_reads_a_table():
    rng = random.Random(0)
    keys = [space.sample(rng).key for space in SPACES.values() for _ in range(300)]
    read = pd.read_csv(io.StringIO("key\n" + "\n".join(keys) + "\n"))
    assert read["key"].tolist() == keys
    assert all(key[0].isalpha() and key.isalnum() and len(key) == 10 for key in keys)


@pytest.mark.parametrize("former", ["63118925e1", "6690835724", "140bedbf9c", "0000000000"])
def test_keys_of_version_0_1_0_are_read_as_todays_and_found_again(former):
    key = present_key(former)
    assert (key[0].isalpha(), key[1:], former_key(key), present_key(key)) == (True, former[1:], former, key)


@pytest.mark.parametrize("key", ["abcdef0123", "width=1.5", "knee", "best", "", "63118925e", "63118925E1"])
def test_any_other_text_stays(key):
    assert present_key(key) == key


def test_the_plain_backbone_has_the_key_that_its_spelling_always_had():
    assert former_key(Architecture().key) == "140bedbf9c"
