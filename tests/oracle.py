"""The oracle: one network at a time, as a PyTorch user would write it, with nothing stacked."""

from __future__ import annotations

import json
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relu_exp.core.schema import RunConfig
from relu_exp.engine.data.datasets import load, train_indices
from relu_exp.engine.fleet.batches import TRAIN_EVALUATION_SAMPLES
from relu_exp.engine.streams import stream

MODULES = {
    "identity": lambda s: nn.Identity(),
    "sigmoid": lambda s: nn.Sigmoid(),
    "tanh": lambda s: nn.Tanh(),
    "relu": lambda s: nn.ReLU(),
    "leaky_relu": lambda s: nn.LeakyReLU(s["negative_slope"]),
    "prelu": lambda s: nn.PReLU(init=s["init"]),
    "elu": lambda s: nn.ELU(s["alpha"]),
    "selu": lambda s: nn.SELU(),
    "softplus": lambda s: nn.Softplus(),
    "gelu": lambda s: nn.GELU(),
    "silu": lambda s: nn.SiLU(),
    "mish": lambda s: nn.Mish(),
}


def initial_weights(layer: nn.Linear | nn.Conv2d, run: RunConfig, index: int) -> None:
    """Draw with torch.nn.init where it has the initializer, from the same normal numbers."""
    shape = layer.weight.shape
    z = torch.randn(shape, generator=stream(run.seed, "weights", index))
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    std = {
        "normal": lambda s: s["std"],
        "xavier_normal": lambda s: s["gain"] * (2 / (fan_in + fan_out)) ** 0.5,
        "he_normal": lambda s: s["gain"] / fan_in**0.5,
        "lecun_normal": lambda s: 1 / fan_in**0.5,
    }[run.initializer.name](run.initializer.as_dict())
    with torch.no_grad():
        layer.weight.copy_(z * std)
        if layer.bias is not None:
            layer.bias.zero_()


class Mlp(nn.Module):
    def __init__(self, run: RunConfig, num_features: int, num_outputs: int) -> None:
        super().__init__()
        listed = json.loads(str(run.network.as_dict().get("widths", "[]")))
        hidden = [int(width) for width in listed] or [run.width] * run.depth
        widths = [num_features, *hidden, num_outputs]
        kind = str(run.network.as_dict().get("normalization", "none"))
        kind = kind if run.network.name == "mlp" else "none"
        self.linears = nn.ModuleList(
            nn.Linear(a, b, bias=kind != "batch" or layer == len(hidden))
            for layer, (a, b) in enumerate(pairwise(widths))
        )
        make = MODULES[run.activation.name]
        shared = make(run.activation.as_dict())
        per_network = run.activation.as_dict().get("per") == "network"
        self.activations = nn.ModuleList(
            shared if per_network else make(run.activation.as_dict()) for _ in range(run.depth)
        )
        if run.activation.as_dict().get("per") == "unit":
            first = run.activation["init"]
            self.activations = nn.ModuleList(nn.PReLU(width, first) for width in hidden)
        norm = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[kind]
        self.norms = nn.ModuleList(norm(width) for width in hidden)
        self.dropped = float(run.network.as_dict().get("dropout", 0.0))
        self.seed, self.step = run.seed, 0

    def forward(self, x: Tensor) -> Tensor:
        layers = zip(self.linears, self.norms, self.activations, strict=False)
        for layer, (linear, norm, phi) in enumerate(layers):
            x = self.drop(layer, phi(norm(linear(x))))
        return self.linears[-1](x)

    def drop(self, layer: int, x: Tensor) -> Tensor:
        """Dropout by the run's own random numbers: (units, samples) of each step and layer."""
        if not (self.training and self.dropped):
            return x
        source = stream(self.seed, "noise", self.step, len(self.linears) + layer)
        stays = self.dropped <= torch.rand(*reversed(x.shape), generator=source).T
        return x * stays / (1 - self.dropped)


class ResidualMlp(Mlp):
    """ResNet blocks of two fully connected layers: relu(x + W relu(W x)), normalized or not."""

    def __init__(self, run: RunConfig, num_features: int, num_outputs: int) -> None:
        super().__init__(run, num_features, num_outputs)
        is_normalized = run.network.as_dict().get("normalization") == "layer"
        width = run.width or 1
        self.norm = (
            nn.LayerNorm(width, elementwise_affine=False) if is_normalized else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.activations[0](self.linears[0](x))
        hidden = list(zip(self.linears[1:-1], self.activations[1:], strict=True))
        while len(hidden) >= 2:
            (first, phi1), (second, phi2) = hidden[:2]
            x = phi2(x + second(phi1(first(self.norm(x)))))
            hidden = hidden[2:]
        for linear, phi in hidden:
            x = phi(linear(self.norm(x)))
        return self.linears[-1](self.norm(x))


class DocumentCnn(nn.Module):
    """Document 003's MyModel, in its own order, without the data set's flattening."""

    def __init__(self, run: RunConfig, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 7, padding=3)
        self.conv2 = nn.Conv2d(10, 50, 7, padding=3)
        self.conv3 = nn.Conv2d(50, 120, 7, padding=3)
        self.conv4 = nn.Conv2d(120, 100, 5)
        self.conv5 = nn.Conv2d(100, 20, 5)
        self.conv6 = nn.Conv2d(20, 10, 5)
        self.conv7 = nn.Conv2d(10, 10, 3)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(10 * 8 * 8, 120)
        self.fc2 = nn.Linear(120, 360)
        self.fc3 = nn.Linear(360, 50)
        self.fc4 = nn.Linear(50, num_outputs)
        self.phi = MODULES[run.activation.name](run.activation.as_dict())
        convs = [self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6]
        self.linears = [*convs, self.fc1, self.fc2, self.fc3, self.fc4]

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, 1, 28, 28)
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = self.phi(conv(x))
        x = self.pool(self.phi(self.conv6(x)))
        x = x.view(-1, 10 * 8 * 8)
        x = self.phi(self.fc1(x))
        x = self.phi(self.fc2(x))
        x = self.phi(self.fc3(x))
        return self.fc4(x)


class SmallCnn(nn.Module):
    """Two convolutions, each with a maximum over 2 × 2, and two dense layers.

    Images of less than 16 rows or columns keep their size in the convolutions.
    """

    def __init__(self, run: RunConfig, num_features: int, num_outputs: int) -> None:
        super().__init__()
        phi = MODULES[run.activation.name](run.activation.as_dict())
        shape = load(run.dataset).image_shape
        assert shape is not None
        padding = "same" if shape[1] < 16 or shape[2] < 16 else "valid"
        first, second = nn.Conv2d(shape[0], 8, 5, padding=padding), nn.Conv2d(8, 16, 5, 1, padding)
        pool = nn.MaxPool2d(2)
        convs = nn.Sequential(nn.Unflatten(1, shape), first, phi, pool, second, phi, pool)
        (size,) = nn.Sequential(convs, nn.Flatten())(torch.zeros(1, num_features)).shape[1:]
        third, last = nn.Linear(size, 64), nn.Linear(64, num_outputs)
        self.linears = [first, second, third, last]
        self.whole = nn.Sequential(convs, nn.Flatten(), third, phi, last)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.whole(x)
        return out


class SmallResNet(nn.Module):
    """A convolution, then three residual blocks, the last two of which halve the image."""

    def __init__(self, run: RunConfig, num_features: int, num_outputs: int) -> None:
        super().__init__()
        shape = load(run.dataset).image_shape
        assert shape is not None
        self.unflatten = nn.Unflatten(1, shape)
        is_normalized = run.network.as_dict()["normalization"] == "batch"
        sizes = [(shape[0], 8, 1), (8, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1)]
        sizes += [(16, 32, 2), (32, 32, 1)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride, padding=1, bias=not is_normalized) for a, b, stride in sizes
        )
        norm = nn.BatchNorm2d if is_normalized else nn.Identity
        self.norms = nn.ModuleList(norm(out) for _, out, _ in sizes)
        self.phi = MODULES[run.activation.name](run.activation.as_dict())
        self.last = nn.Linear(32, num_outputs)
        self.linears = [*self.convs, self.last]

    def forward(self, x: Tensor) -> Tensor:
        def step(at: int, h: Tensor) -> Tensor:
            out: Tensor = self.norms[at](self.convs[at](h))
            return out

        h = self.phi(step(0, self.unflatten(x)))
        for block in range(3):
            inner = step(2 + 2 * block, self.phi(step(1 + 2 * block, h)))
            if block:
                h = F.pad(h[:, :, ::2, ::2], (0, 0, 0, 0, 0, h.shape[1]))
            h = self.phi(inner + h)
        out: Tensor = self.last(h.mean((2, 3)))
        return out


NETWORKS = {
    "mlp": Mlp,
    "residual_mlp": ResidualMlp,
    "document_cnn": DocumentCnn,
    "small_cnn": SmallCnn,
    "small_resnet": SmallResNet,
}


def loss_of(run: RunConfig, outputs: Tensor, labels: Tensor) -> Tensor:
    kind = run.network["output"]
    if kind == "logits":
        return F.cross_entropy(outputs, labels)
    if kind == "regression":
        return nn.MSELoss()(outputs, labels.to(outputs.dtype))
    target = labels.to(outputs.dtype)
    if kind == "sigmoid":
        return F.binary_cross_entropy(torch.sigmoid(outputs[:, 0]), target)
    if kind == "tanh":
        return F.binary_cross_entropy((1 + torch.tanh(outputs[:, 0])) / 2, target)
    return F.mse_loss(outputs[:, 0], target)


def make_network(run: RunConfig) -> nn.Module:
    data = load(run.dataset)
    sizes = {"logits": data.num_classes, "regression": data.train.labels[:1].numel()}
    network = NETWORKS[run.network.name](
        run, data.train.inputs.shape[1], sizes.get(str(run.network["output"]), 1)
    )
    for index, layer in enumerate(network.linears):
        initial_weights(layer, run, index)
    return network


def train(
    run: RunConfig, dtype: torch.dtype = torch.float32, nudge: int = 0
) -> tuple[list[float], nn.Module]:
    """Return the minibatch loss before every update, and the trained network.

    With a nudge, every weight starts about a float32 rounding away from its value.
    """
    network = make_network(run).to(dtype)
    if nudge:
        draws = torch.Generator().manual_seed(nudge)
        with torch.no_grad():
            for parameter in network.parameters():
                noise = torch.randn(parameter.shape, generator=draws, dtype=dtype)
                parameter *= 1 + torch.finfo(torch.float32).eps * noise
    settings = run.optimizer.as_dict()
    decay = settings["weight_decay"]
    undecayed = (nn.PReLU, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)
    slopes = [p for m in network.modules() if isinstance(m, undecayed) for p in m.parameters()]
    slopes = list(dict.fromkeys(slopes))
    others = [p for p in network.parameters() if all(p is not slope for slope in slopes)]
    groups = [{"params": others, "weight_decay": decay}, {"params": slopes, "weight_decay": 0.0}]
    optimizer: torch.optim.Optimizer
    if run.optimizer.name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=run.learning_rate, momentum=settings["momentum"])
    elif run.optimizer.name == "rmsprop":
        alpha, momentum = settings["alpha"], settings["momentum"]
        optimizer = torch.optim.RMSprop(groups, run.learning_rate, alpha, momentum=momentum)
    else:
        betas = (settings["beta1"], settings["beta2"])
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[run.optimizer.name]
        optimizer = kind(groups, lr=run.learning_rate, betas=betas)
    scheduler = scheduler_of(run, optimizer)
    data, own = load(run.dataset), own_training_set(run)
    size = min(run.batch_size, len(own))
    losses = []
    for step in range(run.num_steps):
        network.step = step  # type: ignore[assignment]
        epoch, place = divmod(step, len(own) // size)
        if place == 0:
            order = own[torch.randperm(len(own), generator=stream(run.seed, "batches", epoch))]
        batch = order[place * size : (place + 1) * size]
        loss = loss_of(run, network(data.train.inputs[batch].to(dtype)), data.train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        if run.gradient_clip:
            nn.utils.clip_grad_norm_(network.parameters(), run.gradient_clip)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses, network


def scheduler_of(
    run: RunConfig, optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the schedule of a run, from PyTorch's own."""
    schedulers, steps = torch.optim.lr_scheduler, run.num_steps
    begin = -(-steps // 10)

    def warm_up() -> torch.optim.lr_scheduler.LRScheduler:
        return schedulers.LinearLR(optimizer, 1 / begin, total_iters=max(1, begin - 1))

    if run.schedule == "step":
        return schedulers.MultiStepLR(optimizer, [-(-steps // 2), -(-3 * steps // 4)])
    if run.schedule == "cosine":
        return schedulers.CosineAnnealingLR(optimizer, steps)
    if run.schedule == "warm_up":
        return warm_up()
    if run.schedule == "warm_up_cosine":
        rest = schedulers.CosineAnnealingLR(optimizer, steps - begin)
        return schedulers.SequentialLR(optimizer, [warm_up(), rest], [begin])
    return schedulers.ConstantLR(optimizer, 1.0)


def own_training_set(run: RunConfig) -> Tensor:
    own = train_indices(run.dataset, run.seed)
    return own[torch.randperm(len(own), generator=stream(run.seed, "order"))]


def evaluate(run: RunConfig, network: nn.Module, split: str) -> tuple[float, float]:
    """Return mean loss and accuracy of a ten-class split."""
    data = load(run.dataset)
    part = getattr(data, split)
    inputs, labels = part.inputs, part.labels
    if split == "train":
        index = own_training_set(run)[:TRAIN_EVALUATION_SAMPLES]
        inputs, labels = inputs[index], labels[index]
    network.eval()
    with torch.no_grad():
        outputs = network(inputs.to(next(network.parameters()).dtype))
        loss = loss_of(run, outputs, labels)
    return loss.item(), (outputs.argmax(1) == labels).float().mean().item()
