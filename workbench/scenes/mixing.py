"""Pictures of a batch mixed by one mask, as MixMAE mixes them."""

import numpy as np

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.scenes.photos import Pixels


def mixed_pictures(photos: Pixels, mask: Mask) -> Pixels:
    """Return each photo with its hidden patches taken from its partner, uint8 [b, h, w, 3].

    `photos` is uint8 [b, h, w, 3]; `mask` holds one mask for all, as `mixing` draws it. The
    partner of photo i is photo b - 1 - i. In picture i both are to be predicted: photo i on the
    hidden patches of `mask`, its partner on those of `~mask`. In an odd batch the middle photo is
    its own partner and stays as it is.

    Raises:
        BadInput: other arrays than photos, several different masks, or another size.
    """
    if photos.ndim != 4 or photos.shape[3] != 3 or not len(photos):
        raise BadInput(
            f"The photos are an array of shape {photos.shape}, but must be [b, h, w, 3]; stack "
            "photos of one size."
        )
    if not (mask.hidden == mask.hidden[:1]).all():
        raise BadInput(
            f"A batch of {len(mask)} different masks was given, but pictures are mixed by one; "
            "take mixing(...), or mask[0]."
        )
    hidden = mask.to_pixels()[0]
    if hidden.shape != photos.shape[1:3]:
        raise BadInput(
            f"The mask covers {hidden.shape} pixels and the photos have {photos.shape[1:3]}; draw "
            "it on the photos' grid."
        )
    return np.where(hidden[..., None], photos[::-1], photos)
