"""linnet train against NumPy: plain loops over samples and layers, numpy.linalg, and the generator that the header names.

Nothing here follows the program: the gradient is that of the definition, sample by sample; whitening is the SVD of the
centred data; the optimum is numpy.linalg.lstsq; reduced rank is the SVD of the fitted values.
"""
import gzip
import io
import json
import os
import time

OURS = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
os.environ.update(dict.fromkeys(OURS, "1"))  # NumPy's threads would fight those of other tests
import h5py  # noqa: E402
import numpy as np  # noqa: E402

for variable, value in OURS.items():  # the program keeps its own
    os.environ.pop(variable)
    os.environ.update({variable: value} if value is not None else {})

from e2e import SCRATCH, SOURCE, linnet, linnet_json, main, need_mnist  # noqa: E402

TIGHT = 1e-12


# ---- Helpers ----

def path(name):
    return os.path.join(SCRATCH, name)


def save(name, array):
    np.save(path(name), array)
    return path(name)


counter = [0]


def train(*words, code=0, env=None):
    """Runs with --json and --out; returns (JSON, {path: array} of result.h5, folder, stderr)."""
    counter[0] += 1
    folder = path(f"train-{counter[0]}")
    done = linnet("train", *words, "--json", "--no-figure", "--out", folder, code=code, env=env)
    return json.loads(done.stdout), read_h5(folder), folder, done.stderr


def read_h5(folder):
    found = {}
    with h5py.File(os.path.join(folder, "result.h5")) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def layers_of(h5, run=None):
    """[W_1, ..., W_L], each (out, in); of one run where there are several."""
    found = []
    while f"weights/{len(found) + 1}" in h5:
        W = h5[f"weights/{len(found) + 1}"]
        found.append(W if run is None else W[run])
    assert found and all(W.ndim == 2 for W in found), [W.shape for W in found]
    return found


def digits():
    with gzip.open(os.path.join(SOURCE, "data", "digits.csv.gz"), "rt") as file:
        table = np.loadtxt(io.StringIO(file.read()), delimiter=",")
    labels = table[:, 64].astype(int)
    return table[:, :64], np.eye(10)[labels]


def close(ours, theirs, tolerance, what=""):
    """Largest difference relative to the largest entry."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
    scale = max(np.abs(ours).max(initial=0), np.abs(theirs).max(initial=0), 1e-300)
    worst = np.abs(ours - theirs).max(initial=0) / scale
    assert worst <= tolerance, f"{what}: relative difference {worst:.2e} exceeds {tolerance:.0e}"


SCALE = {"half": lambda outputs: 0.5, "sum": lambda outputs: 1.0, "mean": lambda outputs: 1.0 / outputs}


def forward(W, x):
    for layer in W:
        x = layer @ x
    return x


def score(W, X, Y, loss):
    """The loss of the given convention and the share of hits, sample by sample."""
    total, hits = 0.0, 0
    for x, y in zip(X, Y):
        error = forward(W, x) - y
        total += sum(e * e for e in error)
        hits += int(np.argmax(forward(W, x)) == np.argmax(y))
    return SCALE[loss](Y.shape[1]) * total / len(X), hits / len(X)


def map_score(P, X, Y, loss="half"):
    """The same for the linear map P, by matrices (for the larger sets)."""
    F = X @ P.T
    return (SCALE[loss](Y.shape[1]) * np.mean(np.sum((F - Y) ** 2, 1)),
            np.mean(np.argmax(F, 1) == np.argmax(Y, 1)))


def oracle(W, X, Y, loss, lr, batch, epochs, rows):
    """Descent by definition. `rows` is called before each epoch and returns the rows in their order."""
    W = [layer.copy() for layer in W]
    factor = 2 * SCALE[loss](Y.shape[1])  # of the derivative of c |f - y|^2
    history = [score(W, X, Y, loss)]
    steps = 0
    for _ in range(epochs):
        order = rows()
        for first in range(0, len(order), batch):
            part = order[first:first + batch]
            gradient = [np.zeros_like(layer) for layer in W]
            for i in part:
                activity = [X[i]]
                for layer in W:
                    activity.append(layer @ activity[-1])
                delta = activity[-1] - Y[i]
                for k in reversed(range(len(W))):
                    gradient[k] += np.outer(delta, activity[k])
                    delta = W[k].T @ delta
            for k in range(len(W)):
                W[k] = W[k] - lr * factor * gradient[k] / len(part)
            steps += 1
        history.append(score(W, X, Y, loss))
    return W, np.array(history), steps


class Stream:
    """The program's random stream as its header describes it: Philox4x64-10 with key (seed, run 2^32 + purpose), the
    first block that of counter 0. NumPy counts before it draws, so it starts at the last counter."""
    WEIGHTS, SHUFFLE = 1, 2

    def __init__(self, seed, run, purpose):
        self.bits = np.random.Philox(key=np.array([seed, run * 2 ** 32 + purpose], dtype=np.uint64),
                                     counter=np.full(4, 2 ** 64 - 1, dtype=np.uint64))
        self.spare = None

    def raw(self):
        return int(self.bits.random_raw())

    def below(self, n):
        """Lemire 2019: the high word of a 128-bit product, rejecting the low words that would bias it."""
        while True:
            product = self.raw() * n
            if product % 2 ** 64 >= 2 ** 64 % n:
                return product >> 64

    def normal(self):
        """Box and Muller: cosine first, then sine."""
        if self.spare is not None:
            value, self.spare = self.spare, None
            return value
        u, v = (self.raw() >> 11) / 2 ** 53, (self.raw() >> 11) / 2 ** 53
        radius = np.sqrt(-2 * np.log(1 - u))
        self.spare = radius * np.sin(2 * np.pi * v)
        return radius * np.cos(2 * np.pi * v)

    def shuffle(self, order):
        for i in range(len(order) - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]

    def matrix(self, rows, cols):
        """Filled column by column, the order of the weight vector."""
        return np.array([[self.normal() for _ in range(rows)] for _ in range(cols)]).T


RNG = np.random.default_rng(20240607)
N, D, K = 53, 5, 3
X0 = RNG.normal(size=(N, D)) @ RNG.normal(size=(D, D)) + 0.3
Y0 = X0 @ RNG.normal(size=(D, K)) * 0.5 + RNG.normal(size=(N, K))
C0 = RNG.integers(0, K, size=N)
C0[:K] = range(K)


def small():
    return ["--inputs", save("X.npy", X0), "--targets", save("Y.npy", Y0), "--seed", 11]


def check_run(words, X, Y, loss, lr, batch, epochs, rows, tolerance=TIGHT, start=None, run_words=()):
    """One run of the program against the oracle from the program's own start."""
    if start is None:
        start = layers_of(train(*words, "--epochs", 0)[1])
    result, h5, _, _ = train(*words, "--loss", loss, "--lr", lr, "--batch", batch, "--epochs", epochs, *run_words)
    W, history, steps = oracle(start, X, Y, loss, lr, batch, epochs, rows)
    for k, (ours, theirs) in enumerate(zip(layers_of(h5), W, strict=True)):
        close(ours, theirs, tolerance, f"W_{k + 1}")
    losses = np.array(result["series"]["loss"])
    assert losses.shape == (epochs + 1,)
    worst = np.abs(losses / history[:, 0] - 1).max()
    assert worst <= tolerance, f"losses differ by {worst:.2e}"
    if result["preparation"]["classes"]:
        assert np.array_equal(result["series"]["accuracy"], history[:, 1]), (result["series"]["accuracy"], history[:, 1])
    else:
        assert "accuracy" not in result["series"]
    eta = lr * 2 * SCALE[loss](Y.shape[1])
    assert result["training"]["steps"] == steps
    close(result["training"]["eta"], eta, 1e-15, "eta")
    close(result["series"]["t"], eta * steps / max(epochs, 1) * np.arange(epochs + 1), 1e-14, "t")
    assert result["series"]["epoch"] == list(range(epochs + 1))
    assert result["final"]["loss"] == result["series"]["loss"][-1]
    return result, h5


# ---- Training ----

def test_sgd_in_row_order():
    """Depths 1 to 3, three losses, short last batches, epochs of the first rows only."""
    for depth, layers in enumerate(["5,3", "5,4,3", "5,4,6,3"], 1):
        for loss in ("half", "sum", "mean"):
            for rows, batch in ((0, 10), (24, 10), (24, 24), (7, 100), (0, 1)):
                if loss != "half" and rows == 7:
                    continue
                words = small() + ["--layers", layers, "--no-shuffle", "--rows-per-epoch", rows]
                check_run(words, X0, Y0, loss, 0.02 / depth, batch, 3, lambda: range(rows or N))


def test_full_batch():
    for layers in ("5,3", "5,4,3", "5,4,6,3"):
        for shuffle in ("--shuffle", "--no-shuffle"):  # the order of a full batch does not matter
            words = small() + ["--layers", layers, "--optimizer", "gd", shuffle]
            result, _ = check_run(words, X0, Y0, "half", 0.02, N, 6, lambda: range(N))
            assert result["training"]["steps"] == 6
    words = small() + ["--layers", "5,4,3", "--optimizer", "gd", "--no-shuffle", "--rows-per-epoch", 20]
    start = layers_of(train(*words, "--epochs", 0)[1])
    W, history, _ = oracle(start, X0, Y0, "sum", 0.01, 20, 4, lambda: range(20))
    # --batch is the business of sgd alone
    result, h5, _, _ = train(*words, "--loss", "sum", "--lr", 0.01, "--batch", 3, "--epochs", 4)
    for ours, theirs in zip(layers_of(h5), W, strict=True):
        close(ours, theirs, TIGHT)
    close(result["series"]["loss"], history[:, 0], TIGHT)


def test_classes():
    """Class labels by --one-hot, one-hot rows, bytes and CSV: the same run."""
    X, Y = X0, np.eye(K)[C0]
    labels, rows = save("labels.npy", C0), save("rows.npy", Y)
    table = path("X.csv")
    with open(table, "w") as file:
        file.write("a,b,c,d,e\n" + "".join(",".join(repr(float(v)) for v in row) + "\n" for row in X))
    words = ["--layers", "5,4,3", "--no-shuffle", "--seed", 5]
    first = ["--inputs", save("X.npy", X), "--targets", labels, "--one-hot"] + words
    result, h5 = check_run(first, X, Y, "half", 0.03, 10, 4, lambda: range(N))
    assert result["preparation"]["classes"] == K
    for inputs, targets in ((["--inputs", path("X.npy")], ["--targets", rows]),
                            (["--inputs", table], ["--targets", labels, "--one-hot"]),
                            (["--inputs", save("F.npy", np.asfortranarray(X))],
                             ["--targets", save("bytes.npy", C0.astype(np.uint8)), "--one-hot"])):
        other = train(*inputs, *targets, *words, "--lr", 0.03, "--batch", 10, "--epochs", 4)[1]
        for k in (1, 2):
            assert np.array_equal(h5[f"weights/{k}"], other[f"weights/{k}"]), (inputs, targets)


def test_idx_files():
    """A folder of IDX files, training rows before test rows, plain and gzip; and one image file beside its labels."""
    rng = np.random.default_rng(12)
    pixels, labels = rng.integers(0, 256, size=(31, 2, 3)), rng.integers(0, 4, size=31)
    labels[[0, 30]] = 3
    folder = path("idx")
    os.makedirs(folder)
    for name, rows, pack in (("train", slice(0, 20), open), ("t10k", slice(20, 31), gzip.open)):
        for what, values in (("images-idx3", pixels[rows]), ("labels-idx1", labels[rows])):
            head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
            with pack(os.path.join(folder, f"{name}-{what}-ubyte" + (".gz" if pack is gzip.open else "")), "wb") as file:
                file.write(head + values.astype(np.uint8).tobytes())
    X, Y = pixels.reshape(31, 6).astype(float), np.eye(4)[labels]
    words = ["--layers", "6,5,4", "--no-shuffle", "--data"]
    check_run(words + [folder], X, Y, "half", 1e-6, 7, 3, lambda: range(31))
    for name, rows in (("train-images-idx3-ubyte", slice(0, 20)), ("t10k-images-idx3-ubyte.gz", slice(20, 31))):
        x, y = X[rows], Y[rows]
        check_run(words + [os.path.join(folder, name)], x, y, "half", 1e-6, 7, 3, lambda: range(len(x)))


def test_bytes_as_inputs():
    """Raw digits, which stay bytes inside, without any preparation and centred."""
    X, Y = digits()
    for extra, inputs in (([], X), (["--centre"], X - X.mean(0))):
        words = ["--data", "digits", "--layers", "64,5,10", "--no-shuffle", "--rows-per-epoch", 130, "--seed", 3] + extra
        check_run(words, inputs, Y, "mean", 1e-3, 50, 2, lambda: range(130))


def test_whitened_digits():
    """The whole chain: whitening by our own SVD, then our own descent."""
    X, Y = digits()
    Z, _ = numpy_whiten(X, 12)
    words = ["--data", "digits", "--whiten", 12, "--layers", "12,6,10", "--no-shuffle", "--seed", 2]
    check_run(words, Z, Y, "sum", 0.02, 100, 2, lambda: range(len(X)))
    words = words + ["--rows-per-epoch", 250]
    check_run(words, Z, Y, "half", 0.05, 100, 3, lambda: range(250))


def test_shuffled():
    """The order of the rows comes from the documented stream; every epoch shuffles the order further."""
    for seed, rows, batch in ((11, 0, 10), (2 ** 40 + 7, 0, 53), (2 ** 64 - 1, 17, 5)):
        words = small()[:-2] + ["--layers", "5,4,3", "--rows-per-epoch", rows, "--seed", seed]
        stream, order = Stream(seed, 0, Stream.SHUFFLE), list(range(N))

        def next_rows():
            stream.shuffle(order)
            return order[:rows or N]

        check_run(words, X0, Y0, "half", 0.02, batch, 5, next_rows)
    try:  # and the test would notice a wrong order
        check_run(small() + ["--layers", "5,4,3"], X0, Y0, "half", 0.02, 10, 5, lambda: range(N))
    except AssertionError:
        return
    raise AssertionError("a shuffled run equals the one in row order")


# ---- Start values ----

def test_gaussian_start():
    h5 = train(*small(), "--layers", "5,4,7,3", "--init", "gaussian:0.3", "--seeds", 3, "--epochs", 0)[1]
    for run in range(3):
        stream = Stream(11, run, Stream.WEIGHTS)
        for W in layers_of(h5, run):
            close(W, 0.3 * stream.matrix(*W.shape), 1e-14, f"run {run}")


def test_orthogonal_start():
    """W W^T = I or W^T W = I; Haar by QR of a Gaussian matrix with the signs of R."""
    h5 = train(*small(), "--layers", "5,4,7,7,3", "--seeds", 2, "--epochs", 0)[1]
    for run in range(2):
        stream = Stream(11, run, Stream.WEIGHTS)
        for W in layers_of(h5, run):
            small_side = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
            assert np.abs(small_side - np.eye(len(small_side))).max() < 1e-14
            Q, R = np.linalg.qr(stream.matrix(max(W.shape), W.shape[1]))
            close(W, (Q * np.sign(np.diag(R)))[:W.shape[0]], 1e-13, f"run {run}")
    # Haar means no preferred sign: without the sign fix tr Q would be biased
    many = train(*small(), "--layers", "5,5,5,3", "--seeds", 400, "--epochs", 0)[1]["weights/2"]
    traces = np.trace(many, axis1=1, axis2=2)
    assert abs(traces.mean()) < 4 / 20 and abs((traces ** 2).mean() - 1) < 4 * np.sqrt(2) / 20, traces.mean()


# ---- Rules beyond plain descent ----

def rule_oracle(W, X, Y, epochs, batch, lr, momentum=0, adam=False, wd=0, l1=0, naive=False):
    """Rows in order, loss half; the rules written out weight by weight."""
    W = [layer.copy() for layer in W]
    m, v = [np.zeros_like(w) for w in W], [np.zeros_like(w) for w in W]
    step = 0
    for _ in range(epochs):
        for first in range(0, len(X), batch):
            x, y = X[first:first + batch], Y[first:first + batch]
            activity = [x.T]
            for layer in W:
                activity.append(layer @ activity[-1])
            delta, gradient = activity[-1] - y.T, [None] * len(W)
            for k in reversed(range(len(W))):
                gradient[k] = delta @ activity[k].T / len(x) + wd * W[k]
                delta = W[k].T @ delta
            step += 1
            for k, g in enumerate(gradient):
                if adam:
                    m[k], v[k] = 0.9 * m[k] + 0.1 * g, 0.999 * v[k] + 0.001 * g ** 2
                    h = lr / (np.sqrt(v[k] / (1 - 0.999 ** step)) + 1e-8)
                    move, threshold = h * m[k] / (1 - 0.9 ** step), h * l1
                else:
                    m[k] = momentum * m[k] + g
                    move, threshold = lr * m[k], lr * l1 / (1 - momentum)
                if naive:
                    threshold = lr * l1
                w = W[k] - move
                W[k] = np.sign(w) * np.maximum(np.abs(w) - threshold, 0)
    return W


def test_rules():
    start = layers_of(train(*small(), "--layers", "5,6,3", "--epochs", 0)[1])
    words = [*small(), "--layers", "5,6,3", "--no-shuffle", "--batch", 7, "--epochs", 6]
    for options, keywords in (
            (["--momentum", 0.9, "--lr", 0.01], dict(momentum=0.9, lr=0.01)),
            (["--momentum", 0.5, "--l1", 0.05, "--lr", 0.02], dict(momentum=0.5, l1=0.05, lr=0.02)),
            (["--momentum", 0.5, "--l1", 0.05, "--naive-l1", "--lr", 0.02], dict(momentum=0.5, l1=0.05, lr=0.02, naive=True)),
            (["--weight-decay", 0.1, "--l1", 0.02, "--lr", 0.03], dict(wd=0.1, l1=0.02, lr=0.03)),
            (["--optimizer", "adam", "--lr", 0.01], dict(adam=True, lr=0.01)),
            (["--optimizer", "adam", "--l1", 0.03, "--weight-decay", 0.2, "--lr", 0.01], dict(adam=True, l1=0.03, wd=0.2, lr=0.01)),
            (["--optimizer", "adam", "--l1", 0.03, "--naive-l1", "--lr", 0.01], dict(adam=True, l1=0.03, lr=0.01, naive=True))):
        result, h5, _, _ = train(*words, *options)
        for ours, theirs in zip(layers_of(h5), rule_oracle(start, X0, Y0, 6, 7, **keywords)):
            close(ours, theirs, 1e-11, " ".join(map(str, options)))
        free = result["assumptions"][-1]
        assert free["name"].startswith("no penalty") and free["holds"] == (not keywords.get("wd") and not keywords.get("l1"))
        assert ("t" in result["series"]) == (not keywords.get("adam"))
    assert result["warnings"] and "not that of any" in result["warnings"][0]
    for bad in (["--momentum", 1], ["--l1", -1], ["--weight-decay", "nan"], ["--beta2", 1]):
        linnet("train", *words, *bad, code=2)
    linnet("train", *words, "--optimizer", "adam", "--momentum", 0.5, code=1)


# ---- Covariance space ----

def test_covariance_space():
    """The same weights and losses as full-batch descent on the rows, at any depth, for any loss, on any first rows."""
    for words in (["--data", "digits", "--whiten", 12, "--layers", "12,10", "--lr", 0.2],
                  ["--data", "digits", "--whiten", 12, "--layers", "12,7,10", "--lr", 0.1, "--loss", "sum", "--seeds", 3],
                  ["--data", "digits", "--centre", "--layers", "64,5,9,10", "--lr", 1e-3, "--loss", "mean", "--momentum", 0.5],
                  [*small(), "--layers", "5,6,4,3", "--rows-per-epoch", 11, "--lr", 0.05, "--weight-decay", 0.1, "--l1", 0.01]):
        words = [*words, "--no-shuffle", "--epochs", 40]
        rows, h5_rows, _, _ = train(*words, "--optimizer", "gd")
        moments, h5_moments, _, _ = train(*words, "--space", "covariance")
        for name in h5_rows:
            if name.startswith("weights/"):
                close(h5_moments[name], h5_rows[name], 1e-11, name)
            if name.startswith("series/loss"):
                close(h5_moments[name], h5_rows[name], 1e-10, name)
        assert "accuracy" not in moments["series"] and moments["training"]["steps"] == 40
        if "accuracy" in rows["final"]:
            assert moments["final"]["accuracy"] == rows["final"]["accuracy"]
        assert moments["tables"] == rows["tables"]
    linnet("train", *small(), "--space", "covariance", "--rows-per-epoch", 9, code=2)


# ---- Preparation ----

def numpy_whiten(X, components, scale=True):
    """Z and (mean, sd, map) from the SVD of the centred data; the entry of largest size of a component is positive."""
    mean = X.mean(0)
    U, s, Vt = np.linalg.svd(X - mean, full_matrices=False)
    sd = s[:components] / np.sqrt(len(X))
    V = Vt[:components]
    V = V * np.sign(V[np.arange(components), np.abs(V).argmax(1)])[:, None]
    A = V / sd[:, None] if scale else V
    return (X - mean) @ A.T, (mean, sd, A)


def test_whitening():
    X, _ = digits()
    variance = np.sort(np.linalg.eigvalsh(np.cov(X.T, bias=True)))[::-1]
    for components in (1, 40, 61):
        result, h5, _, errors = train("--data", "digits", "--whiten", components, "--epochs", 0)
        Z, (mean, sd, A) = numpy_whiten(X, components)
        close(h5["preparation/mean"], mean, 1e-14, "mean")
        close(h5["preparation/sd"], sd, 1e-12, "sd")
        # an eigenvector is known to eps lambda_1 / gap
        gap = np.min(np.abs(np.diff(variance[:components + 1])) / variance[:components])
        close(h5["preparation/map"] * sd[:, None], A * sd[:, None], 1e-11 if components < 61 else 1e-8, f"map, gap {gap}")
        facts = result["preparation"]
        assert (facts["kind"], facts["rows"], facts["inputs"], facts["components"], facts["rank"]) == \
            ("whiten", 1797, 64, components, 61)
        close(facts["retained_variance"], variance[:components].sum() / variance.sum(), 1e-12, "retained")
        z = (X - h5["preparation/mean"]) @ h5["preparation/map"].T
        assert np.abs(z.T @ z / len(z) - np.eye(components)).max() < 1e-9
        assert facts["whiteness"] < 1e-9 and not result["warnings"] and not errors
        assert result["assumptions"][0]["measure"] == facts["whiteness"] and result["assumptions"][0]["holds"]


def test_rank_of_digits():
    """More components than directions: the rest is dropped, with a message; constant pixels have no part in the map."""
    X, _ = digits()
    s = np.linalg.svd(X - X.mean(0), compute_uv=False)
    assert np.sum(s > 1e-7 * s[0]) == 61 and np.sum(X.std(0) == 0) == 3
    for option in ("--whiten", "--pca"):
        result, h5, _, errors = train("--data", "digits", option, 64, "--epochs", 0)
        facts = result["preparation"]
        assert (facts["rank"], facts["components"]) == (61, 61) and h5["preparation/map"].shape == (61, 64)
        close(facts["retained_variance"], 1, 1e-13)
        assert len(result["warnings"]) == 1 and "61" in result["warnings"][0] and "3" in result["warnings"][0]
        assert len(errors.strip().splitlines()) == 1 and "61" in errors
        # eps lambda_1 / lambda_61 times the largest entry: nothing but rounding
        assert np.abs(h5["preparation/map"][:, X.std(0) == 0]).max() < 1e-8
        assert result["parameters"]["layers"] == [61, 10, 10]


def test_pca_and_centre():
    X, Y = digits()
    result, h5, _, _ = train("--data", "digits", "--pca", 7, "--epochs", 0)
    Z, (mean, sd, A) = numpy_whiten(X, 7, scale=False)
    close(h5["preparation/mean"], mean, 1e-14)
    close(h5["preparation/map"], A, 1e-11)
    close(h5["preparation/sd"], sd, 1e-12)
    close(h5["preparation/map"] @ h5["preparation/map"].T, np.eye(7), 1e-13)
    close(result["preparation"]["whiteness"], np.abs(Z.T @ Z / len(Z) - np.eye(7)).max(), 1e-10)
    assert result["preparation"]["kind"] == "pca" and not result["assumptions"][0]["holds"]
    result, h5, _, _ = train("--data", "digits", "--centre", "--epochs", 0)
    close(h5["preparation/mean"], mean, 1e-14)
    assert "preparation/map" not in h5 and result["preparation"]["kind"] == "centre"
    Z = X - mean
    close(result["preparation"]["whiteness"], np.abs(Z.T @ Z / len(Z) - np.eye(64)).max(), 1e-11)
    result, h5, _, _ = train("--data", "digits", "--epochs", 0)
    assert "preparation/mean" not in h5 and result["preparation"]["kind"] == "none"
    close(result["preparation"]["whiteness"], np.abs(X.T @ X / len(X) - np.eye(64)).max(), 1e-12)


def test_fewer_rows_than_columns():
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(12, 30)), rng.normal(size=(12, 2))
    words = ["--inputs", save("wide.npy", X), "--targets", save("wide-y.npy", Y)]
    result, h5, _, errors = train(*words, "--whiten", 20, "--epochs", 0)
    assert (result["preparation"]["rank"], result["preparation"]["components"]) == (11, 11)
    assert len(errors.strip().splitlines()) == 1 and result["warnings"]
    Z, (mean, sd, A) = numpy_whiten(X, 11)
    close(h5["preparation/map"], A, 1e-10)
    start = layers_of(train(*words, "--layers", "30,4,2", "--epochs", 0)[1])
    check_run(words + ["--layers", "30,4,2", "--no-shuffle"], X, Y, "half", 0.01, 5, 3, lambda: range(12), start=start)


def test_single_row_and_single_column():
    """The smallest data there is."""
    words = ["--inputs", save("one.npy", np.array([[2.0]])), "--targets", save("one-y.npy", np.array([[3.0]]))]
    result, h5, _, _ = train(*words, "--layers", "1,1", "--lr", 0.1, "--epochs", 3, "--loss", "half", "--init", "gaussian:0")
    w = 0.0
    for _ in range(3):
        w -= 0.1 * (2 * w - 3) * 2
    close(h5["weights/1"], [[w]], TIGHT)
    close(result["series"]["loss"][-1], (2 * w - 3) ** 2 / 2, TIGHT)
    assert abs(result["tables"]["optimum"][0]["loss"]) < 1e-15


# ---- The least-squares optimum ----

def reduced_rank(X, Y, rank):
    """The best map of at most that rank: least squares, then the leading directions of the fitted values."""
    P = np.linalg.lstsq(X, Y, rcond=1e-11)[0].T
    if rank >= min(P.shape):
        return P
    _, _, Vt = np.linalg.svd(X @ P.T, full_matrices=False)
    return Vt[:rank].T @ Vt[:rank] @ P


def check_optimum(words, X, Y, loss="half", rank=10 ** 9, subset=0, tolerance=1e-9):
    classes = bool(np.all(np.sum(Y, 1) == 1) and set(np.unique(Y)) <= {0, 1})
    extra = ["--no-shuffle", "--rows-per-epoch", subset] if subset else []
    table = train(*words, "--loss", loss, "--epochs", 0, *extra)[0]["tables"]["optimum"]
    expected = [("all rows", len(X), rank)]
    if subset:
        expected.append(("rows trained on", subset, rank))
    full = np.linalg.matrix_rank(np.linalg.lstsq(X, Y, rcond=1e-11)[0])
    if rank < full:
        expected.append(("all rows, any rank", len(X), 10 ** 9))
    assert [row["fitted_to"] for row in table] == [name for name, _, _ in expected], table
    for row, (_, rows, limit) in zip(table, expected, strict=True):
        P = reduced_rank(X[:rows], Y[:rows], limit)
        everywhere, there = map_score(P, X, Y, loss), map_score(P, X[:rows], Y[:rows], loss)
        scale = np.mean(np.sum(Y ** 2, 1))
        assert row["rows"] == rows and row["rank"] == np.linalg.matrix_rank(P, tol=1e-9 * np.linalg.norm(P)), row
        assert abs(row["loss"] - everywhere[0]) <= tolerance * everywhere[0] + 1e-13 * scale, (row, everywhere)
        assert abs(row["loss_fitted_rows"] - there[0]) <= tolerance * there[0] + 1e-13 * scale, (row, there)
        if classes:
            assert row["accuracy"] == everywhere[1] and row["accuracy_fitted_rows"] == there[1], (row, everywhere, there)
        else:
            assert row["accuracy"] is None and row["accuracy_fitted_rows"] is None
    return table


def test_optimum_of_digits():
    X, Y = digits()
    Z, _ = numpy_whiten(X, 30)
    raw, white = ["--data", "digits", "--layers"], ["--data", "digits", "--whiten", 30, "--layers"]
    for loss in ("half", "sum", "mean"):
        check_optimum(raw + ["64,10"], X, Y, loss)
    check_optimum(raw + ["64,10,10"], X, Y, subset=300)
    check_optimum(raw + ["64,10"], X, Y, subset=30)  # fewer rows than columns: of least norm
    check_optimum(white + ["30,20,10"], Z, Y, subset=500)
    for rank in (1, 4, 8):
        check_optimum(white + [f"30,{rank},10"], Z, Y, rank=rank)
        check_optimum(raw + [f"64,20,{rank},15,10"], X, Y, rank=rank, subset=400)


def test_optimum_with_dense_targets():
    check_optimum(small() + ["--layers", "5,3"], X0, Y0)
    check_optimum(small() + ["--layers", "5,2,3"], X0, Y0, rank=2, subset=30)
    rng = np.random.default_rng(6)  # inputs of rank 4 in 9 columns
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 9))
    Y = X @ rng.normal(size=(9, 6)) + rng.normal(size=(60, 6))
    words = ["--inputs", save("deficient.npy", X), "--targets", save("deficient-y.npy", Y), "--layers"]
    check_optimum(words + ["9,6"], X, Y, subset=25)
    check_optimum(words + ["9,3,6"], X, Y, rank=3, subset=25)
    Y = X @ rng.normal(size=(9, 6))  # reached exactly
    save("deficient-y.npy", Y)
    check_optimum(words + ["9,8,6"], X, Y)


def test_optimum_of_badly_scaled_inputs():
    """One column is 1e8 times the other: either the right optimum or a word that directions were left out."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(300, 2))
    X, Y = x * [1e8, 1], x[:, 1:] + 0.1 * rng.normal(size=(300, 1))
    words = ["--inputs", save("scaled.npy", X), "--targets", save("scaled-y.npy", Y), "--layers", "2,1", "--epochs", 0]
    result = train(*words, "--lr", 1e-20)[0]
    best = map_score(np.linalg.lstsq(X, Y, rcond=None)[0].T, X, Y)[0]
    found = result["tables"]["optimum"][0]["loss"]
    assert abs(found / best - 1) < 1e-3 or result["warnings"], f"optimum {found}, really {best}, and no warning"


def test_training_reaches_the_optimum():
    """Full-batch descent that runs long ends where numpy.linalg.lstsq says; stable below 2 / lambda_max only."""
    P = np.linalg.lstsq(X0, Y0, rcond=None)[0].T
    largest = np.linalg.eigvalsh(X0.T @ X0 / N)[-1]
    for loss in ("half", "sum", "mean"):
        stable = 2 / largest / (2 * SCALE[loss](K))
        words = small() + ["--layers", "5,3", "--optimizer", "gd", "--loss", loss]
        result, h5, _, _ = train(*words, "--lr", 0.9 * stable, "--epochs", 3000)
        close(h5["weights/1"], P, 1e-6)
        close(result["training"]["largest_stable_lr"], stable, 2e-3)
        assert abs(result["final"]["excess"]) < 1e-9
        close(result["assumptions"][3]["measure"], 0.9, 2e-3)
        assert result["assumptions"][3]["holds"]
        calm = train(*words, "--lr", 0.98 * stable, "--epochs", 400)[0]["series"]["loss"]
        wild, _, _, _ = train(*words, "--lr", 1.02 * stable, "--epochs", 400)
        assert calm[-1] < calm[200] and wild["series"]["loss"][-1] > wild["series"]["loss"][200]
        assert not wild["assumptions"][3]["holds"]


# ---- Deviations and assumptions ----

def rms(A):
    return np.sqrt(np.mean(np.asarray(A) ** 2))


def test_deviations():
    X, Y = digits()
    Z, _ = numpy_whiten(X, 15)
    for seeds, subset in ((1, 0), (3, 0), (1, 400), (3, 400)):
        words = ["--data", "digits", "--whiten", 15, "--layers", "15,9,10", "--epochs", 2, "--seeds", seeds, "--loss", "sum"]
        if subset:
            words += ["--no-shuffle", "--rows-per-epoch", subset]
        result, h5, _, _ = train(*words)
        runs = [layers_of(h5, run if seeds > 1 else None) for run in range(seeds)]
        maps = [W[1] @ W[0] for W in runs]
        rows = {row["name"]: row for row in result["deviations"]}
        expected = {}
        for name, n in [("all rows", len(Z))] + ([("rows trained on", subset)] if subset else []):
            Cxx, Cyx = Z[:n].T @ Z[:n] / n, Y[:n].T @ Z[:n] / n
            for label, factor in ((" C_XX", Cxx), ("", np.eye(15))):
                expected[f"rms(C_YX - W{label}), {name}"] = (
                    np.mean([rms(P @ factor) for P in maps]), rms(Cyx), np.mean([rms(P @ factor - Cyx) for P in maps]), None)
        final = np.array([map_score(P, Z, Y, "sum") for P in maps])
        for name, n in [("all rows", len(Z))] + ([("the rows trained on", subset)] if subset else []):
            best = map_score(reduced_rank(Z[:n], Y[:n], 9), Z, Y, "sum")
            for column, what in enumerate(("loss", "accuracy")):
                mean = final[:, column].mean()
                error = final[:, column].std(ddof=1) / np.sqrt(seeds) if seeds > 1 else None
                expected[f"final {what}, optimum of {name}"] = (mean, best[column], abs(mean - best[column]), error)
        assert set(rows) == set(expected), set(rows) ^ set(expected)
        for name, (simulated, predicted, absolute, error) in expected.items():
            close(rows[name]["simulated"], simulated, 1e-10, name)
            close(rows[name]["predicted"], predicted, 1e-10, name)
            assert abs(rows[name]["absolute"] - absolute) < 1e-10 * max(simulated, predicted), (name, rows[name], absolute)
            close(rows[name]["relative"], absolute / predicted, 1e-9, name)
            if error is None:
                assert rows[name]["sigmas"] is None, rows[name]
            else:
                close(rows[name]["sigmas"], absolute / error, 1e-8, name)


def test_assumptions():
    X, Y = digits()
    words = ["--data", "digits", "--pca", 6, "--layers", "6,9,4,10", "--seeds", 2, "--init", "gaussian:0.2", "--lr", 1e-4]
    start = train(*words, "--epochs", 0)[1]
    imbalance = 0
    for run in range(2):
        W = layers_of(start, run)
        for low, high in zip(W, W[1:]):
            imbalance = max(imbalance, np.linalg.norm(high.T @ high - low @ low.T))
    result = train(*words, "--epochs", 1, "--rows-per-epoch", 599, "--no-shuffle")[0]
    white, left_out, balanced, stable, free = result["assumptions"]
    close(white["measure"], result["preparation"]["whiteness"], 0)
    close(left_out["measure"], 1 - 599 / 1797, 1e-15)
    close(balanced["measure"], imbalance, TIGHT)
    assert free["measure"] == 0
    close(stable["measure"], result["parameters"]["lr"] / result["training"]["largest_stable_lr"], TIGHT)
    for row in result["assumptions"]:
        assert row["holds"] == (row["measure"] <= row["limit"])
    # white inputs, square orthogonal layers: all assumptions hold
    result = train("--data", "digits", "--whiten", 10, "--layers", "10,10,10", "--epochs", 0)[0]
    assert all(row["holds"] for row in result["assumptions"]), result["assumptions"]


def test_advice():
    """Runs that are formally right but hardly what was meant say so; sound ones do not."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 4))
    save("advice-X.npy", X)
    words = ["--inputs", path("advice-X.npy"), "--targets", path("advice-y.npy"), "--layers", "4,1", "--centre", "--epochs", 30]

    def warnings(y, *more):
        save("advice-y.npy", y)
        return " ".join(train(*words, *more)[0]["warnings"])

    sound = X @ [1, 2, 0, -1] + 0.1 * rng.normal(size=200)
    assert warnings(sound) == ""
    assert "--one-hot" in warnings(rng.integers(0, 3, 200).astype(float))
    assert "bias" in warnings(sound + 150)
    assert "too large to settle" in warnings(3 * rng.normal(size=200) + sound, "--batch", 2, "--lr", 0.2)
    assert "saddle" in warnings(sound, "--layers", "4,2,1", "--init", "gaussian:0")


# ---- Several runs ----

def test_several_seeds():
    """Series hold mean and sd over the runs; run k of several is the run k that any other call makes."""
    X, Y = digits()
    Z, _ = numpy_whiten(X, 10)
    words = ["--data", "digits", "--whiten", 10, "--layers", "10,8,10", "--seed", 9, "--seeds"]
    last = {epochs: train(*words, 3, "--epochs", epochs) for epochs in range(4)}
    result = last[3][0]
    for epochs, (_, h5, _, _) in last.items():  # weights after k epochs are those of a call that stops there
        scores = np.array([map_score(np.linalg.multi_dot(layers_of(h5, run)[::-1]), Z, Y) for run in range(3)])
        for column, name in enumerate(("loss", "accuracy")):
            close(result["series"][name]["mean"][epochs], scores[:, column].mean(), TIGHT, f"{name} {epochs}")
            close(result["series"][name]["sd"][epochs], scores[:, column].std(ddof=1), 1e-10, f"{name} {epochs}")
    assert [len(last[3][1][f"weights/{k}"]) for k in (1, 2)] == [3, 3]
    one, two = train(*words, 1, "--epochs", 3)[1], train(*words, 2, "--epochs", 3)[1]
    for k in (1, 2):
        assert np.array_equal(one[f"weights/{k}"], last[3][1][f"weights/{k}"][0])
        assert np.array_equal(two[f"weights/{k}"], last[3][1][f"weights/{k}"][:2])
        assert not np.array_equal(two[f"weights/{k}"][0], two[f"weights/{k}"][1])


# ---- The same bytes ----

def test_equal_bytes():
    words = ["train", "--data", "digits", "--whiten", 20, "--layers", "20,12,10", "--epochs", 2, "--seeds", 3, "--no-figure"]
    for threads, folder in ((1, "t1"), (2, "t2"), (3, "t3")):
        linnet(*words, "--threads", threads, "--out", path(folder))
    time.sleep(1.1)  # no time stamps inside
    linnet(*words, "--out", path("again"))
    linnet("run", path("t1/run.yaml"), "--out", path("run"), "--no-figure")
    for folder, variables in (("env1", {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}),
                              ("env2", {"OMP_NUM_THREADS": "4", "OMP_DYNAMIC": "true", "OPENBLAS_NUM_THREADS": "4"})):
        linnet(*words, "--out", path(folder), env=variables)
    content = {}
    for folder in ("t1", "t2", "t3", "again", "run", "env1", "env2"):
        for name in ("result.h5", "run.yaml"):
            with open(path(f"{folder}/{name}"), "rb") as file:
                content.setdefault(name, set()).add(file.read())
    assert len(content["result.h5"]) == 1 and len(content["run.yaml"]) == 1
    linnet(*words, "--seed", 1, "--out", path("other"))
    with open(path("other/result.h5"), "rb") as file:
        assert file.read() not in content["result.h5"]


# ---- MNIST ----

def test_mnist_first_rows():
    """The known numbers: 7,000 rows trained on, loss and accuracy over all 70,000."""
    need_mnist()
    result = linnet_json("train", "--data", "mnist", "--whiten", 100, "--layers", "100,10,10", "--init", "orthogonal",
                         "--optimizer", "sgd", "--loss", "sum", "--lr", 0.01, "--batch", 100, "--rows-per-epoch", 7000,
                         "--no-shuffle", "--epochs", 10)
    loss, accuracy = result["series"]["loss"], result["series"]["accuracy"]
    # |y|^2 - 2 <C_YX, W> + |W|_F^2 for ten orthonormal rows in 100 dimensions: 11 with deviation 2 |C_YX|_F / 10 = .14
    assert 10.3 < loss[0] < 11.7, loss[0]
    assert .525 <= loss[-1] <= .531 and .836 <= accuracy[-1] <= .844, (loss[-1], accuracy[-1])
    everything, trained = result["tables"]["optimum"]
    assert abs(everything["loss"] - .51107) < 5e-6 and abs(everything["accuracy"] - .8537) < 5e-5, everything
    assert abs(trained["loss"] - .52405) < 5e-6 and abs(trained["accuracy"] - .8460) < 5e-5, trained
    facts = result["preparation"]
    assert (facts["rank"], facts["components"], facts["rows"]) == (713, 100, 70000)
    assert abs(facts["retained_variance"] - .9150) < 5e-5
    assert result["training"]["steps"] == 700 and abs(result["training"]["t"] - 14) < 1e-12
    rows = {row["name"]: row for row in result["deviations"]}
    row = rows["rms(C_YX - W), all rows"]
    assert abs(row["predicted"] - .022112) < 1e-6 and .0040 <= row["absolute"] <= .0043, row
    assert any("7000" in warning for warning in result["warnings"])


def test_mnist_shuffled():
    need_mnist()
    result = linnet_json("train", "--data", "mnist", "--whiten", 100, "--layers", "100,10,10", "--loss", "sum", "--lr", 0.01,
                         "--batch", 100, "--epochs", 10)
    loss, accuracy = result["series"]["loss"], result["series"]["accuracy"]
    assert .5109 <= loss[-1] <= .5121 and .853 <= accuracy[-1] <= .8545, (loss[-1], accuracy[-1])
    assert .515 < loss[1] < .519 and .848 <= accuracy[1] <= .854, (loss[1], accuracy[1])
    assert abs(result["series"]["t"][1] - 14) < 1e-12
    row = next(row for row in result["deviations"] if row["name"] == "rms(C_YX - W), all rows")
    assert .02 < row["relative"] < .04, row


if __name__ == "__main__":
    main(globals())
