"""Buckets and shards: the same for ever, disjoint, and complete."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention.buckets import BUCKETS, Shard, bucket_of

counts = st.integers(1, BUCKETS)


@pytest.mark.parametrize(
    ("name", "bucket"),
    [("", 0xE3), ("@TGS#1HYEP2SHC", 0x9A), ("room", 0x1F), ("ann\nbob", 0x97), ("群", 0x0D)],
)
def test_a_bucket_is_the_same_in_every_version(name, bucket):
    assert bucket_of(name) == bucket


@given(counts, st.text(st.characters(exclude_categories=["Cs"])))
def test_every_group_is_in_exactly_one_shard(count, name):
    shards = [Shard(number, count) for number in range(1, count + 1)]

    assert sum(shard.holds(bucket_of(name)) for shard in shards) == 1


@settings(max_examples=40, deadline=None)
@given(counts)
def test_the_shards_of_any_number_are_disjoint_and_complete(count):
    buckets = [
        bucket for number in range(1, count + 1) for bucket in range(BUCKETS) if Shard(number, count).holds(bucket)
    ]

    assert sorted(buckets) == list(range(BUCKETS))


@settings(max_examples=40, deadline=None)
@given(counts)
def test_shards_are_of_like_size(count):
    sizes = {sum(Shard(number, count).holds(bucket) for bucket in range(BUCKETS)) for number in range(1, count + 1)}

    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


@given(counts.flatmap(lambda count: st.tuples(st.integers(1, count), st.just(count))), st.sampled_from(["", " ", "\t"]))
def test_a_shard_is_read_from_the_text_that_it_makes(shard, blank):
    number, count = shard

    assert Shard.parse(str(Shard(number, count))) == Shard(number, count)
    assert Shard.parse(f"{blank}{number}{blank}/{blank}{count}{blank}") == Shard(number, count)


@pytest.mark.parametrize(
    "text",
    [
        *("0/1", "2/1", "1/0", "1/257", "257/257", "-1/2", "1001/2000", "1", "1/", "/2", "", "1/2/3", "1/2\n3"),
        *("a/b", "1.0/2", "１/２", "0x1/2", "+1/2", None, 3, True, b"1/2", ["1/2"], ("1", "2")),
    ],
    ids=lambda text: ascii(text).replace("\\", "/"),
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match="shard must be text such as '3/16'"):
        Shard.parse(text)


def test_folders_of_shards_have_names_of_their_own_that_sort():
    names = [Shard(number, count).folder for count in (2, 12, 256) for number in range(1, count + 1)]

    assert len(set(names)) == len(names)
    assert Shard(3, 16).folder == "shard-003-of-016"
    assert sorted(names[-256:]) == names[-256:]
