"""linnet train's learners against NumPy: activations, rules and penalties, held-out rows, covariances in place of rows,
starts, HDF5 inputs, certificates, divergence; and linnet apply on nonlinear networks.

The oracle is one function, descend(): back-propagation and the rules as the headers and the manual define them.
"""
import itertools
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from test_apply import predictions
from test_train import C0, K, N, SCALE, Stream, X0, Y0, close, digits, layers_of, map_score, numpy_whiten, path, \
    reduced_rank, save, train

import h5py
import numpy as np

from e2e import PROGRAM, linnet, main

TIGHT = 1e-12
SPLIT = 5  # the purpose of the stream that draws the rows held out
X, Y, ONE_HOT = X0 / 4, Y0 / 2, np.eye(K)[C0]


# ---- The oracle ----

def logistic(a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))


PHI = {  # each with its slope
    "linear": (lambda a: a, np.ones_like),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: 1.0 * (a > 0)),
    "logistic": (logistic, lambda a: logistic(a) * (1 - logistic(a))),
    "softplus": (lambda a: np.logaddexp(0, a), logistic)}


def outputs(W, x, phi="linear"):
    for layer in W[:-1]:
        x = PHI[phi][0](x @ layer.T)
    return x @ W[-1].T


def score(W, x, y, phi="linear", loss="half"):
    f = outputs(W, x, phi)
    return SCALE[loss](y.shape[1]) * np.mean(np.sum((f - y) ** 2, 1)), np.mean(f.argmax(1) == y.argmax(1))


def gradient(W, x, y, phi="linear", loss="half"):
    z, a = [x], []
    for layer in W:
        a.append(z[-1] @ layer.T)
        z.append(PHI[phi][0](a[-1]))
    delta, found = 2 * SCALE[loss](y.shape[1]) * (a[-1] - y) / len(x), []
    for k in reversed(range(len(W))):
        found.insert(0, delta.T @ z[k])
        delta = (delta @ W[k]) * PHI[phi][1](a[k - 1]) if k else None
    return found


def descend(W, x, y, phi="linear", loss="half", rule="sgd", lr=0.05, batch=10, epochs=4, momentum=0, wd=0, l1=0,
            naive=False, rows=None, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The weights before the first step and after every epoch; rows() gives the rows of an epoch in their order."""
    W, step = [w.copy() for w in W], 0
    m, v, history = [0 * w for w in W], [0 * w for w in W], [W[:]]
    for _ in range(epochs):
        order = list(rows() if rows else range(len(x)))
        size = len(order) if rule == "gd" else batch
        for part in (order[i:i + size] for i in range(0, len(order), size)):
            step += 1
            for k, g in enumerate(gradient(W, x[part], y[part], phi, loss)):
                g = g + wd * W[k]
                if rule == "adam":
                    m[k], v[k] = beta1 * m[k] + (1 - beta1) * g, beta2 * v[k] + (1 - beta2) * g ** 2
                    h = lr / (np.sqrt(v[k] / (1 - beta2 ** step)) + epsilon)
                    move, threshold = h * m[k] / (1 - beta1 ** step), h * l1
                else:
                    m[k] = momentum * m[k] + g
                    move, threshold = lr * m[k], lr * l1 / (1 - momentum)
                w = W[k] - move
                W[k] = np.sign(w) * np.maximum(np.abs(w) - (lr * l1 if naive else threshold), 0)
        history.append(W[:])
    return history


def kkt(W, x, y, phi="linear", loss="half", wd=0, l1=0, **_):
    """The largest violation of the optimality conditions."""
    worst = 0
    for w, g in zip(W, gradient(W, x, y, phi, loss)):
        g = g + wd * w
        worst = max(worst, np.where(w != 0, np.abs(g + l1 * np.sign(w)), np.maximum(np.abs(g) - l1, 0)).max())
    return worst


# ---- The same for the program ----

def words(**how):
    """The options that the keywords of descend() and its defaults amount to."""
    name = dict(phi="activation", rule="optimizer", wd="weight-decay")
    found = ["--naive-l1"] if how.pop("naive", False) else []
    for key, value in {"lr": 0.05, "batch": 10, "epochs": 4, **how}.items():
        found += ["--" + name.get(key, key), value] if key != "rows" else []
    return found


def data(x=X, y=Y, tag=""):
    return ["--inputs", save(f"x{tag}.npy", x), "--targets", save(f"y{tag}.npy", y)]


def gaussian(widths, seed=7, run=0):
    stream = Stream(seed, run, Stream.WEIGHTS)
    return [0.6 * stream.matrix(o, i) for i, o in zip(widths, widths[1:])]


def layers(widths):
    return ["--layers", ",".join(map(str, widths))]


def start(widths, seed=7):
    return [*layers(widths), "--init", "gaussian:0.6", "--seed", seed]


def moments(x, y):
    return ["--sigma-xx", save("Sxx.npy", x.T @ x / len(x)), "--sigma-yx", save("Syx.npy", y.T @ x / len(x))]


def check(more, widths, x, y, held=None, seed=7, tolerance=TIGHT, **how):
    """A run of the program from a Gaussian start: weights, certificate, time, loss and accuracy of every epoch."""
    result, h5, _, _ = train(*more, *start(widths, seed), *words(**how))
    steps = descend(gaussian(widths, seed), x, y, **how)
    phi, loss, what = how.get("phi", "linear"), how.get("loss", "half"), f"{widths} {how}"
    for ours, theirs in zip(layers_of(h5), steps[-1], strict=True):
        close(ours, theirs, tolerance, what)
    for prefix, rows in [("", (x, y))] + ([("test_", held)] if held else []):
        history = np.array([score(W, *rows, phi, loss) for W in steps])
        close(result["series"][prefix + "loss"], history[:, 0], tolerance, prefix + "loss " + what)
        assert result["final"][prefix + "loss"] == result["series"][prefix + "loss"][-1]
        assert bool(result["preparation"].get("classes")) == (prefix + "accuracy" in result["series"])
        if prefix + "accuracy" in result["series"]:
            assert np.array_equal(result["series"][prefix + "accuracy"], history[:, 1]), what
            assert result["final"][prefix + "accuracy"] == history[-1, 1]
    if "rows" not in how:
        close(result["certificate"]["kkt"], kkt(steps[-1], x, y, **how), max(1e-10, tolerance), f"certificate {what}")
    if how.get("l1"):
        zeros = np.mean(np.concatenate([w.ravel() for w in steps[-1]]) == 0)
        close(result["certificate"]["zero_weights"], zeros, 1e-14)
    if "t" in result["series"]:
        eta = how.get("lr", 0.05) * 2 * SCALE[loss](y.shape[1])
        close(result["series"]["t"][-1], eta * result["training"]["steps"] / (1 - how.get("momentum", 0)), 1e-13, "t")
    return result, h5, steps[-1]


def same_weights(a, b, tolerance=0.0):
    for name in a:
        if name.startswith("weights/"):
            close(a[name], b[name], tolerance, name)


def refused(*more, says=(), code=(1, 2)):
    """Exactly one line on standard error, nothing on standard output, and a code of its own."""
    done = subprocess.run([PROGRAM, "train", *map(str, more)], capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode in code and len(lines) == 1 and lines[0].startswith("linnet: ") and not done.stdout, (more, done)
    assert all(word in lines[0] for word in says), (says, lines[0])
    return lines[0]


# ---- Activations, rules, penalties ----

def test_learners():
    """Every activation with every rule and penalty, depths, losses and kinds of targets drawn among them; and saturated."""
    draw = np.random.default_rng(1)
    rules = (dict(), dict(rule="gd"), dict(momentum=0.8, lr=0.01), dict(rule="gd", momentum=0.5),
             dict(rule="adam", lr=0.01), dict(rule="adam", lr=0.02, beta1=0.7, beta2=0.9, epsilon=1e-3))
    penalties = (dict(), dict(wd=0.1), dict(wd=0.05, l1=0.02), dict(l1=0.03, naive=True))
    for phi, rule, penalty in itertools.product(PHI, rules, penalties):
        widths = [5, *draw.integers(3, 7, size=draw.integers(1, 4)), K]
        y, loss = (Y, ONE_HOT)[draw.integers(2)], list(SCALE)[draw.integers(3)]
        check([*data(y=y), "--no-shuffle"], widths, X, y, phi=phi, loss=loss, **rule, **penalty)
    for phi in PHI:
        check([*data(300 * X), "--no-shuffle"], [5, 4, 3], 300 * X, Y, phi=phi, lr=1e-7)


def test_orders():
    """Shuffled rows, and epochs of some rows only, with memory (momentum, Adam) across epochs."""
    for rows, how in ((0, dict(phi="tanh", momentum=0.5)), (23, dict(phi="softplus", rule="adam", lr=0.01, l1=0.01))):
        stream, order = Stream(7, 0, Stream.SHUFFLE), list(range(N))

        def shuffled():
            stream.shuffle(order)
            return order[:rows or N]

        check([*data(), "--rows-per-epoch", rows], [5, 4, 6, 3], X, Y, rows=shuffled, **how)
    how = dict(phi="relu", momentum=0.5, l1=0.02, wd=0.1, loss="sum")
    more = [*data(), "--no-shuffle", "--rows-per-epoch", 23]
    result, _, W = check(more, [5, 6, 3], X, Y, rows=lambda: range(23), **how)
    close(result["certificate"]["kkt"], kkt(W, X[:23], Y[:23], **how), 1e-10, "of the rows trained on")


# ---- Held-out rows ----

def split(n, share, seed):
    """The first of a permutation by the documented stream are held out; both parts keep their order."""
    order = list(range(n))
    Stream(seed, 0, SPLIT).shuffle(order)
    count = max(1, int(share * n + 0.5))
    return np.sort(order[count:]), np.sort(order[:count])


def prepare(x, t, prep):
    """Rows x and held-out rows t, both by the statistics of x."""
    x, t = (x - x.mean(0), t - x.mean(0)) if prep else (x, t)
    if len(prep) < 2:
        return x, t
    A = numpy_whiten(x, prep[1], scale=prep[0] == "--whiten")[1][2]
    return x @ A.T, t @ A.T


def test_held_out():
    """Split at random or given: prepared with the training rows' statistics, scored, never used otherwise."""
    pixels, classes = digits()
    for x, y, prep, share, seed in ((X, Y, [], 0.3, 7), (X, ONE_HOT, ["--centre"], 0.25, 3), (X, Y, ["--pca", 3], 0.01, 2 ** 40),
                                    (X, ONE_HOT, ["--whiten", 4], 0.8, 1), (X, Y, ["--whiten", 2], 0.5, 12),
                                    (pixels, classes, ["--whiten", 6], 0.8, 4)):
        rest, held = split(len(x), share, seed)
        a, t = prepare(x[rest], x[held], prep)
        files = [*data(x[rest], y[rest], 1), "--test-inputs", save("tx.npy", x[held]), "--test-targets", save("ty.npy", y[held])]
        drawn = ["--data", "digits"] if x is pixels else data(x, y)
        for where, (phi, hidden) in itertools.product((files, [*drawn, "--split", share]), (("linear", 2), ("tanh", 4))):
            widths = [a.shape[1], hidden, y.shape[1]]
            result, _, _ = check([*where, *prep, "--no-shuffle"], widths, a, y[rest], (t, y[held]), seed,
                                 1e-10 if len(prep) == 2 else TIGHT, phi=phi, loss="sum", batch=40)
            assert result["preparation"]["rows"] == len(rest) and result["preparation"]["test_rows"] == len(held)
            best, P = result["tables"]["optimum"][0], reduced_rank(a, y[rest], min(widths))
            deviations = {row["name"]: row for row in result["deviations"]}
            for prefix, rows in (("", (a, y[rest])), ("test_", (t, y[held]))):
                for what, value in zip(["loss", "accuracy"] if y is not Y else ["loss"], map_score(P, *rows, "sum")):
                    close(best[prefix + what], value, 1e-9, "optimum, " + prefix + what)
                    row = deviations[f"final {prefix.replace('_', ' ')}{what}, optimum of all rows"]
                    final = result["final"][prefix + what]
                    close([row["simulated"], row["predicted"]], [final, value], 1e-9)
                    assert abs(row["absolute"] - abs(final - value)) < 1e-9


def test_held_out_refused():
    """A class among the test rows that training does not know, other widths, shares that leave nothing."""
    labels = ["--targets", save("c.npy", C0[:40]), "--one-hot", "--inputs", save("x.npy", X[:40])]
    check([*labels, "--no-shuffle", "--test-inputs", save("tx.npy", X[40:]), "--test-targets", save("tc.npy", C0[40:])],
          [5, 4, 3], X[:40], ONE_HOT[:40], (X[40:], ONE_HOT[40:]))
    for tx, ty in ((X[40:], C0[40:] + 1), (X[40:, :4], C0[40:]), (X[41:], C0[40:])):
        refused(*labels, "--test-inputs", save("tx.npy", tx), "--test-targets", save("tc.npy", ty))
    given = ["--test-inputs", save("tx.npy", X[40:]), "--test-targets", save("ty.npy", Y[40:, :2])]
    for bad in (given, given[:2], given[2:], [*given, "--split", 0.5], ["--split", 0.995], ["--split", 1], ["--split", -0.1]):
        refused(*data(), *bad)


# ---- Covariances in place of rows ----

def test_covariance_space_is_sample_space():
    """Full-batch descent on the covariances and on the rows: the same numbers at depths 1 to 4, for every rule."""
    for widths, how in (([5, 3], dict()), ([5, 4, 3], dict(momentum=0.6, loss="sum", lr=0.02)),
                        ([5, 6, 2, 3], dict(wd=0.1, l1=0.02, loss="mean")),
                        ([5, 4, 6, 5, 3], dict(momentum=0.5, l1=0.01, lr=0.01))):
        _, h5, _ = check([*data(), "--space", "covariance"], widths, X, Y, rule="gd", epochs=25, **how)
        same_weights(h5, check(data(), widths, X, Y, rule="gd", epochs=25, **how)[1], TIGHT)
    check([*data(), "--space", "covariance"], [5, 4, 3], X, Y, rule="adam", batch=N, lr=0.01, l1=0.01, epochs=25)


def test_covariances_given():
    """The run from Sxx and Syx is the run from their rows; without tr Syy losses count from the best linear map's."""
    trace, P = np.mean(np.sum(Y ** 2, 1)), np.linalg.lstsq(X, Y, rcond=None)[0].T
    with h5py.File(path("S.h5"), "w") as file:
        file["a"], file["b/c"] = X.T @ X / N, Y.T @ X / N
    np.savetxt(path("Sxx.csv"), X.T @ X / N, delimiter=",", fmt="%.17g")
    files = (moments(X, Y), ["--sigma-xx", path("S.h5") + ":a", "--sigma-yx", path("S.h5") + ":b/c"],
             ["--sigma-xx", path("Sxx.csv"), "--sigma-yx", path("Syx.npy")])
    for given, widths, loss in zip(files, ([5, 3], [5, 4, 3], [5, 6, 2, 3]), SCALE):
        how = [*start(widths), "--loss", loss, "--epochs", 15, "--momentum", 0.5]
        rows, h5_rows, _, _ = train(*data(), "--space", "covariance", *how)
        for more, offset in (([], map_score(P, X, Y, loss)[0]), (["--trace-yy", repr(trace)], 0)):
            result, h5, _, _ = train(*given, *more, *how)
            same_weights(h5, h5_rows, TIGHT)
            close(np.array(result["series"]["loss"]) + offset, rows["series"]["loss"], TIGHT, "loss")
            close(result["tables"]["optimum"][0]["loss"] + offset, rows["tables"]["optimum"][0]["loss"], 1e-11)
            for key in ("simulated", "absolute"):
                close([r[key] for r in result["deviations"][:2]], [r[key] for r in rows["deviations"][:2]], 1e-11)
            close(result["certificate"]["kkt"], rows["certificate"]["kkt"], 1e-11)
            assert any("--trace-yy" in line for line in result["warnings"]) == (not more)


def test_loss_of_the_best_map_is_zero():
    """Not a rounding error, which may be below zero and beside which every deviation is infinite."""
    for x, y in ((X, Y), (X0, Y0), (X - X.mean(0), Y - Y.mean(0))):
        result = train(*moments(x, y), "--layers", "5,3", "--epochs", 2, "--lr", 0.01)[0]
        assert result["tables"]["optimum"][0]["loss"] >= 0, result["tables"]["optimum"]
        for row in result["deviations"]:
            assert row["relative"] is None or row["relative"] < 1e9, row


def test_bad_covariances():
    """No data have them: refused in one line. Rounding is not an error."""
    S, T = X.T @ X / N, Y.T @ X / N

    def given(s, t):
        return ["--sigma-xx", save("s.npy", s), "--sigma-yx", save("t.npy", t), "--epochs", 1]

    bump, least, top = np.zeros((5, 5)), np.linalg.eigvalsh(S)[0], np.abs(S).max()
    bump[0, 1] = top
    for s in (S, S + 1e-8 * bump, S - (least + 1e-8 * top) * np.eye(5)):
        linnet("train", *given(s, T @ np.linalg.pinv(S) @ s))
    low = S.copy()
    low[:, 4] = low[4, :] = 0  # inputs without the fifth, with which the targets cannot covary
    for s, t in ((S + 1e-3 * bump, T), (S - (1.01 * least + 1e-4 * top) * np.eye(5), T), (-S, T), (S[:4], T), (S[:, :4], T),
                 (S, T[:, :4]), (S, T.T), (low, T), (np.where(bump, np.nan, S), T), (S, np.where(bump[:3], np.inf, T)),
                 (S[:0], T), (np.zeros((5, 5)), T), (S.ravel(), T), (S, T[0])):
        refused(*given(s, t), code=(1,))
    for more in (["--trace-yy", 1e-3], ["--data", "digits"], ["--split", 0.1], ["--whiten", 2], ["--activation", "tanh"]):
        refused(*given(S, T), *more)
    linnet("train", *given(S, T)[2:])  # alone it stands for white inputs
    for lonely in (given(S, T)[:2], ["--trace-yy", 1, *data()], [*data(), "--space", "covariance", "--activation", "relu"]):
        refused(*lonely)


# ---- Starts ----

def check_modes(W, strength, x=X, y=Y):
    """U' W V is diagonal, with the given strengths on as many modes as pass the narrowest layer; returns how many."""
    U, _, Vt = np.linalg.svd(y.T @ x / len(x))
    product, count = np.linalg.multi_dot([*W[::-1], np.eye(W[0].shape[1])]), min(min(w.shape) for w in W)
    expected = np.zeros(product.shape)
    expected[range(count), range(count)] = strength
    close(U.T @ product @ Vt.T, expected, 1e-12, "U'WV")
    return count


def test_aligned_start():
    """Any depth, equal or own strengths; the same for a seed, another hidden basis for another."""
    for widths, strengths in (([5, 3], [0.7]), ([5, 4, 3], [0.2, 0.5]), ([5, 2, 3], [0.3]), ([5, 6, 7, 4, 3], [1.5, 0.4, 0.9, 2])):
        more = [*data(), *layers(widths), "--init", "aligned:" + ",".join(map(str, strengths)), "--epochs", 0]
        h5, other = train(*more)[1], train(*more, "--seed", 1)[1]
        each = strengths * (len(widths) - 1 if len(strengths) == 1 else 1)
        count = check_modes(layers_of(h5), np.prod(each))
        for W, a in zip(layers_of(h5), each, strict=True):
            close(np.linalg.svd(W, compute_uv=False), [a] * count + [0] * (min(W.shape) - count), 1e-12, "strengths")
        same_weights(h5, train(*more)[1])
        assert len(widths) == 2 or np.abs(other["weights/1"] - h5["weights/1"]).max() > 1e-3
    rest = split(N, 0.5, 3)[0]  # modes of the training rows, or of the covariances
    for how, rows in ((moments(X, Y), slice(None)), ([*data(), "--split", 0.5, "--seed", 3], rest)):
        h5 = train(*how, "--layers", "5,4,3", "--init", "aligned:.5", "--epochs", 0)[1]
        check_modes(layers_of(h5), 0.25, X[rows], Y[rows])


def test_aligned_modes_learn_by_themselves():
    """With white inputs every mode follows its own map a += eta b (s - a b), b += eta a (s - a b)."""
    x = numpy_whiten(X, 4)[0]
    a, b, s = np.full(3, 0.1), np.full(3, 0.2), np.linalg.svd(Y.T @ x / N, compute_uv=False)
    h5 = train(*data(), "--whiten", 4, "--layers", "4,4,3", "--init", "aligned:.1,.2", *words(rule="gd", lr=0.3, epochs=12))[1]
    for _ in range(12):
        a, b = a + 0.3 * b * (s - a * b), b + 0.3 * a * (s - a * b)
    check_modes(layers_of(h5), a * b, x)


def test_balanced_start():
    """W2'W2 - W1 W1' = lambda I, the product sigma on the modes; deeper networks zero-balanced."""
    for widths, lam, sigma in (([5, 3, 3], 0.8, 0.3), ([5, 2, 3], 0.8, 0.3), ([5, 4, 3], -1.5, 0.2), ([5, 5, 3], -0.1, 0.01),
                               ([5, 2, 3], -2, None), ([5, 8, 3], 0, 0.5), ([5, 4, 6, 3], 0, 0.5), ([5, 2, 6, 4, 3], 0, None),
                               ([5, 3], 0, 0.4)):
        more = [*data(), *layers(widths), "--init", f"balanced:{lam}" + (f",{sigma}" if sigma else ""), "--seeds", 2, "--epochs", 0]
        h5 = train(*more)[1]
        for run in range(2):
            W = layers_of(h5, run)
            check_modes(W, sigma or 0.01)
            for low, high in zip(W, W[1:]):
                assert np.abs(high.T @ high - low @ low.T - lam * np.eye(len(low))).max() < 1e-13, (widths, lam)
        same_weights(h5, train(*more)[1])
        assert len(widths) == 2 or np.abs(h5["weights/1"][0] - h5["weights/1"][1]).max() > 1e-4


def test_starts_refused():
    """Values that do not fit the layers, and text that is no start."""
    for widths, init in (("5,4,3", "balanced:1"), ("5,6,3", "balanced:-1"), ("5,4,4,3", "balanced:1"), ("5,3", "balanced:1"),
                         *(("5,4,3", text) for text in (
                             "aligned:1,2,3", "aligned:", "aligned:nan", "aligned", "aligned:1,x", "balanced", "balanced:0,0",
                             "balanced:0,-1", "balanced:0,1,1", "balanced:inf", "gaussian:-1", "nothing"))):
        refused(*data(), "--layers", widths, "--init", init, "--epochs", 1)


def write_weights(*W, name="own.h5"):
    with h5py.File(path(name), "w") as file:
        for k, w in enumerate(W, 1):
            if w is not None:
                file[f"weights/{k}"] = w
    return path(name)


def test_weights_in_and_out():
    """Any /weights/1, ... start a run; two runs in a chain are one longer run, down to the last bit."""
    how = [*data(), "--optimizer", "gd", "--activation", "softplus", "--no-shuffle"]
    whole, whole_h5, _, _ = train(*how, *start([5, 4, 3]), "--epochs", 9)
    first = train(*how, *start([5, 4, 3]), "--epochs", 4, "--weights-out", path("w.h5"))
    for more in (["--weights-in", os.path.join(first[2], "result.h5")], ["--weights-in", path("w.h5"), "--weights-out", path("w.h5")]):
        result, h5, _, _ = train(*how, *more, "--epochs", 5)
        same_weights(h5, whole_h5)
        assert result["series"]["loss"] == whole["series"]["loss"][4:] and result["parameters"]["layers"] == [5, 4, 3]
    with h5py.File(path("w.h5")) as file:  # the same file in and out
        assert all(np.array_equal(file[f"weights/{k}"][()], whole_h5[f"weights/{k}"]) for k in (1, 2))
    for dtype in ("f8", "f4", ">f8"):
        W = [w.astype(dtype) for w in gaussian([5, 6, 2, 3])]
        found = layers_of(train(*data(), "--weights-in", write_weights(*W), "--epochs", 0)[1])
        assert all(np.array_equal(a, b) for a, b in zip(found, W, strict=True)), dtype
    train(*data(), *start([5, 4, 3]), "--seeds", 3, "--epochs", 0, "--weights-out", path("three.h5"))
    h5 = train(*data(), "--weights-in", path("three.h5"), "--seeds", 3, *words(rule="gd"))[1]
    for run in range(3):  # each its own
        W = descend(gaussian([5, 4, 3], run=run), X, Y, rule="gd")[-1]
        for ours, theirs in zip(layers_of(h5, run), W, strict=True):
            close(ours, theirs, TIGHT)


def test_weights_refused():
    """Layers that do not fit each other, the data or the options; other files; outputs that would destroy inputs."""
    A, B = np.ones((4, 5)), np.ones((3, 4))
    many = np.array([A] * 2), np.array([B] * 2)
    linnet("train", *data(), "--weights-in", write_weights(A, B), "--epochs", 1)
    for bad in ((A,), (A, B.T), (A[:, :4], B), (None, B), (many[0], np.array([B] * 3)), (many[0], B), (A * np.nan, B),
                (A[:0], B[:, :0]), (A, B[:2]), (A[0], B), ("text", B), (), many):
        refused(*data(), "--weights-in", write_weights(*bad), "--epochs", 1)
    refused(*data(), "--weights-in", write_weights(A, B), "--layers", "5,6,3", says=["5,4,3"])
    refused(*data(), "--weights-in", write_weights(*many), "--seeds", 3)
    for more in (["--weights-in", path("missing.h5")], ["--weights-in", path("x.npy")],
                 ["--weights-out", path("no/such/folder/w.h5")], ["--weights-out", path("x.npy")]):
        refused(*data(), *more, "--epochs", 1)
    assert np.array_equal(np.load(path("x.npy")), X)


# ---- HDF5 inputs ----

def matlab(name, **arrays):
    """A MATLAB 7.3 file: HDF5 behind a header of 512 bytes, every array transposed, its class an attribute."""
    with h5py.File(path(name), "w", userblock_size=512) as file:
        for key, value in arrays.items():
            kind = dict(f8="double", f4="single", u1="uint8")[value.dtype.str[1:]]
            file.create_dataset(key, data=value.T, chunks=True, compression=3).attrs["MATLAB_class"] = np.bytes_(kind)
    with open(path(name), "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path(name)


def same_run(a, b, *more):
    """Inputs and targets of two kinds train to the same weights."""
    how = [*more, "--epochs", 2, "--lr", 1e-3, "--init", "gaussian:.1"]
    same_weights(*(train("--inputs", x, "--targets", y, *(how if k == 0 else how[len(more):]))[1] for k, (x, y) in enumerate((a, b))))


def test_hdf5_inputs():
    """Types, layouts and filters that h5py writes train to the weights of the NPY file with the same values."""
    whole, y, names = np.round(10 * X), save("y.npy", Y), ("f8", "f4", ">f8", "i2", "i8", ">i4")
    with h5py.File(path("all.h5"), "w", libver="latest") as file:
        for dtype in names:
            file[f"type/{dtype}"] = whole.astype(dtype)
        file.create_dataset("chunked", data=X, chunks=(7, 2), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("growing", data=X, chunks=(10, 5), maxshape=(None, 5))
        file["y"], file["line"], file["labels"] = Y, Y[:, 0], C0.astype("i4")
    here, x = path("all.h5") + ":", save("x.npy", X)
    for name in names:
        same_run((f"{here}type/{name}", here + "y"), (save("whole.npy", whole), y))
    for name in ("chunked", "/growing"):
        same_run((here + name, here + "y"), (x, y))
    same_run((x, here + "line"), (x, save("line.npy", Y[:, :1])))
    same_run((x, here + "labels"), (x, save("rows.npy", ONE_HOT)), "--one-hot")
    with h5py.File(path("a:b.h5"), "w") as file:  # the only dataset needs no name; a colon may be the file's
        file["deep/inside"] = X
    for name in ("", ":deep/inside"):
        same_run((path("a:b.h5") + name, y), (x, y))


def test_hdf5_bytes():
    """Unsigned bytes stay bytes inside; the numbers are the same."""
    pixels, y = np.abs(np.round(20 * X)).astype("u1"), save("y.npy", Y)
    with h5py.File(path("bytes.h5"), "w") as file:
        file["bytes"] = pixels
    same_run((path("bytes.h5"), y), (save("bytes.npy", pixels), y))
    same_run((matlab("bytes.mat", bytes=pixels), y), (path("bytes.npy"), y))


def test_matlab_files():
    """Version 7.3 reads as MATLAB shows it: rows are rows."""
    file = matlab("m.mat", X=X, Y=Y, labels=C0[:, None].astype("f8"), single=X.astype("f4")) + ":"
    x, y = save("x.npy", X), save("y.npy", Y)
    same_run((file + "X", file + "Y"), (x, y))
    same_run((file + "single", y), (save("single.npy", X.astype("f4")), y))
    same_run((matlab("only.mat", X=X), y), (x, y))
    same_run((x, file + "labels"), (x, save("rows.npy", ONE_HOT)), "--one-hot")


def test_hdf5_refused():
    """One line each that says what is wrong, with the datasets where one must be named."""
    with h5py.File(path("bad.h5"), "w") as file:
        file["fine"], file["nan"], file["inf"] = X, np.where(X == X[3, 2], np.nan, X), np.where(X == X[3, 2], -np.inf, X)
        file["cube"], file["scalar"], file["empty"], file["flat"] = np.ones((N, 5, 2)), 1.0, np.ones((0, 5)), np.ones((N, 0))
        file["words"], file["complex"], file["null"] = np.array([[b"a"] * 5] * N), X.astype(complex), h5py.Empty("f8")
        file["loop"], file["nowhere"] = h5py.SoftLink("/loop"), h5py.SoftLink("/missing")
        file["outside"] = h5py.ExternalLink(path("missing.h5"), "x")
        file.create_group("group")["inner"] = X
    with h5py.File(path("nothing.h5"), "w"):
        pass
    y = ["--targets", save("y.npy", Y), "--epochs", 1]
    linnet("train", "--inputs", path("bad.h5") + ":group/inner", *y)
    refused("--inputs", path("bad.h5"), *y, says=["fine", "group/inner"])
    for name in ("nan", "inf", "cube", "scalar", "empty", "flat", "words", "complex", "null", "loop", "nowhere", "outside",
                 "group", "", "/", "missing"):
        refused("--inputs", f"{path('bad.h5')}:{name}", *y, says=["bad.h5", name if name in ("nan", "inf", "missing") else ""])
    for file in (path("nothing.h5"), path("y.npy") + ":x"):
        refused("--inputs", file, *y)


def test_damaged_hdf5():
    """Truncated anywhere, or a byte flipped anywhere: numbers, or one line and exit 1; never a crash, never a hang."""
    with h5py.File(path("good.h5"), "w") as file:
        file["plain"] = X[:12]
        file.create_dataset("packed", data=Y[:12], chunks=(6, 3), compression="gzip")
    matlab("good.mat", plain=X[:12], packed=Y[:12])

    def attempt(job):
        number, content = job
        file = path(f"damaged-{number}")
        with open(file, "wb") as out:
            out.write(content)
        done = subprocess.run([PROGRAM, "train", "--inputs", file + ":plain", "--targets", file + ":packed", "--epochs", "0", "--json"],
                              capture_output=True, timeout=30)
        assert done.returncode in (0, 1), (number, done.returncode, done.stderr)
        one_line = re.fullmatch(rb"linnet: [^\n]*\n", done.stderr) and not done.stdout
        assert done.returncode == 0 or one_line, (number, done.stderr, done.stdout[:80])
        return done.returncode

    for name in ("good.h5", "good.mat"):
        with open(path(name), "rb") as file:
            good = file.read()
        at = [*range(0, 96, 9), *range(96, len(good), len(good) // 80)]
        flipped = [(100 + i, good[:i] + bytes([good[i] ^ (255 if i % 2 else 1 << i % 8)]) + good[i + 1:]) for i in at]
        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(attempt, [(i, good[:len(good) * i // 16]) for i in range(16)])) == {1}, "a truncated file was read"
            assert 1 in set(pool.map(attempt, flipped)) and attempt((0, good)) == 0


# ---- Certificates ----

def rest_point(widths, epochs=3000, **how):
    """Where a long run ends: its weights and what it says about them."""
    result, h5, _, _ = train(*data(), *start(widths), *words(epochs=epochs, **how))
    return layers_of(h5), result


def test_penalised_runs_reach_the_optimum():
    """Long runs end where the optimality conditions hold for the penalty asked for; Adam's with small steps."""
    for widths, how in itertools.product(([5, 3], [5, 4, 3]), (
            dict(rule="gd", lr=0.1), dict(rule="gd", momentum=0.7), dict(batch=N, momentum=0.7, loss="sum"),
            dict(rule="adam", batch=N, lr=0.002, epochs=12000))):
        how = dict(how, l1=0.06, wd=0.05)
        W, result = rest_point(widths, **how)
        assert kkt(W, X, Y, **how) < 1e-8 and result["certificate"]["kkt"] < 1e-8, (widths, how, result["certificate"])
        assert 0 < result["certificate"]["zero_weights"] < 1, "nothing was decided by the penalty"


def test_naive_penalty():
    """The naive rule solves the problem of l1 (1 - momentum) and says so; with Adam it does not solve the one asked for."""
    for widths in ([5, 3], [5, 4, 3]):
        how = dict(rule="gd", momentum=0.6, l1=0.1, wd=0.05)
        W, result = rest_point(widths, naive=True, **how)
        assert kkt(W, X, Y, **dict(how, l1=0.1 * (1 - 0.6))) < 1e-8 and kkt(W, X, Y, **how) > 1e-3
        close(result["training"]["effective_l1"], 0.04, 1e-14)
        assert len(result["warnings"]) == 1 and "0.04" in result["warnings"][0]
        how = dict(rule="adam", batch=N, lr=0.002, l1=0.06, wd=0.05)
        assert kkt(rest_point(widths, naive=True, **how)[0], X, Y, **how) > 1e-4


# ---- Divergence ----

def diverges(*more):
    """The learning rate that the one line of a diverging run names."""
    line = refused(*more, says=["diverged"], code=(1,))
    return float(re.search(r"stable below about ([0-9.e+-]*[0-9])", line).group(1))


def test_divergence_of_linear_networks():
    """One layer: 0.9 of the rate that is named settles, 1.1 of it diverges; deeper ones name a rate that does not diverge."""
    top = np.linalg.eigvalsh(X.T @ X / N)[-1]
    for how in (dict(), dict(loss="sum"), dict(loss="mean"), dict(momentum=0.5), dict(wd=3)):
        more = [*data(), *start([5, 3])]
        named = diverges(*more, *words(rule="gd", **how, lr=1e3, epochs=3000))
        bound = 2 * (1 + how.get("momentum", 0)) / (top * 2 * SCALE[how.get("loss", "half")](K) + how.get("wd", 0))
        close(named, bound, 0.06, f"stable rate {how}")
        settled = train(*more, *words(rule="gd", **how, lr=0.9 * named, epochs=3000))[0]
        assert settled["certificate"]["kkt"] < 1e-8, how
        diverges(*more, *words(rule="gd", **how, lr=1.1 * named, epochs=9000))
    for widths, space in itertools.product(([5, 4, 3], [5, 4, 4, 3]), ("samples", "covariance")):
        more = [*data(), *start(widths), "--optimizer", "gd", "--space", space]
        linnet("train", *more, "--lr", 0.9 * diverges(*more, "--lr", 50), "--epochs", 2000)
    diverges(*moments(X, Y), *start([5, 3]), "--lr", 1e3, "--epochs", 500)


def test_divergence_of_nonlinear_networks():
    """The rate is 2 over the largest eigenvalue of the Hessian at the start, which we get by differences."""
    for phi in ("relu", "softplus"):
        flat = np.concatenate([w.ravel() for w in gaussian([5, 4, 3])])

        def slope(w):
            return np.concatenate([g.ravel() for g in gradient([w[:20].reshape(4, 5), w[20:].reshape(3, 4)], X, Y, phi, "sum")])

        H = np.array([(slope(flat + e) - slope(flat - e)) / 2e-5 for e in 1e-5 * np.eye(len(flat))])
        for more in (dict(rule="gd"), dict(), dict(rule="gd", l1=0.01)):
            named = diverges(*data(), *start([5, 4, 3]), *words(phi=phi, loss="sum", lr=1e4, epochs=100, **more))
            close(named, 2 / np.abs(np.linalg.eigvalsh((H + H.T) / 2)).max(), 0.06, phi)


# ---- apply ----

def test_apply_nonlinear():
    """Predictions of one run, of each, and their mean (not those of mean weights), prepared as in training, and scored."""
    new, targets = 2 * np.random.default_rng(5).normal(size=(11, 5)), np.ones((11, 3))
    rows = ["--inputs", save("new.npy", new), "--targets", save("ones.npy", targets)]
    for phi, prep in zip(PHI, ([], ["--centre"], ["--whiten", 4], ["--pca", 3], ["--whiten", 5])):
        z = prepare(X, new, prep)[1]
        _, h5, folder, _ = train(*data(), *prep, *start([z.shape[1], 6, 4, 3]), "--activation", phi, "--seeds", 3, "--epochs", 3)
        each = np.array([outputs(layers_of(h5, run), z, phi) for run in range(3)])
        for which, expected in (("each", each), ("mean", each.mean(0)), ("1", each[1])):
            found, result = predictions(folder, *rows, "--run", which)
            close(found, expected, 1e-11, f"{phi} {which}")
            for row, one in zip(result["tables"]["score"], expected if which == "each" else [expected], strict=True):
                close(row["half_loss"], np.sum((one - targets) ** 2) / 22, 1e-11)


if __name__ == "__main__":
    main(globals())
