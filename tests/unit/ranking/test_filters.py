"""Boards narrowed to what is asked for: what is hidden goes on to count, and a name that is not there is an error."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from scored import METRIC, scores

from genbench.cli import main
from genbench.errors import RequestError
from genbench.output import board_documents, board_table, overview_table
from genbench.ranking import frames
from genbench.ranking.board import Board, boards
from genbench.ranking.claims import Claim
from genbench.ranking.filters import Filter
from genbench.ranking.overview import overviews
from genbench.ranking.scores import ScoreRow

CLAIM = Claim("Adversarial nets", "digits", "parzen", 4.0, ours="gan", within=1.0, differs="other images")
MODELS = {
    "gan": [1.0, 1.1, 1.2],
    "gan[lr=0.1,loss=minimax]": [2.0, 2.1, 2.2],
    "vae": [5.0, 5.1, 5.2],
    "vae[latent=5]": [5.0, 5.2, 5.4],
}


def found(*more: ScoreRow) -> list[Board]:
    rows = [row for model, values in MODELS.items() for row in scores(model, values)]
    return boards(
        [*rows, *scores("train-data", [5.0, 5.0, 5.0], role="reference", samples_are="real images"), *more], [CLAIM]
    )


def elsewhere(
    rows: Sequence[ScoreRow], protocol_id: str, metric: str = "parzen", target: str = "test"
) -> list[ScoreRow]:
    wanted = {"x": {"id": protocol_id, "target": target}}
    return [
        replace(
            row, protocol_id=protocol_id, metric=replace(METRIC, label=metric), trial=replace(row.trial, wanted=wanted)
        )
        for row in rows
    ]


def shown(board: Board) -> list[str]:
    return [row.model for row in board.rows]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["vae"], ["vae"]),
        (["gan[loss=minimax,lr=.1]", "train-data"], ["gan[lr=0.1,loss=minimax]", "train-data"]),
        (["vae[latent=5]", "vae"], ["vae[latent=5]", "vae"]),
    ],
)
def test_a_model_is_asked_for_by_its_label(asked: list[str], expected: list[str]) -> None:
    (board,) = Filter(models=asked).boards(found())
    assert shown(board) == expected


def test_a_name_that_is_no_label_stands_for_all_of_the_plugin() -> None:
    rows = [row for model in ("gan[lr=0.1]", "gan@paper", "vae") for row in scores(model, MODELS["gan"])]
    (board,) = Filter(models=["gan"]).boards(boards(rows))
    assert shown(board) == ["gan@paper", "gan[lr=0.1]"]


def test_ranks_are_among_all_and_every_caption_says_so() -> None:
    (whole,) = found()
    (board,) = Filter(models=["gan", "vae"]).boards(found())
    ranks = {row.model: (row.rank_low, row.rank_high) for row in whole.rows}
    assert {row.model: (row.rank_low, row.rank_high) for row in board.rows} == {
        model: ranks[model] for model in ("gan", "vae")
    }
    assert ranks["gan"] == (4, 4), "among two it would be 2"
    words = "Ranks are among all 4 models of these results, of which 2 are not shown."
    for tables in (
        board_table.tables([board]),
        board_documents.tables([board])[:1],
        overview_table.tables(overviews([board])),
    ):
        (table,) = tables
        assert words in table.caption
        assert not any(row.cells[0] == "vae[latent=5]" for row in table.rows)
    assert any("Holm over 6 pairs" in line for line in board_table.table(board).caption)
    assert frames.leaderboard([board])["model"].tolist() == ["vae", "gan", "Adversarial nets"]
    assert not any("not shown" in line for line in board_table.table(whole).caption)


def test_the_caution_about_real_images_stays_where_these_are_not_shown() -> None:
    (board,) = Filter(models=["vae"]).boards(found())
    assert any("vae scores at least as well as real images" in line for line in board_table.table(board).caption)


def test_published_numbers_go_with_the_models_that_they_are_about() -> None:
    assert [
        [row.model for row in b.alone] for name in ("gan", "vae") for b in Filter(models=[name]).boards(found())
    ] == [
        ["Adversarial nets"],
        [],
    ]
    assert Filter(models=["vae"]).claims([CLAIM]) == []
    assert Filter(models=["gan[lr=0.1]"], metrics=["parzen[samples=5]"]).claims([CLAIM]) == [CLAIM]
    assert Filter(datasets=["mnist"]).claims([CLAIM]) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"models": ["gan", "vea"]},
            r"no scores of model 'vea'\. Did you mean vae\? Expected some of: vae\[latent=5\], vae",
        ),
        ({"metrics": ["parzen", "fid"]}, r"no scores of metric 'fid'\. Expected some of: parzen$"),
        ({"datasets": ["mnist"]}, r"no scores of dataset 'mnist'\. Expected some of: digits$"),
        (
            {"models": ["vae"], "metrics": ["fid"], "target": "test"},
            "no scores for 'fid, vae, test' together; expected",
        ),
        ({"models": ["evil\x1b[31m"]}, r"no scores of model 'evil \[31m'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(asked: dict, message: str) -> None:
    more = elsewhere(scores("gan", [1.0, 2.0]), "p2", metric="fid") if "models" in asked and "metrics" in asked else []
    with pytest.raises(RequestError, match=message):
        Filter(**asked).boards(found(*more))


def test_each_split_has_tables_of_its_own_and_is_a_column_of_every_csv() -> None:
    tuned = elsewhere(scores("gan", [9.0, 9.1]), "p2", target="valid")
    both = found(*tuned)
    assert [board.target for board in both] == ["test", "valid"]
    titles = [table.title for table in board_table.tables(both)]
    assert titles[1] == "Parzen on digits, scored against validation images, nats, higher is better"
    assert titles[0] == "Parzen on digits, nats, higher is better"
    assert [board.target for board in Filter(target="valid").boards(both)] == ["valid"]
    frame = frames.leaderboard(both)
    assert frame.loc[frame["protocol_id"] == "p2", "target"].tolist() == ["valid"]
    assert set(frame.loc[frame["protocol_id"] == "p1", "target"]) == {"test"}
    assert set(frames.trials(tuned)["target"]) == {"valid"}


def test_splits_of_equal_words_share_no_table_either() -> None:
    tuned = elsewhere(scores("gan", [9.0, 9.1]), "p2", target="valid")
    other = [replace(row, trial=replace(row.trial, dataset={"label": "mnist", "digest": "m"})) for row in tuned]
    assert len(board_table.tables(found(*other))) == 2


def test_a_metric_that_looks_at_neither_split_stands_beside_both() -> None:
    tuned = elsewhere(scores("gan", [9.0, 9.1]), "p2", target="valid")
    neither = [
        replace(row, metric=replace(row.metric, uses_target=False)) for row in elsewhere(tuned, "p3", "fid", "valid")
    ]
    found_boards = boards([*scores("gan", [1.0, 1.1]), *tuned, *neither])
    assert [board.target for board in found_boards] == ["test", "valid", ""]
    assert [(each.target, each.heads) for each in overviews(found_boards)] == [
        ("test", ["parzen", "fid"]),
        ("valid", ["parzen", "fid"]),
    ]
    assert [b.protocol_id for b in Filter(target="test").boards(found_boards)] == ["p1", "p3"]
    assert frames.leaderboard(found_boards)["target"].isna().tolist() == [False, False, True]
    assert [each.target for each in overviews(found_boards[2:])] == [""]


def test_the_command_takes_them(toy: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["run", "--models", "toy,toy[epochs=1]", "--seeds", "2", "--reference", "none", "--metric", "brightness"]
    for target in ("test", "valid"):
        assert main([*run, "--target", target]) == 0
    capsys.readouterr()

    def out(*words: str) -> str:
        assert main(["leaderboard", *words]) == 0
        return capsys.readouterr().out

    assert out().count("brightness") >= 2
    assert out("-m", "toy", "--target", "valid", "--format", "csv").count("\n") == 2
    assert ",valid,toy,ours," in out("-m", "toy", "--target", "valid", "--format", "csv")
    assert "toy[epochs=1]" not in out("--model", "toy")
    assert main(["leaderboard", "--model", "tay"]) == 2
    assert "Did you mean toy?" in capsys.readouterr().err
    assert main(["leaderboard", "--target", "both"]) == 2
