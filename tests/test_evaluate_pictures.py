"""`telldraw evaluate` of what draws single pictures: flags that are for dialogues are refused, and never ignored."""

import pytest

from telldraw.cli import main


@pytest.mark.parametrize(
    "flag", [("--distribution", "inception"), ("--inception", "f.pth"), ("--detector", "detector-iclevr-64")]
)
def test_the_distance_of_single_pictures_is_taken_elsewhere(
    flag: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "tedigan-faces-64", "--data", "faces.telldraw", "--split", "val", *flag]) == 2
    said = capsys.readouterr().err
    assert f"telldraw: {' '.join(flag)} is for drawers of dialogues, and tedigan-faces-64 is of single pictures" in said
    assert "telldraw generate tedigan-faces-64 --n 2048 --folder DRAWN" in said
    assert "telldraw compare faces.telldraw DRAWN --split val --inception FILE has the FID" in said


def test_no_detector_is_no_flag_of_dialogues(capsys: pytest.CaptureFixture[str]) -> None:
    told = [
        "evaluate",
        "tedigan-faces-64",
        "--data",
        "nowhere.telldraw",
        "--detector",
        "none",
        "--distribution",
        "none",
    ]
    assert main(told) == 2
    assert "no data set at nowhere.telldraw" in capsys.readouterr().err
