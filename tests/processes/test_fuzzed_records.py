"""Records mutated at random and sealed anew: whoever reads them touches nothing outside, and has an answer to all."""

import contextlib
import copy
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import genbench
from genbench import files
from genbench.cli import main
from genbench.errors import GenbenchError
from genbench.output.tables_csv import to_csv
from genbench.ranking import frames
from genbench.ranking.board import boards
from genbench.ranking.scores import collect
from genbench.runs import planning
from genbench.runs.grid import missing
from genbench.runs.planning import task
from genbench.runs.settings import RunSettings
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial import worker

GIVEN: dict[str, Any] = {"models": "toy", "metrics": "brightness,parzen[samples=100]", "reference": "none", "seeds": 1}
NAMES = [
    "../../../thesis.txt", "../../../../thesis.txt", "..", ".", "", "/", "~", "\0", "a\n", "../.bashrc", "trial.json",
    "model.safetensors", "samples", "metrics/../../x", "fit", "../other/model.safetensors", "id", "x" * 300, "\ud800",
]  # fmt: skip
NUMBERS = [0, -1, 1, 2**70, 10**400, 0.5, -0.0, 1e308, True]
VALUES = st.one_of(
    st.sampled_from([None, {}, [], [[]], {"": {}}, *NAMES, *NUMBERS]),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)),
)
MUTATION = st.tuples(
    st.integers(0, 10**6), st.sampled_from(["replace", "remove", "add", "rename"]), st.sampled_from(NAMES), VALUES
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every object or list in a value with each of its keys."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inside):
        yield value, key
        yield from places(item)


def mutate(record: Any, mutation: tuple[int, str, str, Any]) -> None:
    number, how, name, value = mutation
    found = list(places(record))
    if not found:
        return
    holder, key = found[number % len(found)]
    if how == "remove":
        del holder[key]
    elif how == "replace" or isinstance(holder, list):
        holder[key] = copy.deepcopy(value)
    elif how == "add":
        holder[name] = copy.deepcopy(value)
    else:
        holder[name] = holder.pop(key)


def sealed(record: Any, own_id: bool) -> str:
    """Return the text of a record with its checksum, and with the id that its identity gives, if asked for."""
    if own_id and "identity" in record:
        record["id"] = files.digest(record["identity"], 12)
    return json.dumps({**record, "sha256": files.digest(record)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "results"


@contextlib.contextmanager
def shared(made: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a home with a thesis in it, and in it a results folder of two trials, the one to be changed."""
    if not made.exists():
        genbench.run(**{**GIVEN, "seeds": 2}, results=made)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        shutil.copytree(made, home / "work")
        for place in (home / "thesis.txt", Path(name) / "thesis.txt", home / "work" / "trials" / ".bashrc"):
            place.write_text("mine")
        yield Path(name), next((home / "work" / "trials").glob("toy-*-s0-*"))


def outside(root: Path, trial: Path) -> dict[str, bytes | None]:
    """Return all that lies around a trial's folder."""
    paths = (path for path in root.rglob("*") if trial not in (path, *path.parents))
    return {str(path): path.read_bytes() if path.is_file() else None for path in paths}


def read(trial: Path) -> None:
    """Read a trial as tables, plans and doctor do."""
    collected = collect(Store(trial.parents[1]))
    found = boards(collected.rows)
    to_csv(frames.leaderboard(found))
    to_csv(frames.trials(collected.rows))
    planned = planning.plan(RunSettings(**GIVEN, results=trial.parents[1]))
    with contextlib.suppress(GenbenchError):
        missing(planned.grid, Store(trial.parents[1]))
    for copies in Store(trial.parents[1]).read().trials.values():
        for folder, record in copies:
            folder.damage(record, every_byte=True)


def go_on(trial: Path) -> None:
    """Do in a trial's folder what a worker does before and after it works there."""
    folder = TrialFolder(trial)
    folder.has_fit()
    folder.settle("timeout", "it took too long", "brightness")
    with folder.lock():
        record = worker._stored(folder, [])
        folder.checkpoints("key", fresh=False)
        for stage in list(record.stages) if record else ():
            assert record is not None
            record = folder.set_aside(record, stage)


def check(home: Path, trial: Path, text: str) -> None:
    (trial / "trial.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    before = outside(home, trial)
    for act in (read, go_on):
        with contextlib.suppress(GenbenchError):
            act(trial)
        assert outside(home, trial) == before


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FAST = settings(max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=CHECKS)
LONG = settings(FAST, max_examples=500)
RECORD = {"mutations": st.lists(MUTATION, min_size=1, max_size=3), "own_id": st.booleans()}


@pytest.mark.slow
@FAST
@given(**RECORD)
@example(mutations=[(0, "add", "\ud800", None)], own_id=False)
@example(mutations=[(0, "add", "../../../thesis.txt", None)], own_id=True)
def test_a_mutated_record_changes_nothing_outside(
    toy: str, made: Path, mutations: list[tuple[int, str, str, Any]], own_id: bool
) -> None:
    check_mutated(made, mutations, own_id)


@pytest.mark.slow
@LONG
@given(**RECORD)
def test_many_mutated_records_change_nothing_outside(
    toy: str, made: Path, mutations: list[tuple[int, str, str, Any]], own_id: bool
) -> None:
    check_mutated(made, mutations, own_id)


def check_mutated(made: Path, mutations: list[tuple[int, str, str, Any]], own_id: bool) -> None:
    with shared(made) as (home, trial):
        record = files.read_record(trial / "trial.json")
        for mutation in mutations:
            mutate(record, mutation)
        check(home, trial, sealed(record, own_id))


@FAST
@given(content=VALUES, cut=st.integers(0, 3000), sealing=st.booleans())
def test_a_record_that_is_none_changes_nothing_outside(
    toy: str, made: Path, content: Any, cut: int, sealing: bool
) -> None:
    with shared(made) as (home, trial):
        text = (trial / "trial.json").read_text()
        check(home, trial, sealed({"schema": 2, "x": content}, False) if sealing else text[:cut] + json.dumps(content))


@FAST
@given(mutations=st.lists(MUTATION, min_size=1, max_size=2))
def test_a_mutated_score_changes_nothing_outside(
    toy: str, made: Path, mutations: list[tuple[int, str, str, Any]]
) -> None:
    with shared(made) as (home, trial):
        path = min((trial / "metrics").glob("parzen-*.json"))
        content = files.read_record(path)
        for mutation in mutations:
            mutate(content, mutation)
        path.write_text(sealed(content, False), encoding="utf-8", errors="surrogatepass")
        record = files.read_record(trial / "trial.json")
        record["stages"][path.stem]["files"][f"metrics/{path.name}"] = files.stamp(path)
        check(home, trial, sealed(record, False))


@pytest.mark.slow
@settings(FAST, max_examples=60)
@given(**RECORD)
def test_commands_on_mutated_records_answer_and_change_nothing_outside(
    toy: str, made: Path, mutations: list[tuple[int, str, str, Any]], own_id: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with shared(made) as (home, trial):
        record = files.read_record(trial / "trial.json")
        for mutation in mutations:
            mutate(record, mutation)
        (trial / "trial.json").write_text(sealed(record, own_id))
        before = outside(home, trial)
        results = trial.parents[1]
        for line in (f"leaderboard {results}", f"doctor --verify --results {results}"):
            assert main(line.split()) in (0, 1, 2)
            assert outside(home, trial) == before
        assert main(["figures", str(results), "--kinds", "curves", "-o", str(home / "figures")]) in (0, 1, 2)
        planned = planning.plan(RunSettings(**GIVEN, results=results.parent / "elsewhere"))
        planned = replace(planned, store=Store(results))
        spec = task(planned, planned.todo[0], trial.name).spec
        assert worker.answer(spec, lambda progress: None, lambda: False)["status"] in ("done", "error", "failed")
        shutil.rmtree(home / "figures", ignore_errors=True)
        assert outside(home, trial) == before
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        assert "unexpected" not in printed.err
