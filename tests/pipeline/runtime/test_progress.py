"""What a person is told."""

import io

import pytest

from pipeline.runtime.progress import Pace, Progress, duration


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


def test_the_pace_counts_requests_tokens_and_what_is_left() -> None:
    pace = Pace("respond", parts=3, parts_done=1, started=0.0, rows=8)
    pace.take({"loading": "policy:smol"}, now=0.0)
    assert pace.line(now=1.0) == "respond · part 2/3 · 8 rows · loading policy:smol"
    pace.take({"expect": 40}, now=10.0)
    assert pace.left_s(now=12.0) is None, "nothing served yet: no guess"
    pace.take({"requests": 10, "tokens": 500}, now=20.0)
    assert pace.left_s(now=20.0) == 30.0
    line = pace.line(now=20.0)
    assert line == "respond · part 2/3 · 8 rows · 10/40 requests · 50 tokens/s · 30 s left"


def test_nothing_is_left_once_all_known_requests_are_served() -> None:
    pace = Pace("judge", 1, 0, 0.0)
    pace.take({"expect": 4}, now=0.0)
    pace.take({"requests": 4}, now=2.0)
    assert pace.left_s(now=2.0) is None


def test_piped_output_is_plain() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.pace = Pace("magpie", 1, 0, 0.0)
    progress.say("hello")
    progress.tick()
    assert stream.getvalue() == "hello\n"
    assert "\x1b" not in stream.getvalue()


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    Progress(stream, quiet=True).warn("careful")
    assert stream.getvalue() == ""
