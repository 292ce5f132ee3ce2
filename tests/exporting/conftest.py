import pytest
from tiny_runs import tiny_plan

from kinema import api


@pytest.fixture(scope="session")
def exported_run(tiny_manifest, tiny_cache, tmp_path_factory):
    """A run of CPR with retrieval measured before and after training."""
    folder = tmp_path_factory.mktemp("export") / "run"
    api.pretrain(tiny_plan("cpr"), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    for untrained in (False, True):
        api.evaluate("retrieval", folder, tiny_manifest, view="rgb", cache=tiny_cache, untrained=untrained)
    api.evaluate("mining", folder, tiny_manifest, cache=tiny_cache)
    return folder
