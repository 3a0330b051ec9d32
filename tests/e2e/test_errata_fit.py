"""The errors of the document that linnet fit starts from, one test for each: what it states fails, what is right holds.
It takes the weights of a network as the unknowns of a linear inverse problem A w = d with A = B, the sensitivities at the
current weights, iterates w <- (B'B)^-1 B'd, sees it turn in circles, and asks what became of it."""
from functools import lru_cache

from test_fit_demo import bump, demo, fit, logistic, model, rows, weights, zero_one
from test_train import close

import numpy as np

from e2e import main

RNG = np.random.default_rng(23)


@lru_cache
def optimum():
    """The least-squares weights of the bump, from the program, with f and B there."""
    X, d = bump()
    w = weights(fit(X, d, "--hidden", 2, "--starts", 10)[1])
    return X, d[:, 0], w, *model(w, X, 2)


def test_fit_01_the_update():
    """B^+ d is no step of least squares: w + B^+(d - f) is, and stays where the gradient is 0."""
    X, d, w, f, B = optimum()
    P = np.linalg.pinv(B)
    assert np.linalg.norm(P @ (d - f)) < 1e-8 * np.linalg.norm(w) and np.linalg.norm(P @ d - w) > .9 * np.linalg.norm(w)
    near = w + .05 * RNG.normal(size=7)  # and from near by it returns, quadratically at first
    for _ in range(8):
        g, J = model(near, X, 2)
        near = near + np.linalg.pinv(J) @ (d - g)
    close(near, w, 1e-7)
    result, _ = fit(X, d[:, None], "--hidden", 2, "--method", "naive", "--start", "optimum", "--iterations", 200)
    assert result["displacement"]["gauss_newton_move"] < 1e-8 and result["displacement"]["lowest_afterwards"] > 100 * .0893


def test_fit_02_the_covariance():
    """The covariance of (A'A)^-1 A'd is s^2 (A'A)^-1. A'A is the precision."""
    A, s = RNG.normal(size=(20, 4)) * [1, .5, 2, 1], .3
    x = RNG.normal(size=4)
    result, h5 = fit(A, A @ x[:, None] + s * RNG.normal(size=(20, 1)), "--hidden", 0, "--noise-sd", s)
    V = np.linalg.inv(A.T @ A)
    close([row["sd"] for row in result["tables"]["weights"]], s * np.sqrt(np.diag(V)), 1e-10)
    draws = (V @ A.T @ (s * RNG.normal(size=(20, 200000)))).T
    S = np.cov(draws.T)
    assert np.linalg.norm(s ** 2 * V - S) < .02 * np.linalg.norm(S)
    assert np.linalg.norm(s ** 2 * A.T @ A - S) > np.linalg.norm(S)
    assert np.all(np.sqrt(np.diag(A.T @ A)) * s > 3 * np.sqrt(np.diag(S)))


def test_fit_03_what_the_sensitivities_differentiate():
    """b_ij = df_i/dw_j: the prediction depends on the weights, the datum does not."""
    X, d, w, f, B = optimum()
    h, numeric = 1e-6, np.zeros((40, 7))
    for j in range(7):
        e = np.zeros(7)
        e[j] = h
        numeric[:, j] = (model(w + e, X, 2)[0] - model(w - e, X, 2)[0]) / (2 * h)
    close(numeric, B, 1e-8)
    # other data, other noise: the same B; the program's first step from it is that of this B
    other = d + RNG.normal(size=40)
    result, h5 = fit(X, other[:, None], "--hidden", 2, "--method", "naive", "--start", "zero", "--iterations", 2)
    w = np.zeros(7)
    for _ in range(2):
        w = np.linalg.pinv(model(w, X, 2)[1], rcond=1e-12) @ other
    close(weights(h5), w, 1e-10)


def test_fit_04_no_fixed_matrix():
    """B varies with w, and f = B w + the intercept f - B w, which for tanh units is - sum v a sech^2(a)."""
    X, d, w, f, B = optimum()
    assert np.linalg.norm(model(1.3 * w, X, 2)[1] - B) > .1 * np.linalg.norm(B)
    a = X @ w[None, :2] + w[2:4]
    close(f - B @ w, -(a / np.cosh(a) ** 2) @ w[4:6], 1e-12)
    assert np.linalg.norm(f - B @ w) > .1 * np.linalg.norm(f)
    grid = np.linspace(-10, 10, 100001)
    assert abs(np.abs(grid / np.cosh(grid) ** 2).max() - .4478) < 1e-4
    # where B is fixed, the iteration is exact in one step
    A = RNG.normal(size=(30, 5))
    y = A @ RNG.normal(size=(5, 1)) + RNG.normal(size=(30, 1))
    result, h5 = fit(A, y, "--hidden", 0, "--method", "naive")
    assert result["cycle"]["status"] == "fixed-point" and result["cycle"]["least_squares_point"] and result["cycle"]["steps"] <= 5
    close(h5["weights/1"], np.linalg.lstsq(A, y, rcond=None)[0].T, 1e-10)


def test_fit_05_full_column_rank():
    """(B'B)^-1 does not exist for linear and relu networks at any weights, nor for more weights than data."""
    X, d = bump()
    naive = ["--method", "naive", "--solver", "normal", "--iterations", 50, "--starts", 5]
    for words in (["--hidden", 3, "--activation", "linear"], ["--hidden", 3, "--activation", "relu"]):
        result, _ = fit(X, d, *words, *naive)
        assert all(row["status"] == "singular" and row["steps"] == 0 for row in result["tables"]["starts"])
    result, _ = fit(X, d, "--hidden", 15, *naive)  # 46 weights, 40 data
    assert all(row["status"] == "singular" and row["steps"] == 0 for row in result["tables"]["starts"])
    ranks = [np.linalg.matrix_rank(model(RNG.normal(size=10), X, 3, "linear")[1]) for _ in range(5)]
    assert max(ranks) < 10
    cond = [np.linalg.cond(model(RNG.normal(size=19), X / 1.5, 6)[1]) for _ in range(41)]
    assert np.median(cond) > 1e8  # tanh, 6 units: regular in theory only


def test_fit_06_roughness_and_scarcity():
    """Neither is the cause: without noise, from the weights that made the data, one step leaves more than their variance,
    however many data, and the more so the smoother the function."""
    data = demo()[0]["tables"]["data"]
    assert all(row["sse_over_variance"] > 1 and row["lm_sse_over_variance"] < 1e-20 for row in data)
    many = [row["sse_over_variance"] for row in data if row["steepness"] == 1]
    assert abs(many[-1] / many[-2] - 1) < .01  # 2,000 and 20,000: a bias, not noise
    smooth = [row["sse_over_variance"] for row in data if row["samples"] == 200]
    assert smooth == sorted(smooth)
    x, d = bump(noise=False, n=2000)
    result, _ = fit(x, d, "--hidden", 2, "--method", "naive", "--start", "optimum", "--iterations", 100)
    moved = result["displacement"]
    assert moved["sse"] < 1e-15 and moved["sse_after_a_step"] > result["cycle"]["constant_sse"] and not moved["returns"]


def test_fit_07_normality():
    """Mirror images have equal posteriors: N(w*, A^-1) can hold around one of them at best. And whether noise is normal
    has no bearing on the iteration."""
    X, d, w, f, B = optimum()
    images = [w[[0, 1, 2, 3, 4, 5, 6]] * np.r_[s, t, s, t, s, t, 1] for s in (1, -1) for t in (1, -1)]
    images += [i[[1, 0, 3, 2, 5, 4, 6]] for i in images]
    for image in images:
        close(model(image, X, 2)[0], f, 1e-12)
    spread = np.std(images, axis=0)[:6]
    sd = np.sqrt(np.diag(np.linalg.inv(B.T @ B)) * np.sum((d - f) ** 2) / 33)[:6]
    assert np.all(spread > 5 * sd)
    close(rows(demo()[0], "evidence", hidden=2)[0]["log_symmetries"], np.log(8), 1e-12)
    A = RNG.normal(size=(50, 3))  # a linear model with noise far from normal: exact in one step all the same
    y = A @ [[1], [2], [3]] + RNG.standard_t(1.5, size=(50, 1))
    result, h5 = fit(A, y, "--hidden", 0, "--method", "naive")
    assert result["cycle"]["least_squares_point"]
    close(h5["weights/1"], np.linalg.lstsq(A, y, rcond=None)[0].T, 1e-9)
    x, clean = bump(noise=False)  # and noise that is exactly none does not help the tanh net
    assert fit(x, clean, "--hidden", 2, "--method", "naive", "--start", "optimum")[0]["displacement"]["move"] > .5


def test_fit_08_zero_one_data():
    """0/1 data have the variance p(1 - p), not 1: unit Gaussian errors are too large, by more than two times, and lines
    leave the range of probabilities. The Bernoulli likelihood has neither fault."""
    p, n = .3, 400
    means = (RNG.random((4000, n)) < p).mean(1)
    assert abs(means.std() / np.sqrt(p * (1 - p) / n) - 1) < .05 and 1 / np.sqrt(n) > 2 * means.std()
    X = RNG.normal(size=(n, 2))
    y = (RNG.random((n, 1)) < logistic(X @ [[3.], [-2]])).astype(float)
    A = np.c_[X, np.ones(n)]
    line = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    assert line.min() < 0 and line.max() > 1
    result, h5 = fit(X, y, "--hidden", 0, "--likelihood", "bernoulli", "--alpha", 1e-8)
    w = np.zeros(3)
    for _ in range(30):  # Newton's method on the likelihood
        q = logistic(A @ w)
        w = w + np.linalg.solve(A.T @ (A * (q * (1 - q))[:, None]) + 1e-8 * np.eye(3), A.T @ (y[:, 0] - q) - 1e-8 * w)
    close(np.r_[h5["weights/1"][0], h5["biases/1"]], w, 1e-6)
    X, d = zero_one()  # and the iteration on such data never beats the best constant
    result, _ = fit(X, d, "--hidden", 3, "--activation", "logistic", "--method", "naive", "--solver", "ridge", "--starts", 5)
    assert all(row["status"] == "cycle" and row["lowest_on_cycle"] > .98 * 49.28 for row in result["tables"]["starts"])


def test_fit_09_the_questions_at_the_end():
    """Does it stay at the optimum? No. Do the sensitivities help a Markov chain? Yes: with the inverse of B'B as the
    covariance of its proposals; with B'B itself nearly all are rejected."""
    X, d, w, f, B = optimum()
    assert demo()[0]["tables"]["displacement"][0]["returns"] is False
    beta = 33 / np.sum((d - f) ** 2)
    V = np.linalg.inv(beta * B.T @ B + .5 * np.eye(7))

    def accepted(S, steps=4000):
        L = np.linalg.cholesky(S) * 2.38 / np.sqrt(7)
        at, log, taken = w, -np.inf, 0
        for _ in range(steps):
            new = at + L @ RNG.normal(size=7)
            logp = -beta / 2 * np.sum((d - model(new, X, 2)[0]) ** 2) - .25 * new @ new
            if np.log(RNG.random()) < logp - log:
                at, log, taken = new, logp, taken + 1
        return taken / steps

    assert accepted(V) > .1 and accepted(np.linalg.inv(V)) < .005


if __name__ == "__main__":
    main(globals())
