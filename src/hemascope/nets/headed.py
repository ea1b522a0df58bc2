"""Any backbone under several heads."""

from __future__ import annotations

from torch import Tensor, nn


class Headed(nn.Module):
    """Images to logits of one or several heads on a backbone that gives one vector an image.

    Parameters
    ----------
    backbone
        Images to N x ``features``.
    features
        Length of its vectors.
    heads
        Classes of each head.
    """

    def __init__(self, backbone: nn.Module, features: int, heads: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Linear(features, classes) for classes in heads)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of every head, N x classes each."""
        vectors = self.backbone(x)
        return tuple(head(vectors) for head in self.heads)
