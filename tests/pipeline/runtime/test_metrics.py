"""Metrics, scraped as Prometheus does."""

import socket
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from pipeline.runtime.metrics import MetricsServer, RunCollector
from pipeline.runtime.tally import Tally
from schemas.errors import InputError
from tests.pipeline.runtime.seen import keyed, part


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    tally.opened(keyed("respond"), 4, 1, None)
    return tally


@pytest.fixture
def server(tally: Tally) -> Iterator[MetricsServer]:
    server = MetricsServer(RunCollector(tally, lambda: 70), "0")
    yield server
    server.close()


def scrape(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if x[0] != "#")}


def test_the_counts_of_the_moment(tally: Tally, server: MetricsServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert scrape(server.url)['prefmill_rows_in_total{step="respond"}'] == 0
    tally.workers(3, None)
    tally.tell({"task": "respond/run/2", "expect": 40})
    tally.tell({"task": "respond/run/2", "requests": 10, "tokens": 500})
    tally.part_done(keyed("respond"), part(1))
    tally.part_lost(keyed("respond"), 2, "died", True)
    assert scrape(server.url) == {
        'prefmill_rows_in_total{step="respond"}': 8,
        'prefmill_rows_out_total{step="respond"}': 6,
        'prefmill_rejects_total{step="respond"}': 2,
        'prefmill_parts_done_total{step="respond"}': 1,
        'prefmill_parts_lost_total{step="respond"}': 1,
        'prefmill_requests_total{step="respond"}': 10,
        'prefmill_sampled_tokens_total{step="respond"}': 500,
        'prefmill_parts{step="respond"}': 4,
        "prefmill_workers": 3,
        "prefmill_repeated_tokens_total": 70,
    }


def test_the_port_is_free_afterwards(tally: Tally) -> None:
    for _ in range(2):
        server = MetricsServer(RunCollector(tally, lambda: 0), "0")
        port = server.url.split(":")[2].split("/")[0]
        server.close()
        again = MetricsServer(RunCollector(tally, lambda: 0), f"localhost:{port}")
        again.close()


def test_a_port_in_use_is_named(tally: Tally) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"--metrics {port}: Address already in use"):
            MetricsServer(RunCollector(tally, lambda: 0), str(port))


@pytest.mark.parametrize("address", ["", "port", "70000", "-1", "localhost:", "1.2.3.4"])
def test_what_is_no_address(tally: Tally, address: str) -> None:
    with pytest.raises(InputError, match="neither a port"):
        MetricsServer(RunCollector(tally, lambda: 0), address)


def test_an_address_that_is_not_ours(tally: Tally) -> None:
    with pytest.raises(InputError, match=r"--metrics 192\.0\.2\.1:9464: "):
        MetricsServer(RunCollector(tally, lambda: 0), "192.0.2.1:9464")


def test_a_missing_package_is_said_with_what_to_install(
    tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InputError, match=r'pip install "prefmill\[metrics\]"'):
        MetricsServer(RunCollector(tally, lambda: 0), "0")
