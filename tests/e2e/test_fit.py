"""linnet fit on one's own rows against NumPy: explicit Jacobians, normal equations, evidence and bands recomputed from the
weights; the linear inverse problem; classes; apply; and bad inputs."""
import json
import os
import signal
import subprocess
import time

from test_outputs import one_line, schema
from test_train import close, counter, path, read_h5, save

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import t

from e2e import PROGRAM, linnet, linnet_json, main

RNG = np.random.default_rng(60)
I = np.arange(40)
X = (-3 + 6 * I / 39)[:, None]
Y = (1.2 * np.tanh(1.5 * X + 1.5) - np.tanh(2 * X - 2) + .3) + .05 * np.sqrt(2) * np.sin(I * I)[:, None]


def bump():
    return ["--inputs", save("fit-x.npy", X), "--targets", save("fit-y.npy", Y)]


def run(*words, code=0):
    """Runs with --json and --out; returns (JSON, {path: array}, folder)."""
    counter[0] += 1
    folder = path(f"fit-{counter[0]}")
    done = linnet("fit", *words, "--json", "--no-figure", "--out", folder, code=code)
    result = json.loads(done.stdout)
    assert not list(schema().iter_errors(result))
    return result, read_h5(folder), folder


def row(result, table):
    assert len(result["tables"][table]) == 1
    return result["tables"][table][0]


def by_rows(result, part):
    return next(r for r in result["tables"]["scores"] if r["rows"] == part)


# ---- Oracles ----

def layers_of(h5):
    layers = []
    while f"weights/{len(layers) + 1}" in h5:
        l = len(layers) + 1
        layers.append((h5[f"weights/{l}"], h5.get(f"biases/{l}")))
    return layers


def outputs(layers, X):
    """tanh layers, the last one linear."""
    Z = X.T
    for l, (W, b) in enumerate(layers):
        Z = W @ Z + (0 if b is None else b[:, None])
        Z = np.tanh(Z) if l < len(layers) - 1 else Z
    return Z.T


def vector(layers):
    """Layer by layer W column by column, then b: the order of table weights."""
    return np.concatenate([np.concatenate([W.T.ravel(), [] if b is None else b]) for W, b in layers])


def unvector(w, like):
    layers, at = [], 0
    for W, b in like:
        W = w[at:at + W.size].reshape(W.T.shape).T
        at += W.size
        if b is not None:
            b = w[at:at + b.size]
            at += b.size
        layers.append((W, b))
    return layers


def jacobian(layers, X):
    """Rows sample by sample, output by output; by central differences of a complex step's accuracy."""
    w = vector(layers).astype(complex)
    B = []
    for j in range(len(w)):
        v = w.copy()
        v[j] += 1e-30j
        B.append(outputs(unvector(v, layers), X).imag.ravel() / 1e-30)
    return np.array(B).T


def log_evidence(B, e, w, alpha, beta, C=None):
    """Laplace's, with the curvature beta B'B (B' C B of classes) + diag alpha; e: residuals."""
    A = beta * B.T @ B + np.diag(alpha)
    return (.5 * np.sum(np.log(alpha)) + len(e) / 2 * np.log(beta / 2 / np.pi) - beta / 2 * e @ e
            - .5 * np.sum(alpha * w * w) - .5 * np.linalg.slogdet(A)[1])


# ---- Least squares ----

def test_least_squares_and_its_covariance():
    result, h5, _ = run(*bump(), "--hidden", 2)
    layers = layers_of(h5)
    w, B, e = vector(layers), jacobian(layers, X), (Y - outputs(layers, X)).ravel()
    sse = e @ e
    close(sse, .08932013, 1e-7)
    close(result["fit"]["sse"], sse, 1e-12)
    close(result["fit"]["noise_sd"] ** 2, sse / 33, 1e-12)
    assert np.max(np.abs(B.T @ e) / np.linalg.norm(B, axis=0)) < 1e-9 * np.sqrt(sse)
    S = sse / 33 * np.linalg.inv(B.T @ B)
    close(h5["posterior/covariance"], S, 1e-8)
    table = result["tables"]["weights"]
    close([r["value"] for r in table], w, 1e-15)
    close([r["sd"] for r in table], np.sqrt(np.diag(S)), 1e-8)
    close([r["z"] for r in table], w / np.sqrt(np.diag(S)), 1e-8)
    assert [r["weight"] for r in table] == ["W1[1,1]", "W1[2,1]", "b1[1]", "b1[2]", "W2[1,1]", "W2[1,2]", "b2[1]"]
    close(np.sort(np.abs(layers[0][0].ravel())), [1.45341874, 2.08304067], 1e-7)
    close(np.sort([r["sd"] for r in table][:2]), [.08597926, .14580932], 1e-6)
    assert result["certificate"]["rank"] == 7 and result["certificate"]["least_curvature"] > 0
    close(result["certificate"]["radius"], .0604137, 1e-4)
    assert row(result, "methods")["success"] == 1 and row(result, "methods")["distinct"] == 1


def test_band_is_that_of_the_linearised_network():
    result, h5, _ = run(*bump(), "--hidden", 2, "--coverage", .8)
    layers, s = layers_of(h5), result["series"]["prediction"]
    x = np.array(s["x"])[:, None]
    B = jacobian(layers, x)
    variance = np.einsum("ij,jk,ik->i", B, h5["posterior/covariance"], B)
    close(s["mean"], outputs(layers, x).ravel(), 1e-12)
    close(np.array(s["sd"]) ** 2, variance, 1e-8)
    reach = t.ppf(.9, 33) * np.sqrt(variance + result["fit"]["noise_sd"] ** 2)
    close(np.array(s["high"]) - s["mean"], reach, 1e-8)
    close(np.array(s["mean"]) - s["low"], reach, 1e-8)


def test_methods_reach_the_same_minimum():
    for words in (["--method", "lbfgs"], ["--projection"], ["--solver", "svd"], ["--solver", "cholesky"],
                  ["--solver", "lsmr"], ["--solver", "dual"], ["--scaling", "more"], ["--no-acceleration"],
                  ["--start", "random"], ["--method", "line-search", "--starts", 40]):
        result = linnet_json("fit", *bump(), "--hidden", 2, *words)
        close(result["fit"]["sse"], .08932013, 1e-6)


def test_success_counts_starts():
    result, _, _ = run(*bump(), "--hidden", 3, "--starts", 12, "--start", "random", "--seed", 3)
    sse = np.array([r["sse"] for r in result["tables"]["starts"]])
    assert len(sse) == 12
    close(row(result, "methods")["success"], np.mean(sse <= 1.01 * sse.min()), 1e-15)
    close(row(result, "methods")["iterations"], np.median([r["iterations"] for r in result["tables"]["starts"]]), 1e-15)


# ---- Evidence ----

def test_evidence_of_the_bump():
    result, h5, folder = run(*bump(), "--hidden", 2, "--evidence")
    e = result["evidence"]
    close(e["alpha"], .47088610, 1e-6)
    close(e["beta"], 368.5015578, 1e-7)
    close(e["gamma"], 6.96871042, 1e-8)
    close(e["log_evidence"], 33.50024299, 1e-9)
    close(e["log_symmetries"], np.log(8), 1e-14)
    layers = layers_of(h5)
    w, B, r = vector(layers), jacobian(layers, X), (Y - outputs(layers, X)).ravel()
    alpha, beta = e["alpha"], e["beta"]
    close(log_evidence(B, r, w, np.full(7, alpha), beta), e["log_evidence"], 1e-10)
    close(h5["posterior/covariance"], np.linalg.inv(beta * B.T @ B + alpha * np.eye(7)), 1e-8)
    assert np.max(np.abs(beta * B.T @ r - alpha * w)) < 1e-6
    out = path("fit-bands.npy")
    linnet("apply", folder, "--inputs", save("fit-new.npy", np.array([[0.], [1.]])), "--out", out)
    close(np.load(out), [[2.35351691, .02362549], [1.47105005, .02696636]], 1e-6)


def test_evidence_by_layers():
    result, h5, _ = run(*bump(), "--hidden", 2, "--evidence", "--per-layer")
    layers = layers_of(h5)
    w, B, r = vector(layers), jacobian(layers, X), (Y - outputs(layers, X)).ravel()
    groups = result["tables"]["groups"]
    assert [g["group"] for g in groups] == ["W1", "b1", "W2", "b2"]
    alpha = np.repeat([g["alpha"] for g in groups], [2, 2, 2, 1])
    beta = result["evidence"]["beta"]
    S = np.linalg.inv(beta * B.T @ B + np.diag(alpha))
    gamma = 1 - alpha * np.diag(S)
    for g, part in zip(groups, (slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7))):
        close(g["gamma"], np.sum(gamma[part]), 1e-7)
        close(g["alpha"], np.sum(gamma[part]) / np.sum(w[part] ** 2), 1e-5)
    close(beta, (40 - gamma.sum()) / (r @ r), 1e-6)
    close(result["evidence"]["log_evidence"], log_evidence(B, r, w, alpha, beta), 1e-9)


def test_given_alpha_and_given_noise():
    result, h5, _ = run(*bump(), "--hidden", 2, "--alpha", 2, "--noise-sd", .1)
    layers = layers_of(h5)
    w, B, r = vector(layers), jacobian(layers, X), (Y - outputs(layers, X)).ravel()
    assert np.max(np.abs(100 * B.T @ r - 2 * w)) < 1e-6
    close(result["evidence"]["log_evidence"], log_evidence(B, r, w, np.full(7, 2.), 100.), 1e-9)
    close(h5["posterior/covariance"], np.linalg.inv(100 * B.T @ B + 2 * np.eye(7)), 1e-8)
    result, h5, _ = run(*bump(), "--hidden", 2, "--alpha", 2)
    beta, gamma = result["evidence"]["beta"], result["evidence"]["gamma"]
    r = (Y - outputs(layers_of(h5), X)).ravel()
    close(beta, (40 - gamma) / (r @ r), 1e-6)


def test_sizes_by_evidence():
    result, _, _ = run(*bump(), "--sizes", "0,1,2,3", "--split", .2, "--evidence")
    table = result["tables"]["sizes"]
    assert [r["hidden"] for r in table] == [0, 1, 2, 3] and [r["weights"] for r in table] == [2, 4, 7, 10]
    evidence = [r["log_evidence"] for r in table]
    assert result["evidence"]["chosen"] == table[int(np.argmax(evidence))]["hidden"] == 2
    close(result["evidence"]["log_evidence"], max(evidence), 1e-12)
    alone = linnet_json("fit", *bump(), "--hidden", 2, "--split", .2, "--evidence")
    close(alone["evidence"]["log_evidence"], max(evidence), 1e-12)
    close(by_rows(alone, "held out")["log_density"], table[2]["held_out"], 1e-12)


# ---- Linear inverse problems ----

def problem(n=60, k=5):
    A = RNG.normal(size=(n, k)) * 10. ** np.arange(k)
    x = RNG.normal(size=k) / 10. ** np.arange(k)
    return A, x


def test_the_covariance_is_the_inverse():
    A, x = problem()
    d = A @ x + RNG.normal(size=len(A))
    words = ["--inputs", save("fit-A.npy", A), "--targets", save("fit-d.npy", d), "--hidden", 0, "--noise-sd", 1]
    result, h5, _ = run(*words)
    S = np.linalg.inv(A.T @ A)
    size = np.sqrt(np.diag(S))
    assert result["network"]["biases"] is False and "intercept" in result["fit"]
    assert np.max(np.abs(h5["posterior/covariance"] - S) / np.outer(size, size)) < 1e-11
    close(h5["weights/1"].ravel() * 10. ** np.arange(5), S @ A.T @ d * 10. ** np.arange(5), 1e-11)
    table = result["tables"]["covariance"]
    close([[r[f"W1[1,{j + 1}]"] for j in range(5)] for r in table], h5["posterior/covariance"], 1e-15)
    close([r["sd"] for r in result["tables"]["weights"]], size, 1e-11)
    _, h5, _ = run(*words, "--bias")
    A1 = np.c_[A, np.ones(len(A))]
    close(np.append(h5["weights/1"].ravel(), h5["biases/1"]) / np.append(x, 1),
          np.linalg.lstsq(A1, d, rcond=None)[0] / np.append(x, 1), 1e-9)


def test_unequal_and_dependent_noise():
    A, x = problem()
    sd = RNG.uniform(.5, 3, len(A))
    d = A @ x + sd * RNG.normal(size=len(A))
    words = ["--inputs", save("fit-A.npy", A), "--targets", save("fit-d.npy", d), "--hidden", 0]
    F = RNG.normal(size=(len(A), len(A)))
    C = np.diag(sd ** 2) + F @ F.T / len(A)
    for option, matrix, inverse in (("--noise-sd", sd, np.diag(sd ** -2)), ("--noise-cov", C, np.linalg.inv(C))):
        result, h5, _ = run(*words, option, save("fit-noise.npy", matrix))
        S = np.linalg.inv(A.T @ inverse @ A)
        size = np.sqrt(np.diag(S))
        assert np.max(np.abs(h5["posterior/covariance"] - S) / np.outer(size, size)) < 1e-10
        assert np.max(np.abs(h5["weights/1"].ravel() - S @ A.T @ inverse @ d) / size) < 1e-9
        r = d - A @ h5["weights/1"].ravel()
        close(result["fit"]["sse"], r @ inverse @ r, 1e-10)
    result, _, _ = run(*words, "--noise-cov", save("fit-noise.npy", C / 100))
    assert "as large as --noise-cov says" in " ".join(result["warnings"])
    result, h5, _ = run(*words, "--noise-cov", save("fit-noise.npy", C), "--alpha", 3)
    S = np.linalg.inv(A.T @ inverse @ A + 3 * np.eye(5))
    size = np.sqrt(np.diag(S))
    assert np.max(np.abs(h5["posterior/covariance"] - S) / np.outer(size, size)) < 1e-9
    M = C + A @ A.T / 3  # of the data
    exact = -.5 * (len(A) * np.log(2 * np.pi) + np.linalg.slogdet(M)[1] + d @ np.linalg.solve(M, d))
    close(result["evidence"]["log_evidence"], exact, 1e-8)  # M has condition 3e9: NumPy has no more digits


def test_noise_of_rows_follows_the_split():
    A, x = problem(n=50)
    sd = np.linspace(.1, 5, 50)
    d = A @ x + sd * RNG.normal(size=50)
    # the standard deviation as an input says which rows were held out
    words = ["--inputs", save("fit-A.npy", np.c_[A, sd]), "--targets", save("fit-d.npy", d), "--hidden", 0, "--split", .3]
    result, h5, folder = run(*words, "--noise-sd", save("fit-noise.npy", sd), "--seed", 5)
    held = result["series"]["held_out"]["target"]
    rows = [i for i in range(50) if d[i] not in held]
    B = np.c_[A, sd][rows] / sd[rows, None]
    close(h5["posterior/covariance"] / np.linalg.inv(B.T @ B), np.ones((6, 6)), 1e-7)
    inside = by_rows(result, "held out")["coverage"]
    band = result["series"]["held_out"]
    close(inside, np.mean((np.array(band["low"]) <= held) & (held <= np.array(band["high"]))), 1e-15)
    close(result["deviations"][0]["simulated"], inside, 1e-15)
    sd[[i for i in range(50) if i not in rows][0]] = -1
    one_line(["fit", *words, "--noise-sd", save("fit-noise.npy", sd), "--seed", 5], 1, ["standard deviation above 0"])


def test_covariance_over_many_data_sets():
    """What the program calls the covariance is that of the estimates from 200,000 data sets of noise with a covariance: a
    random matrix of 5 x 5 from so many draws is off by about sqrt(6/200000) = 0.55 %."""
    A, x = problem(n=30, k=5)
    F = RNG.normal(size=(30, 30))
    C = np.eye(30) + F @ F.T / 10
    L = np.linalg.cholesky(C)
    scale = 10. ** np.arange(5)
    _, h5, _ = run("--inputs", save("fit-A.npy", A / scale), "--targets", save("fit-d.npy", A @ x), "--hidden", 0,
                   "--noise-cov", save("fit-noise.npy", C))
    S = h5["posterior/covariance"]
    K = S @ (A / scale).T @ np.linalg.inv(C)
    X = (K @ L @ RNG.normal(size=(30, 200000))).T
    assert np.linalg.norm(np.cov(X.T) - S) < .02 * np.linalg.norm(S)


def test_more_unknowns_than_data():
    A, d = RNG.normal(size=(5, 9)), RNG.normal(size=5)
    words = ["--inputs", save("fit-A.npy", A), "--targets", save("fit-d.npy", d), "--hidden", 0, "--noise-sd", 1]
    result, h5, _ = run(*words)
    close(h5["weights/1"].ravel(), np.linalg.pinv(A) @ d, 1e-10)
    assert "more weights" in " ".join(result["warnings"]) and "posterior/covariance" not in h5
    assert all(r["sd"] is None for r in result["tables"]["weights"])
    result, h5, folder = run(*words, "--alpha", 2)
    S = np.linalg.inv(A.T @ A + 2 * np.eye(9))
    close(h5["posterior/covariance"], S, 1e-12)
    close(h5["weights/1"].ravel(), S @ A.T @ d, 1e-10)
    new = RNG.normal(size=(3, 9))
    out = path("fit-wide.npy")
    linnet("apply", folder, "--inputs", save("fit-new.npy", new), "--out", out)
    close(np.load(out), np.c_[new @ S @ A.T @ d, np.sqrt(np.einsum("ij,jk,ik->i", new, S, new))], 1e-10)


def test_several_targets():
    Y2 = np.c_[Y, Y ** 2]
    result, h5, folder = run("--inputs", save("fit-x.npy", X), "--targets", save("fit-y2.npy", Y2), "--hidden", 4,
                             "--evidence")
    layers = layers_of(h5)
    B = jacobian(layers, X)
    beta, alpha = result["evidence"]["beta"], result["evidence"]["alpha"]
    S = np.linalg.inv(beta * B.T @ B + alpha * np.eye(B.shape[1]))
    sd = np.sqrt(np.einsum("ij,jk,ik->i", B, S, B)).reshape(40, 2)
    out = path("fit-two.npy")
    scored = linnet_json("apply", folder, "--inputs", path("fit-x.npy"), "--targets", path("fit-y2.npy"), "--out", out)
    close(np.load(out), np.c_[outputs(layers, X), sd], 1e-6)
    close(row(scored, "score")["rmse"], np.sqrt(np.mean((Y2 - outputs(layers, X)) ** 2)), 1e-10)
    assert set(result["series"]["prediction"]) == {"output1", "output2"}


# ---- Classes ----

def classes_problem(n, k, q):
    Z = RNG.normal(size=(n, k))
    W = RNG.normal(size=(q, k)) * 1.5
    F = Z @ W.T + RNG.gumbel(size=(n, q))
    return Z, np.argmax(F, axis=1)


def test_logistic_regression():
    Z, c = classes_problem(80, 3, 2)
    words = ["--inputs", save("fit-Z.npy", Z), "--targets", save("fit-c.npy", c[:, None]), "--one-hot", "--hidden", 0]
    result, h5, folder = run(*words, "--alpha", .7)
    Z1 = np.c_[Z, np.ones(80)]
    w = minimize(lambda w: np.sum(np.logaddexp(0, Z1 @ w) - c * (Z1 @ w)) + .35 * w @ w, np.zeros(4), method="BFGS",
                 options={"gtol": 1e-10}).x
    close(np.append(h5["weights/1"].ravel(), h5["biases/1"]), w, 1e-5)
    w = np.append(h5["weights/1"].ravel(), h5["biases/1"])
    p = expit(Z1 @ w)
    A = Z1.T @ (Z1 * (p * (1 - p))[:, None]) + .7 * np.eye(4)
    close(h5["posterior/covariance"], np.linalg.inv(A), 1e-10)
    loglik = np.sum(np.log(np.where(c, p, 1 - p)))
    close(result["evidence"]["log_evidence"],
          2 * np.log(.7) + loglik - .35 * w @ w - .5 * np.linalg.slogdet(A)[1], 1e-10)
    sd = np.sqrt(np.einsum("ij,jk,ik->i", Z1, np.linalg.inv(A), Z1))
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    mean = expit(Z1 @ w[:, None] + sd[:, None] * node) @ weight / weight.sum()
    close(result["series"]["prediction"]["probability"], mean, 1e-8)
    score = by_rows(result, "fitted")
    close(score["accuracy"], np.mean((p > .5) == c), 1e-15)
    close(score["log_score"], np.mean(np.log(np.where(c, mean, 1 - mean))), 1e-8)
    out = path("fit-p.npy")
    linnet("apply", folder, "--inputs", path("fit-Z.npy"), "--out", out)
    close(np.load(out).ravel(), mean, 1e-8)


def test_several_classes():
    Z, c = classes_problem(90, 3, 3)
    words = ["--inputs", save("fit-Z.npy", Z), "--targets", save("fit-c.npy", c[:, None]), "--one-hot", "--hidden", 0]
    result, h5, folder = run(*words, "--evidence")
    W, b = layers_of(h5)[0]
    F = Z @ W.T + b
    P = np.exp(F - logsumexp(F, axis=1)[:, None])
    D = np.eye(3)[c]
    alpha = result["evidence"]["alpha"]
    g = np.concatenate([((D - P).T @ Z).T.ravel(), (D - P).sum(0)]) - alpha * vector([(W, b)])
    assert np.max(np.abs(g)) < 1e-5
    out = path("fit-p.npy")
    linnet("apply", folder, "--inputs", path("fit-Z.npy"), "--out", out)
    p = np.load(out)
    close(p.sum(1), np.ones(90), 1e-12)
    close(by_rows(result, "fitted")["log_score"], np.mean(np.log(p[np.arange(90), c])), 1e-10)
    close(by_rows(result, "fitted")["accuracy"], np.mean(np.argmax(F, 1) == c), 1e-15)


def test_digits_of_two_classes():
    result, h5, folder = run("--data", "digits", "--classes", "0,1", "--hidden", 10, "--likelihood", "bernoulli", "--split",
                             .2, "--starts", 2)
    assert by_rows(result, "held out")["accuracy"] > .97
    assert result["fit"]["separable"] and "separable" in " ".join(result["warnings"])
    scored = linnet_json("apply", folder, "--data", "digits")
    assert row(scored, "score")["accuracy"] > .99 and "other classes" in " ".join(scored["warnings"])


def test_classes_in_another_order():
    words = ["--inputs", save("fit-x.npy", X), "--targets", save("fit-c.npy", (X > .5).astype(float)), "--one-hot"]
    _, _, folder = run(*words, "--classes", "1,0", "--hidden", 0)
    assert row(linnet_json("apply", folder, *words), "score")["accuracy"] > .95


def test_separable_classes_without_prior():
    c = (X.ravel() > .5).astype(float)
    result, _, _ = run("--inputs", save("fit-x.npy", X), "--targets", save("fit-s.npy", c), "--likelihood", "bernoulli",
                       "--hidden", 0, "--alpha", 0)
    assert "without a prior there is no finite fit" in " ".join(result["warnings"])


# ---- What is left behind ----

def test_results_repeat():
    result, h5, folder = run(*bump(), "--hidden", 3, "--evidence", "--threads", 1)
    again, _, _ = run(*bump(), "--hidden", 3, "--evidence", "--threads", 2)
    for r in (result, again):
        del r["parameters"]
    assert result == again
    linnet("run", f"{folder}/run.yaml", "--out", path("fit-again"), "--no-figure")
    assert open(f"{folder}/result.h5", "rb").read() == open(path("fit-again/result.h5"), "rb").read()


def test_weights_out_has_biases():
    out = path("fit-w.h5")
    _, h5, _ = run(*bump(), "--hidden", 2, "--weights-out", out)
    import h5py
    with h5py.File(out) as f:
        close(f["weights/1"][:], h5["weights/1"], 0)
        close(f["biases/2"][:], h5["biases/2"], 0)
    one_line(["train", *bump(), "--layers", "1,2,1", "--weights-in", out], 1, ["biases"])


def test_prepared_inputs():
    """Whitened inputs: the series is over the inputs as given, and apply prepares new ones."""
    result, h5, folder = run("--inputs", save("fit-x.npy", 1e6 * X + 5e6), "--targets", save("fit-y.npy", Y), "--hidden", 2,
                             "--whiten", 1)
    s = result["series"]["prediction"]
    assert abs(s["x"][0] - 1e6 * (-3.6 + 5)) < 1
    out = path("fit-prepared.npy")
    linnet("apply", folder, "--inputs", save("fit-new.npy", np.array(s["x"])[:, None]), "--out", out)
    close(np.load(out), np.c_[s["mean"], s["sd"]], 1e-9)
    close(result["fit"]["sse"], .08932013, 1e-6)


# ---- Bad input ----

def test_limits_are_said():
    result, _, _ = run(*bump(), "--hidden", 3, "--iterations", 3, code=3)
    assert result["certificate"]["stop"] == "limit" and "not at its end" in " ".join(result["warnings"])
    result, _, _ = run(*bump(), "--hidden", 3, "--start", "zero")
    assert result["certificate"]["least_curvature"] < 0 and "saddle" in " ".join(result["warnings"])
    result, _, _ = run(*bump(), "--hidden", 2, "--activation", "relu")
    assert "rescaled" in " ".join(result["warnings"]) and result["tables"]["weights"][0]["sd"] is None


def test_scales():
    for scale in (1e6, 1e-8):
        result, _, _ = run("--inputs", save("fit-x.npy", X * scale), "--targets", save("fit-y.npy", Y), "--hidden", 2)
        close(result["fit"]["sse"], .08932013, 1e-6)
        assert "unit scale" in " ".join(result["warnings"])


def test_odd_rows():
    constant = ["--inputs", save("fit-x.npy", X), "--targets", save("fit-y.npy", np.full((40, 1), 3.))]
    assert "constant" in " ".join(run(*constant, "--hidden", 2)[0]["warnings"])
    one = ["--inputs", save("fit-x1.npy", X[:1]), "--targets", save("fit-y1.npy", Y[:1])]
    assert "more weights" in " ".join(run(*one, "--hidden", 2)[0]["warnings"])
    run(*one, "--hidden", 0)
    run("--inputs", save("fit-x0.npy", np.zeros((40, 2))), "--targets", save("fit-y.npy", Y), "--hidden", 2)
    equal = RNG.normal(size=(20, 2))[:, [0, 1, 1]]
    result, _, _ = run("--inputs", save("fit-A.npy", equal), "--targets", save("fit-d.npy", equal[:, 0]), "--hidden", 0)
    assert result["certificate"]["rank"] == 2 and "determine 2 of the 3" in " ".join(result["warnings"])


def test_bands_of_few_rows_are_of_a_t_distribution():
    """Noise that is estimated from few residuals makes a t distribution: n - k degrees of freedom, with a prior n - gamma."""
    for _ in range(5):
        w, A, A2 = RNG.normal(size=2), RNG.normal(size=(5, 2)), RNG.normal(size=(400, 2))
        files = [save("fit-A.npy", A), save("fit-A2.npy", A2)]
        d, d2 = ((B @ w + .5 * RNG.normal(size=len(B)))[:, None] for B in (A, A2))
        words = ["--inputs", files[0], "--targets", save("fit-d.npy", d), "--test-inputs", files[1], "--test-targets",
                 save("fit-d2.npy", d2), "--hidden", 0]
        result, _, _ = run(*words)
        band, s2 = result["series"]["held_out"], result["fit"]["variance"]
        mean, low, sd = (np.array(band[name]) for name in ("mean", "low", "sd"))
        wide = np.sqrt(sd**2 + s2)
        assert result["fit"]["freedom"] == 3
        close((mean - low) / wide, np.full(400, t.ppf(.975, 3)), 1e-9)
        score = by_rows(result, "held out")
        close(score["log_density"], np.mean(t.logpdf((d2[:, 0] - mean) / wide, 3) - np.log(wide)), 1e-12)
        close(score["coverage"], np.mean(abs(d2[:, 0] - mean) <= t.ppf(.975, 3) * wide), 1e-12)
    result, _, folder = run(*words, "--evidence")
    close(result["fit"]["freedom"], 5 - result["evidence"]["gamma"], 1e-12)
    close(result["fit"]["freedom"], json.loads(linnet("fit", *words, "--evidence", "--json").stdout)["fit"]["freedom"], 0)
    applied = linnet_json("apply", folder, "--inputs", files[1])
    close(applied["series"]["predicted"]["low"], result["series"]["held_out"]["low"], 1e-12)
    assert run(*words, "--noise-sd", .5)[0]["fit"]["freedom"] is None


def test_noise_is_what_the_rank_leaves():
    A = RNG.normal(size=(30, 4))
    d = save("fit-d.npy", A @ [1, 2, 3, 4] + RNG.normal(size=30))
    plain, _, _ = run("--inputs", save("fit-A.npy", A), "--targets", d, "--hidden", 0)
    double, _, _ = run("--inputs", save("fit-A2.npy", A[:, [0, 1, 2, 3, 0]]), "--targets", d, "--hidden", 0)
    close([double["fit"][name] for name in ("variance", "noise_sd", "freedom")],
          [plain["fit"][name] for name in ("variance", "noise_sd", "freedom")], 1e-10)


def test_wrong_noise_is_said():
    A = RNG.normal(size=(60, 3))
    files = ["--inputs", save("fit-A.npy", A), "--targets", save("fit-d.npy", A @ [1, 2, 3] + RNG.normal(size=60)), "--hidden", 0]
    for words in (["--noise-sd", 10], ["--noise-cov", save("fit-C.npy", 100 * np.eye(60))]):
        assert f"as large as {words[0]} says" in " ".join(run(*files, *words)[0]["warnings"])
    for words in (["--noise-sd", "1e-200"], ["--noise-sd", "1e200"]):
        one_line(["fit", *files, *words], 1, ["scale them"])


def test_apply_says_what_its_band_is_of():
    _, _, folder = run(*bump(), "--hidden", 2, "--noise-sd", save("fit-sd.npy", np.linspace(.03, .08, 40)))
    for words in ([], ["--targets", save("fit-y.npy", Y)]):
        applied = linnet_json("apply", folder, "--inputs", save("fit-new.npy", X), *words)
        assert not list(schema().iter_errors(applied)) and applied["applied"]["of"] == "means"
        assert "of the mean alone" in " ".join(applied["warnings"])
        close(applied["series"]["predicted"]["x"], X[:, 0], 1e-12)


def test_an_interrupt_keeps_sizes_that_are_finished():
    inputs = RNG.normal(size=(1500, 8))
    files = ["--inputs", save("fit-A.npy", inputs), "--targets", save("fit-d.npy", np.sin(inputs[:, :3]))]
    words = [PROGRAM, "fit", *files, "--sizes", "0,60", "--starts", "500", "--json", "--no-figure"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    result = json.loads(out)
    assert process.returncode == 130 and result["interrupted"] and "1 of 2 sizes" in " ".join(result["warnings"])
    assert [r["hidden"] for r in result["tables"]["sizes"]] == [0] and not list(schema().iter_errors(result))


def test_bad_input_is_named():
    x, y = save("fit-x.npy", X), save("fit-y.npy", Y)
    bad = np.array(Y)
    bad[3] = np.nan
    A, sd = save("fit-A.npy", RNG.normal(size=(9, 2))), save("fit-sd.npy", np.ones(7))
    cases = [(["--inputs", x, "--targets", y, "--likelihood", "bernoulli"], 1, "not between 0 and 1"),
             (["--inputs", x, "--targets", y, "--likelihood", "categorical"], 2, "column for each class"),
             (["--inputs", x, "--targets", save("fit-nan.npy", bad)], 1, "nan"),
             (["--inputs", x, "--targets", sd], 1, ""),
             (["--inputs", x, "--targets", y, "--hidden", "2,0"], 2, "stands alone"),
             (["--inputs", x, "--targets", y, "--noise-sd", "-1"], 1, "standard deviation"),
             (["--inputs", x, "--targets", y, "--noise-sd", sd], 1, "one standard deviation for each"),
             (["--inputs", x, "--targets", y, "--noise-cov", A], 1, "covariance of the noise of 40"),
             (["--inputs", x, "--targets", y, "--noise-cov", A, "--noise-sd", "1"], 2, "exclude"),
             (["--inputs", x, "--targets", y, "--noise-cov", A, "--evidence"], 2, "independent noise"),
             (["--inputs", x, "--targets", y, "--solver", "pinv"], 2, "naive"),
             (["--inputs", x, "--targets", y, "--start", "optimum"], 2, "naive"),
             (["--inputs", x, "--targets", y, "--sizes", "2", "--hidden", "3"], 2, "leave out --hidden"),
             (["--inputs", x, "--targets", y, "--sizes", "2,2"], 2, "twice"),
             (["--inputs", x, "--targets", y, "--classes", "0,1"], 1, "not classes"),
             (["--data", "digits", "--classes", "1,17"], 1, "class 17"),
             (["--data", "digits", "--classes", "1"], 2, "two"),
             (["--data", "digits", "--likelihood", "bernoulli"], 2, "--classes A,B"),
             (["--data", "digits", "--method", "lbfgs"], 2, "gaussian"),
             ([], 2, "")]
    for words, code, text in cases:
        one_line(["fit", *words], code, [text])


def test_damaged_fits_are_refused():
    import h5py
    _, _, folder = run(*bump(), "--hidden", 2)
    new = save("fit-new.npy", X)
    damages = [("posterior/s", None), ("biases/2", None), ("posterior/V", np.ones((3, 3))), ("biases/1", np.ones(5)),
               ("posterior/scale", np.full(7, np.nan))]
    original = open(f"{folder}/result.h5", "rb").read()
    for name, value in damages:
        open(f"{folder}/result.h5", "wb").write(original)
        with h5py.File(f"{folder}/result.h5", "a") as f:
            del f[name]
            if value is not None:
                f[name] = value
        one_line(["apply", folder, "--inputs", new, "--out", path("never.npy")], 1)
    open(f"{folder}/result.h5", "wb").write(original)
    one_line(["apply", folder, "--inputs", save("fit-two.npy", np.c_[X, X]), "--out", path("never.npy")], 1)


main(globals())
