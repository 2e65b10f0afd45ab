"""A question answered by training, with a trainer that stands in for training: what is true is planted."""

import json
import math
import random
import re
import signal
import sys
import time
from dataclasses import replace

import processes
import pytest
from made_up import evaluation
from made_up_inquiry import PLAIN, WANTED, WIDE, Made

import nas_attn
from nas_attn import cli
from nas_attn.attention import ATTENTIONS, IdentityStart
from nas_attn.cost import LatencyReading
from nas_attn.inquiry import explained
from nas_attn.inquiry.comparing import STUCK
from nas_attn.results import Latency
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder
from nas_attn.training import Score

NETWORK, CBAM = "resnet8(width=4)", "stage3.block=cbam"
COSTLY = "stage1.block=non_local(start=paper)"
NOISE = 0.005
GAINS = {("cbam", "identity"): 12.0, ("cbam", "paper"): -12.0, ("se", "paper"): 12.0, ("non_local", "paper"): 12.0}
"""In standard deviations of the noise, by kind and start."""
TRAINED = []
WIDER = {"gain": 0.0}
"""What a wider plain network gains, in the same."""


def planted(network):
    """What the network gains, by what stands in it."""
    modules = dict(network.named_modules())
    starts = {id(one.attention) for one in modules.values() if isinstance(one, IdentityStart)}
    for kind, attention in ATTENTIONS.items():
        for one in modules.values():
            if isinstance(one, attention):
                return GAINS.get((kind, "identity" if id(one) in starts else "paper"), 0.0)
    return 0.0


def trained(network, data, recipe, seed, on_epoch=None, **_):
    """Stands in for training: a planted gain, and noise."""
    size = sum(parameter.numel() for parameter in network.parameters())
    TRAINED.append((size, seed))
    if WIDER.get("stops_at") == len(TRAINED):
        raise KeyboardInterrupt
    wide = WIDER["gain"] if network_width(network) > 4 else 0.0
    on_epoch(1, 1)
    accuracy = 0.6 + NOISE * (planted(network) + wide + random.Random(f"{size} {seed}").gauss(0, 1))
    return Score({"accuracy": accuracy, "loss": 1 - accuracy}, 1 - accuracy, 1.0)


def network_width(network):
    return next(parameter.shape[0] for parameter in network.parameters())


def timed(network, image, target, device, reference=None):
    latency_ms = sum(parameter.numel() for parameter in network.parameters()) / 1e5
    return LatencyReading(latency_ms, 0.99 * latency_ms, 1.01 * latency_ms, 0.1, 300, "a processor")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("nas_attn.tasks.of_images.train", trained)
    monkeypatch.setattr("nas_attn.evaluation.timing.measure_latency", timed)
    TRAINED.clear()
    WIDER.clear()
    WIDER["gain"] = 0.0


def ask(folder, *spellings, network=NETWORK, **how):
    return nas_attn.ask(network, *spellings, study=folder, **{"minutes": 1.0, "data": "digits", "epochs": 1, **how})


def findings(reply):
    return {(one.candidate.spelling, one.candidate.start): one.finding for one in reply.answers}


@pytest.fixture(scope="module")
def replied(tmp_path_factory):
    """The reply to one question; no test may change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_attn.tasks.of_images.train", trained)
        patch.setattr("nas_attn.evaluation.timing.measure_latency", timed)
        TRAINED.clear()
        WIDER["gain"] = 0.0
        return ask(tmp_path_factory.mktemp("replied") / "study", CBAM)


def test_a_planted_gain_helps_and_a_planted_harm_does_not(replied):
    assert findings(replied) == {(CBAM, "paper"): "does not help", (CBAM, "identity"): "helps"}
    assert replied.answers[0].gain.negative
    assert all(one.widths[0].gain.value == pytest.approx(one.gain.value, abs=NOISE) for one in replied.answers)


def test_prices_are_those_of_the_rows(replied):
    rows = {row.key: row for row in StudyFolder.open(replied.folder).full_rows()}
    table = replied.table
    for one in replied.answers:
        row, plain = rows[one.candidate.key], rows[parse("none").key]
        for name in ("flops", "params", "latency_ms"):
            assert table.loc[one.candidate.key, name] == row[name]
            assert table.loc[one.candidate.key, f"plain_{name}"] == plain[name]


def test_seeds_are_paired(replied):
    folder = StudyFolder.open(replied.folder)
    seeds = {}
    for row in (*folder.full_rows(), *folder.width_matched()):
        seeds.setdefault(row.key, set()).add(row.seed)
    assert all(some <= seeds[parse("none").key] for some in seeds.values())
    assert replied.trained == sum(map(len, seeds.values()))


def test_all_commands_work_on_the_study_that_was_made(replied):
    study = nas_attn.open_study(replied.folder)
    assert {one.candidate.key for one in replied.answers} < set(study.table().index)
    assert len(study.front())
    assert study.verdict(train=False).conclusion.comparison.plain is not None


def test_the_page_loads_nothing_and_says_what_the_screen_says(replied):
    page = replied.page.read_text()
    assert not re.search(r"(src|href)=", page.partition("</style>")[2].partition("<script")[0])
    for text in ("helps", "does not help", replied.network, "seed noise", *(word for word in ("paper start", "why"))):
        assert text in page
    assert json.loads((replied.folder / "ask.json").read_text()) == replied.as_dict()


def test_several_spellings_share_baselines_and_correction(tmp_path, replied):
    reply = ask(tmp_path / "study", CBAM, "stage2=se(start=paper)", "stage1=se(start=paper)")
    found = findings(reply)
    assert found[CBAM, "identity"] == found["stage2=se(start=paper)", "paper"] == "helps"
    assert reply.found.comparisons == 8
    widths = {row.key for row in StudyFolder.open(reply.folder).width_matched()}
    assert widths == {row.key for row in StudyFolder.open(replied.folder).width_matched()}


def test_a_gain_that_width_gives_too_is_no_more_than_width(tmp_path):
    WIDER["gain"] = 60.0
    assert findings(ask(tmp_path / "study", COSTLY)) == {(COSTLY, "paper"): "helps no more than width"}


def test_what_is_stopped_goes_on_and_trains_nothing_twice(monkeypatch, capsys, tmp_path, replied):
    WIDER["stops_at"] = 7
    options = ("--data", "digits", "--epochs", 1, "--study", tmp_path / "study")
    code, _, said = shown(monkeypatch, capsys, NETWORK, CBAM, *options)
    assert (code, said.splitlines()[-1].strip()) == (
        130,
        "Interrupted; what is finished is kept. The same command goes on.",
    )
    WIDER.pop("stops_at")
    stopped = TRAINED.pop()
    reply = ask(tmp_path / "study", CBAM)
    assert stopped in TRAINED
    assert len(TRAINED) == len(set(TRAINED))
    assert [(one.finding, one.gain) for one in reply.answers] == [(one.finding, one.gain) for one in replied.answers]
    TRAINED.clear()
    again = ask(tmp_path / "study", CBAM)
    assert (TRAINED, again.trained, findings(again)) == ([], 0, findings(replied))


def slowly():
    """What stands in for training in a process of its own, and leaves time to kill it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(
        "nas_attn.tasks.of_images.train", lambda *some, **others: (time.sleep(0.5), trained(*some, **others))[1]
    )
    patch.setattr("nas_attn.evaluation.timing.measure_latency", timed)


def test_what_is_killed_goes_on_with_the_same_command(tmp_path, replied):
    options = ("--data", "digits", "--epochs", 1, "--minutes", 1, "--study", tmp_path / "study")
    process = processes.start("ask", NETWORK, CBAM, *options, before=slowly)
    while not process.stderr.readline().startswith("seed 1"):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    folder = StudyFolder.open(tmp_path / "study")
    kept = len(folder.full_rows()) + len(folder.width_matched())
    assert kept >= 5
    reply = ask(tmp_path / "study", CBAM)
    assert reply.trained == replied.trained - kept
    assert [(one.finding, one.gain) for one in reply.answers] == [(one.finding, one.gain) for one in replied.answers]


def test_no_training_begins_that_would_end_after_the_time(tmp_path):
    reply = ask(tmp_path / "study", "stage3.block=eca(start=paper)", minutes=0.001)
    (one,) = reply.answers
    assert (one.finding, one.open, reply.trained <= 2) == ("not known yet", True, True)
    assert "the time is over" in str(reply)


def test_what_is_not_known_says_how_much_time_would_tell(tmp_path):
    folder = tmp_path / "study"
    rounds = []

    def stop(found, keys):
        rounds.append(found)
        if len(rounds) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(folder, "stage1.block=eca(start=paper)", on_round=stop)
    (one,) = rounds[-1].answers
    assert one.finding == "not known yet"
    assert one.more >= 1
    assert 0 < one.minutes < 5


def test_a_network_without_a_width_has_no_such_baseline_and_that_is_said(tmp_path):
    (tmp_path / "nets.py").write_text(
        "from nas_attn.backbones.resnet import CifarResNet\n"
        "from torch import nn\n\n"
        "def make(in_channels, classes):\n"
        "    layers = [nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]\n"
        "    more = [nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]\n"
        "    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)]\n"
        "    return nn.Sequential(*layers, *more, *head)\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        reply = ask(tmp_path / "study", "everywhere=se(start=paper)", network="nets:make", minutes=0.2)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("nets", None)
    (one,) = reply.answers
    assert (one.finding, one.widths) == ("helps", ())
    assert "nets:make takes no `width`" in str(reply)


def test_a_question_to_a_study_is_answered_in_its_terms(make_study):
    folder = make_study()
    reply = nas_attn.ask(folder, "stage2=se", minutes=0.5)
    (one,) = reply.answers
    assert one.candidate.architecture == parse("stage2.block0.branch=se(reduction=4)")
    assert one.finding == "helps"
    with pytest.raises(InputError, match=r"stage2=cbam: stage2: found 'cbam'; allowed: se, spatial"):
        nas_attn.ask(folder, "stage2=cbam")
    with pytest.raises(InputError, match="which has its own data: leave that out"):
        nas_attn.ask(folder, "stage2=se", data="digits")


def test_what_is_refused_before_training_leaves_no_folder(tmp_path):
    for spelling in ("stage3=se(reduction=0)", "stage3=nowhere"):
        with pytest.raises(InputError) as refused:
            ask(tmp_path / "study", spelling)
        assert "space.toml" not in str(refused.value)
    with pytest.raises(InputError, match="minutes: found 0; allowed: more than 0"):
        ask(tmp_path / "study", "stage3=se", minutes=0.0)
    assert [path.name for path in tmp_path.iterdir()] == []


def shown(monkeypatch, capsys, *arguments):
    """Exit code, what was printed, and what was said on the error stream."""
    monkeypatch.setattr(sys, "argv", ["nas-attn", "ask", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_shows_one_screen_or_json_and_nothing_else(monkeypatch, capsys, tmp_path):
    options = ("--data", "digits", "--epochs", 1, "--minutes", 1, "--study", tmp_path / "study")
    code, screen, said = shown(monkeypatch, capsys, NETWORK, CBAM, *options)
    assert code == 0
    assert len(screen.splitlines()) <= 24
    assert f"{CBAM}, identity start: helps" in screen.splitlines()
    assert "seed 0" in said
    code, text, said = shown(monkeypatch, capsys, NETWORK, CBAM, *options, "--json")
    found = json.loads(text)
    assert (code, said) == (0, "")
    assert [(one["start"], one["finding"]) for one in found["answers"]] == [
        ("paper", "does not help"),
        ("identity", "helps"),
    ]
    assert (found["trainings"], found["study"]) == (0, str(tmp_path / "study"))
    assert found["answers"][1]["gain_low"] > 0


def screens(replied):
    """Screens of every finding, and of every reason why there is none."""
    yield replied.found
    yield Made(0).answers()
    for gains, wide, most in (((0.0, 0.0), 0.0, 1), ((0.1, 1.0), 0.0, 4), ((-9.0, 9.0), 0.0, 9), ((9.0, 9.0), 90.0, 9)):
        yield (made := Made(3, gains, wide)).run(most)
        yield replace(made.answers(), matching="It is compared with no width-matched baseline.")
    made.rows = [replace(row, latency=Latency()) for row in made.rows if row.key != WIDE]
    yield made.answers()
    made.rows = [row for row in made.rows if row.key == PLAIN]
    for state, reason in (("failed", ""), ("over_budget", "")):
        made.rows.append(evaluation(str(WANTED[0].architecture), state=state, reason=reason))
        yield made.answers()
    one = replied.answers[1]
    for more, minutes in ((1.0, 1.0), (9.0, 30.0), (90.0, 300.0), (math.inf, math.inf)):
        still = replace(one, finding="not known yet", more=more, minutes=minutes)
        yield replace(replied.found, answers=(still,))
    dearer = replace(one, widths=(replace(one.widths[0], baselines=("width=2",), cheaper=True, price="latency_ms"),))
    yield replace(replied.found, answers=(dearer, replace(dearer, reason=STUCK)))
    yield replace(replied.found, answers=replied.answers * 3)


def test_every_word_of_a_screen_is_explained(monkeypatch, capsys, replied):
    code, text, _ = shown(monkeypatch, capsys, "--explain")
    assert (code, text.strip()) == (0, explained())
    known, seen = set(re.findall(r"[a-z]+", text.lower())), set()
    for found in screens(replied):
        reply = replace(replied, found=found)
        own = [*(one.candidate.spelling for one in reply.answers), str(reply.page)]
        own += [found.plain.latency.device] if found.plain else []
        screen = "\n".join(str(reply).splitlines()[1:])
        for name in filter(None, own):
            screen = screen.replace(name, " ")
        seen |= set(re.findall(r"[a-z]+", screen.lower()))
    assert seen - known == set()
    assert len(seen) > 90


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs a network or a study"),
        ((NETWORK,), "needs a network or a study"),
        ((NETWORK, CBAM), "needs data: a folder that holds a folder of images for each class"),
        ((NETWORK, "stage9=se", "--data", "digits"), "stage9: resnet8 has no such place"),
        ((NETWORK, CBAM, "--data", "nowhere"), "data: found 'nowhere'; allowed: digits, planted, a folder"),
        (("resnet9", CBAM, "--data", "digits"), "unknown backbone 'resnet9'; did you mean 'resnet"),
    ],
)
def test_slips_are_refused_in_a_line(monkeypatch, capsys, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, _, told = shown(monkeypatch, capsys, *arguments)
    assert code == 2
    assert said in told
    assert "Traceback" not in told
    assert [*tmp_path.iterdir()] == []
