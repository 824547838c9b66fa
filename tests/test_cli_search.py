"""``foveate search`` from the words to the files, and the models of search by name."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from foveate import cli_search
from foveate.cli import build_parser, main
from foveate.cli_search import load_searcher
from foveate.console import UsageError
from foveate.scanpath import EYE, eccentric_cnn, eccnet
from foveate.scanpath.search_models import NetworkSearch, PixelSearch
from foveate.vision import load_image

SMALL = ("--backbone", "mobilenetv3_small_050", "--untrained")


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``foveate search`` with the real loader; gives code, lines of output, and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, list[str], str]:
        code = main(["search", *words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return run


@pytest.fixture
def by_pixels(look, monkeypatch: pytest.MonkeyPatch):
    """The same with a model that finds what is there to the pixel."""
    monkeypatch.setattr(cli_search, "load_searcher", lambda *words, **options: PixelSearch())
    return look


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A scene of noise with a patch at 130..150, 70..94, and the patch."""
    scene = Image.effect_noise((200, 120), 60).convert("RGB")
    patch = Image.effect_noise((20, 24), 120).convert("RGB")
    scene.paste(patch, (130, 70))
    scene.save(tmp_path / "scene.png")
    patch.save(tmp_path / "patch.png")
    return tmp_path


def test_a_target_is_found_in_pixels_of_the_scene(by_pixels, pictures: Path) -> None:
    code, lines, errors = by_pixels("patch.png", "scene.png", "--target-box", "130", "70", "150", "94")
    assert (code, errors, len(lines)) == (0, "", 1)
    assert lines[0].startswith("scene.png  1:(100, 60)  2:(1")
    assert lines[0].endswith("  found after 1 saccade  pixel match  foveate-out/search/scene.scanpath.png")
    folder = pictures / "foveate-out" / "search"
    answer = json.loads((folder / "scene.scanpath.json").read_text())
    assert answer["image"] == {"width": 200, "height": 120}
    last = answer["fixations"][-1]
    assert abs(last["x"] - 140) < 6
    assert abs(last["y"] - 82) < 6
    details = answer["details"]
    assert (details["found"], details["saccades"], details["target"]) == (True, 1, "patch.png")
    assert details["target_box"] == [130, 70, 150, 94]
    assert (folder / "scene.scanpath.csv").read_text().startswith("index,x,y\n1,100.0,60.0\n2,")
    assert load_image(folder / "scene.scanpath.png").size == (200, 120)


def test_without_a_box_the_search_goes_on(by_pixels, pictures: Path) -> None:
    code, lines, _ = by_pixels("patch.png", "scene.png", "--n", "3", "--json", "--out", "other")
    answer = json.loads(lines[0])
    assert (code, len(answer["fixations"])) == (0, 3)
    assert answer["details"]["found"] is None
    assert (pictures / "other" / "scene.scanpath.png").is_file()
    code, lines, _ = by_pixels("patch.png", "scene.png", "--n", "2", "--target-box", "0", "0", "20", "20")
    assert code == 0
    assert "  not found in 1 saccade  " in lines[0]


def test_a_large_scene_is_searched_smaller_and_answered_in_its_own_pixels(by_pixels, pictures: Path) -> None:
    for name in ("scene", "patch"):
        picture = load_image(pictures / f"{name}.png")
        enlarged = picture.resize((picture.width * 4, picture.height * 4), Image.Resampling.BICUBIC)
        enlarged.save(pictures / f"{name}4.png")
    box = ("--target-box", "520", "280", "600", "376")
    code, lines, _ = by_pixels("patch4.png", "scene4.png", "--side", "200", "--json", *box)
    answer = json.loads(lines[0])
    assert code == 0
    assert answer["image"] == {"width": 800, "height": 480}
    assert answer["details"]["searched_size"] == [200, 120]
    assert answer["details"]["found"] is True
    assert abs(answer["fixations"][-1]["x"] - 560) < 24
    assert abs(answer["fixations"][-1]["y"] - 328) < 24


def test_a_folder_goes_on_past_a_bad_file(by_pixels, pictures: Path) -> None:
    (pictures / "rooms").mkdir()
    for name in ("a.png", "c.png"):
        shutil.copy(pictures / "scene.png", pictures / "rooms" / name)
    (pictures / "rooms" / "b.png").write_text("no picture")
    Image.new("RGB", (10, 10)).save(pictures / "rooms" / "d.png")
    code, lines, errors = by_pixels("patch.png", "rooms", "missing.png", "--n", "2")
    assert code == 1
    assert [line.split()[0] for line in lines] == ["rooms/a.png", "rooms/c.png"]
    assert "rooms/b.png is not an image" in errors
    assert "rooms/d.png: the target is 20x24 pixels and the scene 10x10" in errors
    assert "3 of 5 inputs failed" in errors


def test_standard_input(by_pixels, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO((pictures / "patch.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    code, lines, _ = by_pixels("-", "scene.png", "--n", "2", "--json")
    assert code == 0
    assert json.loads(lines[0])["details"]["target"] == "stdin"


def test_a_network_without_training_says_so(look, pictures: Path) -> None:
    code, lines, errors = look("patch.png", "scene.png", "--side", "64", "--n", "3", *SMALL)
    assert (code, lines) == (1, [])
    assert "the target has 6x8 pixels when searched, 8 are needed: give a --side of more pixels" in errors
    words = ("patch.png", "scene.png", "--side", "100", "--n", "3", *SMALL)
    code, lines, errors = look(*words)
    assert (code, errors) == (0, "")
    assert "  eccnet(mobilenetv3_small_050)  untrained  " in lines[0]
    answer = json.loads((pictures / "foveate-out/search/scene.scanpath.json").read_text())
    assert answer["trained"] is False
    assert len(answer["fixations"]) == 3
    assert look(*words)[1] == lines, "a seed gives the same weights"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["patch.png"], 2, "required: SCENE"),
        (["-", "-"], 2, "- (standard input) can be given once only"),
        (["patch.png", "scene.png", "--n", "1"], 2, "whole number, between 2 and 1000, got '1'"),
        (["patch.png", "scene.png", "--side", "9"], 2, "whole number, between 64 and 2048, got '9'"),
        (["patch.png", "scene.png", "--target-box", "9", "0", "9", "5"], 2, "needs X0 < X1 and Y0 < Y1, got 9 0 9 5"),
        (["patch.png", "scene.png", "patch.png", "--target-box", "0", "0", "9", "5"], 2, "one scene, got 2"),
        (["patch.png", "scene.png", "--target-box", "0", "0", "900", "5"], 1, "reaches beyond the scene of 200x120"),
        (["scene.png", "patch.png"], 1, "patch.png: the target is 200x120 pixels and the scene 20x24"),
        (["none.png", "scene.png"], 1, "none.png: no such file"),
        (["patch.png", "none.png"], 1, "none.png: no such file"),
        (["*.png", "scene.png"], 2, "TARGET must be one picture, and *.png stands for 2"),
        (["patch.png", "scene.png", "--backbone", "nobody"], 2, "timm knows no model 'nobody'"),
        (["patch.png", "scene.png", "--backbone", "patnet_t0"], 1, "patnet_t0 cannot look (No pretrained weights"),
        (["patch.png", "scene.png", "--backbone", "vit_tiny_patch16_224", "--untrained"], 1, "20x24 pixels (Input"),
        (["patch.png", "scene.png", "--device", "tpu"], 2, "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_is_one_sentence(look, pictures: Path, words: list[str], code: int, message: str) -> None:
    if "--backbone" not in words:
        words = [*words, *SMALL]
    ended, lines, errors = look(*words)
    assert (ended, lines) == (code, [])
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_vgg_looks_where_its_weights_are_and_the_suite_s_own_eye_where_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = []

    def open_network(eye: str, **options: bool) -> eccnet.EccNet:
        opened.append((eye, options["eccentric"]))
        return eccentric_cnn.TimmEccNet("mobilenetv3_small_050", pretrained=False)

    monkeypatch.setattr(eccentric_cnn, "open_eccnet", open_network)
    monkeypatch.setattr(eccnet, "find_vgg16_weights", lambda: Path("vgg16-397923af.pth"))
    assert isinstance(load_searcher("eccnet", "cpu"), NetworkSearch)
    load_searcher("plain", "cpu")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(eccnet, "find_vgg16_weights", lambda: None)
    load_searcher("eccnet", "cpu")
    assert "no VGG16 weights are in PyTorch's cache: resnet18_ela_eye looks in their place" in capsys.readouterr().err
    load_searcher("plain:resnet18_ela_eye", "cpu")
    assert capsys.readouterr().err == ""
    assert opened == [("", True), ("", False), ("resnet18_ela_eye", True), ("resnet18_ela_eye", False)]


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut short"])
def test_damaged_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    path = tmp_path / "vgg16-397923af.pth"
    path.write_bytes(content)
    for module in (eccnet, eccentric_cnn):
        monkeypatch.setattr(module, "find_vgg16_weights", lambda: path)
    with pytest.raises(RuntimeError, match=r"VGG16 cannot look \(cannot read the weights .*vgg16-397923af.pth"):
        load_searcher("eccnet", "cpu")


@pytest.mark.parametrize("name", ["nobody", "eccnet:", "pixel:resnet18_ela_eye", ""])
def test_unknown_models(name: str) -> None:
    with pytest.raises(UsageError, match="models of search are eccnet, plain, pixel, chance, eccnet:TIMM-NAME"):
        load_searcher(name, "cpu")


def test_models_without_a_network() -> None:
    assert [load_searcher(name, "cpu").name for name in ("pixel", "chance")] == ["pixel match", "chance"]
    with pytest.raises(UsageError, match="pixel has no weights"):
        load_searcher("pixel", "cpu", untrained=True)


def test_the_eye_is_that_of_the_room() -> None:
    assert cli_search.FALLBACK == EYE


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--help"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 120
    for line in (line.split("   ")[0].split() for line in shown.splitlines() if line.startswith("  foveate search")):
        assert build_parser().parse_args(line[1:]).verb == "search"
