"""`prefmill audit --scaling`: what it reads, says and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit.plateau import Point, win_rate
from pipeline.audit.scaling import make_scaling, scaling_text
from pipeline.cli.main import main

HH = (83.1681, 18.2681, 0.3)
OASST = (24.6601, 8.4452, 0.02)


def curve(*parameters: float) -> list[Point]:
    return [Point(share, win_rate(share, *parameters)) for share in (0, 3.5, 10, 25, 50, 75, 100)]


def csv(path: Path, points: list[Point]) -> Path:
    lines = [f"{point.share},{point.win_rate!r}" for point in points]
    path.write_text("\n".join(["share,win_rate", *lines]) + "\n")
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["audit", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_published_fit_comes_back_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--scaling", csv(tmp_path / "hh.csv", curve(*HH)))
    fit = found["fit"]
    assert fit["plateau"]["value"] == pytest.approx(83.1681)
    assert fit["start"]["value"] == pytest.approx(18.2681)
    assert fit["rate"]["value"] == pytest.approx(0.3)
    assert fit["needed"]["value"] == pytest.approx(13.909, abs=0.001)
    assert (found["unknown"], found["loss"], found["notes"]) == (None, 1.0, [])


def test_more_loss_needs_less(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = csv(tmp_path / "hh.csv", curve(*HH))
    strict, lax = (told(capsys, "--scaling", path, "--loss", loss) for loss in (1, 5))
    assert lax["fit"]["needed"]["value"] < strict["fit"]["needed"]["value"]


def test_more_than_all_of_the_data_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--scaling", csv(tmp_path / "oasst.csv", curve(*OASST)))
    assert found["fit"]["needed"]["value"] > 100
    assert any("all of the data is not enough" in note for note in found["notes"])


def test_the_text_names_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--scaling", str(csv(tmp_path / "hh.csv", curve(*HH)))]) == 0
    text = capsys.readouterr().out
    for piece in ("hh.csv: 7 points", "83.17 % (83.17 to 83.17)", "13.91 %", "0.3 per %"):
        assert piece in text


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_json_and_errors_are_read(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        {"share": point.share, "win_rate": point.win_rate, "standard_error": 1.5, "seed": 1}
        for point in curve(*HH)
    ]
    path = tmp_path / f"points.{suffix}"
    text = "\n".join(map(json.dumps, records)) if suffix == "jsonl" else json.dumps(records)
    path.write_text(text)
    found = told(capsys, "--scaling", path)
    assert found["points"][0] == {
        "share": 0,
        "win_rate": pytest.approx(HH[1]),
        "error": 1.5,
    }
    assert found["fit"]["plateau"]["low"] < 83 < found["fit"]["plateau"]["high"]


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((10.0, 20.0, 25.0), "4 different shares"),
        ((10.0, 10.0, 10.0, 10.0), "at every share"),
    ],
)
def test_no_curve_and_why(rates: tuple[float, ...], words: str) -> None:
    points = [Point(10.0 * i, rate) for i, rate in enumerate(rates)]
    scaling = make_scaling("x", points, 1)
    assert scaling.fit is None
    assert words in scaling.unknown
    assert f"cannot be had: {scaling.unknown}" in scaling_text(scaling)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((10.0, 12.1, 13.9, 16.1, 17.9), "a straight line agrees"),
        ((40.0, 60.0, 60.1, 59.9, 60.0), "sudden step"),
        ((20.0, 50.0, 20.0, 50.0, 20.0), "every curve agrees"),
        ((10.0, 20.0, 25.0, 24.0, 26.0), "not monotone: 25 % at a share of 40 % and 24 %"),
        ((50.0, 30.0, 22.0, 19.0, 18.0), "the win rate falls"),
    ],
)
def test_what_to_beware_of(rates: tuple[float, ...], words: str) -> None:
    scaling = make_scaling("x", [Point(20.0 * i, rate) for i, rate in enumerate(rates)], 1)
    assert any(words in note for note in scaling.notes), scaling.notes
    assert words in scaling_text(scaling)


def test_errors_that_are_too_small_are_doubted() -> None:
    points = [Point(p.share, p.win_rate + (-1) ** i, 0.1) for i, p in enumerate(curve(*HH))]
    assert any("standard errors" in note for note in make_scaling("x", points, 1).notes)


def test_what_is_not_bounded_is_no_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [Point(x, 10 + x / 5 + (-1) ** (x // 10) / 10) for x in (0, 10, 20, 30, 40)]
    path = csv(tmp_path / "line.csv", line)
    fit = told(capsys, "--scaling", path)["fit"]
    assert (fit["plateau"]["value"], fit["plateau"]["high"]) == (None, None)
    assert main(["audit", "--scaling", str(path)]) == 0
    assert "at least" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("share,win_rate\n", "no points in it"),
        ("share,rate\n1,2\n", "no `win_rate` among `share`, `rate`"),
        ("share,win_rate\n1,two\n", "`win_rate` is 'two'; allowed is a number from 0 up to 100"),
        ("share,win_rate\n101,2\n", "`share` is '101'"),
        ("share,win_rate\n1,nan\n", "`win_rate` is 'nan'"),
        ("share,win_rate\n10,0.2\n20,0.3\n", "write 43.5 for 0.435"),
        ("share,win_rate,standard_error\n1,2,0\n", "a number above 0"),
        ("share,win_rate,standard_error\n1,2,1\n2,3,\n", "1 of 2 points"),
    ],
)
def test_bad_points_are_told(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.csv"
    path.write_text(content)
    assert main(["audit", "--scaling", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_arguments_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = csv(tmp_path / "hh.csv", curve(*HH))
    for arguments, words in (
        ([], "say what to audit"),
        (["--scaling", str(tmp_path / "none.csv")], "no such file"),
        ([str(tmp_path), "--scaling", str(path)], "leave out"),
    ):
        assert main(["audit", *arguments]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["audit", "--scaling", str(path), "--loss", "0"])
