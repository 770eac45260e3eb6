from __future__ import annotations

import gzip
import json
import re
import socket
import sys
import types
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.inputs.readers import count_records, read_records, records_digest
from schemas.errors import InputError
from schemas.stage import Records

ROWS = [{"prompt": "a"}, {"prompt": "b"}, {"prompt": "a"}]
LINES = b'{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": "a"}\n'


def rows_of(base: Path, path: str, batch_rows: int = 100, **feed: Any) -> list[dict[str, Any]]:
    tables = read_records(Records(path, **feed), base, 7, "load", batch_rows)
    return [row for table in tables for row in table.to_pylist()]


def write_arrow(path: Path, rows: list[dict[str, Any]], *, stream: bool) -> None:
    table = pa.Table.from_pylist(rows)
    opener = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opener(str(path), table.schema) as writer:
        writer.write_table(table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same three records in every format."""
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES))
    (tmp_path / "list.json").write_text(json.dumps(ROWS))
    (tmp_path / "lines.json").write_bytes(LINES)
    (tmp_path / "a.csv").write_text("prompt\na\nb\na\n")
    (tmp_path / "a.tsv").write_text("prompt\na\nb\na\n")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    write_arrow(tmp_path / "a.arrow", ROWS, stream=False)
    write_arrow(tmp_path / "stream.arrow", ROWS, stream=True)
    return tmp_path


FILES = [
    "a.jsonl",
    "a.jsonl.gz",
    "list.json",
    "lines.json",
    "a.csv",
    "a.tsv",
    "a.parquet",
    "a.arrow",
    "stream.arrow",
]


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_records_and_ids(folder: Path, name: str) -> None:
    expected = rows_of(folder, "a.jsonl")
    seen = rows_of(folder, name)
    assert [row["raw_record"] for row in seen] == [
        '{"prompt":"a"}',
        '{"prompt":"b"}',
        '{"prompt":"a"}',
    ]
    assert [row["row_id"] for row in seen] == [row["row_id"] for row in expected]
    assert len({row["row_id"] for row in seen}) == 3, "equal records differ by their occurrence"
    assert all(row["raw_problem"] is None for row in seen)


def test_places_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"p": 1}\n\n{"p": 2}\n')
    (tmp_path / "a.csv").write_text('p\n"one\ntwo"\nthree\n')
    (tmp_path / "a.json").write_text('[\n {"p": 1},\n {"p":\n 2},\n {"p": 3}]')
    assert [r["raw_place"] for r in rows_of(tmp_path, "a.jsonl")] == ["a.jsonl:1", "a.jsonl:3"]
    assert [r["raw_place"] for r in rows_of(tmp_path, "a.csv")] == ["a.csv:2", "a.csv:4"]
    assert [r["raw_place"] for r in rows_of(tmp_path, "a.json")] == [
        "a.json:2",
        "a.json:3",
        "a.json:5",
    ]


def test_parts_and_limit(folder: Path) -> None:
    tables = list(read_records(Records("a.jsonl"), folder, 7, "load", 2))
    assert [table.num_rows for table in tables] == [2, 1]
    assert tables[0].schema.names == ["row_id", "raw_record", "raw_place", "raw_problem"]
    assert len(rows_of(folder, "a.jsonl", limit=2)) == 2


def test_ids_depend_on_seed_step_and_selected_fields_only(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"p": "x", "n": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"n": 2, "p": "x"}\n')
    feeds = {name: Records(name, fields=("p",)) for name in ("a.jsonl", "b.jsonl")}

    def first_id(name: str, seed: int = 7, step: str = "load") -> str:
        (table,) = read_records(feeds[name], tmp_path, seed, step, 10)
        return str(table.column("row_id")[0])

    assert first_id("a.jsonl") == first_id("b.jsonl")
    assert first_id("a.jsonl") != first_id("a.jsonl", seed=8)
    assert first_id("a.jsonl") != first_id("a.jsonl", step="other")
    assert rows_of(tmp_path, "a.jsonl")[0]["row_id"] != rows_of(tmp_path, "b.jsonl")[0]["row_id"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    texts=st.lists(st.text(alphabet="abc", max_size=2), min_size=1, max_size=8),
    extra=st.text(alphabet="xyz", min_size=1, max_size=2),
    data=st.data(),
)
def test_a_line_added_anywhere_moves_no_other_id(
    tmp_path: Path, texts: list[str], extra: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(texts)))
    grown = [*texts[:place], extra, *texts[place:]]
    ids = []
    for name, values in (("before.jsonl", texts), ("after.jsonl", grown)):
        (tmp_path / name).write_text("".join(json.dumps({"p": v}) + "\n" for v in values))
        ids.append([row["row_id"] for row in rows_of(tmp_path, name)])
    assert ids[1][:place] + ids[1][place + 1 :] == ids[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9)), min_size=1))
def test_any_json_text_comes_through(tmp_path: Path, records: list[dict[str, str]]) -> None:
    """Whatever the escapes: a record is read as it was, or its problem is named."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(records))
    rows = rows_of(tmp_path, "a.json")
    assert [json.loads(row["raw_record"]) for row in rows] == records
    for row, record in zip(rows, records, strict=True):
        assert (row["raw_problem"] is None) == ("\0" not in "".join([*record, *record.values()]))


def problems(base: Path, path: str, **feed: Any) -> list[str | None]:
    return [row["raw_problem"] for row in rows_of(base, path, **feed)]


def test_trouble_with_one_record_stays_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'{"p": "fine"}\n{"p": \n[1, 2]\n{"p": "\xff"}\n{"p": "\\ud83d!"}\n{"p": "x\\u0000"}\n'
    )
    rows = rows_of(tmp_path, "a.jsonl")
    assert [row["raw_problem"] for row in rows] == [
        None,
        "bad_record: not JSON: Expecting value at column 6 of '{\"p\":'",
        "bad_record: a list instead of an object: '[1, 2]'",
        "bad_record: byte 0xff at offset 35 of the file (line 4) is not UTF-8",
        "lone_surrogate: field `p` holds half a character, U+D83D, at 0",
        "nul_character: field `p` holds U+0000 at 1",
    ]
    assert [row["raw_record"] for row in rows[2:]] == [
        "[1, 2]",
        '{"p": "\\xff"}',
        '{"p":"\\ud83d!"}',
        '{"p":"x\\u0000"}',
    ]


def test_a_lone_surrogate_in_a_field_name_crashes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"\\ud83d": "x\\u0000"}\n')
    assert problems(tmp_path, "a.jsonl") == [
        "lone_surrogate: field `\\ud83d` holds half a character, U+D83D, at 0"
    ]


def test_ragged_and_undecodable_csv_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfp,q\r\n1,2\r\n3\r\n4,5,6\r\n\r\n\xe9,7\r\n")
    rows = rows_of(tmp_path, "a.csv")
    assert rows[0]["raw_record"] == '{"p":"1","q":"2"}'
    assert [(row["raw_place"], row["raw_problem"]) for row in rows[1:]] == [
        ("a.csv:3", "bad_record: 1 values under a header of 2"),
        ("a.csv:4", "bad_record: 3 values under a header of 2"),
        ("a.csv:6", "bad_record: byte 0xe9 at offset 25 of the file (line 6) is not UTF-8"),
    ]


def test_arrow_text_that_is_not_utf8(tmp_path: Path) -> None:
    data = pa.array([b"ok", b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"p": data}), tmp_path / "a.parquet")
    assert problems(tmp_path, "a.parquet") == [
        None,
        "bad_record: a text is not UTF-8: invalid start byte",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, r"gone.jsonl: no such file or folder"),
        ("a.jsonl", b"", r"a.jsonl: the file is empty"),
        ("a.jsonl", b"\n\n", r"a.jsonl: no records in it"),
        ("a.json", b"[]", r"a.json: no records in it"),
        ("a.csv", b"prompt\n", r"a.csv: no records in it"),
        ("a.xlsx", b"PK", r"cannot tell its format .* \.jsonl"),
        ("a.parquet.gz", b"PAR1", r"cannot tell its format"),
        ("a.parquet", b"PAR1 broken", r"a.parquet: cannot be read: .*whole"),
        ("a.arrow", b"nothing of the kind", r"a.arrow: cannot be read"),
        ("a.jsonl.gz", gzip.compress(LINES)[:-9], r"a.jsonl.gz: cannot be read"),
        ("a.json", b'[{"p": 1},\n {"p": ]', r"a.json:2: not a JSON list of records: Expecting"),
        ("a.json", b'[{"p": 1}', r"a.json:1: .*the list is not closed"),
        ("a.json", b'[{"p": 1}]\n[', r"a.json:2: .*'\[' after the end of the list"),
        ("a.json", b'[{"p": "\xff"}]', r"the byte at offset 8 of the file is not UTF-8"),
        ("a.csv", b'p\n"a"b\n', r"a.csv:2: not CSV"),
        ("a.csv", b"p,p\n1,2\n", r"a.csv:1: the header names `p` more than once"),
    ],
)
def test_trouble_with_a_file_is_raised(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.compile(message, re.DOTALL)):
        rows_of(tmp_path, name)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_field_is_named_with_the_nearest(folder: Path, name: str) -> None:
    message = r"no field `promt`; it has `prompt`. Did you mean `prompt`\?"
    with pytest.raises(InputError, match=message):
        rows_of(folder, name, fields=("promt",))


def test_a_field_that_some_records_lack_is_null_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"p": "x"}\n{"p": "y", "system": "s"}\n')
    rows = rows_of(tmp_path, "a.jsonl", fields=("p", "system"))
    assert [row["raw_record"] for row in rows] == [
        '{"p":"x","system":null}',
        '{"p":"y","system":"s"}',
    ]


def test_a_list_longer_than_the_window(tmp_path: Path) -> None:
    """Elements on either side of, across, and larger than what is read at once."""
    records = [{"p": c * n} for c, n in (("a", 65_000), ("b", 600), ("ü", 300_000), ("d", 1))]
    (tmp_path / "a.json").write_text(json.dumps(records, ensure_ascii=False), "utf-8")
    assert [json.loads(r["raw_record"]) for r in rows_of(tmp_path, "a.json")] == records


def test_a_long_csv_field(tmp_path: Path) -> None:
    """Longer than the 128 Ki that Python's csv takes by default."""
    (tmp_path / "a.csv").write_text("p\n" + "x" * 200_000 + "\n")
    assert len(json.loads(rows_of(tmp_path, "a.csv")[0]["raw_record"])["p"]) == 200_000


def test_folders_and_globs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "README.md").write_text("# about")
    (data / ".hidden.jsonl").write_text("not read")
    (data / "b.jsonl").write_text('{"p": 2}\n')
    (data / "deep" / "a.jsonl").write_text('{"p": 3}\n')
    assert [r["raw_place"] for r in rows_of(tmp_path, "data")] == [
        "data/b.jsonl:1",
        "data/deep/a.jsonl:1",
    ]
    assert [r["raw_place"] for r in rows_of(tmp_path, "data/*.jsonl")] == ["data/b.jsonl:1"]
    assert len(rows_of(tmp_path, str(data / "**" / "*.jsonl"), format="jsonl", limit=5)) >= 2

    (data / "c.csv").write_text("p\n1\n")
    with pytest.raises(InputError, match="files of several formats: csv, jsonl"):
        rows_of(tmp_path, "data")
    assert len(rows_of(tmp_path, "data", format="csv")) == 1


def test_the_digest_is_of_bytes_not_paths(folder: Path, tmp_path: Path) -> None:
    (folder / "moved").mkdir()
    (folder / "moved" / "other.jsonl").write_bytes(LINES)
    before = records_digest(Records("a.jsonl"), folder)
    assert records_digest(Records("moved/other.jsonl"), folder) == before
    assert records_digest(Records("moved"), folder) == before
    (folder / "a.jsonl").write_bytes(LINES + b'{"prompt": "c"}\n')
    assert records_digest(Records("a.jsonl"), folder) != before
    with pytest.raises(InputError, match="no such file"):
        records_digest(Records("gone.jsonl"), folder)


class _FakeDatasets(types.ModuleType):
    """Stands for `datasets`, which is too heavy for a fast test."""

    DatasetDict = dict

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        super().__init__("datasets")
        self.rows = rows
        self.asked: tuple[Any, ...] = ()

    def load_dataset(self, path: str, config: str | None, **options: Any) -> Any:
        self.asked = (path, config, options)
        if options["split"] != "train":
            raise ValueError("Unknown split \"x\". Should be one of ['train'].")
        return iter(self.rows)

    def load_from_disk(self, path: str) -> Any:
        return {"train": self.rows}


def test_a_hub_dataset_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _FakeDatasets(ROWS)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    options = (("config", "en"), ("revision", "v1"))
    rows = rows_of(tmp_path, "org/set", format="hf", options=options)
    assert [row["raw_place"] for row in rows] == [f"org/set[train]:{i}" for i in (1, 2, 3)]
    asked = {"split": "train", "revision": "v1", "streaming": True}
    assert fake.asked == ("org/set", "en", asked)
    with pytest.raises(InputError, match="no field `promt`"):
        rows_of(tmp_path, "org/set", format="hf", fields=("promt",))
    with pytest.raises(InputError, match=r"`org/set` cannot be read: ValueError: Unknown split"):
        rows_of(tmp_path, "org/set", format="hf", options=(("split", "x"),))


def test_a_saved_dataset_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", _FakeDatasets(ROWS))
    saved = tmp_path / "saved" / "train"
    saved.mkdir(parents=True)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    write_arrow(saved / "data-00000-of-00001.arrow", ROWS, stream=True)
    assert len(rows_of(tmp_path, "saved")) == 3
    before = records_digest(Records("saved"), tmp_path)
    (saved / "state.json").write_text('{"_fingerprint": "anew"}')
    assert records_digest(Records("saved"), tmp_path) == before


def test_an_unreachable_hub_is_said_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(InputError, match="dataset `org/set` cannot be read"):
        records_digest(Records("org/set", format="hf"), tmp_path)


@pytest.mark.parametrize("name", [*FILES, "a.*"])
def test_counting_agrees_with_reading(folder: Path, name: str) -> None:
    rows = 18 if name == "a.*" else 3  # six files
    assert count_records(Records(name), folder) == rows
    assert count_records(Records(name, limit=2), folder) == 2
    assert count_records(Records(name, limit=rows - 1), folder) == rows - 1
    assert count_records(Records(name, limit=rows + 5), folder) == rows
    assert count_records(Records("org/data", format="hf"), folder) is None
