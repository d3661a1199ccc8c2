"""The Toronto faces: the original file read and every other refused, and folds brought together in one row."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from scored import scores

import genbench
from genbench.cli import main
from genbench.data.cache import prepare
from genbench.data.folders import data_folder
from genbench.errors import DataError
from genbench.output.captions import caption
from genbench.ranking import claims, frames
from genbench.ranking.board import Board, boards
from genbench.ranking.scores import ScoreRow
from genbench.ranking.verdicts import verdicts
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.store.store import Store
from genbench.testing import check
from genbench.trial.protocol import Protocol
from genbench_plugins.datasets.tfd import TFD

UNLABELLED, LABELLED = 60, 50


def contents() -> dict[str, Any]:
    """Return small images in the form of the original file, each labelled one tested in exactly one fold."""
    n = UNLABELLED + LABELLED
    folds = np.zeros((n, 5), np.uint8)
    for fold in range(5):
        folds[UNLABELLED:, fold] = np.roll([3] * 10 + [2] * 5 + [1] * 35, 10 * fold)
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48), np.uint8)
    labels = np.where(np.arange(n) < UNLABELLED, -1, 1)[:, None]
    return {"images": images, "folds": folds, "labs_ex": labels, "labs_id": labels}


def lay(**changed: Any) -> Path:
    """Write the file into the data folder; a part changed to None is left out."""
    path = data_folder() / "TFD" / "TFD_48x48.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {name: part for name, part in {**contents(), **changed}.items() if part is not None})
    return path


# The file


@pytest.mark.parametrize("fold", [0, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float64", "int16"])
def test_the_file_is_read_in_its_order(fold: int, dtype: str) -> None:
    lay(images=contents()["images"].astype(dtype))
    prepared = prepare(TFD(fold=fold), {"name": "tfd", "options": {"fold": fold}}, fresh=True)
    assert prepared.sizes == {"train": 60, "valid": 5, "test": 10}
    assert prepared.space == genbench.Space((1, 48, 48), None)
    images, codes = contents()["images"] / np.float32(255), contents()["folds"][:, fold]
    for split, code in (("train", 0), ("valid", 2), ("test", 3)):
        np.testing.assert_array_equal(prepared.split(split).images[:, 0].numpy(), images[codes == code])


def test_the_training_images_are_the_same_in_every_fold() -> None:
    lay()
    loaded = [TFD(fold=fold).load(data_folder()) for fold in range(5)]
    for other in loaded[1:]:
        np.testing.assert_array_equal(other.train.images, loaded[0].train.images)
    tested = np.concatenate([part.test.images for part in loaded])
    assert len({image.tobytes() for image in tested}) == LABELLED


def test_with_labelled_images_each_fold_has_its_own_to_train_on() -> None:
    lay()
    images, folds = contents()["images"], contents()["folds"]
    for fold in (0, 3):
        train = TFD(fold=fold, labelled=True).load(data_folder()).train.images[:, 0]
        np.testing.assert_array_equal(train, images[(folds[:, fold] == 0) | (folds[:, fold] == 1)])


def test_it_holds_what_the_kit_asks() -> None:
    lay()
    verdict = check("tfd[fold=2]")
    assert verdict.ok, verdict.failures


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"images": None}, "it has no images"),
        ({"folds": None}, "it has no folds"),
        ({"images": np.zeros((110, 2304), np.uint8)}, r"images have shape \(110, 2304\), not \(n, 48, 48\)"),
        ({"images": np.zeros((48, 48, 110), np.uint8)}, r"images have shape \(48, 48, 110\), not \(n, 48, 48\)"),
        ({"images": np.zeros((110, 96, 96), np.uint8)}, r"images have shape \(110, 96, 96\), not \(n, 48, 48\)"),
        ({"images": contents()["images"] / 255}, "images are float64 and not all whole numbers from 0 to 255"),
        ({"images": contents()["images"].astype("int16") - 1}, "images are int16 and not all whole numbers"),
        ({"images": np.full((110, 48, 48), np.nan)}, "images are float64 and not all whole numbers"),
        ({"images": np.full((110, 48, 48), 1j)}, "images are complex128 and not all whole numbers"),
        ({"folds": contents()["folds"].T}, r"folds have shape \(5, 110\), not \(110, 5\)"),
        ({"folds": contents()["folds"][:-1]}, r"folds have shape \(109, 5\), not \(110, 5\)"),
        ({"folds": contents()["folds"] + 1}, "folds hold other numbers than 0"),
        ({"folds": contents()["folds"] * 0}, "fold 1 has no images for valid and test"),
    ],
)
def test_another_form_is_refused_in_words(changed: dict[str, Any], why: str) -> None:
    lay(**changed)
    with pytest.raises(DataError, match=f"^tfd: '.*TFD_48x48.mat' is not the authors' TFD_48x48.mat: {why}"):
        TFD(fold=1).load(data_folder())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    lay().write_bytes(content)
    with pytest.raises(DataError, match=r"is not the authors' TFD_48x48.mat: it cannot be read \(\w+: "):
        TFD().load(data_folder())


def test_a_truncated_file_is_refused() -> None:
    path = lay()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="is not the authors' TFD_48x48.mat: it cannot be read"):
        TFD().load(data_folder())


def test_without_the_file_it_says_whom_to_ask_and_where_to_put_it() -> None:
    where = re.escape(str(data_folder() / "TFD" / "TFD_48x48.mat"))
    with pytest.raises(DataError, match=f"^tfd: no file '{where}'. .* ask its authors .* and put it there$"):
        TFD().load(data_folder())
    assert TFD().fingerprint(data_folder()) == ""


def test_a_changed_file_is_prepared_anew_and_another_may_be_named() -> None:
    path = lay()
    first = TFD().fingerprint(data_folder())
    assert first == TFD(fold=1).fingerprint(data_folder()) != ""
    path.rename(data_folder() / "faces.mat")
    assert TFD().fingerprint(data_folder()) == ""
    assert TFD(file="faces.mat").fingerprint(data_folder()) not in ("", first)
    lay(images=contents()["images"][::-1])
    assert TFD().fingerprint(data_folder()) != first


# Folds in one row


def fold_rows(model: str, values: list[list[float | str]], folds: int = 5, **row: Any) -> list[ScoreRow]:
    """Return the rows of a model by fold and seed."""
    made = []
    for fold, of_seeds in enumerate(values):
        dataset = {"label": f"tfd[fold={fold}]", "digest": f"d{fold}", "options": {"fold": fold}}
        for score in scores(model, of_seeds, protocol_id=f"p{fold}", **row):
            record = replace(score.trial, dataset={**dataset, "traits": {"folds": folds}})
            made.append(replace(score, trial=record))
    return made


def only(rows: list[ScoreRow], **more: Any) -> Board:
    (board,) = boards(rows, **more)
    return board


VALUES: list[list[float | str]] = [[1.0, 2.0, 3.5], [5.0, 4.0, 4.5], [9.0, 9.5, 8.0], [2.0, 2.5, 2.0], [7.0, 7.0, 6.5]]


def test_folds_make_one_row_with_their_error() -> None:
    board = only(fold_rows("a", VALUES))
    (row,) = board.rows
    assert (board.dataset, board.folds, board.protocol) == ("tfd", 5, "in words; mean over 5 folds")
    assert (row.seeds_done, row.seeds_planned, row.statuses) == (3, 3, {})
    table = np.array(VALUES, float)  # (folds, seeds)
    assert row.summary is not None
    assert row.summary.mean == pytest.approx(table.mean())
    assert row.values == pytest.approx(table.mean(0).tolist())
    assert row.summary.sd == pytest.approx(table.mean(0).std(ddof=1))
    assert row.stderr == pytest.approx(table.mean(1).std(ddof=1) / 5**0.5)
    record = frames.leaderboard([board]).to_dict("records")[0]
    assert (record["error_over"], record["stderr"], record["dataset"]) == ("folds", row.stderr, "tfd")
    assert record["sd"] == row.summary.sd
    assert "±: standard error over 5 folds of scores averaged over training seeds." in caption(board)


def test_the_error_of_one_seed_is_that_of_the_five_scores() -> None:
    (row,) = only(fold_rows("a", [[value] for value in (1.0, 2.0, 4.0, 8.0, 16.0)])).rows
    assert row.stderr == pytest.approx(stdev([1, 2, 4, 8, 16]) / 5**0.5)
    assert (row.rank_low, row.summary and row.summary.sd) == (None, None)


def test_models_are_ranked_over_seeds_not_over_folds() -> None:
    """Folds differ far more than models do, and in the same way for all: over seeds the models are told apart."""
    better = [[value + 0.5 for value in fold if isinstance(value, float)] for fold in VALUES]
    board = only(fold_rows("a", VALUES) + fold_rows("b", [[v + 9 for v in fold] for fold in better]))
    assert [(row.model, row.rank_low, row.rank_high) for row in board.rows] == [("b", 1, 1), ("a", 2, 2)]


def test_a_seed_that_lacks_a_fold_is_counted_and_not_averaged() -> None:
    values = [list(fold) for fold in VALUES]
    values[3][1] = "failed"
    (row,) = only(fold_rows("a", values)).rows
    assert (row.seeds_done, row.seeds_planned, row.statuses) == (2, 3, {"failed": 1})
    assert row.values == pytest.approx([fmean(f[seed] for f in VALUES) for seed in (0, 2)])
    assert row.reasons == ["s1 on tfd[fold=3] failed: it failed"]
    assert only(fold_rows("a", values), planned=lambda row: 4).rows[0].statuses == {"failed": 1, "interrupted": 5}


def test_a_model_without_any_whole_seed_has_no_mean() -> None:
    (first, second) = only(fold_rows("a", VALUES) + fold_rows("b", [[1.0]])).rows
    assert (first.model, second.model, second.summary, second.stderr) == ("a", "b", None, None)
    assert second.statuses == {"interrupted": 4}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: [replace(row, protocol=f"{row.protocol} {row.protocol_id == 'p2'}") for row in rows],
        lambda rows: [
            replace(row, metric=replace(row.metric, options={"at": row.protocol_id == "p2"})) for row in rows
        ],
        lambda rows: [*rows, replace(rows[0], protocol_id="p9")],
    ],
    ids=["one lacks", "another target", "another metric", "one in two versions"],
)
def test_folds_stay_apart_where_they_are_not_one_protocol(change: Callable[[list[ScoreRow]], list[ScoreRow]]) -> None:
    rows = change(fold_rows("a", [[1.0], [2.0], [3.0], [4.0], [5.0]]))
    assert all(board.folds == 1 and re.fullmatch(r"tfd\[fold=\d\]", board.dataset) for board in boards(rows))


@pytest.mark.parametrize("traits", [None, 7, {"folds": "5"}, {"folds": 10**9}, {"folds": -1}, {"folds": True}])
def test_records_that_tell_nonsense_of_folds_have_none(traits: Any) -> None:
    rows = fold_rows("a", [[1.0]])
    odd = [replace(row, trial=replace(row.trial, dataset={**row.trial.dataset, "traits": traits})) for row in rows]
    assert [board.folds for board in boards(odd)] == [1]


def test_the_papers_row_is_held_against_five_folds_of_any_digest() -> None:
    resolver = Resolver(load_registry())
    metric = resolver.resolve("metric", "parzen@paper")
    rows = [
        replace(row, metric=replace(row.metric, label="parzen@paper"),
                protocol_id=Protocol(metric, row.trial.dataset["digest"]).id)
        for row in fold_rows("gan@paper-tfd", [[2050.0, 2060.0, 2061.0]] * 5)
    ]  # fmt: skip
    published = claims.load(["goodfellow2014"], resolver)
    board = only(rows, claims=published)
    assert [row.model for row in board.rows] == ["gan@paper-tfd", "Adversarial nets"]
    found = {v.claim.model: v.outcome for v in verdicts([board], published) if v.claim.dataset == "tfd"}
    assert found == {
        "Adversarial nets": "reproduced",
        "DBN": "not run",
        "Stacked CAE": "not run",
        "Deep GSN": "not run",
    }
    first = [v for v in verdicts(boards(rows[:3]), published) if v.claim.dataset == "tfd"]
    assert {v.why for v in first} == {"on tfd[fold=0], not on tfd"}


def test_a_record_whose_dataset_cannot_be_named_has_no_folds() -> None:
    (row,) = fold_rows("a", [[1.0]])
    odd = replace(row, trial=replace(row.trial, dataset={**row.trial.dataset, "label": "tfd[fold="}))
    assert [board.dataset for board in boards([odd])] == ["tfd[fold="]


# The whole way


@pytest.mark.slow
def test_five_folds_are_one_generator_and_one_row(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lay()
    datasets = [f"tfd[fold={fold}]" for fold in range(5)]
    arguments = {"models": "toy", "metrics": "brightness,parzen", "reference": "none", "seeds": 2}
    one = genbench.run(datasets=datasets[0], **arguments)  # type: ignore[arg-type]
    assert [board.dataset for board in one.boards] == ["tfd[fold=0]"] * 2
    report = genbench.run(datasets=datasets, **arguments)  # type: ignore[arg-type]
    assert [(board.dataset, board.folds) for board in report.boards] == [("tfd", 5)] * 2
    assert report.failed == 0
    rows = list(csv.DictReader(Path("results/leaderboard.csv").read_text().splitlines()))
    assert [(row["dataset"], row["error_over"], row["seeds_done"]) for row in rows] == [("tfd", "folds", "2")] * 2
    assert len(genbench.load_results().trials) == 20
    digests = {(record.seed, record.stages["samples"].digest) for _, record in Store(Path("results")).all()}  # type: ignore[union-attr]
    assert len(digests) == 2, "a seed's samples are the same in every fold"
    assert main(["leaderboard", "--dataset", "tfd", "--format", "markdown"]) == 0
    assert "±: standard error over folds" in capsys.readouterr().out
