"""The server over real loopback: what it answers, and whom it refuses."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.browse.desk import Desk
from pipeline.browse.marks import MarksFile
from pipeline.browse.serve import HOST, open_port
from schemas.errors import InputError
from tests.pipeline.browse.made import (
    HOSTILE,
    answer_row,
    make_dataset,
    pair_row,
    request,
    running,
    user,
)

JSON = "application/json"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    rows = [pair_row(n) for n in range(120)] + [pair_row(500, prompt=user(HOSTILE))]
    make_dataset(out, {"dpo": rows, "kto": [answer_row(1)]})
    return out


@pytest.fixture(scope="module")
def reader(out: Path) -> Iterator[int]:
    desk = Desk(out)
    with running(desk) as port:
        yield port
    desk.close()


@pytest.fixture(scope="module")
def marker(out: Path) -> Iterator[int]:
    desk = Desk(out, MarksFile(out / "labels.jsonl"))
    with running(desk) as port:
        yield port
    desk.close()


def body(**said: Any) -> bytes:
    return json.dumps({"config": "dpo", "id": pair_row(1)["row_id"], **said}).encode()


def test_the_page_and_what_it_loads(reader: int) -> None:
    status, headers, page = request(reader, "GET", "/")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/html")
    assert "<script>" not in page
    assert "style=" not in page
    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert len(loaded) == 4
    for path in loaded:
        status, headers, _ = request(reader, "GET", path)
        assert status == 200
        assert "charset=utf-8" in headers["content-type"]


def test_pages_and_rows(reader: int) -> None:
    status, headers, first = request(reader, "GET", "/api/rows?config=dpo&limit=100")
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert (first["total"], len(first["rows"])) == (121, 100)
    _, _, second = request(reader, "GET", "/api/rows?config=dpo&limit=100&offset=100")
    assert len(second["rows"]) == 21
    row_id = pair_row(500)["row_id"]
    _, _, full = request(reader, "GET", f"/api/row?inConfig=dpo&id={row_id}")
    assert full["record"]["prompt"] == user(HOSTILE)
    _, _, place = request(reader, "GET", f"/api/offset?inConfig=dpo&id={row_id}&config=dpo")
    assert place["offset"] == 120


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/rows?limit=501", "limit: '501' is not a whole number from 0 to 500"),
        ("/api/rows?offset=-1", "offset: '-1'"),
        ("/api/rows?order=backwards", "order: 'backwards' is none of"),
        ("/api/row?inConfig=dpo&id=gone", "there is no row 'gone'"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(reader: int, path: str, said: str) -> None:
    status, _, answer = request(reader, "GET", path)
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    "path", ["/", "/api/start", "/api/rows?limit=x", "/nowhere", "/browser.js", "/../etc/passwd"]
)
def test_every_answer_is_held_to_the_policy(reader: int, path: str) -> None:
    _, headers, _ = request(reader, "GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil"])
def test_another_name_is_refused(reader: int, host: str) -> None:
    for path in ("/", "/api/rows"):
        status, _, answer = request(reader, "GET", path, Host=host)
        assert status in (400, 403)
        assert "Question" not in str(answer)


def test_this_machine_goes_by_two_names(reader: int) -> None:
    status, _, _ = request(reader, "GET", "/api/start", Host=f"localhost:{reader}")
    assert status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_is_refused(marker: int, headers: dict[str, str]) -> None:
    status, _, _ = request(marker, "GET", "/api/start", **headers)
    assert status == 403
    token = request(marker, "GET", "/api/start")[2]["marking"]["token"]
    given = {"Content_Type": JSON, "X_Prefmill_Token": token, **headers}
    status, _, _ = request(marker, "POST", "/api/marks", body(verdict="good"), **given)
    assert status == 403


def test_a_mark_needs_the_token(marker: int, out: Path) -> None:
    for token in ("", "x", "é"):
        headers = {"X_Prefmill_Token": token.encode().decode("latin-1")}
        status, _, _ = request(marker, "POST", "/api/marks", body(verdict="good"), **headers)
        assert status == 403
    assert not (out / "labels.jsonl").exists()
    token = request(marker, "GET", "/api/start")[2]["marking"]["token"]
    assert len(token) > 40
    status, _, saved = request(
        marker, "POST", "/api/marks", body(verdict="good"), X_Prefmill_Token=token
    )
    assert (status, saved["progress"]["good"]) == (200, 1)
    for bad, code in ((b"[]", 400), (b"{", 400), (b"x" * 70_000, 413), (body(verdict="x"), 400)):
        status, _, _ = request(marker, "POST", "/api/marks", bad, X_Prefmill_Token=token)
        assert status == code
    assert len((out / "labels.jsonl").read_text().splitlines()) == 1


def test_a_view_for_reading_has_no_token_and_takes_no_mark(reader: int) -> None:
    assert "marking" not in request(reader, "GET", "/api/start")[2]
    assert request(reader, "POST", "/api/marks", body(verdict="good"))[0] == 403
    for method in ("PUT", "DELETE", "POST"):
        assert request(reader, method, "/api/rows")[0] == 405


def test_many_ask_at_once(reader: int) -> None:
    paths = [f"/api/rows?config=dpo&order=-margin&minMargin={n}&text=mill" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: request(reader, "GET", path), paths))
    assert [status for status, _, _ in answers] == [200] * 24


def test_only_this_machine_is_listened_to() -> None:
    with open_port(0) as listener:
        address, port = listener.getsockname()[:2]
        assert address == HOST == "127.0.0.1"
        with pytest.raises(InputError, match=f"--port {port}: cannot be used: .*in use"):
            open_port(port)
    with open_port(port), socket.create_connection((HOST, port)):
        pass
