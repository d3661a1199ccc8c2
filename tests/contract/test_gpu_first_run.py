"""What first_run.sh compares by: other bits and missing files are found, scores apart are told, and the last table."""

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from places import ROOT

import genbench

FOLDER = ROOT / "benchmarks" / "gpu"


def _compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_compare", FOLDER / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compare = _compare()


def run(results: Path, models: str) -> Path:
    genbench.run(models=models, metrics="parzen[samples=100]", seeds=1, reference="none", results=results)
    return results


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of the same."""
    return run(tmp_path / "one", "vae[epochs=1]"), run(tmp_path / "other", "vae[epochs=1]")


def change(results: Path, edit: Any) -> None:
    (path,) = results.glob("trials/*/trial.json")
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def test_two_runs_of_the_same_have_the_same_bits(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["same", *map(str, pair)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the same bits: 5 files of 1 trials"


def test_other_bits_are_found(pair: tuple[Path, Path]) -> None:
    change(pair[1], lambda record: record["stages"]["fit"]["files"]["model.safetensors"].update(sha256="0"))
    (found,) = compare.differences(*pair)
    assert found.endswith("/model.safetensors: other bits")
    assert compare.main(["same", *map(str, pair)]) == 1


def test_other_scores_are_found(pair: tuple[Path, Path]) -> None:
    path = pair[1] / "trials.csv"
    path.write_text(path.read_text().replace(",done,", ",failed,"))
    assert [*compare.differences(*pair)] == ["trials.csv differs"]


def test_a_missing_file_and_a_missing_trial_are_found(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (model,) = pair[1].glob("trials/*/model.safetensors")
    model.unlink()
    (found,) = compare.differences(*pair)
    assert found.endswith(f"/model.safetensors: missing in {pair[1]}")
    more = run(tmp_path / "more", "vae[epochs=1],kmeans")
    missing = [line for line in compare.differences(pair[0], more) if line.startswith("kmeans")]
    assert missing
    assert all(line.endswith(f"missing in {pair[0]}") for line in missing)


def test_what_did_not_end_well_is_found_in_both(pair: tuple[Path, Path]) -> None:
    for results in pair:
        change(results, lambda record: record.update(status="failed"))
    assert [line.partition(": ")[2] for line in compare.differences(*pair)] == [
        f"{trial} is failed" for results in pair for trial in compare.records(results)
    ]


def test_nothing_is_not_the_same_as_nothing(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trials.csv").touch()
    assert compare.main(["same", str(tmp_path / "one"), str(tmp_path / "other")]) == 1


HEAD = "metric,dataset,model,kind,seed,value,stderr_examples,status,protocol_id,trial\n"


def scored(folder: Path, value: float, stderr: str = "0.1", metric: str = "fid") -> str:
    folder.mkdir()
    (folder / "trials.csv").write_text(f"{HEAD}{metric},digits,noisy,ours,0,{value!r},{stderr},done,p,t\n")
    return str(folder)


@pytest.mark.parametrize(
    ("value", "stderr", "code"),
    [(10.0, "", 0), (10.009, "", 0), (10.02, "", 1), (10.02, "0.1", 0), (10.04, "0.1", 1), (float("nan"), "0.1", 1)],
)
def test_scores_of_two_devices_agree_within_a_tolerance(value: float, stderr: str, code: int, tmp_path: Path) -> None:
    assert (
        compare.main(["devices", scored(tmp_path / "a", 10.0, stderr), scored(tmp_path / "b", value, stderr)]) == code
    )


def test_a_score_of_one_device_alone_is_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["devices", scored(tmp_path / "a", 1.0), scored(tmp_path / "b", 1.0, metric="kid")]) == 1
    assert capsys.readouterr().out.endswith("standard errors: fid noisy 0, kid noisy 0\n")


def test_microseconds_a_step_are_of_the_records(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    change(pair[0], lambda record: record["stages"]["fit"].update(seconds=0.5, details={"steps": 1000}))
    assert compare.main(["speed", str(pair[0])]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["one", "1", "500", "500"]


def test_taken_up_again_is_counted(pair: tuple[Path, Path]) -> None:
    assert compare.main(["resumed", str(pair[0])]) == 1
    change(pair[0], lambda record: record.update(attempts=3))
    assert compare.main(["resumed", str(pair[0])]) == 0


def tabled(folder: Path, rows: str, size: int = 100) -> int:
    (folder / "steps.csv").write_text(rows)
    (folder / "kit.log").write_text("much\nfailed: vae\n\n")
    (folder / "a.tar.gz").write_bytes(b"0" * size)
    return int(compare.main(["table", str(folder / "steps.csv"), str(folder / "a.tar.gz")]))


def test_the_table_says_what_became_of_each_step_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tabled(tmp_path, "machine,PASS,3\nkit,FAIL,8\n") == 1
    *_, machine, kit, archive = capsys.readouterr().out.splitlines()
    assert machine.split() == ["machine", "PASS", "3"]
    assert kit.split() == ["kit", "FAIL", "8", "failed:", "vae"]
    assert archive.endswith("a.tar.gz: 1 KiB")
    assert tabled(tmp_path, "kit,FAIL,8\nkit,PASS,9\ntable1,SKIP,0\n") == 0  # the same command went on
    assert tabled(tmp_path, "kit,PASS,9\n", size=compare.MOST + 1) == 1


def test_the_script_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["names", "model"]) == 0
    assert {"gan", "vae", "gsn"} <= set(capsys.readouterr().out.strip().split(","))
    assert subprocess.run(["bash", "-n", FOLDER / "first_run.sh"], check=False, env=dict(os.environ)).returncode == 0
