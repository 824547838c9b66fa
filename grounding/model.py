"""foveate-point: a picture of a screen and sentences in, one map of where to click a sentence out."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import foveate.backbones  # noqa: F401  (registers the backbones)
from foveate.grounding.text import TextEncoder, TextFeatures

STRIDE = 8
_FORMAT = "foveate-point/1"


@dataclass(frozen=True)
class PointConfig:
    """Sizes of a pointer model.

    Args:
        name: Name of the model.
        backbone: timm name of the backbone; it yields features at strides 4, 8, 16 and 32.
        neck_dim: Channels of the merged maps.
        match_dim: Channels in which a place and a sentence are compared directly.
        fuse_depth: Layers in which the stride-16 map reads the sentence.
        text_dim: Width of the text encoder.
        text_depth: Layers of the text encoder.
    """

    name: str = "foveate-point-s"
    backbone: str = "patnet_screen"
    neck_dim: int = 192
    match_dim: int = 256
    fuse_depth: int = 3
    text_dim: int = 384
    text_depth: int = 3


@dataclass(frozen=True)
class ImageFeatures:
    """What a batch of pictures became.

    Args:
        place: Direct-matching vectors at stride 8, (batch, match_dim, height / 8, width / 8).
        fine: Merged map at stride 8, (batch, neck_dim, height / 8, width / 8).
        coarse: Merged map at stride 16, (batch, neck_dim, height / 16, width / 16).
    """

    place: Tensor
    fine: Tensor
    coarse: Tensor


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, dim_in: int, dim_out: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(dim_in, dim_out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(dim_out), nn.ReLU()
        )


class Neck(nn.Module):
    """Merge strides 32, 16 and 8 from the top down.

    Args:
        dims: Channels of the backbone at strides 8, 16 and 32.
        dim: Channels of the result.

    Source: feature pyramid networks (arXiv 1612.03144), with batch norm.
    """

    def __init__(self, dims: Sequence[int], dim: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvNorm(d, dim, 1) for d in dims)
        self.smooth = nn.ModuleList(ConvNorm(dim, dim, 3) for _ in dims[:-1])

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Return the merged maps at strides 8 and 16."""
        top = self.lateral[2](coarse)
        middle = self.smooth[1](self.lateral[1](middle) + F.interpolate(top, scale_factor=2.0, mode="nearest"))
        fine = self.smooth[0](self.lateral[0](fine) + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        return fine, middle


class FuseLayer(nn.Module):
    """Let every place read the sentence, then let neighbours talk.

    Args:
        dim: Channels of the map.
        text_dim: Width of the sentence's states.
        heads: Attention heads.
    """

    def __init__(self, dim: int, text_dim: int, heads: int = 6) -> None:
        super().__init__()
        self.heads = heads
        self.norm_read = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(text_dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.near = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm_near = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, text: TextFeatures) -> Tensor:
        """Fuse (sentences, height, width, dim) with the states of as many sentences."""
        n, h, w, dim = x.shape
        q = self.query(self.norm_read(x)).view(n, h * w, self.heads, -1).transpose(1, 2)
        k, v = self.key_value(text.states).view(n, -1, 2, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=text.mask[:, None, None, :])
        x = x + self.out(read.transpose(1, 2).reshape(n, h, w, dim))
        near = self.near(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(self.norm_near(near))


class PointModel(nn.Module):
    """Point at what a sentence names: backbone, text encoder, a direct match at stride 8 and a fused one at stride 16.

    Args:
        config: Sizes.
        pieces: Wordpieces of the text encoder.

    Source: the pointer map, its loss and its regions follow V2P (arXiv 2508.13634) and GUI-Actor (arXiv 2506.03143);
        the network is our own and far smaller.
    """

    stride = STRIDE
    mean: Tensor
    std: Tensor

    def __init__(self, config: PointConfig, pieces: Sequence[str]) -> None:
        super().__init__()
        self.config = config
        self.trained = False
        self.backbone = timm.create_model(config.backbone, features_only=True, out_indices=(1, 2, 3))
        dim = config.neck_dim
        self.neck = Neck(self.backbone.feature_info.channels(), dim)
        self.text = TextEncoder(pieces, config.text_dim, config.text_depth)
        self.place = nn.Conv2d(dim, config.match_dim, 1)
        self.sentence = nn.Linear(config.text_dim, config.match_dim)
        self.enter = nn.Linear(dim, dim)
        self.where = nn.Linear(16, dim)
        self.fuse = nn.ModuleList(FuseLayer(dim, config.text_dim) for _ in range(config.fuse_depth))
        self.leave = nn.LayerNorm(dim)
        self.fine_key = nn.Conv2d(dim, 64, 1)
        self.fine_query = nn.Linear(dim, 64)
        self.coarse_logit = nn.Linear(dim, 1)
        self.register_buffer("mean", torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.25, 0.25, 0.25]).view(1, 3, 1, 1), persistent=False)
        # cos-similarity-like logits start at a scale of about 10, as in CLIP (arXiv 2103.00020).
        self.direct_scale = nn.Parameter(torch.tensor(10.0).log())

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Look at pictures once, whatever will be asked.

        Args:
            pixels: RGB, 0 to 1, (batch, 3, height, width); sides are multiples of 32.

        Returns:
            Features that any number of sentences can be matched with.
        """
        fine, coarse = self.neck(*self.backbone((pixels - self.mean) / self.std))
        return ImageFeatures(F.normalize(self.place(fine).float(), dim=1), fine, coarse)

    def encode_text(self, ids: Tensor) -> TextFeatures:
        """Encode rows of piece ids, (sentences, pieces)."""
        return self.text(ids)

    def sentence_vectors(self, text: TextFeatures) -> Tensor:
        """Unit vectors of sentences in the space of ``ImageFeatures.place``, (sentences, match_dim)."""
        return F.normalize(self.sentence(text.pooled).float(), dim=1)

    def maps(self, image: ImageFeatures, text: TextFeatures) -> tuple[Tensor, Tensor]:
        """Match sentences with pictures.

        Args:
            image: Features of the pictures.
            text: Features of the sentences, equally many for every picture, picture by picture.

        Returns:
            Logits of the full map and of its direct part alone, each (sentences, height / 8, width / 8) float32.
        """
        batch, _, height, width = image.place.shape
        count = text.mask.shape[0] // batch
        vectors = self.sentence_vectors(text).view(batch, count, -1)
        direct = (vectors @ image.place.flatten(2)).view(-1, height, width) * self.direct_scale.exp()
        coarse = image.coarse.permute(0, 2, 3, 1)
        x = self.enter(coarse) + self.where(_waves(height // 2, width // 2, coarse.device, coarse.dtype))
        x = x.repeat_interleave(count, 0)
        for layer in self.fuse:
            x = layer(x, text)
        x = self.leave(x)
        wide = F.interpolate(self.coarse_logit(x).permute(0, 3, 1, 2), scale_factor=2.0, mode="bilinear")[:, 0]
        query = self.fine_query(x).unflatten(0, (batch, count))
        key = self.fine_key(image.fine).unflatten(2, (height // 2, 2)).unflatten(4, (width // 2, 2))
        near = torch.einsum("bthwc,bchywx->bthywx", query, key).reshape(-1, height, width) * 0.125
        return direct + wide.float() + near.float(), direct

    def map_logits(self, features: ImageFeatures, texts: Sequence[Sequence[str]]) -> list[Tensor]:
        """Answer sentences about pictures.

        Args:
            features: From ``encode_image``.
            texts: The sentences of each picture.

        Returns:
            Logits for each picture, (sentences, height / 8, width / 8).
        """
        answers = []
        for index, sentences in enumerate(texts):
            one = ImageFeatures(*(part[index : index + 1] for part in (features.place, features.fine, features.coarse)))
            ids = self.text.tokenize(sentences).to(features.place.device)
            answers.append(self.maps(one, self.encode_text(ids))[0])
        return answers


def _waves(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Where each cell lies on the screen, as slow waves: (height, width, 16)."""
    waves = []
    for size in (height, width):
        place = (torch.arange(size, device=device) + 0.5) / size
        angle = place[:, None] * torch.pi * torch.tensor([0.5, 1.0, 2.0, 4.0], device=device)
        waves.append(torch.cat([angle.sin(), angle.cos()], 1))
    rows, columns = waves
    grid = torch.cat([rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)], 2)
    return grid.to(dtype)


def save_point_model(model: PointModel, path: str | Path, facts: dict[str, Any] | None = None) -> None:
    """Write a pointer as fp16 safetensors, with its sizes and wordpieces in the header.

    Args:
        model: Any pointer.
        path: File to write.
        facts: More to remember, such as training steps and scores.
    """
    state = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    header = {
        "format": _FORMAT,
        "config": json.dumps(asdict(model.config)),
        "pieces": "\n".join(model.text.pieces),
        "facts": json.dumps(facts or {}),
    }
    save_file(state, path, metadata=header)


def read_facts(path: str | Path) -> dict[str, Any]:
    """Read what ``save_point_model`` was told to remember.

    Args:
        path: A file that it wrote.

    Returns:
        Such as steps, minutes and scores; empty for an untrained model.
    """
    with safe_open(path, "pt") as file:
        return json.loads((file.metadata() or {}).get("facts", "{}"))


def find_weights(name_or_path: str) -> Path:
    """Find the weights of a packaged model or take a path as it is.

    Raises:
        ValueError: Neither a packaged model nor a file.
    """
    if Path(name_or_path).suffix == ".safetensors" or "/" in name_or_path:
        path = Path(name_or_path)
        if not path.is_file():
            raise ValueError(f"no weights file at {name_or_path}: give a .safetensors file or the name of a model")
        return path
    folder = Path(str(files("foveate.grounding"))) / "weights"
    path = folder / f"{name_or_path}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.safetensors"))) or "none"
        raise ValueError(
            f"unknown model {name_or_path!r}: packaged models are {known}; a path to a .safetensors works too"
        )
    return path


def load_point_model(name_or_path: str = "foveate-point-s", device: str | torch.device = "cpu") -> PointModel:
    """Load a pointer for use.

    Args:
        name_or_path: A packaged model's name, or a .safetensors file that ``save_point_model`` wrote.
        device: Where to put it.

    Returns:
        The model in float32 and eval mode.

    Raises:
        ValueError: There is no such model, or the file holds something else.
        RuntimeError: The file cannot be read.
    """
    path = find_weights(name_or_path)
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        raise RuntimeError(f"cannot read the weights {path.name} ({error}): fetch or train them again") from error
    if header.get("format") != _FORMAT:
        raise ValueError(
            f"{path.name} is no pointer ({header.get('format', 'no format named')}): it must say {_FORMAT}"
        )
    try:
        model = PointModel(PointConfig(**json.loads(header["config"])), header["pieces"].split("\n"))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} does not say how it was built ({error}): train it again") from error
    missing, unexpected = model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in state.items()}, strict=False
    )
    if missing or unexpected:
        raise ValueError(
            f"{path.name} does not fit: missing {missing[:3]}, unexpected {unexpected[:3]}; train it again"
        )
    model.trained = bool(json.loads(header.get("facts", "{}")).get("steps"))
    return model.to(device).eval()
