"""`export_signatures`, and `dedup` against what it wrote for an earlier release."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from schemas.arrow import arrow_schema
from schemas.batch import Batch, Reject
from schemas.columns import ROW_ID
from schemas.errors import InputError
from stages import dedup
from stages.export_signatures import STAGE, Config, run
from tests.support import FakeContext, run_pass

FINGERPRINT = [8213553592649371299, -3195882410375188431]
SIGNATURE = [647075723, 1056097693, 464354635]
SHINGLES = [765927713819453309, 8391248684338152039]
LONG = "one two three four five six seven eight nine ten"


def rows(texts: list[str], prefix: str = "new") -> pa.Table:
    ids = [f"{prefix}-{row}" for row in range(len(texts))]
    return pa.table({"row_id": ids, "answer": pa.array(texts, pa.string())})


def index(texts: list[str], **settings: Any) -> pa.Table:
    config = Config.model_validate({"text": ("answer",), **settings})
    assert STAGE.run is not None
    return run(Batch(rows(texts, "old")), config, FakeContext()).table


def deduplicated(
    texts: list[str], *indexes: pa.Table, **settings: Any
) -> tuple[list[str], list[Reject]]:
    paths = tuple(f"v{number}/signatures" for number in range(len(indexes)))
    settings = {"text": ("answer",), "index": paths, **settings}
    config = dedup.Config.model_validate(settings)
    given = dict(zip(dedup.STAGE.given(config), indexes, strict=True))
    context = FakeContext(given=given)
    (batch,), decision = run_pass(dedup.STAGE.fit(config), config, [rows(texts)], context)
    assert decision.figures["rows"] == len(texts)
    return batch.table.column("row_id").to_pylist(), list(batch.rejects)


def test_the_file_says_how_it_was_made() -> None:
    table = index([LONG, ""], seed=7)
    assert table.schema.equals(arrow_schema((ROW_ID, *STAGE.writes)))
    assert table.column("row_id").to_pylist() == ["old-0", "old-1"]
    assert [len(signature) for signature in table.column("signature").to_pylist()] == [128, 128]
    assert [len(shingles) for shingles in table.column("shingles").to_pylist()] == [6, 1]
    scheme = json.loads(table.column("scheme")[0].as_py())
    assert scheme == {
        "format": "prefmill-signatures-1",
        "text": ["answer"],
        "unicode": "NFC",
        "lowercase": True,
        "shingle": "word",
        "ngram": 5,
        "num_perm": 128,
        "seed": 7,
    }


def test_signatures_are_the_same_in_every_release() -> None:
    """A change here makes indexes that users have unusable: raise the format's number."""
    row = index([LONG]).to_pylist()[0]
    assert row["fingerprint"] == FINGERPRINT
    assert row["signature"][:3] == SIGNATURE
    assert row["shingles"][:2] == SHINGLES


@pytest.mark.parametrize("method", ["exact", "minhash"])
@pytest.mark.parametrize("mode", ["greedy", "component"])
def test_what_an_earlier_release_has_is_dropped(method: str, mode: str) -> None:
    texts = [LONG, "another text", LONG.upper()]
    kept, rejects = deduplicated(texts, index(["x", LONG]), method=method, mode=mode)
    assert kept == ["new-1"]
    assert [(reject.row_id, reject.code) for reject in rejects] == [
        ("new-0", "in_index"),
        ("new-2", "in_index"),
    ]
    how = "has the same text" if method == "exact" else "Jaccard similarity 1.0000, threshold 0.8"
    assert rejects[0].message == f"duplicate of row old-1 of the index: {how}"


def test_it_is_known_nearly_too_and_at_any_threshold() -> None:
    release = index([LONG + " eleven"])
    kept, (reject,) = deduplicated([LONG, "x"], release, threshold=0.85)
    assert kept == ["new-1"]
    assert "row old-0 of the index: Jaccard similarity 0.8571, threshold 0.85" in reject.message
    assert deduplicated([LONG, "x"], release, threshold=0.9)[0] == ["new-0", "new-1"]


def test_rows_come_after_the_index_whatever_their_ids_and_priority() -> None:
    release = index([LONG])
    kept, rejects = deduplicated([LONG, LONG], release)
    assert (kept, {reject.code for reject in rejects}) == ([], {"in_index"})


def test_several_indexes_and_parts_of_one() -> None:
    first, second = index(["a b"]), index(["c d"])
    assert deduplicated(["a b", "c d", "e f"], first, second)[0] == ["new-2"]
    both = pa.concat_tables([first, second])
    assert deduplicated(["a b", "c d", "e f"], both)[0] == ["new-2"]


def test_an_index_may_be_empty() -> None:
    for empty in (index([]), index(["a"]).slice(0, 0)):
        assert deduplicated(["a", "a"], empty)[0] == ["new-0"]


@pytest.mark.parametrize(
    "other",
    [{"seed": 2}, {"num_perm": 64}, {"ngram": 3}, {"shingle": "character"}, {"lowercase": False}],
)
def test_an_index_that_was_made_otherwise_is_refused(other: dict[str, Any]) -> None:
    ((name, theirs),) = other.items()
    ours = json.loads(index(["a"]).column("scheme")[0].as_py())[name]
    with pytest.raises(InputError) as raised:
        deduplicated(["a"], index(["a"], **other))
    message = str(raised.value)
    assert message.startswith("index v0/signatures: it was made with ")
    assert f"{name}: {json.dumps(theirs)}, and" in message
    assert f"set to {name}: {json.dumps(ours)}. " in message


def test_equal_texts_are_known_whatever_their_signatures() -> None:
    other = index(["a"], seed=2, ngram=3)
    assert deduplicated(["a", "b"], other, method="exact")[0] == ["new-1"]
    with pytest.raises(InputError, match=r"made with lowercase: false.*set to lowercase: true"):
        deduplicated(["a"], index(["a"], lowercase=False), method="exact")


def test_what_is_no_index_is_refused() -> None:
    with pytest.raises(InputError, match=r"it has no `fingerprint`.*; seen `row_id`, `answer`"):
        deduplicated(["a"], rows(["a"]))
    foreign = index(["a"]).drop_columns("scheme").append_column("scheme", pa.array(["v1"]))
    with pytest.raises(InputError, match='made with format: "v1"'):
        deduplicated(["a"], foreign)
