"""Distance of an embedding from everything seen in training, as part of the graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemascope.nets.cell_encoder import CellEncoder, paint_surroundings


class MahalanobisHead(nn.Module):
    """Distance to the nearest class center under the shared covariance (Lee et al., NeurIPS 2018).

    Parameters
    ----------
    whitening
        D x D matrix W with W Wᵀ = inverse of the within-class covariance.
    centers
        classes x D, class means after whitening.
    """

    whitening: Tensor
    centers: Tensor

    def __init__(self, whitening: Tensor, centers: Tensor) -> None:
        super().__init__()
        self.register_buffer("whitening", whitening)
        self.register_buffer("centers", centers)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return N distances for N x D embeddings, divided by the square root of D."""
        white = embedding @ self.whitening
        squared = (white[:, None, :] - self.centers[None]).pow(2).mean(dim=2)
        return torch.sqrt(squared.min(dim=1).values)


class ShippedCellNet(nn.Module):
    """The classifier as it answers: logits, embedding and distance from what was seen.

    Logits are the mean of six looks: four at the whole crop, as it is, mirrored either way and transposed, and two at
    the cell alone, which count as much together. A cell has no up, and what surrounds it differs between laboratories;
    where the looks disagree the answer is less sure. Embedding and distance are of the whole crop.

    Parameters
    ----------
    net
        Trained on whole crops and on cells alone.
    anomaly
        Fitted on its embeddings.
    radius, edge
        Of the disk that cells alone are kept in, in pixels; see ``cell_encoder.paint_surroundings``.
    """

    def __init__(self, net: CellEncoder, anomaly: MahalanobisHead, radius: float, edge: float) -> None:
        super().__init__()
        self.net = net
        self.anomaly = anomaly
        self.edge = edge
        self.radius: Tensor
        self.register_buffer("radius", torch.tensor(radius), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits N x classes, embedding N x D and distance N for network input N x 3 x S x S."""
        logits, embedding = self.net(x)
        whole = logits + sum(self.net(look)[0] for look in (x.flip(3), x.flip(2), x.transpose(2, 3)))
        cell = paint_surroundings(x, self.radius, self.edge)
        alone = self.net(cell)[0] + self.net(cell.transpose(2, 3))[0]
        return whole / 8 + alone / 4, embedding, self.anomaly(embedding)
