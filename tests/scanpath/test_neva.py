"""NeVA: the published algorithm number by number, and the corrected one on pictures of any aspect."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from foveate.scanpath.foveation import Foveation, blur, fovea
from foveate.scanpath.frames import crop_to_square, fit_into_square
from foveate.scanpath.neva import NeVA, NevaSettings, search_fixations
from foveate.scanpath.task_models import Classifier, ImageText, Reconstruction

CASES = {
    "nevaclip_defaults": {"sigma": 0.2, "blur_size": 41, "blur_sigma": 10.0, "forgetting": 0.0, "steps": 20},
    "neva_forgetting": {"sigma": 0.15, "blur_size": 5, "blur_sigma": 5.0, "forgetting": 0.7, "steps": 12},
}
PLACES = torch.tensor([[0.3, -0.5], [-0.9, 0.8], [0.0, 0.0]])


class Small(nn.Module):
    """The network of the golden cases."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 7, 4, 3), nn.Conv2d(8, 16, 3, 2, 1)
        self.head = nn.Linear(16, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.conv2(torch.tanh(self.conv1(x)))).mean((2, 3)))


@pytest.fixture(params=CASES)
def case(request, golden):
    spec, wanted = golden.load(f"neva/{request.param}"), golden.outputs(f"neva/{request.param}")
    net = Small().eval().requires_grad_(False)
    net.load_state_dict(golden.fill_state(spec))
    return CASES[request.param], net, golden.make_input(spec), golden.make_input(spec, "target"), wanted


def test_the_eye_sees_as_published(case) -> None:
    numbers, net, x, _, wanted = case
    places = PLACES[: len(x)]
    small = (slice(None), slice(None), slice(None, None, 4), slice(None, None, 4))
    eye = Foveation(x, numbers["sigma"], numbers["blur_size"], numbers["blur_sigma"])
    torch.testing.assert_close(
        blur(x, numbers["blur_size"], numbers["blur_sigma"])[small], wanted["blur"], atol=1e-6, rtol=0
    )
    mask = fovea(places, x.shape[-2:], numbers["sigma"])
    torch.testing.assert_close(mask[small], wanted["foveation_mask"], atol=1e-6, rtol=0)
    torch.testing.assert_close(eye.perceive(places)[small], wanted["foveated"], atol=1e-6, rtol=0)
    torch.testing.assert_close(net(eye.perceive(places)), wanted["foveated_output"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("restarts", [False, True])
def test_the_search_goes_as_published(case, restarts: bool) -> None:
    numbers, net, x, target, wanted = case
    settings = NevaSettings(**numbers, random_restarts=restarts, published=True)
    stream = iter(wanted[f"draws_restart{restarts:d}"].tolist())

    def loss_of(seen: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return 1 - F.cosine_similarity(net(seen), target[which], dim=-1)

    def draw(which: torch.Tensor) -> torch.Tensor:
        return torch.tensor([next(stream) for _ in range(2 * len(which))]).view(-1, 2)

    found = search_fixations(loss_of, x, wanted[f"scanpath_restart{restarts:d}"].shape[1], settings, draw)
    torch.testing.assert_close(found.points, wanted[f"scanpath_restart{restarts:d}"], atol=2e-6, rtol=0)
    torch.testing.assert_close(found.memory[..., ::4, ::4], wanted[f"internal_restart{restarts:d}"], atol=5e-6, rtol=0)
    assert next(stream, None) is None, "fewer random numbers than published"


def test_the_eyes_gradient_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    x, points = torch.randn(2, 3, 20, 24), torch.tensor([[0.2, -0.4], [-0.7, 0.6]], requires_grad=True)
    eye = Foveation(x, 0.3, 5, 2.0)
    eye.memory = torch.rand(2, 1, 20, 24) * 0.5
    weight = torch.randn_like(x)
    (ours,) = torch.autograd.grad((eye.perceive(points) * weight).sum(), points)
    plain = x + eye.change * (1 - (eye.memory + fovea(points, (20, 24), 0.3))).clamp(0, 1)
    (wanted,) = torch.autograd.grad((plain * weight).sum(), points)
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


def test_padding_is_not_mixed_into_the_picture() -> None:
    torch.manual_seed(0)
    x, bounds, point = torch.randn(1, 3, 33, 33), torch.tensor([[0.5, 1.0]]), torch.tensor([[0.9, 0.9]])
    other = x.clone()
    other[:, :, :8] = other[:, :, 25:] = 7.0
    seen, again = (Foveation(picture, 0.01, 9, 3.0, bounds=bounds).perceive(point) for picture in (x, other))
    torch.testing.assert_close(seen[:, :, 8:25], again[:, :, 8:25])
    torch.testing.assert_close(again[:, :, :8], other[:, :, :8])
    assert (seen - x)[:, :, 8:25].abs().mean() > 0.1
    whole, plain = (Foveation(x, 0.01, 9, 3.0, bounds=limit) for limit in (torch.ones(1, 2), None))
    torch.testing.assert_close(whole.perceive(point), plain.perceive(point), atol=1e-5, rtol=0)


def test_corrected_fixations_stay_on_the_picture_and_keep_the_best_place() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 3, 32, 32)

    def loss_of(picture: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return (picture - x[which]).square().mean((1, 2, 3))

    settings = NevaSettings(steps=15, blur_size=9, blur_sigma=3.0, learning_rate=0.4)
    bounds = torch.tensor([[0.5, 1.0]]).expand(3, 2)
    found = search_fixations(loss_of, x, 1, settings, random_numbers(3), bounds)
    assert (found.points.abs() <= bounds[:, None] + 1e-6).all()
    eye = Foveation(x, settings.sigma, settings.blur_size, settings.blur_sigma, bounds=bounds)
    torch.testing.assert_close(loss_of(eye.perceive(found.points[:, 0]), torch.arange(3)), found.losses[:, 0])


@pytest.mark.parametrize("steps", [1, 2, 3, 12])
def test_looking_ahead_changes_no_fixation(steps: int) -> None:
    torch.manual_seed(0)
    net, x = Small().double().requires_grad_(False), torch.randn(5, 3, 48, 48, dtype=torch.float64)
    x[:, :, :20, 28:] *= 6
    settings = NevaSettings(steps=steps, blur_size=9, blur_sigma=3.0, forgetting=0.5, sigma=0.1)
    bounds = torch.tensor([0.8, 1.0], dtype=torch.float64).expand(5, 2)

    def loss_of(seen: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return 1 - F.cosine_similarity(net(seen), net(x[which]), dim=-1)

    found = search_fixations(loss_of, x, 3, settings, random_numbers(5), bounds)
    for i in range(5):
        mine, wanted_output = x[i : i + 1], net(x[i : i + 1])
        wanted = plain_search(
            lambda seen, output=wanted_output: 1 - F.cosine_similarity(net(seen), output),
            mine,
            3,
            settings,
            random_numbers(1),
            bounds[i],
        )
        torch.testing.assert_close(found.points[i], wanted, rtol=0, atol=1e-6)


def random_numbers(pictures: int):
    """The same numbers for each picture, whoever else is drawn for."""
    generators = [torch.Generator().manual_seed(0) for _ in range(pictures)]
    return lambda which: torch.stack([torch.rand(2, generator=generators[i]) for i in which.tolist()])


def plain_search(loss_of, x, count, settings, draw, limits):
    """The formula as it stands, for one picture: a full blur and a gradient for every step."""
    memory, points, side = torch.zeros(1, 1, *x.shape[-2:], dtype=x.dtype), [], x.shape[-1]
    rows, columns = (torch.linspace(-1, 1, side, dtype=x.dtype).abs() <= limit + 0.5 / (side - 1) for limit in limits)
    inside = (rows[:, None] & columns).to(x.dtype)[None, None]
    for _ in range(count):
        restarts = iter([(2 * draw(torch.tensor([0])) - 1) * limits for _ in range(max(settings.steps - 2, 0))])
        place, best, lowest = torch.zeros(1, 2, dtype=x.dtype), torch.zeros(1, 2, dtype=x.dtype), torch.inf
        for _ in range(settings.steps):
            place = place.detach().requires_grad_()
            soft, weight = (blur(part, settings.blur_size, settings.blur_sigma) for part in (x * inside, inside))
            soft = torch.where(inside > 0, soft / weight, x)
            blind = 1 - (memory + fovea(place, x.shape[-2:], settings.sigma))
            loss = loss_of(x + (soft - x) * blind.clamp(0, 1)).mean()
            (gradient,) = torch.autograd.grad(loss, place)
            if loss.item() < lowest:
                best, lowest = place.detach(), loss.item()
                moved = place - settings.learning_rate * gradient.sign()
                place = torch.minimum(torch.maximum(moved, -limits), limits)
            else:
                place = next(restarts, place)
        memory = settings.forgetting * memory + fovea(best, x.shape[-2:], settings.sigma)
        points.append(best[0])
    return torch.stack(points)


@pytest.mark.parametrize("size", [(300, 200), (120, 400), (64, 64)])
@pytest.mark.parametrize("place", [fit_into_square, crop_to_square])
def test_places_map_back_to_the_picture(size: tuple[int, int], place) -> None:
    image = Image.new("RGB", size, "black")
    x, y = size[0] // 2 - 8, size[1] // 2 + 10
    image.paste((255, 255, 255), (x - 5, y - 5, x + 6, y + 6))
    frame = place(image, 64, (0.0, 0.0, 0.0))
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    weight = frame.pixels.mean(0)
    middle = torch.stack([(weight * rows).sum(), (weight * columns).sum()]) / weight.sum()
    found = frame.to_pixels(middle / 63 * 2 - 1)
    assert float(found[0]) == pytest.approx(x, abs=1.5)
    assert float(found[1]) == pytest.approx(y, abs=1.5)
    corners = frame.to_pixels(torch.tensor([frame.bounds, [-b for b in frame.bounds]]))
    if place is fit_into_square:  # all of it is seen: the bounds are its corners
        assert corners[0][0] == pytest.approx(size[0] - 1, abs=max(size) / 64 + 1)
        assert corners[1][1] == pytest.approx(0, abs=max(size) / 64 + 1)


def test_a_classifier_looks_at_pictures_of_any_size() -> None:
    torch.manual_seed(0)
    net = timm.create_model("test_resnet", num_classes=5)
    settings = NevaSettings(steps=3, blur_size=11, blur_sigma=4.0)
    look = NeVA(Classifier(net), settings, batch_size=2)
    rng = np.random.default_rng(0)
    images = [
        Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8)) for w, h in ((90, 60), (50, 120), (40, 40))
    ]
    paths = look.batch(images, count=3, seed=1)
    assert [path.size for path in paths] == [(90, 60), (50, 120), (40, 40)]
    assert all(len(path) == 3 and path.inside.all() and path.duration is None for path in paths)
    again = look.batch(images, count=3, seed=1)
    assert [p.points.tolist() for p in again] == [p.points.tolist() for p in paths]
    with pytest.raises(ValueError, match="reads no words"):
        look(images[0], task="the dog")
    with pytest.raises(ValueError, match="at least 1"):
        look(images[0], count=0)


def test_a_path_does_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    look = NeVA(Reconstruction("test_resnet", pretrained=False), NevaSettings.free_viewing(64), batch_size=3)
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)) for _ in range(3)]
    together = look.batch(images, count=2, seed=[4, 5, 6])
    for image, seed, path in zip(images, (4, 5, 6), together, strict=True):
        np.testing.assert_allclose(look(image, count=2, seed=seed).points, path.points, atol=1e-3)
    with pytest.raises(ValueError, match="got 2 for 3"):
        look.batch(images, seed=[1, 2])


@pytest.mark.parametrize(("x", "y"), [(150, 30), (30, 60), (100, 90)])
def test_reconstruction_looks_at_the_only_thing(x: int, y: int) -> None:
    image = Image.new("RGB", (192, 128), "gray")
    image.paste(Image.effect_noise((30, 30), 90).convert("RGB"), (x - 15, y - 15))
    torch.manual_seed(0)
    look = NeVA(Reconstruction("test_resnet", pretrained=False), NevaSettings.free_viewing(64))
    first = look(image, count=1)[0]
    assert np.hypot(first.x - x, first.y - y) < 20


def test_the_blur_of_free_viewing_is_that_of_nevaclip_in_proportion() -> None:
    wanted, small = NevaSettings(), NevaSettings.free_viewing(64)
    assert NevaSettings.free_viewing(224).blur_size == wanted.blur_size
    assert NevaSettings.free_viewing(224).blur_sigma == wanted.blur_sigma
    assert small.blur_size == 13
    assert small.blur_sigma == pytest.approx(wanted.blur_sigma * 64 / 224)


def test_reconstruction_says_what_it_cannot() -> None:
    task = Reconstruction("test_resnet", pretrained=False)
    with pytest.raises(ValueError, match="reconstruction reads no words, got 'a dog'"):
        NeVA(task, NevaSettings.free_viewing(64))(Image.new("RGB", (40, 40)), task="a dog")
    with pytest.raises(ValueError, match=r"forward_intermediates, got Small"):
        Reconstruction(Small())


def test_random_weights_are_called_untrained() -> None:
    assert not NeVA(Classifier("test_resnet", pretrained=False)).trained
    assert not NeVA(Reconstruction("test_resnet", pretrained=False)).trained


def test_a_text_is_looked_for(tmp_path) -> None:
    folder = tiny_clip(tmp_path)
    look = NeVA(ImageText(folder), NevaSettings(steps=2, blur_size=5, blur_sigma=2.0), name="nevaclip")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    paths = look.batch([image, image], count=2, tasks=["a red cat", ""])
    assert paths[0].task == "a red cat"
    assert paths[1].task == ""
    assert paths[0].points.tolist() != paths[1].points.tolist()
    with pytest.raises(RuntimeError, match="neither a folder"):
        ImageText(tmp_path / "nothing")


def tiny_clip(folder):
    """A CLIP model with the published layout and random weights."""
    transformers = pytest.importorskip("transformers")
    import json

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = transformers.CLIPConfig(
        text_config={**tower, "vocab_size": 64, "max_position_embeddings": 16, "eos_token_id": 1, "bos_token_id": 0},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    letters = [chr(c) for c in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return folder


def test_a_batch_says_which_picture_is_none() -> None:
    model = NeVA(Reconstruction("resnet18_ela_eye", pretrained=False))
    with pytest.raises(TypeError, match="picture 1 must be a PIL image, got NoneType: open it with"):
        model.batch([Image.new("RGB", (20, 20)), None], count=1)
