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


@pytest.mark.parametrize(
    ("batch", "side", "size"), [(3, 7, (7, 7)), (5, 13, (14, 17)), (2, 17, (20, 37)), (1, 9, (1, 3))]
)
def test_gradients_on_tensor_cores(
    batch: int, side: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    backward = pytest.importorskip("foveate.kernels.depthwise.triton_backward", reason="triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # So few programs that rows are split up in one case and not in others.
    monkeypatch.setattr(backward, "_PROGRAMS", 200)
    torch.manual_seed(side)
    shapes = ((batch, 4, *size), (4, 1, side, side), (4,))
    leaves = [torch.randn(s, device=device, dtype=torch.float16, requires_grad=True) for s in shapes]
    probe = torch.randn(batch, size[0], size[1], 4, device=device, dtype=torch.float16).permute(0, 3, 1, 2)
    found = torch.autograd.grad(large_depthwise(*leaves, backend="triton"), leaves, probe)
    wide = [leaf.detach().double().requires_grad_() for leaf in leaves]
    wanted = torch.autograd.grad(large_depthwise(*wide, backend="reference"), wide, probe.double())
    for got, exact in zip(found, wanted, strict=True):
        assert got.dtype == torch.float16
        torch.testing.assert_close(got.double(), exact, atol=2e-3 * float(exact.abs().max()), rtol=1e-3)


def test_rows_split_over_programs_sum_up_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = pytest.importorskip("foveate.kernels.depthwise.triton_backward", reason="triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, grad = torch.randn(2, 6, 2, 50, 9, device=device, dtype=torch.float16)
    found = []
    for programs in (1, 1000):
        monkeypatch.setattr(backward, "_PROGRAMS", programs)
        found.append(backward.kernel_gradient(x, grad, 7))
    torch.testing.assert_close(*found, atol=0.05, rtol=2e-3)


def test_full_precision_is_torch_and_has_gradients() -> None:
    x, kernel, bias = (torch.randn(shape, requires_grad=True) for shape in ((2, 3, 9, 8), (3, 1, 7, 7), (3,)))
    out = large_depthwise(x, kernel, bias)
    torch.testing.assert_close(out, F.conv2d(x, kernel, bias, padding=3, groups=3))
    assert all(g.isfinite().all() for g in torch.autograd.grad(out.sum(), (x, kernel, bias)))


def test_autocast_casts_what_the_convolution_takes() -> None:
    x, kernel, bias = torch.randn(1, 2, 8, 8), torch.randn(2, 1, 7, 7), torch.randn(2)
    with torch.autocast("cpu", torch.bfloat16):
        out = large_depthwise(x, kernel, bias)
        torch.testing.assert_close(out, F.conv2d(x, kernel, bias, padding=3, groups=2))
    assert out.dtype == torch.bfloat16


def test_the_operator_obeys_torch() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shapes = ((2, 3, 9, 8), (3, 1, 7, 7), (3,))
    tensors = [torch.randn(s, device=device, dtype=torch.float16, requires_grad=True) for s in shapes]
    # Differences of two kernels' sums in half precision are more than the check allows for gradients.
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.foveate.large_depthwise, tensors, test_utils=tests)
    torch.library.opcheck(
        torch.ops.foveate.large_depthwise_kernel_gradient, (tensors[0].detach(), tensors[0].detach(), 7),
        test_utils=("test_schema", "test_faketensor"),
    )  # fmt: skip


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
    with pytest.raises(ValueError, match="backend must be one of triton, reference or None, got 'cuda'"):
        large_depthwise(x, kernel, backend="cuda")
    with pytest.raises(RuntimeError, match=r"the kernels take half precision, got torch\.float32"):
        large_depthwise(x, kernel, backend="triton")
    with pytest.raises(TypeError, match=r"one type, got torch\.float32, torch\.float16: cast them"):
        large_depthwise(x, kernel.half())
    with pytest.raises(ValueError, match=r"kernel must be \(2, 1, side, side\) with an odd side"):
        large_depthwise(x, kernel[:1])
    with pytest.raises(ValueError, match=r"with an odd side for 2 channels, got \(2, 1, 6, 6\)"):
        large_depthwise(x, kernel[..., :6, :6])
    with pytest.raises(ValueError, match=r"x must be \(batch, channels, height, width\), got \(2, 8, 8\)"):
        large_depthwise(x[0], kernel)
    with pytest.raises(ValueError, match=r"bias must be \(2,\), got \(3,\)"):
        large_depthwise(x, kernel, torch.zeros(3))
