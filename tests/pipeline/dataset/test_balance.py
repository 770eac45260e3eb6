from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.dataset.balance import refuse_one_class
from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import open_dataset
from pipeline.dataset.write import ConfigRows, write_dataset
from schemas.columns import SOURCE
from schemas.errors import ExportRefused
from schemas.layouts import LABEL


def rows(*labels: bool) -> ConfigRows:
    ids = [str(number) for number in range(len(labels))]
    label = pa.array(labels, pa.bool_())
    return ConfigRows((LABEL,), lambda: [pa.table({"row_id": ids, "label": label})])


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        ((True,), "1 desirable and 0"),
        ((False, False), "0 desirable and 2"),
        ((), "0 desirable and 0"),
    ],
)
def test_answers_of_one_class_are_refused(labels: tuple[bool, ...], seen: str) -> None:
    with pytest.raises(ExportRefused, match=f"`kto` have {seen} undesirable"):
        refuse_one_class("kto", rows(*labels), None)


def test_two_classes_will_do_and_so_will_rows_without_labels() -> None:
    refuse_one_class("kto", rows(True, False), None)
    refuse_one_class("dpo", ConfigRows((SOURCE,), list), None)


def test_a_class_that_the_new_rows_lack_may_be_in_the_last_release(tmp_path: Path) -> None:
    facts = RunFacts(name="test", recipe="name: test", versions={})
    last = open_dataset(write_dataset(tmp_path, {"kto": rows(True, False)}, facts))
    refuse_one_class("kto", rows(True), last)
