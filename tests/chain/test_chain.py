"""A study's chain of proxies, from screening to confirmation."""

import shutil

import pytest
from small_study import CHAIN, SPACE, STUDY, reproducible

import nas_attn
from nas_attn.chain import Chain, Watch
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A study that has screened, refined and confirmed; no test may change it."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "study.toml").write_text(CHAIN)
    (folder / "space.toml").write_text(SPACE)
    steps = []
    said = nas_attn.open_study(folder).run(watch=Watch(on_step=lambda step: steps.append(step.name)))
    assert steps == ["supernet", "inherit", "final"]
    assert said == "2 of 2 networks are trained"
    return folder


def rows_of(folder, step):
    return [row for row in StudyFolder.open(folder).all_rows() if row.step == step]


def test_every_row_says_its_step(searched):
    assert [len(rows_of(searched, step)) for step in ("supernet", "inherit", "final")] == [20, 5, 4]


def test_networks_go_from_step_to_step(searched):
    screened, refined, confirmed = (
        {row.key for row in rows_of(searched, step)} for step in ("supernet", "inherit", "final")
    )
    assert confirmed < refined < screened


def test_the_plain_backbone_goes_all_the_way(searched):
    for step in ("supernet", "inherit", "final"):
        assert "none" in [row.architecture for row in rows_of(searched, step)]


def test_the_table_is_that_of_the_last_step_with_means_over_seeds(searched):
    table = nas_attn.open_study(searched).table()
    assert set(table["step"]) == {"final"}
    assert set(table["seeds"]) == {2}
    for key, row in table.iterrows():
        losses = [one["loss"] for one in rows_of(searched, "final") if one.key == key]
        assert row["loss"] == pytest.approx(sum(losses) / 2)


def test_a_confirmed_network_can_be_used(searched):
    study = nas_attn.open_study(searched)
    key = study.table().index[0]
    assert study.network(key) is not None


def test_the_same_file_gives_the_same_rows_bit_for_bit(searched, make_study):
    again = make_study(study=CHAIN)
    nas_attn.open_study(again).run()
    assert reproducible(StudyFolder.open(again).all_rows()) == reproducible(StudyFolder.open(searched).all_rows())


def test_two_jobs_find_what_one_finds(searched, make_study, forked_workers):
    again = make_study(study=CHAIN)
    nas_attn.open_study(again).run(jobs=2)
    one, two = (reproducible(StudyFolder.open(folder).all_rows()) for folder in (searched, again))
    assert one == two


def test_what_is_trained_once_is_found_again(searched):
    trained = {path.name: path.stat().st_mtime_ns for path in (searched / "trained").iterdir()}
    assert sorted(name.split("-")[0] for name in trained) == ["base", "supernet"]
    assert nas_attn.open_study(searched).run() == "2 of 2 networks are trained"
    assert {path.name: path.stat().st_mtime_ns for path in (searched / "trained").iterdir()} == trained


def test_a_network_that_inherits_begins_as_the_trained_backbone(make_study):
    folder = StudyFolder.open(make_study(study=CHAIN))
    chain = Chain.open(folder)
    protocol = chain.protocol(folder.file.steps[1])
    images = chain.data.validation.images[:8].float()
    plain, attended = (
        protocol.build(parse(spelling), seed).eval()
        for spelling, seed in (("none", 0), ("stage2.block0.branch=se(reduction=4)", 1))
    )
    assert plain(images).equal(attended(images))


def test_a_winner_that_inherits_has_attention_that_starts_as_the_identity(make_study):
    folder = make_study(study=f'final = "inherit"\n{STUDY}')
    nas_attn.open_study(folder).run()
    attended = [row for row in StudyFolder.open(folder).all_rows() if row.architecture != "none"]
    assert len(attended) == 2
    assert all("start=identity" in row.architecture for row in attended)
    assert nas_attn.open_study(folder).network("best") is not None


def test_a_network_that_was_only_evaluated_by_a_proxy_is_not_handed_out(make_study):
    folder = make_study(study=CHAIN.replace(', {proxy = "final", networks = 2, seeds = 2}', ""))
    study = nas_attn.open_study(folder)
    study.run()
    with pytest.raises(InputError, match="was judged by the step 'inherit' only"):
        study.network("best")


def test_changing_one_step_leaves_the_rows_of_the_others(searched, make_study):
    folder = make_study()
    shutil.rmtree(folder)
    shutil.copytree(searched, folder)
    (folder / "study.toml").write_text(CHAIN.replace("epochs = 1, networks = 5", "epochs = 2, networks = 5"))
    with pytest.raises(InputError, match=r"inherit: .*(\n.*)*recipe\.epochs: was 1, is 2"):
        nas_attn.open_study(folder).run()
    (folder / "study.toml").write_text(
        CHAIN.replace("epochs = 1, networks = 5", 'name = "longer", epochs = 2, networks = 5')
    )
    nas_attn.open_study(folder).run()
    assert len(rows_of(folder, "longer")) == 5
    assert len(rows_of(folder, "supernet")) == 20


LISTED = ["stage2.block0.branch=se(reduction=8)", "none"]


def listing(folder, networks):
    """A study whose chain lists its networks."""
    step = f"chain = [{{proxy = 'final', architectures = {networks}}}]"
    (folder / "study.toml").write_text(STUDY.replace('space = "space.toml"', f'space = "space.toml"\n{step}'))
    (folder / "space.toml").write_text(SPACE)
    return nas_attn.open_study(folder)


def test_a_step_that_lists_its_networks_trains_these_and_no_others(tmp_path):
    study = listing(tmp_path, LISTED)
    assert study.run(1) == "1 of 1 networks are trained"
    assert study.run() == "2 of 2 networks are trained"
    assert study.table()["architecture"].tolist() == LISTED


def test_a_listed_network_that_is_not_of_the_space_is_refused_before_training(tmp_path):
    with pytest.raises(InputError, match=r"^step 'final': architectures: stage2.block0.branch: this space does not"):
        listing(tmp_path, ["stage2.block0.branch=se(reduction=3)"]).run()
