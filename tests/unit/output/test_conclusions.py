"""What boards come to in words: who leads alone, who may be the best, and where seeds are too few to say."""

from scored import scores

from genbench.output.conclusions import conclusions, in_words, leaders
from genbench.ranking.board import Board, boards
from genbench.ranking.overview import overviews

CLEAR = [*scores("vae", [30.0, 30.1, 30.2]), *scores("gan", [20.0, 20.1, 20.2])]
CLOSE = [*scores("vae", [30.0, 31.0, 32.0]), *scores("gan", [30.5, 31.5, 31.0])]
THREE = [*CLEAR, *scores("rbm", [30.0, 30.2, 30.1])]
BETWEEN = [*scores("sure", [9.0, 9.1, 9.05]), *scores("wide", [2.0, 8.0, 5.0]), *scores("low", [1.0, 1.1, 1.05])]
UNRANKED = "No ranks: those take two models with two seeds or more"


def board(rows: list) -> Board:
    return boards(rows)[0]


def said(*rows: list) -> list[str]:
    return conclusions(overviews([board(each) for each in rows])[0])


def test_a_model_that_is_told_apart_leads_alone() -> None:
    assert said(CLEAR) == [
        "vae leads alone by 1 of 1 metric: Parzen.",
        "Worse than another model, of 1 metric: gan by 1.",
    ]
    assert in_words(board(CLEAR)) == "vae leads alone; 1 of 2 models is worse than another."


def test_models_that_are_not_told_apart_may_each_be_the_best() -> None:
    assert said(CLOSE) == ["gan and vae may be the best by 1 of 1 metric: Parzen."]
    assert in_words(board(CLOSE)) == "Any model, gan and vae, may be the best."
    assert leaders(board(THREE)) == ("rbm", "vae")
    assert in_words(board(THREE)) == "rbm and vae may be the best; 1 of 3 models is worse than another."


def test_a_model_whose_rank_may_be_another_does_not_lead_alone() -> None:
    found = board(BETWEEN)
    assert [(row.model, row.rank_low, row.rank_high) for row in found.ranked] == [
        ("sure", 1, 2), ("wide", 1, 3), ("low", 2, 3),
    ]  # fmt: skip
    assert said(BETWEEN)[0] == "sure and wide may be the best by 1 of 1 metric: Parzen."


def test_one_seed_and_one_model_give_no_ranks() -> None:
    for rows in (scores("vae", [30.0]), scores("vae", [30.0, 31.0])):
        assert leaders(board(rows)) == ()
        assert in_words(board(rows)) == f"{UNRANKED}."
        assert said(rows) == [f"{UNRANKED} (by 1 of 1 metric: Parzen)."]


def test_metrics_with_the_same_leaders_make_one_sentence_and_clear_ones_come_first() -> None:
    close = [*scores("vae", [30.0, 31.0, 32.0], protocol_id="p2"), *scores("gan", [30.5, 31.5, 31.0], protocol_id="p2")]
    clear = [*scores("vae", [9.0, 9.1, 9.2], protocol_id="p3"), *scores("gan", [2.0, 2.1, 2.2], protocol_id="p3")]
    other_way = [*scores("vae", [3.5, 4.0], protocol_id="p4"), *scores("gan", [3.0, 4.0], protocol_id="p4")]
    assert leaders(board(other_way)) == ("vae", "gan")
    assert said(close, CLEAR, clear, other_way) == [
        "vae leads alone by 2 of 4 metrics: Parzen p1, Parzen p3.",
        "gan and vae may be the best by 2 of 4 metrics: Parzen p2, Parzen p4.",
        "Worse than another model, of 4 metrics: gan by 2.",
    ]


def test_of_many_leaders_the_number_is_given() -> None:
    rows = [row for n in range(9) for row in scores(f"m{n}", [1.0, 2.0, 3.0])]
    assert said(rows) == ["More than 4 models may be the best by 1 of 1 metric: Parzen (9 of 9)."]
    assert in_words(board(rows)) == "Any model, m0, m1, m2 and 6 more, may be the best."
