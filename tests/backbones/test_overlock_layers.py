"""OverLoCK's blocks against what the authors' code answers, gradients included."""

import copy

import pytest
import torch
from torch import Tensor, nn

from foveate.backbones.layers.contmix import ContMixBlock, DynamicConvBlock, affinity_logits
from foveate.backbones.layers.pieces import ResponseNorm, SqueezeGate, enlarge
from foveate.backbones.layers.reparam import DilatedReparam, reparameterize
from foveate.backbones.layers.repconv import RepConvBlock

FULL = {"smk_size": 5, "num_heads": 2, "ls_init_value": 1.0, "res_scale": True}
CONTMIX = {
    "k13_14x14": {**FULL, "kernel_size": 13},
    "k7_10x12": {**FULL, "kernel_size": 7},
    "k7_pad_5x8": {**FULL, "kernel_size": 7},
    "k7_pad_8x5": {**FULL, "kernel_size": 7},
    "nols_k5_8x8": {"kernel_size": 5, "smk_size": 3, "num_heads": 2},
    "noscale_k9_9x13": {"kernel_size": 9, "smk_size": 5, "num_heads": 2, "ls_init_value": 0.1},
}
DYNAMIC = {
    "first_10x9": {**FULL, "kernel_size": 7, "is_first": True},
    "last_7x7": {**FULL, "kernel_size": 7, "is_last": True},
    "mid_14x14_k13": {**FULL, "kernel_size": 13},
    "mid_noscale_9x8": {**FULL, "kernel_size": 7, "ls_init_value": 0.1, "res_scale": False},
    "mid_pad_5x6": {**FULL, "kernel_size": 7},
}


def load(module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Fill a module strictly; only counters of batches are not among the golden tensors."""
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    return module.eval()


def joined(out: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return out if isinstance(out, Tensor) else torch.cat(out, dim=1)


def check(golden, case: str, module: nn.Module) -> None:
    """Compare output, gradients of inputs and of parameters."""
    spec = golden.load(case)
    load(module, golden.fill_state(spec))
    inputs = {name: golden.make_input(spec, name).requires_grad_() for name in spec["inputs"] if name != "probe"}
    out = joined(module(**inputs) if len(inputs) > 1 else module(inputs["x"]))
    wanted = golden.outputs(case)
    close(out, wanted.pop("out"), 1e-4)
    (out * golden.make_input(spec, "probe")).sum().backward()
    parameters = dict(module.named_parameters())
    for name, answer in wanted.items():
        if name.startswith("grad_"):
            close(inputs[name[5:]].grad, answer, 1e-3)
        elif name.startswith("grad:"):
            close(parameters[name[5:]].grad, answer, 1e-3)


def close(ours: Tensor, answer: Tensor, tolerance: float) -> None:
    assert ours.shape == answer.shape
    assert (ours - answer).abs().max() <= tolerance * answer.std() + 1e-6


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", CONTMIX)
def test_the_stand_alone_block_answers_as_published(case: str, backend: str, golden) -> None:
    check(golden, f"ops/contmix_block_{case}", ContMixBlock(32, mlp_ratio=2, backend=backend, **CONTMIX[case]))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", DYNAMIC)
def test_the_block_with_a_context_answers_as_published(case: str, backend: str, golden) -> None:
    module = DynamicConvBlock(32, 64, mlp_ratio=3, backend=backend, **DYNAMIC[case])
    check(golden, f"ops/dynconv_block_{case}", module)


@pytest.mark.parametrize("side", [5, 7, 13, 17, 19])
def test_dilated_branches_answer_and_merge_as_published(side: int, golden) -> None:
    case = f"ops/dilated_reparam_k{side}"
    module = DilatedReparam(8, side)
    check(golden, case, module)
    wanted = golden.outputs(case)
    module.reparameterize()
    assert module.is_merged
    assert (
        set(module.state_dict())
        == {"lk_origin.weight", "lk_origin.bias"}
        == set(DilatedReparam(8, side, True).state_dict())
    )
    torch.testing.assert_close(module.lk_origin.weight, wanted["merged_weight"], atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(module.lk_origin.bias, wanted["merged_bias"], atol=2e-6, rtol=1e-6)
    close(module(golden.make_input(golden.load(case))), wanted["out"], 1e-4)
    module.reparameterize()
    assert module.is_merged


@pytest.mark.parametrize(
    ("case", "module"),
    [
        ("repconv_block", RepConvBlock(16, 7, 2, ls_init_value=1.0, res_scale=True)),
        ("se", SqueezeGate(64)),
        ("grn", ResponseNorm(24)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_other_pieces_answer_as_published(case: str, module: nn.Module, golden) -> None:
    check(golden, f"ops/{case}", module)


def branched(side: int = 13, channels: int = 6) -> DilatedReparam:
    """Branches with statistics that count."""
    torch.manual_seed(side)
    module = DilatedReparam(channels, side)
    for _ in range(3):
        module(torch.randn(2, channels, 16, 15))
    return module.eval()


def apart(module: DilatedReparam, x: Tensor) -> Tensor:
    """Run the branches one by one."""
    return sum((norm(conv(x)) for conv, norm in module._pairs()), torch.zeros_like(x))


@pytest.mark.parametrize("side", [5, 9, 13, 17])
def test_branches_run_as_one_kernel_with_the_numbers_and_gradients_of_all(side: int) -> None:
    module = branched(side)
    x = torch.randn(2, 6, 16, 15, requires_grad=True)
    probe = torch.randn(2, 6, 16, 15)
    inputs = [x, *module.parameters()]
    with torch.profiler.profile() as profile:
        out = module(x)
    assert sum(event.name == "aten::conv2d" for event in profile.events()) == 1
    wanted = apart(module, x)
    torch.testing.assert_close(out, wanted, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(out, inputs, probe)
    for gradient, answer in zip(ours, torch.autograd.grad(wanted, inputs, probe), strict=True):
        assert (gradient - answer).abs().max() <= 1e-4 * answer.std()


def test_the_one_kernel_follows_whatever_changes_the_branches() -> None:
    module, x = branched(), torch.randn(1, 6, 14, 14)
    keys = set(module.state_dict())
    with torch.inference_mode():
        before = module(x)
        module.dil_conv_k3_4.weight.data.mul_(3)
        module.dil_bn_k3_4.running_var.fill_(0.1)
        assert (module(x) - before).abs().max() > 0.1
        torch.testing.assert_close(module(x), apart(module, x), atol=1e-5, rtol=1e-5)
    assert set(module.state_dict()) == keys


def test_branches_that_are_watched_replaced_or_in_training_run_one_by_one() -> None:
    module, x = branched(), torch.randn(2, 6, 14, 14)
    alone = module(x)
    seen: list[Tensor] = []
    hook = module.dil_conv_k5_1.register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.testing.assert_close(module(x), alone, atol=1e-5, rtol=1e-5)
    assert len(seen) == 1
    hook.remove()
    norm = module.dil_bn_k5_1
    module.dil_bn_k5_1 = nn.Sequential(norm, nn.Tanh())
    assert not torch.allclose(module(x), alone)
    module.dil_bn_k5_1 = norm
    assert torch.equal(module(x), alone)
    mean = norm.running_mean.clone()
    module.train()
    module(x + 1)
    assert not torch.equal(norm.running_mean, mean)
    # Frozen norms inside a network in training keep their statistics, and the one kernel.
    for _, frozen in module._pairs():
        frozen.eval()
    torch.testing.assert_close(module(x), apart(module, x), atol=1e-5, rtol=1e-5)


def test_the_one_kernel_is_compiled_exported_and_in_bfloat16() -> None:
    module, x = branched(), torch.randn(2, 6, 14, 14)
    with torch.no_grad():
        wanted = module(x)
        torch.testing.assert_close(torch.compile(module, fullgraph=True, backend="aot_eager")(x), wanted)
        torch.testing.assert_close(torch.export.export(module, (x,)).module()(x), wanted)
        with torch.autocast("cpu", torch.bfloat16):
            half = module(x)
        assert half.dtype == torch.bfloat16
        assert (half - wanted).abs().max() <= 2e-2 * wanted.abs().max()
        assert (module.bfloat16()(x.bfloat16()) - wanted).abs().max() <= 2e-2 * wanted.abs().max()


def test_merging_a_block_changes_keys_but_no_numbers() -> None:
    torch.manual_seed(0)
    block = DynamicConvBlock(32, 64, kernel_size=7, res_scale=True, ls_init_value=1.0)
    maps = torch.randn(2, 32, 8, 9), torch.randn(2, 16, 8, 9), torch.randn(2, 16, 8, 9)
    block(*maps)  # moves the running statistics
    block.eval()
    before = joined(block(*maps))
    assert reparameterize(block) is block
    torch.testing.assert_close(joined(block(*maps)), before, atol=1e-4, rtol=1e-4)
    again = DynamicConvBlock(32, 64, kernel_size=7, res_scale=True, ls_init_value=1.0, merged=True).eval()
    again.load_state_dict(block.state_dict())
    assert torch.equal(joined(again(*maps)), joined(block(*maps)))


def test_merging_waits_for_eval_mode() -> None:
    with pytest.raises(RuntimeError, match=r"eval\(\)"):
        DilatedReparam(4, 5).reparameterize()


def test_logits_are_affinities_times_the_projection() -> None:
    torch.manual_seed(1)
    query, key = torch.randn(2, 12, 5, 6), torch.randn(2, 12, 7, 7)
    projection = nn.Conv2d(49, 34, kernel_size=1)
    logits = affinity_logits(query, key, projection, groups=3)
    heads = query.unflatten(1, (3, 4)).flatten(3), key.unflatten(1, (3, 4)).flatten(3)
    affinity = torch.einsum("bgcn,bgcl->blgn", *heads)
    wanted = projection(affinity).unflatten(3, (5, 6)).transpose(1, 2)
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)
    assert logits.stride(2) == 1


def test_only_small_maps_are_enlarged() -> None:
    assert enlarge(torch.zeros(1, 1, 7, 9), 7).shape[-2:] == (7, 9)
    assert enlarge(torch.zeros(1, 1, 5, 8), 7).shape[-2:] == (7, 11)
    for side in range(1, 40):
        for width in range(1, side):
            assert enlarge(torch.zeros(1, 1, width, width), side).shape[-2:] == (side, side)


def test_blocks_train() -> None:
    torch.manual_seed(2)
    for block in (
        RepConvBlock(16, 5, 2, ls_init_value=0.1, drop_path=0.5),
        ContMixBlock(16, kernel_size=5, smk_size=3, num_heads=2, drop_path=0.5),
    ):
        block.train()(torch.randn(4, 16, 6, 5)).square().mean().backward()
        grads = {name: parameter.grad for name, parameter in block.named_parameters()}
        assert all(grad is not None and grad.isfinite().all() for grad in grads.values())


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_block_runs_under_autocast(backend: str) -> None:
    torch.manual_seed(3)
    block = ContMixBlock(16, kernel_size=5, smk_size=3, num_heads=1, backend=backend).eval()
    x = torch.randn(2, 16, 6, 7)
    with torch.autocast("cpu", torch.bfloat16):
        out = block(x)
    assert (out.float() - block(x)).abs().max() < 0.1
    out.float().sum().backward()
    assert block.rpb2.grad is not None
    assert block.rpb2.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_response_norms_stand_squares_beyond_half_precision(dtype: torch.dtype) -> None:
    norm = ResponseNorm(2)
    nn.init.ones_(norm.gamma)
    x = torch.full((1, 2, 64, 64), 300.0, dtype=dtype)
    x[:, 1] = 100
    out = norm(x)
    assert out.dtype == dtype
    # The norms are as 3 to 1, so that the channels grow by 1.5 and 0.5 of themselves.
    torch.testing.assert_close(out[0, :, 0, 0].float(), torch.tensor([750.0, 150.0]), atol=0, rtol=5e-3)


@pytest.mark.slow
def test_a_block_compiles_whole() -> None:
    torch.manual_seed(4)
    block = ContMixBlock(16, kernel_size=5, smk_size=3, num_heads=1).eval()
    x = torch.randn(2, 16, 6, 7)
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), block(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: DilatedReparam(4, 6), "kernel_size must be one of"),
        (lambda: ContMixBlock(20, num_heads=2), "divisible by 4"),
    ],
)
def test_bad_sizes_are_named(build, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build()


@pytest.mark.parametrize("training", [True, False])
def test_large_kernels_on_tensor_cores_answer_and_learn_as_torch_does(training: bool) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    layer = DilatedReparam(4, 9, device=device).train(training)
    x = torch.randn(2, 4, 10, 11, device=device, requires_grad=True)
    wanted = layer(x)
    probe = torch.randn_like(wanted)
    exact = torch.autograd.grad(wanted, (x, *layer.parameters()), probe)
    half = copy.deepcopy(layer).half()
    half.backend = "triton"
    y = x.detach().half().requires_grad_()
    found = half(y)
    grads = torch.autograd.grad(found, (y, *half.parameters()), probe.half())
    for got, true in zip((found, *grads), (wanted, *exact), strict=True):
        torch.testing.assert_close(got.float(), true, atol=1e-2 * max(1.0, float(true.detach().abs().max())), rtol=0)
