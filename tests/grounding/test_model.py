"""The pointer as a network: text side, maps, weights on disk."""

import json

import pytest
import torch
from safetensors.torch import save_file

from foveate.grounding.model import PointConfig, PointModel, load_point_model, save_point_model
from foveate.grounding.text import MAX_PIECES, TextEncoder, build_tokenizer, from_teacher, spell, tokenize

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    "save",
    "open",
    "##ing",
]


@pytest.fixture(scope="module")
def model() -> PointModel:
    torch.manual_seed(0)
    return PointModel(PointConfig(fuse_depth=1, text_depth=1), PIECES).eval()


def test_tokenizer_splits_into_longest_pieces() -> None:
    row = tokenize(build_tokenizer(PIECES), ["Opening SAVE"])[0]
    assert [PIECES[i] for i in row if i] == ["[CLS]", "open", "##ing", "save", "[SEP]"]
    assert row.shape == (MAX_PIECES,)


def test_long_sentences_keep_their_end_mark() -> None:
    row = tokenize(build_tokenizer(PIECES), ["save " * 60])[0]
    assert row[-1] == 3
    assert row[0] == 2


def test_spelling_tells_word_starts_from_later_parts() -> None:
    table = spell(["a", "##a", "[PAD]"])
    assert table[0, 1] == table[1, 1]
    assert table[0, 0] != table[1, 0]
    assert table[2, 1] == 0


def test_padding_does_not_change_a_sentence() -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(PIECES, depth=2).eval()
    ids = encoder.tokenize(["save"])
    short = encoder(ids[:, :3]).pooled
    torch.testing.assert_close(encoder(ids).pooled, short, atol=1e-5, rtol=1e-5)


def test_teacher_layers_arrive_under_our_names() -> None:
    dim = 24
    state = {
        "embeddings.word_embeddings.weight": torch.randn(len(PIECES), dim),
        "embeddings.position_embeddings.weight": torch.randn(64, dim),
        "embeddings.token_type_embeddings.weight": torch.randn(2, dim),
        "embeddings.LayerNorm.weight": torch.randn(dim),
        "embeddings.LayerNorm.bias": torch.randn(dim),
    }
    for number in (0, 3):
        for name, shape in {
            "attention.self.query": (dim, dim), "attention.self.key": (dim, dim), "attention.self.value": (dim, dim),
            "attention.output.dense": (dim, dim), "intermediate.dense": (4 * dim, dim), "output.dense": (dim, 4 * dim),
        }.items():  # fmt: skip
            state[f"encoder.layer.{number}.{name}.weight"] = torch.randn(shape)
            state[f"encoder.layer.{number}.{name}.bias"] = torch.randn(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            state[f"encoder.layer.{number}.{name}.weight"] = torch.randn(dim)
            state[f"encoder.layer.{number}.{name}.bias"] = torch.randn(dim)
    encoder = from_teacher(state, PIECES, [0, 3], dim=dim, heads=4)
    query = state["encoder.layer.3.attention.self.query.weight"]
    assert torch.equal(encoder.layers[1].self_attn.in_proj_weight[:dim], query)
    assert torch.equal(encoder.words.weight, state["embeddings.word_embeddings.weight"])


def test_maps_have_stride_eight_and_ignore_other_pictures(model: PointModel) -> None:
    torch.manual_seed(1)
    pixels = torch.rand(2, 3, 96, 160)
    with torch.inference_mode():
        both = model.map_logits(model.encode_image(pixels), [["save", "open"], ["save"]])
        alone = model.map_logits(model.encode_image(pixels[1:]), [["save"]])
    assert [tuple(m.shape) for m in both] == [(2, 12, 20), (1, 12, 20)]
    torch.testing.assert_close(both[1], alone[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(both[0][0], both[0][1])


def test_weights_round_trip_in_half_precision(model: PointModel, tmp_path) -> None:
    path = tmp_path / "small.safetensors"
    save_point_model(model, path, {"steps": 5})
    again = load_point_model(str(path))
    assert again.trained
    assert again.config == model.config
    for key, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, atol=2e-3, rtol=2e-3)


def test_unfit_files_are_told_in_one_sentence(model: PointModel, tmp_path) -> None:
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(RuntimeError, match="cannot read the weights"):
        load_point_model(str(tmp_path / "text.safetensors"))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="is no pointer"):
        load_point_model(str(tmp_path / "other.safetensors"))
    header = {
        "format": "foveate-point/1",
        "config": json.dumps({"text_depth": 1, "fuse_depth": 1}),
        "pieces": "\n".join(PIECES),
    }
    save_file({"a": torch.zeros(1)}, tmp_path / "part.safetensors", metadata=header)
    with pytest.raises(ValueError, match="does not fit"):
        load_point_model(str(tmp_path / "part.safetensors"))
    with pytest.raises(ValueError, match="unknown model 'nothing'"):
        load_point_model("nothing")
