"""The stored form: what is written is read, and what is half written, changed or foreign is refused with the remedy."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telldraw.data import archive
from telldraw.data.archive import Dataset, Writer, end_to_end
from telldraw.errors import DataError
from telldraw.text import PADDING, UNKNOWN


def make(out: Path, rows: list[str], overwrite: bool = False, name: str = "toy", **more: Any) -> None:
    """A data set of one dialogue whose turns say `rows`; `more` goes into the manifest."""
    count = len(rows)
    with Writer(out, overwrite=overwrite) as writer:
        writer.text("vocabulary.json", json.dumps([PADDING, UNKNOWN]))
        writer.text("dialogues.json", json.dumps({"train": [["one", 0, count]], "test": []}))
        for key, lengths in (
            ("words", [np.arange(len(row) + 1) for row in rows]),
            ("said", [bytes_of(r) for r in rows]),
        ):
            flat, at = end_to_end(lengths, np.uint8 if key == "said" else np.int32)
            writer.array(f"{key}.npy", flat)
            writer.array(f"{key}_at.npy", at)
        writer.rows("images.npy", (count, 3, 4, 4), np.uint8, (np.full((1, 3, 4, 4), n) for n in range(count)))
        writer.array("objects.npy", np.eye(count, 2, dtype=np.uint8))
        writer.array("position.npy", np.zeros((count, 2, 3), np.float32))
        writer.array("background.npy", np.zeros((4, 4, 3), np.uint8))
        facts = {"name": name, "licence": "none", "protocol": "x", "resolution": 4, "classes": ["a", "b"]}
        writer.finish(facts | more)


def bytes_of(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("toy") / "toy.telldraw"
    make(path, rows)
    dataset = Dataset.open(path)
    assert [dataset.said(row) for row in range(len(dataset))] == rows
    assert all(np.array_equal(dataset.words(n), np.arange(len(row) + 1)) for n, row in enumerate(rows))
    assert dataset.images[:, 0, 0, 0].tolist() == list(range(len(rows)))
    assert dataset.splits == {"train": [("one", 0, len(rows))], "test": []}
    dataset.verify()


def test_the_axes_of_relations_are_the_manifests_or_follow_from_the_name(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any], tuple[str, str]]] = [
        ("toy", {}, ("x", "y")),
        ("codraw", {}, ("x", "depth")),
        ("codraw", {"axes": ["x", "y"]}, ("x", "y")),
    ]
    for number, (name, more, axes) in enumerate(cases):
        make(tmp_path / str(number), ["a"], name=name, **more)
        assert Dataset.open(tmp_path / str(number)).facts.axes == axes


def test_the_shares_of_classes_are_counted_in_the_training_split(tmp_path: Path) -> None:
    make(tmp_path / "toy", ["a", "b", "c", "d"])
    assert Dataset.open(tmp_path / "toy").facts.shares == (0.25, 0.25)


def test_images_are_mapped_and_no_write_reaches_the_disk(tmp_path: Path) -> None:
    make(tmp_path / "toy", ["a"])
    dataset = Dataset.open(tmp_path / "toy")
    assert isinstance(dataset.images, np.memmap)
    dataset.images[:] = 77
    Dataset.open(tmp_path / "toy").verify()


def test_nothing_is_left_of_a_run_that_fails(tmp_path: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt, DataError):
        with pytest.raises(error), Writer(tmp_path / "toy") as writer:
            writer.array("images.npy", np.zeros(3))
            raise error
        assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="could not be written: .*No space"), Writer(tmp_path / "toy"):
        raise OSError(28, "No space left on device")
    with pytest.raises(DataError, match=r"takes 8000000.00 GB and .* free; use another --out"):
        with Writer(tmp_path / "toy") as writer:
            writer.rows("images.npy", (10**9, 10**6), np.float64, [])
    assert not list(tmp_path.iterdir())


def test_too_few_rows_are_a_bug_not_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 rows were given, 2 announced"), Writer(tmp_path / "toy") as writer:
        writer.rows("x.npy", (2, 1), np.uint8, [np.zeros((1, 1))])


def test_a_finished_set_is_replaced_only_when_asked_and_whole(tmp_path: Path) -> None:
    out = tmp_path / "toy"
    make(out, ["old"])
    with pytest.raises(DataError, match="there already; add --overwrite"):
        make(out, ["new"])
    with pytest.raises(RuntimeError), Writer(out, overwrite=True) as writer:
        writer.array("images.npy", np.zeros(3))
        raise RuntimeError
    assert Dataset.open(out).said(0) == "old"
    make(out, ["new"], overwrite=True)
    assert Dataset.open(out).said(0) == "new" and list(tmp_path.iterdir()) == [out]


def test_what_is_no_data_set_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("thesis", "file"):
        with pytest.raises(DataError, match="is no prepared data set; name another place"):
            make(tmp_path / name, ["x"], overwrite=True)


def test_what_a_killed_run_left_is_cleaned_up(tmp_path: Path) -> None:
    part = tmp_path / "toy.part"
    part.mkdir()
    (part / "images.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=r"toy\.part beside it was never finished"):
        Dataset.open(tmp_path / "toy")
    assert Writer(tmp_path / "toy").left_over
    make(tmp_path / "toy", ["a"])
    assert not part.exists() and len(Dataset.open(tmp_path / "toy")) == 1


def test_two_runs_do_not_write_the_same_set(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with pytest.raises(RuntimeError), Writer(tmp_path / "toy"):
        with pytest.raises(DataError, match="being written by another run"):
            make(tmp_path / "toy", ["a"])
        raise RuntimeError


def missing(path: Path) -> None:
    shutil.rmtree(path)


def in_part(path: Path) -> None:
    path.rename(path.with_name("toy.part"))


def edit_manifest(**changes: object):
    def edit(path: Path) -> None:
        manifest = json.loads((path / "manifest.json").read_text())
        (path / "manifest.json").write_text(json.dumps(manifest | changes))

    return edit


def shorten(name: str):
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:-1])


def flip(name: str):
    def edit(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[-1] ^= 1
        (path / name).write_bytes(content)

    return edit


DAMAGE = {
    "missing": (missing, "there is no data set at .*make it with telldraw prepare"),
    "unfinished": (in_part, r"toy\.part beside it was never finished; run telldraw prepare"),
    "no manifest": (
        lambda p: (p / "manifest.json").unlink(),
        "it has no manifest.json; make one with telldraw prepare",
    ),
    "cut manifest": (shorten("manifest.json"), None),
    "broken manifest": (lambda p: (p / "manifest.json").write_text("{"), "manifest.json is damaged"),
    "list for manifest": (lambda p: (p / "manifest.json").write_text("[]"), "manifest.json is damaged"),
    "foreign": (edit_manifest(format="other"), "does not describe a data set that telldraw knows"),
    "newer": (edit_manifest(version=2), "has form 2, this telldraw reads form 1"),
    "lost file": (
        lambda p: (p / "objects.npy").unlink(),
        r"objects\.npy is missing; prepare it again: telldraw prepare toy",
    ),
    "cut images": (shorten("images.npy"), r"images\.npy has [\d,]+ bytes where [\d,]+ were written; prepare it again"),
    "changed words": (flip("words.npy"), r"words\.npy is damaged \(its checksum differs\); prepare it again"),
    "changed vocabulary": (flip("vocabulary.json"), r"vocabulary\.json is damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_set_that_is_not_whole_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    damage, what = DAMAGE[name]
    make(tmp_path / "toy", ["a", "b"])
    damage(tmp_path / "toy")
    if what is None:  # only its last line end went: still whole
        assert len(Dataset.open(tmp_path / "toy")) == 2
        return
    with pytest.raises(DataError, match=what) as caught:
        Dataset.open(tmp_path / "toy")
    assert "\n" not in str(caught.value)


def test_a_changed_picture_is_found_by_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "toy", ["a"])
    flip("images.npy")(tmp_path / "toy")
    monkeypatch.setattr(archive, "_CHECKED_AT_OPEN", 0)  # as if the file were large
    dataset = Dataset.open(tmp_path / "toy")
    with pytest.raises(DataError, match=r"images\.npy is damaged"):
        dataset.verify()
