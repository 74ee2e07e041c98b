"""The column form of Kafka's partitioner agrees with the plain one."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.joining.misplaced import FEW, partitions_of
from driftline_schemas.partitioner import partition_of

ID = st.text("azAZ09._:-é", min_size=1, max_size=130)


@given(
    ids=st.lists(ID, max_size=FEW) | st.lists(ID, min_size=FEW + 1, max_size=30),
    partitions=st.integers(1, 64),
)
def test_every_id_has_the_partition_that_every_client_gives_it(
    ids: list[str], partitions: int
) -> None:
    assert partitions_of(ids, partitions) == [partition_of(id_, partitions) for id_ in ids]
