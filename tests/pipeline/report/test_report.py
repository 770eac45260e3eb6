"""The report as a whole: of runs and datasets in whatever state, and of nothing but what is so."""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli.main import main
from pipeline.dataset.read import open_dataset
from pipeline.report import sample
from pipeline.report.facts import Facts, read_facts
from pipeline.report.report import write_report
from pipeline.report.rows import RowSet, row_sets
from pipeline.report.sample import sampled_records
from schemas.errors import InputError
from tests.hostile import MARK, TEXTS
from tests.pipeline.report.conftest import SCRIPTED
from tests.pipeline.report.page_reader import PageReader


def reader(page: Path) -> PageReader:
    return PageReader(page.read_text(encoding="utf-8"))


def test_a_run_ends_with_its_report(finished: Path) -> None:
    read = reader(finished / "report.html")
    assert "24rows in dpo" in read.parts["header"]
    assert "judge" in read.parts["position_bias"]
    assert "magpie" in read.parts["rows"]
    assert "echo (scripted)" in read.parts["costs"]
    assert "name: scripted" in read.parts["making"]
    assert read.unclosed == []


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_it_loads_nothing_and_allows_what_is_in_it_alone(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    read = PageReader(page)
    links = [
        value for name, value in read.attributes if name in ("src", "href", "srcset", "action")
    ]
    assert links
    assert all((link or "").startswith("#") for link in links)
    policy = next(v for n, v in read.attributes if n == "content" and "default-src" in (v or ""))
    for element, pattern in (
        ("style", "<style>(.*?)</style>"),
        ("script", "<script>(.*?)</script>"),
    ):
        (text,) = re.findall(pattern, page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in (policy or "")
    assert "default-src 'none'" in (policy or "")
    assert "unsafe" not in (policy or "")
    assert not [name for name, _ in read.attributes if name.startswith("on") or name == "style"]


def test_hostile_texts_are_text(hostile: Path) -> None:
    page = (hostile / "report.html").read_text(encoding="utf-8")
    read = PageReader(page)
    assert not {"img", "iframe", "object", "link", "base", "form"} & set(read.names)
    assert (read.names.count("script"), read.names.count("style")) == (2, 1)
    assert f"<script>{MARK}" not in page
    around = re.sub(r'id="records">.*?</script>', "", page, flags=re.DOTALL)
    assert not set(around) & set("\u202e\u2066\u2028\x00\x1b\x85")
    assert f"<script>{MARK}</script>" in read.parts["duplicates"]
    assert "nul_character" in read.parts["rows"]
    records = json.loads(re.findall(r'id="records">(.*?)</script>', page, re.DOTALL)[0])
    shown = {record["prompt"][0]["content"].partition(" prompt")[0] for record in records}
    assert {text for text in TEXTS if len(text) < 1_000} <= shown


def test_duplicates_stand_beside_what_stays(hostile: Path) -> None:
    told = reader(hostile / "report.html").parts["duplicates"]
    assert "2 of 38 rows (5.3 %): 2 duplicate." in told
    assert told.count(f"{TEXTS[0]} prompt 0") == 2


def test_selection_is_told_with_its_figures(curated: Path) -> None:
    read = reader(curated / "report.html")
    told = read.parts["selection"]
    assert "70.0 % of 30 rows stayed: 21." in told
    assert "zipfit_score of the rows that stayed" in told
    assert "diversity_gain of the rows that stayed" in told
    assert "by the embeddings of the step diversity" in read.parts["coverage"]
    assert "6 of 37 rows (16.2 %): 6 duplicate." in read.parts["duplicates"]


def test_it_says_what_changed_since(
    finished: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--set", "stages.magpie.rows=26", "--quiet", "--no-report"]
    assert main(["run", str(SCRIPTED), "--out", str(run), *more]) == 0
    page = tmp_path / "since.html"
    assert main(["report", str(run), "--since", str(finished), "-o", str(page)]) == 0
    told = reader(page).parts["changes"]
    assert "24 → 26" in told
    assert "added2" in told
    assert "dropped0" in told
    assert "48 → 52" in told
    assert "changes" not in reader(finished / "report.html").parts


def test_a_run_that_is_half_done(run: Path) -> None:
    shutil.rmtree(run / "dataset")
    for folder in (run / "work").glob("0[56]-*"):
        shutil.rmtree(folder)
    read = reader(write_report(run))
    assert "5 of 7 steps are complete" in read.parts["header"]
    assert "Of the 24 pairs of pair." in read.parts["figures"]
    assert "not begun" in read.parts["rows"]
    records = sampled_records(*_shown(run))
    assert len(records) == 24
    assert records[0]["chosen"].startswith("Scripted answer")


def test_a_run_that_has_just_begun(run: Path) -> None:
    shutil.rmtree(run / "dataset")
    for folder in (run / "work").glob("0?-*"):
        shutil.rmtree(folder)
    read = reader(write_report(run))
    assert "0 of 7 steps are complete" in read.parts["header"]
    assert "there are no rows yet" in read.parts["figures"]
    assert "there are no rows to look at" in read.parts["browse"]


def test_a_dataset_without_its_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.move(run / "dataset", tmp_path / "pushed")
    page = write_report(tmp_path / "pushed")
    assert page == Path("report.html")
    read = reader(page)
    assert "24rows in dpo" in read.parts["header"]
    assert "each pair has one label" in "".join(read.parts.values())
    assert "only the work folder of the run knows" in read.parts["costs"]
    assert sorted(path.name for path in (tmp_path / "pushed").iterdir()) == [
        *("README.md", "dpo", "kto", "manifest.json")
    ]


def test_the_dataset_of_a_run_is_the_run(run: Path) -> None:
    assert write_report(run / "dataset") == run / "report.html"


def test_a_dataset_with_no_rows(run: Path, tmp_path: Path) -> None:
    shutil.move(run / "dataset", tmp_path / "empty")
    manifest = json.loads((tmp_path / "empty" / "manifest.json").read_text())
    for config, facts in manifest["configs"].items():
        manifest["configs"][config] = facts | {"rows": 0, "splits": {"train": 0}}
        for shard in (tmp_path / "empty" / config).glob("*.parquet"):
            pq.write_table(pq.read_table(shard).slice(0, 0), shard)
    (tmp_path / "empty" / "manifest.json").write_text(json.dumps(manifest))
    read = reader(write_report(tmp_path / "empty", page=tmp_path / "empty.html"))
    assert "there are no rows to look at" in read.parts["browse"]
    assert "there are no pairs of answers" in read.parts["labels"]


def test_pairs_without_scores(run: Path, tmp_path: Path) -> None:
    shutil.move(run / "dataset", tmp_path / "plain")
    for shard in (tmp_path / "plain" / "dpo").glob("*.parquet"):
        table = pq.read_table(shard)
        for name in ("score_chosen", "score_rejected", "margin", "p_chosen"):
            place = table.schema.get_field_index(name)
            nulls = pa.nulls(len(table), table.schema.field(name).type)
            table = table.set_column(place, name, nulls)
        pq.write_table(table, shard)
    read = reader(write_report(tmp_path / "plain", page=tmp_path / "plain.html"))
    assert "The rows came without scores." in read.parts["figures"]
    assert "Lengths of answers" in read.parts["figures"]


def test_another_page_is_left_alone(run: Path) -> None:
    (run / "report.html").write_text("mine")
    with pytest.raises(InputError, match="left alone"):
        write_report(run)
    assert (run / "report.html").read_text() == "mine"


def test_a_folder_of_something_else_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a run nor a dataset"):
        write_report(tmp_path, page=tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_verb_says_where_the_page_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "here.html"
    assert main(["report", str(run), "-o", str(page)]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert main(["report", str(run), "-o", str(tmp_path / "no" / "here.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_report_that_fails_does_not_fail_the_run(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "report.html").write_text("mine")
    more = ["--set", "stages.magpie.rows=26", "--quiet"]
    assert main(["run", str(SCRIPTED), "--out", str(run), *more]) == 0
    assert "the dataset is written, its report is not" in capsys.readouterr().err
    assert open_dataset(run).splits("dpo") == {"train": 26}
    assert (run / "report.html").read_text() == "mine"


def test_a_run_without_a_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["run", str(SCRIPTED), "--out", str(out), "--quiet", "--no-report"]) == 0
    assert not (out / "report.html").exists()


def test_the_sample_is_capped_and_seeded(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sampled_records(*_shown(finished))
    assert len(whole) == 72
    monkeypatch.setattr(sample, "_BYTES", 20_000)
    few = sampled_records(*_shown(finished))
    assert 0 < len(few) < 72
    assert few == sampled_records(*_shown(finished))
    assert [record for record in whole if record in few] == few


def test_judges_words_are_of_the_chosen_answer(finished: Path) -> None:
    pairs = [r for r in sampled_records(*_shown(finished)) if r["kind"] == "pair"]
    assert all(len(record["judgements"]) == 2 for record in pairs)
    for record in pairs:
        for said in record["judgements"]:
            assert said["p"] == pytest.approx(record["p_chosen"])
            shown = "chosen" if "chosen shown first" in said["labeller"] else "rejected"
            odds = json.loads(said["words"])
            assert (odds["A"] > odds["B"]) == (shown == "chosen")


def _shown(out: Path) -> tuple[Facts, list[RowSet]]:
    facts = read_facts(out)
    return facts, row_sets(facts)
