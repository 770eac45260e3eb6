"""Once to stop politely, twice to stop now."""

import os
import signal
import threading

import pytest

from pipeline.runtime.interrupt import StopSwitch


def test_the_first_signal_asks_and_the_second_insists() -> None:
    said: list[str] = []
    with StopSwitch(lambda: said.append("stopping")) as switch:
        assert not switch.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert switch.asked
        assert said == ["stopping"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSwitch(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_it_leaves_signals_alone() -> None:
    handlers: list[object] = []

    def enter() -> None:
        with StopSwitch(lambda: None):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [before]
