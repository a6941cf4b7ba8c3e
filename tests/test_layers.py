"""The layer-wise analysis, on a generator whose layers are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from telldraw import weights
from telldraw.cli import main
from telldraw.commands import layers, loading, plotting
from telldraw.errors import WeightsError
from telldraw.metrics.layers import Analysis, analyse, table
from telldraw.text import PADDING, UNKNOWN, Vocabulary


class Known:
    """Four layers of one number: attribute a is there iff layer 1 is positive, b iff layers 2 and 3 are together."""

    def synthesise(self, code: Tensor) -> Tensor:
        return code.permute(0, 2, 1).unsqueeze(2)  # [N, 1, 1, 4]


def judged(pictures: Tensor) -> Tensor:
    layer = pictures[:, 0, 0]
    return torch.stack([layer[:, 1] > 0, layer[:, 2] + layer[:, 3] > 0, layer[:, 0] > 100], 1)


def distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().flatten(1).mean(1)


def test_layers_that_decide_an_attribute_are_found() -> None:
    codes = torch.randn(400, 4, 1, generator=torch.Generator().manual_seed(0))
    found = analyse(Known(), judged, distance, codes)
    assert found.layers == 4 and len(found.runs) == 10
    alone = found.single()
    assert alone[1, 0] == 1 and alone[0, 0] == alone[2, 0] == 0
    assert 0.2 < alone[2, 1] < 0.8 and 0.2 < alone[3, 1] < 0.8
    assert table(found, ("a", "b", "c")) == {"a": [1], "b": [2, 3], "c": [0, 1, 2, 3]}
    assert found.pairs[2] == 0 and np.isnan(alone[:, 2]).all(), "no pair differs in what nothing has"
    everything = found.runs.index((0, 4))
    assert found.flips[everything, :2].tolist() == [1, 1]
    # replacing one of four layers by another N(0, 1) moves a quarter of twice the variance
    assert abs(found.moved[found.runs.index((1, 2))] - 0.5) < 0.15
    assert found.spoiled[found.runs.index((0, 1)), :2].tolist() == [0, 0]


def test_an_easier_reach_takes_fewer_layers() -> None:
    codes = torch.randn(400, 4, 1, generator=torch.Generator().manual_seed(1))
    assert len(analyse(Known(), judged, distance, codes).chosen(1, reach=0.1)) == 1


# --- the command ----------------------------------------------------------------------------------------------------


def loaded(name: str, classes: list[str] | None, folder: Path | None = None) -> weights.Loaded:
    card: dict[str, Any] = {"format": 1, "name": name, "system": "x", "config": {}}
    card |= {} if classes is None else {"classes": classes}
    if folder is not None:
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(card))
    return weights.Loaded(name, torch.nn.Identity(), Vocabulary((PADDING, UNKNOWN)), card, folder)


def measured(pairs: list[int]) -> Analysis:
    """Two layers, the first of which decides everything."""
    runs, ones = ((0, 1), (0, 2), (1, 2)), np.ones(len(pairs))
    flips = np.stack([ones, ones, 0 * ones])
    return Analysis(runs, flips, 0 * flips, np.array([0.1, 0.2, 0.1]), np.array(pairs), 2)


NAMES = ["Smiling", "Young", "Bald", "Male"]


def test_rows_of_few_pairs_are_marked_in_the_table_and_with_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = loaded("mine", NAMES, tmp_path / "weights")
    known = {"mine": mine, "judge": loaded("judge", NAMES)}
    monkeypatch.setattr(loading, "load", lambda given, *_: known[given])
    monkeypatch.setattr(layers, "measured", lambda *_: measured([300, 20, 19, 4]))
    assert main(["layers", "mine", "--judge", "judge", "--out", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()[1:] if line.split()[0] in NAMES]
    assert [row[:3] for row in rows] == [["Smiling", "300", "0"], ["Young", "20", "0"], *(r[:3] for r in rows[2:])]
    assert [row[:4] for row in rows[2:]] == [["Bald", "*", "19", "0"], ["Male", "*", "4", "0-1"]]
    assert "*: fewer than 20 pairs differ in it, which says little of its layers; take more --pairs" in said
    kept = json.loads((tmp_path / "weights" / "config.json").read_text())["layers"]
    assert kept["unsure"] == ["Bald", "Male"] and kept["table"]["Smiling"] == [0]
    monkeypatch.setattr(layers, "measured", lambda *_: measured([300, 20, 20, 40]))
    assert main(["layers", "mine", "--judge", "judge", "--out", str(tmp_path / "b.png")]) == 0
    assert "*" not in capsys.readouterr().out


def test_rows_of_few_pairs_are_marked_in_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotting, "picture", lambda drawn: drawn)
    for pairs, marks in (([300, 19, 4, 0], True), ([300, 20, 40, 0], False)):
        analysis = measured(pairs)
        drawn: Any = layers.figure(analysis, NAMES, table(analysis, NAMES))
        cells = drawn.axes[1]
        mark = " *" if marks else ""
        names = [label.get_text() for label in cells.get_yticklabels()]
        assert names == ["Smiling (300)", f"Young{mark} ({pairs[1]})", f"Bald{mark} ({pairs[2]})"]
        assert ("*: fewer than 20" in cells.get_xlabel()) == marks


def test_what_comes_with_telldraw_is_not_written_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    known = {"faces": loaded("faces", NAMES, tmp_path / "shipped" / "faces"), "judge": loaded("judge", NAMES)}
    monkeypatch.setattr(loading, "load", lambda given, *_: known[given])
    monkeypatch.setattr(layers, "measured", lambda *_: measured([300, 20, 19, 4]))
    card = tmp_path / "shipped" / "faces" / "config.json"
    before, told = card.read_bytes(), ["layers", "faces", "--judge", "judge", "--out", str(tmp_path / "a.png")]
    assert main(told) == 2
    said = capsys.readouterr().err
    assert "faces comes with telldraw, and its table is not overwritten: say --no-keep" in said and "cp -r" in said
    assert not (tmp_path / "a.png").exists(), "it is said before anything is measured"
    assert main([*told, "--no-keep"]) == 0
    assert (tmp_path / "a.png").exists() and card.read_bytes() == before


def test_a_judge_of_other_things_is_refused() -> None:
    faces, birds = loaded("faces", NAMES), loaded("birds", ["large yellow cube", "small red ball"])
    assert layers._attributes(loaded("judge", ["Eyeglasses"]), faces) == ["Eyeglasses"]
    assert layers._attributes(loaded("judge", ["Eyeglasses"]), loaded("gan", None)) == ["Eyeglasses"]
    assert layers._attributes(birds, birds) == ["large yellow cube", "small red ball"]
    for judge, drawer, odd in ((birds, faces, "'large yellow cube'"), (faces, birds, "'Smiling'")):
        with pytest.raises(WeightsError, match=f"the judge {judge.name} knows {odd}, and {drawer.name} draws other"):
            layers._attributes(judge, drawer)
    for classes in (None, []):
        with pytest.raises(WeightsError, match="knows nothing that has a name.*name a --judge that was trained on"):
            layers._attributes(loaded("judge", classes), faces)
