import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.models.patches import denormalise, normalise, patchify, unpatchify

side = st.integers(1, 4)


@given(b=side, c=side, rows=side, cols=side, patch=side)
def test_unpatchify_undoes_patchify_to_the_bit(b, c, rows, cols, patch):
    images = torch.rand(b, c, rows * patch, cols * patch)
    cut = patchify(images, patch)
    assert cut.shape == (b, rows * cols, patch * patch * c)
    assert torch.equal(unpatchify(cut, rows, cols, patch), images)


def test_patches_run_row_by_row_and_hold_y_x_channel():
    images = torch.rand(2, 3, 6, 10)
    cut = patchify(images, 2)
    for row in range(3):
        for col in range(5):
            for y in range(2):
                for x in range(2):
                    for c in range(3):
                        seen = cut[:, row * 5 + col, (y * 2 + x) * 3 + c]
                        assert torch.equal(seen, images[:, c, row * 2 + y, col * 2 + x])


def test_patch_order_is_the_official_einsum():
    # facebookresearch/mae, models_mae.py, patchify: einsum('nchpwq->nhwpqc') of a reshaped image.
    images = torch.rand(2, 3, 8, 12)
    official = torch.einsum("nchpwq->nhwpqc", images.reshape(2, 3, 2, 4, 3, 4)).reshape(2, 6, 48)
    assert torch.equal(patchify(images, 4), official)


def test_sides_that_no_patch_divides_are_refused():
    with pytest.raises(ValueError, match="10 x 8, wanted multiples of the patch side 4"):
        patchify(torch.zeros(1, 3, 10, 8), 4)


def test_normalise_has_the_constants_of_imagenet_and_is_undone():
    # torchvision's documentation of pretrained models: mean .485 .456 .406, std .229 .224 .225.
    white = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    torch.testing.assert_close(normalise(torch.ones(1, 3, 1, 1)).flatten(), torch.tensor(white))
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(denormalise(normalise(images)), images)
