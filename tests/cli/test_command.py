"""The command as a user types it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from hemascope.synth.smear import paint_field
from hemascope.synth.write import write_smear

COMMAND = [sys.executable, "-c", "from hemascope.cli.main import main; main()"]


def hemascope(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment, timeout=240
    )


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smear(tmp_path_factory.mktemp("smear") / "painted", 2, seed=5) / "images"


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    shown = hemascope("--help")
    assert shown.returncode == 0
    for verb in ("analyze", "bench", "data", "train"):
        assert verb in shown.stdout
    code = (
        "import sys; from hemascope.cli.main import app; "
        "print([m for m in ('torch', 'onnxruntime', 'scipy', 'cv2', 'pydantic', 'jinja2') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_version() -> None:
    from hemascope.core.version import __version__

    assert __version__ in hemascope("--version").stdout


def test_a_generative_model_can_be_left_out(smear: Path, tmp_path: Path) -> None:
    done = hemascope("analyze", smear, "--out", tmp_path / "out", "--no-generative", "--json")
    document = json.loads(done.stdout)
    assert document["provenance"]["recipe"]["generative"] == "off"
    assert document["generative"] is None
    assert "embedding_denoiser" not in {model["name"] for model in document["provenance"]["models"]}


def test_a_folder_is_analyzed_and_summed_up(smear: Path, tmp_path: Path) -> None:
    done = hemascope("analyze", smear, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Research use only" in done.stdout
    assert "95% interval" in done.stdout
    assert "Red cells: " in done.stdout
    assert "Platelet clumps: " in done.stdout
    assert "0.1 um per pixel metadata (2)" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_quiet_prints_nothing_and_json_prints_json(smear: Path, tmp_path: Path) -> None:
    quiet = hemascope("analyze", smear, "--out", tmp_path / "a", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    document = json.loads(hemascope("analyze", smear, "--out", tmp_path / "b", "--json").stdout)
    assert len(document["fields"]) == 2


def test_the_classical_finder_needs_no_other_flag(smear: Path, tmp_path: Path) -> None:
    done = hemascope("analyze", smear, "--out", tmp_path / "out", "--segmenter", "classical", "--json")
    assert json.loads(done.stdout)["provenance"]["models"][0]["name"] == "classical-finder"


def test_some_bad_files_give_status_1_and_a_report_of_the_rest(smear: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    done = hemascope("analyze", smear, tmp_path / "bad.jpg", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "bad.jpg" in done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere"),
        (["."], "no image"),
        (["*.png"], "*.png"),
        (["field.png", "--mpp", "300"], "--mpp"),
        (["field.png", "--prior", "martian"], "adult_blood"),
        (["field.png", "--segmenter", "magic"], "segmenter"),
        (["field.png", "--grading", "martian"], "icsh_2015"),
        (["field.png", "--red-cell-count", "4600"], "--red-cell-count"),
        (["field.png", "--recipe", "none.toml"], "none.toml"),
        ([], "PATH"),
    ],
)
def test_a_wrong_command_gives_status_2_and_says_why(arguments: list[str], said: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    if arguments and arguments[0] == "field.png":
        Image.fromarray(paint_field(1).field.pixels).save(work / "field.png")
    done = hemascope("analyze", *arguments, cwd=work)
    assert done.returncode == 2
    assert said.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert not (work / "hemascope-report").exists()


def test_an_unwritable_place_gives_status_1(smear: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = hemascope("analyze", smear, "--out", tmp_path / "file")
    assert done.returncode == 1
    assert "--out" in done.stderr


def _hear_interrupts() -> None:
    """Undo what a shell does to what it starts in the background, which the tests may be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_gives_status_130_and_leaves_nothing(smear: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    data = (smear / sorted(p.name for p in smear.iterdir())[0]).read_bytes()
    for index in range(400):
        (many / f"{index}.png").write_bytes(data)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "analyze", str(many), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
    )
    limit = time.monotonic() + 60
    while not (out.is_dir() and any(out.glob(".hemascope-*/*"))) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not out.exists()
