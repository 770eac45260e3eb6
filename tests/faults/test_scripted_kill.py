"""A script that kills its process does so as often as it says, and no more."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

ASK = """
import sys
from pathlib import Path
from pipeline.engines.base import no_progress
from pipeline.engines.scripted import open_scripted, resolve_scripted
from schemas.models import GenerateRequest, Prompt, Sampling
from schemas.recipe import ModelEntry, ModelPlacement

entry = ModelEntry(model="script.yaml", engine="scripted")
spec = resolve_scripted("policy", entry, ModelPlacement(), Path(sys.argv[1]))
generator = open_scripted(spec, no_progress).generator
(result,) = generator.generate([GenerateRequest("r", Prompt(sys.argv[2]), Sampling(), 1)])
print(result.text)
"""


def ask(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASK, str(folder), text],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_killed_process_is_gone_and_the_next_one_lives(tmp_path: Path) -> None:
    script = "faults: [{match: poison, effect: kill, times: 2}]"
    (tmp_path / "script.yaml").write_text(script)
    texts = ("hello", "poison", "poison", "poison")
    ends = [ask(tmp_path, text) for text in texts]
    assert [end.returncode for end in ends] == [0, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert ends[-1].stdout == "Scripted answer 1 to: poison And so on.\n"


def test_a_random_kill_strikes_in_the_midst_of_waiting(tmp_path: Path) -> None:
    script = "{pace: {tokens_per_s: 0.001}, faults: [{every_s: 0.01, effect: kill}]}"
    (tmp_path / "script.yaml").write_text(script)
    assert ask(tmp_path, "hello").returncode == -signal.SIGKILL
