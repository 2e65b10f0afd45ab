"""Trained networks of a study, with the facts for their files."""

from typing import Any

from torch import nn

from nas_attn.assembly import build, read_space
from nas_attn.drawing import Drawing
from nas_attn.evaluation import data_question, read_weights, weights_file
from nas_attn.export import Final, Winner
from nas_attn.results import Evaluation, across_seeds
from nas_attn.retraining import Retrained, read_retrained
from nas_attn.retraining.run import retrained_network, retrained_weights
from nas_attn.settings import FINAL, MEASURES, Backbone, ImageFacts
from nas_attn.space import Architecture, InputError, parse, without_secrets
from nas_attn.study import StudyFolder, check_images, read_outline
from nas_attn.tasks import Task, open_own_task, open_task, own_backbone


def picked(folder: StudyFolder, which: str | None, trained: bool | None) -> tuple[Evaluation, Retrained | None]:
    """The network that is meant, and what is known of it where it was trained for good.

    Without a choice it is the last that was trained for good, else the knee. With `trained` False that training is
    passed over, with True it has to be there. Raises `InputError` where there is no such network.
    """
    found = None if trained is False else read_retrained(folder)
    if found is not None and which is None:
        return folder.pick(found.pick), found
    row = folder.pick(which or "knee")
    if found is not None:
        found = read_retrained(folder, row.key) if row.key == found.pick or row.key in found.earlier else None
    if trained and found is None:
        raise InputError(
            f"{row.key}: was not trained for good; `nas-attn train {folder.path} --pick {row.key}` does so"
        )
    return row, found


def winner_of(folder: StudyFolder, row: Evaluation, found: Retrained | None) -> Winner:
    """A network with its trained weights, which the test part judges now where it has not judged them before."""
    study, file = folder.study(), folder.file
    task = open_task(file, folder.path)
    facts = task.facts
    check_images(study, {"data": data_question(file)}, facts, task.fingerprint())
    said: dict[str, Any] = {
        **without_secrets(file.model_dump(mode="json", exclude={"search": {"storage"}})),
        "latency_prediction": folder.prediction(),
    }
    backbone = _backbone(folder, task, facts)
    if found is None:
        _, whole = trained_network(folder, row, facts)
        tested, images = task.test(whole, file.recipe.batch_size, file.trainer)
        own = next(one for one in folder.seed_rows(row.step) if (one.key, one.seed) == (row.key, row.seed))
        known: dict[str, Any] = {"row": row, "own": own, "tested": tested, "test_images": images}
    else:
        place = retrained_weights(folder.path)
        folder.artifacts.fetch(weights_file(place, found.chosen.key, found.chosen.seed))
        whole = retrained_network(place, task, backbone, found.chosen)
        known = _of_retrained(found)
    network = task.network(whole)
    return Winner(
        network=network,
        whole=None if network is whole else whole,
        backbone=backbone,
        facts=facts,
        study=said,
        source=file.data,
        drawing=Drawing(read_outline(study), parse(row.architecture)).svg,
        **known,
    )


def _of_retrained(found: Retrained) -> dict[str, Any]:
    """What the card says of a network that was trained for good."""
    own = {} if found.own is None else found.own.measures
    tested = {name: value for name, value in own.items() if MEASURES[name].source == "learnt"}
    return {
        "row": next(iter(across_seeds(one for one in found.rows if one.key == found.pick))),
        "own": found.chosen,
        "tested": tested,
        "test_images": found.test_images,
        "final": Final(
            networks=[(found.word(one), one) for one in found.networks],
            gains=found.sentences(),
            chosen_by=found.ranked.word,
        ),
    }


def trained_network(folder: StudyFolder, row: Evaluation, facts: ImageFacts) -> tuple[Task | None, nn.Module]:
    """The task, if it is of the user's own, and what it has trained in the search.

    Raises `InputError` where it was not trained as the winner is, or its weights are missing or are not those that were
    trained.
    """
    if row.step != FINAL:
        raise InputError(
            f"{row.key}: was judged by the step {row.step!r} only, whose networks are not kept; end the chain of "
            f"the study with {FINAL!r}"
        )
    architecture, task = parse(row.architecture), open_own_task(folder.file, folder.path, facts.image)
    backbone = _backbone(folder, task, facts).untrained
    if task is None:
        channels, classes = facts.in_channels, len(facts.class_names)
        network = build(architecture, backbone, in_channels=channels, classes=classes, seed=row.seed)
    else:
        network = task.build(architecture, backbone, row.seed)
    file = weights_file(folder.path / "weights", row.key, row.seed)
    folder.artifacts.fetch(file)
    return task, read_weights(network, file, row.weights_sha256)


def another(folder: StudyFolder, row: Evaluation) -> str:
    """Where a network is the plain backbone, how to get the best of the front that is not; else nothing."""
    if row.architecture != str(Architecture()):
        return ""
    one, best, front = folder.file.leading, folder.pick("best"), folder.front().best
    attended = front[front["architecture"] != row.architecture]
    said = f"{row.key} is the plain backbone, without attention"
    if attended.empty:
        return f"{said}, and so is all of the front; --pick KEY takes any other"
    first = attended.iloc[0]
    which = "best" if best.key == first.name else first.name
    return f"{said}; --pick {which} takes {first['architecture']}, {one.word} {one.spell(float(first[one.name]))}"


def _backbone(folder: StudyFolder, task: Task | None, facts: ImageFacts) -> Backbone:
    own = None if task is None else own_backbone(task)
    return read_space(folder.path / folder.file.space, own, facts.image).backbone
