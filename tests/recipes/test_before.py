"""A recipe that was written before a setting was there means what it meant then."""

from dataclasses import fields, replace

import pytest
from tiny_runs import tiny_plan

from kinema.core.errors import ConfigError
from kinema.recipes.before import ADDED
from kinema.recipes.json import CONVERTER, recipe_from_plain, recipe_to_plain
from kinema.recipes.table import preset


@pytest.mark.parametrize("kind", ADDED, ids=lambda kind: kind.__name__)
def test_what_came_later_is_left_out_where_it_is_as_before(kind):
    old = replace(kind(), **ADDED[kind])
    plain = CONVERTER.unstructure(old)
    assert plain.keys() == {field.name for field in fields(kind)} - ADDED[kind].keys()
    assert CONVERTER.structure(plain, kind) == old
    assert CONVERTER.structure(CONVERTER.unstructure(kind()), kind) == kind()


def test_a_run_of_cmd_of_before_has_the_clips_geometry_and_the_last_level():
    now = preset("small", "cmd").recipe()
    plain = recipe_to_plain(now)
    method = plain["phases"][0]["method"]
    assert (method["geometry"], method["reads"], method["head"]["affine"]) == ("own", "fused", True)
    assert recipe_from_plain(plain) == now
    del method["geometry"], method["reads"], method["head"]["affine"]
    before = recipe_from_plain(plain).phases[0].method
    assert (before.geometry, before.reads, before.head.affine) == ("clip", "last", False)
    assert recipe_to_plain(recipe_from_plain(plain)) == plain


def test_unknown_settings_are_still_refused():
    plain = recipe_to_plain(tiny_plan("moco").recipe())
    plain["phases"][0]["method"]["head"]["colour"] = 3
    with pytest.raises(ConfigError, match="colour"):
        recipe_from_plain(plain)
    plain["phases"][0]["method"]["head"] = 3
    with pytest.raises(ConfigError, match="head"):
        recipe_from_plain(plain)
