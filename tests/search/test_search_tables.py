"""A published table, as a search's evaluator and as a plain objective of Optuna."""

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import optuna
import pytest
from fakes import FACTS, FakeEvaluator, study_file

from nas_attn import load_table
from nas_attn.assembly import load_space
from nas_attn.pricing import filled
from nas_attn.results import table, write_csv
from nas_attn.search import Search
from nas_attn.space import InputError, former_key, parse
from nas_attn.study import read_rows, write_question

SEEDS = (3, 4, 5)
FOREIGN = parse("stage9.x=se")
SPACE = """
backbone = "resnet8"
slots = ["stage1", "stage2"]
position = "branch"

[kinds.se]
reduction = [4, 8]

[kinds.simam]
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(SPACE)
    return load_space(path)[1]


@pytest.fixture(scope="module")
def rows(space):
    """Every network of a small space with three seeds: what a fake evaluator knows of it."""
    fake = FakeEvaluator()
    return [
        fake.result(replace(fake.time(fake.count(architecture)), seed=seed))
        for architecture in space.architectures()
        for seed in SEEDS
    ]


def published(folder, known):
    folder.mkdir(exist_ok=True)
    write_csv(table(known), folder / "rows.csv")
    (folder / "space.toml").write_text(SPACE)
    return folder


@pytest.fixture
def small(tmp_path, rows):
    return load_table(published(tmp_path / "small", rows))


def accuracy(architecture, seed):
    """The fake evaluator's rule, said once more."""
    return 0.5 + int(former_key(parse(architecture).key), 16) % 1000 / 2500 + seed / 1000


def test_a_table_has_the_space_of_the_file_beside_its_rows(small, space):
    assert small.name == "small"
    assert small.seeds == SEEDS
    assert small.space == space
    assert small.choices["stage2"] == (
        "none",
        "stage2.block0.branch=se(reduction=4)",
        "stage2.block0.branch=se(reduction=8)",
        "stage2.block0.branch=simam",
    )


def test_the_truth_is_the_mean_over_the_seeds(small):
    assert len(small.true) == 16
    for _, row in small.true.iterrows():
        assert row["accuracy"] == pytest.approx(accuracy(row.architecture, np.mean(SEEDS)))
        assert row["accuracy_std"] == pytest.approx(0.001)


def searched(known, sampler="random", **changes):
    """Rows of a search of this table with the first of its seeds."""
    served = replace(known, rows=tuple(row.but(seed=row.seed - SEEDS[0], **changes) for row in known.rows))
    study = optuna.create_study(directions=served.directions)
    file = study_file(objectives=served.objectives, search={"sampler": sampler})
    write_question(study, {"objectives": file.objectives}, served.space, FACTS)
    networks = served.space.size
    said = Search(study, served.space, file, file.steps[0], served, lambda row, trained: None).run(networks)
    assert said == f"{networks} of {networks} networks are trained"
    return read_rows(study).values()


@pytest.mark.parametrize("sampler", ["random", "known_cost"])
def test_a_search_on_a_table_finds_the_rows_of_the_table(small, sampler):
    found = searched(small, sampler)
    assert {row.key: row["accuracy"] for row in found} == pytest.approx(
        {row.key: row["accuracy"] for row in small.rows if row.seed == SEEDS[0]}
    )
    assert {row["latency_calls"] for row in found} == {300}
    assert [row.role for row in found].count("baseline") == 3


def test_predicted_latencies_are_left_out_so_that_a_search_ends(small):
    assert all(np.isnan(row["latency_ms"]) for row in searched(small, latency_source="predicted"))


def test_prices_add_up_to_those_of_the_rows(small):
    priced = small.prices(small.space)
    answers = priced.listed()
    networks = filled(small.space, answers)
    for measure, totals in priced.totals(answers).items():
        assert [*totals] == [small.count(network)[measure] for network in networks]


def test_a_network_that_is_to_be_trained_shows_nothing_of_what_training_finds(small):
    row = small.count(parse("stage1.block0.branch=simam"))
    assert row.state == "priced"
    assert np.isnan([row["accuracy"], row["loss"], row["train_loss"], row.train_seconds]).all()


def test_a_seed_that_the_table_lacks_fails_with_the_reason(small):
    training = small.train(replace(small.count(parse("none")), seed=9))
    assert isinstance(training, Future)
    assert (training.result().state, training.result().reason) == ("failed", "the table has the seeds 3, 4, 5")


def test_a_network_that_the_table_lacks_is_refused(small):
    with pytest.raises(InputError, match=r"small: has no network stage9\.block0\.branch=simam"):
        small.count(parse("stage9.block0.branch=simam"))
    with pytest.raises(InputError, match="small: has no network with the key '0000000000'"):
        small.hypervolume_share(["0000000000"])


def test_optuna_optimises_a_table_with_one_seed_or_with_any(small):
    study = optuna.create_study(directions=small.directions, sampler=optuna.samplers.RandomSampler(0))
    study.optimize(small.objective(7), 60)
    seen = set()
    for trial in study.trials:
        spelling = small.true.loc[small.key(trial.params), "architecture"]
        differences = [trial.values[0] - accuracy(spelling, seed) for seed in SEEDS]
        seen.add(int(np.argmin(np.abs(differences))))
        assert min(map(abs, differences)) < 1e-12
        assert trial.values[1] == 10_000 + 200 * len(parse(spelling).placements)
        assert small.known_costs[1](trial.params) == trial.values[1]
    assert seen == {0, 1, 2}
    assert [*small.known_costs] == [1]
    fixed = small.objective(7, trained=5)
    for trial in study.trials[:5]:
        again = optuna.trial.FixedTrial(trial.params)
        assert fixed(again)[0] == pytest.approx(accuracy(small.true.loc[small.key(trial.params), "architecture"], 5))


def test_the_share_of_the_hypervolume_is_what_rectangles_say(small):
    true = small.true
    points = sorted({(row["flops"], row["accuracy"]) for _, row in true.iterrows()})
    most_expensive, worst = small.reference["flops"], small.reference["accuracy"]
    best_by_flops = [(flops, max(a for f, a in points if f <= flops)) for flops in sorted({f for f, _ in points})]
    front = [(f, a) for i, (f, a) in enumerate(best_by_flops) if i == 0 or a > best_by_flops[i - 1][1]]
    assert most_expensive == pytest.approx(front[-1][0] + 0.1 * (front[-1][0] - front[0][0]))
    assert worst == pytest.approx(front[0][1] - 0.1 * (front[-1][1] - front[0][1]))
    ends = [f for f, _ in front[1:]] + [most_expensive]
    whole = sum((end - f) * (a - worst) for (f, a), end in zip(front, ends, strict=True))
    plain = parse("none").key
    alone = (most_expensive - true.flops[plain]) * (true.accuracy[plain] - worst) / whole
    assert small.hypervolume_share([plain, plain]) == pytest.approx(alone)
    assert small.hypervolume_share(true.index) == 1
    assert small.hypervolume_share([]) == 0


def test_a_front_of_one_value_has_a_share_too(small):
    alone = replace(small, objectives=("accuracy",))
    accuracies = alone.true["accuracy"]
    best, plain = accuracies.idxmax(), parse("none").key
    assert alone.hypervolume_share([best]) == 1
    beyond = 0.1 * (accuracies.max() - accuracies.min())
    assert alone.reference["accuracy"] == pytest.approx(accuracies.max() - beyond)
    assert alone.hypervolume_share([plain]) == 0
    equal = replace(alone, rows=tuple(row.but(accuracy=0.5) for row in alone.rows))
    assert equal.hypervolume_share([plain]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda known: known[1:], "has no row with seed 3, which another network has"),
        (lambda known: [*known, known[0]], "found two rows of one network with one seed"),
        (lambda known: [replace(known[0], state="failed"), *known[1:]], "found the state 'failed'; allowed: complete"),
        (lambda known: [replace(row, step="scratch") for row in known], "found 0 networks; the space has 16"),
        (lambda known: known[3:], "found 15 networks; the space has 16"),
        (
            lambda known: known[3:] + [replace(one, key=FOREIGN.key, architecture=str(FOREIGN)) for one in known[:3]],
            "has no row of none, which is of the space",
        ),
    ],
)
def test_rows_that_are_not_a_whole_table_are_refused_with_the_file(tmp_path, rows, change, said):
    folder = published(tmp_path / "torn", change(rows))
    with pytest.raises(InputError, match=f"^{folder}/rows.csv: .*{said}"):
        load_table(folder)


def test_rows_without_a_space_beside_them_say_what_is_missing(tmp_path, rows):
    folder = published(tmp_path / "alone", rows)
    (folder / "space.toml").unlink()
    with pytest.raises(InputError, match=f"^{folder}/space.toml: .*the search-space file of {folder}/rows.csv there"):
        load_table(folder)


def test_a_name_that_is_no_table_lists_those_that_exist(monkeypatch, tmp_path, rows):
    published(tmp_path / "digits-table", rows)
    monkeypatch.setattr("nas_attn.launch.tables._PUBLISHED", (tmp_path / "absent", tmp_path))
    assert load_table("digits-table").seeds == SEEDS
    with pytest.raises(InputError) as error:
        load_table("digit-table")
    listed = "did you mean 'digits-table'? allowed: digits-table, or a folder that holds a rows.csv"
    assert str(error.value) == f"table: found 'digit-table'; {listed}"


def test_an_objective_that_no_row_has_is_refused(small):
    with pytest.raises(InputError, match="unheard_of"):
        replace(small, objectives=("accuracy", "unheard_of"))


def test_answers_that_lead_nowhere_are_refused(small):
    with pytest.raises(InputError, match=r"stage1: found 'gates'; .*allowed: none"):
        small.key({"stage1": "gates", "stage2": "none"})
