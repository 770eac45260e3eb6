"""All that looks on at one run: set up before it, told of its end after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.command import masked
from pipeline.runtime.event_log import EventLog
from pipeline.runtime.events import Events
from pipeline.runtime.history import history_path
from pipeline.runtime.in_flight import InFlight, in_flight_path
from pipeline.runtime.metrics import MetricsServer, RunCollector
from pipeline.runtime.progress import Progress
from pipeline.runtime.summary import Summary
from schemas.errors import InputError, PrefmillError

_BUG_EXIT = 1
_INTERRUPTED_EXIT = 130


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What the user wants to see.

    Attributes:
        quiet: warnings only.
        events: file for events, `-` for standard output.
        metrics: `PORT` or `HOST:PORT` to serve Prometheus metrics at.
    """

    quiet: bool = False
    events: str | None = None
    metrics: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Those who look on at a run.

    Attributes:
        progress: the listener to give to the run.
    """

    progress: Progress
    events: Events
    in_flight: InFlight

    def finish(self, summary: Summary) -> Summary:
        """The run is complete: add what was seen to its summary, and say so in the events."""
        self.in_flight.close(finished=True)
        told = summary.with_pace(self.progress.tally, self.in_flight.repeated_tokens)
        self.events.ended(0, None, told.repeated_tokens, told.as_json())
        return told

    def fail(self, error: BaseException) -> None:
        """The run ended before its time."""
        self.in_flight.close(finished=False)
        known = isinstance(error, PrefmillError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        self.events.ended(_exit_code(error), message, self.in_flight.repeated_tokens, None)


@contextmanager
def watching(name: str, out: Path, command: list[str], options: WatchOptions) -> Iterator[Watch]:
    """Look on while the block runs.

    Args:
        name: of the recipe.
        command: the words of the command line after `prefmill`.

    Raises:
        InputError: events or metrics cannot go where the options say.
    """
    progress = Progress(quiet=options.quiet)
    console, tally = progress.console, progress.tally
    with ExitStack() as closing:
        closing.callback(console.close)
        history = EventLog(history_path(out), console.warn)
        log = _open_log(options.events, out, console.warn)
        for opened in (history, log):
            if opened is not None:
                closing.callback(opened.close)
        in_flight = InFlight(in_flight_path(out), console.say, console.warn, tally.clock)
        if options.metrics is not None:
            collector = RunCollector(tally, lambda: in_flight.repeated_tokens)
            server = MetricsServer(collector, options.metrics)
            closing.callback(server.close)
            progress.say(f"metrics: {server.url}")
        watch = Watch(progress, Events(tally, history, log), in_flight)
        progress.listeners += [watch.in_flight, watch.events]
        watch.events.started(name, out, masked(command))
        try:
            yield watch
        except BaseException as error:  # the end is told whatever it was, Ctrl-C included
            watch.fail(error)
            raise


def _open_log(where: str | None, out: Path, warn: Callable[[str], None]) -> EventLog | None:
    if where is None:
        return None
    if where == "-":
        return EventLog(None, warn)
    path = Path(where)
    if path.resolve().is_relative_to(out.resolve()):
        raise InputError(
            f"--events {where} lies in the output folder, where only prefmill's own files may be. "
            f"Name a file elsewhere; {history_path(out)} is kept in any case."
        )
    log = EventLog(path, warn)
    try:
        log.open()
    except OSError as error:
        raise InputError(
            f"--events {where} cannot be opened: {error.strerror}. Name a file that can be "
            "written, or - for standard output."
        ) from error
    return log


def _exit_code(error: BaseException) -> int:
    """What `pipeline.cli.main` makes of it."""
    if isinstance(error, PrefmillError):
        return error.exit_code
    return _INTERRUPTED_EXIT if isinstance(error, KeyboardInterrupt) else _BUG_EXIT
