"""One question of a user, answered by training."""

from pathlib import Path
from typing import Any

from nas_attn.chain import Watch
from nas_attn.inquiry import Reply, founding
from nas_attn.inquiry.run import OnRound, run_inquiry
from nas_attn.space import InputError

from .study import open_study


def ask(
    subject: Path | str,
    *spellings: str,
    minutes: float = 30.0,
    study: Path | str | None = None,
    jobs: int = 1,
    watch: Watch | None = None,
    on_round: OnRound = lambda _answers, _keys: None,
    **terms: Any,
) -> Reply:
    """Whether attention helps a network: what is spelt, such as `stage3.block=cbam`, from both starts.

    The subject is a study's folder; or a backbone, with `data` and, as its `terms`, what else `Terms` has. Then a study
    is made, in the folder `study` or one in the current folder that is named for the question.

    >>> nas_attn.ask("resnet8(width=2)", "stage3.block=cbam", data="digits", minutes=2).table  # doctest: +SKIP

    Raises `InputError` for what cannot be, before anything is trained, and as `Study.ask` does.
    """
    said = sorted(name for name, value in {**terms, "study": study}.items() if value is not None)
    if founding.is_study(subject):
        if said:
            raise InputError(f"{subject}: is a study, which has its own {', '.join(said)}: leave that out")
        return open_study(subject).ask(*spellings, minutes=minutes, jobs=jobs, watch=watch, on_round=on_round)
    name, wanted = str(subject), founding.terms_of(subject, terms)
    path = Path(study or founding.folder_for(name, spellings))
    made = founding.founded(founding.read_backbone(name, wanted.weights), spellings, wanted, path)
    new = founding.write_founded(made, path)
    with founding.refused_whole(path, new), open_study(path)._opened(jobs, watch) as chain:
        return run_inquiry(chain, spellings, minutes, on_round, made.wishes)
