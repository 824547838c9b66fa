"""What NeVA looks for: models with a differentiable loss of what is perceived, classifiers and image-text models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Classifier", "ImageText", "Reconstruction", "TaskModel"]


class TaskModel(Protocol):
    """A model and its task.

    Attributes:
        input_size: Side of the square it takes, pixels.
        fill: Colour of padding, 0 to 1: what it takes for nothing.
        trained: False when its weights are random.
    """

    input_size: int
    fill: tuple[float, float, float]
    trained: bool

    def normalize(self, pictures: Tensor) -> Tensor:
        """Bring pictures (batch, 3, side, side), 0 to 1, to the model's device and scale."""
        ...

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Say what is looked for in normalised pictures, with one text each."""
        ...

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Return how far each of the perceived pictures (batch, 3, side, side) is from its target, (batch,)."""
        ...


class _Pictures:
    """How a model wants its pictures."""

    model: Any  # a module, whose methods type checkers take for tensors

    def __init__(self, model: nn.Module, size: int, mean: Sequence[float], std: Sequence[float], device: str) -> None:
        # Convolutions and pools are up to twice as fast with the channels of a pixel side by side.
        self.model = model.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.eval().requires_grad_(False)
        self.input_size, self.device = size, device
        self.fill = (float(mean[0]), float(mean[1]), float(mean[2]))
        self._mean, self._std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (mean, std))

    def normalize(self, pictures: Tensor) -> Tensor:
        """Bring pictures (batch, 3, side, side), 0 to 1, to the model's device and scale."""
        return ((pictures.to(self.device) - self._mean) / self._std).contiguous(memory_format=torch.channels_last)


def _open(model: str | nn.Module, pretrained: bool) -> tuple[nn.Module, bool]:
    """Return a model, made where a name of timm is given, and whether it has learned anything."""
    if not isinstance(model, str):
        return model, True
    import foveate.backbones  # noqa: F401 (registers the names)

    return timm.create_model(model, pretrained=pretrained), pretrained


class Classifier(_Pictures):
    """Looking confirms the class that the model gives the sharp picture (NeVA's first task).

    Args:
        model: Name of a timm model, or the model.
        pretrained: Whether to load the weights of a name; random ones are for tests.
        device: Where it runs.
    """

    def __init__(self, model: str | nn.Module, pretrained: bool = True, device: str = "cpu") -> None:
        net, self.trained = _open(model, pretrained)
        facts = timm.data.resolve_data_config(model=net)
        super().__init__(net, facts["input_size"][-1], facts["mean"], facts["std"], device)

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Return the model's own labels (batch,).

        Raises:
            ValueError: There are words: a classifier reads none.
        """
        _refuse_words(words, "a classifier")
        return self.model(pictures).argmax(1)

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy of each picture (batch,)."""
        return F.cross_entropy(self.model(seen), target, reduction="none")


class Reconstruction(_Pictures):
    """Looking brings back the features of the sharp picture (NeVA's second task).

    Args:
        model: Name of a timm model whose stages can be asked for their features, or the model.
        size: Side of the square that it is shown, pixels; small pictures let the eye see little at once.
        stage: Whose features are compared; 0 is the first, whose maps have the finest cells.
        pretrained: Whether to load the weights of a name; random ones are for tests.
        device: Where it runs.

    Raises:
        ValueError: The model does not give the features of its stages.

    Source: NeVA (arXiv 2204.09404) compares pixels that a denoising autoencoder has made of the perceived picture;
        deviation: features of a trained backbone, which needs no autoencoder.
    """

    def __init__(
        self, model: str | nn.Module, size: int = 64, stage: int = 0, pretrained: bool = True, device: str = "cpu"
    ) -> None:
        net, self.trained = _open(model, pretrained)
        if not hasattr(net, "forward_intermediates"):
            raise ValueError(
                f"reconstruction needs a timm model with forward_intermediates, got {type(net).__name__}: take another"
            )
        facts = timm.data.resolve_data_config(model=net)
        super().__init__(net, size, facts["mean"], facts["std"], device)
        self.stage = stage

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Return the features of the sharp pictures (batch, channels, rows, columns).

        Raises:
            ValueError: There are words: features are not looked for by name.
        """
        _refuse_words(words, "reconstruction")
        return self._features(pictures)

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance between features, averaged over the cells of each picture (batch,)."""
        # Not averaged over channels: gradients would become too small for half precision.
        square = F.mse_loss(self._features(seen).float(), target.float(), reduction="none")
        return square.sum(1).mean((1, 2))

    def _features(self, pictures: Tensor) -> Tensor:
        stages = self.model.forward_intermediates(
            pictures, indices=[self.stage], stop_early=True, intermediates_only=True
        )
        return stages[0]


def _refuse_words(words: Sequence[str], task: str) -> None:
    spoken = next((text for text in words if text), None)
    if spoken is not None:
        raise ValueError(f"{task} reads no words, got {spoken!r}: take nevaclip for a task")


class ImageText(_Pictures):
    """Looking brings the picture closer to a text (NevaClip), or without one to the sharp picture itself.

    Args:
        model: Name or folder of a CLIP or SigLIP model that transformers reads, with its tokenizer.
        device: Where it runs.

    Raises:
        RuntimeError: transformers is not installed, or the weights are not here and cannot be fetched.
    """

    def __init__(self, model: str | Path, device: str = "cpu") -> None:
        try:
            from transformers import AutoImageProcessor, AutoModel, AutoTokenizer
        except ImportError:
            raise RuntimeError("image-text models need transformers: pip install transformers") from None
        try:
            net: Any = AutoModel.from_pretrained(str(model))
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(model))
            facts: Any = AutoImageProcessor.from_pretrained(str(model))
        except OSError as error:
            raise RuntimeError(
                f"{model} is neither a folder with a model nor to be had from the hub ({str(error).splitlines()[0]}): "
                "fetch it once with a network, or give the folder"
            ) from None
        crop = getattr(facts, "crop_size", None) or facts.size
        super().__init__(
            net, int(crop.get("height", crop.get("shortest_edge"))), facts.image_mean, facts.image_std, device
        )
        self.trained = True
        self._fixed_length = "siglip" in str(net.config.model_type)

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Return unit embeddings (batch, channels) of the words, or of the picture where there are none."""
        found = self._embed(pictures)
        spoken = [i for i, text in enumerate(words) if text]
        if spoken:
            padding = "max_length" if self._fixed_length else True
            tokens = self._tokenizer(
                [words[i] for i in spoken], padding=padding, truncation=True, return_tensors="pt"
            ).to(self.device)
            texts = _features(self.model.get_text_features(**tokens))
            found = found.index_copy(0, torch.tensor(spoken, device=found.device), F.normalize(texts, dim=-1).to(found))
        return found

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Return one minus the cosine of picture and target (batch,)."""
        return 1 - (self._embed(seen) * target).sum(-1)

    def _embed(self, pictures: Tensor) -> Tensor:
        return F.normalize(_features(self.model.get_image_features(pixel_values=pictures)), dim=-1)


def _features(found: Any) -> Tensor:
    """Take the embedding out of what the versions of transformers return."""
    return found if isinstance(found, Tensor) else found.pooler_output
