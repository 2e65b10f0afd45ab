"""Proofs of exported files, for tests: each forked from a process that has loaded torch alone, and so begins at once.

As `-I` has it, that process sees neither the current folder nor PYTHONPATH.
"""

import pickle
import subprocess
import sys
from functools import cache

_SERVER = """
import contextlib, importlib, os, pickle, sys, tempfile, traceback
import torch, torch.export
for name in ("torch._export.serde.serialize", "torch.export.pt2_archive"):  # what a program loads, by version
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

while True:
    try:
        code, arguments, given = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    files = [tempfile.TemporaryFile() for _ in range(3)]
    files[0].write(given)
    files[0].seek(0)
    child = os.fork()
    if not child:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = open(0)
        sys.argv = ["-c", *arguments]
        ended = 1
        try:
            exec(code, {"__name__": "__main__"})
            ended = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended)  # at once: to clear torch away takes a second
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for file in files:
        file.seek(0)
    pickle.dump([code, *(file.read() for file in files[1:])], sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


def fork_proofs(patch):
    """Prove exports so."""
    patch.setattr("nas_attn.export.standalone.proof.subprocess", sys.modules[__name__])


@cache
def _server():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-I", "-c", _SERVER], **pipes)


def run(command, **settings):
    """As `subprocess.run` of `python -I -c CODE ...`, with all output captured."""
    *python, code = command[:4]
    assert python == [sys.executable, "-I", "-c"]
    server = _server()
    pickle.dump((code, command[4:], settings.get("input", b"")), server.stdin)
    server.stdin.flush()
    return subprocess.CompletedProcess(command, *pickle.load(server.stdout))
