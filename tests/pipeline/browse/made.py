"""Datasets to look at, and a server that shows them, for tests."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import uvicorn

from pipeline.browse.desk import Desk
from pipeline.browse.serve import HOST, open_port
from pipeline.browse.server import make_app
from pipeline.dataset.card import RunFacts
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from schemas.arrow import arrow_schema
from schemas.columns import ROW_ID, Column
from schemas.layouts import ORDER
from schemas.recipe import Splits
from stages import export_dpo, export_kto, export_ranking, export_sft

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'> "
    "\u202egnp.exe\u202c \x00\x1b[31m \u200b </textarea>{{7*7}} javascript:alert(1) "
    "\U0001f468\u200d\U0001f469\u200d\U0001f467"
)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def pair_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of `dpo`: margins rise with the number, sources take turns."""
    return {
        "row_id": f"{number:032x}",
        "prompt": user(f"Question {number}: how does a mill work?"),
        "chosen": assistant(f"The mill grinds corn {number} between two heavy stones."),
        "rejected": assistant(f"The mill grinds wheat {number} between two stones."),
        "score_chosen": 1.0 + number,
        "score_rejected": 1.0,
        "margin": float(number),
        "p_chosen": 0.75,
        "labeller": "judge",
        "chosen_model": "policy:small",
        "rejected_model": "policy:small",
        "source": f"source {number % 3}",
        "lineage": [{"stage": "pair", "row_id": "f" * 32}],
        "label_smoothing": None,
        **changes,
    }


def answer_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of `kto`."""
    return {
        "row_id": f"a{number:031x}",
        "prompt": user(f"Question {number}?"),
        "completion": assistant(f"Answer {number}."),
        "label": number % 2 == 0,
        "score": float(number),
        "labeller": "judge",
        "response_id": "r",
        "model": "policy:small",
        "source": "source 0",
        "lineage": [],
        **changes,
    }


def ranking_row(number: int) -> dict[str, Any]:
    """A row of `ranking`."""
    return {
        "row_id": f"b{number:031x}",
        "prompt": user(f"Question {number}?"),
        "completions": ["best", "middle", "worst"],
        "scores": [3.0, 2.0, 1.0],
        "response_ids": ["1", "2", "3"],
        "models": ["m1", "m2", "m1"],
        "labeller": "judge",
        "source": "source 0",
        "lineage": [],
    }


def text_row(number: int) -> dict[str, Any]:
    """A row of `sft` with `plain: true`."""
    return {"row_id": f"c{number:031x}", "text": f"A text {number}.", "source": "s", "lineage": []}


def columns_of(config: str) -> tuple[Column, ...]:
    plain = export_sft.STAGE.fitted
    assert plain is not None
    writes = {
        "dpo": export_dpo.STAGE.writes,
        "kto": export_kto.STAGE.writes,
        "ranking": export_ranking.STAGE.writes,
        "sft": plain(export_sft.Config(plain=True)).writes,
    }[config]
    return tuple(column for column in writes if column is not ORDER)


def make_dataset(
    out: Path, configs: dict[str, Sequence[dict[str, Any]]], splits: Splits | None = None
) -> Path:
    """Write a dataset with these rows; returns its folder."""

    def rows_of(config: str) -> ConfigRows:
        columns = columns_of(config)
        schema = arrow_schema((ROW_ID, *columns))
        table = pa.Table.from_pylist(list(configs[config]), schema=schema)
        return ConfigRows(columns, lambda: [table])

    run = RunFacts(name="made", recipe="name: made", versions={"prefmill": "1"})
    written = {name: rows_of(name) for name in configs}
    return write_dataset(out, written, run, Release(splits=splits or Splits()))


@contextmanager
def running(desk: Desk) -> Iterator[int]:
    """Serve it on a free port of this machine, which is given."""
    with open_port(0) as listener:
        port = int(listener.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(make_app(desk, port), log_level="error", lifespan="off")
        )
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


def request(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body, read as JSON where it is."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        given = {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    is_json = given.get("content-type", "").startswith("application/json")
    return answer.status, given, json.loads(content) if is_json else content.decode()
