"""The pictures of the package."""

import pytest

from foveate.vision import EXAMPLES, Point, find_example, load_image


@pytest.mark.parametrize("name", [example.name for example in EXAMPLES])
def test_examples_are_there_and_their_targets_lie_on_them(name: str) -> None:
    example = find_example(name)
    image = load_image(example.path)
    assert image.size == (1280, 800)
    assert example.instruction.strip()
    for box in example.targets:
        assert box.clip(image.size) == box
        assert len(image.crop(tuple(map(int, box.as_tuple()))).getcolors(100000)) > 5
        assert box.contains(Point(box.center.x, box.center.y))


def test_an_unknown_example_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="no example 'cat': there are mail, settings, files"):
        find_example("cat")
