"""linnet regress curves and regress theory against NumPy and SciPy: data sets redrawn from the generator that the headers
name, every arm iterated by a plain loop, the lasso's optimum by coordinate descent, theory by quadrature over the law of
Marchenko and Pastur and by state evolution with numerical means over Z.
"""
import json
import os
import signal
import subprocess
import time

from test_outputs import content, one_line, schema
from test_train import Stream, close, counter, path, read_h5, save

import numpy as np
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.optimize import root
from scipy.stats import norm

from e2e import PROGRAM, linnet, linnet_json, main

TASK, TEACHER = 6, 7  # purposes of streams


def curves(*words, code=0):
    """Runs with --json and --out; returns (JSON, {path: array})."""
    counter[0] += 1
    folder = path(f"curves-{counter[0]}")
    done = linnet("regress", "curves", *words, "--json", "--no-figure", "--out", folder, code=code)
    return json.loads(done.stdout), read_h5(folder)


def theory(*words):
    return linnet_json("regress", "theory", *words, "--no-figure")


# ---- Simulation by definition ----

def soft(z, t):
    return np.sign(z) * np.maximum(np.abs(z) - t, 0)


class Data:
    """One data set: X (D x n), y, and what is learned from it."""

    def __init__(self, X, y, T, S0, c):
        self.X, self.y, self.T, self.S0, self.c, self.n = X, y, T, S0, c, X.shape[1]
        self.Sigma, self.b = X @ X.T / self.n, X @ y / self.n
        x = np.linalg.svd(X, compute_uv=False) ** 2 / self.n
        x = x[x > 1e-12 * x[0]]
        self.low, self.high, self.null = x[-1], x[0], len(x) < len(X)

    def losses(self, S):
        return 0.5 * np.sum(self.c * (S - self.T) ** 2), np.sum((self.y - self.X.T @ S) ** 2) / (2 * self.n)


def draw(D, n, runs, seed=0, sparse=0, norm_=1.0, start2=None, noise=0.0, c=None):
    stream = Stream(seed, 0, TEACHER)
    T = np.array([stream.normal() for _ in range(D)])
    T[sparse or D:] = 0
    T *= norm_ / np.linalg.norm(T)
    stream = Stream(seed, 0, Stream.WEIGHTS)
    start2 = D / n if start2 is None else start2
    S0 = np.sqrt(start2 / D) * np.array([stream.normal() for _ in range(D)])
    c, sets = np.ones(D) if c is None else c, []
    for run in range(runs):
        stream = Stream(seed, run, TASK)
        X = np.sqrt(c)[:, None] * stream.matrix(D, n)
        y = X.T @ T + noise * np.array([stream.normal() for _ in range(n)])
        sets.append(Data(X, y, T, S0, c))
    return sets


def fastest(low, high, null, lam, momentum):
    """(lr, momentum) of the fastest descent on h in [a, A] (Polyak 1964)."""
    A, a = high + lam, lam if null and lam > 0 else low + lam
    if not momentum:
        return 2 / (a + A), 0
    return (2 / (A ** 0.5 + a ** 0.5)) ** 2, ((A ** 0.5 - a ** 0.5) / (A ** 0.5 + a ** 0.5)) ** 2


def rule(arm, low, high, null, D, n, lr=None, momentum=None, lam=None, l1=1.2e-3, lasso_lr=None, batch=100):
    """What an arm does: a dict of eta, beta, lam, l1, batch and its kind."""
    base, *variants = arm.split("+")
    lam = 0 if base in ("plain", "lasso") else low * high / (high - low) if lam is None else lam
    threshold = base in ("lasso", "elastic")
    eta, beta = fastest(low, high, null, lam, "momentum" in variants)
    if threshold and "momentum" in variants:
        beta = fastest(low, high, null, 0, True)[1]
    if "momentum" in variants and momentum is not None:
        beta = momentum
    if threshold:
        eta = (1 - beta if "outer" in variants else 1) / (high + lam)
    if "sgd" in variants:
        eta = 1 / (1 + (D + 1) / min(batch, n))
    given = lasso_lr if threshold else lr
    kind = [v for v in variants if v != "momentum"] or ["heavy"]
    return dict(eta=eta if given is None else given, beta=beta, lam=lam, l1=l1 if threshold else 0, batch=batch, kind=kind[0])


def iterate(data, r, epochs, seed, run):
    """[losses before the first and after each epoch], the last S; by loops from the definition."""
    eta, beta, lam, l1, kind = (r[k] for k in ("eta", "beta", "lam", "l1", "kind"))
    S, m, last, Y, t = data.S0, 0 * data.S0, data.S0, data.S0, 1.0
    history, stream = [data.losses(S)], Stream(seed, run, Stream.SHUFFLE)
    order = list(range(data.n))
    for _ in range(epochs):
        g = data.Sigma @ S - data.b + lam * S
        if kind in ("heavy", "naive"):
            m = beta * m + g
            S = soft(S - eta * m, eta * l1 / (1 - beta if kind == "heavy" else 1))
        elif kind == "outer":
            S, last = soft(S - eta * g + beta * (S - last), eta * l1), S
        elif kind == "fista":
            L = data.high
            S, last = soft(Y - (data.Sigma @ Y - data.b) / L, l1 / L) / (1 + lam / L), S
            if (Y - S) @ (S - last) > 0:
                t = 1.0
            later = (1 + np.sqrt(1 + 4 * t * t)) / 2
            Y, t = S + (t - 1) / later * (S - last), later
        else:  # sgd
            stream.shuffle(order)
            for first in range(0, data.n, r["batch"]):
                part = order[first:first + r["batch"]]
                X, y = data.X[:, part], data.y[part]
                m = beta * m + X @ (X.T @ S - y) / len(part) + lam * S
                S = soft(S - eta * m, eta * l1 / (1 - beta))
        history.append(data.losses(S))
    return np.array(history), S


def optimum(data, l1, lam=0.0):
    """The lasso or elastic net itself, by coordinate descent until no coordinate moves."""
    S, r, a = 0 * data.T, data.y.copy(), np.sum(data.X ** 2, 1) / data.n
    for _ in range(200000):
        moved = 0.0
        for j in range(len(S)):
            new = soft(a[j] * S[j] + data.X[j] @ r / data.n, l1) / (a[j] + lam)
            if new != S[j]:
                moved = max(moved, abs(new - S[j]))
                r += (S[j] - new) * data.X[j]
                S[j] = new
        if moved < 1e-14:
            return S
    raise AssertionError(f"coordinate descent still moves by {moved}")


# ---- Theory ----

def edges(q):
    return (1 - q ** -0.5) ** 2, (1 + q ** -0.5) ** 2


def law(F, q):
    """(mean of F over the bulk of the law of Marchenko and Pastur, mass at 0), by quadrature."""
    def at(angle):
        x = 1 + 1 / q - 2 / q ** 0.5 * np.cos(angle)
        return F(x) * (4 / q) * np.sin(angle) ** 2 * q / (2 * np.pi * x)
    return quad(at, 0, np.pi, epsabs=1e-13, epsrel=1e-11, limit=1000)[0], max(0.0, 1 - q)


def response(r, h, k, flow=None):
    """p_k and g_k by the recursion, or those of the flow at the time `flow`."""
    if flow is not None:
        return (np.exp(-h * flow), -np.expm1(-h * flow) / h) if h > 0 else (1.0, flow)
    S0, b, m0, m1 = 1.0, 0.0, 0.0, 0.0  # the coordinate of a start of 1, and of a target of 1
    for _ in range(k):
        m0, m1 = r["beta"] * m0 + h * S0, r["beta"] * m1 + h * b - 1
        S0, b = S0 - r["eta"] * m0, b - r["eta"] * m1
    return S0, b


def predicted(q, n0, overlap, t2, s2, r, k, D=None, flow=None):
    """gen, train and their bands after k steps."""
    lam, G = r["lam"], np.array([[n0, overlap], [overlap, t2]])

    def parts(x):
        p, g = response(r, x + lam, k, flow)
        e = x * g - 1
        return p, g, e, n0 * p * p + 2 * overlap * p * e + t2 * e * e

    def mean(F):
        bulk, atom = law(lambda x: F(x, *parts(x)), q)
        return bulk + (atom * F(0.0, *parts(0.0)) if atom else 0)
    gen = 0.5 * (mean(lambda x, p, g, e, L: L) + s2 / q * mean(lambda x, p, g, e, L: x * g * g))
    train = 0.5 * (mean(lambda x, p, g, e, L: x * L) + s2 + s2 / q * mean(lambda x, p, g, e, L: x * x * g * g - 2 * x * g))
    if not D:
        return gen, train

    def spread(weight):
        A = np.array([[mean(lambda x, p, g, e, L: weight(x) * (p, e)[i] * (p, e)[j]) for i in (0, 1)] for j in (0, 1)])
        return (mean(lambda x, p, g, e, L: (weight(x) * L) ** 2) - np.trace(G @ A @ G @ A)) / (2 * (D + 2))
    gen_var = (spread(lambda x: 1) + s2 / (q * D) * mean(lambda x, p, g, e, L: x * g * g * L)
               + s2 ** 2 / (2 * q * q * D) * mean(lambda x, p, g, e, L: x * x * g ** 4))
    bulk4 = law(lambda x: parts(x)[2] ** 4, q)[0]
    train_var = (spread(lambda x: x) + s2 / (q * D) * mean(lambda x, p, g, e, L: x * e * e * L)
                 + s2 ** 2 / (2 * q * D) * (max(0, 1 - 1 / q) + bulk4 / q))
    return gen, train, max(gen_var, 0) ** 0.5, max(train_var, 0) ** 0.5


NODES, WEIGHTS = np.polynomial.legendre.leggauss(30)


def denoised(b, tau, alpha):
    """Means over entries b of E [soft(b + tau Z; alpha tau) - b]^2 and of P(it is not 0), Z standard normal: Gauss and
    Legendre between the kinks, in units of tau."""
    u = np.abs(b)[:, None] / tau
    ends = np.concatenate([np.full_like(u, -12), np.clip(-alpha - u, -12, 12), np.clip(alpha - u, -12, 12),
                           np.full_like(u, 12)], 1)
    parts = np.linspace(ends[:, :-1], ends[:, 1:], 5, axis=2)  # entries x pieces x ends of their quarters
    half = (parts[..., 1:] - parts[..., :-1]) / 2
    z = (parts[..., 1:] + parts[..., :-1])[..., None] / 2 + half[..., None] * NODES
    w = half[..., None] * WEIGHTS * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    s = soft(u[..., None, None] + z, alpha)
    return tau ** 2 * np.sum(w * (s - u[..., None, None]) ** 2) / len(b), np.sum(w * (s != 0)) / len(b)


def state_evolution(delta, l1, s2, D, means):
    """gen, train, active, threshold, alpha and tau of the lasso; means(tau, alpha): error and active share."""
    def residuals(unknown, penalty):
        alpha, tau = np.exp(np.clip(unknown, -30, 30))
        error, active = means(tau, alpha)
        return [(s2 + error) / tau ** 2 - delta, delta - active - penalty * D ** 0.5 * delta / (alpha * tau)]
    grid = [(a, t) for a in np.linspace(-1, 2, 7) for t in np.linspace(-4, 2, 13)]
    x = min(grid, key=lambda p: np.linalg.norm(residuals(p, max(l1, 0.1))))
    for penalty in np.geomspace(max(l1, 0.1), l1, 1 + int(np.ceil(np.log(max(l1, 0.1) / l1) / np.log(1.5)))):
        found = root(residuals, x, penalty, tol=1e-14)
        assert np.abs(found.fun).max() < 1e-9, (penalty, found)
        x = found.x
    alpha, tau = np.exp(found.x)
    error, active = means(tau, alpha)
    return error / 2, delta * tau ** 2 * (1 - active / delta) ** 2 / 2, active, alpha * tau / D ** 0.5, alpha, tau


def for_teacher(T):
    B = len(T) ** 0.5 * T
    return lambda tau, alpha: denoised(B, tau, alpha)


def for_density(rho, t2):
    """Entries of sqrt(D) T normal with probability rho: u = B + tau Z is normal of deviation s, B = c u + rest."""
    def means(tau, alpha):
        s = np.hypot((t2 / rho) ** 0.5, tau)
        error0, active0 = denoised(np.zeros(1), tau, alpha)
        c, rest = (t2 / rho) / s ** 2, (t2 / rho) * tau ** 2 / s ** 2
        outer = quad(lambda u: (u - alpha * tau - c * u) ** 2 * norm.pdf(u / s) / s, alpha * tau, np.inf)[0]
        inner = quad(lambda u: (c * u) ** 2 * norm.pdf(u / s) / s, 0, alpha * tau)[0]
        return (rho * (2 * (outer + inner) + rest) + (1 - rho) * error0,
                rho * 2 * norm.sf(alpha * tau / s) + (1 - rho) * active0)
    return means


# ---- Simulation ----

ARMS = ["plain", "ridge", "lasso", "elastic", "plain+momentum", "ridge+momentum", "lasso+momentum", "elastic+momentum",
        "lasso+momentum+naive", "elastic+momentum+naive", "lasso+momentum+outer", "elastic+momentum+outer", "lasso+fista",
        "elastic+fista", "plain+sgd", "lasso+sgd"]


def check_curves(D, n, runs, epochs, arms, words=(), seed=3, task=(), hyper=None, tolerance=1e-10, **given):
    """Means and standard deviations of both losses at every epoch against the loops. Returns (JSON, arrays, sets)."""
    sets = draw(D, n, runs, seed, **dict(task))
    result, h5 = curves("--features", D, "--samples", n, "--runs", runs, "--epochs", epochs, "--seed", seed, "--arms",
                        ",".join(arms), *words)
    close(h5["teacher"], sets[0].T, 1e-14, "teacher")
    close(h5["start"], sets[0].S0, 1e-14, "start")
    assert result["series"]["epoch"] == list(range(epochs + 1))
    rows = {row["arm"]: row for row in result["tables"]["hyperparameters"]}
    ends = {row["arm"]: row for row in result["tables"]["arms"]}
    for arm in arms:
        rules = [rule(arm, *(hyper or (d.low, d.high)), n < D, D, n, **given) for d in sets]
        found = [iterate(d, r, epochs, seed, run) for run, (d, r) in enumerate(zip(sets, rules))]
        losses = np.array([history for history, _ in found])  # runs x epochs x losses
        for k, loss in enumerate(("loss_gen", "loss_train")):
            series, floor = result["series"][arm][loss], 1e-14 * np.mean([np.mean(d.y ** 2) for d in sets])
            for name, theirs in (("mean", losses[:, :, k].mean(0)), ("sd", losses[:, :, k].std(0, ddof=1))):
                worst = np.max(np.abs(series[name] - theirs) / (tolerance * losses[:, :, k].mean(0) + floor))
                assert worst < 1, f"{arm} {loss} {name}: {worst} tolerances"
            assert ends[arm][loss] == series["mean"][-1]
        assert ends[arm]["least_gen"] == min(result["series"][arm]["loss_gen"]["mean"])
        assert ends[arm]["least_at"] == int(np.argmin(result["series"][arm]["loss_gen"]["mean"]))
        close(h5[f"weights/{arm}"], found[0][1], 1e-9, f"{arm}: weights of the first data set")
        for name, key in (("lr", "eta"), ("momentum", "beta"), ("lambda", "lam")):
            values = [r[key] for r in rules]
            assert abs(rows[arm][name] - np.mean(values)) <= 1e-12 * np.mean(values), (arm, name)
            assert abs(rows[arm][name + "_sd"] - np.std(values, ddof=1)) <= 1e-10 * np.mean(values), (arm, name)
        beta = np.mean([r["beta"] for r in rules])
        close(rows[arm]["effective_l1"], rules[0]["l1"] * (1 - beta if "naive" in arm else 1), 1e-13, "effective l1")
        if arm.startswith(("lasso", "elastic")):
            row = [r for r in result["tables"]["sparsity"] if r["arm"] == arm][0]
            ended = np.array([S for _, S in found])
            assert abs(row["nonzero"] - np.mean(np.sum(ended != 0, 1))) < 1e-12, arm
            hits = np.mean(np.sum((ended != 0) & (sets[0].T != 0), 1))
            assert abs(row["support_hits"] - hits) < 1e-12 and row["support"] == np.sum(sets[0].T != 0)
    facts = result["task"]
    for name, value in (("start_norm2", sets[0].S0 @ sets[0].S0), ("overlap", sets[0].S0 @ sets[0].T),
                        ("teacher_norm2", sets[0].T @ sets[0].T)):
        assert abs(facts[name] - value) < 1e-13 * (1 + value), name
    close(h5["eigenvalues"], np.linalg.eigvalsh(sets[0].X.T @ sets[0].X if n < D else sets[0].X @ sets[0].X.T) / n, 1e-12)
    return result, h5, sets


def test_arms_are_those_of_plain_loops():
    """More features than samples (by Gram matrix and by passes over the data), and fewer; noise; a short last batch."""
    for D, n, epochs in ((24, 17, 40), (24, 7, 40), (12, 30, 40)):
        check_curves(D, n, 3, epochs, ARMS, ["--batch", 5, "--lasso-lambda", .02, "--noise", .3], batch=5, l1=.02,
                     task=dict(noise=.3))


def test_other_tasks():
    """Sparse teachers, norms of teacher and start, population variances by power law and from a file."""
    arms = ["plain", "ridge", "lasso", "elastic+fista", "ridge+momentum", "plain+sgd"]
    check_curves(20, 14, 3, 15, arms, ["--teacher", "sparse:5", "--teacher-norm", 2, "--init-norm", 3],
                 task=dict(sparse=5, norm_=2, start2=3))
    result, _, _ = check_curves(20, 14, 2, 15, arms, ["--teacher", "zero", "--init-norm", 1],
                                task=dict(norm_=0, start2=1))
    assert result["task"]["teacher_norm2"] == 0
    law_ = np.arange(1, 21.) ** -1.5
    check_curves(20, 14, 3, 15, arms, ["--spectrum", "power:1.5", "--noise", .1], task=dict(c=law_ / law_.mean(), noise=.1))
    c = np.random.default_rng(1).random(20) * 3
    c[4] = 0
    for n in (14, 30):
        check_curves(20, n, 3, 15, arms, ["--spectrum", save("c.npy", c)], task=dict(c=c))


def test_methods_agree():
    arms = ["plain", "ridge", "plain+momentum", "ridge+momentum"]
    for method in ("spectral", "iterate", "both"):
        result, _, _ = check_curves(20, 14, 3, 100, arms, ["--method", method])
    worst = [row for row in result["deviations"] if "iterated against spectral" in row["name"]]
    assert len(worst) == 4 and all(row["relative"] < 1e-11 for row in worst), worst


def test_given_hyper_parameters():
    arms = ["plain", "ridge", "lasso", "elastic"]
    check_curves(20, 14, 3, 10, arms, ["--lr", .1, "--lambda", .3, "--lasso-lr", .05, "--lasso-lambda", .1], lr=.1, lam=.3,
                 lasso_lr=.05, l1=.1)
    arms = ["plain+momentum", "ridge+momentum", "lasso+momentum", "lasso+momentum+naive", "lasso+momentum+outer"]
    check_curves(20, 14, 3, 10, arms, ["--lr", .1, "--lambda", .3, "--lasso-lr", .05, "--momentum", .5], lr=.1, lam=.3,
                 lasso_lr=.05, momentum=.5)
    check_curves(20, 14, 3, 10, arms + ["plain", "ridge"], ["--lambda", 0, "--lasso-lambda", 0], lam=0, l1=0)
    check_curves(20, 30, 3, 10, ["plain+sgd"], ["--batch", 1000], batch=1000)


def test_asymptotic_hyper_parameters():
    """Those of the edges of Marchenko and Pastur, on every data set."""
    arms = ["plain", "ridge", "plain+momentum", "ridge+momentum", "lasso", "elastic+momentum"]
    result, _, _ = check_curves(24, 16, 3, 10, arms, ["--hyper", "asymptotic"], hyper=edges(2 / 3))
    for row in result["tables"]["hyperparameters"]:
        for name in ("lr", "momentum", "lambda"):
            assert abs(row[name] - row[name + "_limit"]) < 1e-14 and row[name + "_sd"] < 1e-14
    done = linnet("regress", "curves", "--features", 40, "--samples", 28, "--runs", 60, "--epochs", 2, "--hyper", "asymptotic",
                  "--arms", "plain", "--json", "--no-figure")
    found = json.loads(done.stdout)
    bound = 2 / max(d.high for d in draw(40, 28, 60))
    assert found["tables"]["hyperparameters"][0]["lr"] > bound
    assert any("--hyper data" in w and f"{bound:.4g}" in w for w in found["warnings"]), found["warnings"]


def test_flow_is_the_exponential():
    for n, lam in ((14, None), (30, .2)):
        sets = draw(20, n, 3, 5, noise=.2)
        words = [] if lam is None else ["--lambda", lam, "--lr", .3]
        result, h5 = curves("--features", 20, "--samples", n, "--runs", 3, "--epochs", 6, "--seed", 5, "--noise", .2, "--time",
                            "flow", "--arms", "plain,ridge", *words)
        low, high = edges(n / 20)
        t = np.array(result["series"]["t"])
        close(t, np.arange(7) * (2 / (low + high) if lam is None else .3), 1e-14, "times")
        for arm in ("plain", "ridge"):
            losses = []
            for d in sets:
                ridge = 0 if arm == "plain" else d.low * d.high / (d.high - d.low) if lam is None else lam
                A = np.block([[-d.Sigma - ridge * np.eye(20), d.b[:, None]], [np.zeros((1, 21))]])
                losses.append([d.losses((expm(A * s) @ np.append(d.S0, 1))[:-1]) for s in t])
            losses = np.array(losses)
            for k, loss in enumerate(("loss_gen", "loss_train")):
                close(result["series"][arm][loss]["mean"], losses[:, :, k].mean(0), 1e-10, loss)
                close(result["series"][arm][loss]["sd"], losses[:, :, k].std(0, ddof=1), 1e-10, loss)


def test_the_optimum_is_that_of_coordinate_descent():
    arms = ["lasso", "elastic", "lasso+momentum", "lasso+momentum+naive", "lasso+fista", "elastic+momentum"]
    for D, n, noise in ((24, 17, .3), (12, 30, .2)):
        sets = draw(D, n, 3, 2, sparse=6, noise=noise)
        result, _ = curves("--features", D, "--samples", n, "--runs", 3, "--seed", 2, "--teacher", "sparse:6", "--noise", noise,
                           "--lasso-lambda", .05, "--epochs", 4000, "--arms", ",".join(arms))
        for arm in arms:
            rules = [rule(arm, d.low, d.high, n < D, D, n, l1=.05) for d in sets]
            best = [optimum(d, r["l1"] * (1 - r["beta"] if "naive" in arm else 1), r["lam"]) for d, r in zip(sets, rules)]
            row = [r for r in result["tables"]["sparsity"] if r["arm"] == arm][0]
            gen, train = np.array([d.losses(S) for d, S in zip(sets, best)]).T
            # the gap is certified to 1e-10 of |y|^2/(2n), which leaves the root of it to the weights
            close(row["converged_gen"], gen.mean(), 1e-6, arm)
            close(row["converged_gen_sd"], gen.std(ddof=1), 1e-6, arm)
            close(row["converged_train"], train.mean(), 1e-6, arm)
            assert abs(row["converged_nonzero"] - np.mean([np.sum(S != 0) for S in best])) < 1e-12, arm
            assert 0 <= row["largest_gap"] < 1e-9
            # every iteration gets there, too; the naive one where lambda (1 - beta) leads
            end = [r for r in result["tables"]["arms"] if r["arm"] == arm][0]
            close(end["loss_gen"], gen.mean(), 1e-6, f"{arm}, iterated")
            assert abs(row["nonzero"] - row["converged_nonzero"]) < 1e-12, arm
    assert any("naive" in w for w in result["warnings"])


# ---- Theory beside the curves ----

def used(row, q, D):
    """The rule of theory: the fastest one of infinitely large data sets, for the mean ridge of these."""
    low, high = edges(q)
    found = rule(row["arm"], low, high, q < 1, D, q * D, lam=row["lambda"])
    if found["beta"] == 1:  # at q = 1 nothing is fastest: the means of what was used, kept stable
        found.update(beta=row["momentum"], eta=min(row["lr"], (1 - 1e-12) * 2 * (1 + row["momentum"]) / high))
    return found


def test_theory_is_the_integral_over_marchenko_pastur():
    """Means and bands of all smooth arms and of the flow, with and without noise, below, at and above q = 1."""
    D = 20
    for q in (.7, 1, 1.5):
        for noise in (0, .5):
            for extra in ([], ["--time", "flow", "--arms", "plain,ridge"]):
                result = linnet_json("regress", "curves", "--features", D, "--samples", int(q * D), "--runs", 2, "--epochs", 12,
                                     "--noise", noise, "--no-figure", *extra)
                facts = [result["task"][name] for name in ("start_norm2", "overlap", "teacher_norm2")]
                for row in result["tables"]["hyperparameters"]:
                    arm = result["series"][row["arm"]]
                    for k in (0, 1, 12):
                        want = predicted(q, *facts, noise ** 2, used(row, q, D), k, D, result["series"]["t"][k] if extra else None)
                        for loss, mean, band in (("loss_gen", 0, 2), ("loss_train", 1, 3)):
                            close(arm[loss]["theory"][k], want[mean], 1e-10, f"q {q} {row['arm']} {loss} at {k}")
                            found = arm[loss]["band"][k]
                            assert abs(found ** 2 - want[band] ** 2) < 1e-11 * want[mean] ** 2, (q, row["arm"], loss, k)


def test_theory_near_q_1_is_continuous():
    """q = 1 is no exception: what theory says there lies between its neighbours, for plain descent of a given step."""
    words = ["--features", 2000, "--runs", 1, "--epochs", 30, "--arms", "plain,ridge", "--lambda", .1, "--noise", .5, "--lr", .3,
             "--init-norm", 1, "--no-figure"]
    at = {n: linnet_json("regress", "curves", "--samples", n, *words)["series"] for n in (1999, 2000, 2001)}
    for arm in ("plain", "ridge"):
        below, here, above = (np.array(at[n][arm]["loss_gen"]["theory"]) for n in (1999, 2000, 2001))
        assert np.all(np.abs(here - (below + above) / 2) < 1e-6)


def test_limits_and_other_spectra():
    """Where ridge and plain descent end: with variances of 1 by the law, else by the effective ridge."""
    for q in (.7, 1.5):
        for lam, noise in ((0, .5), (.1, 0), (.1, .5)):
            result = theory("--q", q, "--penalty", "ridge" if lam else "none", *(["--lambda", lam] if lam else []), "--noise",
                            noise, "--overlap", .3)["theory"]
            s2, far = noise ** 2, 1 / q - .6 + 1
            if lam:
                bulk, atom = law(lambda x: lam ** 2 / (x + lam) ** 2, q)
                V = law(lambda x: x / (x + lam) ** 2, q)[0]
                gen = .5 * (bulk + atom + s2 / q * V)
                train = .5 * (lam ** 2 * V + s2 * max(0, 1 - 1 / q) + s2 / q * bulk)
            else:
                gen, train = .5 * (max(0, 1 - q) * far + s2 * min(q, 1) / abs(1 - q)), s2 / 2 * max(0, 1 - 1 / q)
            close(result["loss_gen"], gen, 1e-11, "gen")
            assert abs(result["loss_train"] - train) < 1e-11
    D, n = 60, 40
    s = np.arange(1, D + 1.) ** -1
    s, T = s / s.mean(), np.random.default_rng(3).normal(size=D)
    for lam in (.2, 1e-4):
        kappa = fixed_point(s, n, lam)
        L = s / (s + kappa)
        e0 = n / (n - np.sum(L ** 2))
        test = e0 * (np.sum((1 - L) ** 2 * s * T ** 2) + .09)
        found = theory("--q", n / D, "--features", D, "--penalty", "ridge", "--lambda", lam, "--spectrum", "power:1", "--teacher",
                       save("T.npy", T), "--noise", .3)["theory"]
        for name, want in (("kappa", kappa), ("test_error", test), ("loss_gen", (test - .09) / 2),
                           ("loss_train", (lam / kappa) ** 2 * test / 2),
                           ("distance2", np.sum((1 - L) ** 2 * T ** 2) + test / n * np.sum(L ** 2 / s))):
            close(found[name], want, 1e-11, name)
    result, _ = curves("--features", D, "--samples", n, "--runs", 40, "--spectrum", "power:1", "--noise", .3, "--lambda", .2,
                       "--arms", "ridge", "--epochs", 400)
    end = result["tables"]["arms"][0]
    kappa, T = fixed_point(s, n, .2), draw(D, 1, 1)[0].T
    L = s / (s + kappa)
    test = n / (n - np.sum(L ** 2)) * (np.sum((1 - L) ** 2 * s * T ** 2) + .09)
    close(end["limit_gen"], (test - .09) / 2, 1e-11, "limit of ridge")
    assert abs(end["loss_gen"] - end["limit_gen"]) < 4 * end["loss_gen_sd"] / 40 ** .5 + .03 * end["limit_gen"]


def fixed_point(s, n, lam):
    low, high = lam, lam + np.sum(s) / n
    for _ in range(200):
        kappa = (low * high) ** .5
        low, high = (kappa, high) if np.sum(s / (s + kappa)) + n * lam / kappa > n else (low, kappa)
    return kappa


def test_state_evolution():
    """Numerical means over Z: for the teacher of the curves entry by entry, for `regress theory` over normal entries."""
    for sparse, noise in ((5, 0), (5, .2), (0, 0)):
        T = draw(20, 14, 1, sparse=sparse)[0].T
        for l1 in (1e-5, 1.2e-3, .1):
            result = linnet_json("regress", "curves", "--features", 20, "--samples", 14, "--runs", 1, "--epochs", 1, "--noise",
                                 noise, "--teacher", f"sparse:{sparse}" if sparse else "dense", "--arms",
                                 "lasso,lasso+momentum+naive", "--momentum", .5, "--lasso-lambda", l1, "--no-figure")
            for arm, effective in enumerate((l1, l1 / 2)):
                gen, train, active, threshold = state_evolution(.7, effective, noise ** 2, 20, for_teacher(T))[:4]
                ends, row = result["tables"]["arms"][arm], result["tables"]["sparsity"][arm]
                close(ends["limit_gen"], gen, 1e-8, f"gen, {sparse} {noise} {effective}")
                close(ends["limit_train"], train, 1e-8, "train")
                close(row["theory_nonzero"], 20 * active, 1e-8, "active")
                close(row["threshold"], threshold, 1e-8, "threshold")
    for D, q, rho, l1, s2 in ((1000, .7, .4, 1.2e-3, 0), (600, .7, .2, .01, .05), (100, 1.5, .1, 1e-3, 0)):
        found = theory("--penalty", "lasso", "--q", q, "--density", rho, "--lambda", l1, "--noise", s2 ** .5, "--features", D)
        names = ("loss_gen", "loss_train", "active", "threshold", "alpha", "tau")
        for name, want in zip(names, state_evolution(q, l1, s2, D, for_density(rho, 1))):
            close(found["theory"][name], want, 1e-8, name)


def test_first_epoch_of_minibatches():
    """E|Z|^2 after a pass over Gaussian samples is exact; 400 data sets lie within 4 standard errors (one in 16,000)."""
    result, _ = curves("--features", 15, "--samples", 22, "--runs", 400, "--epochs", 1, "--arms", "plain+sgd", "--batch", 8,
                       "--noise", .5)
    row = [r for r in result["deviations"] if "one epoch" in r["name"]][0]
    facts, eta = result["task"], 1 / (1 + 16 / 8)
    Z = facts["start_norm2"] - 2 * facts["overlap"] + facts["teacher_norm2"]
    for B in (8, 8, 6):
        Z = (1 - 2 * eta + eta ** 2 * (1 + 16 / B)) * Z + eta ** 2 * .25 * 15 / B
    close(row["predicted"], Z / 2, 1e-12)
    assert row["sigmas"] < 4


# ---- Known numbers ----

def test_numbers_of_marchenko_and_pastur():
    table = {1: (.714286, .701232, .959286, .938827), 5: (.474892, .436315, .507145, .404121),
             10: (.418119, .354692, .388296, .217280), 20: (.385004, .282823, .364964, .158252),
             50: (.367328, .200151, .364286, .154497), 100: (.364559, .163682, .364286, .154497),
             200: (.364290, .154882, .364286, .154497)}
    plain, ridge = theory()["series"], theory("--penalty", "ridge")
    for k, values in table.items():
        found = [plain["plain"], ridge["series"]["ridge"], plain["plain+momentum"], ridge["series"]["ridge+momentum"]]
        for series, value in zip(found, values):
            assert abs(series["loss_gen"][k] - value) < 5.1e-7, (k, series["loss_gen"][k], value)
    rates = {row["arm"]: row for row in theory()["tables"]["hyperparameters"] + ridge["tables"]["hyperparameters"]}
    for arm, name, value in (("plain", "lr", .41176471), ("ridge", "lr", .40850802), ("plain", "rate", .98430591),
                             ("ridge", "rate", .98430591), ("ridge+momentum", "lr", .69446363), ("ridge", "lambda", .03841806),
                             ("plain+momentum", "momentum", .7), ("plain+momentum", "lr", .7), ("ridge+momentum", "momentum", .7)):
        assert abs(rates[arm][name] - value) < 5.1e-9, (arm, name, rates[arm][name])
    for words, value in (([], .30899426912821826), (["--q", .5, "--lambda", .1], .5061358820277078),
                         (["--q", 1.5, "--lambda", .1], .05904261027134)):
        close(2 * theory("--penalty", "ridge", *words)["theory"]["loss_gen"], value, 1e-12, "R2")
    for q, percent in ((.1, 1.890), (.5, 2.903), (.7, 2.998), (.9, 3.030)):
        assert abs(100 * theory("--q", q)["stopping"]["ridge_correction"] - percent) < 5.1e-4
    for q, saving in ((.1, 2.08), (.3, 3.52), (.5, 5.88), (.7, 11.27), (.9, 37.98)):
        plain, fast = theory("--q", q, "--epochs", 1)["tables"]["hyperparameters"]
        assert abs(np.log(fast["rate"]) / np.log(plain["rate"]) - saving) < 5.1e-3
    for words, band in (([], .01024 * (1 / .7 + 1)), (["--penalty", "ridge"], .0101)):
        assert abs(theory(*words)["theory"]["loss_gen_band"] / band - 1) < 5e-3


def test_numbers_of_stopping():
    """Noise .5, q = 1.5, |S0|^2 = .01."""
    result = theory("--q", 1.5, "--noise", .5, "--start-norm2", .01)
    found, rest = result["stopping"], dict(eta=0, beta=0, lam=0)
    for name, value, digits in (("best_loss_gen", .1301128, 5e-8), ("best_time", 3.47554, 5e-6), ("best_ridge", 1 / 6, 1e-12),
                                ("best_ridge_loss_gen", .125, 1e-12)):
        assert abs(found[name] - value) < 1.02 * digits, (name, found[name])
    close(result["theory"]["loss_gen"], .25, 1e-12, "limit")
    for t, value in ((.75, .20733), (1.5, .15292), (3, .13078), (7.5, .14662), (30, .22027)):
        assert abs(predicted(1.5, .01, 0, 1, .25, rest, 0, flow=t)[0] - value) < 5.1e-6
    shares = [predicted(1.5, .01, 0, 1, .25, rest, 0, flow=found["best_time"] * f)[0] for f in (.999, 1, 1.001)]
    assert shares[1] < min(shares[0], shares[2]) and abs(shares[1] - found["best_loss_gen"]) < 1e-10


def test_numbers_of_the_lasso():
    for l1, gen, active in ((1e-5, .01275, .6981), (1e-4, .01308, .6825), (2e-4, .01401, .6678), (5e-4, .01776, .6352),
                            (1.2e-3, .02678, .5879)):
        found = theory("--penalty", "lasso", "--lambda", l1, "--density", .4)
        assert abs(found["theory"]["loss_gen"] - gen) < 5.1e-6 and abs(found["theory"]["active"] - active) < 5.1e-5
    assert abs(found["theory"]["alpha"] - .85692901) < 5.1e-9 and abs(found["theory"]["tau"] - .27660193) < 5.1e-9
    recovery = found["recovery"]
    assert abs(recovery["samples_per_feature_needed"] - .74974) < 5.1e-6 and not recovery["possible"]
    assert (recovery["samples_needed"], recovery["most_nonzero"]) == (750, 349)
    dense = theory("--penalty", "lasso", "--lambda", 1.2e-3)["theory"]
    assert abs(dense["loss_gen"] - .22634) < 5.1e-6 and abs(dense["active"] - .6538) < 5.1e-5
    noisy = theory("--penalty", "lasso", "--lambda", .01, "--density", .2, "--noise", .05 ** .5, "--features", 600)
    assert abs(noisy["theory"]["loss_gen"] - .04437) < 5.1e-6 and abs(noisy["theory"]["active"] - .3649) < 5.1e-5
    assert not noisy["recovery"]["possible"]
    close(2 * noisy["theory"]["loss_gen"] + .05, 2 * noisy["theory"]["loss_train"] / (1 - noisy["theory"]["active"] / .7) ** 2,
          1e-11, "generalised cross-validation")
    full = theory("--penalty", "lasso", "--lambda", 1e-3, "--q", 1)["recovery"]  # as many samples as unknowns
    assert full["possible"] and full["samples_needed"] == 1000


def test_simulated_means_are_those_of_theory():
    """Means of 40 data sets within 4 standard errors and O(1/D): 7 comparisons, one false alarm in some 2000 seeds; spread
    within 45 % of the band: sd of 40 has an error of 11 %."""
    D, n, runs = 200, 140, 40
    result, _ = curves("--features", D, "--samples", n, "--runs", runs, "--epochs", 150, "--noise", .3, "--seed", 1)
    for row in result["tables"]["arms"]:
        error = abs(row["loss_gen"] - row["theory_gen"])
        assert error < 4 * row["loss_gen_sd"] / runs ** .5 + 2 / D * row["theory_gen"], (row["arm"], error)
        assert .55 < row["loss_gen_sd"] / row["band_gen"] < 1.45, row
    result, _ = curves("--features", D, "--samples", n, "--runs", runs, "--teacher", "sparse:40", "--noise", .3, "--arms",
                       "lasso", "--lasso-lambda", .02, "--epochs", 10, "--seed", 2)
    row, end = result["tables"]["sparsity"][0], result["tables"]["arms"][0]
    assert abs(row["converged_gen"] - end["limit_gen"]) < 4 * row["converged_gen_sd"] / runs ** .5 + 2 / D * end["limit_gen"]
    assert abs(row["converged_nonzero"] / row["theory_nonzero"] - 1) < .04
    assert abs(row["converged_train"] / end["limit_train"] - 1) < .1


# ---- Output ----

def test_json_follows_the_schema():
    small_ = ["--features", 20, "--samples", 14, "--runs", 2, "--epochs", 3]
    for words in ([*small_], [*small_, "--arms", ",".join(ARMS)], [*small_, "--time", "flow", "--arms", "plain"],
                  [*small_, "--spectrum", "power:1"], [*small_, "--runs", 1, "--method", "both", "--noise", 1]):
        result = json.loads(linnet("regress", "curves", *words, "--json").stdout)
        schema().validate(result)
        assert result["command"] == "regress curves" and result["parameters"]["seed"] == 0
    for words in ([], ["--penalty", "ridge", "--noise", 1], ["--penalty", "lasso", "--lambda", .01], ["--q", 1],
                  ["--spectrum", "power:1", "--features", 30], ["--q", 1, "--noise", 1, "--penalty", "ridge"]):
        result = theory(*words)
        schema().validate(result)
        assert result["command"] == "regress theory"


def test_same_seed_same_bytes():
    words = ["regress", "curves", "--features", 40, "--samples", 28, "--runs", 7, "--epochs", 20, "--noise", .1, "--seed", 5,
             "--arms", "plain,ridge+momentum,lasso,elastic+fista,plain+sgd,lasso+sgd"]
    folders = [path(f"bytes-{k}") for k in range(3)]
    linnet(*words, "--out", folders[0], "--threads", 1)
    linnet(*words, "--out", folders[1], "--threads", 3)
    linnet("run", os.path.join(folders[0], "run.yaml"), "--out", folders[2], "--threads", 2)
    first = content(folders[0])
    for folder in folders[1:]:
        other = content(folder)
        assert set(first) == set(other) and "figure-curves.png" in first and "figure-weights.png" in first
        for name in first:
            assert name.endswith(".pdf") or first[name] == other[name], name
    other = linnet_json(*words[:-4], "--seed", 6, *words[-2:])
    assert other["series"]["plain"]["loss_gen"]["mean"][0] != json.loads(
        linnet(*words, "--json").stdout)["series"]["plain"]["loss_gen"]["mean"][0]


def test_extreme_sizes_are_answered():
    """One sample, one feature, no teacher, no start, no epochs, one data set: numbers everywhere, no NaN."""
    def numbers(item):
        for value in item.values() if isinstance(item, dict) else item:
            if isinstance(value, (dict, list)):
                yield from numbers(value)
            elif isinstance(value, float):
                yield value
    arms = ["--arms", "plain,ridge,plain+momentum,ridge+momentum,lasso,elastic,lasso+fista,plain+sgd"]
    for words in (["--samples", 1], ["--features", 1], ["--features", 1, "--samples", 1], ["--teacher", "zero"],
                  ["--teacher", "zero", "--init-norm", 0], ["--runs", 1], ["--epochs", 0], ["--samples", 20], ["--samples", 21],
                  ["--lambda", 0, "--lasso-lambda", 0], ["--lasso-lambda", 1e300], ["--lambda", 1e10], ["--noise", 1e20]):
        small_ = {"--features": 20, "--samples": 14, "--runs": 2, "--epochs": 3}
        small_.update(zip(words[::2], words[1::2]))
        result, h5 = curves(*(w for pair in small_.items() for w in pair), *arms)
        assert all(np.isfinite(value) for value in numbers(result["series"])), words
        assert all(None not in part for arm in result["series"].values() if isinstance(arm, dict)
                   for loss in arm.values() for part in loss.values()), words
        assert all(np.isfinite(h5[f"weights/{arm}"]).all() for arm in arms[1].split(",")), words
        for row in result["deviations"]:
            assert row["sigmas"] is None or row["sigmas"] < 1e6, (words, row)
    assert "plain" in linnet_json("regress", "curves", "--features", 30, "--samples", 30, "--runs", 2)["series"]


def test_interrupted_runs_keep_what_is_finished():
    """Also where the interruption falls into a data set, whose losses are unfinished, not divergent."""
    words = [PROGRAM, "regress", "curves", "--features", "40", "--samples", "28", "--runs", "20000", "--epochs", "900",
             "--arms", "plain,lasso", "--method", "iterate", "--json", "--quiet"]
    kept = 0
    for wait in (0.5, 0.6, 0.7, 2, 5, 10):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, (process.returncode, err)
        if not out:  # a busy machine
            assert "before the first data set" in err, err
            continue
        result, kept = json.loads(out), kept + 1
        assert result["interrupted"] and 0 < result["task"]["data_sets"] < 20000
        for loss in result["series"]["lasso"].values():
            assert np.isfinite(loss["mean"]).all()
        if kept == 3:
            break
    assert kept, err


def test_steps_that_diverge_are_named():
    d = draw(20, 14, 3)
    for arm, word, beta, lam in (("plain", "--lr", 0, 0), ("ridge", "--lr", 0, .5), ("plain+momentum", "--lr", .9, 0),
                                 ("lasso", "--lasso-lr", 0, 0), ("elastic+momentum+naive", "--lasso-lr", .9, .5)):
        words = ["regress", "curves", "--features", 20, "--samples", 14, "--runs", 3, "--arms", arm, "--momentum", beta,
                 "--lambda", lam, "--epochs", 50]
        bound = 2 * (1 + beta) / (d[0].high + lam)
        line = one_line([*words, word, 1.01 * bound], 1, [arm, word, "diverges", f"{bound:.4g}"])
        assert "nan" not in line.lower()
        linnet(*words, word, .99 * 2 * (1 + beta) / (max(s.high for s in d) + lam))


def test_bad_inputs_give_one_line():
    def text(name, words):
        with open(path(name), "w") as file:
            file.write(words)
        return path(name)

    small_ = ["--features", 20, "--samples", 14, "--runs", 2, "--epochs", 3]
    for words, code, says in (
            (["--arms", "plain,plain"], 2, ["twice"]), (["--arms", "plan"], 2, ["plan", "elastic"]),
            (["--arms", ""], 2, ["--arms"]), (["--arms", "plain,,ridge"], 2, ["--arms"]),
            (["--arms", "plain+fista"], 2, ["plain+fista"]), (["--arms", "lasso+fista+momentum"], 2, ["fista"]),
            (["--arms", ",".join(ARMS) + ",ridge+sgd"], 2, ["at most 16"]),
            (["--teacher", "sparse:0"], 2, ["sparse:0"]), (["--teacher", "sparse:21"], 2, ["from 1 to 20"]),
            (["--teacher", "sparse:2.5"], 2, ["sparse:2.5"]), (["--teacher", "some"], 2, ["some", "dense"]),
            (["--lambda", -1], 2, ["--lambda"]), (["--lasso-lambda", -1], 2, ["--lasso-lambda"]),
            (["--momentum", 1], 2, ["--momentum"]), (["--lr", 0], 2, ["--lr"]), (["--lr", "nan"], 2, ["--lr"]),
            (["--noise", -1], 2, ["--noise"]), (["--features", 0], 2, ["--features"]), (["--runs", 0], 2, ["--runs"]),
            (["--batch", 0], 2, ["--batch"]), (["--time", "flow"], 2, ["--arms plain,ridge"]),
            (["--features", 100000, "--samples", 1000000], 2, ["at most"]),
            (["--epochs", 1000000, "--runs", 100000], 2, ["losses", "at most"]),
            (["--spectrum", "power:-1"], 2, ["power:A"]), (["--spectrum", "power:x"], 2, ["power:A"]),
            (["--spectrum", path("none.csv")], 1, ["none.csv"]),
            (["--spectrum", save("short.npy", np.ones(19))], 1, ["19", "20"]),
            (["--spectrum", save("minus.npy", -np.ones(20))], 1, ["variance 1", "-1"]),
            (["--spectrum", save("infinite.npy", np.full(20, np.inf))], 1, ["inf"]),
            (["--spectrum", save("nothing.npy", np.zeros(0))], 1, ["nothing.npy"]),
            (["--spectrum", text("words.csv", "1\ntwo\n")], 1, ["line 2"]),
            (["--csv", "nothing"], 2, ["nothing"])):
        one_line(["regress", "curves", *small_, *words], code, says)
    for words, code, says in (
            (["--q", 0], 2, ["--q"]), (["--penalty", "lasso"], 2, ["--lambda"]), (["--overlap", 2], 1, ["--overlap", "1.195"]),
            (["--lambda", .1], 2, ["--penalty"]), (["--density", 2], 2, ["--density"]),
            (["--teacher", save("t.npy", np.ones(1000))], 2, ["--spectrum"]),
            (["--spectrum", "power:1", "--penalty", "lasso", "--lambda", 1], 2, ["lasso"]),
            (["--spectrum", "power:1", "--teacher", save("t.npy", np.ones(3))], 1, ["1000"])):
        one_line(["regress", "theory", *words], code, says)


if __name__ == "__main__":
    main(globals())
