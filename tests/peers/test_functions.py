"""Activations, losses and operations on images give PyTorch's values and gradients, to second order where it has them."""

import itertools
import warnings

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

rng = np.random.default_rng(0)
KINKS = np.array([-np.inf, -25, -6, -3.0, -1, -0.5, 0, 0.5, 1, 3, 6, 25, np.inf])
X, A, B, W = (
    rng.normal(size=(3, 4)) * 3,
    rng.normal(size=(3, 4)),
    rng.normal(size=(3, 4)),
    rng.uniform(size=(3, 4)) + 0.1,
)
P, Q = rng.uniform(size=(3, 4)), rng.uniform(size=(3, 4))
S = np.sign(B)
ENDS = np.where(rng.uniform(size=(3, 4)) < 0.5, np.round(P), P)
IMAGE = rng.normal(size=(2, 8, 4, 6))


def results(t, functional, name, args, options, wrt, order):
    xs = [t.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in args]
    for i in wrt:
        xs[i].requires_grad_()
    options = {k: t.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both warn of reductions and of the implicit dim
        y = getattr(functional, name)(*xs, **options)
    found, inputs = [y.detach().numpy()], [xs[i] for i in wrt]
    u = t.from_numpy(np.asarray(np.random.default_rng(5).normal(size=tuple(y.shape))))
    gs = t.autograd.grad(y, inputs, u, create_graph=order == 2)
    found += [g.detach().numpy() for g in gs]
    if order == 2:
        again = [(g * g).sum() for g in gs if g.requires_grad]
        seconds = t.autograd.grad(sum(again), inputs, allow_unused=True) if again else [None] * len(inputs)
        found += [
            np.zeros(tuple(x.shape)) if g is None else g.numpy(force=True) for x, g in zip(inputs, seconds, strict=True)
        ]
    return found


def agree(name, *args, wrt=None, order=2, rtol=1e-7, **options):
    wrt = wrt or [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    expected = results(torch, torch.nn.functional, name, args, options, wrt, order)
    found = results(tn, F, name, args, options, wrt, order)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=rtol, atol=1e-9, err_msg=f"{name} {options}")


ACTIVATIONS = [
    *(
        [
            "hardtanh",
            "relu6",
            "hardsigmoid",
            "hardswish",
            "hardshrink",
            "softshrink",
            "selu",
            "celu",
            "rrelu",
            "logsigmoid",
            "softsign",
        ]
    ),
    *(["tanhshrink", "mish"]),
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    agree(name, X, order=1 if name == "hardsigmoid" else 2)  # whose second derivative PyTorch has not
    agree(name, KINKS[1:] if name == "hardswish" else KINKS, order=1)  # of −∞ it is 0 here and NaN there


def test_activations_with_options():
    agree("hardtanh", KINKS, min_val=-3.0, max_val=0.5, order=1)
    agree("threshold", KINKS, 0.5, 2.0, order=1)
    agree("celu", X, alpha=1.5)
    agree("glu", X, dim=1)
    agree("softmin", X, dim=0)
    for w in (W[0], W[0, :1], W[0, 0:1].reshape(())):
        agree("prelu", X, w)
    agree("prelu", KINKS, W[0, :1], order=1)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses(reduction):
    o = {"reduction": reduction}
    for beta in (0.0, 0.5):
        agree("smooth_l1_loss", A, B, beta=beta, **o)
    for name in ("l1_loss", "mse_loss", "huber_loss"):
        agree(name, A, B, **o)
        agree(name, A, B, weight=W, order=1, **o)
    agree("kl_div", A, P, **o)
    agree("kl_div", A, B, log_target=True, **o)
    for full, log in itertools.product((False, True), repeat=2):
        agree("poisson_nll_loss", P, 3 * Q, full=full, log_input=log, **o)
        for var in (P, P[:, :1].copy(), P[:, 0].copy(), 0.5):
            agree("gaussian_nll_loss", A, B, var, full=full, **o)
    agree("gaussian_nll_loss", A, B, ENDS, order=1, **o)
    agree("binary_cross_entropy", P, Q, **o)
    agree("binary_cross_entropy", P, Q, weight=W[0], **o)
    agree("binary_cross_entropy", ENDS, Q, wrt=[0], order=1, **o)
    for name in ("soft_margin_loss", "hinge_embedding_loss"):
        agree(name, A, S, wrt=[0], **o)
    agree("multilabel_soft_margin_loss", A, P, wrt=[0], weight=W[0], **o)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_with_margins(reduction):
    o, t, several = (
        {"reduction": reduction},
        np.array([0, 3, 2]),
        np.array([[0, 3, -1, 2], [-1, 0, 0, 0], [3, 2, 1, 0]]),
    )
    agree("margin_ranking_loss", A, B, S, wrt=[0, 1], margin=0.3, **o)
    agree("margin_ranking_loss", A, A, S, wrt=[0, 1], order=1, **o)
    agree("cosine_embedding_loss", A, B, S[:, 0].copy(), wrt=[0, 1], margin=0.1, **o)
    agree("cosine_embedding_loss", A[0], B[0], np.array(-1.0), wrt=[0, 1], margin=-0.9, **o)
    for swap in (False, True):
        agree("triplet_margin_loss", A, B, P, swap=swap, **o)
        agree("triplet_margin_loss", A, B, P, swap=swap, p=1, margin=0.1, order=1, **o)
        agree("triplet_margin_with_distance_loss", A, B, P, swap=swap, **o)
    for p in (1, 2):
        agree("multi_margin_loss", A, t, p=p, margin=0.7, weight=W[0], order=1, **o)
        agree("multi_margin_loss", A[0], np.array([2]), p=p, order=1, **o)
    agree("multilabel_margin_loss", A, several, order=1, **o)
    agree("multilabel_margin_loss", A[0], several[0], order=1, **o)


def test_distances():
    agree("kl_div", A, P, reduction="batchmean")
    for dim in (0, -1):
        agree("cosine_similarity", A, B, dim=dim)
        agree("normalize", A, dim=dim)
        agree("normalize", A, dim=dim, p=1.0, order=1)
    agree("normalize", np.zeros((2, 3)), order=1)
    agree("cosine_similarity", np.zeros((2, 3)), A[:2, :3].copy(), order=1)
    agree("cosine_similarity", A[:, None].copy(), B, dim=-1)
    for p in (1.0, 3.0, np.inf):
        agree("pairwise_distance", A, B, p=p, keepdim=True, order=1)


SIZES = [{"size": s} for s in (7, 3, 1)] + [{"scale_factor": s} for s in (2, 1.7, 0.6)]


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic", "trilinear"])
def test_interpolate(mode):
    for n in {"linear": [1], "bilinear": [2], "bicubic": [2], "trilinear": [3]}.get(mode, [1, 2, 3]):
        x = rng.normal(size=(2, 3, *(5, 4, 3)[:n]))
        for sizes in (*SIZES, {"size": (9, 2, 3)[:n]}, {"scale_factor": 1.7, "recompute_scale_factor": True}):
            for align in (None, True) if "linear" in mode or mode == "bicubic" else (None,):
                agree("interpolate", x, mode=mode, align_corners=align, order=1, **sizes)


def test_shuffles_and_windows():
    agree("pixel_shuffle", IMAGE, 2)
    agree("pixel_unshuffle", IMAGE, 2)
    agree("channel_shuffle", IMAGE, 4)
    for options in (
        {"kernel_size": 2},
        {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (2, 1)},
    ):
        agree("unfold", IMAGE, **options)
        agree("unfold", IMAGE[0], **options)
        columns = torch.nn.functional.unfold(torch.from_numpy(IMAGE), **options).numpy()
        agree("fold", columns, (4, 6), **options)
        agree("fold", columns[0], (4, 6), **options)


LAYERS = {
    "Hardtanh": (), "ReLU6": (), "Hardsigmoid": (), "Hardswish": (), "Hardshrink": (), "Softshrink": (), "SELU": (),
    "CELU": (0.5,), "Threshold": (0.5, 2.0), "LogSigmoid": (), "Softsign": (), "Tanhshrink": (), "Mish": (), "GLU": (1,),
    "Softmin": (1,), "PReLU": (8,), "Softmax2d": (), "PixelShuffle": (2,), "PixelUnshuffle": (2,), "ChannelShuffle": (2,),
    "Unfold": (2,), "Upsample": (None, 2), "UpsamplingNearest2d": (7,), "UpsamplingBilinear2d": (None, 2),
    "ZeroPad2d": ((1, -1, 0, 2),), "ConstantPad2d": (2, 0.5), "ConstantPad1d": (1, 0.5), "ReflectionPad2d": ((1, 2, 3, 0),),
    "ReplicationPad2d": (2,), "CircularPad2d": (2,), "CircularPad3d": ((1, 0, 2, 1, 0, 1),), "RReLU": (), "Dropout2d": (),
    "AlphaDropout": (), "FeatureAlphaDropout": (), "Dropout1d": (), "Dropout3d": (),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    theirs, ours = (getattr(t.nn, name)(*LAYERS[name]).eval() for t in (torch, tn))
    x = IMAGE[0] if name == "Dropout1d" else IMAGE
    x = x[:, 0] if name == "Dropout1d" else x
    y = theirs.double()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours.double()(tn.from_numpy(x)).detach().numpy(), y, rtol=1e-10, atol=1e-12)
    assert list(theirs.state_dict()) == list(ours.state_dict())


LOSSES = {
    "L1Loss": (A, B), "SmoothL1Loss": (A, B), "HuberLoss": (A, B), "KLDivLoss": (A, P), "PoissonNLLLoss": (A, P),
    "GaussianNLLLoss": (A, B, P), "BCELoss": (P, Q), "SoftMarginLoss": (A, S), "HingeEmbeddingLoss": (A, S),
    "MultiLabelSoftMarginLoss": (A, P), "MarginRankingLoss": (A, B, S), "CosineEmbeddingLoss": (A, B, S[:, 0].copy()),
    "TripletMarginLoss": (A, B, P), "TripletMarginWithDistanceLoss": (A, B, P), "CosineSimilarity": (A, B),
    "PairwiseDistance": (A, B), "MultiMarginLoss": (A, np.array([0, 3, 2])),
    "MultiLabelMarginLoss": (A, np.array([[0, 3, -1, 2], [-1, 0, 0, 0], [3, 2, 1, 0]])),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_layers_of_losses(name):
    options = {"reduction": "batchmean"} if name == "KLDivLoss" else {}
    expected, found = (
        getattr(t.nn, name)(**options)(*(t.from_numpy(a.copy()) for a in LOSSES[name])).numpy() for t in (torch, tn)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_parameters_as_a_vector_and_initialisation():
    model = tn.nn.Sequential(tn.nn.Linear(2, 3), tn.nn.Linear(3, 1))
    vector = tn.nn.utils.parameters_to_vector(model.parameters())
    tn.nn.utils.vector_to_parameters(tn.arange(13.0), model.parameters())
    assert vector.shape == (13,)
    assert tn.nn.utils.parameters_to_vector(model.parameters()).tolist() == list(range(13))
    with pytest.raises(ValueError, match="12 elements"):
        tn.nn.utils.vector_to_parameters(tn.ones(12), model.parameters())
    for shape, groups in (((4, 3, 3), 1), ((4, 2, 3, 5), 2), ((2, 5, 1, 2, 3), 1)):
        a, b = torch.empty(shape), tn.empty(*shape)
        np.testing.assert_array_equal(tn.nn.init.dirac_(b, groups).numpy(), torch.nn.init.dirac_(a, groups).numpy())
    w = tn.nn.init.sparse_(tn.empty(10, 4), 0.25, 2.0)
    assert (w == 0).sum(0).tolist() == [3, 3, 3, 3]
