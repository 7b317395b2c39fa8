"""Training: from one seed the same weights, and an optimiser that does what its paper says."""

import pytest
import torch

from benchmarks.abacus.model import fresh_weights
from benchmarks.abacus.muon import Muon, orthogonal
from benchmarks.abacus.shape import ABACUS
from benchmarks.abacus.train import train


def test_the_same_seed_trains_the_same_weights(capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = train(steps=2, seed=5, batch=4)
    again, _ = train(steps=2, seed=5, batch=4)
    assert all(torch.equal(first[name], again[name]) for name in ABACUS.parameters())
    assert "step 2/2" in capsys.readouterr().err


def test_two_steps_move_every_weight() -> None:
    taught, _ = train(steps=2, seed=5, batch=4)
    fresh = fresh_weights(ABACUS, 5)
    assert not any(torch.equal(taught[name], fresh[name]) for name in ABACUS.parameters())


def test_orthogonal_brings_all_singular_values_near_one() -> None:
    matrices = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_our_muon_moves_as_the_one_of_torch_but_for_its_rounding() -> None:
    """torch rounds to bfloat16 on the way, hence the tolerance: 2 % of the move."""
    dice = torch.Generator().manual_seed(2)
    ours = [torch.randn(24, 40, generator=dice), torch.randn(40, 24, generator=dice)]
    theirs = [matrix.clone() for matrix in ours]
    slopes = [torch.randn(matrix.shape, generator=dice) for matrix in ours]
    before = [matrix.clone() for matrix in ours]
    for matrix, slope in zip(ours + theirs, slopes * 2, strict=True):
        matrix.grad = slope.clone()
    Muon(ours, momentum=0.95).step(rate=0.1)
    torch.optim.Muon(
        theirs, lr=0.1, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    ).step()
    for mine, other, start in zip(ours, theirs, before, strict=True):
        assert (mine - other).norm() < 0.02 * (other - start).norm()
