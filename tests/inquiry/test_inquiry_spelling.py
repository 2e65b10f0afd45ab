"""What a spelling means in a study, and the study that is made for one."""

import pytest

from nas_attn.assembly import load_space
from nas_attn.inquiry.candidate import candidates
from nas_attn.inquiry.founding import Terms, folder_for, founded, read_backbone, write_founded
from nas_attn.settings import read_study_file
from nas_attn.space import InputError, parse

THIN = read_backbone("resnet8(width=2)")
DEEP = read_backbone("resnet20(width=2)")


def meant(folder, backbone, *spellings, terms=Terms("digits")):  # noqa: B008
    """The space that is made for spellings, and what they mean in it."""
    made = founded(backbone, spellings, terms, folder)
    write_founded(made, folder)
    _, space = load_space(folder / "space.toml", image=(1, 8, 8))
    return space, [(one.spelling, one.start, str(one.architecture)) for one in _of(space, made, spellings)]


def _of(space, made, spellings):
    return candidates(spellings, space, "the network", made.wishes)


def test_the_space_of_one_spelling_holds_it_from_both_starts_and_nothing_else(tmp_path):
    space, found = meant(tmp_path / "new", THIN, "stage3.block=cbam(reduction=2)")
    assert found == [
        ("stage3.block=cbam(reduction=2)", start, f"stage3.block0.block=cbam(reduction=2,start={start})")
        for start in ("paper", "identity")
    ]
    assert sorted(map(str, space.architectures())) == sorted(["none", *(spelt for _, _, spelt in found)])


@pytest.mark.parametrize(
    ("spelling", "architecture"),
    [
        ("stage2=se", "stage2.block0-2.branch=se(start=paper)"),
        ("stage2.block=se", "stage2.block0-2.block=se(start=paper)"),
        ("stage2.block1=se", "stage2.block1.branch=se(start=paper)"),
        ("stage2.block1.pre=se", "stage2.block1.pre=se(start=paper)"),
        ("stage2-3.block0-1.pre=se", "stage2-3.block0-1.pre=se(start=paper)"),
        ("stage2=bam", "stage2.block2.stage=bam(start=paper)"),
        ("stage2=bam stage3.block1=se", "stage2.block2.stage=bam(start=paper) stage3.block1.branch=se(start=paper)"),
        ("everywhere=simam", "stage1-3.block0-2.inner=simam(start=paper)"),
        ("stage1=se(start=paper)", "stage1.block0-2.branch=se(start=paper)"),
    ],
)
def test_a_place_is_a_stage_a_block_a_site_or_everywhere(tmp_path, spelling, architecture):
    _, found = meant(tmp_path / "new", DEEP, spelling)
    assert found[0][2] == architecture
    assert [start for _, start, _ in found] == (["paper"] if "start" in spelling else ["paper", "identity"])


def test_spellings_of_one_study_may_differ_in_options_that_others_leave_open(tmp_path):
    _, found = meant(tmp_path / "new", DEEP, "stage1=se(reduction=1)", "stage1.block=se", "stage2=eca")
    assert [spelt for _, start, spelt in found if start == "paper"] == [
        "stage1.block0-2.branch=se(reduction=1,start=paper)",
        "stage1.block0-2.block=se(reduction=16,start=paper)",
        "stage2.block0-2.branch=eca(start=paper)",
    ]


def test_spellings_of_one_network_have_one_answer(tmp_path):
    _, found = meant(tmp_path / "new", THIN, "stage3.block=cbam", "stage3.block0.block=cbam")
    assert {spelling for spelling, _, _ in found} == {"stage3.block=cbam"}


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("stage4=se", "stage4: resnet8 has no such place; did you mean 'stage3'? allowed: everywhere, stage1"),
        ("stage3.blok=se", "did you mean 'stage3.block'?"),
        ("stage3=cbm", "unknown kind 'cbm'; did you mean 'cbam'?"),
        ("stage3.pre=bam", "bam: position: found pre; allowed: stage, block"),
        ("stage3=se(ratio=2)", "se: unknown option 'ratio'; allowed: reduction"),
        ("stage3=se(start=random)", "se: start: found random; allowed: paper, identity"),
        ("stage3", "a placement is spelt SITE=KIND"),
        ("none", "is the plain backbone"),
        ("stage3=se stage3=eca", "stage3: has more than one attention"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(tmp_path, spelling, said):
    with pytest.raises(InputError) as refused:
        founded(THIN, [spelling], Terms("digits"), tmp_path / "new")
    assert str(refused.value).startswith(f"{spelling}: ")
    assert said in str(refused.value)
    assert not (tmp_path / "new").exists()


SPACE = """
backbone = "resnet20"
[kinds.se]
reduction = [4, 8]
slots = ["stage1", "stage2"]
[kinds.bam]
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(SPACE)
    return load_space(path)[1]


def test_in_a_study_what_is_left_open_has_the_preferred_value_of_its_space(space):
    (found,) = candidates(["stage2=se"], space, "resnet20")
    assert found.architecture == parse("stage2.block0-2.branch=se(reduction=4)")
    assert found.start == "paper"
    (found,) = candidates(["stage1=se(reduction=8) stage3=bam"], space, "resnet20")
    assert found.architecture == parse("stage1.block0-2.branch=se(reduction=8) stage3.block2.stage=bam")


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("stage3=se", "stage3: found 'se'; allowed: bam"),
        ("stage1=cbam", "stage1: found 'cbam'; did you mean 'bam'? allowed: se, bam"),
        ("stage1=se(reduction=16)", "stage1: se: reduction: found 16; allowed: 4, 8"),
        ("stage1=se(start=identity)", "stage1: se: unknown option 'start'; allowed: reduction"),
        ("stage1.block=se", "stage1: se: position: found block; allowed: branch"),
        ("stage1.block0=se", "stage1.block0: this space fills stage1.block0.branch, stage1.block1.branch"),
        ("stage9=se", "stage9: the space of resnet20 has no such place"),
    ],
)
def test_outside_of_the_space_of_a_study_is_refused_with_what_is_allowed(space, spelling, said):
    with pytest.raises(InputError) as refused:
        candidates([spelling], space, "resnet20")
    assert str(refused.value).startswith(f"{spelling}: {said}")


def test_the_study_says_data_and_recipe_in_full(tmp_path):
    images = tmp_path / "photos"
    (images / "cat").mkdir(parents=True)
    folder = tmp_path / "studies" / "new"
    terms = Terms(str(images), image_size=32, epochs=3)
    write_founded(founded(THIN, ["stage3=se"], terms, folder), folder)
    file = read_study_file(folder)
    assert (file.data.kind, file.data.path, file.data.image_size) == ("folder", "../../photos", 32)
    assert (folder / file.data.path).resolve() == images.resolve()
    assert (file.recipe.epochs, file.recipe.learning_rate) == (3, 0.1)
    assert file.objectives == ("accuracy", "flops")


def test_weights_of_a_file_are_found_from_the_study_and_trained_on_gently(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"")
    folder, backbone = tmp_path / "new", read_backbone("resnet8", str(tmp_path / "weights.pt"))
    write_founded(founded(backbone, ["stage3=se"], Terms("digits", backbone.weights), folder), folder)
    assert load_space(folder / "space.toml")[0].backbone.weights == f"{folder}/../weights.pt"
    assert read_study_file(folder).recipe.learning_rate == 0.01
    missing = read_backbone("resnet8", str(tmp_path / "nowhere.pt"))
    with pytest.raises(InputError, match=r"weights: there is no file .*nowhere.pt; allowed: a file, or 'pretrained'"):
        founded(missing, ["stage3=se"], Terms("digits", missing.weights), tmp_path / "other")


def test_a_folder_of_another_question_or_of_other_things_is_left_alone(tmp_path):
    folder = tmp_path / "new"
    made = founded(THIN, ["stage3=se"], Terms("digits"), folder)
    assert write_founded(made, folder)
    assert not write_founded(made, folder)
    with pytest.raises(InputError, match=r"its space.toml is of another question; --study FOLDER"):
        write_founded(founded(THIN, ["stage2=se"], Terms("digits"), folder), folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear all")
    with pytest.raises(InputError, match="holds other things than a study"):
        write_founded(made, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_a_folder_is_named_for_its_question():
    assert str(folder_for("timm:resnet18", ["stage3.block=cbam"])) == "ask-timm-resnet18-stage3.block-cbam"
    long = folder_for("resnet8", [f"stage{number}=se(reduction=4)" for number in range(30)])
    assert len(str(long)) <= 80


@pytest.mark.parametrize("text", ["resnet8(width)", "resnet8(", "a b", "resnet8(width=2"])
def test_a_backbone_that_cannot_be_read_is_refused(text):
    with pytest.raises(InputError):
        read_backbone(text)
