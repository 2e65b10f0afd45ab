import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from torch import nn
from nas_attn.settings import Digits, Recipe
from nas_attn.data import load_data
from nas_attn.training import train

def interrupt(number, frame):
    raise KeyboardInterrupt

def leave(number, frame):
    sys.exit(3)

data = load_data(Digits(), Path.cwd())

def watch(handler, epochs, on_epoch):
    signal.signal(signal.SIGTERM, handler)
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    try:
        train(network, data, Recipe(epochs=epochs, batch_size=32), 0, on_epoch)
        caught = "nothing"
    except BaseException as error:
        caught = type(error).__name__
    restored = handlers == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
    print(json.dumps([caught, restored, network.training]), flush=True)

def call(done, of):
    if done == 1:
        print("fitting", flush=True)

watch(signal.SIG_DFL, 2000, call)
watch(signal.SIG_DFL, 2000, call)
watch(interrupt, 2000, call)
watch(leave, 2000, call)
watch(signal.SIG_DFL, 1, lambda done, of: os.kill(os.getpid(), signal.SIGTERM))
watch(signal.SIG_DFL, 1, None)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What a program caught that got Ctrl-C and SIGTERM in mid-fit, one after the other."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path_factory.mktemp("program"),
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    ) as program:
        caught = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGTERM):
            assert program.stdout.readline() == "fitting\n", program.stderr.read()
            program.send_signal(number)
            caught.append(json.loads(program.stdout.readline()))
        rest, complaints = program.communicate(timeout=60)
    assert program.returncode == 0, complaints
    assert complaints == ""
    return caught + [json.loads(line) for line in rest.splitlines()]


@pytest.mark.parametrize(
    ("case", "which"),
    [
        ("Ctrl-C", 0),
        ("SIGTERM", 1),
        ("SIGTERM with a handler that interrupts", 2),
        ("SIGTERM after the last batch", 4),
    ],
)
def test_an_interrupt_in_mid_fit_is_a_keyboard_interrupt(outcomes, case, which):
    assert outcomes[which] == ["KeyboardInterrupt", True, False]


def test_who_asks_to_exit_on_sigterm_does_exit(outcomes):
    assert outcomes[3] == ["SystemExit", True, False]


def test_after_interrupts_training_goes_on_as_ever(outcomes):
    assert outcomes[5] == ["nothing", True, False]
