"""Muon in float32: momentum whose every step is made orthogonal.

torch's own Muon works in bfloat16, which a CPU without bfloat16 instructions emulates: there it
took half of the training time. Matrices of one shape are stacked and go through together.

Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), the
coefficients and Nesterov momentum; J. Liu et al., arXiv:2502.16982, section 2.2, the scale
0.2 √max(rows, columns), which lets it share AdamW's rate.
"""

from collections.abc import Sequence

import torch

_ROUNDS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon:
    """Steps matrices that lie inside layers; embeddings and norms want AdamW."""

    def __init__(self, matrices: Sequence[torch.Tensor], momentum: float) -> None:
        self._momentum = momentum
        self._groups: dict[tuple[int, int], list[torch.Tensor]] = {}
        for matrix in matrices:
            self._groups.setdefault((min(matrix.shape), max(matrix.shape)), []).append(matrix)
        self._averages = {
            size: torch.zeros(len(group), *size) for size, group in self._groups.items()
        }

    def step(self, rate: float) -> None:
        """Move every matrix against its gradient, and forget the gradients."""
        with torch.no_grad():
            for size, group in self._groups.items():
                slopes = torch.stack([_lying(m.grad) for m in group])
                average = self._averages[size].lerp_(slopes, 1 - self._momentum)
                moves = orthogonal(slopes.lerp(average, self._momentum))
                for matrix, move in zip(group, moves, strict=True):
                    lying = _lying(matrix)  # a view: what it is given, the matrix gets
                    lying.sub_(move, alpha=rate * 0.2 * size[1] ** 0.5)
                    matrix.grad = None


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Bring all singular values of (count, rows, columns), rows <= columns, near 1.

    Five Newton-Schulz rounds leave them between about 0.7 and 1.2, which is enough.
    """
    done = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ROUNDS):
        gram = done @ done.mT
        done = _A * done + (_B * gram + _C * gram @ gram) @ done
    return done


def _lying(matrix: torch.Tensor) -> torch.Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
