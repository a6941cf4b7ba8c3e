"""`telldraw explain`: its figures are those of theory, and its picture is one."""

import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from telldraw import cli
from telldraw.commands import explain
from telldraw.objectives.divergence import jensen_shannon

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'telldraw[train]'")

from telldraw.commands import explain_gan as gan  # noqa: E402


def test_quantiles_stand_for_equal_shares() -> None:
    from torch.distributions import Normal

    x = gan.quantiles(gan.mixture((1.0, 2.0)))
    exact = Normal(torch.tensor(1.0, dtype=torch.float64), 2.0).icdf((torch.arange(len(x)).double() + 0.5) / len(x))
    inside = (exact > -6) & (exact < 8)  # the grid ends, so the last cells are coarse
    torch.testing.assert_close(x[inside], exact[inside], rtol=0, atol=0.02)


def test_the_discriminator_that_is_found_is_p_over_p_plus_q_and_its_value_2_jsd_minus_log_4() -> None:
    data, drawn = gan.mixture((-1.0, 0.5)), gan.mixture((0.6, 1.0), (2.0, 0.4))
    found = gan.trained(data, drawn)
    p, q = gan.density(data), gan.density(drawn)
    mine = gan.judged(found.logits, gan.GRID).sigmoid()
    assert float((mine - p / (p + q))[p + q > 0.05].abs().max()) < 0.02
    assert -found.loss == pytest.approx(2 * jensen_shannon(p, q, gan.CELL).item() - math.log(4), abs=2e-3)


def test_slopes_by_hand() -> None:
    logits = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    d = logits.sigmoid()
    torch.testing.assert_close(gan.slopes("minimax", logits), -d)
    torch.testing.assert_close(gan.slopes("non-saturating", logits), d - 1)
    torch.testing.assert_close(gan.slopes("least-squares", logits), logits - 1)
    torch.testing.assert_close(gan.slopes("hinge", logits), -torch.ones_like(d))


def test_explain_gan_says_the_constants_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "gan.png"
    assert cli.main(["explain", "gan", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for constant in ("log 4 = 1.3863", "0.6931 (non-saturating", "0.0001 (minimax)", "0.9999 (non-saturating)"):
        assert constant in said, constant
    with Image.open(out) as picture:
        assert picture.width > 1000
        shown = picture.convert("RGB")
        few = shown.getcolors(maxcolors=10)
    assert few is None, "the picture is nearly empty"


def test_the_topics_are_listed_without_torch_or_matplotlib(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain"]) == 0
    said = capsys.readouterr().out
    assert all(name in said and topic.summary in said for name, topic in explain.TOPICS.items())


@pytest.mark.parametrize(
    ("words", "names"),
    [(["vampires"], "'vampires'"), (["gan", "--out", "gan.txt"], "gan.txt"), (["gan", "--out", "no/gan.png"], "no")],
)
def test_wrong_words_end_with_one_sentence(words: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", *words]) == 2
    said = capsys.readouterr().err
    assert names in said and len(said.splitlines()) == 1
