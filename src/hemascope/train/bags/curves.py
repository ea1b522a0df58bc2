"""The curves of all members of a run in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hemascope.train.optimize import RunLog

PANELS = {
    "training loss": ("loss", ""),
    "validation loss": ("validation", "loss"),
    "validation AUROC": ("validation", "auc"),
}
"""Title to the keys of a line of a member's log."""


def draw_member_curves(run: Path, members: Mapping[str, Path]) -> Path:
    """Write ``curves.png`` into a run folder: loss and figures over epochs, one line a member.

    Parameters
    ----------
    run
        The run folder.
    members
        What to call a member to its folder.

    Returns
    -------
    The picture's path.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(14, 4), layout="constrained")
    for panel, (title, (outer, inner)) in zip(panels, PANELS.items(), strict=True):
        for name, folder in members.items():
            # Epochs after the checkpoint that a killed training goes on from stand in its log twice.
            told = sorted(
                {
                    row["step"]: row[outer][inner] if inner else row[outer]
                    for row in RunLog(folder).rows()
                    if outer in row and (not inner or inner in row[outer])
                }.items()
            )
            if told:
                panel.plot(*zip(*told, strict=True), linewidth=0.9, label=name)
        panel.set(title=title, xlabel="epoch")
    if len(members) <= 10 and panels[0].lines:
        panels[0].legend(fontsize=7)
    path = run / "curves.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path
