"""Every bad checkpoint gets one sentence, and no pickle ever runs."""

import json
import os
import pickle
import struct
import warnings
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from workbench.data import home
from workbench.errors import BadInput
from workbench.models import list_models, load_encoder, load_reconstructor


def refused(path, said, **options):
    with pytest.raises(BadInput, match=said) as refusal:
        load_reconstructor(path, device="cpu", **options)
    sentence = str(refusal.value)
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 600
    return sentence


class Bomb:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin"])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["top", "model", "args", "namespace"])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path, suffix, zipped, place):
    marker, path = tmp_path / "marker", tmp_path / f"evil{suffix}"
    bomb, weights = Bomb(marker), {"a.weight": torch.zeros(2)}
    content = {
        "top": bomb,
        "model": {"model": {**weights, "b": bomb}},
        "args": {"model": weights, "args": bomb},
        "namespace": {"model": weights, "args": Namespace(x=bomb)},
    }[place]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for load in (load_reconstructor, load_encoder):
        with pytest.raises(BadInput, match=r"a pickle can run code and it asks for .*mkdir") as no:
            load(path)
        assert "use a safetensors file" in str(no.value)
    assert not marker.exists()
    with pytest.raises(BaseException):  # noqa: B017  the bomb is live: a careless reader runs it
        pickle.loads(pickle.dumps(Bomb(tmp_path / "live" / "x")))


def test_a_pickle_of_another_class_is_refused(tmp_path):
    path = tmp_path / "whole_model.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    refused(path, "a pickle can run code and it asks for torch.nn.modules.linear.Linear")


def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "plain.bin"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "marker"), protocol=4))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        refused(path, "plain.bin (is refused|cannot be read as PyTorch weights)")
    assert not said  # torch's own doubts would stand beside the one sentence
    assert not (tmp_path / "marker").exists()


def test_no_global_stays_allowed_after_a_load(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    torch.save({"model": {"w": torch.zeros(1)}, "args": Namespace()}, tmp_path / "m.pth")
    refused(tmp_path / "m.pth", "is of another architecture")
    assert set(torch.serialization.get_safe_globals()) == before


def test_the_source_never_unpickles_unsafely():
    for path in (Path(__file__).parents[2] / "workbench").rglob("*.py"):
        text = path.read_text()
        assert "weights_only=False" not in text, path
        assert text.count("torch.load(") == text.count("weights_only=True"), path
        for call in ("pickle.load", "joblib.load", "allow_pickle=True"):
            assert call not in text, path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin", ".ckpt"])
def test_missing_empty_and_foreign_bytes(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    refused(path, "there is no file or folder .*; check the path")
    path.write_bytes(b"")
    refused(path, "is empty, wanted a file of weights; fetch it again")
    path.write_bytes(b"<html>404 Not Found</html>" * 40)
    refused(path, "no safetensors file|starts with b'<htm' and is no PyTorch file|header")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["safetensors", "pth", "legacy"])
def test_truncated_files(tmp_path, kind, share):
    state = {f"blocks.{i}.w": torch.randn(50, 50) for i in range(8)}
    path = tmp_path / ("m.safetensors" if kind == "safetensors" else "m.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "pth")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "truncated.*fetch it again|is no safetensors file")


def test_a_header_that_promises_more_than_there_is(tmp_path):
    header = {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4 << 40]}}
    text = json.dumps(header).encode()
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"1234")
    refused(path, "is truncated: it holds 4 bytes of weights, its header promises 4398046511104")
    path.write_bytes(struct.pack("<Q", 1 << 62) + text)
    refused(path, "is no safetensors file")


def test_a_small_file_cannot_claim_the_memory(tmp_path):
    path = tmp_path / "wide.pth"
    torch.save({"w": torch.zeros(1).expand(1 << 20, 1 << 20)}, path)
    refused(path, r"has \d+ bytes but claims 4398046511104 bytes of weights")


def test_a_packed_archive_is_refused(tmp_path):
    import zipfile

    path = tmp_path / "packed.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 1_000_000)
    refused(path, "is a compressed archive, wanted one written by torch.save")


@pytest.mark.parametrize(
    "content, said",
    [
        ([1, 2], "holds a list, wanted a dictionary of tensors"),
        ({"epoch": 3}, "holds no tensors, wanted weights"),
        ({"model": {}}, "holds no tensors"),
        ({"w": torch.zeros(3, device="meta")}, "is not a plain tensor on the CPU"),
        ({"conv1.weight": torch.zeros(8, 3, 3, 3), "conv2.weight": torch.zeros(8, 8, 3, 3)},
         r"is a convolutional network \(2 convolutions, no attention\)"),
        ({"lstm.weight": torch.zeros(3, 3)}, "is of another architecture: it holds 'lstm.weight'"),
        ({"vit.embeddings.patch_embeddings.projection.weight": torch.zeros(1)},
         "with transformers' names, wanted its folder"),
    ],
)  # fmt: skip
def test_pickles_of_something_else(tmp_path, content, said):
    torch.save(content, tmp_path / "m.pth")
    refused(tmp_path / "m.pth", said)


@pytest.mark.parametrize(
    "name, said",
    [
        ("https://example.org/m.pth", "is an address, wanted a name or a path; nothing is down"),
        ("hf-hub:facebook/vit-mae-base", "is an address"),
        ("file:///etc/passwd", "is an address"),
        ("facebook/vit-mae-base", "no file or folder 'facebook/vit-mae-base'"),
        ("../default", "no file or folder"),
        ("..", "no model is called '..'; known models: "),
        ("", "no model is called ''"),
        ("Default!", "no model is called 'Default!'"),
        ("x" * 5000, "no model is called 'xxx"),
        ("vit_tiny_of_nowhere", "no model is called 'vit_tiny_of_nowhere'"),
        ("README.bin", "no file or folder 'README.bin'"),
        ("a\0b/c", "no file or folder"),
        ("./" + "x" * 300, "no file or folder"),
    ],
)
def test_names_that_lead_nowhere(name, said):
    refused(name, said)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "closed.pth"
    torch.save({"a.weight": torch.zeros(2)}, path)

    def closed(self, *_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    refused(path, r"closed.pth cannot be read \(Permission denied\)")


def test_the_bundled_model_needs_no_home(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file" / "below", "~nobody-of-this-name/x"):
        monkeypatch.setenv("WORKBENCH_HOME", str(place))
        with pytest.raises(BadInput, match="which cannot be used as a folder"):
            home()
        assert "default" in [info.name for info in list_models()]
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(BadInput, match="Permission denied"):
        home()


def test_a_file_of_another_kind_and_an_empty_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "ends in '.txt', wanted one of .safetensors, .pt")
    refused(tmp_path, "has no config.json and no preset.json")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit_mae"}))
    refused(tmp_path, "has neither model.safetensors nor pytorch_model.bin")
    (tmp_path / "config.json").write_text("[" * 100_000)
    refused(tmp_path, "config.json is not json text")
    (tmp_path / "config.json").write_text("[1]")
    refused(tmp_path, r"holds \[1\], wanted a json object")
    (tmp_path / "config.json").write_text(" " * (1 << 21))
    refused(tmp_path, "wanted at most 1048576; write it anew")


@pytest.fixture
def own(saved, tmp_path):
    for end in (".safetensors", ".json"):
        (tmp_path / f"m{end}").write_bytes(saved.with_suffix(end).read_bytes())
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"schema": 2}, "has schema 2, wanted 1; update the workbench"),
        ({"norm_pix": "no"}, "norm_pix is 'no', wanted a bool"),
        ({"sha256": None}, "sha256 is None, wanted a str"),
        ({"shape": None}, "shape.rows is None, wanted a whole number from 1 to 4096"),
        ({"decoder": {"dim": -1}}, "decoder.dim is -1, wanted a whole number"),
        ({"sha256": "0" * 64}, r"its card says 000000000000\.\.\.; the weights were changed"),
    ],
)
def test_a_card_that_lies_is_refused(own, change, said):
    note = own.with_suffix(".json")
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    refused(own, said)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"dim": 48, "heads": 3}, "the file does not fit its description"),
        ({"depth": 500}, "holds 2 encoder.blocks, its description says 500"),
        ({"heads": 5}, "5 heads do not divide the width 32"),
        ({"colour": 1}, "colour.*update the workbench"),
        ({"registers": 10**9}, "shape.registers is 1000000000, which no model has"),
        ({"registers": 4}, "lacks 1 of .*reg_token"),
        ({"pre_norm": 1}, "shape.pre_norm is 1, which no model has"),
        ({"registers": "many"}, "registers is 'many'"),
        ({"eps": "tiny"}, "eps is 'tiny'"),
    ],
)
def test_a_shape_that_lies_is_refused(own, change, said):
    note = own.with_suffix(".json")
    card = json.loads(note.read_text())
    card["shape"] |= change
    note.write_text(json.dumps(card))
    refused(own, said)


def test_weights_without_their_card_and_a_card_without_weights(own):
    card = own.with_suffix(".json").read_bytes()
    own.with_suffix(".json").unlink()
    refused(own, "put m.json beside the weights")
    own.unlink()
    own.with_suffix(".json").write_bytes(card)
    refused(own.with_suffix(".json"), "m.safetensors cannot be read .*; check the path")


def test_changed_weights_are_noticed(own):
    data = bytearray(own.read_bytes())
    data[-1] ^= 1
    own.write_bytes(bytes(data))
    refused(own, r"has SHA-256 [0-9a-f]{12}\.\.\., its card says [0-9a-f]{12}\.\.\.; the weights")
