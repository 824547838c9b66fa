"""Depthwise convolution with large kernels: torch's numbers, on tensor cores too."""

import pytest
import torch
from torch.nn import functional as F

from foveate.kernels.depthwise.op import large_depthwise


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("side", "size"), [(7, (7, 7)), (13, (14, 17)), (17, (20, 37)), (9, (1, 3))])
def test_large_kernels_on_tensor_cores(side: int, size: tuple[int, int], layout: torch.memory_format) -> None:
    triton = pytest.importorskip("foveate.kernels.depthwise.triton_forward", reason="triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(side)
    x = torch.randn(3, 5, *size, device=device, dtype=torch.float16).contiguous(memory_format=layout)
    kernel = torch.randn(5, 1, side, side, device=device, dtype=torch.float16) / side
    for bias in (None, torch.randn(5, device=device, dtype=torch.float16)):
        out = triton.forward(x, kernel, bias)
        wide = None if bias is None else bias.double()
        wanted = F.conv2d(x.double(), kernel.double(), wide, padding=side // 2, groups=5)
        assert out.dtype == x.dtype
        assert out.is_contiguous(memory_format=layout)
        torch.testing.assert_close(out.double(), wanted, atol=2e-3, rtol=1e-3)


def test_the_default_is_torch_and_has_gradients() -> None:
    x, kernel, bias = (torch.randn(shape, requires_grad=True) for shape in ((2, 3, 9, 8), (3, 1, 7, 7), (3,)))
    out = large_depthwise(x, kernel, bias)
    torch.testing.assert_close(out, F.conv2d(x, kernel, bias, padding=3, groups=3))
    assert all(g.isfinite().all() for g in torch.autograd.grad(out.sum(), (x, kernel, bias)))


def test_is_counted_and_has_shapes_without_a_gpu() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    x = torch.empty(2, 6, 9, 11, device="meta", dtype=torch.float16).to(memory_format=torch.channels_last)
    kernel, bias = (torch.empty(shape, device="meta", dtype=torch.float16) for shape in ((6, 1, 7, 7), (6,)))
    with FlopCounterMode(display=False) as counter:
        out = torch.ops.foveate.large_depthwise(x, kernel, bias)
    assert (out.shape, out.stride(), out.dtype) == (x.shape, x.stride(), x.dtype)
    assert counter.get_total_flops() == 2 * x.numel() * 49


def test_bad_arguments_are_one_sentence() -> None:
    x, kernel = torch.randn(1, 2, 8, 8), torch.randn(2, 1, 7, 7)
    with pytest.raises(ValueError, match="backend is one of reference, triton, got 'cuda'"):
        large_depthwise(x, kernel, backend="cuda")
    with pytest.raises(ValueError, match=r"takes one half-precision type, got torch\.float32"):
        large_depthwise(x, kernel, backend="triton")
