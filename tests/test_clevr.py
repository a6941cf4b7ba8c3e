"""CLEVR's stage: geometry in closed form, light, and instructions that are true of the places on the ground."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telldraw.data.clevr.fast import Renderer
from telldraw.data.clevr.geometry import Rays, hit, normals
from telldraw.data.clevr.sequences import (
    EDIT_TURNS,
    LARGEST,
    REACH,
    TURNS,
    VISIBLE,
    Relation,
    Turn,
    apart,
    offset,
    parse,
    sequence,
    visible,
)
from telldraw.data.clevr.stage import (
    BEHIND,
    CAMERA,
    CLASSES,
    CLEVR,
    COLOURS,
    GROUND,
    RIGHT,
    SHAPES,
    STAGE,
    Camera,
    Solid,
    encode,
)

# --- the stage ----------------------------------------------------------------------------------------------------


def test_the_point_the_camera_looks_at_is_the_middle_of_the_picture() -> None:
    assert STAGE.project(np.zeros(3)) == pytest.approx([0.5, 0.5, math.dist(CAMERA, (0, 0, 0))])


def test_a_real_pixel_place_of_clevr() -> None:
    """CLEVR_v1.0 has the same camera, jittered by up to 0.5: its directions are ours, written with four places."""
    assert RIGHT == pytest.approx([0.6563, 0.7545], abs=2e-4)
    assert BEHIND == pytest.approx([-0.7545, 0.6563], abs=2e-4)


def test_a_ray_goes_through_what_is_projected() -> None:
    points = np.array([[1.0, -2.0, 0.3], [-3.0, 3.0, 1.0], [2.5, 2.5, 0.0]])
    seen = STAGE.project(points)
    rays = STAGE.rays(seen[:, 0], seen[:, 1])
    assert np.allclose(STAGE.place + rays * seen[:, 2:], points)


def test_classes_are_shape_major() -> None:
    assert CLASSES[0] == "gray cube" and CLASSES[8] == "gray sphere" and CLASSES[23] == "yellow cylinder"
    assert all(
        CLASSES[Solid(shape, colour, 0, 0).category] == f"{colour} {shape}" for shape in SHAPES for colour in COLOURS
    )


solids = st.builds(
    Solid,
    st.sampled_from(SHAPES),
    st.sampled_from(list(COLOURS)),
    st.floats(-3, 3),
    st.floats(-3, 3),
    st.floats(0, 2 * math.pi),
    st.just(0.0),
)


@given(solids)
@settings(max_examples=60, deadline=None)
def test_rays_to_the_middle_of_a_solid_meet_its_surface(solid: Solid) -> None:
    """Every ray of a raster that meets the solid ends on its surface and sees a side that faces the camera."""
    down, across = np.mgrid[0:48, 0:64].reshape(2, -1)
    way = STAGE.rays((across + 0.5) / 64, (down + 0.5) / 48).astype(np.float32)
    eye = STAGE.place.astype(np.float32)
    rays, at = Rays(eye, way).meet(solid)
    everywhere = hit(solid, eye, way)
    assert set(rays) == set(np.flatnonzero(np.isfinite(everywhere)))  # the ball around it hides none from us
    place = eye + way[rays] * at[:, None] - solid.centre
    if solid.shape == "sphere":
        away = np.linalg.norm(place, axis=1)
    elif solid.shape == "cylinder":
        away = np.maximum(np.hypot(place[:, 0], place[:, 1]), np.abs(place[:, 2]))
    else:
        cos, sin = math.cos(solid.turned), math.sin(solid.turned)
        away = np.abs(place @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])).max(1)
    assert np.allclose(away, solid.half, atol=2e-4)
    facing = normals(solid, place + solid.centre)
    assert np.allclose(np.linalg.norm(facing, axis=1), 1, atol=1e-4)
    straight = hit(solid, STAGE.place, (solid.centre - STAGE.place)[None])
    assert 0 < straight[0] < 1


def test_a_sphere_straight_ahead_is_met_at_its_radius() -> None:
    sphere = Solid("sphere", "red", 0, 0)
    distance = np.linalg.norm(sphere.centre - STAGE.place)
    towards = (sphere.centre - STAGE.place)[None] / distance
    assert hit(sphere, STAGE.place, towards)[0] == pytest.approx(distance - 0.7)
    assert np.isinf(hit(sphere, STAGE.place, -towards)[0])


# --- the fast engine ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(32)


def test_light_is_encoded_as_the_standard_says() -> None:
    assert encode(np.array([0.0, 0.0031308, 0.2159, 1.0, 7.0])).tolist() == [0, 10, 128, 255, 255]


def test_a_solid_changes_the_stage_where_it_stands_and_throws_a_soft_shadow(renderer: Renderer) -> None:
    solid = Solid("sphere", "red", 0.5, -0.5)
    before, after = renderer.radiance(()), renderer.radiance([solid])
    across, down, _ = STAGE.project(solid.centre) * (32, 32, 1)
    red, green, blue = after[int(down), int(across)]
    assert red > 2 * green and red > 2 * blue
    ratio = (after / before).mean(2)
    assert ((ratio > 0.5) & (ratio < 0.97)).sum() > 10  # shade and half-shade
    assert abs(ratio[:4] - 1).max() < 0.01  # far away nothing changes


def test_the_same_scene_is_the_same_picture_whatever_was_drawn_before(renderer: Renderer) -> None:
    turns = sequence(0, 1)
    fresh = [Renderer(32).draw(turn.solids) for turn in turns]
    for turn in sequence(0, 2):
        renderer.draw(turn.solids)
    again = [renderer.draw(turn.solids) for turn in reversed(turns)]
    assert all(np.array_equal(a, b) for a, b in zip(fresh, reversed(again), strict=True))
    backwards = renderer.radiance(turns[-1].solids[::-1])
    assert np.allclose(backwards, renderer.radiance(turns[-1].solids), atol=1e-5)


def test_clevrs_own_setting_is_the_one_drawn_unless_said(renderer: Renderer) -> None:
    turn = sequence(0, 3)[-1]
    assert np.array_equal(Renderer(32, setting=CLEVR).radiance(turn.solids), renderer.radiance(turn.solids))
    assert CLEVR.camera.canvas == (320, 240) and len(CLEVR.lights) == 3


def test_a_floor_of_another_colour_and_light_of_another_strength(renderer: Renderer) -> None:
    """Closed forms: an empty floor sends back light in proportion to its colour, and a scene in proportion to light."""
    colour = (0.9, 0.37, 0.0)
    tinted = Renderer(32, setting=CLEVR._replace(ground=colour)).radiance(())
    assert np.allclose(tinted, renderer.radiance(()) * np.array(colour) / GROUND, rtol=1e-4)
    lights = tuple(lamp._replace(power=(0.0, *(2 * part for part in lamp.power[1:]))) for lamp in CLEVR.lights)
    brighter = CLEVR._replace(lights=lights, sky=(0.0, *(2 * part for part in CLEVR.sky[1:])))
    solids = sequence(0, 3)[-1].solids
    assert np.allclose(
        Renderer(32, setting=brighter).radiance(solids), renderer.radiance(solids) * (0, 2, 2), rtol=1e-4, atol=1e-6
    )


def test_a_solid_takes_on_the_colour_of_the_floor(renderer: Renderer) -> None:
    solids = [Solid("sphere", "gray", 0.0, 0.0)]
    green = Renderer(32, setting=CLEVR._replace(ground=(0.1, 0.74, 0.1))).radiance(solids)
    across, down, _ = STAGE.project(np.array([0.4, -0.4, 0.25])) * (32, 32, 1)
    usual, lit = renderer.radiance(solids)[int(down), int(across)], green[int(down), int(across)]
    assert lit[1] == pytest.approx(usual[1], rel=1e-4) and lit[0] < 0.95 * usual[0] and lit[2] < 0.95 * usual[2]


def test_square_pictures_through_another_lens_are_what_is_projected() -> None:
    camera = Camera.at((5.0, 2.0, 4.0), focal=1.5, canvas=(1, 1))
    solid = Solid("sphere", "yellow", 0.6, -0.8)
    drawn = Renderer(48, setting=CLEVR._replace(camera=camera)).radiance([solid])
    yellow = (drawn[..., 0] > 2 * drawn[..., 2]).nonzero()
    across, down, depth = camera.project(solid.centre) * (48, 48, 1)
    assert yellow[1].mean() == pytest.approx(across, abs=0.7) and yellow[0].mean() == pytest.approx(down, abs=0.7)
    assert np.ptp(yellow[1]) == pytest.approx(2 * 1.5 * 0.7 / depth * 48, abs=2)
    points = np.array([[1.0, -2.0, 0.3], [0.5, 0.5, 1.0]])
    seen = camera.project(points)
    assert np.allclose(camera.place + camera.rays(seen[:, 0], seen[:, 1]) * seen[:, 2:], points)


def test_what_stands_in_front_is_seen(renderer: Renderer) -> None:
    far = Solid("cylinder", "blue", 0.0, 0.0)
    near = Solid("cylinder", "yellow", *(-1.6 * BEHIND))
    across, down, _ = STAGE.project(near.centre) * (32, 32, 1)
    red, green, blue = renderer.radiance([near, far])[int(down), int(across)]
    assert min(red, green) > 2 * blue
    assert visible([near, far])[1] < visible([far])[0] / 2


def test_it_agrees_with_the_path_tracer() -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba 3 is not installed: pip install 'telldraw[render]'")
    from telldraw.data.clevr.mitsuba import Renderer as Reference

    solids = sequence(0, 1)[-1].solids
    reference = Reference(32, samples=96)
    traced = reference.draw(solids)
    assert np.array_equal(traced, reference.draw(solids))
    apart = np.abs(Renderer(32).draw(solids).astype(int) - traced)
    assert apart.mean() < 1.5 and np.percentile(apart, 99) < 15


# --- sequences ----------------------------------------------------------------------------------------------------

numbers = st.tuples(st.integers(0, 50), st.integers(0, 10_000))


def check_rules(turn: Turn) -> None:
    assert len({(solid.shape, solid.colour) for solid in turn.solids}) == len(turn.solids) <= LARGEST
    assert all(apart(a, b) for i, a in enumerate(turn.solids) for b in turn.solids[:i])
    assert all(max(abs(solid.x), abs(solid.y)) <= REACH for solid in turn.solids)
    assert min(visible(turn.solids)) >= VISIBLE


def check_relations(said: str, placed: Solid, others: tuple[Solid, ...], it: Solid | None) -> None:
    by_name = {solid.name: solid for solid in others}
    relations = parse(said)
    assert 1 <= len(relations) <= 2 and said.endswith(" and ".join(map(str, relations)))
    references = []
    for relation in relations:
        reference = it if relation.of == "it" else by_name[relation.of]
        assert reference is not None and reference in others and relation.holds(placed, reference)
        references.append(reference)
    assert len(set(references)) == len(references)


@given(numbers)
@settings(max_examples=25, deadline=None)
def test_every_instruction_is_true_of_the_ground(which: tuple[int, int]) -> None:
    turns = sequence(*which)
    assert len(turns) == TURNS
    first = turns[0].solids[0]
    assert turns[0].said == f"Add a {first.name} at the center" and (first.x, first.y) == (0, 0)
    for before, turn in zip(turns, turns[1:], strict=False):
        check_rules(turn)
        *others, added = turn.solids
        assert tuple(others) == before.solids
        assert turn.said.startswith(f"Add a {added.name} ")
        check_relations(turn.said.removeprefix(f"Add a {added.name} "), added, before.solids, before.solids[-1])


def changed(before: Turn, after: Turn) -> tuple[Solid | None, Solid | None]:
    """The solid that is gone, and the one that is new."""
    gone, new = set(before.solids) - set(after.solids), set(after.solids) - set(before.solids)
    assert len(gone) <= 1 and len(new) <= 1 and gone | new
    return next(iter(gone), None), next(iter(new), None)


@given(numbers)
@settings(max_examples=20, deadline=None)
def test_every_edit_is_what_it_says(which: tuple[int, int]) -> None:
    turns = sequence(*which, edits=True)
    assert len(turns) == EDIT_TURNS
    it: Solid | None = turns[0].solids[0]
    for before, turn in zip(turns, turns[1:], strict=False):
        check_rules(turn)
        old, new = changed(before, turn)
        verb, rest = turn.said.split(" ", 1)
        called = {"it", f"the {old.name}"} if old is not None and old is it else {f"the {old.name}" if old else ""}
        if verb == "Add":
            assert old is None and new is not None
            check_relations(rest.removeprefix(f"a {new.name} "), new, before.solids, it)
        elif verb == "Remove":
            assert new is None and rest in called
        elif verb in ("Make", "Paint"):
            assert old and new and new == old._replace(colour=new.colour)
            assert rest in {f"{name} {new.colour}" for name in called}
        else:
            assert verb == "Move" and old and new and (old.shape, old.colour) == (new.shape, new.colour)
            name = next(name for name in called if rest.startswith(f"{name} "))
            others = tuple(solid for solid in before.solids if solid is not old)
            said = rest.removeprefix(f"{name} ")
            check_relations(said, new, others, None if it is old else it)
            whom = {solid.name: solid for solid in others}
            assert not all(r.holds(old, it if r.of == "it" and it else whom[r.of]) for r in parse(said)), "no move"
        it = new if new is not None else None if old is it else it


def test_all_kinds_of_edits_happen() -> None:
    said = [turn.said.split()[0] for number in range(12) for turn in sequence(1, number, edits=True)]
    assert set(said) == {"Add", "Move", "Make", "Paint", "Remove"}


def test_a_sequence_depends_on_seed_and_number_alone() -> None:
    alone = sequence(3, 5)
    sequence(3, 4)
    assert sequence(3, 5) == alone
    assert sequence(3, 6) != alone and sequence(4, 5) != alone and sequence(3, 5, edits=True) != alone


relations = st.builds(
    Relation,
    st.sampled_from(["behind", "in front of", ""]),
    st.sampled_from(["left", "right", ""]),
    st.sampled_from(["it", "gray cube", "cyan cylinder"]),
).filter(lambda relation: bool(relation.depth or relation.side))


@given(st.lists(relations, min_size=1, max_size=2))
def test_relations_are_read_back(told: list[Relation]) -> None:
    said = " and ".join(map(str, told))
    assert parse(said) == told and re.fullmatch(r"[a-z ]+", said)


@pytest.mark.parametrize(
    "said",
    [
        "Add a blue cube at the center",
        "Add a red cylinder behind it on the left",
        "Add a purple sphere in front of it on the right and in front of the blue cube",
        "Add a cyan cylinder behind it on the right and in front of the red cylinder on the right",
        "Add a yellow sphere in front of the red cylinder on the left and on the left of the blue cube",
    ],
)
def test_published_instructions_are_of_this_language(said: str) -> None:
    """The instructions of the paper's figure."""
    start = re.match(r"Add a \w+ \w+ ", said)
    assert start
    rest = said[start.end() :]
    assert rest == "at the center" or " and ".join(map(str, parse(rest))) == rest


@given(solids, solids)
@settings(max_examples=50, deadline=None)
def test_behind_and_right_are_what_the_picture_shows(a: Solid, b: Solid) -> None:
    """Truth by the ground agrees with the picture: what is plainly behind is deeper."""
    across, back = offset(a, b)
    feet = STAGE.project(np.array([[a.x, a.y, 0], [b.x, b.y, 0]]))
    assert (feet[0, 2] > feet[1, 2]) == (back > 0) or abs(back) < 1e-6
    assert offset(b, a) == pytest.approx((-across, -back))
