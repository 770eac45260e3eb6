"""What a person is told."""

import io
import re

import pytest

from pipeline.runtime.console import Console, cut, duration, step_line, writable
from pipeline.runtime.tally import Tally
from tests.pipeline.runtime.seen import TOTAL, Clock, keyed, part


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and shows what stands on it."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines = [""]
        for text, move in re.findall(r"([^\x1b]*)(?:\x1b\[(\d+A|J))?", self.getvalue()):
            for piece in re.split(r"(\n|\r)", text):
                if piece == "\n":
                    lines.append("")
                elif piece != "\r":
                    lines[-1] += piece
            if move.endswith("A"):
                # What stands below is erased with the next code, always.
                del lines[-1 - int(move[:-1]) :]
                lines.append("")
        return lines


@pytest.fixture
def clock() -> Clock:
    return Clock()


def console(stream: io.StringIO, clock: Clock, quiet: bool = False) -> Console:
    tally = Tally(clock)
    shown = Console(tally, stream, quiet)
    for number, name in enumerate(("respond", "judge")):
        step = keyed(name, number=number)
        tally.opened(step, 12, 0, None)
        shown.opened(step, 12, 0, None)
    return shown


def work(shown: Console, clock: Clock) -> None:
    """Some of each step, in 10 s."""
    tally = shown._tally
    tally.tell({"task": "respond/run/1", "expect": 40})
    tally.tell({"task": "judge/run/0", "loading": "judge:smol"})
    clock.now += 10
    tally.tell({"task": "respond/run/1", "requests": 20, "tokens": 500})
    tally.part_done(keyed("respond"), part(0))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.44, "0.4 s"),
        (42.4, "42 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


RESPOND = (
    "respond: 1/12 parts, 8 in, 6 out, 2 rejects, 50 tokens/s, 3 min 50 s left, 20/40 requests"
)
JUDGE = "judge: 0/12 parts, loading judge:smol"


def test_the_line_of_a_step(clock: Clock) -> None:
    shown = console(io.StringIO(), clock)
    work(shown, clock)
    assert [step_line(step, clock()) for step in shown._tally.steps] == [RESPOND, JUDGE]


def test_a_terminal_has_one_line_for_each_step_in_hand(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    shown = console(terminal, clock)
    shown.tick()
    work(shown, clock)
    shown.tick()
    assert terminal.screen() == [RESPOND, JUDGE, ""]
    clock.now += 0.1
    shown.tick()
    shown.say("hello")
    assert terminal.screen()[0] == "hello"
    assert [line.split(":")[0] for line in terminal.screen()] == ["hello", "respond", "judge", ""]


def test_the_last_line_of_a_step_stays(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    shown = console(terminal, clock)
    work(shown, clock)
    clock.now += 10
    shown._tally.closed(keyed("respond"), TOTAL)
    shown.closed(keyed("respond"), TOTAL)
    said = "respond: 48 -> 40 rows, 8 rejects (20 s)"
    assert terminal.screen() == [said, JUDGE, ""]
    shown.close()
    assert terminal.screen() == [said, ""]


@pytest.mark.parametrize("columns", [5, 40, 80])
def test_no_live_line_wraps(clock: Clock, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    shown = console(terminal, clock)
    shown.tick()
    work(shown, clock)
    shown.tick()
    assert terminal.screen() == [RESPOND[: columns - 1], JUDGE[: columns - 1], ""]


def test_no_more_live_lines_than_a_terminal_has(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "2")
    terminal = Terminal()
    shown = console(terminal, clock)
    shown.tick()
    work(shown, clock)
    shown.tick()
    assert terminal.screen() == [RESPOND, ""]


def test_elsewhere_plain_lines_come_every_ten_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    shown = console(stream, clock)
    shown.tick()
    work(shown, clock)
    shown.tick()
    clock.now += 9
    shown.tick()
    assert stream.getvalue() == f"{RESPOND}\n{JUDGE}\n"
    clock.now += 1
    shown.tick()
    assert len(stream.getvalue().splitlines()) == 4
    assert "\x1b" not in stream.getvalue()


def test_a_dumb_terminal_gets_plain_lines(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    shown = console(terminal, clock)
    shown.tick()
    work(shown, clock)
    shown.tick()
    assert terminal.getvalue() == f"{RESPOND}\n{JUDGE}\n"


def test_quiet_warns_and_says_nothing_else(clock: Clock) -> None:
    terminal = Terminal()
    shown = console(terminal, clock, quiet=True)
    shown.tick()
    work(shown, clock)
    shown.tick()
    shown.say("hello")
    shown.workers(2, "http://127.0.0.1:8787")
    shown.closed(keyed("respond"), TOTAL)
    shown.part_lost(keyed("respond"), 3, "its worker process died", True)
    assert terminal.getvalue() == (
        "warning: respond, part 3: its worker process died; it will be done again\n"
    )


def test_what_was_done_before_is_said(clock: Clock) -> None:
    stream = io.StringIO()
    shown = console(stream, clock)
    shown.opened(keyed("magpie"), 0, 0, TOTAL)
    shown.opened(keyed("pair"), 12, 5, None)
    assert stream.getvalue() == ("magpie: 40 rows, done before\npair: 5 of 12 parts done before\n")


def test_the_dashboard_is_named_once(clock: Clock) -> None:
    stream = io.StringIO()
    shown = console(stream, clock)
    for live in (1, 2):
        shown.workers(live, "http://127.0.0.1:8787/status")
    assert stream.getvalue() == "dashboard: http://127.0.0.1:8787/status\n"


def test_what_is_said_while_writing_waits_for_the_next_tick(clock: Clock) -> None:
    """As a signal handler does, in the thread that writes."""

    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            if "first" in text:
                shown.say("second")
            return super().write(text)

    stream = Interrupted()
    shown = console(stream, clock)
    shown.say("first")
    assert stream.getvalue() == "first\n"
    shown.tick()
    assert stream.getvalue() == "first\nsecond\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8", None])
def test_any_text_can_be_written_in_any_encoding(encoding: str | None) -> None:
    text = writable("modèle 模型 \udcff", encoding)
    text.encode(encoding or "utf-8")
    assert text.startswith("mod")


def test_a_stream_that_lacks_characters_gets_escapes(clock: Clock) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console(stream, clock).say("loading 模型")  # type: ignore[arg-type]  # a text stream is enough
    assert raw.getvalue() == b"loading \\u6a21\\u578b\n"


def test_wide_characters_take_two_columns() -> None:
    assert cut("模型abc", 5) == "模型a"
    assert cut("模型abc", 3) == "模"
    assert cut("abc", 80) == "abc"
