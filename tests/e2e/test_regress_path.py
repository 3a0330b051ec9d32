"""linnet regress path and regress learning against NumPy: coordinate descent and closed forms written from the objective,
leave-one-out by refits, k-fold by refits, certificates checked against both; formats, apply, and bad inputs."""
import json

from test_outputs import content, one_line, valid, schema
from test_train import SCRATCH, Stream, close, counter, digits, path, read_h5, save

import numpy as np

from e2e import linnet, main

SPLIT = 5
rng = np.random.default_rng(3)


def run(*words, code=0, command="path"):
    """Runs with --json and --out; returns (JSON, {path: array}, folder)."""
    counter[0] += 1
    folder = path(f"path-{counter[0]}")
    done = linnet("regress", command, *words, "--json", "--no-figure", "--out", folder, code=code)
    return json.loads(done.stdout), read_h5(folder), folder


def data(X, y, *more):
    counter[0] += 1
    return ["--inputs", save(f"X{counter[0]}.npy", X), "--targets", save(f"y{counter[0]}.npy", y), *more]


def problem(n, D, noise=0.3, nonzero=4, targets=0):
    X = rng.normal(size=(n, D)) * rng.uniform(0.3, 3, D) + rng.normal(size=D)
    W = np.zeros((D, max(targets, 1)))
    W[:nonzero] = rng.normal(size=W[:nonzero].shape)
    Y = X @ W + noise * rng.normal(size=(n, max(targets, 1))) + 0.7
    return X, Y if targets else Y[:, 0]


# ---- Oracles ----

class Problem:
    """The objective of the manual, with its preparation."""

    def __init__(self, X, y, alpha, intercept=True, standardize=True, weight=None):
        self.X, self.y, self.alpha = X, y, alpha
        self.v = np.ones(len(X)) if weight is None else weight / weight.mean()
        mean = (self.v[:, None] * X).mean(0)
        self.center = mean if intercept else 0 * mean
        self.scale = np.sqrt((self.v[:, None] * (X - mean) ** 2).mean(0)) if standardize else np.ones(X.shape[1])
        self.y_mean = (self.v[:, None] * y.reshape(len(y), -1)).mean(0) if intercept else np.zeros(y.reshape(len(y), -1).shape[1])
        self.Z = (X - self.center) / self.scale
        self.r0 = y.reshape(len(y), -1) - self.y_mean

    def objective(self, w, a, lam):
        """Of coefficients as they are reported; w (features, targets)."""
        w = w.reshape(self.X.shape[1], -1)
        r = self.y.reshape(len(self.y), -1) - self.X @ w - a
        u = self.scale[:, None] * w
        return (self.v[:, None] * r ** 2).sum() / (2 * len(r)) + lam * (
            self.alpha * np.abs(u).sum() + (1 - self.alpha) / 2 * (u ** 2).sum())

    def back(self, u):
        w = u / self.scale[:, None]
        return w, self.y_mean - self.center @ w

    def ridge(self, lam):
        n, D = self.Z.shape
        A = self.Z.T @ (self.v[:, None] * self.Z) / n
        b = self.Z.T @ (self.v[:, None] * self.r0) / n
        if lam == 0:
            root = np.sqrt(self.v)[:, None]
            return self.back(np.linalg.pinv(root * self.Z, rcond=1e-12) @ (root * self.r0))
        return self.back(np.linalg.solve(A + lam * np.eye(D), b))

    def lasso(self, lam, u=None, tolerance=1e-13):
        """Coordinate descent over all features until nothing moves."""
        n, D = self.Z.shape
        u = np.zeros(D) if u is None else u.copy()
        r = self.r0[:, 0] - self.Z @ u
        square = (self.v[:, None] * self.Z ** 2).mean(0)
        for _ in range(100000):
            moved = 0
            for j in range(D):
                c = square[j] * u[j] + (self.v * self.Z[:, j]) @ r / n
                new = np.sign(c) * max(abs(c) - lam * self.alpha, 0) / (square[j] + lam * (1 - self.alpha))
                if new != u[j]:
                    moved = max(moved, abs(new - u[j]))
                    r += self.Z[:, j] * (u[j] - new)
                    u[j] = new
            if moved <= tolerance * max(1, np.abs(u).max()):
                break
        return u, self.back(u[:, None])


# ---- Paths ----

def check_path(words, p, tolerance=1e-9, at=(5, 12, 19)):
    """A path of 20 penalties of one target."""
    result, h5, folder = run(*words, "--lambdas", 20, "--min-ratio", 0.01, "--gap", 1e-10)
    rows = result["tables"]["path"]
    lam, W, a = h5["path/lambda"], h5["path/coefficients"], h5["path/intercept"]
    assert W.shape == (20, p.X.shape[1]) and a.shape == (20,) and len(rows) == 20
    close([row["lambda"] for row in rows], lam, 0)
    close(np.diff(np.log(lam)), np.full(19, np.log(0.01) / 19), 1e-10)
    top = np.abs(p.Z.T @ (p.v * p.r0[:, 0])).max() / len(p.X) / max(p.alpha, 1e-3)
    close(lam[0], top, 1e-12, "lambda_max")
    null = p.objective(np.zeros(p.X.shape[1]), p.y_mean, 0)
    u = None
    for k, row in enumerate(rows):
        primal = p.objective(W[k], a[k], lam[k])
        close(row["primal"], primal, 1e-11, "primal")
        assert row["nnz"] == np.count_nonzero(W[k]) and row["gap"] >= 0
        close(row["explained"], 1 - 2 * row["loss"] / (2 * null), 1e-7) if k else None
        assert row["relative_gap"] <= 1e-10 and abs(row["relative_gap"] * null - row["gap"]) <= 1e-9 * row["gap"] + 1e-300
        u, (w, b) = p.lasso(lam[k], u) if p.alpha else (None, p.ridge(lam[k]))
        least = p.objective(w, b, lam[k])
        assert primal - least <= row["gap"] + 1e-13 * null, (primal - least, row["gap"])
        if k in at:
            close(W[k], w[:, 0], tolerance, f"coefficients at {k}")
            close(a[k], b[0], tolerance)
    if p.alpha:
        assert rows[0]["nnz"] == 0
    assert result["checks"][0]["holds"] and result["certificate"]["unconverged"] == 0
    return result, h5, folder


def test_path_is_that_of_coordinate_descent():
    """Every preparation, with and without weights, for three kinds of penalty."""
    for n, D in ((60, 9), (40, 70)):
        X, y = problem(n, D)
        weight = rng.uniform(0, 2, n)
        weight[3] = 0
        for alpha, kind in ((1, "lasso"), (0.5, "elastic:0.5"), (0, "ridge")):
            for intercept in (True, False):
                for standardize in (True, False):
                    v = weight if intercept != standardize else None
                    more = ([] if intercept else ["--no-intercept"]) + ([] if standardize else ["--no-standardize"])
                    more += ["--row-weights", save("v.npy", weight)] if v is not None else []
                    check_path(data(X, y, "--penalty", kind, *more), Problem(X, y, alpha, intercept, standardize, v), 1e-6)


def test_command_of_the_issue():
    X, y = problem(200, 30)
    words = "--penalty lasso --lambdas 100 --min-ratio 0.01 --gap 1e-8 --no-intercept --no-standardize".split()
    result, h5, _ = run(*data(X, y), *words)
    assert len(result["tables"]["path"]) == 100 and h5["path/coefficients"].shape == (100, 30)
    assert all(row["relative_gap"] <= 1e-8 for row in result["tables"]["path"])
    assert not np.any(h5["path/intercept"])


def test_homotopy_is_descent():
    for n, D in ((50, 12), (30, 60)):
        X, y = problem(n, D)
        v = rng.uniform(0.1, 2, n)
        p = Problem(X, y, 1, weight=v)
        result, h5, _ = check_path(data(X, y, "--method", "homotopy", "--row-weights", save("v.npy", v)), p, 1e-7)
        knots = h5["path/knots"]
        assert np.all(np.diff(knots) < 0) and result["homotopy"]["knots"] == len(knots)
        close(knots[0], h5["path/lambda"][0], 1e-12)
    one_line(["regress", "path", *data(X, y), "--method", "homotopy", "--penalty", "ridge"], 2, ["homotopy", "lasso"])


def test_sparse_inputs():
    """Kept sparse, and the same numbers."""
    X = rng.normal(size=(120, 50)) * (rng.random((120, 50)) < 0.06) * rng.uniform(1, 5, 50)
    y = X[:, :5].sum(1) + 0.1 * rng.normal(size=120)
    for alpha, kind in ((1, "lasso"), (0.3, "elastic:0.3")):
        result, _, _ = check_path(data(X, y, "--penalty", kind), Problem(X, y, alpha), 1e-6)
        assert result["problem"]["storage"] == "sparse"
        close(result["problem"]["density"], np.count_nonzero(X) / X.size, 1e-12)
    assert check_path(data(X, y, "--penalty", "ridge"), Problem(X, y, 0))[0]["problem"]["storage"] == "dense"


# ---- Ridge ----

def left_out(p, lam, i):
    """Residuals of the fit without row i, the preparation and n lambda kept."""
    n, D = p.Z.shape
    keep = np.arange(n) != i
    v, Z, y = p.v[keep], p.Z[keep], p.r0[keep]
    F = np.hstack([Z, np.ones((n - 1, 1))]) if np.any(p.center) else Z
    root = np.sqrt(v / n)[:, None]
    penalty = lam * np.eye(F.shape[1])
    if np.any(p.center):
        penalty[-1, -1] = 0
    if lam == 0:
        b = np.linalg.pinv(root * F, rcond=1e-12) @ (root * y)
    else:
        b = np.linalg.solve((root * F).T @ (root * F) + penalty, (root * F).T @ (root * y))
    row = np.append(p.Z[i], 1) if np.any(p.center) else p.Z[i]
    return p.r0[i] - row @ b


def test_ridge_of_several_targets():
    """Coefficients, leave-one-out by refits, GCV and degrees of freedom from the hat matrix; sums over the targets."""
    for n, D, intercept, weighted in ((40, 8, True, False), (25, 40, False, False), (40, 8, True, True), (30, 6, False, True)):
        X, Y = problem(n, D, targets=3)
        v = rng.uniform(0.2, 3, n) if weighted else None
        more = ([] if intercept else ["--no-intercept"]) + (["--row-weights", save("v.npy", v)] if weighted else [])
        lams = [3, 0.1, 1e-4] + ([0] if D < n else [])
        result, h5, _ = run(*data(X, Y, "--penalty", "ridge", "--lambda", ",".join(map(str, lams[::-1])), *more))
        p = Problem(X, Y, 0, intercept, weight=v)
        assert h5["path/coefficients"].shape == (len(lams), D, 3) and h5["path/intercept"].shape == (len(lams), 3)
        close(h5["path/lambda"], lams, 0, "descending")
        for k, lam in enumerate(lams):
            row, (w, a) = result["tables"]["path"][k], p.ridge(lam)
            close(h5["path/coefficients"][k], w, 1e-8)
            close(h5["path/intercept"][k], a, 1e-7)
            close(row["primal"], p.objective(w, a, lam), 1e-9)
            root = np.sqrt(p.v / n)[:, None]
            F = root * p.Z
            H = F @ np.linalg.solve(F.T @ F + (lam or 1e-14) * np.eye(D), F.T)
            df = np.trace(H) + intercept
            close(row["df"], df, 1e-6)
            rss = (p.v[:, None] * (Y - X @ w - a) ** 2).sum() / n
            close(row["gcv"], rss / (1 - df / n) ** 2, 1e-5)
            close(row["loo"], sum(p.v[i] * (left_out(p, lam, i) ** 2).sum() for i in range(n)) / n, 1e-6, "loo")


def test_least_norm_at_lambda_zero():
    """More features than rows: the rows are fitted exactly by the least |u|; ridge and lasso."""
    X, y = problem(15, 40)
    for kind, standardize in (("ridge", True), ("ridge", False), ("lasso", True), ("elastic:0.5", False)):
        more = [] if standardize else ["--no-standardize"]
        result, h5, _ = run(*data(X, y, "--penalty", kind, "--lambda", "0.1,0", *more))
        w, a = Problem(X, y, 0, standardize=standardize).ridge(0)
        close(h5["path/coefficients"][1], w[:, 0], 1e-8)
        assert np.abs(X @ h5["path/coefficients"][1] + h5["path/intercept"][1] - y).max() < 1e-9
        assert any("least norm" in line for line in result["warnings"]), result["warnings"]


def test_digits():
    """All ten classes by ridge; an elastic net of one of them."""
    X, Y = digits()
    result, h5, _ = run("--data", "digits", "--penalty", "ridge", "--cv", 10)
    live = X.std(0) > 0
    p = Problem(X[:, live], Y, 0)
    k = result["cv"]["index_min"]
    w, a = p.ridge(h5["path/lambda"][k])
    close(h5["path/coefficients"][k][live], w, 1e-9)
    assert not h5["path/coefficients"][:, ~live].any()
    assert any("3 of the 64 features are constant" in line for line in result["warnings"])
    assert result["certificate"]["relative_gap"] < 1e-12 and 0 < k < 99
    result, h5, _ = run("--data", "digits", "--penalty", "elastic:0.5", "--target", 3, "--lambdas", 10)
    one = Problem(X[:, live], Y[:, 3], 0.5)
    close(result["tables"]["path"][9]["primal"], one.objective(*one.lasso(h5["path/lambda"][9])[1], h5["path/lambda"][9]), 1e-10)


# ---- Cross-validation and rows held out ----

def folds_of(n, k, seed):
    fold = [i % k for i in range(n)]
    Stream(seed, 0, Stream.SHUFFLE).shuffle(fold)
    return np.array(fold)


def test_cross_validation_by_refits():
    """Every fold prepared anew; the documented stream; lambda.min and lambda.1se."""
    for kind, alpha, targets, weighted in (("lasso", 1, 0, False), ("elastic:0.4", 0.4, 0, True), ("ridge", 0, 2, True),
                                           ("ridge", 0, 0, False)):
        X, y = problem(43, 6, targets=targets, noise=1)
        v = rng.uniform(0.2, 2, 43) if weighted else np.ones(43)
        more = ["--row-weights", save("v.npy", v)] if weighted else []
        result, h5, _ = run(*data(X, y, "--penalty", kind, "--cv", 5, "--lambdas", 12, "--seed", 9, *more), "--threads", 2)
        lam, fold = h5["path/lambda"], h5["cv/fold"].astype(int)
        assert np.array_equal(fold, folds_of(43, 5, 9))
        errors = np.zeros((5, 12))
        for f in range(5):
            keep, Y = fold != f, y.reshape(43, -1)
            p = Problem(X[keep], y[keep], alpha, weight=v[keep])
            for k in range(12):
                w, a = p.ridge(lam[k]) if alpha == 0 else p.lasso(lam[k])[1]
                errors[f, k] = (v[~keep, None] * (Y[~keep] - X[~keep] @ w - a) ** 2).sum() / v[~keep].sum()
        close(h5["cv/errors"], errors, 1e-7)
        share = np.array([v[fold == f].sum() for f in range(5)]) / v.sum()
        mean = share @ errors
        se = np.sqrt(share @ (errors - mean) ** 2 / 4)
        close([row["cv"] for row in result["tables"]["path"]], mean, 1e-7)
        close([row["cv_se"] for row in result["tables"]["path"]], se, 1e-6)
        best = int(mean.argmin())
        one_se = int(np.flatnonzero(mean <= mean[best] + se[best])[0])
        cv = result["cv"]
        assert (cv["index_min"], cv["index_1se"]) == (best, one_se)
        close([cv["lambda_min"], cv["lambda_1se"]], lam[[best, one_se]], 0)
        assert [row["choice"] for row in result["tables"]["choices"]][:2] == ["lambda.min", "lambda.1se"]


def test_rows_held_out():
    X, y = problem(50, 5)
    v = rng.uniform(0.5, 2, 50)
    result, h5, _ = run(*data(X, y, "--penalty", "lasso", "--split", 0.3, "--seed", 4, "--row-weights", save("v.npy", v)))
    order = list(range(50))
    Stream(4, 0, SPLIT).shuffle(order)
    held, rest = np.sort(order[:15]), np.sort(order[15:])
    W, a = h5["path/coefficients"], h5["path/intercept"]
    p = Problem(X[rest], y[rest], 1, weight=v[rest])
    close(result["tables"]["path"][50]["primal"], p.objective(W[50], a[50], h5["path/lambda"][50]), 1e-11)
    test = [(v[held] * (y[held] - X[held] @ W[k] - a[k]) ** 2).sum() / v[held].sum() for k in range(100)]
    close([row["test"] for row in result["tables"]["path"]], test, 1e-10)
    files = ["--test-inputs", save("tx.npy", X[held]), "--test-targets", save("ty.npy", y[held])]
    result = run(*data(X[rest], y[rest]), *files)[0]
    assert len(result["tables"]["path"]) == 100 and result["tables"]["path"][0]["test"] > 0


# ---- Apply ----

def predicted(folder, X, *words, code=0):
    linnet("apply", folder, "--inputs", save("new.npy", X), "--out", path("p.npy"), *words, code=code)
    return np.load(path("p.npy"))


def test_apply():
    X, y = problem(60, 6)
    N = rng.normal(size=(7, 6))
    result, h5, folder = run(*data(X, y, "--penalty", "lasso", "--cv", 5))
    lam, W, a = h5["path/lambda"], h5["path/coefficients"], h5["path/intercept"]
    for words, k in (([], result["cv"]["index_min"]), (["--lambda", "min"], result["cv"]["index_min"]),
                     (["--lambda", "1se"], result["cv"]["index_1se"]), (["--lambda", repr(lam[17])], 17)):
        close(predicted(folder, N, *words)[:, 0], N @ W[k] + a[k], 1e-12)
    between = 0.3 * lam[20] + 0.7 * lam[21]
    close(predicted(folder, N, "--lambda", repr(between))[:, 0], 0.3 * (N @ W[20] + a[20]) + 0.7 * (N @ W[21] + a[21]), 1e-9)
    result, h5, folder = run(*data(X, y, "--penalty", "ridge", "--lambdas", 7, "--pca", 3))
    mean, A = h5["preparation/mean"], h5["preparation/map"]
    close(predicted(folder, N)[:, 0], (N - mean) @ A.T @ h5["path/coefficients"][6] + h5["path/intercept"][6], 1e-11)
    for bad in (["--lambda", "min"], ["--lambda", "x"], ["--lambda", 1e9], ["--run", "each"]):
        one_line(["apply", folder, "--inputs", path("new.npy"), *bad], 2)
    one_line(["apply", folder, "--inputs", save("few.npy", N[:, :4])], 1, ["4", "6"])


def test_apply_to_classes():
    X, Y = digits()
    for words, columns in (([], slice(None)), (["--target", 3], slice(3, 4))):
        result, h5, folder = run("--data", "digits", "--penalty", "ridge", "--lambda", "0.05", *words)
        W = h5["path/coefficients"][0].reshape(64, -1)
        F = X @ W + h5["path/intercept"][0]
        close(predicted(folder, X), F, 1e-11)
        score = json.loads(linnet("apply", folder, "--data", "digits", "--json").stdout)["tables"]["score"][0]
        close(score["half_loss"], ((F - Y[:, columns]) ** 2).sum() / 2 / len(X), 1e-10)
        if not words:
            close(score["accuracy"], np.mean(F.argmax(1) == Y.argmax(1)), 1e-12)


# ---- Bad inputs ----

def test_constant_and_equal_columns():
    X, y = problem(40, 6)
    X[:, 2] = 4
    X[:, 5] = X[:, 1]
    for kind in ("lasso", "elastic:0.5", "ridge"):
        result, h5, _ = run(*data(X, y, "--penalty", kind, "--lambdas", 10))
        W = h5["path/coefficients"]
        assert not W[:, 2].any() and result["problem"]["constant_features"] == 1 and result["problem"]["equal_features"] == 1
        assert result["certificate"]["relative_gap"] <= 1e-8
        assert any("1 of the 6 features are constant" in line for line in result["warnings"])
        assert any("5, equal to 1" in line for line in result["warnings"]) == (kind == "lasso")
        if kind != "lasso":
            close(W[:, 1], W[:, 5], 1e-6)
    result, _, _ = run(*data(X, y, "--no-intercept", "--no-standardize"))
    assert result["problem"]["constant_features"] == 0


def test_extreme_shapes():
    for n, D in ((5, 500), (2000, 2), (3, 1), (2, 2)):
        X, y = problem(n, D, nonzero=1)
        for kind in ("lasso", "ridge", "elastic:0.5"):
            result, h5, _ = run(*data(X, y, "--penalty", kind, "--lambdas", 20))
            assert h5["path/coefficients"].shape == (20, D) and result["certificate"]["relative_gap"] <= 1e-8


def test_scales():
    """Targets and features of any size: coefficients scale."""
    X, y = problem(30, 5)
    base = run(*data(X, y, "--lambdas", 10))[1]["path/coefficients"]
    for a, b in ((1e100, 1), (1e-100, 1), (1, 1e100), (1, 1e-60)):
        close(run(*data(X * b, y * a, "--lambdas", 10))[1]["path/coefficients"] * b / a, base, 1e-6)


def test_not_converged():
    """Exit 3, with the gap in a warning; the results are there."""
    X, y = problem(60, 80, nonzero=30)
    words = data(X, y, "--max-epochs", 1, "--gap", 1e-15)
    done = linnet("regress", "path", *words, "--json", code=3)
    result = json.loads(done.stdout)
    assert not result["checks"][0]["holds"] and result["certificate"]["unconverged"] > 0
    assert any("did not reach the relative gap" in line and "--max-epochs" in line for line in result["warnings"])
    assert "did not reach" in linnet("regress", "path", *words, code=3).stdout


def test_bad_inputs():
    X, y = problem(20, 3)

    def refused(code, says, X=X, y=y, more=()):
        return one_line(["regress", "path", *data(X, y, *more)], code, says)

    refused(1, ["constant"], y=np.full(20, 3.5))
    refused(1, ["constant"], y=np.zeros(20), more=["--no-intercept"])
    linnet("regress", "path", *data(X, np.full(20, 3.5), "--no-intercept"))  # there it is not
    bad = X.copy()
    bad[4, 1] = np.nan
    refused(1, ["row 5", "column 2"], X=bad)
    for cell, says in (("", "missing"), ("NA", "missing"), ("nan", "not a finite number"), ("x", "not a finite number")):
        lines = [",".join(f"{x}" for x in row) for row in X]
        lines[6] = f"{X[6, 0]},{cell},{X[6, 2]}"
        with open(path("bad.csv"), "w") as file:
            file.write("\n".join(["a,b,c", *lines]) + "\n")
        one_line(["regress", "path", "--inputs", path("bad.csv"), "--targets", save("y.npy", y)], 1, ["line 8", "column 2", says])
    refused(1, ["20", "19"], y=y[:19])
    Y = np.stack([y, y], 1)
    refused(2, ["--target"], y=Y)
    refused(2, ["--target 2"], y=Y, more=["--target", 2])
    refused(2, ["elastic:ALPHA"], more=["--penalty", "elastic"])
    for text in ("elastic:2", "elastic:-1", "elastic:x", "l1", "elastic:nan"):
        refused(2, ["--penalty"], more=["--penalty", text])
    for text in ("-1", "a", "", "1,,2", "nan"):
        refused(2, ["--lambda"], more=["--lambda", text])
    refused(2, ["--cv 1"], more=["--cv", 1])
    refused(2, ["--cv 21", "20"], more=["--cv", 21])
    refused(2, ["--min-ratio"], more=["--lambda", "1", "--min-ratio", 0.1])
    refused(1, ["row 3", "negative"], more=["--row-weights", save("v.npy", np.array([1, 1, -1] + 17 * [1.0]))])
    refused(1, ["0"], more=["--row-weights", save("v.npy", np.zeros(20))])
    refused(1, ["19", "20"], more=["--row-weights", save("v.npy", np.ones(19))])
    one_line(["regress", "path"], 2, ["data"])


# ---- Records ----

def test_json_and_repetition():
    """Valid, byte for byte again from run.yaml, on any number of threads."""
    X, y = problem(40, 5)
    validator = schema()
    for words in (["regress", "path", *data(X, y)], ["regress", "path", *data(X, y, "--penalty", "ridge", "--cv", 4)],
                  ["regress", "path", *data(X, y, "--penalty", "lasso", "--cv", 4, "--split", 0.2)],
                  ["regress", "path", *data(X, y, "--penalty", "lasso", "--method", "homotopy", "--lambda", "0.1")],
                  ["regress", "path", "--data", "digits", "--penalty", "ridge", "--lambda", "0.1"],
                  ["regress", "learning", *data(X, y, "--draws", 3)], ["regress", "learning", *data(X, y, "--draws", 1, "--cv", 0)]):
        assert valid(validator, words)["command"] == " ".join(words[:2])
        linnet(*words, "--out", path("one"), "--threads", 1, "--force")
        linnet("run", path("one/run.yaml"), "--out", path("two"), "--threads", 2, "--force")
        assert content(path("one")) == content(path("two"))
    for folder in ("one",):
        assert any(name.endswith(".svg") for name in content(path(folder)))


# ---- How much more data would help ----

def standard(X, Y):
    return (X - X.mean(0)) / X.std(0), Y.reshape(len(Y), -1) - Y.reshape(len(Y), -1).mean(0)


def transfer(Z, Y, n, same):
    """From hat matrices: lambda on n rows with the effective ridge that all rows have at `same`, the test error, and its
    relative standard error."""
    N = len(Z)
    x, V = np.linalg.eigh(Z @ Z.T / N)
    p = ((V.T @ Y) ** 2).sum(1) / N
    live = x > 1e-10 * x.max()

    def of(lam):
        df = (x[live] / (x[live] + lam)).sum() + 1
        return lam / (1 - df / N), df

    kappa, df = of(same)
    h = 1e-5
    (k1, d1), (k2, d2) = of(same * (1 - h)), of(same * (1 + h))
    df2 = df + kappa * (d2 - d1) / (k2 - k1)
    H = Z @ np.linalg.solve(Z.T @ Z / N + same * np.eye(Z.shape[1]), Z.T) / N
    gcv = ((Y - H @ Y) ** 2).sum() / N / (1 - df / N) ** 2
    weights, rest, M = (same / (x + same))[live] ** 2 * p[live], p[~live].sum(), N - 1 - live.sum()
    relative = np.sqrt(2 / 3 * (weights ** 2).sum() + (2 * rest ** 2 / M if M else 0)) / (weights.sum() + (rest if M else 0))
    return kappa * (1 - df / n), gcv * (1 - df2 / N) / (1 - df2 / n), relative


def test_learning_predictions():
    """The prediction from hat matrices and differences of them, the noise from least squares."""
    for N, D, targets in ((120, 20, 2), (60, 90, 0), (80, 30, 0)):
        X, Y = problem(N, D, noise=2, nonzero=D, targets=targets)
        Z, Yc = standard(X, Y)
        result, h5, _ = run(*data(X, Y, "--draws", 2, "--sizes", "20,50"), command="learning")
        rows = result["tables"]["sizes"]
        assert [row["rows"] for row in rows] == [20, 50, N, 2 * N, 4 * N]
        for row in rows:
            grid = np.array([transfer(Z, Yc, row["rows"], same) for same in np.geomspace(1e-4, 1e4, 600)])
            grid = grid[(grid[:, 0] > 0) & (grid[:, 1] > 0)]
            fine = grid[grid[:, 2] <= 1.5 * grid[:, 2].min()]
            best = fine[fine[:, 1].argmin()]
            close(row["predicted"], best[1], 1e-2, f"{N} {D} {row}")
            close(row["predicted_se"] / row["predicted"], best[2], 3e-2)
        for row in run(*data(X, Y, "--draws", 2, "--sizes", "20,50", "--lambda", 0.8), command="learning")[0]["tables"]["sizes"]:
            low, high = 1e-6, 1e6
            for _ in range(100):
                middle = np.sqrt(low * high)
                low, high = (low, middle) if transfer(Z, Yc, row["rows"], middle)[0] > 0.8 else (middle, high)
            close(row["predicted"], transfer(Z, Yc, row["rows"], high)[1], 1e-4)
            assert row["lambda"] == 0.8
        x = np.linalg.svd(Z / np.sqrt(N), compute_uv=False) ** 2
        close(h5["spectrum/eigenvalues"], x[x > 1e-12], 1e-9)
        if D < N:
            s2 = ((Yc - Z @ np.linalg.lstsq(Z, Yc, rcond=None)[0]) ** 2).sum() / (N - D - 1)
            close(result["noise"]["variance"], s2, 1e-9)
            close(result["noise"]["standard_error"], s2 * np.sqrt(2 / (N - D - 1)), 1e-9)


def test_learning_draws():
    """The first n of a permutation by the documented stream, tested on the others; features prepared once."""
    X, y = problem(60, 5, noise=1)
    Z, Y = standard(X, y)
    result, h5, _ = run(*data(X, y, "--draws", 3, "--sizes", "12,40", "--seed", 5), command="learning")
    for k, n in enumerate((12, 40)):
        row = result["tables"]["sizes"][k]
        found = []
        for draw in range(3):
            order = list(range(60))
            Stream(5, draw, SPLIT).shuffle(order)
            a, b = order[:n], order[n:]
            w, c = Problem(Z[a], Y[a], 0, standardize=False).ridge(row["lambda"])
            found.append(((Y[b] - Z[b] @ w - c) ** 2).mean())
        close(h5["draws/error"][:, k], found, 1e-9)
        close([row["measured"], row["measured_sd"]], [np.mean(found), np.std(found, ddof=1)], 1e-8)
    ridges = {row["chosen_by"]: row for row in result["tables"]["ridges"]}
    assert set(ridges) == {"prediction", "omniscient", "leave-one-out", "lambda.min", "lambda.1se"}


def test_learning_is_right_on_gaussian_rows():
    """Beyond the rows at hand too, with more features than rows, where the omniscient risk is lower: four standard errors of
    the prediction, less than half of it in all."""
    N, D = 300, 500
    scale = np.arange(1, D + 1) ** -0.35
    draw = np.random.default_rng(8)
    w = draw.normal(size=D) / np.sqrt(D)

    def sample(n):
        Z = draw.normal(size=(n, D)) * scale
        return Z, Z @ w + 0.3 * draw.normal(size=n)

    X, y = sample(N)
    result = run(*data(X, y, "--no-standardize", "--draws", 5, "--cv", 0), command="learning")[0]
    for row in result["tables"]["sizes"][-3:]:
        n, errors = row["rows"], []
        for _ in range(3):
            A, b = sample(n)
            p = Problem(A, b, 0, standardize=False)
            coefficients, a = p.ridge(row["lambda"])
            T, t = sample(2000)
            errors.append(((t - T @ coefficients[:, 0] - a) ** 2).mean())
        assert abs(row["predicted"] - np.mean(errors)) < 4 * row["predicted_se"] < 0.6 * row["predicted"], (row, errors)
        assert row["omniscient"] < 0.98 * row["predicted"]
    assert not [a for a in result["assumptions"] if "many rows" in a["name"]][0]["holds"]


def test_learning_refused():
    X, y = problem(30, 3)
    for words, code, says in ((["--split", 0.2], 2, "--split"), (["--sizes", "30"], 2, "--sizes"), (["--sizes", "2"], 2, "--sizes"),
                              (["--cv", 1], 2, "--cv"), (["--penalty", "lasso"], 2, "ridge")):
        one_line(["regress", "learning", *data(X, y, *words)], code, [says])
    one_line(["regress", "learning", *data(X[:10], y[:10])], 2, ["10 rows"])
    one_line(["regress", "learning", *data(np.ones((30, 2)), y)], 1, ["constant"])


if __name__ == "__main__":
    main(globals())
