"""linnet regress curves and regress theory against NumPy and SciPy: data sets redrawn from the generator that the headers
name, every arm iterated by a plain loop, the lasso's optimum by coordinate descent, theory by quadrature over the law of
Marchenko and Pastur and by state evolution with numerical means over Z.
"""
import json
import os

from test_outputs import content, one_line, schema
from test_train import Stream, close, counter, path, read_h5, save

import numpy as np
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.optimize import root
from scipy.stats import norm

from e2e import linnet, linnet_json, main

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
    l1 = l1 if base in ("lasso", "elastic") else 0
    eta, beta = fastest(low, high, null, lam, "momentum" in variants)
    if l1 and "momentum" in variants:
        beta = fastest(low, high, null, 0, True)[1]
    if "momentum" in variants and momentum is not None:
        beta = momentum
    if l1:
        eta = (1 - beta if "outer" in variants else 1) / (high + lam)
    if "sgd" in variants:
        eta = 1 / (1 + (D + 1) / min(batch, n))
    given = lasso_lr if l1 else lr
    kind = [v for v in variants if v != "momentum"] or ["heavy"]
    return dict(eta=eta if given is None else given, beta=beta, lam=lam, l1=l1, batch=batch, kind=kind[0])


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
    return gen, train, gen_var ** 0.5, train_var ** 0.5


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
    def residuals(unknown):
        alpha, tau = np.exp(np.clip(unknown, -30, 30))
        error, active = means(tau, alpha)
        return [(s2 + error) / tau ** 2 - delta, alpha * tau * (1 - active / delta) / (l1 * D ** 0.5) - 1]
    grid = [(a, t) for a in np.linspace(-2, 2, 21) for t in np.linspace(-10, 2, 49)]
    for start in sorted(grid, key=lambda p: np.linalg.norm(residuals(p)))[:10]:
        found = root(residuals, start, tol=1e-14)
        if np.abs(found.fun).max() < 1e-11:
            break
    else:
        raise AssertionError("state evolution was not solved")
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
