"""The posterior of a network for bench/run: 1-20-1, tanh, 1,000 samples, noise and prior known. Effective samples of the
outputs at ten points, the worst of them, as bulk ESS of rank-normalised draws for all programs alike."""
import os
import subprocess
import tempfile
import time

import numpy as np

H, N, CHAINS, SIGMA, ALPHA = 20, 1000, 4, .1, 1.
K = 3 * H + 1
POINTS = np.linspace(-2.8, 2.8, 10)


def make():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, N)
    return x, np.sin(2 * x) * np.exp(-x ** 2 / 8) + SIGMA * rng.standard_normal(N)


def parts(w):
    return w[..., :H], w[..., H:2 * H], w[..., 2 * H:3 * H], w[..., 3 * H]


def outputs(w, x):
    """w (chains x K) -> chains x samples."""
    a, b, v, c = parts(w)
    return np.matmul(v[..., None, :], np.tanh(a[..., :, None] * x + b[..., :, None]))[..., 0, :] + c[..., None]


def jacobian(w, x):
    a, b, v, c = parts(w)
    h = np.tanh(np.outer(x, a) + b)
    g = (1 - h * h) * v
    return np.hstack([g * x[:, None], g, h, np.ones((len(x), 1))])


def mode(x, y):
    """Levenberg-Marquardt on the log posterior; w and its curvature A there."""
    w = np.random.default_rng(1).standard_normal(K)

    def loss(w):
        return (((outputs(w, x) - y) / SIGMA) ** 2).sum() + ALPHA * w @ w
    mu = 1e3
    for _ in range(1000):
        J = jacobian(w, x) / SIGMA
        A = J.T @ J + ALPHA * np.eye(K)
        step = np.linalg.solve(A + mu * np.eye(K), J.T @ ((y - outputs(w, x)) / SIGMA) - ALPHA * w)
        better = loss(w + step) < loss(w)
        w, mu = (w + step, mu / 3) if better else (w, mu * 4)
        if mu > 1e12 or (better and np.abs(step).max() < 1e-9):
            break
    return w, A


def make_file(path):
    x, y = make()
    w, A = mode(x, y)
    L = np.linalg.cholesky(A)
    starts = w + .1 * np.linalg.solve(L.T, np.random.default_rng(2).standard_normal((K, CHAINS))).T
    np.concatenate([[H, N, CHAINS, SIGMA, ALPHA, len(POINTS)], POINTS, x, y, w, starts.ravel()]).tofile(path)


def read(path):
    raw = np.fromfile(path)[6:]
    points, x, y, w, starts = np.split(raw, np.cumsum([len(POINTS), N, N, K]))
    return x, y, w, starts.reshape(CHAINS, K)


def log_posterior(w, x, y):
    """log p and gradient of all chains at once, in place where NumPy can."""
    a, b, v, c = parts(w)
    h = a[:, :, None] * x
    h += b[:, :, None]
    np.tanh(h, out=h)
    r = y - np.matmul(v[:, None, :], h)[:, 0] - c[:, None]
    e = r / SIGMA ** 2
    g = np.empty_like(w)
    g[:, 2 * H:3 * H] = np.matmul(h, e[:, :, None])[:, :, 0]
    g[:, 3 * H] = e.sum(1)
    h *= h
    np.subtract(1, h, out=h)
    h *= e[:, None, :]
    g[:, :H] = np.matmul(h, x) * v
    g[:, H:2 * H] = h.sum(2) * v
    g -= ALPHA * w
    return -.5 * (r * e).sum(1) - .5 * ALPHA * (w * w).sum(1), g


def hmc(x, y, w, z, metric, path_length, warmup, draws, longest=200):
    """Chains side by side, step size by dual averaging, length jittered; z the starts. metric: factor of the precision that
    weights are whitened by, or None."""
    if metric is not None:
        inverse = np.linalg.inv(metric)
        def target(u):
            lp, g = log_posterior(u @ inverse, x, y)
            return lp, g @ inverse.T
        z, back = z @ metric, lambda u: u @ inverse
    else:
        def target(u):
            return log_posterior(u, x, y)
        back = np.asarray
    rng = np.random.default_rng(3)
    lp, g = target(z)
    eps = .1 if metric is not None else 1e-3
    origin, h, average, kept = np.log(10 * eps), 0., 0., np.empty((len(z), draws, K))
    for it in range(warmup + draws):
        steps = int(min(longest, max(1, rng.uniform(.5, 1.5) * path_length / eps)))
        p = rng.standard_normal(z.shape)
        before, q, gq = lp - .5 * (p * p).sum(1), z, g
        p = p + .5 * eps * gq
        for s in range(steps):
            q = q + eps * p
            lq, gq = target(q)
            p = p + (eps if s < steps - 1 else .5 * eps) * gq
        change = lq - .5 * (p * p).sum(1) - before
        accept = np.exp(np.minimum(0, np.where(np.isfinite(change), change, -np.inf)))
        take = rng.random(len(z)) < accept
        z, g, lp = np.where(take[:, None], q, z), np.where(take[:, None], gq, g), np.where(take, lq, lp)
        if it < warmup:
            t = it + 1
            h += (.8 - accept.mean() - h) / (t + 10)
            log_eps = origin - t ** .5 / .05 * h
            average = t ** -.75 * log_eps + (1 - t ** -.75) * average
            eps = np.exp(log_eps if it < warmup - 1 else average)
        else:
            kept[:, it - warmup] = back(z)
    return kept


def judge(values):
    """Least bulk ESS and largest R-hat of draws (chains x draws x quantities), by the diagnostics of the library."""
    bench = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "bench")
    with tempfile.NamedTemporaryFile() as file:
        np.concatenate([values.shape, values.ravel()]).astype(float).tofile(file.name)
        return [float(v) for v in subprocess.run([bench, "ess", "1", file.name], check=True, text=True,
                                                 capture_output=True).stdout.split()[:2]]


def run_file(path, job, peer):
    """Seconds for 1,000 effective samples, and the largest R-hat; of "gradient", seconds for one, and their norm."""
    x, y, w, starts = read(path)
    if job == "posterior-gradient":
        seconds = float("inf")
        for _ in range(500):
            start = time.perf_counter()
            lp, g = log_posterior(starts, x, y)
            seconds = min(seconds, time.perf_counter() - start)
        return seconds / CHAINS, np.linalg.norm(g[0])
    start = time.perf_counter()
    metric = None
    if "Laplace" in peer:
        J = jacobian(w, x) / SIGMA
        metric = np.linalg.cholesky(J.T @ J + ALPHA * np.eye(K))
    kept = hmc(x, y, w, starts, metric, np.pi / 2 if metric is not None else .3, 300, 500)
    seconds = time.perf_counter() - start
    ess, rhat = judge(np.stack([outputs(chain, POINTS) for chain in kept]))
    return 1000 * seconds / ess, rhat
