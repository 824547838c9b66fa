"""How much a frozen backbone's features tell about pictures of another kind: a linear probe and nearest neighbours."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Penalties of squared weights that the linear probe chooses from.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


@torch.inference_mode()
def pooled_features(model: nn.Module, views: Sequence[Tensor]) -> Tensor:
    """Return what a model without classifier gives for batches of views, float32 (count, features) on the CPU."""
    model.eval()
    return torch.cat([model(view).float().flatten(1).cpu() for view in views])


@torch.no_grad()
def settle_norms(model: nn.Module, views: Sequence[Tensor]) -> None:
    """Measure the statistics of batch norms on views, as a network with random weights has none of its own."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for view in views:
        model(view)
    model.eval()


def class_accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Return the mean over classes of the part of a class that is right, in percent."""
    right = (predicted == labels).float()
    classes = labels.unique()
    return 100 * torch.stack([right[labels == number].mean() for number in classes]).mean().item()


def _standardized(train: Tensor, val: Tensor) -> tuple[Tensor, Tensor]:
    mean, deviation = train.mean(0), train.std(0)
    scale = torch.where(deviation > 1e-6 * deviation.max(), 1 / deviation, 0.0)
    return (train - mean) * scale, (val - mean) * scale


def fit_linear(features: Tensor, labels: Tensor, classes: int, penalty: float, steps: int = 60) -> nn.Linear:
    """Fit multinomial logistic regression by L-BFGS.

    Args:
        features: Standardized, (count, features).
        labels: Numbers of classes, (count,).
        classes: How many there are.
        penalty: Of half the squared weights, beside the mean cross-entropy.
        steps: Iterations at most.
    """
    layer = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    solver = torch.optim.LBFGS(layer.parameters(), max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=1e-5)

    def loss() -> Tensor:
        solver.zero_grad()
        value = F.cross_entropy(layer(features), labels) + penalty / 2 * layer.weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return layer


def linear_probe(train: Tensor, train_labels: Tensor, val: Tensor, val_labels: Tensor, seed: int = 0) -> float:
    """Return the mean accuracy over classes, in percent, of logistic regression on standardized features.

    The penalty is the one of `PENALTIES` that does best on a fifth of the training features, drawn by ``seed``.
    """
    train, val = _standardized(train.float(), val.float())
    classes = int(train_labels.max()) + 1
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    held, kept = order[: len(order) // 5], order[len(order) // 5 :]

    def score(penalty: float) -> float:
        layer = fit_linear(train[kept], train_labels[kept], classes, penalty)
        return class_accuracy(layer(train[held]).argmax(1), train_labels[held])

    layer = fit_linear(train, train_labels, classes, max(PENALTIES, key=score))
    return class_accuracy(layer(val).argmax(1), val_labels)


def nearest_neighbors(train: Tensor, train_labels: Tensor, val: Tensor, val_labels: Tensor, count: int = 20) -> float:
    """Return the mean accuracy over classes, in percent, of a vote of the nearest training features.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", 2018: cosine
    similarity, votes of exp(similarity / 0.07); features are standardized first.
    """
    train, val = (F.normalize(x, dim=1) for x in _standardized(train.float(), val.float()))
    near, index = (val @ train.T).topk(min(count, len(train)), dim=1)
    votes = torch.zeros(len(val), int(train_labels.max()) + 1)
    votes.scatter_add_(1, train_labels[index], (near / 0.07).exp())
    return class_accuracy(votes.argmax(1), val_labels)
