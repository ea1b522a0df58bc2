"""Grad-CAM: which positions of feature maps speak for a class.

Selvaraju RR et al. Grad-CAM: visual explanations from deep networks via gradient-based localization. ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def grad_cam(maps: Tensor, score_of: Callable[[Tensor], Tensor], *, normalize: bool = True) -> Tensor:
    """Return max(sum over c of w_c A_c, 0), where w_c is the mean over positions of d score / d A_c.

    Parameters
    ----------
    maps
        N x C x h x w feature maps A.
    score_of
        Maps to N scores, one an image: the logit of the class asked about.
    normalize
        Whether each picture is divided by its maximum; one that is 0 everywhere stays so.

    Returns
    -------
    N x h x w float32, 0 or more; 0..1 where normalized.
    """
    leaf = maps.detach().float().requires_grad_(True)
    with torch.enable_grad():
        scores = score_of(leaf)
        (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    cam = (weights * leaf.detach()).sum(dim=1).clamp(min=0)
    if not normalize:
        return cam
    peak = cam.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, cam / peak.clamp(min=torch.finfo(torch.float32).tiny), cam)
