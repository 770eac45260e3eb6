"""`prefmill push` in this process, to a hub on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.dataset.read import DatasetFolder
from pipeline.hub import patience
from tests.hub_server import Hub
from tests.pipeline.hub.published import command

Push = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def push(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Push:
    """Publish and expect an exit code; returns what was printed as JSON, and what was said."""
    hub.use(monkeypatch, tmp_path / "home")
    monkeypatch.setattr(patience, "BACKOFF_S", 0.0)

    def run(dataset: DatasetFolder, *options: str, code: int = 0) -> tuple[dict[str, Any], str]:
        ended = main([*command(dataset, *options), "--json"])
        printed = capsys.readouterr()
        assert ended == code, printed.err
        assert hub.unknown == []
        return json.loads(printed.out or "{}"), printed.err

    return run
