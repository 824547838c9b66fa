"""The recipe of benchmarks/tiny_imagenet.py on pictures made here; the real ones are not needed."""

import importlib
import io
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import foveate.backbones  # noqa: F401

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = "patnet_t0:dim=16,depths=(1,1,1,1)"
NAMES = ("tiny_imagenet", "tiny_imagenet_data", "tiny_imagenet_augment", "tiny_imagenet_train", "probes")


@pytest.fixture(scope="module")
def ours() -> SimpleNamespace:
    """Give the modules of the benchmark, which lie in no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        modules: dict[str, ModuleType] = {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(BENCHMARKS))
    return SimpleNamespace(**{name.removeprefix("tiny_imagenet_"): module for name, module in modules.items()})


def write_sheets(path: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    with tarfile.open(path, "w") as archive:
        for number in range(0, len(labels), 64):
            sheet = np.zeros((64, 64, 64, 3), np.uint8)
            part = pictures[number : number + 64]
            sheet[: len(part)] = part.transpose(0, 2, 3, 1)
            whole = sheet.reshape(8, 8, 64, 64, 3).transpose(0, 2, 1, 3, 4).reshape(512, 512, 3)
            stream = io.BytesIO()
            Image.fromarray(whole).save(stream, "webp", lossless=True)
            text = " ".join(str(label) for label in labels[number : number + 64]).encode()
            for ending, content in ((".webp", stream.getvalue()), (".cls", text)):
                member = tarfile.TarInfo(f"{number // 64:06d}{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Make pictures whose colour tells the class, as tars."""
    folder = tmp_path_factory.mktemp("sheets")
    random = np.random.default_rng(0)
    made = SimpleNamespace(folder=folder)
    for split, count in (("train", 200), ("val", 70)):
        labels = random.integers(0, 4, count)
        colors = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [180, 180, 180]])[labels]
        noise = random.integers(-30, 31, (count, 3, 64, 64))
        x = (colors[:, :, None, None] + noise).astype(np.uint8)
        write_sheets(folder / f"{split}-00.tar", x, labels)
        setattr(made, split, (x, labels))
    return made


def sorted_pictures(x: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    return sorted((picture.tobytes(), int(label)) for picture, label in zip(x, labels, strict=True))


@pytest.mark.parametrize("packed", [False, True])
def test_sheets_are_read_as_written(ours, pictures, tmp_path, packed) -> None:
    folders = [pictures.folder]
    if packed:
        folders = [tmp_path / "a", tmp_path / "b"]
        assert all(size > 0 for size in ours.data.pack([pictures.folder], folders))
    cache = tmp_path / "cache"
    assert ours.data.prepare(folders, cache, processes=1) == {"train": 200, "val": 70}
    for split in ("train", "val"):
        x, labels = ours.data.load_split(cache, split, torch.device("cpu"))
        assert sorted_pictures(x.numpy(), labels.numpy()) == sorted_pictures(*getattr(pictures, split))
    assert ours.data.prepare([tmp_path / "none"], cache) == {"train": 200, "val": 70}


def test_an_empty_cache_says_what_to_do(ours, tmp_path) -> None:
    with pytest.raises(ValueError, match="--data"):
        ours.data.load_split(tmp_path, "train", torch.device("cpu"))


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("change", [False, True])
def test_views_have_their_size_and_stay_in_range(ours, size, change) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 256, (27, 3, 64, 64), dtype=torch.uint8)
    views = ours.augment.augment(x, size, (0.3, 1.0), change, 0.0)
    assert views.shape == (27, 3, size, size)
    mean, std = (torch.tensor(v)[:, None, None] for v in (ours.augment.MEAN, ours.augment.STD))
    colors = views * std + mean
    assert colors.min() >= -1e-5
    assert colors.max() <= 1 + 1e-5


def test_a_whole_crop_is_what_measuring_sees_or_its_mirror(ours) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 256, (32, 3, 64, 64), dtype=torch.uint8)
    views, plain = ours.augment.augment(x, 128, (1.0, 1.0), False, 0.0), ours.augment.plain(x, 128)
    # A crop of the whole area in another ratio than the picture's is cut to the picture, so one side may shrink.
    theta = ours.augment.transforms(32, (1.0, 1.0), False, x.device)
    assert theta[:, [0, 1], [0, 1]].abs().max() == 1
    torch.manual_seed(0)
    theta = ours.augment.transforms(32, (1.0, 1.0), False, x.device)
    full = (theta[:, [0, 1], [0, 1]].abs() > 0.999).all(1)
    for view, whole in zip(views[full], plain[full], strict=True):
        assert min((view - whole).abs().max(), (view - whole.flip(2)).abs().max()) < 1e-3


def test_colours_change_in_their_parts_only(ours) -> None:
    torch.manual_seed(0)
    kinds, colors = ours.augment.KINDS, len(ours.augment.COLORS)
    x = torch.rand(4 * kinds, 3, 16, 16) * 0.6 + 0.2
    changed = ours.augment.change_colors(x)
    assert changed.min() >= 0
    assert changed.max() <= 1
    differs = (changed != x).flatten(1).any(1).view(kinds, 4)
    assert differs[:colors].any(1).all()
    assert not differs[colors:].any()


def test_erasing_paints_boxes_over(ours) -> None:
    torch.manual_seed(0)
    x = torch.full((64, 3, 64, 64), 100, dtype=torch.uint8)
    views = ours.augment.augment(x, 64, (0.5, 1.0), False, 1.0)
    plain = ours.augment.plain(x, 64)
    erased = ((views - plain).abs().amax(1) > 1e-3).float().mean((1, 2))
    assert (erased > 0).float().mean() > 0.9
    assert erased.max() <= 0.4


def test_labels_are_mixed_as_much_as_pictures(ours) -> None:
    torch.manual_seed(0)
    levels = torch.arange(50.0)
    x = levels[:, None, None, None].expand(50, 3, 32, 32)
    mixed, targets = ours.augment.mix(x, torch.eye(50), 0.4, 1.0, 0.8)
    assert torch.allclose(targets.sum(1), torch.ones(50))
    assert torch.allclose(mixed.mean((1, 2, 3)), targets @ levels, atol=1e-3)
    flat = (mixed.flatten(1).std(1) == 0) & (targets.max(1).values < 1)
    assert flat.any()  # blends
    assert (mixed.flatten(1).std(1) > 0).any()  # boxes
    assert (targets.max(1).values == 1).any()  # left alone


def test_names_carry_arguments(ours) -> None:
    assert ours.train.parse_model("resnet18") == ("resnet18", {})
    assert ours.train.parse_model("a_b:rate=0.1,depths=(1,2),pool=avg") == (
        "a_b",
        {"rate": 0.1, "depths": (1, 2), "pool": "avg"},
    )


def test_counts_parameters_and_multiply_adds(ours) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(8 * 64, 5))
    assert ours.train.count(model, 8) == (216 + 8 * 64 * 5 + 5, 64 * 216 + 8 * 64 * 5)


def test_learning_rate_rises_and_falls(ours) -> None:
    recipe = ours.train.Recipe(lr=1.0, warmup=0.1)
    rates = [ours.train.learning_rate(recipe, progress) for progress in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[2] == pytest.approx(1.0)
    assert rates[4] == pytest.approx(0.01)
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4]


def make_trainer(ours, teachers=None, **changes):
    torch.manual_seed(0)
    x = torch.randint(0, 256, (16, 3, 64, 64), dtype=torch.uint8)
    recipe = ours.train.Recipe(size=64, batch=8, epochs=1, compile="none", **changes)
    return ours.train.Trainer(ours.train.build(SMALL, 10), recipe, x, torch.arange(16) % 10, 10, teachers)


def test_two_steps_move_the_weights_and_can_go_on(ours) -> None:
    trainer = make_trainer(ours)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.warm_up()
    assert all(torch.equal(value, before[key]) for key, value in trainer.model.state_dict().items())
    for progress in (0.3, 0.8):
        trainer.step(progress)
    assert trainer.loss.isfinite()
    weight = "patch_embed.proj.weight"
    moved, averaged = trainer.model.state_dict()[weight], trainer.averaged.state_dict()[weight]
    assert not torch.equal(moved, before[weight])
    assert 0 < (averaged - before[weight]).norm() < (moved - before[weight]).norm()
    other = make_trainer(ours)
    other.load(trainer.state())
    assert (other.steps, other.progress) == (2, 0.8)
    assert torch.equal(other.model.state_dict()[weight], moved)
    with pytest.raises(ValueError, match="another recipe"):
        make_trainer(ours, lr=1.0).load(trainer.state())


def test_teachers_are_part_of_the_targets(ours) -> None:
    class Sure(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((len(x), 10), -1e4).index_fill(1, torch.tensor(3), 1e4)

    trainer = make_trainer(ours, [Sure()], distill=1.0)
    trainer.backward(64, 0.0)
    trainer.model.zero_grad()
    for _ in range(12):
        trainer.step(0.3)
    assert (trainer.model.eval()(ours.augment.plain(trainer.pictures, 64)).argmax(1) == 3).all()


def test_schedules_end_by_steps_or_by_time(ours) -> None:
    by_steps = ours.train.Schedule(ours.train.Recipe(epochs=2), 10, 0.0, 0.0, 0.0)
    assert [by_steps.at(steps) for steps in (0, 5, 20, 30)] == [0, 0.25, 1, 1]
    by_time = ours.train.Schedule(ours.train.Recipe(epochs=0, minutes=1), 10, 90.0, 0.5, 0.0)
    by_time.begun -= 60
    assert by_time.at(0) == 1
    with pytest.raises(ValueError, match="both 0"):
        ours.train.Schedule(ours.train.Recipe(epochs=0), 10, 0.0, 0.0, 0.0)


def test_accuracy_takes_no_answer_for_a_right_one(ours) -> None:
    x, labels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([1, 1, 2, 3])
    broken = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    nn.init.constant_(broken[1].weight, float("nan"))
    assert ours.train.accuracy(broken, x, labels, 8)[0] == 0
    nn.init.zeros_(broken[1].weight)
    with torch.no_grad():
        broken[1].bias.copy_(torch.arange(10) == 1)
    assert ours.train.accuracy(broken, x, labels, 8)[0] == 50


def test_a_training_reports_exports_and_goes_on(ours, pictures, tmp_path) -> None:
    ours.data.prepare([pictures.folder], tmp_path / "cache", processes=1)
    words = ["train", "--models", SMALL, "--size", "32", "--batch", "50", "--compile", "none", "--looks", "2"]
    words += ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out"), "--state", str(tmp_path / "state")]
    words += ["--device", "cpu", "--export", "--epochs", "3", "--lr", "0.01", "--mix", "0"]
    arguments = ours.tiny_imagenet.parse(words)
    first = ours.tiny_imagenet.train_one(SMALL, arguments)
    assert first["final"]
    assert first["epochs"] == 3
    assert first["train_per_second"] > 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [line["progress"] for line in lines] == [0.5, 1.0]
    weights = next((tmp_path / "out").glob("*.safetensors"))
    model = ours.tiny_imagenet.load_weights(SMALL, weights)
    x, labels = ours.data.load_split(tmp_path / "cache", "val", torch.device("cpu"))
    assert ours.train.accuracy(model, x, labels, 32)[0] == pytest.approx(first["top1_saved"], abs=0.01)
    again = ours.tiny_imagenet.train_one(SMALL, arguments)
    assert (again["epochs"], again["top1"]) == (3, first["top1"])


def test_probes_beat_chance_on_separable_features(ours) -> None:
    torch.manual_seed(0)
    centers = torch.randn(5, 16)
    labels = torch.arange(100) % 5
    train, val = (centers[labels] + 0.3 * torch.randn(100, 16) for _ in range(2))
    shuffled = labels[torch.randperm(100)]
    for probe in (ours.probes.linear_probe, ours.probes.nearest_neighbors):
        assert probe(train, labels, val, labels) > 95
        assert probe(train, shuffled, val, labels) < 50
        # Features that never change must not break it.
        assert (
            probe(torch.cat([train, torch.ones(100, 2)], 1), labels, torch.cat([val, torch.ones(100, 2)], 1), labels)
            > 95
        )


def test_rare_classes_count_as_much(ours) -> None:
    labels = torch.tensor([0] * 9 + [1])
    assert ours.probes.class_accuracy(torch.zeros(10, dtype=torch.long), labels) == pytest.approx(50)


def test_norms_settle_on_what_they_see(ours) -> None:
    norm = nn.BatchNorm2d(3)
    x = torch.randn(64, 3, 8, 8) * 5 + 2
    ours.probes.settle_norms(nn.Sequential(norm), x.split(16))
    assert torch.allclose(norm.running_mean, x.mean((0, 2, 3)), atol=1e-4)
    assert not norm.training
    features = ours.probes.pooled_features(nn.Sequential(norm, nn.AdaptiveAvgPool2d(1)), x.split(16))
    assert features.shape == (64, 3)


def test_photos_are_cut_to_their_middle(ours, tmp_path) -> None:
    photo = np.zeros((96, 160, 3), np.uint8)
    photo[:, 32:128] = 200
    stream = io.BytesIO()
    Image.fromarray(photo).save(stream, "webp", lossless=True)
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for name, content in (("000000.webp", stream.getvalue()), ("000000.cls", b"7")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    x, labels = ours.data.load_photos(tmp_path, "val")
    assert x.shape == (1, 3, 64, 64)
    assert x.min() > 190
    assert labels.tolist() == [7]
    with pytest.raises(ValueError, match="name the folder"):
        ours.data.load_photos(tmp_path, "train")
