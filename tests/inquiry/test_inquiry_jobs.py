"""A question on which two processes train is answered from the rows that one process finds."""

from small_study import reproducible

import nas_attn
from nas_attn.chain import Chain
from nas_attn.results import evaluation
from nas_attn.study import StudyFolder


def test_two_jobs_train_what_one_trains(tmp_path, forked_workers):
    how = {"data": "digits", "epochs": 1, "minutes": 0.05, "jobs": 2, "study": tmp_path / "study"}
    reply = nas_attn.ask("resnet8(width=4)", "stage3.block=se", **how)
    folder = StudyFolder.open(reply.folder)
    rows = folder.full_rows()
    both = [*rows, *folder.width_matched()]
    assert reply.trained == len(both) == len({(row.key, row.seed) for row in both}) >= 2
    protocol = Chain.open(folder).protocol(folder.file.steps[-1])
    known = ("key", "architecture", "step", "role", "seed", "params", "macs", "flops")
    alone = [protocol.train(evaluation(**{name: row[name] for name in known})) for row in rows]
    assert reproducible(alone) == reproducible(rows)
