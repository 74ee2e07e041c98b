"""All clients must put a key into the same partition, or a label never meets its prediction."""

import warnings

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import example, given
from hypothesis import strategies as st

from driftline.core.joining.misplaced import partitions_of
from driftline_schemas.partitioner import murmur2, partition_of
from tests.verifier.murmur import partition_for

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its own files in an old way
    from kafka.partitioner.default import murmur2 as murmur2_of_kafka_python

IDS = st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)
# Expected values of Kafka's own test (UtilsTest.testMurmur2), there as signed 32-bit integers.
KAFKA_SAYS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KAFKA_SAYS.items())
def test_the_hash_is_the_one_that_kafka_expects(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=300))
@example(b"")
def test_the_hash_is_that_of_two_other_clients(key: bytes) -> None:
    expected = murmur2(key)
    assert murmur2_of_kafka_python(key) & 0xFFFFFFFF == expected
    assert murmur2_of_aiokafka(key) & 0xFFFFFFFF == expected


@given(IDS, st.integers(1, 64))
def test_a_key_lies_where_aiokafka_and_the_verifier_put_it(key: str, partitions: int) -> None:
    everywhere = list(range(partitions))
    place = partition_of(key, partitions)
    assert DefaultPartitioner()(key.encode(), everywhere, everywhere) == place
    assert partition_for(key.encode(), partitions) == place


@given(st.lists(st.one_of(IDS, st.text(max_size=40)), max_size=60), st.integers(1, 64))
def test_many_keys_at_once_lie_where_each_alone_does(keys: list[str], partitions: int) -> None:
    assert partitions_of(keys, partitions) == [partition_of(key, partitions) for key in keys]
