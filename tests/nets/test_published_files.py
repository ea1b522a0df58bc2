"""Files of the published layouts load; everything else is refused with the first tensors that differ."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from published_layout import TINY, TINY_GATED, built, random_state, teacher  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from hemascope.core.errors import WeightsError  # noqa: E402
from hemascope.nets.vit import VisionTransformer, VitSize  # noqa: E402
from hemascope.train.published import load_strictly, read_published  # noqa: E402

SIZES = pytest.mark.parametrize("size", [TINY, TINY_GATED], ids=["plain", "gated"])


def saved(values: object, path: Path) -> Path:
    torch.save(values, path)
    return path


def loaded(path: Path, size: VitSize) -> VisionTransformer:
    net = VisionTransformer(size)
    load_strictly(net, read_published(path), path.name)
    return net.eval()


@SIZES
@pytest.mark.parametrize("form", ["teacher", "teacher_without_heads", "plain", "ordered", "safetensors"])
def test_every_published_form_gives_the_same_network(size: VitSize, form: str, tmp_path: Path) -> None:
    state, path = random_state(size), tmp_path / "weights.pth"
    if form == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(state, str(path))
    else:
        forms: dict[str, Any] = {
            "teacher": teacher(state),
            "teacher_without_heads": teacher(state, heads=False),
            "plain": state,
            "ordered": OrderedDict(state),
        }
        saved(forms[form], path)
    net, image = loaded(path, size), torch.randn(1, 3, 224, 224)
    for name, value in net.state_dict().items():
        assert torch.equal(value, state[name])
    with torch.no_grad():
        assert torch.equal(net(image), built(size)(image))


def test_a_file_without_the_mask_token_loads_as_timm_writes_it(tmp_path: Path) -> None:
    state = random_state(TINY)
    del state["mask_token"]
    net = loaded(saved(state, tmp_path / "a.bin"), TINY)
    assert not net.mask_token.any()
    assert torch.equal(net.cls_token, state["cls_token"])


def test_half_precision_is_widened(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in random_state(TINY).items()}
    net = loaded(saved(state, tmp_path / "a.bin"), TINY)
    assert net.norm.weight.dtype == torch.float32
    assert torch.equal(net.norm.weight, state["norm.weight"].float())


Change = Callable[[dict[str, Any]], object]


def without(*names: str) -> Change:
    return lambda state: [state.pop(name) for name in names]


def with_more(**values: Any) -> Change:
    return lambda state: state.update({name.replace("__", "."): value for name, value in values.items()})


def to_open_clip(state: dict[str, Any]) -> None:
    renamed = {f"visual.{name}": value for name, value in state.items()}
    state.clear()
    state.update(renamed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("blocks.1.ls1.gamma"), r"missing: blocks\.1\.ls1\.gamma\)"),
        (without("norm.bias"), r"missing: norm\.bias"),
        (with_more(head__weight=torch.zeros(2, 2)), r"unknown: head\.weight"),
        (with_more(register_tokens=torch.zeros(1, 4, 32)), "has register tokens"),
        (with_more(pos_embed=torch.zeros(1, 1370, 32)), r"\(1, 1370, 32\), not \(1, 257, 32\).*positions for 1370"),
        (with_more(norm__weight=torch.zeros(31)), r"norm\.weight is \(31,\), not \(32,\)"),
        (with_more(norm__weight=torch.full((32,), float("nan"))), r"not finite \(norm\.weight\)"),
        (to_open_clip, r"missing: cls_token.* and \d+ more.*unknown: visual\.cls_token.* and \d+ more"),
    ],
)
def test_a_wrong_layout_is_refused_with_the_first_tensors_that_differ(
    change: Change, said: str, tmp_path: Path
) -> None:
    state = random_state(TINY)
    change(state)
    net = VisionTransformer(TINY)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(WeightsError, match=said):
        load_strictly(net, read_published(saved(teacher(state), tmp_path / "a.pth")), "a.pth")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_another_size_is_named() -> None:
    with pytest.raises(WeightsError, match="length 48"):
        load_strictly(VisionTransformer(TINY), random_state(TINY_GATED), "a.pth")


def test_a_gated_file_is_no_plain_one() -> None:
    gated = VitSize(32, 2, 4, gated=True)
    with pytest.raises(WeightsError, match=r"missing: blocks\.0\.mlp\.fc1\.weight.*unknown: blocks\.0\.mlp\.w12"):
        load_strictly(VisionTransformer(TINY), random_state(gated), "a.pth")


class Trap:
    """Would run code when a careless reader loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("trap-was-sprung"),))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="could run code"):
        read_published(saved({"teacher": Trap()}, tmp_path / "a.pth"))
    assert not (tmp_path / "trap-was-sprung").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2], "holds a list"),
        ({}, "no tensors by name"),
        ({"teacher": 3}, "no tensors by name"),
        ({"epoch": 7, "model": {"a": 1}}, r"other things than tensors \(epoch, model\)"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(values: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=said):
        read_published(saved(values, tmp_path / "a.pth"))


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"\x80\x02", b"PK\x03\x04" + bytes(60)])
def test_damaged_files_are_refused(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=name):
        read_published(tmp_path / name)


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".pth", ".safetensors"]))
def test_no_bytes_get_past_the_reader(data: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / f"random{suffix}"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="random"):
        read_published(path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    path = saved(random_state(TINY), tmp_path / "a.pth")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"a\.pth"):
        read_published(path)


@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors"])
def test_a_missing_file_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=name):
        read_published(tmp_path / name)
