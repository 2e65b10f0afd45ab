"""The files for clusters name commands and options that there are."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from nas_attn.cli import app

DEPLOY = Path(__file__).parent.parent / "deploy"


def documents(name):
    return [*yaml.safe_load_all((DEPLOY / name).read_text())]


def check_command(words):
    assert words[0] == "nas-attn"
    command = get_command(app).commands[words[1]]
    options = {spelling for one in command.params for spelling in one.opts}
    assert {word for word in words if str(word).startswith("--")} <= options
    return command


def test_the_script_for_slurm_is_bash_and_searches():
    subprocess.run(["bash", "-n", DEPLOY / "slurm.sh"], check=True)
    line = re.search(r"^exec (.*)$", (DEPLOY / "slurm.sh").read_text(), re.MULTILINE)
    check_command(line[1].split())


def test_the_workers_of_kubernetes_are_equal_and_end_politely():
    job = next(one for one in documents("kubernetes.yaml") if one["kind"] == "Job")
    assert job["spec"]["parallelism"] == job["spec"]["completions"]
    pod = job["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    check_command([*worker["command"], *worker["args"]])
    assert pod["terminationGracePeriodSeconds"] >= 60
    mounted = {one["name"] for one in worker["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}


def test_no_file_has_a_password():
    for path in DEPLOY.iterdir():
        assert not re.search(r"://[^/\s\"]*:[^/\s\"@]+@", path.read_text()), path


@pytest.mark.parametrize("name", ["kubernetes.yaml", "compose.yaml"])
def test_the_service_that_workers_name_is_there(name):
    text = (DEPLOY / name).read_text()
    services = [one["metadata"]["name"] for one in documents(name) if one.get("kind") == "Service"]
    services += [*documents(name)[0].get("services", {})]
    for host in re.findall(r"postgresql://postgres@([a-z-]+)/", text):
        assert host in services
    assert services
