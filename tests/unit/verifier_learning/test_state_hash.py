"""The verifier's own builder and hash agree with the services' on every class that may be used."""

import pytest

from driftline.core.learning.state_hash import state_hash as hash_of_the_services
from tests.unit.core.learning.examples import CASES, learn, rows
from tests.verifier.learning.pipelines import build
from tests.verifier.learning.state_hash import NoHash, state_hash


@pytest.mark.parametrize("name", CASES)
def test_a_pipeline_that_learned_the_same_has_the_same_hash(name: str) -> None:
    case = CASES[name]
    theirs, own = case.build(), build(case.steps, case.task, dict(case.schema.kinds))
    assert state_hash(own) == hash_of_the_services(theirs)
    learn(theirs, rows(case, 400))
    learn(own, rows(case, 400))
    assert state_hash(own) == hash_of_the_services(theirs)
    assert [own.predict_one(x) for x, _ in rows(case, 50, seed=2)] == [
        theirs.predict_one(x) for x, _ in rows(case, 50, seed=2)
    ]


def test_a_state_that_the_definition_does_not_cover_has_no_hash() -> None:
    with pytest.raises(NoHash):
        state_hash([memoryview(b"x")])
