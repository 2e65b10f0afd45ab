"""One network that holds every architecture of a space is, for each of them, the network that is built alone."""

import copy
import pickle
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from placing import installed, wake
from torch.optim.swa_utils import update_bn

from nas_attn.assembly import build, identity_started, load_space
from nas_attn.data import load_data
from nas_attn.evaluation import screened
from nas_attn.evaluation.supernet import build_supernet, variants
from nas_attn.settings import Digits
from nas_attn.space import Architecture, InputError, Kind, SearchSpace, Site, Slot, parse
from nas_attn.training import Normalise, recalibration, score

PLAIN = Architecture()
KINDS = """
[kinds.se]
reduction = [4, 8]
[kinds.gate]
[kinds.simam]
e_lambda = [0.0001, 0.1]
[kinds.non_local]
position = "block"
"""
NETWORKS = ["resnet8", "mobilenetv2_small_images", "vgg11", "foreign_nets:basic", "timm:resnet10t"]
IMAGES = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def space_of(folder, backbone="resnet8", kinds=KINDS):
    path = folder / "space.toml"
    path.write_text(f'backbone = "{backbone}"\nper = "stage"\n{kinds}')
    return load_space(path)[1]


def supernet_of(space, backbone="resnet8", *, seed=0, in_channels=3):
    return build_supernet(space, backbone, in_channels=in_channels, classes=10, seed=seed)


def alone(architecture, backbone="resnet8", *, seed=0, in_channels=3):
    return build(identity_started(architecture), backbone, in_channels=in_channels, classes=10, seed=seed)


def samples(space, count=4, seed=0):
    rng = random.Random(seed)
    return [*space.baselines(), *(space.sample(rng) for _ in range(count))]


@pytest.fixture(autouse=True)
def _foreign_networks(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "backbones")


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return space_of(tmp_path_factory.mktemp("space"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_data(Digits(), tmp_path_factory.getbasetemp())


@pytest.fixture
def trained(space, digits):
    """A supernet after a few iterations, each of another network."""
    net = supernet_of(space, in_channels=1)
    learn(net.train(), digits, variants(net, space, 0), iterations=12)
    return net


def learn(net, data, of_iteration, iterations, images=64):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    for iteration in range(iterations):
        optimizer.zero_grad()
        rows = slice(iteration * images % 960, iteration * images % 960 + images)
        for _ in of_iteration(iteration):
            F.cross_entropy(net(Normalise(data)(data.train.images[rows])), data.train.labels[rows]).backward()
        optimizer.step()


@pytest.mark.parametrize("backbone", NETWORKS)
def test_its_weights_for_an_architecture_make_the_network_that_is_built_alone(tmp_path, backbone):
    if backbone.startswith("timm") and not installed("timm"):
        pytest.skip("timm is not there")
    space = space_of(tmp_path, backbone)
    net = wake(supernet_of(space, backbone).eval())
    outputs = set()
    for architecture in samples(space):
        built = alone(architecture, backbone, seed=1).eval()
        built.load_state_dict(net.weights_of(architecture), strict=True)
        net.choose(architecture)
        with torch.inference_mode():
            assert torch.equal(net(IMAGES), built(IMAGES))
            outputs.add(str(net(IMAGES)[0].tolist()))
    assert len(outputs) == len({str(architecture) for architecture in samples(space)})


@pytest.mark.parametrize("backbone", NETWORKS[:4])
def test_it_begins_as_the_backbone_that_is_built_with_its_seed(tmp_path, backbone):
    net = supernet_of(space_of(tmp_path, backbone), backbone, seed=3)
    plain = alone(PLAIN, backbone, seed=3)
    weights = net.weights_of(PLAIN)
    assert weights.keys() == plain.state_dict().keys()
    assert all(torch.equal(weights[name], value) for name, value in plain.state_dict().items())
    with torch.inference_mode():
        assert torch.equal(net.eval()(IMAGES), plain.eval()(IMAGES))


def test_untrained_it_is_the_backbone_whatever_is_active(space):
    net = supernet_of(space).eval()
    with torch.inference_mode():
        plain = net(IMAGES)
        for architecture in samples(space):
            net.choose(architecture)
            assert torch.equal(net(IMAGES), plain)


def test_initial_weights_of_an_attention_depend_on_seed_site_and_spelling_alone(tmp_path, space):
    small = space_of(tmp_path, kinds="[kinds.se]\nreduction = [8, 4]\n")
    se = parse("stage2.block0.branch=se(reduction=8)")
    one, other = (supernet_of(each).weights_of(se) for each in (space, small))
    assert all(torch.equal(one[name], other[name]) for name in one)

    def drawn(text, seed=0):
        weights = supernet_of(space, seed=seed).weights_of(parse(text))
        return next(value for name, value in weights.items() if name.endswith("attention.squeeze.weight"))

    text = "stage2.block0.branch=se(reduction=8)"
    assert torch.equal(drawn(text), drawn(text))
    assert not torch.equal(drawn(text), drawn(text, seed=1))
    assert not torch.equal(drawn(text), drawn(text.replace("8", "4"))[:4])


def test_attentions_that_differ_in_how_they_start_are_one(tmp_path):
    space = space_of(tmp_path, kinds='[kinds.se]\nreduction = 4\nstart = ["paper", "identity"]\n')
    net = supernet_of(space)
    assert sum(name.endswith("gamma") for name, _ in net.named_parameters()) == 3
    paper, identity = (
        net.weights_of(parse(f"stage1.block0.branch=se(reduction=4,start={start})")) for start in ("paper", "identity")
    )
    assert paper.keys() == identity.keys()
    assert all(paper[name].data_ptr() == identity[name].data_ptr() for name in paper)


def test_the_global_random_state_is_left_as_it_was(space):
    before = torch.get_rng_state()
    supernet_of(space)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage1.block9.branch=se(reduction=4)", "stage1.block9.branch: the supernet has no such site; did you mean"),
        ("stage1.block0.branch=se(reduction=2)", r"stage1.block0.branch: .* no se\(reduction=2,start=identity\) here"),
        (
            "stage1.block0.branch=eca",
            r"stage1.block0.branch: the supernet has no eca\(start=identity\) here; .*allowed",
        ),
    ],
)
def test_what_it_does_not_hold_is_reported_and_it_stays_what_it_was(space, text, message):
    net = wake(supernet_of(space).eval())
    net.choose(space.baselines()[1])
    with torch.inference_mode():
        before = net(IMAGES)
        for refuse in (net.choose, net.weights_of):
            with pytest.raises(InputError, match=message):
                refuse(parse(text))
        assert torch.equal(net(IMAGES), before)


def test_a_site_that_the_backbone_does_not_have_is_reported():
    site = Site("stage9.block0.branch", "stage9", "stage9.block0", "branch", 16)
    space = SearchSpace((Slot("stage9", (site,), (Kind("se", (("reduction", (4,)),)),)),))
    with pytest.raises(InputError, match=r"stage9\.block0\.branch: resnet8 has no such site; did you mean"):
        supernet_of(space)


def test_what_is_not_active_does_not_move(space, digits):
    net = supernet_of(space, in_channels=1).train()
    first, second = (parse(f"stage1.block0.branch={kind}") for kind in ("se(reduction=4)", "gate"))

    def always(architecture):
        return variants(net, SearchSpace(()), 0, sandwich=(architecture,))

    learn(net, digits, always(first), iterations=3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    learn(net, digits, always(second), iterations=3)
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    attention = {name.partition("_attention.")[2].partition(".")[0] for name in moved if "_attention." in name}
    assert attention == {"gate(start=identity)"}
    assert any("_attention." not in name for name in moved)


def test_what_an_iteration_trains_depends_on_seed_and_iteration_alone(space):
    net = supernet_of(space)

    def trained_in(iteration, seed):
        next(variants(net, space, seed)(iteration))
        return [alternatives.active for alternatives in net.places.values()]

    forward = [trained_in(iteration, 0) for iteration in range(20)]
    assert forward == [trained_in(iteration, 0) for iteration in reversed(range(20))][::-1]
    assert forward != [trained_in(iteration, 1) for iteration in range(20)]


def test_each_answer_is_trained_as_often_as_any_other(space):
    net = supernet_of(space)
    of_iteration = variants(net, space, 0)
    iterations = 2000
    active = Counter(
        net.places["stage1.block0.branch"].active for iteration in range(iterations) for _ in of_iteration(iteration)
    )
    # none, se, gate (in the branch), simam (inner) and non_local (after the block) a fifth each; of se each half
    share = {key: count / iterations for key, count in active.items()}
    for key, expected in {
        "se(reduction=4,start=identity)": 0.1,
        "se(reduction=8,start=identity)": 0.1,
        "gate(start=identity)": 0.2,
        None: 0.6,
    }.items():
        assert share[key] == pytest.approx(expected, abs=5 * (expected * (1 - expected) / iterations) ** 0.5)


def test_a_sandwich_is_trained_in_each_iteration_beside_what_is_drawn(space):
    net = supernet_of(space)
    full = space.baselines()[1]
    plain, filled = variants(net, space, 0), variants(net, space, 0, sandwich=(PLAIN, full))

    def state():
        return tuple(alternatives.active for alternatives in net.places.values())

    def chosen(architecture):
        net.choose(architecture)
        return state()

    for iteration in range(5):
        drawn = [state() for _ in plain(iteration)]
        assert [state() for _ in filled(iteration)] == [chosen(PLAIN), chosen(full), *drawn]


def test_only_what_is_affordable_is_drawn(space):
    net = supernet_of(space)
    of_iteration = variants(net, space, 0, affordable=lambda architecture: len(architecture.placements) < 2)
    for iteration in range(50):
        for _ in of_iteration(iteration):
            assert sum(alternatives.active is not None for alternatives in net.places.values()) < 2
    nothing = variants(net, space, 0, affordable=lambda architecture: False)
    with pytest.raises(InputError, match="none of 10,000 networks drawn from the space fits the budget"):
        next(iter(nothing(0)))


@pytest.mark.parametrize("backbone", ["resnet8", "foreign_nets:basic"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_as_good_and_chooses_for_itself(tmp_path, backbone, copied):
    space = space_of(tmp_path, backbone)
    net = wake(supernet_of(space, backbone).eval())
    se, gate = space.baselines()[1:3]
    net.choose(se)
    other = copied(net)
    with torch.inference_mode():
        of_se = net(IMAGES)
        assert torch.equal(other(IMAGES), of_se)
        other.choose(gate)
        of_gate = other(IMAGES)
        assert torch.equal(net(IMAGES), of_se)
        assert not torch.equal(of_gate, of_se)
        net.choose(gate)
        assert torch.equal(net(IMAGES), of_gate)


def test_channels_may_stand_last_in_memory(space):
    net = wake(supernet_of(space).eval())
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)
    for architecture in samples(space):
        net.choose(architecture)
        last.choose(architecture)
        with torch.inference_mode():
            found = last(IMAGES.contiguous(memory_format=torch.channels_last))
            torch.testing.assert_close(found, net(IMAGES), rtol=1e-4, atol=1e-5)


def test_the_weights_for_an_architecture_are_not_copied(space):
    net = supernet_of(space)
    own = {value.data_ptr() for value in net.state_dict().values()}
    assert {value.data_ptr() for value in net.weights_of(space.baselines()[1]).values()} <= own


def screen(net, data, architectures, **how):
    how = {"images": 128, "batch_size": 64, "seed": 5, "device": torch.device("cpu")} | how
    return list(screened(net, recalibration(net, data, **how), architectures))


def test_a_screened_network_does_as_it_does_alone_with_renewed_statistics(space, digits, trained):
    rows = torch.randperm(len(digits.train), generator=torch.Generator().manual_seed(5))[:128]
    batches = [Normalise(digits)(digits.train.images[part]) for part in rows.split(64)]
    architectures = samples(space)
    for architecture, found in zip(architectures, screen(trained, digits, architectures), strict=True):
        net = alone(architecture, in_channels=1)
        net.load_state_dict(trained.weights_of(architecture))
        with torch.no_grad():
            losses = [
                F.cross_entropy(net.train()(images), digits.train.labels[part]).item()
                for images, part in zip(batches, rows.split(64), strict=True)
            ]
        update_bn(batches, net)
        accuracy, loss = score(net, digits.validation, digits, 64).values()
        assert found.validation["accuracy"] == pytest.approx(accuracy)
        assert found.validation["loss"] == pytest.approx(loss, rel=1e-4)
        assert found.train_loss == pytest.approx(sum(losses) / 2, rel=1e-4)


def test_what_is_found_depends_neither_on_the_order_nor_on_the_run(space, digits, trained):
    architectures = samples(space)
    found = screen(trained, digits, architectures)
    assert screen(trained, digits, architectures) == found
    assert screen(trained, digits, architectures[::-1])[::-1] == found
    assert len({each.validation["loss"] for each in found}) > len(found) // 2
    assert screen(trained, digits, architectures, seed=6) != found


def test_screening_leaves_the_weights_and_statistics_as_they_were(space, digits, trained):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    screen(trained, digits, samples(space))
    scoring = recalibration(trained, digits, images=128, batch_size=64, seed=0, device=torch.device("cpu"))
    broken_off = screened(trained, scoring, samples(space))
    next(broken_off)
    broken_off.close()
    after = trained.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    learn(trained.train(), digits, variants(trained, space, 0), iterations=1)


def test_screening_needs_no_batch_normalisation(tmp_path, digits):
    kinds = "[kinds.se]\nreduction = 4\n[kinds.spatial]\n"
    space = space_of(tmp_path, "foreign_nets:chunks", kinds)
    net = wake(supernet_of(space, "foreign_nets:chunks", in_channels=1).eval())
    for architecture, found in zip(samples(space), screen(net, digits, samples(space)), strict=True):
        built = alone(architecture, "foreign_nets:chunks", in_channels=1)
        built.load_state_dict(net.weights_of(architecture))
        assert found.validation == pytest.approx(score(built, digits.validation, digits, 64))


@pytest.mark.parametrize("backbone", ["resnet8", "foreign_nets:basic"])
def test_it_begins_with_the_trained_weights_that_its_backbone_names(tmp_path, backbone):
    trained = alone(PLAIN, backbone, seed=7).eval()
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    net = supernet_of(space_of(tmp_path, backbone), {"name": backbone, "weights": str(tmp_path / "trained.pt")}).eval()
    net.choose(space_of(tmp_path, backbone).baselines()[1])
    with torch.inference_mode():
        assert torch.equal(net(IMAGES), trained(IMAGES))


def test_an_architecture_starts_as_the_identity_whatever_it_said():
    said = parse("stage1.block0.branch=se(reduction=4,start=paper) stage2.block0.branch=gate")
    started = "stage1.block0.branch=se(reduction=4,start=identity) stage2.block0.branch=gate(start=identity)"
    assert identity_started(said) == parse(started) == identity_started(identity_started(said))
