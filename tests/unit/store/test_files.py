"""Files written whole or not at all."""

import os
import time
from pathlib import Path

import pytest

from genbench import files
from genbench.errors import StoreError


def test_canonical_json_does_not_depend_on_order() -> None:
    assert files.canonical({"b": 1, "a": [1.0, None, "ü"]}) == '{"a":[1.0,null,"ü"],"b":1}'
    assert files.digest({"a": 1, "b": 2}) == files.digest({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical(float("nan"))


def test_a_record_reads_back(tmp_path: Path) -> None:
    files.write_record(tmp_path / "deep" / "r.json", {"a": 1, "text": "ü\n"})
    assert files.read_record(tmp_path / "deep" / "r.json") == {"a": 1, "text": "ü\n"}
    assert os.listdir(tmp_path / "deep") == ["r.json"]


def test_every_flipped_byte_of_a_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    files.write_record(path, {"value": 12.5, "name": "gan"})
    whole = path.read_bytes()
    meaning = files.read_record(path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert files.read_record(path) == meaning  # a changed blank changes nothing
        except StoreError as error:
            assert "is damaged" in str(error)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "old")
    with pytest.raises(RuntimeError, match="midway"), files.replacing(tmp_path / "a") as aside:
        aside.write_text("half")
        raise RuntimeError("midway")
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*/file/x: .*What was stored is kept"):
        files.write_text(tmp_path / "file" / "x", "text")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": "x"}', "\x00"])
def test_foreign_content_is_no_record(content: str, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(content)
    with pytest.raises(StoreError, match="is damaged"):
        files.read_record(tmp_path / "r")


@pytest.mark.parametrize("kind", ["suites", "claims"])
def test_shipped_folders_hold_toml(kind: str) -> None:
    assert list(files.shipped(kind).glob("*.toml"))


def test_what_a_killed_writer_left_is_removed_by_a_later_write_and_nothing_else_is(tmp_path: Path) -> None:
    old, long_ago = ".a.csv.12.0123abcd", 25 * 3600
    others = (".b.csv.12.0123abcd", ".a.csv.12", ".a.csv.bak.12.0123abcd", ".a-csv.12.0123abcd", "a.csv.12.0123abcd")
    links = (".a.csv.13.0123abcd", ".a.csv.14.0123abcd", ".a.csv.15.0123abcd")
    for name in (old, *others):
        (tmp_path / name).write_text("half")
    (tmp_path / links[0]).symlink_to(tmp_path / others[0])
    (tmp_path / links[1]).mkdir()
    os.mkfifo(tmp_path / links[2])
    for name in (old, *others, *links):
        told = time.time() - long_ago
        os.utime(tmp_path / name, (told, told), follow_symlinks=False)
    with files.replacing(tmp_path / "a.csv") as aside:  # a live writer
        aside.write_text("mine")
        files.write_text(tmp_path / "a.csv", "other")
    assert (tmp_path / "a.csv").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == sorted(["a.csv", *others, *links])
