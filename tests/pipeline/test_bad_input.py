"""Bad files, models and folders: one clear error, exit code 2, nothing half-written."""

from pathlib import Path

import pytest

from pipeline.cli.main import main

RECIPE = """
name: bad
models:
  policy: {{engine: {engine}, model: {model}}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl, prompt: prompt{more}}}
  - {{stage: respond, model: policy, n: 2}}
  - {{stage: judge, model: policy}}
  - {{stage: pair}}
export: [{{config: dpo}}]
placement: {{workers: 0}}
"""

GOOD = b'{"prompt": "Why is the sky blue?"}\n{"prompt": "Who wrote Faust?"}\n'


class Bench:
    """A recipe in a folder, to be run on prompts."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = folder / "out"

    def run(
        self,
        prompts: bytes | None = GOOD,
        engine: str = "scripted",
        model: str = "echo",
        more: str = "",
        out: Path | None = None,
    ) -> tuple[int, str]:
        (self.folder / "bad.yaml").write_text(RECIPE.format(engine=engine, model=model, more=more))
        if prompts is not None:
            (self.folder / "prompts.jsonl").write_bytes(prompts)
        code = main(["run", str(self.folder / "bad.yaml"), "--out", str(out or self.out)])
        return code, self.capsys.readouterr().err

    def refused(self, *said: str, **options: object) -> None:
        """The run ends with 2, says all of that without a traceback, and writes no dataset."""
        code, errors = self.run(**options)  # type: ignore[arg-type]
        assert code == 2, errors
        assert "Traceback" not in errors
        for text in said:
            assert text in errors
        assert not (self.out / "dataset").exists()
        assert list(self.out.glob("**/*.tmp")) == []


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)


def test_the_recipe_itself_is_good(bench: Bench) -> None:
    code, errors = bench.run()
    assert code == 0, errors


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (None, ("prompts.jsonl",)),
        (b"", ("prompts.jsonl", "empty")),
        (b"\n\n", ("prompts.jsonl",)),
        (GOOD + b"{oops\n", ("prompts.jsonl:3",)),
        (GOOD + b'"just text"\n', ("prompts.jsonl:3",)),
        (b'{"question": "Why?"}\n', ("prompt", "question")),
        (GOOD + b'{"prompt": "caf\xe9"}\n', ("prompts.jsonl:3", "UTF-8")),
        (GOOD + b'{"prompt": "a\\ud800b"}\n', ("prompts.jsonl:3", "surrogate")),
        (GOOD + b'{"prompt": "a\\u0000b"}\n', ("prompts.jsonl:3", "U+0000")),
        (GOOD + b'{"prompt": ""}\n', ("prompts.jsonl:3",)),
        (GOOD + b'{"prompt": 7}\n', ("prompts.jsonl:3",)),
    ],
)
def test_a_bad_prompt_file_is_refused_with_its_line(
    bench: Bench, prompts: bytes | None, said: tuple[str, ...]
) -> None:
    bench.refused(*said, prompts=prompts)


def test_bad_lines_may_be_turned_away_instead(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = GOOD + b'{oops\n{"prompt": "a\\u0000b"}\n{"prompt": "What is rice?"}\n'
    code, errors = bench.run(prompts=bad, more=", on_bad_record: reject")
    assert code == 0, errors
    assert main(["status", str(bench.out), "--rejects", "--stage", "load_prompts"]) == 0
    shown = capsys.readouterr().out
    assert "prompts.jsonl:3" in shown
    assert "prompts.jsonl:4" in shown


def test_a_model_that_does_not_exist_is_refused(bench: Bench) -> None:
    bench.refused(
        "./no-such-model", "is not a folder", engine="transformers", model="./no-such-model"
    )


def test_a_script_that_does_not_exist_is_refused(bench: Bench) -> None:
    bench.refused("no-such.yaml", "cannot read the script", model="no-such.yaml")


def test_an_output_that_is_a_file_is_refused(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "a-file"
    target.write_text("mine")
    code, errors = bench.run(out=target)
    assert code == 2
    assert "is a file" in errors
    assert target.read_text() == "mine"


def test_an_output_that_cannot_be_made_is_refused(bench: Bench, tmp_path: Path) -> None:
    # A file stands where a parent is needed: refused to every user, root included.
    (tmp_path / "a-file").write_text("mine")
    code, errors = bench.run(out=tmp_path / "a-file" / "out")
    assert code == 2
    assert "a-file/out cannot be made: Not a directory. Choose another --out." in errors
    assert "Traceback" not in errors
    assert (tmp_path / "a-file").read_text() == "mine"


def test_a_folder_that_holds_something_else_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter1.tex").write_text("mine")
    code, errors = bench.run(out=target)
    assert code == 2
    assert "chapter1.tex" in errors
    assert [path.name for path in target.iterdir()] == ["chapter1.tex"]


def test_a_dataset_that_is_not_ours_is_left_alone(bench: Bench) -> None:
    foreign = bench.out / "dataset"
    foreign.mkdir(parents=True)
    (foreign / "precious.parquet").write_text("mine")
    code, errors = bench.run()
    assert code == 2
    assert "dataset" in errors
    assert (foreign / "precious.parquet").read_text() == "mine"
    assert list(bench.out.glob("work/0*")) == [], "refused before any work"
