"""Linear layers as convolutions: the same values and gradients, and when they are left alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from artsound import cpuinfo
from artsound.models import fast_linear
from artsound.models.fast_linear import as_convolutions, linear, mkl_is_slow, speed_up

LAST = torch.channels_last
CONVOLUTION = "aten::mkldnn_convolution"


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let layers of a few numbers be worth it."""
    monkeypatch.setattr(fast_linear, "_LEAST_WORK", 1)
    monkeypatch.setattr(fast_linear, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(fast_linear, "_NARROWEST", 1)


def _frozen(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(False)


def _value_and_gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    found = network(x)
    weights = torch.linspace(-1, 1, found.numel()).view(found.shape)
    (found * weights).sum().backward()
    assert x.grad is not None
    return found.detach(), x.grad


def _check(network: nn.Module, x: Tensor) -> nn.Module:
    fast = as_convolutions(copy.deepcopy(network))
    for found, wanted in zip(
        _value_and_gradient(fast, x), _value_and_gradient(network, x), strict=True
    ):
        assert found.shape == wanted.shape
        assert found.stride() == wanted.stride()
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    return fast


def _operations(compute: Callable[[], object]) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        compute()
    return {event.key for event in seen.key_averages()}


@given(
    shape=st.sampled_from([(64,), (2, 32), (3, 16, 4), (5, 16), (63,), (65,), (1, 1), (0,), ()]),
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 40),
    bias=st.booleans(),
)
def test_a_linear_layer_is_itself(
    shape: tuple[int, ...], inputs: int, outputs: int, bias: bool
) -> None:
    _check(_frozen(nn.Linear(inputs, outputs, bias=bias)), torch.randn(*shape, inputs))


@given(
    n=st.integers(1, 3),
    height=st.sampled_from([1, 8, 16, 31]),
    width=st.sampled_from([1, 4, 8]),
    last=st.booleans(),
    bias=st.booleans(),
)
def test_a_convolution_by_one_is_itself(
    n: int, height: int, width: int, last: bool, bias: bool
) -> None:
    x = torch.randn(n, 6, height, width)
    network: Any = _frozen(nn.Conv2d(6, 10, 1, bias=bias))
    if not last:
        _check(network, x)
    elif height > 1:  # of one pixel's height or width, both orders are the same memory
        _check(network.to(memory_format=LAST), x.contiguous(memory_format=LAST))


@pytest.mark.parametrize(
    "way",
    [
        lambda x: x.t().contiguous().t(),
        lambda x: x[:, ::2].repeat_interleave(2, dim=1),
        lambda x: x[:1].expand(len(x), -1),
        lambda x: x.flip(0),
        lambda x: x.view(4, 32, -1).transpose(0, 1),
    ],
)
def test_it_does_not_matter_how_the_rows_lie(way: Callable[[Tensor], Tensor]) -> None:
    plain = _frozen(nn.Linear(24, 16))
    fast = as_convolutions(copy.deepcopy(plain))
    grads = []
    for network in (plain, fast):
        x = torch.linspace(-1, 1, 128 * 24).view(128, 24).requires_grad_()
        found = network(way(x))
        (found * torch.linspace(0, 1, 16)).sum().backward()
        assert x.grad is not None
        grads.append((found.detach(), x.grad))
    for found, wanted in zip(grads[1], grads[0], strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_its_gradient_can_be_differentiated() -> None:
    layer: Any = as_convolutions(_frozen(nn.Linear(3, 2)))
    x = torch.randn(64, 3, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).pow(3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    wanted = (6 * layer(x) * layer.weight.sum(1)) @ layer.weight
    torch.testing.assert_close(second, wanted.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [lambda: nn.Linear(8, 8), lambda: nn.Conv2d(8, 8, 1)])
def test_what_it_returns_can_be_changed_in_place(make: Callable[[], nn.Module]) -> None:
    plain = _frozen(make())
    fast = as_convolutions(copy.deepcopy(plain))
    x = torch.randn(64, 8) if isinstance(plain, nn.Linear) else torch.randn(1, 8, 8, 8)
    x = x.contiguous(memory_format=LAST) if x.ndim == 4 else x
    found = []
    for network in (plain, fast):
        given = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = nn.Sequential(network, nn.SiLU(inplace=True))(given)
        y += 1
        y.mul_(2)
        y.square().sum().backward()
        assert given.grad is not None
        found.append((y.detach(), given.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "other",
    [{"kernel_size": 3}, {"stride": 2}, {"padding": 1}, {"groups": 2}, {"padding": "same"}],
    ids=str,
)
def test_other_convolutions_are_as_they_were(other: dict[str, Any]) -> None:
    network = _frozen(nn.Conv2d(4, 6, **{"kernel_size": 1, **other}))
    assert type(_check(network, torch.randn(2, 4, 16, 16))) is nn.Conv2d


def test_layers_of_other_classes_are_as_they_were() -> None:
    class Own(nn.Linear):
        pass

    assert type(as_convolutions(_frozen(Own(4, 4)))) is Own


def test_names_and_weights_are_those_of_before() -> None:
    network = _frozen(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)))
    before = {name: weight.data_ptr() for name, weight in network.state_dict().items()}
    after = {
        name: weight.data_ptr() for name, weight in as_convolutions(network).state_dict().items()
    }
    assert after == before
    again = as_convolutions(network)  # twice is once
    assert isinstance(again[0], nn.Linear)  # type: ignore[index]
    _check(network, torch.randn(64, 4))


@pytest.mark.parametrize("learning", ["weight", "bias", "weight and bias"])
def test_a_layer_that_learns_has_its_gradient(learning: str) -> None:
    plain = nn.Linear(8, 4)
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_(name in learning)
    fast = as_convolutions(copy.deepcopy(plain))
    x = torch.randn(64, 8)
    for network in (plain, fast):
        network(x).square().sum().backward()
    for found, wanted in zip(fast.parameters(), plain.parameters(), strict=True):
        assert (found.grad is not None) is found.requires_grad
        torch.testing.assert_close(found.grad, wanted.grad)


def test_a_weight_made_of_another_has_a_gradient_to_it() -> None:
    fast: Any = as_convolutions(nn.Linear(8, 4, bias=False))
    base = torch.randn(4, 8, requires_grad=True)
    del fast.weight
    fast.weight = base * 2
    fast(torch.ones(64, 8)).sum().backward()
    torch.testing.assert_close(base.grad, torch.full((4, 8), 128.0))


def test_other_precisions_compute_as_before() -> None:
    plain = _frozen(nn.Linear(8, 4))
    fast = as_convolutions(copy.deepcopy(plain))
    x = torch.randn(64, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(x), plain(x))
        made = fast(x.clone().requires_grad_()).grad_fn
        assert type(made).__name__ != "_ProductBackward"
    for dtype in (torch.bfloat16, torch.float64):
        assert torch.equal(fast.to(dtype)(x.to(dtype)), plain.to(dtype)(x.to(dtype)))
    with pytest.raises(RuntimeError, match="dtype"):
        fast(x)


def test_what_does_not_fit_is_refused_as_before() -> None:
    fast = as_convolutions(_frozen(nn.Linear(8, 4)))
    with pytest.raises(RuntimeError, match="shape"):
        fast(torch.randn(64, 7))
    point = as_convolutions(_frozen(nn.Conv2d(8, 4, 1)))
    with pytest.raises(RuntimeError, match="channels"):
        point(torch.randn(1, 7, 8, 8).contiguous(memory_format=LAST))
    assert point(torch.randn(8, 8, 8)).shape == (4, 8, 8)
    with pytest.raises(RuntimeError):
        fast(torch.tensor(1.0))
    assert fast.to("meta")(torch.randn(64, 8, device="meta")).device.type == "meta"


@pytest.mark.parametrize("shape", [(1, 8, 32), (8, 1, 1)])
def test_one_channel_or_pixel_lies_in_memory_as_before(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    x = torch.randn(64, channels, height, width)
    _check(_frozen(nn.Conv2d(channels, 4, 1)), x)


def test_nothing_is_kept_for_a_weight_that_does_not_learn() -> None:
    network = as_convolutions(_frozen(nn.Linear(32, 32)))
    kept: list[int] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(len(x))
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        network(torch.randn(64, 32, requires_grad=True))
    assert kept == [32]  # the weight; not the 64 rows


def test_onednn_computes_them_on_one_thread_too(one_thread: None) -> None:
    backends: Any = torch.backends
    if not backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    network = as_convolutions(_frozen(nn.Linear(32, 48)))
    rows, few = torch.randn(65, 32, requires_grad=True), torch.randn(63, 32)
    assert CONVOLUTION in _operations(lambda: network(rows))
    assert CONVOLUTION not in _operations(lambda: network(few))
    found = network(rows).sum()
    backwards = _operations(found.backward)
    assert "aten::conv_transpose2d" in backwards
    assert not backwards & {"aten::mm", "aten::slow_conv_transpose2d"}  # MKL's
    learns = as_convolutions(nn.Linear(32, 48))
    assert CONVOLUTION not in _operations(lambda: learns(rows))
    with torch.no_grad():
        assert CONVOLUTION in _operations(lambda: learns(rows))
    point = as_convolutions(_frozen(nn.Conv2d(32, 48, 1)))
    pixels = torch.randn(1, 32, 8, 8)
    last = pixels.contiguous(memory_format=LAST)
    assert CONVOLUTION in _operations(lambda: point(last))
    assert CONVOLUTION not in _operations(lambda: point(pixels))


@pytest.mark.parametrize(("rows", "pays"), [(127, False), (128, True), (4096, True)])
def test_small_products_are_left_to_torch(
    rows: int, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    weight = torch.zeros(512, 256)
    assert fast_linear._pays(torch.zeros(rows, 256), weight, None) is pays
    assert not fast_linear._pays(torch.zeros(rows, 32), torch.zeros(32, 32), None)
    assert not fast_linear._pays(torch.zeros(8 * rows, 4096), torch.zeros(4, 4096), None)
    large = torch.zeros(1, 1).expand(4096, 4096)
    assert fast_linear._pays(torch.zeros(rows, 4096), large, None) is (rows >= 512)


@pytest.mark.parametrize("slow", [True, False])
def test_only_where_the_machine_gains(slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_linear, "mkl_is_slow", lambda: slow)
    network = speed_up(_frozen(nn.Linear(8, 4)))
    assert (type(network) is not nn.Linear) is slow
    assert isinstance(network, nn.Linear)
    elsewhere = speed_up(_frozen(nn.Linear(8, 4, device="meta")))
    assert type(elsewhere) is nn.Linear
    x = torch.randn(64, 8, requires_grad=True)
    made = linear(x, network.weight, network.bias).grad_fn
    assert (type(made).__name__ == "_ProductBackward") is slow
    torch.testing.assert_close(
        linear(x, network.weight, network.bias),
        nn.functional.linear(x, network.weight, network.bias),
    )


@pytest.mark.parametrize(
    ("vendor", "family", "capability", "slow"),
    [
        (b"AuthenticAMD", 26, "AVX512", True),
        (b"AuthenticAMD", 25, "AVX512", False),
        (b"AuthenticAMD", 26, "AVX2", False),
        (b"GenuineIntel", 26, "AVX512", False),
    ],
)
def test_the_processor_decides(
    vendor: bytes,
    family: int,
    capability: str,
    slow: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backends: Any = torch.backends
    if not (backends.mkl.is_available() and backends.mkldnn.is_available()):
        pytest.skip("this torch has not both libraries")
    where = tmp_path / "cpuinfo"
    lines = (b"processor\t: 0", b"vendor_id\t: " + vendor, b"cpu family\t: %d" % family)
    where.write_bytes(b"\n".join((*lines, b"model name\t: a brand of its own \xae", b"")))
    monkeypatch.setattr(cpuinfo, "_WHERE", where)
    monkeypatch.setattr(backends.cpu, "get_cpu_capability", lambda: capability)
    assert mkl_is_slow.__wrapped__() is slow
    monkeypatch.setattr(cpuinfo, "_WHERE", tmp_path / "none")
    assert mkl_is_slow.__wrapped__() is False
