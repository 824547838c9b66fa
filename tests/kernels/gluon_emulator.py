"""Runs the Gluon kernels for Hopper on a CPU, from their source: Triton's interpreter does not know Gluon.

The kernels' functions are called as plain Python, with numpy behind ``gl``. The roles of a warp-specialized program are
threads, of which one runs at a time; it may be replaced by another where it uses a barrier, loads or multiplies. The
order is always the same, and is meant to bring errors out:

- The producer goes on whenever it can, so a place that was handed back too early is overwritten at once.
- A load spoils its place when it is issued, and lands only once no role can go on without it.
- A product reads shared memory until it is waited for: operands that change until then make it NaN.
- When nothing can go on, ``DeadlockError`` says what every role waits for; nothing ever waits for a clock.
- Shared memory starts as NaN, addresses and places outside are errors, and so are operands written without a fence.

Integers are those of the GPU: 32 bits, divided toward zero, not shifted by their width. Layouts and registers are not
looked at (compiling does that), and numbers are float32 where the GPU has 16 bits, but are counted as two bytes.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

NUMBER_BYTES = 2


class DeadlockError(RuntimeError):
    """No role of a program can go on."""


class Stopped(BaseException):
    """Ends a role because another one has failed; no kernel may catch it."""


class Tensor(np.ndarray):
    """Array with Gluon's arithmetic: division as in C, and ``+=`` makes a new one."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        kind = np.result_type(*(x.dtype for x in inputs if isinstance(x, np.ndarray)))
        numbers = [np.asarray(x, None if isinstance(x, np.ndarray) else kind_of_scalar(x, kind)) for x in inputs]
        if ufunc in (np.left_shift, np.right_shift):
            width = 8 * np.result_type(*numbers).itemsize
            if np.any(np.less(numbers[1], 0) | np.greater_equal(numbers[1], width)):
                raise ValueError(f"a number of {width} bits is shifted by {np.max(numbers[1])}")
        function: Callable[..., Any] = getattr(ufunc, method)
        if ufunc is np.floor_divide:
            function = divide
        elif ufunc is np.remainder:
            function = np.fmod
        return tensor(function(*numbers, **options))

    @property
    def type(self) -> Any:
        return SimpleNamespace(layout=None)

    def to(self, dtype: Any) -> "Tensor":
        return tensor(self.astype(dtype))


def kind_of_scalar(value: Any, kind: np.dtype) -> Any:
    """Type that a plain number takes beside a tensor of some kind."""
    if isinstance(value, float) and kind.kind != "f":
        return np.float32
    return np.int32 if kind.kind == "b" and not isinstance(value, bool) else kind


def tensor(values: Any, dtype: Any = None) -> Tensor:
    return np.asarray(values, dtype).view(Tensor)


def divide(a: Any, b: Any) -> Any:
    """Divide integers, rounding toward zero."""
    return (a - np.fmod(a, b)) // b


class Pointer:
    """Addresses in the memory of a torch tensor, from its first number on."""

    def __init__(self, memory: np.ndarray, offset: Any = 0) -> None:
        self.memory, self.offset = memory, offset

    def __add__(self, step: Any) -> "Pointer":
        return Pointer(self.memory, self.offset + np.asarray(step, np.int64))

    def where(self, mask: Any) -> tuple[np.ndarray, np.ndarray]:
        """Broadcast addresses and mask; an error if one outside of the memory is not masked."""
        at, seen = np.broadcast_arrays(self.offset, np.asarray(mask))
        if np.any(seen & ((at < 0) | (at >= len(self.memory)))):
            raise IndexError(f"an address is outside of the {len(self.memory)} numbers from the pointer on")
        return at, seen


def pointer_to(values: torch.Tensor) -> Pointer:
    begin = values.storage_offset()
    size = values.untyped_storage().nbytes() // values.element_size() - begin
    return Pointer(values.detach().as_strided((size,), (1,), begin).numpy())


@dataclass
class Descriptor:
    """Stands in for Triton's TensorDescriptor, and makes the demands that TMA makes on numbers of 16 bits."""

    base: torch.Tensor
    shape: list[int]
    strides: list[int]
    block_shape: list[int]
    layout: Any

    def __post_init__(self) -> None:
        assert len(self.shape) == len(self.strides) == len(self.block_shape) <= 5
        assert self.strides[-1] == 1
        assert all(step > 0 and step * NUMBER_BYTES % 16 == 0 for step in self.strides[:-1]), self.strides
        assert self.base.data_ptr() % 16 == 0
        begin = self.base.storage_offset()
        self.grid = self.base.detach().as_strided(self.shape, self.strides, begin).numpy()
        self.dtype = self.grid.dtype
        self.block_type = SimpleNamespace(shape=self.block_shape)


class Barrier:
    """An mbarrier: a phase ends when all arrivals and bytes that it expects have come."""

    def __init__(self) -> None:
        self.count = self.left = self.missing_bytes = self.phase = 0

    def init(self, count: int) -> None:
        self.count = self.left = count

    def update(self, arrivals: int = 0, expected_bytes: int = 0) -> None:
        self.left -= arrivals
        self.missing_bytes += expected_bytes
        if self.left < 0:
            raise RuntimeError(f"more than {self.count} arrivals at a barrier in one phase")
        if self.left == 0 and self.missing_bytes == 0:
            self.phase, self.left = self.phase + 1, self.count


class Shared:
    """A piece of shared memory, or a view of one."""

    def __init__(self, data: Any, emulator: "Emulator") -> None:
        self.data, self.emulator = data, emulator

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    def index(self, number: Any) -> Any:
        if not 0 <= int(number) < len(self.data):
            raise IndexError(f"place {number} of {len(self.data)} in shared memory")
        one = self.data[int(number)]
        return one if isinstance(one, Barrier) else Shared(one, self.emulator)

    def reshape(self, shape: list[int]) -> "Shared":
        return Shared(self.data.reshape(shape), self.emulator)

    def permute(self, order: list[int]) -> "Shared":
        return Shared(self.data.transpose(order), self.emulator)

    def store(self, values: Tensor) -> None:
        assert values.shape == self.data.shape
        self.data[...] = values
        self.emulator.program.current.unfenced.append(self.data)

    def load(self, layout: Any) -> Tensor:
        return tensor(self.data.copy())


class Product:
    """A matrix product under way."""

    def __init__(self, a: Any, b: Shared, acc: Tensor | None) -> None:
        self.operands = [x.data if isinstance(x, Shared) else np.asarray(x) for x in (a, b)]
        self.seen = [x.copy() for x in self.operands]
        self.acc = acc
        self.result: Any = None

    def finish(self) -> None:
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(self.seen, self.operands, strict=True))
        product = self.seen[0] @ self.seen[1]
        if not same:
            product = np.full_like(product, np.nan)
        self.result = tensor(product) if self.acc is None else self.acc + product


@dataclass
class Role:
    """One of the threads of a program."""

    name: str
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    barrier: Barrier | None = None
    parity: int = 0
    done: bool = False
    products: deque[Product] = field(default_factory=deque)
    unfenced: list[np.ndarray] = field(default_factory=list)

    def can_go_on(self) -> bool:
        return self.barrier is None or self.barrier.phase & 1 != self.parity

    def __str__(self) -> str:
        if self.barrier is None:
            return f"{self.name} waits for nothing"
        missing = f"{self.barrier.left} arrivals and {self.barrier.missing_bytes} bytes are missing"
        return f"{self.name} waits for phase {self.barrier.phase} to end, of which {missing}"


class Program:
    """A program (thread block): its roles, of which one runs at a time, and its loads under way.

    Args:
        number: Its number; the consumers of odd programs take precedence in the other order.
        programs: How many there are.
    """

    def __init__(self, number: int, programs: int) -> None:
        self.number, self.programs = number, programs
        self.current = Role("all")
        self.roles: list[Role] = []
        self.loads: deque[tuple[Descriptor, list[int], Barrier, np.ndarray]] = deque()
        self.failure: BaseException | None = None

    def run(self, jobs: list[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
        """Run roles side by side; the last one, which is the producer, takes precedence."""
        roles = [Role(f"{function.__name__} {i}") for i, (function, _) in enumerate(jobs)]
        self.roles = [roles[-1], *(roles[:-1] if self.number % 2 else reversed(roles[:-1]))]
        threads = [
            threading.Thread(target=self._live, args=(role, *job), daemon=True)
            for role, job in zip(roles, jobs, strict=True)
        ]
        for thread in threads:
            thread.start()
        self._pass_on()
        for thread in threads:
            thread.join()
        if self.failure is not None:
            raise self.failure
        if self.loads or any(role.products for role in roles):
            raise RuntimeError("the program ends before all its loads and products have ended")

    def pause(self, barrier: Barrier | None = None, parity: int = 0) -> None:
        """Let others run, at least until the phase of that parity has ended."""
        role = self.current
        role.barrier, role.parity = barrier, parity
        following = self._next()
        if following is not role and following is not None:
            self.current = following
            following.go.release()
            role.go.acquire()
            if self.failure is not None:
                raise Stopped

    def _live(self, role: Role, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        role.go.acquire()
        try:
            if self.failure is None:
                with np.errstate(all="ignore"):
                    function(*arguments)
        except Stopped:
            pass
        except BaseException as error:
            self.failure = self.failure or error
        role.done = True
        self._pass_on()

    def _pass_on(self) -> None:
        """Start the next role, or all if one has failed, so that they stop."""
        try:
            following = None if self.failure else self._next()
        except DeadlockError as error:
            self.failure = error
        if self.failure is not None:
            for role in self.roles:
                role.go.release()
        elif following is not None:
            self.current = following
            following.go.release()

    def _next(self) -> Role | None:
        alive = [role for role in self.roles if not role.done]
        while alive:
            for role in alive:
                if role.can_go_on():
                    return role
            if not self.loads:
                raise DeadlockError("; ".join(map(str, alive)))
            self._land(*self.loads.popleft())
        return None

    @staticmethod
    def _land(descriptor: Descriptor, at: list[int], barrier: Barrier, place: np.ndarray) -> None:
        """End a load: what lies outside of the grid is zero."""
        place[...] = 0
        sides = list(zip(at, place.shape, descriptor.shape, strict=True))
        source = tuple(slice(max(first, 0), max(min(first + side, n), 0)) for first, side, n in sides)
        piece = descriptor.grid[source]
        place[tuple(slice(max(-x, 0), max(-x, 0) + n) for x, n in zip(at, piece.shape, strict=True))] = piece
        barrier.update(expected_bytes=-place.size * NUMBER_BYTES)


class Kernel:
    """Stands in for a compiled kernel: ``kernel[grid](...)`` runs its source, one program after the other."""

    def __init__(self, function: Callable[..., None], emulator: "Emulator") -> None:
        self.function, self.emulator = function, emulator

    def __getitem__(self, grid: tuple[int, int, int]) -> Callable[..., None]:
        def start(*arguments: Any, num_warps: int, **constants: Any) -> None:
            given = [argument_of_kernel(argument) for argument in arguments]
            for number in range(grid[0]):
                self.emulator.program = Program(number, grid[0])
                self.function(*given, **constants)

        return start


def argument_of_kernel(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return pointer_to(value)
    if isinstance(value, int):
        return tensor(value, np.int32)
    return tensor(value, np.float32) if isinstance(value, float) else value


class Emulator:
    """The GPU: the operations of Gluon that the kernels use, on the program that is running."""

    def __init__(self) -> None:
        self.program = Program(0, 1)

    def names(self) -> dict[str, Any]:
        """List what takes the place of what the kernels import from Gluon."""
        return {
            "gl": self.language(),
            "mbarrier": SimpleNamespace(
                MBarrierLayout=Barrier, init=lambda barrier, count: barrier.init(count), wait=self.wait,
                expect=self.expect, arrive=self.arrive,
            ),
            "tma": SimpleNamespace(async_copy_global_to_shared=self.load_box),
            "fence_async_shared": lambda: self.program.current.unfenced.clear(),
            "warpgroup_mma": self.multiply,
            "warpgroup_mma_wait": self.wait_for_products,
        }  # fmt: skip

    def language(self) -> SimpleNamespace:
        no_layout = dict.fromkeys(
            ("BlockedLayout", "DotOperandLayout", "NVMMADistributedLayout", "NVMMASharedLayout", "SliceLayout",
             "SwizzledSharedLayout"),
            lambda *parts, **named: None,
        )  # fmt: skip
        return SimpleNamespace(
            **no_layout,
            constexpr=int,
            int32=np.int32,
            int64=np.int64,
            float32=np.float32,
            program_id=lambda axis: tensor(self.program.number, np.int32),
            num_programs=lambda axis: tensor(self.program.programs, np.int32),
            static_range=range,
            to_tensor=lambda value: tensor(value, np.int32),
            arange=lambda first, past, layout=None: tensor(np.arange(first, past, dtype=np.int32)),
            full=lambda shape, value, dtype, layout=None: tensor(np.full(shape, value, dtype)),
            zeros=lambda shape, dtype, layout=None: tensor(np.zeros(shape, dtype)),
            zeros_like=lambda values: tensor(np.zeros_like(values)),
            minimum=lambda a, b: tensor(np.minimum(a, b)),
            maximum=lambda a, b: tensor(np.maximum(a, b)),
            cdiv=lambda a, b: (a + (b - 1)) // b,
            where=lambda condition, a, b: tensor(np.where(condition, a, b)),
            max=lambda values, axis: tensor(np.max(np.asarray(values), axis)),
            sum=lambda values, axis: tensor(np.sum(np.asarray(values), axis, dtype=values.dtype)),
            exp2=lambda values: tensor(np.exp2(values)),
            log2=lambda values: tensor(np.log2(values)),
            convert_layout=lambda values, layout: values,
            inline_asm_elementwise=self.assembly,
            load=self.load,
            store=self.store,
            allocate_shared_memory=self.allocate,
            warp_specialize=self.specialize,
        )

    def assembly(self, code: str, constraints: str, values: list[Any], dtype: Any, is_pure: bool, pack: int) -> Any:
        assert (code, constraints, pack) == ("mov.b32 $0, $1;", "=r,r", 1), "the emulator only knows a move"
        return tensor(values[0], dtype)

    def load(self, pointer: Pointer, mask: Any, other: float) -> Tensor:
        at, seen = pointer.where(mask)
        return tensor(np.where(seen, pointer.memory[np.where(seen, at, 0)], pointer.memory.dtype.type(other)))

    def store(self, pointer: Pointer, values: Tensor, mask: Any) -> None:
        at, seen = pointer.where(mask)
        assert values.shape == at.shape
        pointer.memory[at[seen]] = np.asarray(values)[seen]

    def allocate(self, dtype: Any, shape: list[int], layout: Any) -> Shared:
        if isinstance(layout, Barrier):  # MBarrierLayout() makes one
            return Shared([Barrier() for _ in range(shape[0])], self)
        nothing = np.nan if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max // 3
        return Shared(np.full(shape, nothing, dtype), self)

    def specialize(self, jobs: list[Any], warps: list[int], registers: list[int]) -> None:
        assert len(jobs) - 1 == len(warps) == len(registers), "the first role has the program's own warps"
        assert not self.program.current.unfenced
        self.program.run(jobs)

    def wait(self, barrier: Barrier, phase: Any, pred: Any = True) -> None:
        if pred:
            self.program.pause(barrier, int(phase))

    def expect(self, barrier: Barrier, size: int) -> None:
        barrier.update(arrivals=1, expected_bytes=size)

    def arrive(self, barrier: Barrier, count: int) -> None:
        barrier.update(arrivals=count)
        self.program.pause()

    def load_box(self, descriptor: Descriptor, at: list[Any], barrier: Barrier, place: Shared) -> None:
        assert list(place.data.shape) == descriptor.block_shape
        place.data.fill(np.nan)
        self.program.loads.append((descriptor, [int(x) for x in at], barrier, place.data))
        self.program.pause()

    def multiply(self, a: Any, b: Shared, acc: Tensor, *, use_acc: bool = True, is_async: bool = False) -> Any:
        role = self.program.current
        operands = [x.data for x in (a, b) if isinstance(x, Shared)]
        if any(np.may_share_memory(x, written) for x in operands for written in role.unfenced):
            raise RuntimeError("a product reads what was stored to shared memory without a fence")
        assert acc.shape == (a.data.shape[0], b.data.shape[1])
        product = Product(a, b, acc if use_acc else None)
        role.products.append(product)
        self.program.pause()
        return product if is_async else self.wait_for_products(0, [product])

    def wait_for_products(self, num_outstanding: int, deps: list[Any]) -> Any:
        self.program.pause()
        products = self.program.current.products
        while len(products) > num_outstanding:
            products.popleft().finish()
        if any(isinstance(x, Product) and x.result is None for x in deps):
            raise RuntimeError("a product is used that is still under way")
        values = [x.result if isinstance(x, Product) else x for x in deps]
        return values[0] if len(values) == 1 else tuple(values)


def install(patch: pytest.MonkeyPatch, multiprocessors: int) -> Emulator:
    """Let the host functions of the Gluon kernels run on tensors of the CPU.

    Args:
        patch: Undoes it.
        multiprocessors: Programs that a persistent kernel is started with.

    Returns:
        The emulator.
    """
    from triton.experimental.gluon.nvidia import hopper

    from foveate.kernels.neighborhood import (
        gluon_backward,
        gluon_forward,
        triton_gluon,
        triton_gluon_backward,
        triton_gluon_query,
    )

    emulator = Emulator()
    names = emulator.names()
    for module in (triton_gluon, triton_gluon_backward, triton_gluon_query):
        for name, value in list(vars(module).items()):
            if name in names:
                patch.setattr(module, name, names[name])
            elif hasattr(value, "fn"):
                patch.setattr(module, name, Kernel(value.fn, emulator) if name.endswith("_kernel") else value.fn)
    patch.setattr(hopper, "TensorDescriptor", Descriptor)
    patch.setattr(torch.cuda, "current_device", lambda: None)
    patch.setattr(gluon_forward, "multiprocessors", lambda index: multiprocessors)
    patch.setattr(gluon_forward, "starter", lambda compiled, grid: None)
    for host in (gluon_forward, gluon_backward):
        patch.setattr(host, "_CALLS", {})
    return emulator
