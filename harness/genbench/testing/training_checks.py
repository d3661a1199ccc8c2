"""What every model must hold when it is trained: what it keeps, what it leaves alone, and how it can be interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from genbench.api import Model, Split, TrainingData
from genbench.errors import Interrupted, NotFitted
from genbench.numerics.parzen import PAPER_SIGMAS, choose_sigma, log_likelihoods
from genbench.registry.plugins import describe
from genbench.store.sealed import SealedFolder
from genbench.testing.fingerprint import changed, fingerprints, of_state, of_tensors
from genbench.testing.fixtures import Fixtures, KitRun, scratch
from genbench.testing.fresh_process import ask
from genbench.testing.made_images import in_steps, training_data
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.trial import sampling, state
from genbench.trial.checkpoints import Checkpoints
from genbench.trial.identity import Budget

STEPS = 3.5
"""Steps an epoch of a training that is interrupted or ended early: several, and the last one of a smaller batch."""

SAMPLES = 1000
"""Samples that the one real training is judged by."""


def check_learned_state_is_named(fixtures: Fixtures) -> None:
    """What fit learns lives in attributes ending in _, of kinds that can be stored."""
    model = fixtures.built(fixtures.home)
    before = _plain_attributes(model)
    fixtures.fit(model, _data(fixtures), fixtures.run())
    if names := changed(before, _plain_attributes(model)):
        fail(
            f"fit changed {', '.join(names)}, which is no state: it is lost when a model is stored",
            "learned state in attributes that end in _, options and what build makes left alone",
            f"Rename {_renamed(names)}; or make it in build.",
        )
    try:
        of_state(model)
    except TypeError as error:
        fail(str(error), "state that can be stored", "Keep tensors, modules, numbers and text.")


def _renamed(names: list[str]) -> str:
    return ", ".join(f"{name} to {name.strip('_')}_" for name in names)


def _plain_attributes(model: Model) -> dict[str, str]:
    """Return a digest of each attribute that is no learned state: of its values, or of how it prints."""
    found: dict[str, str] = {}
    for name, value in vars(model).items():
        if name not in state.learned(model):
            try:
                found |= fingerprints({name: value})
            except TypeError:
                found[name] = repr(value) if dataclasses.is_dataclass(value) else type(value).__qualname__
    return found


def check_fit_leaves_data(fixtures: Fixtures) -> None:
    """Training does not change the images and labels it is given."""
    data = _data(fixtures)
    before = of_tensors(data=data)
    fixtures.fit(fixtures.built(fixtures.home), data, fixtures.run())
    if names := changed(before, of_tensors(data=data)):
        fail(f"fit changed {', '.join(names)}", "data as they were", "Work on copies: x = x - mean, never x -= mean.")


def check_second_fit_forgets(fixtures: Fixtures) -> None:
    """Built and fitted a second time, a model comes to what a new one comes to."""
    used = _fitted(fixtures, fixtures.subject.make(), seed=0)
    used = _fitted(fixtures, used, seed=1)
    new = _fitted(fixtures, fixtures.subject.make(), seed=1)
    if names := changed(of_state(new), of_state(used)):
        fail(
            f"after a second build and fit, {', '.join(names)} differs from a new model's",
            "nothing left of the first fit",
            "Set every attribute that ends in _ in build, or at the beginning of fit.",
        )


def _fitted(fixtures: Fixtures, model: Model, seed: int) -> Model:
    fixtures.built(fixtures.home, seed, model)
    fixtures.fit(model, _data(fixtures, seed), fixtures.run(seed), seed)
    return model


def _data(fixtures: Fixtures, seed: int = 0) -> TrainingData:
    return fixtures.on_device(training_data(fixtures.home, seed))


def _data_of_steps(fixtures: Fixtures) -> TrainingData:
    """Return training data of several steps an epoch, at the batch size that the model asks for."""
    space = fixtures.home
    return fixtures.on_device(training_data(space, n=in_steps(space, STEPS, fixtures.batch_size(space))))


def check_new_process_samples_the_same(fixtures: Fixtures) -> None:
    """Stored, and restored in a new process, a model gives the same samples."""
    space, n = fixtures.home, 7
    here = fixtures.trained_briefly(space)
    fresh = Fixtures(fixtures.subject)  # on the CPU, where a new process samples
    with scratch() as folder:
        state.save(here, folder / "model", optimisers=False)
        files = {"model": str(folder / "model"), "drawn": str(folder / "x")}
        ask(fixtures.subject, "samples", n=n, space=dataclasses.asdict(space), **files)
        there = sampling.load_shards([folder / "x"])
    sampled = fresh.sample(here, n) if fixtures.device.type == "cpu" else fresh.sample(fresh.restored(here, space), n)
    if not torch.equal(sampled, there):
        gap = (sampled - there).abs().max().item()
        fail(
            f"samples differ by up to {gap:g} once the model is stored and restored in a new process",
            "the same bits",
            "Keep all that sample reads in attributes ending in _, or make it in build from the options.",
        )


def check_resumes_bit_for_bit(fixtures: Fixtures) -> None:
    """Interrupted within or between epochs and taken up again, training comes to the same bits as without."""
    whole, data = fixtures.built(fixtures.home), _data_of_steps(fixtures)
    run = fixtures.fit(whole, data, fixtures.run())
    steps = run.step
    if steps == 0:
        raise CheckSkipped("its fit does not use run.batches: interrupted, it is begun anew")
    for step in _cuts(run):
        resumed = _interrupted_and_resumed(fixtures, data, step)
        if names := changed(of_state(whole), of_state(resumed)):
            fail(
                f"interrupted after step {step} of {steps} and resumed, {', '.join(names)} differs",
                "the same bits as without interruption",
                "What changes while run.batches loops must live in attributes ending in _; noise must come from "
                "run.generator; what stands before a loop must come out the same when it is done again.",
            )


def _cuts(run: KitRun) -> list[int]:
    """Return the steps to interrupt after: the first, an epoch's last, one within the next, a middle one, the last."""
    first = run.ends[0] if run.ends else run.step
    return sorted({min(step, run.step) for step in (1, first, first + 2, (run.step + 1) // 2, run.step)})


def _interrupted_and_resumed(fixtures: Fixtures, data: TrainingData, step: int) -> Model:
    parts = [data.train.images, data.valid.images]
    with scratch() as folder:
        for stopped in (True, False):
            model = fixtures.built(fixtures.home)
            kept = Checkpoints(SealedFolder(folder), model, fixtures.device, every=0, data=parts)
            runs: list[KitRun] = []
            runs.append(fixtures.run(keeper=kept, stop=_stop_after(runs, step) if stopped else lambda: False))
            with contextlib.suppress(Interrupted):
                fixtures.fit(model, data, runs[0])
    return model


def _stop_after(runs: list[KitRun], step: int) -> Any:
    """Return what asks the run in a list to stop after a step."""
    return lambda: runs[0].step >= step


def check_budget(fixtures: Fixtures) -> None:
    """A budget ends training early, in whatever loop, and what was trained so far samples."""
    data = _data_of_steps(fixtures)
    for steps in (1, 2):
        model, run = fixtures.built(fixtures.home), fixtures.run(budget=Budget(steps=steps))
        with _steps_outside(run) as outside:
            _under_budget(steps, lambda: fixtures.fit(model, data, run))  # noqa: B023 - called at once
        _under_budget(steps, lambda: fixtures.sample(fixtures.evaluating(model), 2))  # noqa: B023 - called at once
        if outside:
            fail(
                f"with a budget of {steps} steps, an optimiser took {len(outside)} steps outside run.batches",
                "none: nothing else can be bounded, logged and resumed",
                "Loop over run.batches (epochs, size and order are its business), and step inside that loop.",
            )


def _under_budget(steps: int, do: Callable[[], object]) -> None:
    try:
        do()
    except Exception as error:
        fail(
            f"with a budget of {steps} steps it raised {describe(error)}",
            "a model that samples, however early training ends",
            "A loop over run.batches may end after any step, or have none: rely on no local made inside it.",
        )


@contextlib.contextmanager
def _steps_outside(run: KitRun) -> Iterator[list[object]]:
    """Yield a list that grows by one for each step of any optimiser outside the run's loops."""
    outside: list[object] = []

    def watch(optimiser: object, *_: Any) -> None:
        if not run.inside:
            outside.append(type(optimiser))

    handle = register_optimizer_step_post_hook(watch)
    try:
        yield outside
    finally:
        handle.remove()


def check_learns(fixtures: Fixtures) -> None:
    """Trained on real images, it beats its untrained self, and itself trained on noise (Parzen log-likelihood)."""
    trained = _likelihoods(fixtures, fixtures.sample(fixtures.trained, SAMPLES))
    others = {"trained on noise": _trained_on_noise(fixtures)}
    with contextlib.suppress(NotFitted):
        others["untrained"] = fixtures.sample(fixtures.evaluating(fixtures.built(fixtures.data.space)), SAMPLES)
    for how, samples in others.items():
        _expect_gain(trained, _likelihoods(fixtures, samples), how)


def _expect_gain(trained: Tensor, other: Tensor, how: str) -> None:
    """Fail unless the trained model gives validation images clearly more nats, (n,) each, paired by image."""
    gain = trained - other
    error = gain.std().item() / len(gain) ** 0.5
    if not gain.mean().item() > max(0.1, 3 * error):
        fail(
            f"trained it gives validation images {trained.mean().item():.1f} nats, {how} "
            f"{other.mean().item():.1f} (difference {gain.mean().item():.1f} ± {error:.1f})",
            "clearly more",
            "Look whether the loss falls (log.jsonl of a trial), and whether sample uses what fit learnt. Loops are "
            "cut at 600 steps each: where that is too few, give options that learn sooner.",
        )


def _trained_on_noise(fixtures: Fixtures) -> Tensor:
    """Return samples of a model that was trained briefly, on uniform noise."""
    space = fixtures.data.space
    (low, high), random = space.bounds, torch.Generator().manual_seed(0)

    def noise(like: Split[Tensor]) -> Split[Tensor]:
        labels = None if like.labels is None else like.labels[:200]
        x = torch.rand(len(like.images[:200]), *space.shape, generator=random)
        return Split((low + (high - low) * x).to(fixtures.device), labels)

    data = TrainingData(noise(fixtures.split("train")), noise(fixtures.split("valid")), space)
    model = fixtures.built(space)
    fixtures.fit(model, data, fixtures.run())
    return fixtures.sample(fixtures.evaluating(model), SAMPLES)


def _likelihoods(fixtures: Fixtures, samples: Tensor) -> Tensor:
    """Return the log density of each image of one half of validation, sigma chosen by the other, (n,)."""
    images = fixtures.split("valid").images
    half = len(images) // 2
    sigma = choose_sigma(samples, images[:half], PAPER_SIGMAS).sigma
    return log_likelihoods(samples, images[half:], [sigma])[0]


CHECKS = (
    check_learned_state_is_named,
    check_fit_leaves_data,
    check_second_fit_forgets,
    check_new_process_samples_the_same,
    check_resumes_bit_for_bit,
    check_budget,
    check_learns,
)
