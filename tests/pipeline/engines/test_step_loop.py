"""Many threads, one engine: a made-up engine that is stepped like vLLM's."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engines.step_loop import News, Sampled, StepLoop
from schemas.errors import EngineDied


class Refused(ValueError):
    pass


@dataclass
class Counting:
    """Gives each request as many tokens as its parameter says, one a step, `slots` at a time."""

    slots: int = 4
    fail_at_step: int = -1
    running: dict[str, list[int]] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)

    def add_request(self, request_id: str, prompt: dict[str, list[int]], params: int) -> None:
        self.threads.add(threading.get_ident())
        if params < 1:
            raise Refused("no token asked for")
        self.running[request_id] = [params, 0]

    def step(self) -> list[Any]:
        self.threads.add(threading.get_ident())
        self.gate.wait()
        if len(self.batches) == self.fail_at_step:
            raise MemoryError("out of memory")
        batch = list(self.running)[: self.slots]
        self.batches.append(len(batch))
        return [self.advance(request_id) for request_id in batch]

    def advance(self, request_id: str) -> Any:
        state = self.running[request_id]
        state[1] += 1
        finished = state[1] == state[0]
        if finished:
            del self.running[request_id]
        piece = SimpleNamespace(text="x", token_ids=[7])
        return SimpleNamespace(request_id=f"{request_id}-ab", outputs=[piece], finished=finished)

    def abort_request(self, request_ids: list[str]) -> None:
        self.aborted += request_ids
        for request_id in request_ids:
            self.running.pop(request_id, None)

    def has_unfinished_requests(self) -> bool:
        return bool(self.running)


@dataclass
class Served:
    engine: Counting
    loop: StepLoop
    closed: list[int]


def start(engine: Counting, open_gate: bool = True) -> Served:
    closed: list[int] = []
    if open_gate:
        engine.gate.set()
    loop = StepLoop(
        lambda: engine, lambda: closed.append(1), lambda: (Refused,), lambda requests, tokens: None
    )
    return Served(engine, loop, closed)


@pytest.fixture
def served() -> Iterator[Served]:
    made = start(Counting())
    yield made
    made.loop.close()


def tokens_by_place(news: Iterator[News]) -> dict[int, Any]:
    return {
        place: end if isinstance(end, Exception) else end.n_tokens
        for item in news
        for place, end in item.ended
    }


def test_every_job_gets_its_own_answer(served: Served) -> None:
    lengths = [3, 1, 4, 1, 5, 9, 2, 6]
    assert tokens_by_place(served.loop.serve([([1], n) for n in lengths])) == dict(
        enumerate(lengths)
    )


def test_a_refused_job_is_told_and_the_others_go_on(served: Served) -> None:
    found = tokens_by_place(served.loop.serve([([1], 2), ([1], 0), ([1], 3)]))
    assert (found[0], found[2]) == (2, 3)
    assert isinstance(found[1], Refused)


def test_what_a_pooling_model_computed_comes_whole_and_counts_no_token() -> None:
    engine = Counting()
    pooled = SimpleNamespace(data=[0.5])
    engine.advance = lambda request_id: (  # type: ignore[method-assign]
        engine.running.pop(request_id)
        and SimpleNamespace(request_id=request_id, outputs=pooled, finished=True)
    )
    served = start(engine)
    (news,) = served.loop.serve([([1], 1)])
    served.loop.close()
    ((place, sampled),) = news.ended
    assert (place, news.tokens) == (0, 0)
    assert isinstance(sampled, Sampled)
    assert sampled.last.outputs is pooled


def test_no_jobs_are_no_work(served: Served) -> None:
    assert list(served.loop.serve([])) == []


def test_calls_share_the_batch_and_a_long_answer_keeps_nobody_waiting() -> None:
    engine = Counting(slots=4)
    served = start(engine, open_gate=False)
    calls = [[40, 1, 1, 1], [1, 1, 1, 1], [40, 1, 1, 1], [1] * 200]
    with ThreadPoolExecutor(4) as threads:
        futures = [
            threads.submit(lambda c=call: tokens_by_place(served.loop.serve([([1], n) for n in c])))
            for call in calls
        ]
        engine.gate.set()
        found = [future.result() for future in futures]
    served.loop.close()
    assert found == [dict(enumerate(call)) for call in calls]
    total = sum(map(sum, calls))
    # One call after another would take 40 + 1 + 40 + 50 steps, the first ones nearly empty.
    assert len(engine.batches) < 100
    assert sum(engine.batches) == total
    assert len(engine.threads) == 1, "an engine lives in one thread"


def test_a_call_that_is_given_up_is_aborted() -> None:
    engine = Counting(slots=9)
    served = start(engine)
    call = served.loop.serve([([1], 1), ([1], 10**9)])
    next(call)
    call.close()  # type: ignore[attr-defined]
    assert tokens_by_place(served.loop.serve([([1], 3)])) == {0: 3}
    served.loop.close()
    assert engine.aborted == ["r2"]


def test_a_broken_engine_is_told_to_every_call_and_to_later_ones() -> None:
    served = start(Counting(fail_at_step=2))
    with pytest.raises(EngineDied, match="MemoryError: out of memory"):
        list(served.loop.serve([([1], 5)]))
    with pytest.raises(EngineDied, match="out of memory"):
        list(served.loop.serve([([1], 5)]))
    served.loop.close()
    assert served.closed == [1]


def test_an_engine_that_forgets_a_request_counts_as_broken() -> None:
    engine = Counting()
    engine.has_unfinished_requests = lambda: False  # type: ignore[method-assign]
    served = start(engine)
    with pytest.raises(EngineDied, match="did not answer every request"):
        list(served.loop.serve([([1], 1)]))
    served.loop.close()


def test_an_engine_that_cannot_be_opened_says_why() -> None:
    def refuse() -> Counting:
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        StepLoop(refuse, lambda: None, lambda: (), lambda requests, tokens: None)
