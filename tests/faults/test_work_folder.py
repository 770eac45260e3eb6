"""Work in progress on an object store: a real S3 server on loopback, reached by every process."""

from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.faults.processes import assert_gone, family_of, finish, running, said

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RECIPE = """
name: remote
seed: 3
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 24}
  - {stage: respond, model: policy, n: 2}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export: [{config: dpo, layout: trl}, {config: kto, layout: trl}]
placement: {workers: 2, part_rows: 4}
"""


def on_s3(bucket: str) -> tuple[str, str]:
    return "--set", f"placement.work=s3://{bucket}/run"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "remote.yaml"
    path.write_text(RECIPE)
    return path


def names_in(bucket: str) -> list[str]:
    import boto3

    found = boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found]


def finished_parts(bucket: str) -> int:
    """Parts that are final, and not drafts, sketches or decisions, which have folders below."""
    names = (name for name in names_in(bucket) if name.endswith(".part"))
    return sum(name.startswith("run/") and name.count("/") == 2 for name in names)


def test_work_on_an_object_store_is_killed_resumed_and_ends_in_the_same_bytes(
    recipe: Path, tmp_path: Path, bucket: str
) -> None:
    expected = finish(recipe, tmp_path / "local")
    out = tmp_path / "remote"
    with running(recipe, out, *on_s3(bucket)) as process:
        while finished_parts(bucket) < 3:
            assert process.poll() is None, said(out)
        family = family_of(process)
        process.kill()
    assert_gone(family)
    assert finish(recipe, out, *on_s3(bucket)) == expected
    assert "parts done before" in said(out)
    left = [name for name in names_in(bucket) if name.endswith(".part")]
    assert left == [], "finished steps are packed"


def test_a_work_folder_belongs_to_one_run(
    recipe: Path, tmp_path: Path, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(recipe, tmp_path / "first", *on_s3(bucket))
    assert main(["run", str(recipe), "--out", str(tmp_path / "second"), *on_s3(bucket)]) == 2
    assert f"belongs to the run in {tmp_path / 'first'}" in capsys.readouterr().err


def test_a_store_that_cannot_be_reached_is_said_at_once(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main(["run", str(recipe), "--out", str(tmp_path / "out"), *on_s3("bucket")]) == 2
    assert "placement.work: s3://bucket/run cannot be used" in capsys.readouterr().err
