"""Fits of tanh networks with one hidden layer for bench/run, and a tangent kernel. The objective of a fit is 1/2 |d - f|^2/sigma^2
+ alpha/2 |w|^2, its mean over the problems of a file is the accuracy: different solvers end in different local minima."""
import os
import subprocess
import time

import numpy as np

# inputs, hidden units, rows, problems
SIZES = {"fit-small": (1, 20, 1000, 5), "fit-large": (10, 50, 1000, 1), "fit-rows": (1, 20, 1000000, 1)}
SIGMA, ALPHA = .1, 1.


def make(d, H, n, seed):
    rng = np.random.default_rng(seed)
    if d == 1:
        X = rng.uniform(-3, 3, (n, 1))
        f = np.sin(2 * X[:, 0]) * np.exp(-X[:, 0] ** 2 / 8)
    else:
        X = rng.standard_normal((n, d))
        f = np.tanh(2 * X @ rng.standard_normal((d, 5)) / d ** .5 + rng.standard_normal(5)) @ rng.standard_normal(5)
    w = [rng.standard_normal((H, d)).ravel() / d ** .5, rng.standard_normal(H), rng.standard_normal(H) / H ** .5, [0.]]
    return X, f + SIGMA * rng.standard_normal(n), np.concatenate(w)


def make_file(job, path):
    d, H, n, problems = SIZES[job]
    parts = [[d, H, n, SIGMA, ALPHA, problems]]
    for seed in range(problems):
        X, y, w = make(d, H, n, seed)
        parts += [X.ravel(), y, w]
    np.concatenate(parts).astype(float).tofile(path)


def problems(path):
    raw = np.fromfile(path)
    d, H, n, count = int(raw[0]), int(raw[1]), int(raw[2]), int(raw[5])
    k = H * (d + 2) + 1
    for raw in raw[6:].reshape(count, -1):
        X, y, w = np.split(raw, [n * d, n * d + n])
        assert len(w) == k
        yield X.reshape(n, d), y, w.copy(), H


def levenberg_marquardt(X, y, w, H, tolerance=1e-8, most=1000):
    """What an expert writes: normal equations, Cholesky, Nielsen's damping."""
    from scipy.linalg import cho_factor, cho_solve
    n, d = X.shape
    k = len(w)

    def residual(w):
        h = np.tanh(X @ w[:H * d].reshape(H, d).T + w[H * d:H * d + H])
        return np.concatenate([(h @ w[-H - 1:-1] + w[-1] - y) / SIGMA, ALPHA ** .5 * w]), h

    def jacobian(w, h):
        g = (1 - h * h) * (w[-H - 1:-1] / SIGMA)
        J = np.zeros((n + k, k))
        J[:n, :H * d] = (g[:, :, None] * X[:, None, :]).reshape(n, H * d)
        J[:n, H * d:H * d + H], J[:n, -H - 1:-1], J[:n, -1] = g, h / SIGMA, 1 / SIGMA
        J[n + np.arange(k), np.arange(k)] = ALPHA ** .5
        return J

    r, h = residual(w)
    J = jacobian(w, h)
    A, g, f, nu = J.T @ J, J.T @ r, r @ r / 2, 2.
    mu = 1e-3 * A.diagonal().max()
    for _ in range(most):
        B = A.copy()
        B[np.diag_indices(k)] += mu
        step = -cho_solve(cho_factor(B, overwrite_a=True, check_finite=False), g, check_finite=False)
        trial, h = residual(w + step)
        fall = f - trial @ trial / 2
        small = np.linalg.norm(step) < tolerance * np.linalg.norm(w)
        rho = fall / (step @ (mu * step - g) / 2)
        if rho > 0:
            w, r, f = w + step, trial, f - fall
            J = jacobian(w, h)
            A, g = J.T @ J, J.T @ r
            mu *= max(1 / 3, 1 - (2 * rho - 1) ** 3)
            nu = 2.
            if small or fall < tolerance * f:
                break
        else:
            mu *= nu
            nu *= 2
            if small:
                break
    return f


def run_numpy(path):
    import scipy.linalg  # noqa: F401: not timed
    start = time.perf_counter()
    costs = [levenberg_marquardt(*problem) for problem in problems(path)]
    return time.perf_counter() - start, np.mean(costs)


def compiled(name):
    """The peer in C++, compiled once where its library is there."""
    here = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(here, "..", "build", f"bench-{name}")
    words = {"ceres": ["-I/usr/include/eigen3", "-DCERES", "-lceres", "-lglog"],
             "cminpack": ["-I/usr/include/cminpack-1", "-DCMINPACK", "-lcminpack"]}[name]
    flags = [w for w in words if not w.startswith("-l")]
    source = os.path.join(here, "fits.cpp")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(["g++", "-O3", "-march=native", *flags, source, "-o", program, *[w for w in words if w.startswith("-l")]],
                       check=True, capture_output=True)
    return program


def run_compiled(name, path):
    done = subprocess.run([compiled(name), path], check=True, capture_output=True, text=True)
    return tuple(map(float, done.stdout.split()))


def kernel(peer):
    """Theta of 1,000 samples and a 64-256-1 tanh network with biases; accuracy: its trace."""
    rng = np.random.default_rng(0)
    X, W, b, v = rng.normal(size=(1000, 64)), rng.normal(size=(256, 64)), rng.normal(size=256), rng.normal(size=256)
    start = time.perf_counter()
    h = np.tanh(X @ W.T / 8 + b)
    D = (1 - h * h) * v / 16
    if "explicit" in peer:
        B = np.concatenate([(D[:, :, None] * X[:, None, :] / 8).reshape(len(X), -1), D, h / 16, np.ones((len(X), 1))], 1)
        Theta = B @ B.T
    else:
        Theta = (X @ X.T / 64 + 1) * (D @ D.T) + h @ h.T / 256 + 1
    return time.perf_counter() - start, np.trace(Theta)
