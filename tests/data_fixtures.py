"""Data for tests: a generated set in CoDraw's own form, always; the real one where it is at hand."""

import os
from pathlib import Path

import pytest

from codraw_like import make_codraw
from telldraw.data import codraw
from telldraw.data.archive import Dataset


@pytest.fixture(scope="session")
def codraw_folder() -> Path:
    """The owner's distribution of CoDraw, or a skip that says where it was looked for."""
    root = os.environ.get("TELLDRAW_DATA")
    folder = Path(root) if root else Path(__file__).parents[2] / "shared" / "data"
    folder = folder / "codraw"
    try:
        codraw.find(folder)
    except Exception as error:
        pytest.skip(f"CoDraw is not at hand ($TELLDRAW_DATA or ../shared/data): {error}")
    return folder


@pytest.fixture(scope="session")
def codraw_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 generated dialogues in the form of CoDraw's distribution. Do not change the folder."""
    return make_codraw(tmp_path_factory.mktemp("codraw-like"))


@pytest.fixture(scope="session")
def prepared(codraw_like: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same prepared at 32 x 32. Do not change the folder."""
    out = tmp_path_factory.mktemp("prepared") / "codraw-32.telldraw"
    codraw.prepare(codraw_like, out, resolution=32)
    return out


@pytest.fixture
def dataset(prepared: Path) -> Dataset:
    """It, opened."""
    return Dataset.open(prepared)
