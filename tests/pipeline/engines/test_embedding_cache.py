"""A text's vector is computed once, whatever happens to the file that keeps it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import zlib
from array import array
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.embedding_cache import EmbeddingCache, cache_of, text_key
from schemas.models import Embedding, EmbedRequest, Failure
from schemas.recipe import ModelPlacement
from tests.pipeline.rigs import spec


class Model:
    """Gives a text a vector of its own, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        self.asked += [request.text for request in requests]
        return [_answer(request) for request in requests]


def _answer(request: EmbedRequest) -> Embedding | Failure:
    if request.text.startswith("fail"):
        return Failure(request.request_id, "timeout", "late")
    vector = array("f", [zlib.crc32(request.text.encode()) / 2**32, len(request.text)])
    return Embedding(request.request_id, vector, len(request.text) + 2, n_truncated=1)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, told: list[str]) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "embeddings" / "model.sqlite", told.append)


def requests(*texts: str) -> list[EmbedRequest]:
    return [EmbedRequest(f"r{i}", text) for i, text in enumerate(texts)]


def test_what_is_known_is_not_asked_again(cache: EmbeddingCache, told: list[str]) -> None:
    model = Model()
    first = cache.embed(requests("a", "b"), model)
    again = cache.embed(requests("b", "c", "a"), model)
    assert model.asked == ["a", "b", "c"]
    assert first == [_answer(request) for request in requests("a", "b")]
    assert [one.n_cached_tokens for one in again if isinstance(one, Embedding)] == [3, 0, 3]
    plain = [replace(one, n_cached_tokens=0) for one in again if isinstance(one, Embedding)]
    assert plain == [_answer(request) for request in requests("b", "c", "a")]
    assert told == []


def test_a_text_that_comes_twice_is_asked_once(cache: EmbeddingCache) -> None:
    model = Model()
    results = cache.embed(requests("a", "a", "fail", "fail"), model)
    assert model.asked == ["a", "fail"]
    assert [result.request_id for result in results] == ["r0", "r1", "r2", "r3"]
    assert [getattr(one, "n_cached_tokens", None) for one in results] == [0, 3, None, None]


def test_failures_are_not_kept(cache: EmbeddingCache) -> None:
    model = Model()
    for _ in range(2):
        (result,) = cache.embed(requests("fail"), model)
        assert isinstance(result, Failure)
    assert model.asked == ["fail", "fail"]


def test_nothing_asked_makes_no_file(cache: EmbeddingCache) -> None:
    assert cache.embed([], Model()) == []
    assert not cache.path.exists()


@given(st.lists(st.text(), max_size=8))
def test_any_text_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    kept = EmbeddingCache(tmp_path_factory.mktemp("any") / "m.sqlite", pytest.fail)
    first, second = Model(), Model()
    kept.embed(requests(*texts), first)
    kept.embed(requests(*texts), second)
    wanted = {text for text in texts if not text.startswith("fail")}
    assert sorted(first.asked) == sorted(set(texts))
    assert set(second.asked) == set(texts) - wanted


def test_keys_tell_texts_apart_and_take_half_characters() -> None:
    assert len({text_key(text) for text in ("", " ", "a", "A", "\ud800", "a\n")}) == 6


def damage_start(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"no database at all")


def damage_pages(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


@pytest.mark.parametrize("damage", [damage_start, damage_pages, cut])
def test_a_damaged_file_is_set_aside_and_begun_anew(
    cache: EmbeddingCache, told: list[str], damage
) -> None:
    texts = [f"text {i}" for i in range(300)]
    cache.embed(requests(*texts), Model())
    damage(cache.path)
    again = Model()
    results = cache.embed(requests(*texts), again)
    plain = [replace(one, n_cached_tokens=0) for one in results if isinstance(one, Embedding)]
    assert plain == [_answer(request) for request in requests(*texts)]
    assert len(told) == 1 and "is damaged" in told[0] and "begun anew" in told[0]
    aside = cache.path.with_name(f"{cache.path.name}.damaged-1")
    assert str(aside) in told[0] and aside.exists()
    third = Model()
    cache.embed(requests(*texts), third)
    assert third.asked == [] and again.asked == texts


def test_an_empty_file_is_filled(cache: EmbeddingCache, told: list[str]) -> None:
    cache.path.parent.mkdir()
    cache.path.touch()
    cache.embed(requests("a"), Model())
    model = Model()
    cache.embed(requests("a"), model)
    assert (model.asked, told) == ([], [])


def test_a_flipped_bit_costs_one_vector(cache: EmbeddingCache, told: list[str]) -> None:
    cache.embed(requests("a", "b"), Model())
    with closing(sqlite3.connect(cache.path)) as db, db:
        db.execute(
            "UPDATE vectors SET vector = x'0000803f0000803f' WHERE text = ?", [text_key("a")]
        )
    model = Model()
    results = cache.embed(requests("a", "b"), model)
    assert model.asked == ["a"]
    assert results[0] == _answer(EmbedRequest("r0", "a"))
    cache.embed(requests("a"), again := Model())
    assert (again.asked, told) == ([], [])


def test_a_folder_that_cannot_be_written_is_gone_without(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    cache = EmbeddingCache(tmp_path / "embeddings" / "model.sqlite", told.append)
    assert cache.embed(requests("a"), Model()) == [_answer(EmbedRequest("r0", "a"))]
    assert told and all("cannot be used" in message for message in told)


def fill(path: Path, start: int) -> tuple[int, list[str]]:
    """What one process does: texts of its own, and some that the others have, too."""
    told: list[str] = []
    model = Model()
    cache = EmbeddingCache(path, told.append)
    for batch in range(10):
        texts = [f"shared {batch} {i}" for i in range(20)]
        texts += [f"own {start} {batch} {i}" for i in range(20)]
        results = cache.embed(requests(*texts), model)
        for request, result in zip(requests(*texts), results, strict=True):
            assert isinstance(result, Embedding)
            assert replace(result, n_cached_tokens=0) == _answer(request)
    return len(model.asked), told


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "embeddings" / "model.sqlite"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        done = pool.starmap(fill, [(path, start) for start in range(3)], chunksize=1)
    assert [told for _, told in done] == [[], [], []]
    assert all(200 <= asked <= 400 for asked, _ in done)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (200 + 3 * 200,)


def spoil_and_fill(path: Path, start: int) -> list[str]:
    """As `fill`, on a file that was damaged before all of them began."""
    return fill(path, start)[1]


def test_several_processes_find_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "model.sqlite"
    path.write_bytes(os.urandom(20_000))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        told = pool.starmap(spoil_and_fill, [(path, start) for start in range(3)], chunksize=1)
    assert sum("is damaged" in message for messages in told for message in messages) == 1
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    model = Model()
    EmbeddingCache(path, pytest.fail).embed(requests("shared 9 19"), model)
    assert model.asked == []


def test_each_model_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path))
    one, other = spec("one", "transformers"), spec("other", "transformers")
    servers = [
        replace(spec("m", "openai"), placement=ModelPlacement(base_url=f"http://{host}/v1"))
        for host in ("a", "b")
    ]
    caches = [cache_of(which, pytest.fail) for which in (one, other, *servers)]
    assert len({cache.path for cache in caches if cache}) == 4
    assert cache_of(spec("s", "scripted"), pytest.fail) is None
