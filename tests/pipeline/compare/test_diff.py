"""What became of rows, labels, splits and distributions, against the same counted one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compare.diff import diff_datasets
from pipeline.compare.structure import CategoryShift, ConfigDiff, NumberShift
from schemas.columns import SOURCE
from schemas.errors import InputError
from schemas.recipe import Splits
from tests.pipeline.compare.datasets import COLUMNS, Row, answer, dataset, pair, turn


def compare(folder: Path, old: list[Row], new: list[Row], config: str = "dpo") -> ConfigDiff:
    (found,) = diff_datasets(
        dataset(folder / "old", **{config: old}), dataset(folder / "new", **{config: new})
    ).configs
    return found


def number(diff: ConfigDiff, name: str) -> NumberShift:
    return next(shift for shift in diff.numbers if shift.name == name)


def category(diff: ConfigDiff, name: str) -> CategoryShift:
    return next(shift for shift in diff.categories if shift.name == name)


def test_a_dataset_is_as_it_was(tmp_path: Path) -> None:
    rows = [pair(n) for n in range(3)]
    found = compare(tmp_path, rows, rows)
    assert (found.added, found.dropped, found.changed, found.same) == (0, 0, 0, 3)
    assert (found.compared, found.flipped, found.prompts_moved) == (3, 0, 0)
    assert all(shift.words in ("none", None) for shift in found.numbers)
    assert all(shift.words == "none" for shift in found.categories)


def test_rows_are_matched_by_their_ids_and_columns_named(tmp_path: Path) -> None:
    old = [pair(0), pair(1), pair(2), pair(3)]
    new = [pair(1), pair(2, margin=0.5), pair(3, "perhaps", margin=0.5), pair(4), pair(5)]
    found = compare(tmp_path, old, new)
    assert (found.rows_old, found.rows_new) == (4, 5)
    assert (found.added, found.dropped, found.changed, found.same) == (2, 1, 2, 1)
    assert found.columns_changed == {"chosen": 1, "margin": 2}


def test_flips_are_found_under_the_same_id_and_under_another(tmp_path: Path) -> None:
    old = [pair(0), pair(1), pair(2), pair(3)]
    turned = pair(2, "no", "yes")
    new = [pair(0), pair(1, "no", "yes"), {**turned, "row_id": "f" * 32}, pair(3, "other")]
    found = compare(tmp_path, old, new)
    assert (found.compared, found.flipped) == (3, 2)
    assert found.flipped_ids == (pair(1)["row_id"], "f" * 32)


def test_the_same_answers_to_another_prompt_are_another_pair(tmp_path: Path) -> None:
    new = {**pair(0, "no", "yes"), "prompt": turn("user", "another question")}
    assert compare(tmp_path, [pair(0)], [new]).compared == 0


def test_a_pair_that_has_both_labels_is_no_flip(tmp_path: Path) -> None:
    both = [pair(0), {**pair(0, "no", "yes"), "row_id": "f" * 32}]
    assert compare(tmp_path, [pair(0)], both).flipped == 0


def test_a_marked_answer_flips_with_its_label(tmp_path: Path) -> None:
    old = [answer(0), answer(1, label=False), answer(2)]
    new = [answer(0, label=False), answer(1), answer(2, "other", label=False)]
    found = compare(tmp_path, old, new, "kto")
    assert (found.compared, found.flipped) == (2, 2)
    shares = {share.value: (share.old, share.new) for share in category(found, "label").shares}
    assert shares == {"true": (2 / 3, 1 / 3), "false": (1 / 3, 2 / 3)}


def test_a_prompt_that_moved_is_an_error(tmp_path: Path) -> None:
    rows = [pair(n) for n in range(40)]
    old = dataset(tmp_path / "old", Splits(test=0.2), dpo=rows)
    new = dataset(tmp_path / "new", Splits(test=0.5), dpo=rows)
    (found,) = diff_datasets(old, new).configs
    assert found.prompts_moved == new.splits("dpo")["test"] - old.splits("dpo")["test"] > 0
    assert found.prompts_leaked == 0
    assert len(found.moved_ids) == 5
    assert found.changed == 0


def test_a_prompt_in_two_splits_is_found_whatever_its_system_prompt(tmp_path: Path) -> None:
    rows = [pair(n) for n in range(8)]
    new = dataset(tmp_path / "new", Splits(test=0.5), dpo=rows)
    (test,) = new.shards("dpo", "test")
    (train,) = new.shards("dpo", "train")
    leaked = [
        {
            **row,
            "row_id": f"f{row['row_id'][1:]}",
            "prompt": [*turn("system", "Hi."), *row["prompt"]],
        }
        for row in rows
    ]
    train.unlink()
    dataset(tmp_path / "all", dpo=leaked).shards("dpo", "train")[0].rename(train)
    new.manifest["configs"]["dpo"]["splits"]["train"] = len(rows)
    (found,) = diff_datasets(new, new).configs
    assert found.prompts_leaked == new.splits("dpo")["test"] > 0
    assert found.prompts_moved == 0
    assert test.exists()


VALUES = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 3.0]), min_size=1, max_size=9)


@settings(max_examples=25, deadline=None)
@given(VALUES, VALUES)
def test_numbers_shift_as_counted_one_by_one(old: list[float], new: list[float]) -> None:
    with TemporaryDirectory() as folder:
        sides = [[pair(n, margin=v) for n, v in enumerate(side)] for side in (old, new)]
        found = number(compare(Path(folder), *sides), "margin")
    assert (found.old.n, found.new.n) == (len(old), len(new))
    assert (found.old.mean, found.new.median) == (pytest.approx(mean(old)), median(new))
    pairs = list(product(old, new))
    delta = sum((b > a) - (b < a) for a, b in pairs) / len(pairs)
    assert found.delta == pytest.approx(delta)
    gaps = [
        abs(sum(a <= v for a in old) / len(old) - sum(b <= v for b in new) / len(new))
        for v in (*old, *new)
    ]
    assert found.distance == pytest.approx(max(gaps))
    if len(old) > 1 and len(new) > 1 and len({*old}) + len({*new}) > 2:
        squares = [(len(side) - 1) * stdev(side) ** 2 for side in (old, new)]
        pooled = (sum(squares) / (len(old) + len(new) - 2)) ** 0.5
        assert found.d == pytest.approx((mean(new) - mean(old)) / pooled)
    else:
        assert found.d is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=9),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=9),
)
def test_categories_shift_as_counted_one_by_one(old: list[str], new: list[str]) -> None:
    with TemporaryDirectory() as folder:
        sides = [[pair(n, source=v) for n, v in enumerate(side)] for side in (old, new)]
        found = category(compare(Path(folder), *sides), "source")
    values = {*old, *new}
    moves = {v: old.count(v) / len(old) - new.count(v) / len(new) for v in values}
    assert found.distance == pytest.approx(sum(map(abs, moves.values())) / 2)
    n, squares = len(old) + len(new), 0.0
    for v, side in product(values, (old, new)):
        expected = (old.count(v) + new.count(v)) * len(side) / n
        squares += (side.count(v) - expected) ** 2 / expected
    assert found.v == pytest.approx((squares / n) ** 0.5, abs=1e-9)
    assert found.n_values == len(values)
    assert abs(found.shares[0].old - found.shares[0].new) == pytest.approx(
        max(map(abs, moves.values()))
    )


def test_lengths_are_in_characters_as_python_counts_them(tmp_path: Path) -> None:
    found = compare(tmp_path, [pair(0, "né好")], [pair(0, "n")])
    shift = number(found, "chosen characters")
    assert (shift.old.mean, shift.new.mean) == (3, 1)


def test_languages_are_told_from_the_answers(tmp_path: Path) -> None:
    english = "The weather was nice today and we went for a long walk along the river."
    german = "Das Wetter war heute schön und wir gingen lange am Fluss entlang spazieren."
    old, new = ([pair(n, text) for n in range(30)] for text in (english, german))
    found = category(compare(tmp_path, old, new), "language")
    assert {share.value: (share.old, share.new) for share in found.shares} == {
        "en": (1.0, 0.0),
        "de": (0.0, 1.0),
    }
    assert (found.v, found.words, found.sampled) == (pytest.approx(1), "large", True)


def test_a_column_that_one_side_lacks_is_named_and_the_rest_compared(tmp_path: Path) -> None:
    fewer = {"dpo": tuple(column for column in COLUMNS["dpo"] if column != SOURCE)}
    old = dataset(tmp_path / "old", dpo=[pair(0)])
    new = dataset(tmp_path / "new", columns=fewer, dpo=[pair(0)])
    (found,) = diff_datasets(old, new).configs
    assert (found.columns_dropped, found.columns_added, found.changed) == (("source",), (), 0)
    (found,) = diff_datasets(new, old).configs
    assert (found.columns_dropped, found.columns_added) == ((), ("source",))


def test_an_empty_side_has_no_shift_and_no_invented_number(tmp_path: Path) -> None:
    found = compare(tmp_path, [], [pair(0)])
    assert (found.added, found.dropped, found.compared) == (1, 0, 0)
    shift = number(found, "margin")
    assert (shift.old.n, shift.old.mean, shift.distance, shift.words) == (0, None, None, None)
    assert {each.distance for each in found.categories} == {None}


def test_figures_stand_side_by_side(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", figures={"a": 1.0, "b": 2.0}, dpo=[pair(0)])
    new = dataset(tmp_path / "new", figures={"b": 3.0, "c": 4.0}, dpo=[pair(0)])
    found = {f.name: (f.old, f.new) for f in diff_datasets(old, new).figures}
    assert found == {"a": (1.0, None), "b": (2.0, 3.0), "c": (None, 4.0)}


def test_configs_that_one_side_has_are_named(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", dpo=[pair(0)], kto=[answer(0)])
    new = dataset(tmp_path / "new", dpo=[pair(0)])
    found = diff_datasets(old, new)
    assert (found.configs_dropped, found.configs_added) == (("kto",), ())
    assert diff_datasets(new, old).configs_added == ("kto",)


def test_without_a_config_in_common_there_is_nothing_to_compare(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", dpo=[pair(0)])
    new = dataset(tmp_path / "new", kto=[answer(0)])
    with pytest.raises(InputError, match="the one has dpo, the other kto"):
        diff_datasets(old, new)


def test_files_that_are_missing_damaged_or_changed_are_said_to_be(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", dpo=[pair(0)])
    new = dataset(tmp_path / "new", dpo=[pair(0), pair(1)])
    lying = replace(new, manifest={**new.manifest, "configs": old.manifest["configs"]})
    with pytest.raises(InputError, match="`dpo` has 2 rows and its manifest says 1"):
        diff_datasets(old, lying)
    (shard,) = new.shards("dpo", "train")
    shard.write_bytes(b"not Parquet")
    with pytest.raises(InputError, match=r"`dpo` of .* cannot be compared"):
        diff_datasets(old, new)
    shard.unlink()
    with pytest.raises(InputError, match="there is no file of it"):
        diff_datasets(old, new)


def test_a_row_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", dpo=[pair(0)])
    new = dataset(tmp_path / "new", dpo=[pair(0), pair(0, "other")])
    with pytest.raises(InputError, match="`dpo` has 1 rows whose row_id another one has"):
        diff_datasets(old, new)


def test_a_folder_may_be_called_anything(tmp_path: Path) -> None:
    old = dataset(tmp_path / "o'ld [1]*", dpo=[pair(0)])
    new = dataset(tmp_path / 'new "2" ?', dpo=[pair(0)])
    (found,) = diff_datasets(old, new).configs
    assert found.same == 1
