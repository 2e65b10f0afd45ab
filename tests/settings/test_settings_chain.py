import pytest

from nas_attn.settings import StudyFile


def steps(*chain, **said):
    return StudyFile.model_validate({"space": "s", "chain": list(chain), **said}).steps


def names(found):
    return [step.name for step in found]


def test_without_a_chain_every_network_is_trained_as_the_winner_will_be():
    (only,) = steps(search={"trials": 7})
    assert (only.name, only.proxy, only.networks, only.seeds) == ("final", "scratch", 7, 1)


def test_a_word_stands_for_a_step():
    assert names(steps("supernet", "inherit", "final")) == ["supernet", "inherit", "final"]
    assert steps("inherit") == steps({"proxy": "inherit"})


@pytest.mark.parametrize("final", ["scratch", "inherit"])
def test_a_step_that_trains_as_the_winner_will_be_is_the_final_one(final):
    assert names(steps(final, final=final)) == ["final"]
    assert names(steps({"proxy": final, "seeds": 3, "name": "last"}, final=final)) == ["final"]


def test_what_is_reduced_is_not_the_final_step():
    for reduced in ({"epochs": 1}, {"data_share": 0.5}, {"width": 0.5}, {"resolution": 0.5}, {"learning_rate": 1}):
        assert names(steps({"proxy": "scratch", **reduced})) == ["scratch"]


def test_inheriting_is_brief_where_it_is_a_proxy_and_full_where_it_is_the_truth():
    assert steps("inherit", recipe={"epochs": 10})[0].epochs == 3
    full = steps("inherit", final="inherit", recipe={"epochs": 10})[0]
    assert (full.name, full.epochs) == ("final", None)


def test_a_supernet_is_trained_as_long_as_two_backbones():
    assert steps("supernet", recipe={"epochs": 3})[0].epochs == 6
    assert steps("supernet", recipe={"epochs": 3}, base={"epochs": 20})[0].epochs == 40


def test_later_steps_look_at_a_quarter():
    assert [step.networks for step in steps("supernet", "inherit", "final")] == [2000, 500, 125]
    assert [step.networks for step in steps("inherit", "final", search={"trials": 3})] == [3, 1]
    assert [step.networks for step in steps("supernet", {"proxy": "final", "networks": 5})] == [2000, 5]


def test_a_step_changes_what_it_says_of_the_recipe_and_nothing_else():
    file = StudyFile.model_validate(
        {
            "space": "s",
            "recipe": {"epochs": 9, "momentum": 0.5},
            "chain": [{"proxy": "scratch", "epochs": 2, "learning_rate": 0.25}],
        }
    )
    recipe = file.steps[0].recipe(file.recipe)
    assert (recipe.epochs, recipe.learning_rate, recipe.momentum) == (2, 0.25, 0.5)


def test_a_step_may_list_its_networks():
    (only,) = steps({"proxy": "final", "architectures": ["none", "stage1.block0.branch=se"], "seeds": 5})
    assert (only.name, only.networks, only.seeds) == ("final", 2, 5)


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        (
            "chain = [{proxy = 'final', architectures = ['stage1 se']}]",
            "chain.0.architectures: architecture 'stage1 se': found 'stage1'; a placement is spelt SITE=KIND",
        ),
        (
            "chain = [{proxy = 'final', architectures = ['none', 'none']}]",
            "chain.0.architectures: found one network twice; each may stand there once",
        ),
        (
            "chain = [{proxy = 'final', networks = 3, architectures = ['none']}]",
            "chain.0.architectures: found networks, a number, beside it",
        ),
        (
            "chain = ['inherit', {proxy = 'final', architectures = ['none']}]",
            "chain: found architectures after another step, which finds those that go on",
        ),
        ("chain = [{proxy = 'supernet', architectures = ['none']}]", "it is of use to inherit, scratch, final only"),
        ("chain = ['supernets']", "chain.0: found 'supernets'; did you mean 'supernet'?"),
        ("chain = ['inherit', 'inherit']", "chain: found two steps that are called 'inherit'"),
        ("chain = ['inherit', 'supernet']", "chain: found a 'supernet' after another step"),
        (
            "chain = [{proxy = 'inherit', weights = 'supernet'}]",
            "chain: found weights = 'supernet' without a step 'supernet'",
        ),
        (
            "chain = [{proxy = 'inherit', width = 0.5}]",
            "chain.0.width: found 0.5 for 'inherit'; it is of use to scratch",
        ),
        ("chain = [{proxy = 'scratch', sandwich = true}]", "it is of use to supernet only"),
        ("chain = [{proxy = 'scratch', epoch = 1}]", "chain.0.epoch: unknown name; did you mean 'epochs'?"),
        ("chain = ['supernet', {proxy = 'final', chosen_by = 'sampler'}]", "2: chain.1.chosen_by: unknown name"),
        ("trainer = 3", "trainer: found 3; allowed: a table"),
    ],
)
def test_a_fault_of_the_chain_is_told_with_its_place(faults_of, chain, fault):
    assert fault in " ".join(faults_of(f"space = 's'\n{chain}"))
