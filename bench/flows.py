"""Gradient flows as users integrate them today, with SciPy. Problems: white (64-32-64, inputs white, small start, t to 20),
stiff (16-8-8, input condition 1e4, t to 2e4), stiff-large (the same at 64-32-64). Their files hold doubles: inputs, hidden,
outputs, times; then Sxx, Syx, the start weights, the times, and the reference products at the times, column-major."""
import time

import numpy as np
from scipy.integrate import solve_ivp


class Problem:
    def __init__(self, n1, h, n3, Sxx, Syx, W1, W2, times):
        self.__dict__.update(n1=n1, h=h, n3=n3, Sxx=Sxx, Syx=Syx, W1=W1, W2=W2, times=times)
        self.white = np.array_equal(Sxx, np.eye(n1))
        self.start = np.concatenate([W1.ravel(), W2.ravel()])

    def layers(self, y):
        k = self.h * self.n1
        return y[:k].reshape(self.h, self.n1), y[k:].reshape(self.n3, self.h)

    def slope(self, t, y):
        W1, W2 = self.layers(y)
        E = self.Syx - W2 @ (W1 if self.white else W1 @ self.Sxx)
        d = np.empty_like(y)
        d1, d2 = self.layers(d)
        np.matmul(W2.T, E, out=d1)
        np.matmul(E, W1.T, out=d2)
        return d

    def solve(self, method, rtol, atol):
        start = time.perf_counter()
        r = solve_ivp(self.slope, (0, self.times[-1]), self.start, method, self.times, rtol=rtol, atol=atol)
        return time.perf_counter() - start, np.array([W2 @ W1 for W1, W2 in map(self.layers, r.y.T)])


def make(kind):
    rng = np.random.default_rng(0)
    n1, h, n3 = (16, 8, 8) if kind == "stiff" else (64, 32, 64)
    orthogonal = lambda n: np.linalg.qr(rng.standard_normal((n, n)))[0]
    U, V = orthogonal(n3)[:, :min(h, n3)], orthogonal(n1)[:, :min(h, n3)]
    T = (U * np.linspace(4, 1, min(h, n3))) @ V.T
    if kind == "white":
        return Problem(n1, h, n3, np.eye(n1), T, 1e-3 * rng.standard_normal((h, n1)), 1e-3 * rng.standard_normal((n3, h)),
                       np.linspace(0, 20, 100))
    Q = orthogonal(n1)
    Sxx = (Q * np.logspace(0, -4, n1)) @ Q.T
    return Problem(n1, h, n3, Sxx, T @ Sxx, 0.1 * rng.standard_normal((h, n1)), 0.1 * rng.standard_normal((n3, h)),
                   np.linspace(0, 2e4, 100))


def write(p, path, products):
    with open(path, "wb") as f:
        f.write(np.array([p.n1, p.h, p.n3, len(p.times)], float).tobytes())
        for A in (p.Sxx, p.Syx, p.W1, p.W2):
            f.write(A.T.copy().tobytes())
        f.write(p.times.tobytes())
        f.write(products.transpose(0, 2, 1).copy().tobytes())


def read(path):
    a = np.fromfile(path)
    n1, h, n3, nt = a[:4].astype(int)
    parts, at = [], 4
    for rows, cols in ((n1, n1), (n3, n1), (h, n1), (n3, h)):
        parts.append(a[at:at + rows * cols].reshape(cols, rows).T.copy())
        at += rows * cols
    p = Problem(n1, h, n3, *parts, a[at:at + nt])
    return p, a[at + nt:].reshape(nt, n1, n3).transpose(0, 2, 1)


def make_file(kind, path):
    p = make(kind)
    # an explicit method is exact enough where it is slow: the reference must not share what linnet does
    method, rtol, atol = ("DOP853", 3e-14, 1e-16) if kind == "white" else ("DOP853", 1e-12, 1e-14)
    write(p, path, p.solve(method, rtol, atol)[1])


def run_file(path, method):
    """Seconds and the largest error of W2 W1 over all times, at tolerances of 1e-8."""
    p, reference = read(path)
    # the fastest of three runs in one process where that takes no time, as linnet
    runs = [p.solve(method, 1e-8, 1e-8)]
    while len(runs) < 3 and runs[0][0] < 0.5:
        runs.append(p.solve(method, 1e-8, 1e-8))
    seconds, products = min(runs, key=lambda r: r[0])
    return seconds, np.abs(products - reference).max()
