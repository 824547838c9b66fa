"""``foveate bench kernels`` on a CPU, and the peers that it times."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from foveate.cli import main
from foveate.kernels import bench
from foveate.kernels.bench_cases import CPU_SHAPES, SHAPES, Shape, default_shapes, device_name, estimate, timed
from foveate.kernels.bench_peers import PEERS, Call, Contender, _Flex, peers_of
from foveate.kernels.cost_model import Machine
from foveate.kernels.neighborhood import reference
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes

CPU = torch.device("cpu")
RATES = Machine("made up", 1e12, 1e12, 1e11, 1e10)
TINY = [
    "bench",
    "kernels",
    "--device",
    "cpu",
    "--quick",
    "--grid",
    "6x5",
    "--heads",
    "2",
    "--dim",
    "8",
    "--window",
    "3",
]


@pytest.fixture(autouse=True)
def quick_rates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring a machine takes a second, and nothing here depends on how fast it is."""
    if "measures" not in request.node.name:
        monkeypatch.setattr("foveate.kernels.bench_cases.measure_machine", lambda device, dtype, quick: RATES)


def test_a_table_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "times.json"
    assert main([*TINY, "--dilation", "1x1", "--backward", "--json", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "6x5: 1 x 6x5, 2 heads of 8, window 3, dilation 1x1, stride 1" in shown
    assert f"result -> {path}" in shown
    report = json.loads(path.read_text())
    assert report["versions"]["torch"] == torch.__version__
    assert (report["device"], report["dtype"], report["quick"]) == ("cpu", "float32", True)
    assert report["machine"]["bandwidth"] == RATES.bandwidth
    (shape,) = report["shapes"]
    assert (shape["spatial"], shape["heads"], shape["window"]) == ([6, 5], 2, 3)
    assert [line["work"] for line in shape["estimates"]] == ["forward", "forward+backward"]
    forward, both = shape["estimates"]
    assert 0 < forward["bound"] <= forward["predicted"] < both["predicted"]
    rows = {(row["name"], row["work"]): row for row in shape["rows"]}
    assert {name for name, _ in rows} == {"triton", "cpu", "reference", *(name for name in PEERS if "sdpa" in name)}
    for name in ("cpu", "reference"):
        for work in ("forward", "forward+backward"):
            row = rows[name, work]
            assert 0 < row["fastest"] <= row["milliseconds"]
            assert row["tflops"] > 0
            assert row["error"] < 1e-4
            assert f"{name:15} {work}" in shown
    assert rows["sdpa-cudnn", "forward"]["milliseconds"] is None
    assert rows["sdpa-cudnn", "forward"]["reason"]
    assert rows["sdpa-math", "forward"]["error"] is None


@pytest.mark.parametrize(("grid", "window"), [("9", "3"), ("4x4x4", "3x3x2")])
def test_other_ranks(grid: str, window: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY[:5], "--grid", grid, "--window", window, "--heads", "1", "--dim", "4", "--only", "reference"]
    assert main(words) == 0
    assert f"{grid}: 1 x {grid}" in capsys.readouterr().out


def test_named_shapes_with_a_batch_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "kernels", "--device", "cpu", "--quick", "--shape", "cpu_7", "cpu_14", "--batch", "2"]
    assert main([*words, "--only", "sdpa-math"]) == 0
    shown = capsys.readouterr().out
    assert "cpu_7: 2 x 7x7" in shown
    assert "cpu_14: 2 x 14x14" in shown
    assert "triton" not in shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--grid", "6xx5"], "whole numbers joined by x"),
        (["--grid", "2x2x2x2"], "whole numbers joined by x"),
        (["--grid", "6x5", "--window", "7"], "window times dilation must not exceed the axis"),
        (["--grid", "6x5", "--window", "3x3x3"], "window must be one number or 2"),
        (["--grid", "6x5", "--window", "3", "--stride", "4"], "stride must lie between"),
        (["--grid", "6x5", "--heads", "0"], "at least 1"),
        (["--grid", "6x5", "--shape", "nat_s1"], "exclude each other"),
        (["--window", "7"], "give --grid too"),
        (["--shape", "nat_s9"], "use one of nat_s1"),
        (["--only", "magic"], "use some of triton, cpu"),
        (["--dtype", "int8"], "invalid choice"),
        (["--device", "toaster"], "none that torch knows"),
        (["--device", "meta"], "cannot be timed"),
        (["--json", "no/such/folder/x.json"], "in a folder that exists"),
    ],
)
def test_bad_words_end_with_2(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "kernels", *words]) == 2
    shown = capsys.readouterr()
    assert complaint in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out


def test_a_device_that_is_not_there_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "kernels", "--device", "cuda:63"]) == 1
    assert "there is no device cuda:63" in capsys.readouterr().err


def test_when_nothing_runs_the_exit_code_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--only", "sdpa-cudnn"]) == 1
    shown = capsys.readouterr()
    assert "sdpa-cudnn" in shown.out
    assert "nothing could be timed on 6x5" in shown.err


def test_a_contender_that_breaks_is_a_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("no such\nluck")

    def boilerplate() -> None:
        raise RuntimeError("backend 'triton' cannot run this: the moon; leave backend out to have one chosen")

    names = [Contender("broken", broken, True), Contender("shy", boilerplate, True),
             Contender("huge", broken, True, lambda call: 10**15)]  # fmt: skip
    monkeypatch.setattr(bench, "contenders", lambda shape, device, quick, only: names)
    shape = Shape("x", 1, (4,), 1, 4, 3)
    rows = list(bench.measure(shape, CPU, torch.float32, backward=True, quick=True))
    assert [row.name for row in rows] == ["broken", "shy", "huge"]
    assert all(row.milliseconds is None for row in rows)
    assert "no such" in rows[0].reason
    assert rows[1].reason == "the moon"
    assert "needs about 1000000.0 GB" in rows[2].reason


def test_an_error_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out, _ = reference.forward(Inputs(query, key, value), check_axes((4,), 3), 0.5)
        return out * 1.5

    monkeypatch.setattr(bench, "contenders", lambda *rest, **more: [Contender("wrong", lambda: wrong, True)])
    rows = list(bench.measure(Shape("x", 1, (4,), 2, 4, 3), CPU, torch.float32, backward=True, quick=True))
    assert len(rows) == 2
    assert all(row.error is not None and row.error > 0.05 for row in rows)


def test_shapes_and_what_to_expect_of_them() -> None:
    assert list(SHAPES)[:4] == ["nat_s1", "nat_s2", "nat_s3", "dinat_s1"]
    assert len(SHAPES) == 12
    assert default_shapes(CPU) == list(CPU_SHAPES.values())
    expected = estimate(SHAPES["nat_s1"], Machine("h", 790e12, 60e12, 4.3e12, 4.2e12), CPU, torch.bfloat16, "forward")
    assert expected.bound == pytest.approx(0.049, abs=0.0006)
    assert expected.bound_limit == "memory"
    assert expected.flattened
    assert expected.waste == pytest.approx((25 * 196 + 20 * 154 + 4 * 121) * 64 / (3136 * 49))


def test_timing_gives_the_middle_and_the_fastest() -> None:
    waits = iter([0] * 3 + [30000, 0, 30000, 30000, 0])
    found = timed(lambda: sum(range(next(waits))), CPU, seconds=0)
    assert found.fastest < 0.1 < found.median
    assert next(waits, None) is None


def test_a_machine_measures_itself() -> None:
    from foveate.kernels.bench_cases import measure_machine

    machine = measure_machine(CPU, torch.float32, quick=True)
    assert machine.name == f"{device_name(CPU)}, measured"
    assert machine.flops > 1e8
    assert machine.bandwidth > 1e7
    assert machine.exp_rate > 1e6


FLEX = [
    ((14, 13), (5, 4), (2, 3), (1, 1)),
    ((16, 32), (5, 7), (1, 1), (2, 2)),
    ((5, 6, 9), (3, 4, 2), 1, 1),
    ((70,), 9, 1, 1),
]


@pytest.mark.parametrize(("spatial", "window", "stride", "dilation"), FLEX)
def test_the_tiled_peer_asks_the_same_question(spatial, window, stride, dilation) -> None:
    axes = check_axes(spatial, window, stride, dilation)
    flex = _Flex(Call(2, axes, 2, 8), CPU)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, *spatial, 2, 8, generator=generator) for _ in range(3))
    permuted = [flex.permute(x) for x in (q, k, v)]
    assert torch.equal(flex.restore(permuted[0], q.shape), q)
    index = torch.arange(permuted[0].shape[2])
    zero = torch.zeros((), dtype=torch.int64)
    seen = flex._is_seen(zero, zero, index[:, None], index[None, :])
    out = flex.restore(F.scaled_dot_product_attention(*permuted, attn_mask=seen), q.shape)
    torch.testing.assert_close(out, reference.forward(Inputs(q, k, v), axes, 8**-0.5)[0], atol=2e-6, rtol=1e-5)

    mask, size = flex.block_mask(), 1
    for t in flex.tile:
        size *= t
    blocks = seen.unflatten(0, (-1, size)).unflatten(2, (-1, size))
    assert torch.equal(mask.to_dense()[0, 0].bool(), blocks.any(1).any(-1))
    assert mask.full_kv_num_blocks is not None
    assert torch.equal(mask.full_kv_num_blocks[0, 0], blocks.all(1).all(-1).sum(-1))


def test_peers_say_why_they_cannot() -> None:
    huge = {peer.name: peer for peer in peers_of(SHAPES["video_na"].call(), CPU, quick=False)}
    with pytest.raises(RuntimeError, match="too long to wait for"):
        huge["sdpa-math"].make()
    odd = {peer.name: peer for peer in peers_of(Call(1, check_axes((9,), 3, 1, 2), 1, 8), CPU, quick=False)}
    assert set(odd) == {name for name in PEERS if "natten" not in name}
    with pytest.raises(RuntimeError, match="dilation has to divide"):
        odd["flex"].make()
    dense = {peer.name: peer.exact for peer in peers_of(Call(1, check_axes((7, 7), 7), 1, 8), CPU, quick=True)}
    assert dense["sdpa-math"]
