"""One thread that steps an engine, fed by many.

An engine with continuous batching has to be stepped by someone, and only one at a time. Here a
thread of its own opens it, steps it and closes it, while calls from other threads come and go: a
call that waits for its last answers shares the batch with the next ones, which so never drains.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.engines.base import ProgressHook
from schemas.errors import EngineDied

_SECONDS_BETWEEN_NEWS = 0.5

Job = tuple[list[int], Any]
"""Token ids of a prompt and the engine's own sampling or pooling parameters."""


class Engine(Protocol):
    """What vLLM's LLMEngine offers."""

    def add_request(self, request_id: str, prompt: Any, params: Any) -> Any:
        """Take on a request; raises for one that it refuses."""
        ...

    def step(self) -> list[Any]:
        """Do one forward pass; returns what came of it."""
        ...

    def abort_request(self, request_ids: list[str]) -> None:
        """Forget requests."""
        ...

    def has_unfinished_requests(self) -> bool:
        """Whether there is anything to step for."""
        ...


@dataclass
class Sampled:
    """What came for one request so far, put together from the engine's pieces.

    Attributes:
        last: the latest piece; has what does not come in pieces, e.g. prompt_logprobs or what a
            pooling model computed.
    """

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    last: Any = None

    @property
    def n_tokens(self) -> int:
        """Tokens sampled."""
        return len(self.token_ids)

    def take(self, output: Any) -> int:
        """Add a piece; returns its tokens."""
        self.last = output
        if not isinstance(output.outputs, list):  # a pooling model samples nothing
            return 0
        piece = output.outputs[0]
        self.text += piece.text
        self.token_ids += piece.token_ids
        return len(piece.token_ids)


@dataclass(frozen=True, slots=True)
class News:
    """What a step brought for one call.

    Attributes:
        tokens: sampled for it.
        ended: requests that are through, by their place in the call; an exception where the
            engine refused one.
    """

    tokens: int
    ended: list[tuple[int, Sampled | Exception]]


@dataclass(eq=False)
class _Call:
    """A call and what is on its way to it: told at ends, else a few times a second.

    The thread that calls wakes up for news, which takes a core from an engine on a CPU.
    """

    jobs: Sequence[Job]
    news: queue.SimpleQueue[News | EngineDied] = field(default_factory=queue.SimpleQueue)
    given_up: bool = False
    untold: int = 0
    told_at: float = 0.0

    def tell(self, tokens: int, ended: list[tuple[int, Sampled | Exception]], now: float) -> None:
        """Note what a step brought."""
        self.untold += tokens
        if ended or now - self.told_at > _SECONDS_BETWEEN_NEWS:
            self.news.put(News(self.untold, ended))
            self.untold, self.told_at = 0, now


@dataclass(slots=True)
class _Request:
    call: _Call
    place: int
    sampled: Sampled = field(default_factory=Sampled)


class StepLoop:
    """A running engine and its thread."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        close_engine: Callable[[], None],
        refusals: Callable[[], tuple[type[Exception], ...]],
        beat: ProgressHook,
    ) -> None:
        """Open the engine.

        Args:
            open_engine, close_engine: called in the loop's thread, to which an engine's own
                threads may be bound.
            refusals: what the engine raises for a request that it does not take.
            beat: told (0, 0) at every step.

        Raises:
            Exception: whatever `open_engine` raised.
        """
        self._refusals = refusals
        self._beat = beat
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._requests: dict[str, _Request] = {}
        self._submitted = 0
        self._death: EngineDied | None = None
        opened: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(open_engine, close_engine, opened), name="engine", daemon=True
        )
        self._thread.start()
        if (error := opened.get()) is not None:
            raise error

    def serve(self, jobs: Sequence[Job]) -> Iterator[News]:
        """Have all jobs done beside those of other calls; yields until every one is through.

        Raises:
            EngineDied: the engine broke.
        """
        call, waiting = _Call(jobs), len(jobs)
        if waiting:
            self._inbox.put(call)
        try:
            while waiting:
                news = self._next_news(call)
                waiting -= len(news.ended)
                yield news
        finally:
            call.given_up = True  # interrupted or broken: what is left of it is aborted

    def close(self) -> None:
        """Close the engine; calls that wait get EngineDied."""
        self._inbox.put(None)
        self._thread.join()

    def _next_news(self, call: _Call) -> News:
        while True:
            try:
                news = call.news.get(timeout=1.0)
            except queue.Empty:
                if self._death is None:
                    continue
                news = self._death  # it broke before it took the call
            if isinstance(news, EngineDied):
                raise EngineDied(str(news))
            return news

    # -- in the loop's thread ---------------------------------------------------------------

    def _run(
        self,
        open_engine: Callable[[], Engine],
        close_engine: Callable[[], None],
        opened: queue.SimpleQueue[BaseException | None],
    ) -> None:
        try:
            engine = open_engine()
        except BaseException as error:  # raised again by whoever opens the loop
            opened.put(error)
            return
        opened.put(None)
        try:
            while self._take_calls(engine):
                self._step(engine)
        except Exception as error:  # whatever broke it, a half-stepped engine cannot go on
            self._die(f"the engine failed: {type(error).__name__}: {error}")
            with suppress(Exception):  # what is left of a broken engine may not close, either
                close_engine()
        else:
            self._die("the engine was closed")
            close_engine()

    def _take_calls(self, engine: Engine) -> bool:
        """Take what came in, waiting for it if there is nothing else to do; False to end."""
        while True:
            try:
                call = self._inbox.get(block=not self._requests)
            except queue.Empty:
                return True
            if call is None:
                return False
            self._add(engine, call)

    def _add(self, engine: Engine, call: _Call) -> None:
        refused: list[tuple[int, Sampled | Exception]] = []
        for place, (prompt, params) in enumerate(call.jobs):
            self._submitted += 1
            own_id = f"r{self._submitted}"  # the engine takes repeated ids without a word
            try:
                engine.add_request(own_id, {"prompt_token_ids": prompt}, params)
            except self._refusals() as error:
                refused.append((place, error))
            else:
                self._requests[own_id] = _Request(call, place)
        if refused:
            call.news.put(News(0, refused))

    def _step(self, engine: Engine) -> None:
        if not engine.has_unfinished_requests():
            raise RuntimeError("it has nothing left to do and did not answer every request")
        outputs = engine.step()
        self._beat(0, 0)
        tokens: dict[_Call, int] = {}
        ended: dict[_Call, list[tuple[int, Sampled | Exception]]] = {}
        for output in outputs:
            own_id = self._own_id(output.request_id)
            request = self._requests[own_id]
            taken = request.sampled.take(output)
            tokens[request.call] = tokens.get(request.call, 0) + taken
            if output.finished:
                del self._requests[own_id]
                ended.setdefault(request.call, []).append((request.place, request.sampled))
        now = time.monotonic()
        for call, count in tokens.items():
            call.tell(count, ended.get(call, []), now)
        self._abort_given_up(engine)

    def _abort_given_up(self, engine: Engine) -> None:
        doomed = [own_id for own_id, request in self._requests.items() if request.call.given_up]
        if doomed:
            engine.abort_request(doomed)
            for own_id in doomed:
                del self._requests[own_id]

    def _own_id(self, request_id: str) -> str:
        """Our id of a request; newer versions append a suffix of their own."""
        return request_id if request_id in self._requests else request_id.rsplit("-", 1)[0]

    def _die(self, message: str) -> None:
        self._death = EngineDied(message)
        for call in {request.call for request in self._requests.values()}:
            call.news.put(self._death)
        self._requests.clear()
