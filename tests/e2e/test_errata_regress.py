"""The errors of "the post" about regression, one test for each: what it states fails, what is right holds. Those about
layers are in test_errata.py.
"""

from test_regress import curves, draw, edges, law, theory
from test_train import close

import numpy as np
from scipy.optimize import linprog

from e2e import linnet_json, main


def far(a, b, least):
    worst = np.abs(np.asarray(a) - b).max()
    assert worst > least, worst


def correction(q):
    """By how much more ridge at lambda_R misses than plain descent, by quadrature."""
    low, high = edges(q)
    lam = low * high / (high - low)
    bulk, atom = law(lambda x: (lam / (lam + x)) ** 2, q)
    return (bulk + atom) / (1 - q) - 1


def test_post_01_the_correction_exceeds_3_percent():
    found = {q: theory("--q", q, "--epochs", 1)["stopping"]["ridge_correction"] for q in (.1, .7, .7069, .7071, .9, .99999)}
    for q in (.1, .7, .9):
        close(found[q], correction(q), 1e-10)
    assert found[.7] < found[.7069] < .03 < found[.7071] < found[.9] < found[.99999] < (3 * 2 ** .5 - 4) / 8 < .03034
    close(found[.99999], (3 * 2 ** .5 - 4) / 8, 1e-5)


def test_post_02_the_decay_of_a_mode():
    """The coordinate of the start along an eigenvector of eigenvalue x decays as e^{-(x + lambda)t}."""
    d, lam, lr = draw(12, 30, 1)[0], .3, .4
    result, h5 = curves("--features", 12, "--samples", 30, "--runs", 1, "--epochs", 5, "--time", "flow", "--arms", "ridge",
                        "--lambda", lam, "--lr", lr)
    x, V = np.linalg.eigh(d.Sigma)
    rest = V.T @ np.linalg.solve(d.Sigma + lam * np.eye(12), d.b)
    start, end = V.T @ d.S0 - rest, V.T @ h5["weights/ridge"] - rest
    close(end, np.exp(-(x + lam) * 5 * lr) * start, 1e-10)
    far(end, np.exp(-(lam + lam) * 5 * lr) * start, .05)


def test_post_03_half_the_square():
    """Descent with the gradient lambda S minimises the loss with lambda/2 |S|^2, not with lambda |S|^2."""
    d, lam = draw(12, 30, 1)[0], .3
    _, h5 = curves("--features", 12, "--samples", 30, "--runs", 1, "--epochs", 400, "--arms", "ridge", "--lambda", lam)
    close(h5["weights/ridge"], np.linalg.solve(d.Sigma + lam * np.eye(12), d.b), 1e-12)
    far(h5["weights/ridge"], np.linalg.solve(d.Sigma + 2 * lam * np.eye(12), d.b), .01)


def test_post_04_the_start_has_norm_one_over_q():
    """Entries of deviation 1/sqrt(q D): the curves end at .3643, those of |S0|^2 = 1 at .3."""
    close(theory()["theory"]["loss_gen"], .3 / 2 * (1 / .7 + 1), 1e-12)
    close(theory("--start-norm2", 1)["theory"]["loss_gen"], .3, 1e-12)
    norms = [linnet_json("regress", "curves", "--features", 1000, "--samples", 700, "--runs", 1, "--epochs", 0, "--arms",
                         "plain", "--no-figure", "--seed", seed)["task"]["start_norm2"] for seed in range(8)]
    error = 1 / .7 * (2 / 8000) ** .5
    assert abs(np.mean(norms) - 1 / .7) < 4 * error and abs(np.mean(norms) - 1) > 10 * error


def test_post_05_equal_rates_are_not_equal_learning_rates():
    for q in (.1, .5, .7, .9):
        plain, ridge = (theory("--q", q, "--penalty", penalty, "--epochs", 1)["tables"]["hyperparameters"][0]
                        for penalty in ("none", "ridge"))
        close(plain["rate"], ridge["rate"], 1e-12)
        close([plain["rate"], plain["lr"], ridge["lr"]],
              [2 * q ** .5 / (1 + q), q / (1 + q), 4 * q ** 1.5 / ((1 + q) * (1 + q ** .5) ** 2)], 1e-12)
        assert plain["lr"] / ridge["lr"] > 1.0005


def test_post_06_what_momentum_saves():
    """The factor a step is smaller by at most 50 %; epochs are saved by a factor of 2 at least, and 11 at q = .7."""
    for q, saving in ((.1, 2.08), (.3, 3.52), (.5, 5.88), (.7, 11.27), (.9, 37.98)):
        plain, fast = theory("--q", q, "--epochs", 1)["tables"]["hyperparameters"]
        close(1 - fast["rate"] / plain["rate"], (1 - q) / 2, 1e-12)
        assert (1 - q) / 2 < .5 and abs(np.log(fast["rate"]) / np.log(plain["rate"]) - saving) < .0051
    result = theory("--epochs", 2000)
    limit, series = result["theory"]["loss_gen"], result["series"]
    needed = [int(np.argmax(np.array(series[arm]["loss_gen"]) < limit * (1 + 1e-9))) for arm in ("plain", "plain+momentum")]
    assert needed[0] > 7 * needed[1] > 200, needed


def test_post_07_why_ridge_looks_slower():
    """At equal rates R the loss of ridge keeps a share 1 - q of modes, the null space, that all decay as R^k, where plain
    descent has a vanishing share at the edge of the spectrum."""
    low, high = edges(.7)
    R = (high - low) / (high + low)
    plain, ridge = theory(), theory("--penalty", "ridge")
    at = lambda result, arm, k: result["series"][arm]["loss_gen"][k] - result["theory"]["loss_gen"]  # noqa: E731
    for k in (50, 100, 200):
        assert at(ridge, "ridge", k) > 10 * at(plain, "plain", k)
        assert at(ridge, "ridge", k) > .3 * (1 / .7) * R ** (2 * k) / 2 > at(plain, "plain", k)
    # plain decays as R^{2k} k^{-3/2}
    slow = theory("--epochs", 4000)
    ratio = at(slow, "plain", 400) / at(slow, "plain", 200) / R ** 400
    assert abs(ratio * 2 ** 1.5 - 1) < .1, ratio
    # the null space itself, in a run
    d = draw(30, 20, 1)[0]
    result, h5 = curves("--features", 30, "--samples", 20, "--runs", 1, "--epochs", 40, "--arms", "plain,ridge")
    null = np.linalg.svd(d.X)[0][:, 20:]
    rate = (d.high - d.low) / (d.high + d.low)
    close(null.T @ h5["weights/ridge"], rate ** 40 * null.T @ d.S0, 1e-10)
    close(null.T @ h5["weights/plain"], null.T @ d.S0, 1e-12)
    # with S0.T > 0 ridge falls below its limit on the way, else it does not
    for overlap, below in ((0, False), (1, True)):
        found = theory("--penalty", "ridge", "--overlap", overlap)
        assert (min(found["series"]["ridge"]["loss_gen"]) < found["theory"]["loss_gen"] - 1e-4) == below


def test_post_15_zeros_of_the_sparse_teacher():
    """The first 400 entries are not 0: 60 % are, not 70 %."""
    _, h5 = curves("--features", 1000, "--samples", 20, "--runs", 1, "--epochs", 0, "--arms", "plain", "--teacher",
                   "sparse:400")
    assert np.mean(h5["teacher"] == 0) == .6 and np.all(h5["teacher"][:400] != 0)


def test_post_16_the_penalty_of_the_curves():
    """They end at .031 after 500 epochs: where lambda = 1.2e-3 leads, and 5e-3 does not."""
    for lam, near in ((1.2e-3, True), (5e-3, False)):
        result = linnet_json("regress", "curves", "--teacher", "sparse:400", "--arms", "lasso", "--lasso-lr", .4,
                             "--lasso-lambda", lam, "--epochs", 500, "--runs", 3, "--no-figure")
        row = result["tables"]["arms"][0]
        assert (abs(row["loss_gen"] - .031) < .02) == near, row
        limit = theory("--penalty", "lasso", "--lambda", lam, "--density", .4)["theory"]["loss_gen"]
        assert (abs(limit - .031) < .01) == near, limit


def test_post_17_how_many_samples_recover():
    """40 of 100 weights: 60 samples are more than 40 and do not recover them by the least |S|_1, 90 do; M(.4) = .7497.
    At 60 and 90 samples the odds of another outcome are below 1e-3 for each of five data sets."""
    for n, recovers in ((60, False), (90, True)):
        for d in draw(100, n, 5, sparse=40):
            found = linprog(np.ones(200), A_eq=np.hstack([d.X.T, -d.X.T]), b_eq=d.y, method="highs").x
            error = np.linalg.norm(found[:100] - found[100:] - d.T)
            assert error < 1e-6 if recovers else error > .1, (n, error)
        facts = linnet_json("regress", "curves", "--features", 100, "--samples", n, "--teacher", "sparse:40", "--arms", "lasso",
                            "--runs", 1, "--epochs", 0, "--no-figure")["recovery"]
        assert facts["possible"] == recovers and facts["samples_needed"] == 75


def test_post_18_which_way_x_lies():
    """Features in rows: X X'/n is D x D, and has a null space where n < D. With samples in rows, as the code has it, the
    same formula gives the n x n matrix of the samples."""
    for D, n in ((20, 12), (12, 20)):
        d = draw(D, n, 1)[0]
        _, h5 = curves("--features", D, "--samples", n, "--runs", 1, "--epochs", 1, "--arms", "plain", "--lr", .1)
        close(h5["weights/plain"], d.S0 - .1 * d.X @ (d.X.T @ d.S0 - d.y) / n, 1e-12)
        rank = np.linalg.matrix_rank(d.X @ d.X.T)
        assert d.X.shape == (D, n) and (rank < D) == (n < D) == d.null
        code = d.X.T  # a sample in a row
        assert (code @ code.T).shape == (n, n) and (code.T @ code).shape == (D, D)


def test_post_19_zeros_of_the_spectrum():
    """D - n of them in every data set, not on average."""
    zeros = [int(np.sum(np.linalg.eigvalsh(d.Sigma) < 1e-12)) for d in draw(20, 14, 100)]
    assert set(zeros) == {6}
    smallest = linnet_json("regress", "curves", "--features", 20, "--samples", 14, "--runs", 100, "--epochs", 1, "--arms",
                           "plain", "--no-figure")["spectrum"]
    close(smallest["smallest"], np.mean([d.low for d in draw(20, 14, 100)]), 1e-10)


def test_post_20_the_histogram_of_ridge():
    """No weight of ridge is near 0 where hundreds of the lasso are; and the factor 1.03 is that of one q."""
    _, h5 = curves("--teacher", "sparse:400", "--arms", "ridge,lasso", "--epochs", 500, "--runs", 1)
    tiny = {arm: int(np.sum(np.log10(np.abs(h5[f"weights/{arm}"]) + 1e-13) < -7)) for arm in ("ridge", "lasso")}
    assert tiny["ridge"] == 0 and tiny["lasso"] > 300, tiny
    factors = [1 + correction(q) for q in (.1, .5, .7)]
    assert abs(factors[2] - 1.03) < 5e-5 and abs(factors[0] - 1.03) > .01 and abs(factors[1] - 1.03) > 9e-4


if __name__ == "__main__":
    main(globals())
