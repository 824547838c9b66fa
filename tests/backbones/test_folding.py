import pytest
import timm
import torch

import foveate.backbones  # noqa: F401
from foveate.backbones.folding import fold_batch_norms


def test_a_folded_network_gives_the_same_numbers_with_fewer_norms():
    torch.manual_seed(0)
    model = timm.create_model("patnet_t2", num_classes=10).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = model(x)
        folded = fold_batch_norms(model)
        torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(x), expected)
    count = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()) for net in (model, folded)]
    assert count[1] < count[0]


def test_a_network_in_training_is_refused():
    with pytest.raises(ValueError, match="eval mode"):
        fold_batch_norms(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)))
