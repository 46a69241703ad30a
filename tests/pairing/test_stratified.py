from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from artsound.pairing.stratified import allocate, stratified_sample

sizes = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 60), max_size=8)


@given(sizes, st.integers(0, 300))
def test_allocation_is_proportional(given_sizes: dict[str, int], count: int) -> None:
    result = allocate(given_sizes, count)
    total = sum(given_sizes.values())
    assert sum(result.values()) == min(count, total)
    for name, size in given_sizes.items():
        assert result[name] <= size
        share = size * min(count, total) / max(total, 1)
        assert abs(result[name] - share) < 1


@given(
    st.dictionaries(st.text("abc123", min_size=1, max_size=5), st.sampled_from("xyz"), min_size=1),
    st.integers(1, 40),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_sample_does_not_depend_on_the_order(
    strata: dict[str, str], count: int, seed: int, random: object
) -> None:
    drawn = stratified_sample(strata, count, seed)
    items = list(strata.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert stratified_sample(dict(items), count, seed) == drawn
    assert len(set(drawn)) == len(drawn) == min(count, len(strata))
    assert set(drawn) <= set(strata)


def test_seed_changes_what_is_drawn() -> None:
    strata = {str(item): "x" for item in range(200)}
    assert stratified_sample(strata, 20, 0) != stratified_sample(strata, 20, 1)
