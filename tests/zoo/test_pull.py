"""Published weights become a model folder, whole or not at all; every way it can fail is said."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("onnx", reason="needs the extra 'train'")

from torch import nn  # noqa: E402

from hemascope.app.download import download  # noqa: E402
from hemascope.app.pull import PullRequest, export_model, pull_model  # noqa: E402
from hemascope.core.errors import InputError, MissingExtraError, OutputError, WeightsError  # noqa: E402
from hemascope.embed.transforms import network_batch  # noqa: E402
from hemascope.evaluate.encoder_conformance import check_encoder, painted_crops  # noqa: E402
from hemascope.nets.vit import VisionTransformer, VitSize  # noqa: E402
from hemascope.settings import Settings  # noqa: E402
from hemascope.train.published_nets import CLIP, IMAGENET, Renormalized  # noqa: E402
from hemascope.train.ship_published import Packing, pack_published, prove_equal, write_graph  # noqa: E402
from hemascope.wiring import build_encoder  # noqa: E402
from hemascope.zoo.card import GRAPH_DATA_FILE, GRAPH_FILE, TENSORS_FILE, Origin, read_card  # noqa: E402
from hemascope.zoo.encoder_entry import EncoderEntry  # noqa: E402
from hemascope.zoo.installed import file_sha256  # noqa: E402
from hemascope.zoo.onnx_graph import OnnxGraph  # noqa: E402
from hemascope.zoo.registry import encoder_entry  # noqa: E402

TINY = VitSize(32, 2, 4)
ENTRY = replace(encoder_entry("dinobloom_s"), dimension=32, architecture=str(TINY))
"""DinoBloom's entry, of a size that is quick."""


def published(seed: int = 0) -> VisionTransformer:
    torch.manual_seed(seed)
    net = VisionTransformer(TINY)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net.eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "DinoBloom-S.pth"
    torch.save({"teacher": {f"backbone.{name}": value for name, value in published().state_dict().items()}}, path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Path:
    """A folder of pulled models that holds one, whole."""
    place = tmp_path_factory.mktemp("models")
    pull_model(PullRequest(ENTRY, place / "dinobloom_s", file, command="hemascope models pull dinobloom_s"))
    return place


def refused(request: PullRequest, error: type[Exception], said: str) -> None:
    """Pull, and see that it is refused and leaves nothing behind."""
    parent = request.folder.parent
    before = sorted(parent.rglob("*")) if parent.is_dir() else []
    with pytest.raises(error, match=said):
        pull_model(request)
    assert (sorted(parent.rglob("*")) if parent.is_dir() else []) == before


def test_a_pulled_folder_is_whole_and_says_where_it_came_from(models: Path, file: Path) -> None:
    folder = models / "dinobloom_s"
    assert {path.name for path in folder.iterdir()} == {"README.md", "model.json", GRAPH_FILE, TENSORS_FILE}
    assert [path.name for path in models.iterdir()] == ["dinobloom_s"]
    card = read_card(folder)
    assert card.task == "embed"
    assert {name: file_sha256(folder / name) for name in card.files} == card.files
    assert card.origin is not None
    assert card.origin.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not card.origin.verified
    assert card.origin.revision == card.version == "10908163"
    assert card.spec["transform"] == "imagenet"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "Not for diagnosis" in readme
    assert "hemascope models pull dinobloom_s" in readme


def test_the_graph_says_nothing_of_the_machine_it_was_made_on(models: Path) -> None:
    data = (models / "dinobloom_s" / GRAPH_FILE).read_bytes()
    assert all(trace not in data for trace in (b"stack_trace", b"site-packages", b".py", b"/src/"))


def test_it_answers_as_the_published_network_does(models: Path) -> None:
    encoder = build_encoder("dinobloom_s", Settings(models=models))
    crops = painted_crops(encoder.spec, 18)
    with torch.no_grad():
        expected = published()(torch.from_numpy(network_batch(crops, 224, "imagenet"))).numpy()
    np.testing.assert_allclose(encoder.encode(crops), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_it_keeps_the_contract_of_an_encoder(backend: str, models: Path) -> None:
    pytest.importorskip(backend, reason=f"needs the extra '{backend}'")
    encoder = build_encoder("dinobloom_s", Settings(models=models), backend)
    assert encoder.identity.backend.startswith(backend)
    assert check_encoder(encoder) == ()


def test_a_folder_is_an_encoder_too(models: Path) -> None:
    named = build_encoder("dinobloom_s", Settings(models=models))
    assert build_encoder(str(models / "dinobloom_s")).identity == named.identity


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_smallest_published_size_is_converted_whole(tmp_path: Path) -> None:
    entry = encoder_entry("dinobloom_s")
    torch.manual_seed(0)
    net = VisionTransformer(VitSize.parse(entry.architecture))
    torch.save(net.state_dict(), tmp_path / "a.bin")
    card = pull_model(PullRequest(entry, tmp_path / "model", tmp_path / "a.bin"))
    assert card.validation["graph_difference"] < 1e-4
    assert build_encoder(str(tmp_path / "model")).spec.dimension == 384


def test_the_digest_asked_for_is_the_digest_that_comes(file: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    request = PullRequest(ENTRY, tmp_path / "m" / "x", file, sha256=digest.upper(), with_graph=False)
    card = pull_model(request)
    assert card.origin is not None
    assert card.origin.verified


@pytest.mark.parametrize("where", ["user", "table"])
def test_another_digest_is_refused(where: str, file: Path, tmp_path: Path) -> None:
    entry = replace(ENTRY, sha256="0" * 64) if where == "table" else ENTRY
    sha256 = "0" * 64 if where == "user" else ""
    refused(PullRequest(entry, tmp_path / "x", file, sha256=sha256), WeightsError, "its sha256 is")


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"teacher": {"backbone.conv.weight": torch.zeros(2)}}, path)
    refused(PullRequest(ENTRY, tmp_path / "x", path), WeightsError, r"missing: cls_token.*unknown: conv\.weight")
    refused(PullRequest(ENTRY, tmp_path / "x", tmp_path / "absent.pth"), WeightsError, "cannot be read")


def test_a_failed_pull_leaves_an_older_model_alone(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    pull_model(PullRequest(ENTRY, folder, file, with_graph=False))
    (tmp_path / "bad.pth").write_bytes(b"bad")
    refused(PullRequest(ENTRY, folder, tmp_path / "bad.pth"), WeightsError, r"bad\.pth")
    refused(PullRequest(replace(ENTRY, dimension=33), folder, file), WeightsError, "not embeddings of length 33")
    assert read_card(folder).name == "dinobloom_s"


def test_a_place_that_cannot_be_written_is_said(file: Path, tmp_path: Path) -> None:
    (tmp_path / "in_the_way").write_text("a file")
    refused(PullRequest(ENTRY, tmp_path / "in_the_way" / "x", file, with_graph=False), OutputError, "in_the_way")


def test_terms_are_accepted_before_anything_is_fetched(file: Path, tmp_path: Path) -> None:
    gated = replace(ENTRY, gated=True, license="CC-BY-NC-ND-4.0", terms="Be kind.")
    refused(PullRequest(gated, tmp_path / "x", file), InputError, r"Be kind\..*--accept-terms")
    pull_model(PullRequest(gated, tmp_path / "x", file, accepted=True, with_graph=False))
    card = read_card(tmp_path / "x")
    assert card.origin is not None
    assert card.origin.terms == "Be kind."


def test_what_ships_is_not_pulled(tmp_path: Path) -> None:
    refused(PullRequest(encoder_entry("hemascope-s"), tmp_path / "x"), InputError, "comes with the package")


def test_a_model_of_timm_needs_the_extra(file: Path, tmp_path: Path) -> None:
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError):
        request = PullRequest(encoder_entry("resnet50"), tmp_path / "x", file)
        refused(request, MissingExtraError, r"hemascope\[timm\]")
    else:
        pytest.skip("timm is installed")


def test_conch_needs_its_makers_package(file: Path, tmp_path: Path) -> None:
    try:
        import conch  # noqa: F401
    except ImportError:
        refused(PullRequest(encoder_entry("conch"), tmp_path / "x", file, accepted=True), WeightsError, "pip install")
    else:
        pytest.skip("conch is installed")


@pytest.mark.slow
def test_tensors_alone_are_exported_later_to_the_same_graph(models: Path, file: Path, tmp_path: Path) -> None:
    settings = Settings(models=tmp_path / "models")
    folder = settings.models / "dinobloom_s"
    pull_model(PullRequest(ENTRY, folder, file, with_graph=False))
    with pytest.raises(WeightsError, match="models export dinobloom_s"):
        build_encoder("dinobloom_s", settings)
    assert export_model("dinobloom_s", settings.models) == folder
    assert build_encoder("dinobloom_s", settings).spec.dimension == 32
    card, direct = read_card(folder), read_card(models / "dinobloom_s")
    assert card.files[TENSORS_FILE] == direct.files[TENSORS_FILE]
    assert card.origin == direct.origin
    assert card.training.command == "hemascope models export dinobloom_s"


def test_damaged_tensors_are_not_exported(models: Path, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    pull_model(PullRequest(ENTRY, folder, file, with_graph=False))
    data = bytearray((folder / TENSORS_FILE).read_bytes())
    data[-1] ^= 1
    (folder / TENSORS_FILE).write_bytes(data)
    with pytest.raises(WeightsError, match="its sha256 is"):
        export_model(str(folder), tmp_path)
    assert not (folder / GRAPH_FILE).exists()


def test_what_was_not_pulled_is_not_exported(models: Path, tmp_path: Path) -> None:
    card = json.loads((models / "dinobloom_s" / "model.json").read_text())
    card["origin"] = None
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="was not pulled"):
        export_model(str(tmp_path), tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        export_model("dinobloom_s", tmp_path / "nothing")


class Scaled(nn.Module):
    """Answers with ten times as much where a flag is set."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3)) * self.factor


@pytest.mark.slow
def test_a_graph_that_differs_from_the_network_is_refused(tmp_path: Path) -> None:
    net, example = Scaled().eval(), torch.randn(2, 3, 8, 8)
    write_graph(net, example, tmp_path / GRAPH_FILE)
    truth = net(example).detach().numpy()
    assert prove_equal(tmp_path / GRAPH_FILE, example.numpy(), truth) < 1e-6
    for wrong in (truth * 1.001, truth * np.nan):
        with pytest.raises(WeightsError, match="the graph differs"):
            prove_equal(tmp_path / GRAPH_FILE, example.numpy(), wrong)


@pytest.mark.slow
def test_weights_too_large_for_one_file_lie_beside_the_graph_and_are_checked(models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models / "dinobloom_s", tmp_path / "x"))
    example = torch.randn(2, 3, 224, 224)
    write_graph(published(), example, folder / GRAPH_FILE, inline=1000)
    beside = folder / GRAPH_DATA_FILE
    assert beside.stat().st_size > 4 * 2 * 4 * 32 * 32
    card = read_card(folder)
    digests = {name: file_sha256(folder / name) for name in (GRAPH_FILE, GRAPH_DATA_FILE)}
    card = card.model_copy(update={"files": card.files | digests})
    [found] = OnnxGraph(folder, card).run(example.numpy())
    [expected] = OnnxGraph(models / "dinobloom_s", read_card(models / "dinobloom_s")).run(example.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    beside.write_bytes(bytes(beside.stat().st_size))
    with pytest.raises(WeightsError, match=r"model\.onnx\.data: its sha256"):
        OnnxGraph(folder, card)
    beside.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        OnnxGraph(folder, card)


def test_another_normalization_is_a_first_layer() -> None:
    net = Renormalized(nn.Identity(), *CLIP)
    pixels = torch.rand(2, 3, 5, 5)
    (mean, spread), (theirs, their_spread) = (
        (torch.tensor(v).view(3, 1, 1) for v in pair) for pair in (IMAGENET, CLIP)
    )
    torch.testing.assert_close(net((pixels - mean) / spread), (pixels - theirs) / their_spread)
    assert net.state_dict() == {}


def test_a_network_of_another_length_is_not_packed(tmp_path: Path) -> None:
    origin = Origin(name="dinobloom_s", url="", file="", revision="", sha256="0" * 64, verified=False, terms="")
    with pytest.raises(WeightsError, match="not embeddings of length 31"):
        pack_published(tmp_path / "x", Packing(replace(ENTRY, dimension=31), published(), origin, "test"))
    assert list(tmp_path.iterdir()) == []


Answer = Callable[[BaseHTTPRequestHandler], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test wants, and remembers what it was sent."""

    def __init__(self, answer: Answer, heard: list[Any], *rest: Any) -> None:
        self.answer, self.heard = answer, heard
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.heard.append(dict(self.headers))
        self.answer(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], tuple[str, list[Any]]]]:
    """A server on this machine alone, which answers as a test wants: its address, and the headers it was sent."""
    running = []

    def start(answer: Answer) -> tuple[str, list[Any]]:
        heard: list[Any] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, answer, heard))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/{ENTRY.file}", heard

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def whole(data: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def status(code: int) -> Answer:
    return lambda handler: handler.send_error(code)


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 400)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**18))
    handler.end_headers()
    handler.wfile.write(b"x")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


Serve = Callable[[Answer], tuple[str, list[Any]]]


def from_address(url: str, **changes: Any) -> EncoderEntry:
    return replace(ENTRY, url=url, **changes)


def test_weights_are_fetched_with_progress_and_the_fetched_file_is_removed(
    serve: Serve, file: Path, tmp_path: Path
) -> None:
    url, _ = serve(whole(file.read_bytes()))
    seen: list[tuple[int, int | None]] = []
    request = PullRequest(from_address(url), tmp_path / "x", with_graph=False)
    card = pull_model(request, lambda done, total: seen.append((done, total)))
    size = file.stat().st_size
    assert seen[-1] == (size, size)
    assert card.origin is not None
    assert card.origin.sha256 == file_sha256(file)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (status(401), WeightsError, "HEMASCOPE_HUB_TOKEN"),
        (status(403), WeightsError, "HEMASCOPE_HUB_TOKEN"),
        (status(404), WeightsError, "is not there"),
        (status(503), WeightsError, "try again later"),
        (cut_short, WeightsError, "cannot be fetched.*--from"),
        (hang_up, WeightsError, "cannot be fetched.*--from"),
        (endless, OutputError, "free some disk space"),
        (whole(b"<html>a page</html>"), WeightsError, "no file of plain tensors"),
    ],
    ids=["401", "403", "404", "503", "cut_short", "hang_up", "no_space", "a_page"],
)
def test_every_failure_of_the_network_is_said_and_leaves_nothing(
    answer: Answer, error: type[Exception], said: str, serve: Serve, tmp_path: Path
) -> None:
    url, _ = serve(answer)
    refused(PullRequest(from_address(url), tmp_path / "x"), error, said)


def test_nobody_at_the_address_is_said(tmp_path: Path) -> None:
    refused(PullRequest(from_address("http://127.0.0.1:9/a"), tmp_path / "x"), WeightsError, "--from")


def test_only_addresses_of_the_web_are_fetched(file: Path, tmp_path: Path) -> None:
    refused(PullRequest(from_address(file.as_uri()), tmp_path / "x"), WeightsError, "no address of the web")


def test_a_token_goes_to_no_other_place(serve: Serve, tmp_path: Path) -> None:
    url, heard = serve(whole(b"abc"))
    download(url, tmp_path / "a", token="secret")
    assert (tmp_path / "a").read_bytes() == b"abc"
    assert "secret" not in json.dumps(heard)
    assert "secret" not in repr(Settings(hub_token="secret"))
