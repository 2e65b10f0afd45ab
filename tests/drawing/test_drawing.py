from xml.etree import ElementTree

import pytest

import nas_attn
from nas_attn.drawing import Drawing, Outline, Place, drawing_svg
from nas_attn.evaluation import open_ledger
from nas_attn.space import InputError, parse

SPELT = "stage1.block0.branch=se(reduction=4) stage3.block0.block=eca(kernel_size=3)"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def ledger():
    return open_ledger("resnet8", (3, 32, 32), 10)


@pytest.fixture(scope="module")
def drawing(ledger):
    architecture = parse(SPELT)
    return Drawing(ledger.outline(architecture.placements), architecture)


def texts(svg, name):
    """The texts of a class in a drawing, in their order."""
    return [one.text for one in ElementTree.fromstring(svg).iter(f"{SVG}text") if name in one.get("class", "").split()]


def test_a_network_is_drawn_from_input_to_output_with_the_sizes_of_its_maps(drawing):
    """Those of the paper of residual networks for 32 pixels: 16, 32 and 64 channels, each half as large."""
    assert [line[:3] for line in drawing.lines] == [
        ("input", "3 x 32 x 32", ""),
        ("stage1.block0.branch", "16 x 32 x 32", "se(reduction=4)"),
        ("stage2.block0", "32 x 16 x 16", ""),
        ("stage3.block0.block", "64 x 8 x 8", "eca(kernel_size=3)"),
        ("output", "10", ""),
    ]
    assert repr(drawing).splitlines()[2] == "stage2.block0         32 x 16 x 16"


def test_what_an_attention_adds_is_what_counting_finds_in_the_network(drawing):
    def flops(spelling):
        return nas_attn.count(nas_attn.build(parse(spelling), "resnet8", in_channels=3, classes=10), (3, 32, 32)).flops

    plain = flops("none")
    for placement in drawing.architecture.placements:
        added = flops(f"{placement.site}={placement.attention}") - plain
        assert drawing.outline.share(placement.site, placement.attention) == pytest.approx(added / plain, rel=1e-12)
        assert f"+{100 * added / plain:.2f} % FLOPs" in texts(drawing.svg, "price")


def test_a_picture_has_a_chip_where_something_stands_and_is_whole_xml(drawing):
    root = ElementTree.fromstring(drawing.svg)
    lines = {one.get("data-site"): one for one in root.iter(f"{SVG}g") if one.get("class") == "line"}
    chips = {site: [one for one in line if "chip" in one.get("class", "")] for site, line in lines.items()}
    assert {site: len(found) for site, found in chips.items()} == {
        "stage1.block0.branch": 1,
        "stage2.block0": 0,
        "stage3.block0.block": 1,
    }
    assert texts(drawing.svg, "kind") == ["se", "eca"]
    assert texts(drawing.svg, "options") == ["reduction=4", "kernel_size=3"]
    assert SPELT in root.get("aria-label")
    height = float(root.get("viewBox").split()[3])
    assert all(float(one.get("y")) < height for one in root.iter(f"{SVG}text"))


def test_larger_maps_are_drawn_wider(drawing):
    maps = [one for one in ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect") if one.get("class") == "map"]
    widths = [float(one.get("width")) for one in maps]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_names_of_others_are_drawn_as_they_are_written():
    name = "</svg><script>alert(1)</script>\"'&"
    outline = Outline(name, (3, 8, 8), 2, (Place("a.b.branch", name, f"{name}.b", "branch", (4, 8, 8)),))
    root = ElementTree.fromstring(drawing_svg(outline, parse("none")))
    assert name in root.get("aria-label")
    assert not [one for one in root.iter() if one.tag.endswith("script")]
    attention = f"my_package.attentions:{'A' * 60}"
    drawn = drawing_svg(outline, parse(f"a.b.branch={attention}"))
    assert len(texts(drawn, "kind")[0]) == 18, "shortened, and told in full by its title"
    assert attention in drawn


def test_a_drawing_is_written_as_svg_and_as_nothing_else(drawing, tmp_path):
    drawing.save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text() == drawing.svg
    with pytest.raises(InputError, match=r"found the ending '\.png'; allowed: \.svg"):
        drawing.save(tmp_path / "net.png")
    assert [path.name for path in tmp_path.iterdir()] == ["net.svg"]
