import struct

import pytest

from nas_attn.results import front, knee, pareto_front
from nas_attn.results.pictures import front_chart, write_png
from nas_attn.results.points import records, staircase
from nas_attn.space import InputError

OBJECTIVES = ["accuracy", "flops", "latency_ms"]


def complete(rows):
    return rows[rows["state"] == "complete"]


def size(path):
    """Width and height of a PNG, from its header."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def test_a_record_says_what_the_table_says(rows):
    found = {record["key"]: record for record in records(pareto_front(rows, OBJECTIVES), OBJECTIVES)}
    best = set(front(rows, OBJECTIVES).index)
    assert set(found) == set(complete(rows).index)
    assert {key for key, record in found.items() if record["standing"] == "on the front"} == best
    assert [key for key, record in found.items() if record["knee"]] == [knee(rows, OBJECTIVES)]
    bare = found["h40bedbf9c"]
    assert (bare["role"], bare["plain"]) == ("baseline", "plain backbone")
    assert (bare["value0"], bare["value1"], bare["value2"]) == (0.90, 100_000_000.0, 1.0)
    assert (bare["tooltip"]["Accuracy"], bare["tooltip"]["FLOPs"]) == ("90.00 %", "100.0 M")
    assert bare["tooltip"]["Latency"] == "1.000 (0.950 to 1.050) ms"


def test_the_front_is_drawn_above_the_others(rows):
    standings = [record["standing"] for record in records(pareto_front(rows, OBJECTIVES), OBJECTIVES)]
    assert standings == ["dominated"] * 2 + ["on the front"] * 3


def test_the_steps_of_a_panel_rise_from_left_to_right(rows):
    found = staircase(pareto_front(rows, OBJECTIVES), "flops", "accuracy")
    assert found == [(1e8, 0.90), (1.04e8, 0.93), (1.2e8, 0.94)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_chart_has_a_panel_for_each_objective_after_the_first(rows, count):
    names = ["accuracy", "flops", "latency_ms", "params", "macs"][:count]
    drawn = front_chart(rows, names).to_dict()
    assert len(drawn["concat"]) == max(1, count - 1)
    (hover,) = [parameter for parameter in drawn["params"] if parameter["name"] == "network"]
    assert len(hover["views"]) == len(drawn["concat"])


def test_a_chart_tells_how_many_networks_are_on_the_front(rows):
    title = "3 of 5 trained networks are on the front"
    assert front_chart(rows, OBJECTIVES).to_dict()["title"]["text"] == title
    assert front_chart(rows.assign(seeds=3), OBJECTIVES).to_dict()["title"]["text"] == f"{title} of the means"
    assert front_chart(rows, ["accuracy"]).to_dict()["title"]["text"] == "1 of 5 trained networks is on the front"
    assert front_chart(rows, OBJECTIVES, "Mine").to_dict()["title"]["text"] == "Mine"


def test_a_table_of_the_users_own_can_be_drawn(rows):
    wine = complete(rows)[["accuracy"]].assign(**{"price [a.b]": [3.0, 2.0, 1.0, 4.0, 5.0]})
    drawn = front_chart(wine, {"accuracy": "max", "price [a.b]": "max"}).to_dict()
    assert drawn["concat"][0]["layer"][0]["mark"]["interpolate"] == "step-before"


def test_without_a_complete_row_there_is_nothing_to_draw(rows):
    with pytest.raises(InputError, match="no complete row"):
        front_chart(rows[rows["state"] != "complete"], OBJECTIVES)


def test_a_png_has_two_pixels_for_each_of_the_chart(rows, tmp_path):
    path = tmp_path / "front.png"
    write_png(front_chart(rows, OBJECTIVES), path)
    width, height = size(path)
    assert 2 * 2 * 440 < width < 2 * 1200
    assert 2 * 340 < height < 2 * 600
    assert list(tmp_path.iterdir()) == [path]


def test_a_single_network_can_be_drawn(rows, tmp_path):
    path = tmp_path / "one.png"
    write_png(front_chart(rows.iloc[:1], ["accuracy"]), path)
    assert size(path)[0] > 2 * 640
