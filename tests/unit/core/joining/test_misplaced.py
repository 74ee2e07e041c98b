"""The column form of Kafka's partitioner agrees with the plain one."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.joining.misplaced import partitions_of
from driftline_schemas.partitioner import partition_of


@given(
    ids=st.lists(st.text("azAZ09._:-é", min_size=1, max_size=130)), partitions=st.integers(1, 64)
)
def test_every_id_has_the_partition_that_every_client_gives_it(
    ids: list[str], partitions: int
) -> None:
    assert partitions_of(ids, partitions) == [partition_of(id_, partitions) for id_ in ids]
