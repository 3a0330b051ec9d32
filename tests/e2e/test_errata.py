"""The errors of the documents that the experiments start from, one test for each: what they state fails, what is right
holds. "The notebook" trains a linear network on whitened images with one-hot targets; "the exercise" derives the modes of
a two-layer network on the table of 4 items with 7 properties; "the post" compares penalties.
"""
import itertools
import json
import tracemalloc
from functools import lru_cache

from test_train import Stream, close, digits, path, read_h5, save

import numpy as np

from e2e import linnet, linnet_json, main, need_mnist

RNG = np.random.default_rng(7)
Y = np.vstack([np.ones((1, 4)), np.kron(np.eye(2), np.ones((1, 2))), np.eye(4)])  # the exercise: Syx with Sxx = I
U, S, VT = np.linalg.svd(Y)


def far(a, b, least):
    """The opposite of close()."""
    worst = np.abs(np.asarray(a) - b).max()
    assert worst > least, worst


@lru_cache
def whitened(components=40):
    X, T = digits()
    X = X - X.mean(0)
    vectors = np.linalg.svd(X, full_matrices=False)[2][:components]
    Z = X @ vectors.T
    return Z / np.sqrt(np.mean(Z ** 2, 0)), T


def gradients(W1, W2, Sxx, Syx):
    D = W2 @ W1 @ Sxx - Syx
    return W2.T @ D, D @ W1.T


def modes(*words, name="m"):
    done = linnet("modes", *words, "--json", "--no-figure", "--force", "--out", path(name))
    return json.loads(done.stdout), read_h5(path(name))


def trained(rows, epochs=10):
    """Minibatch descent of 40-10-10 on the first `rows` whitened rows of the digits, by linnet: all rows as prepared,
    whose components have signs of their own, targets, and the product."""
    words = ["train", "--data", "digits", "--whiten", 40, "--layers", "40,10,10", "--init", "orthogonal", "--loss", "sum",
             "--lr", 0.01, "--batch", 100, "--epochs", epochs, "--rows-per-epoch", rows, "--no-shuffle"]
    linnet(*words, "--json", "--no-figure", "--force", "--out", path(f"t{rows}"))
    h5 = read_h5(path(f"t{rows}"))
    X, T = digits()
    return (X - h5["preparation/mean"]) @ h5["preparation/map"].T, T, h5["weights/2"] @ h5["weights/1"]


# ---- The notebook ----

def test_notebook_01_square_root_of_the_scale():
    """sqrt(s) is taken before s exists; the singular values S of X'X are meant, and the deviation of a component is
    sqrt(S/n). It does no harm, since the columns are rescaled afterwards."""
    X = digits()[0]
    X = X - X.mean(0)
    vectors, S2, _ = np.linalg.svd(X.T @ X)
    Z = X @ vectors[:, :40]
    close(np.sqrt(S2[:40] / len(X)), Z.std(0), 1e-10)
    far(np.sqrt(S2[:40]), Z.std(0), 1)
    wrong = Z / np.sqrt(S2[:40])
    far(wrong.T @ wrong / len(X), np.eye(40), 0.9)
    wrong = wrong / wrong.std(0)
    close(wrong.T @ wrong / len(X), np.eye(40), 1e-10)


def test_notebook_03_the_same_rows_each_epoch():
    """70 batches of 100 see only the first 7000 rows, in every epoch; what they converge to is the least-squares map of
    those rows, not the C_YX of all the rows."""
    part = 700
    Z, T, W = trained(part, 3000)
    C = T.T @ Z / len(Z)
    own = T[:part].T @ Z[:part] @ np.linalg.inv(Z[:part].T @ Z[:part])
    assert np.linalg.norm(W - own) < 0.2 * np.linalg.norm(W - C)
    loss = [np.mean(np.sum((Z @ M.T - T) ** 2, 1)) for M in (W, own, C)]
    assert min(loss[:2]) > 1.02 * loss[2], loss


def test_notebook_04_a_small_error_is_not_small():
    """An rms error of .0040 looks small but the rms entry of C_YX is .0221 on MNIST: it is 18%. On any task the
    relative error is the one that says something; the program reports both."""
    result = linnet_json("modes", "--data", "digits", "--whiten", 40, "--hidden", 10, "--init", "orthogonal", "--loss", "sum",
                         "--lr", 0.01, "--time", 700, "--method", "descent")
    Z, T = whitened()
    rms = np.sqrt(np.mean((T.T @ Z / len(Z)) ** 2))
    point = result["fixed_point"]
    assert rms < 0.05 and point["relative"] > 10 * point["rms"]
    close(point["relative"], point["rms"] / rms, 1e-6)
    close(0.0040 / np.sqrt(0.488933 / 1000), 0.18, 0.02)


def test_notebook_05_eta_is_twice_the_rate():
    """The loss has no 1/2, so that lr = 0.01 is a step of eta = 0.02 on E: k steps are t/tau = 0.02 k."""
    result, h5 = modes("--task", "exercise", "--hidden", 5, "--init", "gaussian:0.1", "--loss", "sum", "--lr", 0.01,
                       "--epochs", 100, "--method", "descent")
    assert result["time"]["eta"] == 0.02 and result["series"]["t_over_tau"][-1] == 2
    ends = []
    for eta in (0.01, 0.02):
        stream = Stream(0, 0, Stream.WEIGHTS)
        W1, W2 = 0.1 * stream.matrix(5, 4), 0.1 * stream.matrix(7, 5)
        for _ in range(100):
            g1, g2 = gradients(W1, W2, np.eye(4), Y)
            W1, W2 = W1 - eta * g1, W2 - eta * g2
        ends.append(W2 @ W1)
    close(h5["product/descent"][-1], ends[1], 1e-12)
    far(h5["product/descent"][-1], ends[0], 0.1)


def test_notebook_06_one_hot_targets_lose_a_mode():
    """C_YX of one-hot targets is not of rank 10: with centred inputs its columns sum to 0, so that s_10 = 0, and the
    tenth mode of the network decays instead of being learned."""
    Z, T = whitened()
    s = np.linalg.svd(T.T @ Z / len(Z))[1]
    assert s[9] < 1e-14 < 1e-2 < s[8]
    result = linnet_json("modes", "--data", "digits", "--whiten", 40, "--hidden", 10, "--init", "orthogonal", "--times",
                         "0,50,100,200,400", "--method", "riccati", "--lr", 0.02)
    assert result["modes"] == {"count": 10, "rank": 9, "input_scale": result["modes"]["input_scale"]}
    close([row["s"] for row in result["tables"]["modes"][:9]], s[:9], 1e-10)
    W = result["series"]["strength"]["riccati"]
    assert abs(W["10"][-1]) < 0.2 and abs(W["9"][-1] / s[8] - 1) < 0.2


def test_notebook_07_svd_returns_the_transpose():
    """svd() returns V' and the check multiplies by it as if it were V: it should be U' W2 W1 (V')', which is then
    diagonal to rounding; the residue of the notebook is that of the wrong matrix."""
    A = RNG.normal(size=(10, 10))
    u, s, vt = np.linalg.svd(A)
    far(u.T @ A @ vt, np.diag(s), 0.1)
    close(u.T @ A @ vt.T, np.diag(s), 1e-14)


def test_notebook_08_the_modes_are_those_of_the_data():
    """Diagonalising the product by its own singular vectors proves nothing: any matrix passes. With the vectors of the
    data's covariance there is a residue that training makes small."""
    Z, T, W = trained(1700, 100)
    C = T.T @ Z / len(Z)
    anything = RNG.normal(size=W.shape)
    for M in (W, anything):
        a, b, c = np.linalg.svd(M, full_matrices=False)
        close(a.T @ M @ c.T, np.diag(b), 1e-13)
    u, s, vt = np.linalg.svd(C, full_matrices=False)
    residue = [np.sqrt(np.mean((u.T @ M @ vt.T - np.diag(s)) ** 2)) for M in (W, anything)]
    assert 1e-4 < residue[0] < 0.02 and residue[1] > 0.5, residue


def test_notebook_09_two_covariances_of_one_name():
    """C31 names the covariance of the model's outputs and that of the data. The learning rule needs the data's: with the
    model's own the gradient vanishes at once and nothing is learned."""
    W1, W2 = RNG.normal(size=(5, 4)), RNG.normal(size=(7, 5))
    for g in gradients(W1, W2, np.eye(4), W2 @ W1):
        assert np.abs(g).max() < 1e-12
    assert min(np.abs(g).max() for g in gradients(W1, W2, np.eye(4), Y)) > 0.1


def test_notebook_10_one_of_many_fixed_points():
    """W2 W1 = C_YX is not the fixed point but one of many: every sum of some of the modes is one, and all but the full
    sum are saddles."""
    rows = linnet_json("modes", "--task", "exercise", "--hidden", 4, "--times", "0,1")["tables"]["fixed_points"]
    assert len(rows) == 16 and sum(row["kind"] == "minimum" for row in rows) == 1
    for chosen in itertools.product((0, 1), repeat=4):
        root = np.diag(np.sqrt(S * chosen))
        W1, W2 = root @ VT, U[:, :4] @ root
        assert max(np.abs(g).max() for g in gradients(W1, W2, np.eye(4), Y)) < 1e-14
        assert (np.abs(W2 @ W1 - Y).max() < 1e-14) == all(chosen)


def test_notebook_11_forward_only():
    """A call for the loss alone also ran the backward pass, with temporaries as large as the data. The loss needs the
    outputs only, and with covariances not even these."""
    X, T = RNG.normal(size=(20000, 50)), RNG.normal(size=(20000, 10))
    W1, W2 = RNG.normal(size=(10, 50)), RNG.normal(size=(10, 10))
    Sxx, Syx, trace = X.T @ X / len(X), T.T @ X / len(X), np.sum(T ** 2) / len(X)

    def both():
        E = X @ W1.T @ W2.T - T
        back = E @ W2
        return np.mean(np.sum(E ** 2, 1)), E.T @ (X @ W1.T), X.T @ back, 2 * back[:, :, None] * np.ones((1, 1, 5))

    def moments():
        P = W2 @ W1
        return [trace - 2 * np.sum(P * Syx) + np.sum(P @ Sxx * P)]

    peaks, losses = [], []
    for call in (both, moments):
        tracemalloc.start()
        losses.append(call()[0])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    close(losses[0], losses[1], 1e-12)
    assert peaks[1] < 1e6 < peaks[0], peaks


def test_notebook_12_null_directions():
    """X'X squares the condition number, and whitening every pixel divides by 0 where pixels are constant. From the
    centred data the null directions are seen and left out: the program keeps 61 of the 64 of the digits."""
    X = digits()[0]
    X = X - X.mean(0)
    sigma = np.linalg.svd(X)[1]
    assert np.sum(sigma <= 1e-12 * sigma[0]) == 3 == np.sum(X.std(0) == 0)
    with np.errstate(all="ignore"):
        assert not np.isfinite(X / X.std(0)).all()
    result = linnet_json("modes", "--data", "digits", "--whiten", 64, "--hidden", 10, "--init", "orthogonal", "--times", "0,1")
    assert result["preparation"]["rank"] == 61 == result["preparation"]["components"]
    assert result["preparation"]["whiteness"] < 1e-10
    A = np.vander(np.linspace(0, 1, 30), 6)
    close(np.linalg.cond(A.T @ A), np.linalg.cond(A) ** 2, 1e-3)


def test_notebook_13_signs_and_scores():
    """QR without the signs of R is not Haar: LAPACK's Q has a negative mean trace, while Haar's is 0. And an accuracy
    on the rows trained on is better than one on others."""
    plain, haar = [], []
    for _ in range(2000):
        Q, R = np.linalg.qr(RNG.normal(size=(4, 4)))
        plain.append(np.trace(Q))
        haar.append(np.trace(Q * np.sign(np.diag(R))))
    assert abs(np.mean(plain)) > 0.3 and abs(np.mean(haar)) < 0.1 and abs(np.mean(np.square(haar)) - 1) < 0.15
    final = linnet_json("train", "--data", "digits", "--whiten", 60, "--split", 0.5, "--layers", "60,10", "--epochs", 300,
                        "--lr", 0.05)["final"]
    assert final["accuracy"] > final["test_accuracy"] + 0.005 and final["loss"] < final["test_loss"], final


def test_notebook_on_mnist():
    """The figures that the corrections state: rank 9 and 713, rms(C_YX) .0221, the optimum .51107."""
    need_mnist()
    result = linnet_json("modes", "--data", "mnist", "--whiten", 100, "--hidden", 10, "--init", "orthogonal", "--loss", "sum",
                         "--lr", 0.01, "--times", 50000, "--method", "riccati")
    s = np.array([row["s"] for row in result["tables"]["modes"]])
    assert result["modes"]["rank"] == 9 and result["preparation"]["rank"] == 713
    close(np.sqrt(np.sum(s ** 2) / 1000), 0.022112, 1e-4)
    close(result["series"]["loss"]["riccati"][-1], 0.51107, 2e-5)


# ---- The exercise ----

def test_exercise_1_the_aligned_start():
    """The second layer is not U' D2 R but W2 = U D2 R', with W1 = R D1 V': only then are the modes independent."""
    R = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    D1, D2 = 0.1 * np.eye(4), 0.2 * np.eye(7, 4)
    right, wrong = (W2 @ (R @ D1 @ VT) for W2 in (U @ D2 @ R.T, U.T @ D2 @ R))
    close(U.T @ right @ VT.T, 0.02 * np.eye(7, 4), 1e-13)
    far(U.T @ wrong @ VT.T, 0.02 * np.eye(7, 4), 0.005)
    save("W1.npy", R @ D1 @ VT)
    shares = []
    for k, W2 in enumerate((U @ D2 @ R.T, U.T @ D2 @ R)):
        words = ["--task", "exercise", "--w1", path("W1.npy"), "--w2", save(f"W2-{k}.npy", W2), "--times", "0,2"]
        shares.append(modes(*words, "--method", "flow")[0]["series"]["outside"]["flow"])
    assert max(shares[0]) < 1e-12 and shares[1][0] > 0.1, shares


def test_exercise_2_which_sums():
    """The rule sums over all modes j other than i, of the other layer; the energy over ordered pairs. Sums over j > i
    alone give neither the gradient nor the energy."""
    W1, W2 = RNG.normal(size=(5, 4)), RNG.normal(size=(7, 5))
    A, B, s = W1 @ VT.T, U.T @ W2, np.append(S, np.zeros(3))
    g1 = gradients(W1, W2, np.eye(4), Y)[0] @ VT.T

    def rule(i, others):
        return -s[i] * B[i] + sum((A[:, i] @ B[j]) * B[j] for j in others)

    for i in range(4):
        close(rule(i, range(7)), g1[:, i], 1e-12)
        far(rule(i, [j for j in range(4) if j >= i]), g1[:, i], 1e-3)  # 3 of 7 outputs have no mode, but compete
    M = np.square(B @ A)
    pairs = sum(M[j, i] for i in range(4) for j in range(7) if i != j)
    E = np.sum((Y - W2 @ W1) ** 2) / 2
    fit = sum((S[i] - B[i] @ A[:, i]) ** 2 for i in range(4)) / 2
    close(fit + pairs / 2, E, 1e-12)
    far(fit + sum(M[j, i] for i in range(4) for j in range(i + 1, 7)) / 2, E, 1e-3)


def test_exercise_3_one_tau():
    """F carries 1/(2 tau) already, so that da/dt = -dF/da: a further tau makes the flow slower by that factor."""
    result = linnet_json("modes", "--task", "exercise", "--init", "aligned:0.1", "--lr", 0.4, "--times", "0,1,2,4")
    t, s, tau = np.array([0, 1, 2, 4]), np.sqrt(7), 2.5

    def logistic(rate):
        return s / (1 + (s / 0.01 - 1) * np.exp(-2 * s * t * rate))

    close(result["series"]["strength"]["closed"]["1"], logistic(1 / tau), 1e-12)
    far(result["series"]["strength"]["closed"]["1"], logistic(1 / tau ** 2), 0.1)
    close(result["series"]["strength"]["flow"]["1"], logistic(1 / tau), 1e-7)


def test_exercise_4_rank_and_shape():
    """With r the rank, s_r > 0 (the first zero is s_{r+1}); and with square U and V the matrix S is N3 x N1, not
    square."""
    E = np.zeros((7, 4))
    np.fill_diagonal(E, S)
    close(U @ E @ VT, Y, 1e-14)
    r = np.linalg.matrix_rank(Y)
    assert r == 4 and S[r - 1] > 0.9 and U.shape == (7, 7) and VT.shape == (4, 4)
    try:
        U @ np.diag(S) @ VT
        raise AssertionError("a square S fits")
    except ValueError:
        pass
    facts = linnet_json("modes", "--task", "teacher:inputs=5,outputs=4,singular=2/1,samples=0", "--times", "0,1")
    assert facts["modes"]["rank"] == 2 and facts["tables"]["modes"][1]["s"] > 0.9
    assert abs(facts["tables"]["modes"][2]["s"]) < 1e-12


def test_exercise_5_modes_of_inputs():
    """Input modes v are combinations of inputs, not of weights, and the order is u for outputs, v for inputs: u' W v is
    a strength, v' W u is not even a product."""
    h5 = modes("--task", "exercise", "--times", "0,1")[1]
    assert h5["modes/V"].shape == (4, 4) and h5["modes/U"].shape == (7, 4)
    for k in range(2):
        u, v = h5["modes/U"][:, k], h5["modes/V"][:, k]
        close(Y @ v, S[k] * u, 1e-13)
        close(Y.T @ u, S[k] * v, 1e-13)
        close(u @ Y @ v, S[k], 1e-13)
        try:
            v @ Y @ u
            raise AssertionError("the crossed order fits")
        except ValueError:
            pass


def test_exercise_6_what_eigenvalues_cannot_say():
    """One eigenvalue on the hyperbola ab = s is 0, and at s = 0 both may be: eigenvalues alone classify neither. And a
    solution does not need a = b: the constant b^2 - a^2 says where on the hyperbola it ends."""
    def jacobian(a, b, s):
        return np.array([[-b * b, s - 2 * a * b], [s - 2 * a * b, -a * a]])

    for a in (0.5, 1, 2):
        value = np.linalg.eigvalsh(jacobian(a, 1 / a, 1))
        assert abs(value[1]) < 1e-12
        close(value[0], -(a * a + 1 / a ** 2), 1e-12)
    assert not np.linalg.eigvalsh(jacobian(0, 0, 0)).any()
    a0, b0 = 0.1, 0.5
    h5 = modes("--task", "exercise", "--init", f"aligned:{a0},{b0}", "--times", "0,30", "--dt", 0.001)[1]
    for method in ("closed", "riccati", "flow", "descent"):
        close(h5[f"product/{method}"][-1], Y, 1e-7, method)
    for k, s in enumerate(S):
        a2 = np.sqrt(s ** 2 + (b0 ** 2 - a0 ** 2) ** 2 / 4) - (b0 ** 2 - a0 ** 2) / 2
        close([np.sum(h5["modes/W1bar"][:, k] ** 2), np.sum(h5["modes/W2bar"][k] ** 2)], [a2, s ** 2 / a2], 1e-3)


# ---- The post: penalties on layers ----

def pairs_loss(V, U, v, u, penalty):
    """V, U: vectors; v, u: two columns each. In units of (|V| |U|)^2."""
    scale = np.linalg.norm(V) * np.linalg.norm(U)
    return (np.sum((np.outer(V, U) - v @ u.T) ** 2) + penalty * (np.sum(v ** 2) + np.sum(u ** 2))) / scale ** 2


def least_pairs_loss(V, U, penalty, steps=4000):
    """By descent on the vectors themselves."""
    rng = np.random.default_rng(1)
    v, u, eta = rng.normal(size=(len(V), 2)), rng.normal(size=(len(U), 2)), .02 / (np.linalg.norm(V) * np.linalg.norm(U))
    for _ in range(steps):
        R = v @ u.T - np.outer(V, U)
        v, u = v - eta * (2 * R @ u + 2 * penalty * v), u - eta * (2 * R.T @ v + 2 * penalty * u)
    return pairs_loss(V, U, v, u, penalty)


def test_post_08_half_the_squares():
    """The closed form Lambda - Lambda^2/4 that follows is that of lambda/2; with lambda it is that of 2 Lambda."""
    V, U = RNG.normal(size=4), RNG.normal(size=3)
    lam = .5 * np.linalg.norm(V) * np.linalg.norm(U)
    close(least_pairs_loss(V, U, lam / 2), .4375, 1e-6)
    close(least_pairs_loss(V, U, lam), .75, 1e-6)


def test_post_09_the_scale_of_the_penalty():
    """The same lambda/(u v) gives the same minimum whatever the sizes; the same lambda u v does not."""
    V, U = RNG.normal(size=4), RNG.normal(size=3)
    V, U = V / np.linalg.norm(V), U / np.linalg.norm(U)
    least = [least_pairs_loss(a * V, b * U, .5 * a * b / 2) for a, b in ((1, 1), (2, 1.5), (.5, .7))]
    close(least, [.4375] * 3, 1e-6)
    far(least_pairs_loss(2 * V, 1.5 * U, .5 / 3 / 2), .4375, .1)


def test_post_10_the_pairs_interact():
    rows = linnet_json("train", "--experiment", "toy", "--seeds", 20, "--epochs", 10)["tables"]["identity"]
    assert all(row["expansion"] < 1e-13 for row in rows) and all(row["without_2xy"] > .05 for row in rows)
    V, U, v, u = RNG.normal(size=4), RNG.normal(size=3), RNG.normal(size=(4, 2)), RNG.normal(size=(3, 2))
    n = np.linalg.norm
    cos = lambda a, b: a @ b / n(a) / n(b)  # noqa: E731
    x, y = [n(v[:, k]) * n(u[:, k]) / n(V) / n(U) for k in (0, 1)]
    without = 1 + x ** 2 + y ** 2 - 2 * x * cos(V, v[:, 0]) * cos(U, u[:, 0]) - 2 * y * cos(V, v[:, 1]) * cos(U, u[:, 1])
    cross = 2 * x * y * cos(v[:, 0], v[:, 1]) * cos(u[:, 0], u[:, 1])
    close(without + cross, pairs_loss(V, U, v, u, 0), 1e-12)
    far(without, pairs_loss(V, U, v, u, 0), 1e-3)
    # without the term the minimum is at x = y = 1, with a loss of -1: not that of a norm
    grid = np.linspace(0, 1.5, 151)
    X, Y = np.meshgrid(grid, grid)
    bare = 1 + X ** 2 + Y ** 2 - 2 * X - 2 * Y
    close([bare.min(), X.flat[bare.argmin()], Y.flat[bare.argmin()]], [-1, 1, 1], 1e-12)


def test_post_11_where_angles_are_zero():
    """All directions in a plane: aligned pairs are the best ones up to x + y = 1 and not beyond."""
    angle = np.linspace(0, 2 * np.pi, 721)
    a, b = np.meshgrid(angle, angle)
    for x, y in ((.2, .5), (.5, .5), (.7, .8), (1, 1), (2, .5), (.3, 1.6)):
        least = np.min((1 - x * np.cos(a) - y * np.cos(b)) ** 2 + (x * np.sin(a) + y * np.sin(b)) ** 2)
        assert abs(least - max(0, 1 - x - y, abs(x - y) - 1) ** 2) < 1e-3
        if x + y <= 1:
            close(least, (1 - x - y) ** 2, 1e-12)
        else:
            assert least < (1 - x - y) ** 2 - .2
    for row in linnet_json("train", "--experiment", "toy", "--seeds", 1)["tables"]["angles"]:
        assert abs(row["least"] - max(0, 1 - row["x"] - row["y"], abs(row["x"] - row["y"]) - 1) ** 2) < 1e-8


def test_post_12_two_angles_and_an_azimuth():
    for dimension in (2, 3, 7):
        V, a, b = np.linalg.qr(RNG.normal(size=(dimension, 2)))[0][:, 0], *RNG.normal(size=(2, dimension))
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        rest = [v - (v @ V) * V for v in (a, b)]
        azimuth = rest[0] @ rest[1] / np.prod(np.linalg.norm(rest, axis=1))
        theta = [np.arccos(v @ V) for v in (a, b)]
        close(a @ b, np.prod(np.cos(theta)) + np.prod(np.sin(theta)) * azimuth, 1e-12)
        planar = np.abs(abs(azimuth) - 1)
        assert planar < 1e-9 if dimension == 2 else planar > 1e-3
    for row in linnet_json("train", "--experiment", "toy", "--seeds", 20, "--epochs", 10)["tables"]["identity"]:
        in_plane = row["outputs"] <= 2 and row["inputs"] <= 2
        assert row["planar"] < 1e-12 if in_plane else row["planar"] > .1


def test_post_13_the_nuclear_norm():
    Q, K, A = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 4)), RNG.normal(size=(4, 4))
    nuclear = lambda Q, K: np.linalg.svd(Q @ K.T)[1].sum()  # noqa: E731
    columns = lambda Q, K: (np.linalg.norm(Q, axis=0) * np.linalg.norm(K, axis=0)).sum()  # noqa: E731
    other = Q @ A, K @ np.linalg.inv(A).T
    close(nuclear(*other), nuclear(Q, K), 1e-10)
    far(columns(*other), columns(Q, K), 1)
    assert min(columns(Q, K), columns(*other)) > 1.01 * nuclear(Q, K)
    result = linnet_json("train", "--experiment", "attention")
    for row in result["tables"]["arms"]:
        close([row["half_squares"], row["column_norms"]], [row["nuclear_norm"]] * 2, 1e-8)
        assert row["worst_singular"] < 1e-8
    by_gauge = [row["column_norms"] for row in result["tables"]["gauges"]]
    assert by_gauge[0] > 1.05 * by_gauge[2] > 1.1 * by_gauge[3]


def test_post_14_thresholds_after_momentum():
    """The lasso by heavy ball: the written rule rests at lambda (1 - beta), both corrected ones at lambda."""
    X = RNG.normal(size=(30, 20))
    y, lam, beta, eta = X @ (RNG.normal(size=20) * (np.arange(20) < 5)), .1, .9, .02
    C, b = X.T @ X / 30, X.T @ y / 30
    soft = lambda w, t: np.sign(w) * np.maximum(np.abs(w) - t, 0)  # noqa: E731

    def violation(w, penalty):
        g = C @ w - b
        return np.max(np.where(w != 0, np.abs(g + penalty * np.sign(w)), np.maximum(np.abs(g) - penalty, 0)))

    def rest(threshold, outside=False):
        w, m, last = np.zeros(20), np.zeros(20), np.zeros(20)
        for _ in range(20000):
            m = beta * m + C @ w - b
            step = soft(w - eta * (C @ w - b) + beta * (w - last), threshold) if outside else soft(w - eta * m, threshold)
            w, last = step, w
        return w
    written = rest(eta * lam)
    assert violation(written, lam * (1 - beta)) < 1e-12 and violation(written, lam) > .05
    for right in (rest(eta * lam / (1 - beta)), rest(eta * lam, outside=True)):
        assert violation(right, lam) < 1e-12
    rules = {row["arm"]: row for row in linnet_json("train", "--experiment", "two-layer", "--layers", "30,20,1", "--samples", 20,
                                                    "--epochs", 5)["tables"]["rules"]}
    close([rules["l1"]["effective_l1"], rules["l1"]["effective_l2"]], [3.5e-5, .01], 1e-12)
    close([rules["l1_correct"]["effective_l1"], rules["l1_correct"]["effective_l2"]], [3.5e-4, .1], 1e-12)


def test_post_21_structure_of_the_arms():
    two = linnet_json("train", "--experiment", "two-layer", "--layers", "100,150,1", "--samples", 50, "--epochs", 1500,
                      "--seeds", 2)
    found = {row["arm"]: row for row in two["tables"]["arms"]}
    assert found["ridge"]["rank"] == 1 and found["plain"]["rank"] == 100 and found["l1"]["rank"] > 1
    assert found["ridge"]["effective_rank"] < 1 + 1e-6 < found["l1"]["effective_rank"]
    relu = linnet_json("train", "--experiment", "nonlinear", "--seeds", 2)
    found = {row["arm"]: row for row in relu["tables"]["arms"]}
    weights = found["l1"]["nonzero_share"] * 100
    assert 5 < weights < 15 and found["l1"]["active_units"] > 1.5 * relu["teacher"]["units"] == 15
    for result, ridge, l1 in ((two, .04, .01), (relu, .05, .025)):
        rules = {row["arm"]: row["effective_l2"] for row in result["tables"]["rules"]}
        close([rules["ridge"], rules["l1"]], [ridge, l1], 1e-12)


main(globals())
