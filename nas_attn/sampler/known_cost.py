"""Bayesian optimisation with Optuna where one objective is learnt and the costs of every candidate are known."""

import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from nas_attn.space import InputError, allowed

from .acquisition import Objectives
from .candidates import Candidates, Choices, Cost, Fits, Priced, Within
from .history import CHOSEN, History, claimed, given
from .pool import Pools
from .proposer import Proposer

_POLITE = 5  # times that a proposal is given up for one of a later trial; one of an earlier trial always counts
_ENOUGH = 3  # candidates after which a known cost may be doubted
_AGREE = 1e-3  # relative difference between a known cost and what a trial tells
_TURN = threading.Lock()  # one proposal at a time, so that the next knows of it


class KnownCostSampler(BaseSampler):
    """Sampler that proposes the candidate with the largest expected hypervolume improvement of the front.

    One objective is learnt, the first that is not in `known_costs` unless another is called the leading one. What
    `known_costs` says of the objectives that it names is exact; any further one is taken as predicted. An example::

        sampler = KnownCostSampler({"l0": ["0", "1", "2"], "l1": ["0", "1", "2"]}, {1: lambda params: flops_of(params)})
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    A space of up to 20,000 candidates is scored as a whole, a larger one through a sample and local search. What was
    evaluated, pruned or is running is not proposed again as long as there is anything else; what failed is, once, at
    last. Candidates that differ only in questions that do not come, because of other answers, are one.
    """

    def __init__(
        self,
        choices: Choices,
        known_costs: Mapping[int, Cost],
        *,
        fits: Fits | None = None,
        facts: Sequence[Cost] = (),
        leading: int | None = None,
        reference: Mapping[int, float] | None = None,
        seed: int | None = None,
    ) -> None:
        """Say what may be answered and what that costs.

        `known_costs`: by an objective's index, from answers (`params`) to its value. `fits`: which answers may be
        proposed at all. `facts`: what else is known of answers, and may help to predict what is not. `leading`: the
        index of the objective that is learnt with its uncertainty. `reference`: by an objective's index, the worst
        value that counts; without it, a little beyond the most expensive candidate, and what 98 % of the candidates
        are expected to exceed.

        Raises `InputError` for choices and costs that are none.
        """
        self._candidates = Candidates(choices)
        self._known = _by_objective("known_costs", known_costs, _is_cost, "a function from answers to a number")
        self._reference = _by_objective(
            "reference", {} if reference is None else reference, _is_finite, "a finite number"
        )
        self._facts, self._fits, self._leading = tuple(facts), fits, leading
        for fact in self._facts:
            _require("facts", fact, _is_cost(fact), "functions from answers to a number")
        may_fit = fits is None or isinstance(fits, Within) or callable(fits)
        _require("fits", fits, may_fit, "a function from answers")
        _require("leading", leading, leading is None or _is_index(leading), "an objective's index, from 0")
        self._contradicted = False
        self._rng = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)

    def reseed_rng(self) -> None:
        """Draw otherwise than copies of this sampler."""
        self._rng.bit_generator.state = np.random.default_rng().bit_generator.state
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every question with more than one answer."""
        return dict(self._candidates.distributions)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value of a parameter that is no question of this sampler's."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The answers that lead to the proposed candidate.

        Raises `InputError` where the study has no objective of an index that was named.
        """
        objectives = self._objectives(study)
        others = self._candidates.distributions.keys() - search_space.keys()
        with _TURN:
            for tries in count():
                trials = [*study.get_trials(deepcopy=False)]  # one look, so that all that follows is of one moment
                done = {one.number for one in trials if one.state.is_finished()}
                before = claimed((one for one in trials if one.number not in done), trial, self._candidates)
                history = History.of(trials, trial, self._candidates)
                self._look_at_costs(history)
                only = self._candidates.compatible(given(study, trial, others))
                code = self._proposer.propose(history, objectives, only)
                study._storage.set_trial_system_attr(trial._trial_id, CHOSEN, list(code))
                now = (one for one in study.get_trials(deepcopy=False) if one.number not in done)
                since = claimed(now, trial, self._candidates)
                taken = [n for n, claim in since.items() if claim[0] == code and before.get(n, ())[:1] != (code,)]
                if not any(tries < _POLITE or since[n][1] or n < trial.number for n in taken):
                    break
        answers = self._candidates.answers(code)
        unknown = {name: search_space[name] for name in search_space if name not in self._candidates.distributions}
        drawn = {name: self.sample_independent(study, trial, name, values) for name, values in unknown.items()}
        return {name: answers[name] for name in search_space if name in answers} | drawn

    def _look_at_costs(self, history: History) -> None:
        """Warn once where the last candidates have other values than a known cost says, every one of them."""
        if self._contradicted or len(history.evaluated) < _ENOUGH:
            return
        codes = np.array([*history.evaluated][-_ENOUGH:])
        values = np.array([each[-1] for each in history.evaluated.values()][-_ENOUGH:])
        known = self._candidates.costs([*self._known.values()], codes)
        for number, said in zip(self._known, known.T, strict=True):
            if number < values.shape[1] and not np.isclose(said, values[:, number], rtol=_AGREE).any():
                self._contradicted = True
                where = self._candidates.answers(codes[-1])
                message = (
                    f"known_costs: {number}: says {said[-1]:g} for {where}, and the trial has {values[-1, number]:g}"
                )
                warnings.warn(f"{message}; so it is for each of the last {_ENOUGH} candidates", stacklevel=2)

    @cached_property
    def _proposer(self) -> Proposer:
        costs = (*self._known.values(), *self._facts)
        return Proposer(Pools(self._candidates, costs, self._fits, self._rng), self._rng)

    def _objectives(self, study: Study) -> Objectives:
        signs = [1.0 if direction == StudyDirection.MAXIMIZE else -1.0 for direction in study.directions]
        leading = [] if self._leading is None else [self._leading]
        for what, named in (("known_costs", self._known), ("leading", leading), ("reference", self._reference)):
            for number in named:
                if not 0 <= number < len(signs):
                    raise InputError(
                        f"{what}: found objective {number}; {allowed(number, map(str, range(len(signs))))}"
                    )
        learnt = [number for number in dict.fromkeys((*leading, *range(len(signs)))) if number not in self._known]
        if not learnt:
            raise InputError(f"known_costs: names all {len(signs)} objectives; one has to be left to learn")
        if self._leading in self._known:
            raise InputError(
                f"leading: found objective {self._leading}, which known_costs names; nothing is left to learn"
            )
        return Objectives(signs, [*self._known], learnt, self._reference)


def _by_objective(what: str, named: Any, right: Callable[[Any], bool], meant: str) -> dict[int, Any]:
    _require(what, named, isinstance(named, Mapping), f"{meant} by objective, as in {{1: ...}}")
    for number, value in named.items():
        _require(what, number, _is_index(number), "an objective's index, from 0")
        _require(f"{what}: {number}", value, right(value), meant)
    return dict(named)


def _require(what: str, found: object, right: bool, meant: str) -> None:
    if not right:
        raise InputError(f"{what}: found {found!r}; allowed: {meant}")


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_cost(value: object) -> bool:
    return isinstance(value, Priced) or callable(value)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
