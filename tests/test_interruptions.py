"""A search that is stopped, however rudely, loses the running network and nothing else."""

import re
import signal
import time

import processes
import pytest
from optuna.trial import TrialState
from small_study import STUDY
from thoroughness import thorough

from nas_attn.study import StudyFolder

SLOWER = STUDY.replace("epochs = 1", "epochs = 4").replace("trials = 3", "trials = 4")


def running(folder):
    """Whether a network is being timed or trained."""
    trials = StudyFolder.open(folder).study().trials
    return trials[-1].state == TrialState.RUNNING and "architecture" in trials[-1].user_attrs


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 130, marks=thorough),
    ],
)
def test_a_stopped_search_goes_on_and_trains_nothing_twice(make_study, sent, code):
    folder = make_study(study=SLOWER)
    process = processes.start("search", "--no-check", folder)
    rows = (line.split()[1:] for line in process.stdout if re.match(r"[\d:]{8} +\d/4", line))
    first, second = next(rows), next(rows)
    assert (first[0], second[0]) == ("1/4", "2/4")
    while not running(folder):
        time.sleep(0.05)
    process.send_signal(sent)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    if code == 130:
        assert f"Interrupted; what is finished is kept. Go on with: nas-attn search {folder}" in printed

    study = StudyFolder.open(folder)
    states = [trial.state for trial in study.study().trials]
    assert states.count(TrialState.COMPLETE) == 2
    assert states.count(TrialState.RUNNING) == (1 if sent == signal.SIGKILL else 0)
    kept = study.table()
    assert list(kept.index) == [first[1], second[1]]

    resumed = processes.command("search", "--no-check", folder)
    assert "4 of 4 networks are trained" in resumed
    table = StudyFolder.open(folder).table()
    assert (table["state"] == "complete").sum() == 4
    assert table.loc[kept.index].equals(kept)
    trained = [line.split()[2] for line in resumed.splitlines() if re.match(r"[\d:]{8} +\d/4", line)]
    assert len(trained) == 2
    assert not set(trained) & set(kept.index)
    assert TrialState.RUNNING not in [trial.state for trial in StudyFolder.open(folder).study().trials]
