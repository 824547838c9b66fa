"""Load pictures safely from whatever they come in: path, bytes, file, PIL, numpy or torch."""

import errno
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
# Pillow opens more, and starts other programs for some of it (EPS); pictures of screens come in these.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


def load_image(source: Any, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Load a picture as upright 8-bit RGB.

    Args:
        source: Path, bytes, binary file, PIL image, numpy array (height, width[, 1, 3 or 4 channels]; bool, uint8,
            uint16, or floats 0 to 1) or torch tensor (channels, height, width).
        max_pixels: Largest area that is decoded; it is checked before decoding.

    Returns:
        RGB picture of its own: EXIF orientation applied, transparency laid on white, 16-bit grey scaled. Files do not
        say how many of the 16 bits a camera or a scanner used: grey of which no pixel is above 1023 or 4095 is taken
        for 10 or 12 bits. Colours of 16 bits in a file, and arrays of uint16, are taken for full ones.

    Raises:
        ValueError: It is no picture, cut short, empty or too large.
        TypeError: The source or the array's type is none of those.
        OSError: The file is not there or cannot be read.
    """
    if isinstance(source, Image.Image):
        return _decode(source, "the picture", max_pixels)
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.Tensor):
        return _from_tensor(source, max_pixels)
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder, give an image file in it", str(path))
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "no such file, check the path", str(path))
        return _from_bytes(path.read_bytes(), str(path), max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), "the data", max_pixels)
    if hasattr(source, "read"):
        data = source.read()
        if isinstance(data, bytes):
            return _from_bytes(data, str(getattr(source, "name", "the stream")), max_pixels)
        raise TypeError("a picture's file was opened as text: open it in binary mode")
    kind = type(source).__name__
    raise TypeError(f"cannot load a picture from {kind}: give a path, bytes, file, PIL, numpy or torch image")


def _from_bytes(data: bytes, name: str, max_pixels: int) -> Image.Image:
    if not data:
        raise ValueError(f"{name} is empty (0 bytes): give an image file such as PNG, JPEG or WebP")
    with warnings.catch_warnings():
        # Pillow's own guard warns at a fixed size; ours is checked right after opening, before anything is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        except UnidentifiedImageError:
            raise ValueError(f"{name} is not an image that can be read: give PNG, JPEG, WebP, GIF or TIFF") from None
        except Image.DecompressionBombError:
            limit = f"{max_pixels / 1e6:.0f} million pixels"
            raise ValueError(f"{name} is far above the limit of {limit}: make it smaller") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{name} is damaged ({error}): save it again") from None
        return _decode(image, name, max_pixels)


def _decode(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    """Read the pixels of an opened picture, turn it upright, bring it to RGB."""
    _guard(image.size, name, max_pixels)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"{name} is damaged or cut short ({error}): save or copy it again") from None
    return _to_rgb(upright)


def _guard(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        limit = f"{max_pixels / 1e6:.0f} million pixels"
        raise ValueError(f"{name} has {width}x{height} pixels, above the limit of {limit}: make it smaller")
    if width * height == 0:
        raise ValueError(f"{name} has no pixels ({width}x{height}): give a picture")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Bring any Pillow mode to RGB; transparency is laid on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_scale_grey(np.asarray(image), image.mode)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _scale_grey(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale 16-bit grey to 8 bits; wide integers and floats, which do not say their range, by the one they fit."""
    most = float(np.nanmax(values, initial=0))
    # Of 16 full bits, a picture as dark as those of 12 would be left with 16 greys.
    ranges = (1.0, 255.0) if mode == "F" else (*((255.0,) if mode == "I" else ()), 1023.0, 4095.0, 65535.0)
    top = next((top for top in ranges if most <= top), ranges[-1])
    scaled = np.nan_to_num(values.astype(np.float64)) / top * 255
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _from_array(array: np.ndarray, max_pixels: int) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an array must be (height, width) or (height, width, 1, 3 or 4), got shape {array.shape}")
    _guard((array.shape[1], array.shape[0]), "the array", max_pixels)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "u" and array.dtype.itemsize == 2:
        array = (array // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(f"a float array must lie in 0 to 1, got {low:.3g} to {high:.3g}: divide it by 255")
        array = np.clip(np.rint(array * 255), 0, 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise TypeError(f"an array must be bool, uint8, uint16 or float, got {array.dtype}: convert it first")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    return _to_rgb(Image.fromarray(np.ascontiguousarray(array)))


def _from_tensor(tensor: Any, max_pixels: int) -> Image.Image:
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[0] in (1, 3, 4):
        tensor = tensor.permute(1, 2, 0)
    elif tensor.ndim != 2:
        raise ValueError(f"a tensor must be (1, 3 or 4 channels, height, width), got shape {tuple(tensor.shape)}")
    tensor = tensor.detach().cpu()
    return _from_array((tensor.float() if tensor.is_floating_point() else tensor).numpy(), max_pixels)
