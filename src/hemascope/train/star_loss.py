"""The finder's loss: a focal loss on centers, a relative error and an overlap on radii, and both kinds on tissue."""

from __future__ import annotations

import torch
from torch import Tensor


def center_loss(logits: Tensor, heat: Tensor, weight: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of Zhou et al. (2019), equation 1, over the labeled places.

    Parameters
    ----------
    logits, heat, weight
        N x kinds x h x w.
    """
    log_p = torch.nn.functional.logsigmoid(logits)
    log_q = torch.nn.functional.logsigmoid(-logits)
    p = log_p.exp()
    is_center = heat.eq(1.0).float()
    positive = -is_center * (1 - p).pow(2) * log_p
    negative = -(1 - is_center) * (1 - heat).pow(4) * p.pow(2) * log_q
    return ((positive + negative) * weight).sum() / (is_center * weight).sum().clamp(min=1)


def radii_loss(predicted: Tensor, radii: Tensor, weight: Tensor) -> Tensor:
    """Return relative L1 plus 1 - overlap of the star shapes, near centers.

    The overlap of two stars about one center is sum(min(r, r')^2) / sum(max(r, r')^2).

    Parameters
    ----------
    predicted, radii
        N x rays x h x w in pixels.
    weight
        N x h x w.
    """
    chosen = weight > 0
    ours = predicted.permute(0, 2, 3, 1)[chosen]
    truth = radii.permute(0, 2, 3, 1)[chosen]
    relative = (ours - truth).abs().mean(1) / truth.mean(1)
    overlap = torch.minimum(ours, truth).pow(2).sum(1) / torch.maximum(ours, truth).pow(2).sum(1)
    share = weight[chosen]
    return ((relative + 1 - overlap) * share).sum() / share.sum().clamp(min=1e-6)


def tissue_loss(logits: Tensor, tissue: Tensor, weight: Tensor) -> Tensor:
    """Return cross-entropy plus 1 - Dice of each tissue over the places where it is known.

    Parameters
    ----------
    logits, tissue, weight
        N x tissues x h x w; targets in 0..1, weights 0 or 1.
    """
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, tissue, weight, reduction="sum")
    p = logits.sigmoid() * weight
    shared = (p * tissue).sum((0, 2, 3))
    both = p.sum((0, 2, 3)) + (tissue * weight).sum((0, 2, 3))
    dice = (2 * shared + 1) / (both + 1)
    return 4 * entropy / weight.sum().clamp(min=1) + 0.5 * (1 - dice).mean()
