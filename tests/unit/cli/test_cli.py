"""The command line: what it prints, what it refuses, and how light it starts."""

import contextlib
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS

from genbench.cli import main
from genbench.cli.command_list import COMMANDS
from genbench.store.progress_file import PROGRESS

HEAVY = ("torch", "numpy", "pandas", "scipy", "torchvision", "sklearn", "pydantic", "torch_fidelity", "matplotlib")


@pytest.fixture
def cli(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    "line", ["--help", "--version", "", "list", "plugins", *(f"{name} --help" for name in COMMANDS), "data path"]
)
def test_light_commands_import_nothing_heavy(line: str) -> None:
    code = (
        "import sys; from genbench.cli import main\n"
        f"code = main({line.split()!r}); print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.stdout


def test_help_names_every_command_and_its_summary(cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    for name, summary in COMMANDS.items():
        assert re.search(rf"{name}\s+{re.escape(summary.split()[0])}", out)


def test_the_main_job_prints_the_ranked_table(cli) -> None:
    code, out, err = cli("run --models toy,toy@long --metric brightness --reference none")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Brightness on digits, share of white, lower is better"
    assert lines[1].split() == [
        "rank",
        "model",
        "mean",
        "±",
        "se",
        "95%",
        "interval",
        "seeds",
        "train",
        "samples",
        "are",
    ]
    assert {line.split()[1] for line in lines[3:5]} == {"toy", "toy@long"}
    assert "±: standard error over training seeds; interval: t, 2 df." in out
    assert "Ranks: Welch, Holm over 1 pair, alpha .05; 3 seeds can show gaps above 2.3 sd." in out
    assert re.search(r"Protocol brightness [0-9a-f]{8}: samples 500\.", out)
    assert re.search(r"6 done in .*results/leaderboard.csv \(2 rows\), results/trials/ \(6 trials\)", out)
    assert max(map(len, lines)) <= 80
    assert "digits, 8x8 grey: 1,000 train, 297 valid, 500 test" in err
    assert "6 trials: toy, toy@long x seeds 0 1 2; 0 in the store" in err
    assert "6/6" in err


@pytest.mark.parametrize("columns", ["40", "60", "80", "140"])
def test_tables_fit_the_terminal(columns: str, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = cli("run --models toy,toy@long --metric brightness --reference none --seeds 2 --quiet")
    table = out[: out.index("±: standard")].splitlines()[1:-1]
    assert code == 0
    assert max(map(len, table)) <= int(columns)
    assert ("parameters" in out) == (columns == "140")


def test_spellings_of_options_are_the_same(cli) -> None:
    cli("run --models toy --metrics brightness --datasets digits --seeds 0,1 --reference none")
    code, _, err = cli("run --model toy --metric brightness --dataset digits --seeds 2 --reference none")
    assert code == 0
    assert "2 in the store" in err
    assert "1 in the store" in cli("run --model toy --metric brightness --seed 1 --reference none")[2]


def test_several_datasets_stand_side_by_side(cli, tmp_path: Path) -> None:
    import numpy as np

    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    np.savez("own.npz", x_train=x, y_train=np.arange(40) % 2, x_test=x[:9] + 1, y_test=np.arange(9) % 2)
    code, out, _ = cli("run --models toy --metric brightness --dataset digits,npz:own.npz --reference none --seeds 2")
    assert code == 0
    assert re.search(r"model\s+digits \(rank\)\s+npz:own.npz \(rank\)", out)
    assert out.count("Protocol brightness") == 2


def test_a_failed_trial_is_exit_code_one_and_a_footnote(cli) -> None:
    code, out, err = cli("run --models toy,faulty[fault=raises] --metric brightness --reference none --seeds 2")
    assert code == 1
    assert "! faulty[fault=raises] s0 failed: ValueError: no luck today [31m" in out
    assert re.search(r"- +faulty\[fault=raises\] +failed", out)
    assert "\x1b" not in out + err
    assert "Traceback" not in out + err


def test_dry_run_writes_nothing(cli) -> None:
    code, out, _ = cli("run --models toy --metric brightness --seeds 2 --reference none --dry-run")
    assert code == 0
    assert [line.split()[0:2] for line in out.splitlines()] == [["to", "do"], ["to", "do"]]
    assert not Path("results").exists()


def test_set_and_samples_reach_the_plugins(cli) -> None:
    _, out, _ = cli("run -m toy --metric brightness --seeds 2 --set toy.epochs=1 --samples 100 --reference none")
    assert "toy[epochs=1]" in out
    assert "samples 100" in out


def test_leaderboard_prints_and_exports(cli) -> None:
    cli("run --models toy,toy@long --metric brightness,parzen --reference none --seeds 2")
    code, out, _ = cli("leaderboard --metric brightness")
    assert code == 0
    assert out.startswith("Brightness on digits")
    assert "Parzen" not in out
    rows = list(csv.DictReader(cli("leaderboard --format csv")[1].splitlines()))
    assert [(row["metric"], row["seeds_done"]) for row in rows] == [("brightness", "2")] * 2 + [("parzen", "2")] * 2
    assert len(json.loads(cli("leaderboard --format json")[1])) == 4
    assert cli("leaderboard --format markdown --metric parzen")[1].count("|") > 10
    assert cli("leaderboard --format latex -o table.tex")[1] == ""
    assert r"\begin{tabular}" in Path("table.tex").read_text()


def test_list_show_plugins_doctor_data(cli) -> None:
    assert {"gan", "vae", "toy", "parzen", "digits", "quick"} <= set(cli("list")[1].split())
    assert "Shifted noise around the mean image (genbench-toy)" in cli("list models")[1]
    shown = cli("show toy")[1]
    for expected in ("Uniform noise mixed", "lr", "float > 0", "toy@long: epochs=5", "samples are draws", "version 1"):
        assert expected in shown
    assert "(changes no result)" in shown
    assert cli("show quick")[1].startswith("title = ")
    assert re.search(r"toy +genbench-toy 1.0 +ok", cli("plugins")[1])
    code, out, _ = cli("doctor")
    assert code == 0
    assert "suites and claims" in out
    assert "digest 6a8d787822a86325" in cli("data prepare digits")[1]
    assert cli("data verify digits")[1].startswith("verified: digits, 8x8 grey")
    assert (Path(cli("data path digits")[1].strip()) / "manifest.json").exists()


WRONG = [
    ("rn", "unknown command 'rn'. Did you mean run?"),
    ("run", "no model given; expected --models NAME or a suite"),
    ("run --modles toy", "--models"),
    ("run --models", "requires an argument"),
    ("run --models toy --seeds x", "--seeds 'x': expected a count"),
    ("run --models toy --seeds 0", "--seeds is 0"),
    ("run --models toy --seed -1", "-1"),
    ("run --models toy --seed 1 --seeds 2", "--seeds and --seed are both given"),
    ("run --models toy --seeds 0,0", "seed 0 is given twice"),
    ("run --models Toy", "malformed name 'Toy'"),
    ("run --models toy[", "unbalanced brackets"),
    ("run --models toy[lr=-1]", "option lr is -1; expected float > 0"),
    ("run --models toy[lr=nan]", 'option lr is "nan"; expected float > 0'),
    ("run --models toy[lr=1e999]", 'option lr is "1e999"; expected float > 0'),
    ("run --models toy[epochs=true]", "option epochs is true; expected int"),
    ("run --models toy[epochs=1.5]", "option epochs is 1.5; expected int"),
    ("run --models toy[noise=pink]", "option noise is pink; expected uniform or gaussian"),
    ("run --models toy[nois=uniform]", "Did you mean noise?"),
    ("run --models toy@longer", "Did you mean long?"),
    ("run --models tooy", "Did you mean toy?"),
    ("run --models missing-class", "of genbench-toy is broken"),
    ("run --models not-a-model", "is a subclass of genbench.Metric, not of genbench.Model"),
    ("run --models plain-class", "is no dataclass"),
    ("run --models toy --metric parzn", "Did you mean parzen?"),
    ("run --models toy --metric parzen@papr", "Did you mean paper?"),
    ("run --models toy --metric parzen[samples=0]", "option samples is 0"),
    ("run --models toy --dataset digit", "Did you mean digits?"),
    ("run --models toy --dataset npz", "npz needs a path: as in npz:PATH"),
    ("run --models toy --dataset npz:", "nothing after ':'"),
    ("run --models toy --dataset npz:no.npz", "no.npz"),
    ("run --models toy --dataset folder:no", "no"),
    ("run --models toy --set toy", "--set 'toy': expected NAME.OPTION=VALUE"),
    ("run --models toy --set toy.lr", "expected NAME.OPTION=VALUE"),
    ("run --models toy --set toy.lr=0", "option lr is 0"),
    ("run --models toy --set gan.lr=1", "not in this run"),
    ("run --models toy --samples 0", "0"),
    ("run --models toy --samples many", "many"),
    ("run --models toy --target train", "train"),
    ("run --models toy --budget fast", "--budget 'fast'"),
    ("run --models toy --device cuda:7", "Use --device cpu or auto"),
    ("run --models toy --device gpu", "expected auto, cpu, cuda or cuda:N"),
    ("run --models toy --threads 0", "0"),
    ("run --models toy --engine warp", "unknown engine 'warp'"),
    ("run --models toy --reference gausian", "Did you mean gaussian?"),
    ("run --models toy --against goodfellow2015", "Did you mean goodfellow2014?"),
    ("run quik", "Did you mean quick?"),
    ("run no.toml", "cannot read no.toml"),
    ("run quick paper-table1", "expected one suite at most"),
    ("list modles", "unknown kind 'modles'. Did you mean models?"),
    ("show vea", "Did you mean vae?"),
    ("show", "Missing argument"),
    ("leaderboard", "no results in results"),
    ("leaderboard nowhere", "no results in nowhere"),
    ("leaderboard --format pdf", "pdf"),
    ("data prepare", "Missing argument"),
    ("data prepare digit", "Did you mean digits?"),
    ("data verify mnist", "mnist"),
    ("data forget digits", "forget"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_use_is_one_line_and_exit_code_two(line: str, message: str, cli) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert err.startswith("genbench: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert os.listdir() == []


def test_debug_shows_the_traceback(cli) -> None:
    from genbench.errors import RequestError

    with pytest.raises(RequestError, match="unknown model"):
        cli("run --models tooy --debug")


def test_results_that_cannot_be_written_are_a_clear_error(cli) -> None:
    Path("results").write_text("a file is in the way")
    code, _, err = cli("run --models toy --metric brightness --reference none --quiet")
    assert code == 2
    assert "cannot write" in err.splitlines()[-1]


@pytest.mark.slow
def test_stdout_closed_early_is_quiet(toy: str, tmp_path: Path) -> None:
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    line = f"{sys.executable} -m genbench list | head -1"
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True
    )
    assert done.stdout == "models\n" or done.stdout.strip() == "models"
    assert done.stderr == ""


def test_protocols_of_one_dataset_are_separate_tables(cli) -> None:
    cli("run --models toy --metric brightness --reference none --seeds 2")
    cli("run --models toy --metric brightness --reference none --seeds 2 --target valid")
    out = cli("leaderboard")[1]
    assert out.count("Brightness on digits") == 2
    assert out.count("scored against the valid split") == 1


def test_of_several_metrics_one_table_comes_first_and_may_stand_alone(cli) -> None:
    line = (
        "run --models toy --reference gaussian --seeds 2 --metric brightness,brightness[samples=50],parzen[samples=50]"
    )
    whole, brief = cli(line)[1], cli(f"{line} --brief")[1]
    assert whole.startswith("All metrics on digits\n")
    assert whole.count("rank  model") == 3
    assert brief.startswith("All metrics on digits\n")
    assert "rank  model" not in brief
    assert "All metrics" not in cli("run --models toy --reference gaussian --seeds 2")[1]
    assert cli("leaderboard --table overview --metric parzen[samples=50]")[1].startswith("All metrics on digits\nmodel")


@pytest.mark.slow
def test_the_same_command_in_another_process_gives_the_same_numbers(cli, tmp_path: Path) -> None:
    line = "run --models toy --metric brightness,parzen[samples=300] --seeds 2 --reference gaussian --results"
    cli(f"{line} here")
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "genbench", *line.split(), "there", "--quiet"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert Path("here/trials.csv").read_bytes() == Path("there/trials.csv").read_bytes()


def told(results: Path) -> str:
    """Return all that trials under way say of how far they are; one that is over says nothing more."""
    texts = []
    for path in results.rglob(PROGRESS):
        with contextlib.suppress(FileNotFoundError):
            texts.append(path.read_text())
    return "".join(texts)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(toy: str, tmp_path: Path) -> None:
    import signal
    import time

    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    models = "toy,toy[epochs=100000]"
    command = [sys.executable, "-m", "genbench", "run", "--models", models, "--metric", "brightness", "--seeds", "1", "--reference", "none"]  # fmt: skip
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while "1/2" not in (process.stderr.readline() if process.stderr else ""):
        assert process.poll() is None
    while "epoch" not in told(tmp_path):  # of the second: it trains
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted: 1 of 2 trials are done" in err
    assert "give the same command again" in err
    trials = list(csv.DictReader((tmp_path / "results" / "trials.csv").read_text().splitlines()))
    assert {row["model"]: row["status"] for row in trials} == {"toy": "done", "toy[epochs=100000]": "interrupted"}
