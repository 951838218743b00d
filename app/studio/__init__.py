"""The studio: the workbench's engine and canvas as one Gradio page, in a notebook, and as an API.

`make app` serves it beside the dashboard, `python -m workbench studio` serves it alone, and in a
notebook this shows it below the cell:

```python
from app.studio import studio
studio("coffee", "block(ratio=0.6)")
```

Three endpoints are an API whose names, parameters and answers are stable. With `gradio_client`,
image in, recipe in, arrays out:

```python
import base64

import numpy as np
from gradio_client import Client, handle_file

def array(packed):  # also: from app.studio import array
    raw = base64.b64decode(packed["base64"])
    return np.frombuffer(raw, packed["dtype"]).reshape(packed["shape"])

client = Client("http://127.0.0.1:8601")  # the address that `python -m workbench studio` prints
result = client.predict(
    photo=handle_file("cat.png"),  # or "astronaut", a data URI, an array's .tolist()
    mask="block(ratio=0.6)",
    seed=3,
    api_name="/reconstruct",
)
masked = array(result["masked"])  # uint8 [h, w, 3]; also photo, reconstruction, composite
error = array(result["error"])  # float32 [rows, cols], mean squared error a patch
print(result["metrics"]["psnr_db"], result["bits"].count("1"), result["recipe"])

drawn = client.predict(mask="block(ratio=0.6)", rows=14, cols=14, count=8, api_name="/draw")
names = [each["name"] for each in client.predict(api_name="/strategies")]
```

| endpoint | takes | gives |
|---|---|---|
| `/reconstruct` | photo, mask, fill, model, seed, fit | arrays, errors, metrics, mask bits |
| `/draw` | mask, rows, cols, count, seed, patch, photo | mask bits, counts |
| `/strategies` | nothing | every strategy with its knobs |

Bad input comes back as one sentence. A server with a token wants it from programs too:
`Client(address, headers={"Authorization": f"Bearer {token}"})`. A message never names a path: files
are uploaded (64 MB, 40 megapixels, refused by their header), and other messages may have 16 MB.
"""

import atexit
import base64
import io
from typing import Any
from urllib.parse import urlencode

from app.companion import Child

__all__ = ["Studio", "array", "studio"]

_child = Child(host="127.0.0.1", framed=True)


class Studio:
    """The studio in a notebook: shown in a frame below the cell; `url` opens it in a tab."""

    def __init__(self, url: str, query: str, height: int) -> None:
        self.url = url
        self.query = query
        self.height = height

    def __repr__(self) -> str:
        """The address, where nothing can be shown."""
        return f"Studio({self.url}/{self.query})"

    def _repr_html_(self) -> str:
        address = f"{self.url}/{self.query}".replace("&", "&amp;")
        return (
            f'<iframe src="{address}" title="Mask workbench studio" width="100%" '
            f'height="{self.height}" style="border:0" allow="clipboard-write"></iframe>'
        )

    def client(self, **options: Any) -> Any:
        """A `gradio_client.Client` of this studio; see the top of `app.studio`."""
        from gradio_client import Client

        return Client(self.url, verbose=False, **options)

    def stop(self) -> None:
        """End the studio of this kernel; it also ends with the kernel."""
        _child.stop()


def studio(
    photo: Any = "astronaut", mask: str = "random(ratio=0.75)", *, height: int = 980, **scene: Any
) -> Studio:
    """Show the studio in a notebook, on this machine only.

    It runs in a process of its own, one a kernel, so that it answers while cells run; interrupting
    a cell does not reach it, and it ends with the kernel.

    Args:
        photo: a name, a path, or an array uint8 or float in [0, 1], [h, w, 3] or [h, w]. A path or
            an array is kept among the uploads.
        mask: the recipe to start from.
        height: height of the frame in pixels.
        scene: further fields of `workbench.scenes.SceneSpec`: fill, model, seed, fit ...

    Raises:
        BadInput: a photo, recipe or field that cannot be used, or a studio that does not start.
    """
    from workbench.scenes import SceneSpec

    spec = SceneSpec(photo=_named(photo), mask=mask, **scene)
    port = _child.wait()
    query = urlencode(spec.to_query())
    return Studio(f"http://127.0.0.1:{port}", f"?{query}" if query else "", height)


def array(packed: dict[str, Any]) -> Any:
    """A NumPy array, read-only, out of an answer's {"shape", "dtype", "base64"}."""
    import numpy as np

    raw = base64.b64decode(packed["base64"])
    return np.frombuffer(raw, packed["dtype"]).reshape(packed["shape"])


def _named(photo: Any) -> str:
    """The name of a photo; one that has none becomes an upload."""
    from workbench.data import uploads
    from workbench.data.samples import photos
    from workbench.scenes.photos import DRAWN

    if isinstance(photo, str):
        known = {info.name for info in photos()}
        if photo in known or DRAWN.fullmatch(photo) or uploads.is_upload(photo):
            return photo
    from PIL import Image

    from workbench.painter.widget import open_picture

    buffer = io.BytesIO()
    Image.fromarray(open_picture(photo)).save(buffer, "PNG")
    return uploads.store(buffer.getvalue())


atexit.register(_child.stop)
