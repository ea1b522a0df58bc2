"""Aggregators of bags: packed equals one by one, order does not matter, sizes are as stated, formulas as published."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from torch import Tensor, nn  # noqa: E402

from hemascope.nets.bags.build import BagNet, BagOutput, build_bag_net  # noqa: E402
from hemascope.nets.bags.clam import ClusteredAttention  # noqa: E402
from hemascope.nets.bags.ensemble import BagEnsembleNet  # noqa: E402
from hemascope.nets.bags.pooling import OneBag, PackedBags  # noqa: E402
from hemascope.nets.bags.transformer import HEAD_LENGTH, Transformer  # noqa: E402
from hemascope.nets.bags.transmil import LANDMARKS, grid_side, landmark_shares, pseudo_inverse  # noqa: E402
from hemascope.recipes.bags import AggregatorName, AggregatorRecipe  # noqa: E402

KINDS: tuple[AggregatorName, ...] = AggregatorName.__args__  # type: ignore[attr-defined]
ORDERLESS = tuple(kind for kind in KINDS if kind != "transmil")
PER_OUTPUT = ("class_attention", "clam", "evidence")
DIMENSION, OUTPUTS = 12, 3


def small(kind: AggregatorName, seed: int = 0, **changes: object) -> BagNet:
    torch.manual_seed(seed)
    plan = {"width": 16, "attention_width": 8, "heads": 2, "head_width": 5, "dropout": 0.5} | changes
    return build_bag_net(AggregatorRecipe(kind=kind, **plan), DIMENSION, OUTPUTS).eval()  # type: ignore[arg-type]


def packed(sizes: list[int], seed: int = 1) -> tuple[Tensor, Tensor]:
    cells = torch.randn(sum(sizes), DIMENSION, generator=torch.Generator().manual_seed(seed))
    return cells, torch.tensor([0, *sizes]).cumsum(0)


def assert_close(one: BagOutput, other: BagOutput, tolerance: float = 1e-5) -> None:
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_packed_bags_answer_as_one_by_one(kind: AggregatorName, sizes: list[int], seed: int) -> None:
    net, (cells, starts) = small(kind), packed(sizes, seed)
    together = net(cells, starts)
    alone = [net(part) for part in cells.split(sizes)]
    assert_close(together, BagOutput(*(torch.cat(parts) for parts in zip(*alone, strict=True))))
    columns = OUTPUTS if kind in PER_OUTPUT else 1
    assert together.logits.shape == (len(sizes), OUTPUTS)
    assert together.attention.shape == (sum(sizes), columns)
    assert together.embedding.shape[0] == len(sizes)
    assert net.columns == columns
    for shares in together.attention.split(sizes):
        torch.testing.assert_close(shares.sum(0), torch.ones(columns))
        assert (shares >= 0).all()


@pytest.mark.parametrize("kind", ORDERLESS)
@settings(max_examples=8, deadline=None)
@given(size=st.integers(2, 40), seed=st.integers(0, 1000))
def test_the_order_of_cells_does_not_matter(kind: AggregatorName, size: int, seed: int) -> None:
    net, (cells, _) = small(kind), packed([size], seed)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    before, after = net(cells), net(cells[order])
    assert_close(after, before._replace(attention=before.attention[order]))


def test_transmil_takes_a_set_for_a_picture() -> None:
    net, (cells, _) = small("transmil"), packed([30])
    assert (net(cells).logits - net(cells.flip(0)).logits).abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["gated_attention", "class_attention", "clam", "mean", "max"])
def test_every_cell_twice_says_the_same(kind: AggregatorName) -> None:
    net, (cells, _) = small(kind), packed([9])
    once, twice = net(cells), net(torch.cat([cells, cells]))
    assert_close(twice, once._replace(attention=torch.cat([once.attention, once.attention]) / 2))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_every_weight_and_every_cell(kind: AggregatorName) -> None:
    net, (cells, starts) = small(kind, dropout=0.0).train(), packed([3, 70, 1])
    cells.requires_grad_()
    (net(cells, starts).logits ** 2).sum().backward()
    assert cells.grad is not None
    assert kind == "max" or (cells.grad.abs().sum(1) > 0).all()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert still == ({"clusters.weight", "clusters.bias"} if kind == "clam" else set())


@pytest.mark.parametrize("kind", KINDS)
def test_large_numbers_stay_finite(kind: AggregatorName) -> None:
    net, (cells, starts) = small(kind), packed([4, 1, 30])
    for values in net(cells * 1e4, starts):
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_works_in_training_alone(kind: AggregatorName) -> None:
    net, (cells, starts) = small(kind), packed([20, 20])
    assert torch.equal(net(cells, starts).logits, net(cells, starts).logits)
    net.train()
    assert not torch.equal(net(cells, starts).logits, net(cells, starts).logits)


@pytest.mark.parametrize("width", [0, 16])
def test_gated_attention_is_the_papers_equation(width: int) -> None:
    net, (cells, _) = small("gated_attention", width=width, head_width=0), packed([7])
    weights = dict(net.named_parameters())
    vectors = torch.relu(cells @ weights["entry.0.weight"].T + weights["entry.0.bias"]) if width else cells
    hidden = vectors @ weights["scores.gate.weight"].T + weights["scores.gate.bias"]
    scores = [
        sum(w * math.tanh(v) * (1 / (1 + math.exp(-u))) for w, v, u in zip(row, h[:8], h[8:], strict=True))
        for row in [weights["scores.score.weight"][0].tolist()]
        for h in hidden.tolist()
    ]
    shares = torch.tensor([math.exp(score) for score in scores])
    shares = shares / shares.sum()
    seen = (shares[:, None] * vectors).sum(0)
    answer = net(cells)
    torch.testing.assert_close(answer.attention[:, 0], shares)
    torch.testing.assert_close(answer.embedding[0], seen)
    torch.testing.assert_close(answer.logits[0], weights["head.weight"] @ seen + weights["head.bias"])


def torch_layer(layer: nn.Module, length: int, heads: int) -> nn.Module:
    """Return torch's own layer with the weights of ours."""
    own = nn.TransformerEncoderLayer(length, heads, length, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    state = layer.state_dict()
    names = {
        "self_attn.in_proj_weight": "attention.into.weight",
        "self_attn.out_proj.weight": "attention.back.0.weight",
        "self_attn.out_proj.bias": "attention.back.0.bias",
        "linear1.weight": "maps.1.weight",
        "linear1.bias": "maps.1.bias",
        "linear2.weight": "maps.4.weight",
        "linear2.bias": "maps.4.bias",
        "norm1.weight": "attention.norm.weight",
        "norm1.bias": "attention.norm.bias",
        "norm2.weight": "maps.0.weight",
        "norm2.bias": "maps.0.bias",
    }
    values = {theirs: state[ours] for theirs, ours in names.items()}
    own.load_state_dict(values | {"self_attn.in_proj_bias": torch.zeros(3 * length)})
    return own


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_transformer_is_torchs_with_only_what_the_token_needs(depth: int) -> None:
    length = 2 * HEAD_LENGTH
    net = small("transformer", width=length, heads=2, depth=depth)
    assert isinstance(net, Transformer)
    cells, _ = packed([9])
    rows = torch.cat([net.token[None], net.entry(cells)])[None]
    for layer in [*net.layers, net.last]:
        before = rows
        own = torch_layer(layer, length, 2)
        rows = own(rows)
    answer = net(cells)
    torch.testing.assert_close(answer.embedding, net.norm(rows[:, 0]), atol=1e-5, rtol=1e-4)
    normed = own.norm1(before)
    _, shares = own.self_attn(normed, normed, normed, need_weights=True)
    to_cells = shares[0, 0, 1:] / shares[0, 0, 1:].sum()
    torch.testing.assert_close(answer.attention[:, 0], to_cells, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "changes", "outputs", "count"),
    [
        # 768 x 512 + 512; token 512; 2 x (512 x 1536 + 512 x 512 + 512 + 2 (512 x 512 + 512) + 4 x 512); norm 2 x 512;
        # 512 x 64 + 64; 64 x 8 + 8
        ("transformer", {"width": 512}, 8, 3_581_512),
        # V, U: 2 (768 x 128 + 128); w: 128; four linear heads: 4 x 768 + 4
        ("gated_attention", {"width": 0, "head_width": 0}, 4, 200_068),
        # 768 x 500 + 500; 500 x 128 + 128; 128 x 5 + 5; 5 (500 x 64 + 64 + 64 + 1)
        ("class_attention", {"width": 500}, 5, 609_918),
        # a logistic regression: 768 x 4 + 4
        ("mean", {"width": 0, "head_width": 0}, 4, 3_076),
        ("max", {"width": 0, "head_width": 0}, 4, 3_076),
        # 768 x 512 + 512; gate 2 (512 x 256 + 256); 2 scores of 256; 2 heads of 513; 2 clusterings of 2 x 513
        ("clam", {"width": 512, "attention_width": 256, "head_width": 0}, 2, 659_974),
        # 768 x 512 + 512; token; 2 x (norm 1024 + 512 x 1536 + 512 x 512 + 512 + 8 x 33); 512 (49 + 25 + 9 + 3);
        # norm 1024; 512 x 2 + 2
        ("transmil", {"width": 512, "head_width": 0}, 2, 2_541_074),
        # 768 x 512 + 512; 512 x 128 + 128; 128 x 64 + 64; 64 x 4 + 4
        ("evidence", {"width": 512}, 4, 467_908),
    ],
)
def test_sizes_are_as_stated(kind: AggregatorName, changes: dict[str, int], outputs: int, count: int) -> None:
    with torch.device("meta"):
        net = build_bag_net(AggregatorRecipe(kind=kind, **changes), 768, outputs)
    assert sum(weight.numel() for weight in net.parameters()) == count


def test_a_cells_share_of_evidence_is_how_far_the_answer_moves_without_it() -> None:
    net, (cells, _) = small("evidence"), packed([6])
    whole = net(cells)
    moved = torch.stack([(net(torch.cat([cells[:i], cells[i + 1 :]])).logits - whole.logits)[0] for i in range(6)])
    torch.testing.assert_close(whole.attention, moved.abs() / moved.abs().sum(0), atol=1e-5, rtol=1e-3)


def test_the_share_of_the_greatest_is_the_part_of_the_numbers_that_are_a_cells_own() -> None:
    net = build_bag_net(AggregatorRecipe(kind="max", width=0), 4, 2).eval()
    cells = torch.tensor([[9.0, 0, 0, 5], [0, 9, 0, 5], [1, 1, 1, 1]])
    assert net(cells).attention[:, 0].tolist() == pytest.approx([1.5 / 4, 1.5 / 4, 1 / 4])


def test_the_clustering_learns_to_tell_attended_cells_and_skips_what_is_unknown() -> None:
    net, (cells, starts) = small("clam", dropout=0.0), packed([40, 40, 3])
    assert isinstance(net, ClusteredAttention)
    truth = torch.tensor([[1.0, 0, math.nan], [0, 0, math.nan], [1, math.nan, math.nan]])
    first = net.instance_loss(cells, starts, truth)
    steps = torch.optim.Adam(net.clusters.parameters(), lr=0.05)
    for _ in range(60):
        steps.zero_grad()
        net.instance_loss(cells, starts, truth).backward()
        steps.step()
    assert net.instance_loss(cells, starts, truth) < 0.6 * first
    assert not net.clusters.weight.grad[4:].any()  # type: ignore[index]  # nothing is known of the third output
    assert net.instance_loss(cells, starts, torch.full((3, 3), math.nan)).item() == 0


def test_the_cells_of_a_grid_and_the_landmarks() -> None:
    sides = {1: 1, 2: 2, 4: 2, 5: 3, 9: 3, 10: 4, 4900: 70, 4901: 71, 1_000_000: 1000, 1_000_001: 1001}
    assert {count: grid_side(torch.empty(count, 1)) for count in sides} == sides
    shares = landmark_shares(torch.empty(2 * LANDMARKS, 3))
    assert torch.equal(shares, 0.5 * torch.eye(LANDMARKS).repeat_interleave(2, dim=1))
    assert torch.equal(landmark_shares(torch.empty(1, 3)), torch.ones(LANDMARKS, 1))


def test_the_iteration_finds_the_pseudo_inverse() -> None:
    torch.manual_seed(0)
    matrices = torch.softmax(torch.eye(LANDMARKS) * 6 + 0.1 * torch.randn(2, LANDMARKS, LANDMARKS), dim=-1)
    torch.testing.assert_close(pseudo_inverse(matrices), torch.linalg.pinv(matrices), atol=1e-2, rtol=1e-2)


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_pooling_of_packed_bags_is_that_of_each(sizes: list[int], seed: int) -> None:
    values, starts = packed(sizes, seed)
    bags, parts, keys = PackedBags(starts), values.split(sizes), torch.randn(len(sizes), 2, DIMENSION)
    one = OneBag()
    torch.testing.assert_close(bags.softmax(values), torch.cat([one.softmax(part) for part in parts]))
    torch.testing.assert_close(bags.shares(values.abs()), torch.cat([one.shares(part.abs()) for part in parts]))
    torch.testing.assert_close(bags.greatest(values), torch.cat([one.greatest(part) for part in parts]))
    alone = [one.products(part, key[None]) for part, key in zip(parts, keys, strict=True)]
    torch.testing.assert_close(bags.products(values, keys), torch.cat(alone))
    longer, with_token = bags.with_token(values, keys[0, 0])
    assert torch.equal(longer, torch.cat([one.with_token(part, keys[0, 0])[0] for part in parts]))
    assert torch.equal(with_token.rest(longer), values)
    assert torch.equal(with_token.first(longer), keys[0, :1].expand(len(sizes), -1))


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_answers_alike_and_its_shares_sum_to_one(kind: AggregatorName) -> None:
    net, (cells, starts) = small(kind), packed([300, 5])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = net(cells, starts)
    assert (half.logits.float() - net(cells, starts).logits).abs().max() < 0.05
    for shares in half.attention.split([300, 5]):
        torch.testing.assert_close(shares.float().sum(0), torch.ones(shares.shape[1]), atol=1e-4, rtol=0)


def test_nothing_at_all_is_shared_evenly() -> None:
    assert OneBag().shares(torch.zeros(4, 1)).tolist() == [[0.25]] * 4


def test_an_ensemble_is_its_members() -> None:
    members, (cells, _) = [small("gated_attention", seed) for seed in range(3)], packed([5])
    answer = BagEnsembleNet(members).eval()(cells)
    assert answer.logits.shape == (3, OUTPUTS)
    assert answer.attention.shape == (3, 5, 1)
    assert answer.embedding.shape == (3, 16)
    for place, member in enumerate(members):
        torch.testing.assert_close(answer.logits[place], member(cells).logits[0])
        torch.testing.assert_close(answer.attention[place], member(cells).attention)


@pytest.mark.parametrize("head_width", [0, 5])
def test_evidence_is_how_far_an_output_moves_without_the_cell(head_width: int) -> None:
    torch.manual_seed(0)
    net = build_bag_net(
        AggregatorRecipe(kind="evidence", width=6, attention_width=7, head_width=head_width), 4, 3
    ).eval()
    cells = torch.randn(9, 4)
    whole = net(cells)
    without = [net(torch.cat([cells[:place], cells[place + 1 :]])).logits[0] for place in range(9)]
    moved = (torch.stack(without) - whole.logits).abs()
    torch.testing.assert_close(whole.attention, moved / moved.sum(dim=0), atol=1e-4, rtol=1e-3)
