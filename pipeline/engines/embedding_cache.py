"""Embeddings kept between runs and recipes: a model computes the vector of a text once.

    <cache>/embeddings/<identity of the model>.sqlite
        BLAKE2b-128 of the text -> float32 vector, its CRC-32, tokens read and cut off

Several processes of one machine may use a file at once. A text takes 4 bytes for each dimension and
some 100 more. The cache is a convenience: a damaged file is set aside and begun anew, one that
cannot be used is gone without, and both are said.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pipeline.engines.base import ModelSpec
from pipeline.files import cache_folder
from schemas.ids import digest
from schemas.models import Embedding, EmbedRequest, Failure

T = TypeVar("T")

Embed = Callable[[Sequence[EmbedRequest]], list[Embedding | Failure]]

_WAIT_S = 60.0
"""How long a process waits for another one that writes."""
_KEYS_AT_ONCE = 500
_TABLE = """CREATE TABLE IF NOT EXISTS vectors (
    text BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL, n_truncated INTEGER NOT NULL)"""


def cache_of(spec: ModelSpec, warn: Callable[[str], None]) -> EmbeddingCache | None:
    """The cache of a model; None for a scripted one, whose vectors cost nothing.

    Two servers may call different models by one name, so a server's address counts.
    """
    if spec.engine == "scripted":
        return None
    identity = digest(spec.fingerprint, spec.placement.base_url or "")
    return EmbeddingCache(cache_folder() / "embeddings" / f"{identity}.sqlite", warn)


def text_key(text: str) -> bytes:
    """What a text is found by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class EmbeddingCache:
    """Vectors of one model in an SQLite file.

    Attributes:
        path: of the file, which need not be there.
        warn: is told what a user should know.
    """

    path: Path
    warn: Callable[[str], None]

    def embed(self, requests: Sequence[EmbedRequest], ask: Embed) -> list[Embedding | Failure]:
        """One result per request; of a text that is not known, `ask` is asked once."""
        keys = [text_key(request.text) for request in requests]
        known = self._find(list(dict.fromkeys(keys)))
        missing: dict[bytes, EmbedRequest] = {}
        for key, request in zip(keys, requests, strict=True):
            if key not in known:
                missing.setdefault(key, request)
        fresh = dict(zip(missing, ask(list(missing.values())) if missing else (), strict=True))
        self._keep({key: one for key, one in fresh.items() if isinstance(one, Embedding)})
        results: list[Embedding | Failure] = []
        for key, request in zip(keys, requests, strict=True):
            result = known.get(key) or fresh[key]
            if result.request_id != request.request_id:
                result = _for_another(result, request.request_id)
            results.append(result)
        return results

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, Embedding]:
        return self._use(lambda db: _find(db, keys), {}) if keys and self.path.exists() else {}

    def _keep(self, found: Mapping[bytes, Embedding]) -> None:
        if found:
            self._use(lambda db: _keep(db, found), None)

    def _use(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """The result of a transaction; `otherwise` where the file cannot be used."""
        for _ in range(2):
            try:
                with closing(self._connect()) as db, db:
                    return action(db)
            except (sqlite3.OperationalError, OSError) as error:  # locked, full, read-only, ...
                self.warn(
                    f"the cache of embeddings {self.path} cannot be used ({error}); the run goes "
                    "on without it"
                )
                return otherwise
            except sqlite3.DatabaseError as error:
                self._set_aside(error)
        return otherwise

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            self._make()
        db = sqlite3.connect(self.path, timeout=_WAIT_S)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(_TABLE)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _make(self) -> None:
        """Make the file under another name: processes that set up one file at once would fail."""
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            if self.path.exists():
                return
            fresh = self.path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with closing(sqlite3.connect(fresh)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(_TABLE)
            fresh.rename(self.path)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        from filelock import FileLock

        with FileLock(self.path.with_suffix(".lock")):
            if self.path.exists() and _is_damaged(self.path):  # no other process was here first
                names = (f"{self.path.name}.damaged-{number}" for number in range(1, 10**6))
                aside = next(p for name in names if not (p := self.path.with_name(name)).exists())
                for ending in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
                self.path.rename(aside)
                self.warn(
                    f"the cache of embeddings {self.path} is damaged ({error}); it is now {aside}, "
                    "and begun anew"
                )


def _for_another(result: Embedding | Failure, request_id: str) -> Embedding | Failure:
    """What is known of a text, as the answer to another request for it."""
    if isinstance(result, Failure):
        return replace(result, request_id=request_id)
    return replace(result, request_id=request_id, n_cached_tokens=result.n_prompt_tokens)


def _find(db: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Embedding]:
    found: dict[bytes, Embedding] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        marks = ",".join("?" * len(some))
        for key, blob, crc, *counts in db.execute(
            f"SELECT text, vector, crc, n_tokens, n_truncated FROM vectors WHERE text IN ({marks})",
            some,
        ):
            if zlib.crc32(blob) == crc:
                found[key] = _embedding(blob, *counts)
            else:  # SQLite itself does not notice a flipped bit; it will be computed again
                db.execute("DELETE FROM vectors WHERE text = ?", (key,))
    return found


def _embedding(blob: bytes, n_tokens: int, n_truncated: int) -> Embedding:
    vector = array("f")
    vector.frombytes(blob)
    return Embedding("", vector, n_tokens, n_truncated, n_cached_tokens=n_tokens)


def _keep(db: sqlite3.Connection, found: Mapping[bytes, Embedding]) -> None:
    rows = []
    for key, result in found.items():
        blob = result.vector.tobytes()
        counts = result.n_prompt_tokens, result.n_truncated
        rows.append((key, blob, zlib.crc32(blob), *counts))
    db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)


def _is_damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as db:
            return [row[0] for row in db.execute("PRAGMA quick_check(1)")] != ["ok"]
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True
