"""Makes the picture of Mocap-people: some of its people before each camera, by clothes, by build and gait, by gait.

    python docs/make_people_picture.py

people.png has two people of each set, a row each; boxes of the last set are displaced. Each camera shows frames 0
and 4 of the tracklet. Nothing has to be drawn before.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from kinema.data.mocap.people import MocapPeopleConfig
from kinema.data.mocap.people.film import Crew
from kinema.data.mocap.people.plan import plan_sightings

HERE = Path(__file__).parent / "images"
SETS = (
    MocapPeopleConfig(people=2, frames=5),
    MocapPeopleConfig(people=2, frames=5, identity="body"),
    MocapPeopleConfig(people=2, frames=5, identity="body", proportions=0.0, shift=0.15),
)
SHOWN = (0, 4)
GAP, ROOM = 2, 8


def main() -> None:
    """Writes the picture."""
    width, height = SETS[0].width, SETS[0].height
    block = len(SHOWN) * (width + GAP) + ROOM
    rows = sum(config.people for config in SETS)
    tall = rows * (height + GAP) + (len(SETS) - 1) * ROOM
    sheet = Image.new("RGB", (SETS[0].cameras * block - ROOM - GAP, tall - GAP), "white")
    top = 0
    for config in SETS:
        crew = Crew(config)
        for sighting in plan_sightings(config):
            crops = crew.film(sighting)
            for column, frame in enumerate(SHOWN):
                left = sighting.camera * block + column * (width + GAP)
                sheet.paste(Image.fromarray(crops[frame]), (left, top + sighting.person * (height + GAP)))
        top += config.people * (height + GAP) + ROOM
    sheet.save(HERE / "people.png", optimize=True)


if __name__ == "__main__":
    main()
