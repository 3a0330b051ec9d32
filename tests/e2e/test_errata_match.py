"""The errors of the document that linnet match starts from, one test for each: what it states fails, what is right holds.
It derives the linear model of covariance matching and its entrywise solution, applies it to recordings, and concludes that
a diagonal is missing. Populations here are drawn as those of --demo, by NumPy."""
from functools import lru_cache

from test_match import cov, linear_oracle, random_problem, run, save, solution, zscore
from test_train import close, path

import numpy as np
from scipy.integrate import solve_ivp

from e2e import linnet_json, main

RNG = np.random.default_rng(11)
N, NY, M = 148, 167, 48


def far(a, b, least):
    """Relative to b, in the norm of Frobenius."""
    distance = np.linalg.norm(np.asarray(a) - b) / np.linalg.norm(b)
    assert distance > least, distance
    return distance


def lam(lam0, n=N, m=M):
    return lam0 * m ** 2 / n ** 2


@lru_cache
def population():
    """Inputs (z-scored) and outputs (divided by their sd) of one noisy trial."""
    rng = np.random.default_rng(3)
    F = rng.exponential(size=(14, M)) * np.exp(-np.arange(14) / 4)[:, None]

    def cells(n):
        return rng.gamma(.6, 1, (n, 14)) @ F + .25 * rng.gamma(.5, 1, (n, M)) + .4 * rng.exponential(size=(n, 1))

    X, Y = cells(N), cells(NY)
    Y = Y - Y.mean(0)
    Y = rng.normal(.4, .9, (NY, 1)) * Y + .0045 * rng.normal(size=(NY, NY)) @ Y
    X, Y = (A + .35 * A.std() * rng.normal(size=A.shape) for A in (X, Y))
    return zscore(X), Y / Y.std()


def decomposed(X, Y):
    U, sv, VT = np.linalg.svd(X, full_matrices=False)
    return U, sv ** 2, np.outer(sv, sv), VT @ cov(Y) @ VT.T


def linear(X, Y, lam, **options):
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    return run("--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", repr(float(lam)), "--method", "linear",
               *words)[1]["weights"]


def data_gradient(W, X, S, quadratic=False):
    """By definition: of 1/2 |E|^2, where E leaves out the square of W unless `quadratic`; central differences are exact
    for the former."""
    G = np.zeros_like(W)

    def half(W):
        A = X - X.mean(0)
        E = S - A.T @ A - X.T @ W.T @ A - A.T @ W @ X
        E = S - cov(X + W @ X) if quadratic else E
        return .5 * np.sum(E ** 2)

    for i in range(len(W)):
        for j in range(len(W)):
            D = np.zeros_like(W)
            D[i, j] = 1e-4
            G[i, j] = (half(W + D) - half(W - D)) / 2e-4
    return G


def test_match_01_no_delta_on_lambda():
    """(R_ij - s_i delta_ij)/(2 ss_ij + lambda delta_ij/(2 ss_ij)) leaves all weights off the diagonal of U'WU without a
    penalty."""
    X, Y = population()
    U, s, ss, R = decomposed(X, Y)
    for lam0, least in ((1e6, 2), (1e9, 100)):
        W = linear(X, Y, lam(lam0))
        E0 = R - np.diag(s)
        close(W, U @ (E0 / (2 * ss + lam(lam0) / (2 * ss))) @ U.T, 1e-9)
        far(U @ (E0 / (2 * ss + np.diag(np.diag(lam(lam0) / (2 * ss))))) @ U.T, W, least)


def test_match_02_error_at_no_change():
    """E_0 = S - X'JX: with S - X'X the gradient at W = 0 is another one, unless X is centred."""
    X, Y = random_problem(7, 4, centred=False)
    X = X + 1
    S, Xc = cov(Y), X - X.mean(0)
    G = data_gradient(np.zeros((7, 7)), X, S)
    close(-2 * Xc @ (S - cov(X)) @ X.T, G, 1e-6)
    far(-2 * Xc @ (S - X.T @ X) @ X.T, G, .1)


def test_match_03_symmetry_needs_centred_inputs():
    """Where X is not centred the solution is not symmetric, and the entrywise formula holds neither on X nor on JX."""
    X, Y = random_problem(12, 5, centred=False)
    X = X + 1
    W = linear(X, Y, 50.)
    close(W, linear_oracle(X, cov(Y), np.full((12, 12), 50.)), 1e-9)
    far(W.T, W, .1)
    for A in (X, X - X.mean(0)):
        U, s, ss, R = decomposed(A, Y)
        far(U @ (2 * ss * (R - np.diag(s)) / (4 * ss ** 2 + 50)) @ U.T, W, .1)
    centred = linear(X - X.mean(0), Y, 50.)
    close(centred, centred.T, 1e-12)


def test_match_04_columns_sum_to_zero_where_lambda_acts():
    """1' times the gradient of data and penalty is lambda 1'W, whatever W: columns sum to 0 at rest, where lambda > 0, and
    on the way they decay as exp(-lambda t)."""
    X, Y = random_problem(6, 4, centred=False)
    W = RNG.normal(size=(6, 6))
    G = data_gradient(W, X, cov(Y), quadratic=True)
    assert np.abs(G.sum(0)).max() < 1e-6 * np.abs(G).max()
    close((G + 3 * W).sum(0), 3 * W.sum(0), 1e-5)
    assert np.abs(linear(X, Y, 3.).sum(0)).max() < 1e-10
    A, S, small = X - X.mean(0), cov(Y), 1e-3

    def slope(t, w):
        W = w.reshape(6, 6)
        E = S - cov(X) - X.T @ W.T @ A - A.T @ W @ X
        return (2 * A @ E @ X.T - 3 * W).ravel() * small

    end = solve_ivp(slope, (0, .2 / small), W.ravel(), method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(6, 6)
    close(end.sum(0), np.exp(-.6) * W.sum(0), 1e-7)


def test_match_05_the_term_of_w():
    """For centred X the data term is 2 A (W + W') A; 4 A W A is that of symmetric W only."""
    X, Y = random_problem(6, 4)
    A, S, W = X @ X.T, cov(Y), RNG.normal(size=(6, 6))
    change = data_gradient(W, X, S) - data_gradient(0 * W, X, S)
    close(2 * A @ (W + W.T) @ A, change, 1e-6)
    far(4 * A @ W @ A, change, .3)
    change = data_gradient(W + W.T, X, S) - data_gradient(0 * W, X, S)
    close(4 * A @ (W + W.T) @ A, change, 1e-6)


def test_match_06_the_other_blocks():
    """U'( )U of the equation says nothing of the blocks outside: without lambda they may be anything."""
    X, Y = random_problem(10, 4)
    S, lambda_ = cov(Y), 20.
    W = linear(X, Y, lambda_)
    U = np.linalg.svd(X)[0]
    inside, outside = U[:, :4], U[:, 4:]
    other = inside @ RNG.normal(size=(4, 6)) @ outside.T + outside @ RNG.normal(size=(6, 6)) @ outside.T
    A, E0 = X @ X.T, S - cov(X)

    def equation(W, lambda_):
        return inside.T @ (4 * A @ W @ A + lambda_ * W - 2 * X @ E0 @ X.T) @ inside

    assert np.abs(equation(W, lambda_)).max() < 1e-8 * np.abs(X @ E0 @ X.T).max()
    assert np.abs(equation(W + other, lambda_)).max() < 1e-8 * np.abs(X @ E0 @ X.T).max()  # the same, projected
    assert np.abs(outside.T @ W).max() < 1e-12 and np.abs(W @ outside).max() < 1e-12  # and yet 0


def test_match_07_zero_singular_values():
    """(R_ij/ss_ij - delta_ij)/(2 + lambda/(2 ss_ij^2)) is 0/0 where s_i = 0. Z-scoring removes a dimension, so that this is
    so whenever there are as many stimuli as cells."""
    X, Y = random_problem(6, 9, centred=False)
    X = zscore(X)
    U, sv, VT = np.linalg.svd(X, full_matrices=False)
    assert sv[-1] < 1e-12 * sv[0]
    result, h5, _ = run("--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lambda", 3, "--method", "linear")
    assert result["problem"]["rank"] == 5 and np.isfinite(h5["weights"]).all()
    close(h5["weights"], linear_oracle(X, cov(Y), np.full((6, 6), 3.)), 1e-9)
    s = np.r_[sv[:-1], 0] ** 2
    with np.errstate(all="ignore"):
        ss = np.sqrt(np.outer(s, s))
        last = (VT @ cov(Y) @ VT.T / ss - np.eye(6)) / (2 + 3 / (2 * ss ** 2))
    assert not np.isfinite(last).all()


def test_match_08_the_antisymmetric_part():
    """It decays as exp(-lambda t) alone: not at all without penalty, and slower than everything else with one."""
    X, Y = random_problem(5, 4)
    Xs, S, W0 = X / np.linalg.norm(X, 2), cov(Y) / np.linalg.norm(Y, 2) ** 2, RNG.normal(size=(5, 5))
    A = Xs @ Xs.T
    for lambda_ in (0., .3):
        def slope(t, w):
            W = w.reshape(5, 5)
            return (2 * Xs @ (S - Xs.T @ Xs) @ Xs.T - 2 * A @ (W + W.T) @ A - lambda_ * W).ravel()

        W = solve_ivp(slope, (0, 4), W0.ravel(), method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1].reshape(5, 5)
        close(W - W.T, np.exp(-lambda_ * 4) * (W0 - W0.T), 1e-8)


def test_match_09_two_lambdas():
    """Values on a grid of lam0 belong to means over entries; in the equation lambda belongs to sums: lambda = lam0 M^2/N^2."""
    X, Y = population()
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--method", "linear"]
    mean = run(*words, "--lam0", "1e6")[1]["weights"]
    assert abs(lam(1e6) / 1.05e5 - 1) < .01
    close(run(*words, "--lambda", repr(lam(1e6)))[1]["weights"], mean, 1e-12)
    far(run(*words, "--lambda", "1e6")[1]["weights"], mean, .1)
    W, S = RNG.normal(size=(N, N)) * .01, cov(Y)  # both forms are one function, up to a factor
    E = S - cov(X + W @ X)
    sums = .5 * np.sum(E ** 2) + lam(1e6) / 2 * np.sum(W ** 2)
    close((.5 * np.mean(E ** 2) + 1e6 / 2 * np.mean(W ** 2)) * M ** 2, sums, 1e-12)


def test_match_10_what_is_missing():
    """Not a diagonal: the free weights have every diagonal already, and a weaker penalty there makes the linear model
    predict worse. The square of W is missing, where the model fails."""
    worse = 0
    for seed in range(4):
        demo = ["match", "--demo", "--seed", seed, "--lam0", "1e6"]
        full, model = (solution(linnet_json(*demo, "--method", m))["r2_validation"] for m in ("full", "linear"))
        diagonal = solution(linnet_json(*demo, "--method", "overlap", "--lambda-diagonal", lam(1e5)))["r2_validation"]
        worse += diagonal < model
        assert full > .5 and model < -1 and diagonal < -1, (full, model, diagonal)
    assert worse >= 3, worse
    X, Y = population()
    words = ["--inputs", save("X.npy", X), "--target", save("S.npy", cov(Y)), "--lam0"]
    for lam0, least, most in ((1e6, .4, 1), (1e9, 0, .08)):
        near = run(*words, lam0, "--method", "linear")[1]["weights"]
        exact = run(*words, lam0)[1]["weights"]
        assert least < np.linalg.norm(near - exact) / np.linalg.norm(exact) < most


if __name__ == "__main__":
    main(globals())
