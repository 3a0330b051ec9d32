"""linnet match against NumPy and SciPy: L-BFGS over all weights, dense normal equations, closed forms, scores and
cross-validation recomputed from the weights; formats, apply, and bad inputs. Files: cells in rows, stimuli in columns."""
import json
import os

from test_outputs import content, one_line, schema, valid
from test_train import close, counter, path, read_h5, save

import h5py
import numpy as np
from scipy.optimize import minimize

from e2e import linnet, linnet_json, main

RNG = np.random.default_rng(5)


def run(*words, code=0):
    """Runs with --json and --out; returns (JSON, {path: array}, folder)."""
    counter[0] += 1
    folder = path(f"match-{counter[0]}")
    done = linnet("match", *words, "--json", "--no-figure", "--out", folder, code=code)
    return json.loads(done.stdout), read_h5(folder), folder


def solution(result):
    return result["tables"]["solution"][0]


# ---- Oracles ----

def cov(A, B=None):
    B = A if B is None else B
    return (A - A.mean(0)).T @ (B - B.mean(0))


def random_problem(N, M, centred=True, factors=3, outputs=None):
    F = RNG.normal(size=(factors, M))
    X = RNG.normal(size=(N, factors)) @ F + .6 * RNG.normal(size=(N, M)) + .5
    Y = RNG.normal(size=(outputs or N + 3, factors)) @ F * .7 + .5 * RNG.normal(size=(outputs or N + 3, M))
    if centred:
        X = X - X.mean(0)
    return X, Y


def loss_and_gradient(w, X, S, lam, Z0, delta=None, free=None):
    """The full problem over all N^2 weights; delta on the diagonal where given; entries that are not free stay 0."""
    N = len(X)
    W = w.reshape(N, N)
    ZX = (Z0 + W) @ X
    E = S - cov(ZX)
    weight = np.full((N, N), lam)
    if delta is not None:
        np.fill_diagonal(weight, delta)
    G = -2 * (ZX - ZX.mean(0)) @ E @ X.T + weight * W
    if free is not None:
        G = G * free
    return .5 * np.sum(E ** 2) + .5 * np.sum(weight * W ** 2), G.ravel()


def best_of_starts(X, S, lam, Z0=None, starts=4, delta=None, free=None):
    N = len(X)
    Z0 = np.eye(N) if Z0 is None else Z0
    scale = np.sum((S - cov(Z0 @ X)) ** 2)
    best = None
    for k in range(starts):
        w0 = (k > 0) * RNG.normal(size=N * N) * .5 / np.sqrt(N)
        w0 = w0 if free is None else w0 * free.ravel()
        found = minimize(lambda w: tuple(v / scale for v in loss_and_gradient(w, X, S, lam, Z0, delta, free)), w0, jac=True,
                         method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-16, "gtol": 1e-13})
        if best is None or found.fun * scale < best[0]:
            best = found.fun * scale, found.x.reshape(N, N)
    return best


def linear_oracle(X, S, penalty, Z0=None):
    """Minimum of the linear model over all N^2 weights by dense least squares; penalty: N x N, may be infinite."""
    N, M = X.shape
    Z0 = np.eye(N) if Z0 is None else Z0
    free = np.flatnonzero(np.isfinite(penalty.ravel()))
    ZX = Z0 @ X
    base = ZX - ZX.mean(0)
    columns = []
    for at in free:
        W = np.zeros(N * N)
        W[at] = 1
        D = X.T @ W.reshape(N, N).T @ base
        columns.append((D + D.T).ravel())
    A, b = np.array(columns).T, (S - cov(ZX)).ravel()
    H = A.T @ A + np.diag(penalty.ravel()[free])
    W = np.zeros(N * N)
    W[free] = np.linalg.solve(H, A.T @ b)
    return W.reshape(N, N)


def r2(S, C, triangle):
    if triangle:
        keep = np.triu_indices(len(S))
        S, C = S[keep], C[keep]
    return 1 - np.sum((S - C) ** 2) / np.sum((S - S.mean()) ** 2)


def root(A):
    w, V = np.linalg.eigh(A)
    return (V * np.sqrt(np.maximum(w, 0))) @ V.T


# ---- The full problem ----

def test_full_against_lbfgs():
    for k, (N, M, centred) in enumerate([(12, 5, True), (9, 4, False), (15, 7, True), (10, 6, False), (20, 3, True)]):
        X, Y = random_problem(N, M, centred)
        S = cov(Y)
        lam = float(np.linalg.norm(X, 2) ** 4 * [.03, .3, .003, .1, 1][k])
        result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", repr(lam))
        W, row = h5["weights"], solution(result)
        ours = loss_and_gradient(W.ravel(), X, S, lam, np.eye(N))
        close(row["loss"], ours[0], 1e-11)
        assert np.abs(ours[1]).max() < 1e-9 * np.linalg.norm(X, 2) ** 2 * np.linalg.norm(S)
        best, there = best_of_starts(X, S, lam)
        assert row["loss"] <= best * (1 + 1e-9), (row["loss"], best)
        close(row["loss"], best, 1e-7)
        close(W, there, 1e-3)
        assert result["certificate"]["global"] is True and result["certificate"]["gap"] <= 1e-10
        assert result["certificate"]["bound"] <= best * (1 + 1e-9)
        if centred:
            close(result["certificate"]["smallest_eigenvalue"], min(1, np.linalg.eigvalsh(np.eye(N) + W)[0]), 1e-3)
        close(W.mean(0), 0 * W.mean(0), 1)
        assert np.abs(W.mean(0)).max() < 1e-12 * max(1, np.abs(W).max())
        assert result["checks"][0]["holds"]


def test_reference_and_several_trials():
    X, Y = random_problem(9, 5)
    S, lam, Z0 = cov(Y), 40., np.eye(9) + .3 * RNG.normal(size=(9, 9))
    result, h5, folder = run("--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", lam, "--reference",
                             save("Z0.npy", Z0))
    best, there = best_of_starts(X, S, lam, Z0)
    close(solution(result)["loss"], best, 1e-7)
    close(h5["weights"], there, 1e-3)
    linnet("apply", folder, "--inputs", path("X.npy"), "--out", path("ZX.npy"))
    close(np.load(path("ZX.npy")), (Z0 + h5["weights"]) @ X, 1e-13)
    X2, Y2 = X + .3 * RNG.normal(size=X.shape), Y + .3 * RNG.normal(size=Y.shape)
    X2 -= X2.mean(0)
    result, h5, _ = run("--inputs", f"{path('X.npy')},{save('X2.npy', X2)}", "--outputs",
                        f"{save('Y.npy', Y)},{save('Y2.npy', Y2)}", "--prepare", "none", "--lambda", lam)

    def both(w):
        a, b = (loss_and_gradient(w, A, cov(B), lam, np.eye(9)) for A, B in ((X, Y), (X2, Y2)))
        return (a[0] + b[0]) / 2 / 1e3, (a[1] + b[1]) / 2 / 1e3

    found = min((minimize(both, s * RNG.normal(size=81) * .1, jac=True, method="L-BFGS-B",
                          options={"maxiter": 5000, "maxfun": 9999, "ftol": 1e-16, "gtol": 1e-12}) for s in (0, 1, 1)),
                key=lambda f: f.fun)
    close(solution(result)["loss"], found.fun * 1e3, 1e-7)
    close(h5["weights"], found.x.reshape(9, 9), 1e-3)
    assert result["preparation"]["trials_fitted"] == 2


def test_not_tight():
    """One in the span of X: no certainty, and no claim; but as good as a search from several starts."""
    X, Y = random_problem(5, 8, centred=False)
    S = cov(Y)
    result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", 3)
    best, _ = best_of_starts(X, S, 3., starts=8)
    assert result["problem"]["tight"] is False and result["certificate"]["tight"] is False
    assert any("tight" in warning for warning in result["warnings"])
    assert solution(result)["loss"] <= best * (1 + 1e-6)
    assert result["certificate"]["bound"] <= solution(result)["loss"] * (1 + 1e-12)
    assert not result["checks"]


def test_covariances_alone():
    X, Y = random_problem(14, 5, centred=False)
    words = ["--target", save("S.npy", cov(Y)), "--lambda", 30]
    ours, h5, _ = run("--inputs", save("X.npy", X), *words)
    gram, g5, _ = run("--input-covariance", save("G.npy", X.T @ X), "--input-mean", save("mu.npy", X.mean(0)), "--cells", 14, *words)
    close(solution(gram)["loss"], solution(ours)["loss"], 1e-10)
    close(solution(gram)["r2_train"], solution(ours)["r2_train"], 1e-10)
    assert "weights" not in g5
    close(g5["representer"], h5["representer"], 1e-8)
    close((X - X.mean(0)) @ h5["representer"] @ X.T, h5["weights"], 1e-10)


def test_path_is_single_fits():
    X, Y = random_problem(20, 8)
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y))]
    lambdas = [3e4, 1e2, 1e-2, 1e3]
    table = run(*words, "--lambda", ",".join(map(repr, lambdas)))[0]["tables"]["path"]
    assert [row["lambda"] for row in table] == lambdas and table[0]["chosen"] and not table[1]["chosen"]
    for row in table:
        alone = solution(run(*words, "--lambda", row["lambda"])[0])
        close(row["loss"], alone["loss"], 1e-12)
        assert row["gap"] <= 1e-10 and row["global"] and row["start"] in ("linear solution", "larger lambda")
    assert any("nothing to choose" in warning for warning in run(*words, "--lambda", "1:100:3")[0]["warnings"])


# ---- The linear model ----

def test_linear_against_dense_equations():
    for N, M, centred in ((8, 4, True), (7, 9, True), (8, 5, False), (5, 9, False)):
        X, Y = random_problem(N, M, centred)
        S, lam = cov(Y), 20.
        _, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", lam, "--method", "linear")
        close(h5["weights"], linear_oracle(X, S, np.full((N, N), lam)), 1e-10)


def test_diagonals_against_dense_equations():
    N, M, lam, lam_d = 9, 5, 20., 3.
    X, Y = random_problem(N, M)
    S = cov(Y)
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", lam]
    weighted = np.full((N, N), lam)
    np.fill_diagonal(weighted, lam_d)
    _, h5, _ = run(*words, "--method", "weighted", "--lambda-diagonal", lam_d)
    close(h5["weights"], linear_oracle(X, S, weighted), 1e-9)
    np.fill_diagonal(weighted, np.inf)
    _, h5, _ = run(*words, "--method", "lateral")
    close(h5["weights"], linear_oracle(X, S, weighted), 1e-9)
    _, h5, _ = run(*words, "--method", "overlap", "--lambda-diagonal", lam_d)
    np.fill_diagonal(weighted, lam * lam_d / (lam + lam_d))  # the same Z
    close(h5["weights"], linear_oracle(X, S, weighted), 1e-9)
    close(np.diag(h5["weights"]), h5["diagonal"] * (1 + lam_d / lam), 1e-9)
    alone = np.full((N, N), np.inf)
    np.fill_diagonal(alone, lam_d)
    result, h5, _ = run(*words, "--method", "diagonal", "--lambda-diagonal", lam_d)
    W = linear_oracle(X, S, alone)
    close(h5["weights"], W, 1e-9)
    close(solution(result)["loss"], .5 * np.sum((S - cov(X + W @ X)) ** 2) + lam_d / 2 * np.sum(W ** 2), 1e-10)


def test_diagonals_of_the_full_model():
    N, M, lam, lam_d = 8, 4, 20., 5.
    X, Y = random_problem(N, M)
    S = cov(Y)
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", lam, "--starts", 5]
    for method, delta, free in (("weighted", lam_d, None), ("lateral", lam, 1 - np.eye(N)), ("diagonal", lam_d, np.eye(N))):
        extra = [] if method == "lateral" else ["--lambda-diagonal", lam_d]
        result, h5, _ = run(*words, "--method", method, "--quadratic", *extra)
        W = h5["weights"]
        best, _ = best_of_starts(X, S, lam, delta=delta, free=free, starts=8)
        close(solution(result)["loss"], loss_and_gradient(W.ravel(), X, S, lam, np.eye(N), delta)[0], 1e-9, method)
        assert solution(result)["loss"] <= best * (1 + 1e-5), (method, solution(result)["loss"], best)
    result, h5, _ = run(*words, "--method", "diagonal+full", "--lambda-diagonal", lam_d)
    z = 1 + h5["diagonal"]

    def joint(v):
        d, W = v[:N], v[N:].reshape(N, N)
        value, G = loss_and_gradient(W.ravel(), X, S, lam, np.diag(d))
        E = S - cov((np.diag(d) + W) @ X)
        ZX = (np.diag(d) + W) @ X
        data = -2 * (ZX - ZX.mean(0)) @ E @ X.T
        return (value + lam_d / 2 * np.sum((d - 1) ** 2)) / 1e3, np.r_[np.diag(data) + lam_d * (d - 1), G] / 1e3

    best = min(minimize(joint, np.r_[np.ones(N) + k * .3 * RNG.normal(size=N), np.zeros(N * N)], jac=True, method="L-BFGS-B",
                        options={"maxiter": 9000, "maxfun": 9999, "ftol": 1e-15, "gtol": 1e-11}).fun for k in range(4)) * 1e3
    W = h5["weights"] - np.diag(z - 1)
    close(solution(result)["loss"], joint(np.r_[z, W.ravel()])[0] * 1e3, 1e-8)
    assert solution(result)["loss"] <= best * (1 + 1e-5), (solution(result)["loss"], best)
    assert result["search"]["starts"] == 5


def test_lambda_zero():
    X, Y = random_problem(15, 5)
    S, G = cov(Y), X.T @ X
    U, s, VT = np.linalg.svd(X, full_matrices=False)
    inverse, half = np.linalg.inv(root(G)), root(G)
    T = {"transport": inverse @ root(half @ S @ half) @ inverse, "coral": inverse @ root(S), "zca": inverse}
    for method in ("min-weight", "transport", "coral", "zca"):
        result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", S), "--lambda", 0, "--method", method)
        ZX = X + h5["weights"] @ X
        if method == "min-weight":
            close(h5["weights"], U @ (root(VT @ S @ VT.T / np.outer(s, s)) - np.eye(5)) @ U.T, 1e-9)
        else:
            close(ZX, X @ T[method], 1e-9)
        close(cov(ZX), np.eye(5) if method == "zca" else S, 1e-9)
        rows = {row["model"]: row for row in result["tables"]["comparison"]}
        close(solution(result)["moved"], np.linalg.norm(ZX - X), 1e-9)
        assert rows["transport"]["moved"] <= min(rows["coral"]["moved"], rows["min-weight"]["moved"])
        assert rows["min-weight"]["norm"] <= min(rows["coral"]["norm"], rows["transport"]["norm"])
    bures = np.trace(G) + np.trace(S) - 2 * np.trace(root(half @ S @ half))
    close(rows["transport"]["moved"] ** 2, bures, 1e-8)
    # the limit of small lambda
    _, small, _ = run("--inputs", path("X.npy"), "--target", path("S.npy"), "--lambda", 1e-7)
    _, least, _ = run("--inputs", path("X.npy"), "--target", path("S.npy"), "--lambda", 0, "--method", "min-weight")
    close(small["weights"], least["weights"], 1e-4)


# ---- Preparation, conventions, scores ----

def zscore(X):
    return (X - X.mean(0)) / X.std(0)


def trials(N=24, Ny=30, M=7, noise=.3):
    X, Y = random_problem(N, M, False, outputs=Ny)
    return [(X + noise * RNG.normal(size=X.shape), Y + noise * RNG.normal(size=Y.shape)) for _ in range(3)]


def files(data):
    words = []
    for (X, Y), kind in zip(data, ("", "test-", "validation-")):
        words += [f"--{kind}inputs", save(f"{kind}X.npy", X), f"--{kind}outputs", save(f"{kind}Y.npy", Y)]
    return words


def test_scores_and_choice():
    data = trials()
    result, h5, _ = run(*files(data), "--lam0", "1e-2:1e5:8")
    assert result["preparation"]["kind"] == "zscore" and result["selection"]["by"] == "test trial"
    N, M = data[0][0].shape
    X, Y = [zscore(X) for X, _ in data], [Y / Y.std() for _, Y in data]
    table, row = result["tables"]["path"], solution(result)
    close([r["lam0"] for r in table], np.logspace(-2, 5, 8), 1e-12)
    close([r["lambda"] for r in table], np.logspace(-2, 5, 8) * M ** 2 / N ** 2, 1e-12)
    assert row["ratio"] == min(r["ratio"] for r in table)
    Z = np.eye(N) + h5["weights"]
    close(row["r2_train"], r2(cov(Y[0]), cov(Z @ X[0]), True), 1e-10)
    for k, name in ((1, "test"), (2, "validation")):
        S, C, C0 = cov(Y[0], Y[k]), cov(Z @ X[0], Z @ X[k]), cov(X[0], X[k])
        close(row[f"r2_{name}"], r2(S, C, False), 1e-10)
        chosen = [r for r in table if r["chosen"]][0]
        close(chosen[f"ratio_{name}"], np.sum((S - C) ** 2) / np.sum((S - C0) ** 2), 1e-10)
        close(result["tables"]["comparison"][0][f"r2_{name}"], r2(S, C0, False), 1e-10)
    by_r2 = run(*files(data), "--lam0", "1e-2:1e5:8", "--choose", "r2")[0]
    assert solution(by_r2)["r2_test"] == max(r["r2_test"] for r in by_r2["tables"]["path"])


def test_conventions():
    X, Y = trials(noise=0)[0]
    N, Ny = len(X), len(Y)
    base = ["--inputs", save("X.npy", X), "--lambda", 7]
    plain = run(*base, "--target", save("S.npy", cov(Y)))[1]["weights"]
    assert run(*base, "--target", path("S.npy"))[0]["preparation"]["kind"] == "none"
    close(run(*base, "--outputs", save("Y.npy", Y), "--prepare", "none")[1]["weights"], plain, 1e-11)
    # an average is multiplied by the number of input cells
    close(run(*base, "--target", save("mean.npy", cov(Y) / N), "--target-scale", "mean")[1]["weights"], plain, 1e-11)
    scaled = run(*base[:2], "--outputs", path("Y.npy"), "--prepare", "none", "--per-cell", "--lambda", 7 / N ** 2)[1]["weights"]
    close(scaled, run(*base, "--target", save("N.npy", cov(Y) * N / Ny))[1]["weights"], 1e-10)
    centred = run(*base, "--target", path("S.npy"), "--prepare", "centre")[1]["weights"]
    close(centred, run("--inputs", save("Xc.npy", X - X.mean(0)), "--lambda", 7, "--target", path("S.npy"))[1]["weights"], 1e-10)
    lam0 = 7 * N ** 2 / X.shape[1] ** 2
    close(run(*base[:2], "--lam0", repr(lam0), "--target", path("S.npy"))[1]["weights"], plain, 1e-11)
    skew = RNG.normal(size=(7, 7))
    result, h5, _ = run(*base, "--target", save("skew.npy", cov(Y) + skew - skew.T))
    close(h5["weights"], plain, 1e-11)
    assert any("symmetric" in warning for warning in result["warnings"])
    indefinite = run(*base, "--target", save("indefinite.npy", cov(Y) - 3 * np.eye(7)))[0]
    assert any("indefinite" in warning for warning in indefinite["warnings"]) and indefinite["certificate"]["global"]


def test_cross_validation_over_classes():
    """As many folds as classes: what is held out together is known."""
    X, Y = trials(N=26, M=9)[0]
    classes = np.array([0, 1, 2, 0, 1, 2, 2, 2, 0])
    lam0 = np.array([1e-1, 1e1, 1e3])
    for method in ("linear", "full"):
        result, _, _ = run("--inputs", save("X.npy", X), "--outputs", save("Y.npy", Y), "--lam0", ",".join(map(repr, map(float, lam0))),
                           "--cv", 3, "--classes", save("classes.npy", classes.astype(float)), "--method", method)
        Xz, N, loose = zscore(X), len(X), 1e-8 if method == "linear" else 1e-5  # folds are solved to a gap of 1e-12
        for k, row in enumerate(result["tables"]["path"]):
            S_hh, C_hh, B_hh, e_hk, b_hk = [], [], [], 0, 0
            for held in (classes == c for c in range(3)):
                Xk, Xh, kept = Xz[:, ~held], Xz[:, held], ~held
                Yk, Yh = Y[:, kept] / Y[:, kept].std(), Y[:, held] / Y[:, kept].std()
                words = ["--inputs", save("Xk.npy", Xk), "--target", save("Sk.npy", cov(Yk)), "--method", method]
                W = run(*words, "--lambda", repr(lam0[k] * kept.sum() ** 2 / N ** 2))[1]["weights"]
                Zh, Zk = Xh + W @ Xh, Xk + W @ Xk
                S_hh.append(cov(Yh).ravel()), C_hh.append(cov(Zh).ravel()), B_hh.append(cov(Xh).ravel())
                e_hk += np.sum((cov(Yh, Yk) - cov(Zh, Zk)) ** 2)
                b_hk += np.sum((cov(Yh, Yk) - cov(Xh, Xk)) ** 2)
            S, C, B = map(np.concatenate, (S_hh, C_hh, B_hh))
            close(row["r2_held_out"], 1 - np.sum((S - C) ** 2) / np.sum((S - S.mean()) ** 2), loose, method)
            close(row["ratio_held_out"], np.sum((S - C) ** 2) / np.sum((S - B) ** 2), loose)
            close(row["ratio"], (np.sum((S - C) ** 2) + 2 * e_hk) / (np.sum((S - B) ** 2) + 2 * b_hk), loose)
        assert result["selection"]["by"] == "cross-validation" and result["selection"]["folds"] == 3
    automatic = run("--inputs", path("X.npy"), "--outputs", path("Y.npy"))[0]
    assert automatic["selection"]["folds"] in (0, 6) and len(automatic["tables"]["path"]) == 19


def test_rank():
    X, Y = random_problem(14, 6)
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 5]
    W, cut = run(*words)[1]["weights"], run(*words, "--rank", 2)
    w, V = np.linalg.eigh(W)
    keep = np.argsort(-np.abs(w))[:2]
    close(cut[1]["weights"], (V[:, keep] * w[keep]) @ V[:, keep].T, 1e-9)
    close(solution(cut[0])["loss"], loss_and_gradient(cut[1]["weights"].ravel(), X, cov(Y), 5., np.eye(14))[0], 1e-9)


# ---- Files ----

def test_formats_agree():
    X, Y = trials()[0]
    np.savetxt(path("X.csv"), X, delimiter=",", fmt="%.17g")
    np.savetxt(path("Y.csv"), Y, delimiter=",", fmt="%.17g")
    with h5py.File(path("data.h5"), "w") as file:
        file["X"], file["Y"] = X, Y
    npy = run("--inputs", save("X.npy", X), "--outputs", save("Y.npy", Y), "--lambda", 3)[1]["weights"]
    for X_file, Y_file in ((path("X.csv"), path("Y.csv")), (path("data.h5:X"), path("data.h5:Y"))):
        assert np.array_equal(run("--inputs", X_file, "--outputs", Y_file, "--lambda", 3)[1]["weights"], npy)
    for name in ("W.npy", "W.csv", "W.h5"):
        for _ in range(2 if name != "W.csv" else 1):  # weights may replace weights
            linnet("match", "--inputs", path("X.npy"), "--outputs", path("Y.npy"), "--lambda", 3, "--weights-out", path(name), "--quiet")
    assert np.array_equal(np.load(path("W.npy")), npy) and np.array_equal(np.loadtxt(path("W.csv"), delimiter=","), npy)
    with h5py.File(path("W.h5")) as file:
        assert np.array_equal(file["weights"][()], npy)
    save("other.npy", X)
    line = one_line(["match", "--inputs", path("X.npy"), "--outputs", path("Y.npy"), "--lambda", 3, "--weights-out",
                     path("X.npy")], 1, ["inputs"])
    assert "overwrite" in line


def test_apply():
    X, Y = trials()[0]
    result, h5, folder = run("--inputs", save("X.npy", X), "--outputs", save("Y.npy", Y), "--lambda", 3)
    new, out = RNG.normal(size=(len(X), 4)) + 1, RNG.normal(size=(len(Y), 4))
    scored = linnet_json("apply", folder, "--inputs", save("new.npy", new), "--targets", save("out.npy", out), "--out", path("ZX.npy"))
    W, z = h5["weights"], zscore(new)
    close(np.load(path("ZX.npy")), z + W @ z, 1e-12)
    # the representer form needs inner products with the stimuli of the fit alone
    Xz = zscore(X)
    close(np.load(path("ZX.npy")), z + Xz @ h5["representer"] @ (Xz.T @ z), 1e-10)
    S, C = cov(out / Y.std()), cov(z + W @ z)
    close(scored["tables"]["score"][0]["r2"], r2(S, C, True), 1e-10)
    close(scored["tables"]["score"][0]["ratio"], np.sum((S - C) ** 2) / np.sum((S - cov(z)) ** 2), 1e-10)
    one_line(["apply", folder, "--inputs", save("few.npy", new[:-1])], 1, ["cells"])
    one_line(["apply", folder, "--data", "digits"], 2, ["--inputs"])
    one_line(["apply", folder, "--inputs", path("new.npy"), "--targets", save("y.npy", out[:, :3])], 1, ["stimuli"])


def test_run_repeats():
    folder = run("--demo", "--cells", 20, "--output-cells", 22, "--stimuli", 8, "--cv", 4, "--threads", 2)[2]
    again = path("again")
    linnet("run", os.path.join(folder, "run.yaml"), "--no-figure", "--threads", 1, "--out", again)
    assert content(folder) == content(again)


def test_json():
    validator = schema()
    X, Y = random_problem(10, 5)
    S = ["match", "--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y))]
    small = ["match", "--demo", "--cells", 20, "--output-cells", 22, "--stimuli", 8]
    columns = ["lambda", "lam0", "loss", "gap", "eta", "radius", "r2_train", "r2_test", "r2_validation", "ratio"]
    for words in ([*S, "--lambda", 5], [*S, "--lambda", 5, "--method", "linear"], [*S, "--lambda", 0, "--method", "transport"],
                  [*S, "--lambda", 5, "--lambda-diagonal", .5, "--method", "overlap"], small, [*small, "--preset", "sparse", "--cv", 4],
                  [*S, "--lam0", "1:10:2", "--method", "weighted"], [*S, "--lambda", 5, "--method", "diagonal+full"]):
        result = valid(validator, words)
        assert result["command"] == "match"
        assert list(result["tables"]["path"][0])[:10] == columns
        assert {"global", "gap", "smallest_eigenvalue"} <= set(result["certificate"])
        assert len(result["tables"]["solution"]) == 1 and result["tables"]["comparison"]


def test_demo():
    """The built-in data, with the numbers that several draws of them gave."""
    result, h5, _ = run("--demo")
    table = {round(np.log10(row["lam0"]), 1): row for row in result["tables"]["path"]}
    linear = {round(np.log10(row["lam0"]), 1): row for row in run("--demo", "--method", "linear")[0]["tables"]["path"]}
    assert len(table) == 19 and result["preparation"]["cells"] == 148 and h5["weights"].shape == (148, 148)
    assert all(row["gap"] <= 1e-10 and row["global"] for row in result["tables"]["path"])
    assert .8 < table[6.]["r2_train"] < .97 and .6 < table[6.]["r2_validation"] < .9
    assert linear[6.]["r2_validation"] < -1 and .02 < table[9.]["eta"] < .08
    assert abs(table[9.]["r2_validation"] - linear[9.]["r2_validation"]) < .05
    assert result["selection"]["by"] == "test trial"
    linnet("match", "--demo", "--cells", 20, "--output-cells", 22, "--stimuli", 8, "--out", path("figures"))
    drawn = {name for name in os.listdir(path("figures")) if name.endswith(".svg")}
    assert drawn == {f"figure-{name}.svg" for name in ("weights", "balance", "diagonal", "path")}


# ---- Edges and bad input ----

def test_edges():
    X, Y = random_problem(6, 1)
    result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 1)  # one stimulus
    close(solution(result)["loss"], best_of_starts(X, cov(Y), 1.)[0], 1e-7)
    one = run("--inputs", save("X.npy", RNG.normal(size=(1, 4))), "--target", save("S.npy", np.eye(4)), "--lambda", 1)  # one cell
    assert not one[1]["weights"].any() and any("one cell" in warning for warning in one[0]["warnings"])
    X, Y = random_problem(12, 6)
    X[:, 5] = X[:, 0] - X[:, 1]  # dependent stimuli
    result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 2)
    assert result["problem"]["rank"] == 5 and any("rank 5" in warning for warning in result["warnings"])
    close(solution(result)["loss"], best_of_starts(X, cov(Y), 2.)[0], 1e-7)
    X, Y = random_problem(6, 9)  # more stimuli than cells
    result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 2)
    assert result["problem"]["rank"] == 5 and solution(result)["loss"] <= best_of_starts(X, cov(Y), 2., starts=8)[0] * (1 + 1e-7)
    huge = run("--inputs", save("X.npy", X * 1e6), "--target", save("S.npy", cov(Y) * 1e12), "--lambda", 2e24)
    close(huge[1]["weights"], h5["weights"], 1e-7)


def test_bad_input():
    X, Y = random_problem(10, 5, centred=False)
    X_file, Y_file, S_file = save("X.npy", X), save("Y.npy", Y), save("S.npy", cov(Y))
    base = ["match", "--inputs", X_file, "--target", S_file]
    one_line(["match"], 2, ["--inputs"])
    one_line(["match", "--inputs", X_file], 2, ["--outputs", "--target"])
    one_line([*base, "--outputs", Y_file], 2, ["--outputs"])
    one_line(["match", "--demo", "--inputs", X_file], 2)
    one_line(["match", "--inputs", X_file, "--outputs", save("less.npy", Y[:, :4])], 1, [4, 5, "stimuli"])
    one_line(["match", "--inputs", X_file, "--target", save("S4.npy", cov(Y)[:4, :4])], 1, ["4 x 4", 5])
    one_line([*base, "--lambda", -1], 2, ["-1"])
    one_line([*base, "--lambda", "five"], 2, ["five"])
    one_line([*base, "--lambda", "1:0:3"], 2, ["FIRST"])
    one_line([*base, "--lambda", 0], 2, ["min-weight"])
    one_line([*base, "--lambda", 1, "--method", "transport"], 2, ["--lambda 0"])
    one_line([*base, "--lambda", 1, "--lam0", 1], 2, ["lam0"])
    one_line([*base, "--lambda", 1, "--lambda-diagonal", 1], 2, ["overlap"])
    one_line([*base, "--lambda", 1, "--prepare", "none", "--method", "overlap"], 2, ["--prepare centre"])
    one_line([*base, "--lambda", 1, "--cv", 6], 1, [6, 5])
    one_line([*base, "--lambda", 1, "--test-inputs", X_file], 2, ["trial"])
    one_line([*base, "--lambda", 1, "--reference", X_file], 1, ["10 x 5"])
    bad = X.copy()
    bad[3, 2] = np.nan
    one_line(["match", "--inputs", save("nan.npy", bad), "--target", S_file, "--lambda", 1], 1, ["row 4", "column 3"])
    bad = X.copy()
    bad[:, 2] = 3
    one_line(["match", "--inputs", save("flat.npy", bad), "--outputs", Y_file, "--lambda", 1], 1, ["stimulus 3", "equally"])
    result = linnet_json(*base, "--lambda", 1, "--method", "overlap")
    assert result["preparation"]["kind"] == "centre" and any("--prepare centre" in warning for warning in result["warnings"])


def test_tolerance_not_met():
    X, Y = random_problem(10, 5)
    words = ["match", "--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 1e-3, "--json"]
    result = json.loads(linnet(*words).stdout)
    assert result["checks"][0]["tolerance"] == 1e-10 and result["checks"][0]["holds"]


if __name__ == "__main__":
    main(globals())
