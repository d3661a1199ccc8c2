"""The recipes of the code published with "Generative Adversarial Nets", and how many epochs were chosen for each."""

from __future__ import annotations

from collections.abc import Mapping

_COMMON: Mapping[str, object] = {
    "latent": 100,
    "g_irange": 0.05,
    "pieces": 5,
    "d_irange": 0.005,
    "dropout_in": 0.2,
    "dropout": 0.5,
    "loss": "non-saturating",
    "updates": "simultaneous",
    "k": 1,
    "optimiser": "momentum",
    "d_lr_ratio": 1.0,
    "lr_decay": 1.000004,
    "lr_floor": 1e-6,
    "momentum": 0.5,
    "momentum_final": 0.7,
    "momentum_epochs": 250,
    "average": 0.0,
    "batch": 100,
}

MNIST: Mapping[str, object] = {
    **_COMMON,
    "noise": "unit-uniform",
    "g_hidden": (1200, 1200),
    "g_activations": ("relu",),
    "d_hidden": (240, 240),
    "lr": 0.1,
    "epochs": 500,
}

TFD: Mapping[str, object] = {
    **_COMMON,
    "noise": "gaussian",
    "g_hidden": (8000, 8000),
    "g_activations": ("relu", "sigmoid"),
    "g_sigmoid_bias": -2.0,
    "g_sparse": 100,
    "g_below": (8000, 100),
    "below_from": 50,
    "d_hidden": (1200, 1200),
    "max_norm": 1.9365,
    "lr": 0.05,
    "epochs": 22,
}

_CIFAR10: Mapping[str, object] = {
    **_COMMON,
    "noise": "gaussian",
    "g_activations": ("relu", "sigmoid"),
    "output": "standardised",
    "marginals": False,
    "epochs": 500,
}

CIFAR10: Mapping[str, object] = {
    **_CIFAR10,
    "g_hidden": (8000, 8000),
    "g_irange_out": 0.5,
    "d_hidden": (1600, 1600),
    "lr": 0.025,
}

CIFAR10_CONVOLUTIONAL: Mapping[str, object] = {
    **_CIFAR10,
    "g_hidden": (8000,),
    "g_maps": 80,
    "d_maps": (32, 32, 192),
    "d_hidden": (500,),
    "lr": 0.004,
    "batch": 128,
}
