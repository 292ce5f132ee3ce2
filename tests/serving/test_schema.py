"""Whatever the OpenAPI document allows or forbids, the server answers as the document says."""

import pytest

from kinema import serving
from kinema.serving.settings import Settings

pytestmark = pytest.mark.slow


def test_the_server_keeps_to_its_document(model, table, file):
    schemathesis = pytest.importorskip("schemathesis", reason="the package schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import GenerationMode
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    load_all_checks()
    headers = {"Host": "127.0.0.1"}
    app = serving.app(model, table=table, segments=file, settings=Settings(upload_mib=1), device="cpu")
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=headers)
    few = settings(
        max_examples=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    asked = set()
    operations = [result.ok() for result in schema.get_all_operations()]
    # What the document forbids can be sent only to what takes something.
    taking = [each for each in operations if each.method in ("post", "patch") or list(each.query)]
    asking = [(each, GenerationMode.POSITIVE) for each in operations]
    for operation, mode in [*asking, *((each, GenerationMode.NEGATIVE) for each in taking)]:

        @few
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case):
            # A well-formed name of a video that there is not is answered with 404, as the document says too.
            answer = case.call(headers=headers)
            asked.add((case.operation.label, answer.status_code))
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

        holds()
    assert len({label for label, _ in asked}) == 17
    assert 200 in {status for _, status in asked}
    assert max(status for _, status in asked) < 500
