"""What boards come to in words: who leads alone, who cannot be told apart, and where seeds are too few to say."""

from scored import scores

from genbench.output.conclusions import conclusions, in_words, leaders
from genbench.ranking.board import Board, boards
from genbench.ranking.overview import overviews

CLEAR = [*scores("vae", [30.0, 30.1, 30.2]), *scores("gan", [20.0, 20.1, 20.2])]
CLOSE = [*scores("vae", [30.0, 31.0, 32.0]), *scores("gan", [30.5, 31.5, 31.0])]
THREE = [*CLEAR, *scores("rbm", [30.0, 30.2, 30.1])]


def board(rows: list) -> Board:
    return boards(rows)[0]


def test_a_model_that_is_told_apart_leads_alone() -> None:
    assert conclusions(overviews([board(CLEAR)])[0]) == ["vae leads alone by 1 of 1 metric: Parzen."]
    assert in_words(board(CLEAR)) == "vae leads alone; 1 of 2 models is worse than the best."


def test_models_that_are_not_told_apart_share_the_lead() -> None:
    assert conclusions(overviews([board(CLOSE)])[0]) == [
        "gan and vae cannot be told apart at the top by 1 of 1 metric: Parzen."
    ]
    assert in_words(board(CLOSE)) == "No model is told apart from the best: gan and vae."
    assert leaders(board(THREE)) == ("rbm", "vae")
    assert in_words(board(THREE)) == "rbm and vae may each be the best; 1 of 3 models is worse than the best."


def test_one_seed_and_one_model_give_no_ranks() -> None:
    for rows in (scores("vae", [30.0]), scores("vae", [30.0, 31.0])):
        assert leaders(board(rows)) == ()
        assert in_words(board(rows)) == "No ranks: those take two models with two seeds or more."


def test_metrics_with_the_same_leaders_make_one_sentence_and_clear_ones_come_first() -> None:
    close = board(
        [*scores("vae", [30.0, 31.0, 32.0], protocol_id="p2"), *scores("gan", [30.5, 31.5, 31.0], protocol_id="p2")]
    )
    clear = board(
        [*scores("vae", [9.0, 9.1, 9.2], protocol_id="p3"), *scores("gan", [2.0, 2.1, 2.2], protocol_id="p3")]
    )
    other_way = board([*scores("vae", [3.5, 4.0], protocol_id="p4"), *scores("gan", [3.0, 4.0], protocol_id="p4")])
    assert leaders(other_way) == ("vae", "gan")
    assert conclusions(overviews([close, board(CLEAR), clear, other_way])[0]) == [
        "vae leads alone by 2 of 4 metrics: Parzen p1, Parzen p3.",
        "gan and vae cannot be told apart at the top by 2 of 4 metrics: Parzen p2, Parzen p4.",
    ]


def test_of_many_leaders_the_first_are_named() -> None:
    rows = [row for n in range(9) for row in scores(f"m{n}", [1.0, 2.0, 3.0])]
    assert "m0, m1, m2 and 6 more cannot be told apart" in conclusions(overviews([board(rows)])[0])[0]
