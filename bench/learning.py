"""Learning curves of linear regression, for bench/run: SETS data sets, each with its own inputs X (n x D) but the same
sparse teacher T and start S0, full-batch descent without penalty, with ridge and with a lasso's threshold, |S - T|^2/2
after every epoch. Step and ridge come from the extreme eigenvalues of each data set's own covariance that are not 0."""
import time

import numpy as np

D, N, EPOCHS, SETS = 1000, 700, 1000, 10
STEP, L1 = 0.4, 5e-3  # of the lasso


def vectors(rng):
    T = np.zeros(D)
    T[:D * 4 // 10] = rng.standard_normal(D * 4 // 10)
    return T / np.linalg.norm(T), rng.standard_normal(D) / D ** 0.5


def rules(low, high):
    """(step, ridge, l1) of the three methods, the first two as fast as each other."""
    ridge = high * low / (high - low)
    return [(2 / (high + low), 0, 0), (2 / (high + 2 * ridge), ridge, 0), (STEP, 0, L1)]


def soften(S, t):
    return np.sign(S) * np.maximum(np.abs(S) - t, 0)


def descend(product, T, S0, low, high):
    """Curves (3 x EPOCHS + 1), with product(v) = Sigma v."""
    curves = np.empty((3, EPOCHS + 1))
    for curve, (step, ridge, l1) in zip(curves, rules(low, high)):
        S = S0.copy()
        gap = S - T
        curve[0] = gap @ gap / 2
        for epoch in range(EPOCHS):
            slope = product(gap)
            if ridge:
                slope += ridge * S
            S -= step * slope
            if l1:
                S = soften(S, step * l1)
            gap = S - T
            curve[epoch + 1] = gap @ gap / 2
    return curves


def by_symv(X, T, S0):
    """What an expert writes: the smaller eigenvalue problem, and BLAS reads half of Sigma."""
    from scipy.linalg import blas
    x = np.linalg.eigvalsh(X @ X.T / N)
    Sigma = np.asfortranarray(X.T @ X / N)
    return descend(lambda v: blas.dsymv(1.0, Sigma, v), T, S0, x[0], x[-1])


def by_autograd(X, T, S0):
    """What a notebook does: the quadratic loss, its gradient by autograd, torch.optim.SGD, single precision."""
    import torch
    X, T, S0 = [torch.from_numpy(v).float() for v in (X, T, S0)]
    Sigma = X.T @ X / N
    x = torch.linalg.eigh(Sigma)[0]
    x = x[x > 1e-5]
    curves = np.empty((3, EPOCHS + 1))
    for curve, (step, ridge, l1) in zip(curves, rules(x[0].item(), x[-1].item())):
        S = S0.clone().requires_grad_(True)
        optimizer = torch.optim.SGD([S], lr=step, weight_decay=ridge)
        curve[0] = ((S - T) @ (S - T) / 2).item()
        for epoch in range(EPOCHS):
            optimizer.zero_grad()
            gap = S - T
            loss = gap @ Sigma @ gap / 2
            loss.backward()
            optimizer.step()
            if l1:
                with torch.no_grad():
                    S.data = torch.sign(S.data) * torch.clamp(torch.abs(S.data) - step * l1, min=0)
            with torch.no_grad():
                curve[epoch + 1] = ((S - T) @ (S - T) / 2).item()
    return curves


def make_file(path):
    """X, T, S0 of one data set with its curves by plain NumPy, for accuracies."""
    rng = np.random.default_rng(1)
    T, S0 = vectors(rng)
    X = rng.standard_normal((N, D))
    Sigma, x = X.T @ X / N, np.linalg.eigvalsh(X @ X.T / N)
    curves = descend(lambda v: Sigma @ v, T, S0, x[0], x[-1])
    np.concatenate([[D, N, EPOCHS, SETS], X.ravel(), T, S0, curves.ravel()]).tofile(path)


def run_file(path, peer, threads):
    """Seconds for SETS data sets, drawn on the way; the largest relative difference from the curves of the file."""
    method = {"scipy dsymv": by_symv, "torch autograd": by_autograd}[peer]
    if method is by_autograd:
        import torch
        torch.set_num_threads(threads)
    else:
        import scipy.linalg
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    T, S0 = vectors(rng)
    for _ in range(SETS):
        method(rng.standard_normal((N, D)), T, S0)
    seconds = time.perf_counter() - start
    data = np.fromfile(path)
    X, T, S0, curves = np.split(data[4:], [N * D, N * D + D, N * D + 2 * D])
    curves = curves.reshape(3, -1)
    return seconds, np.abs(method(X.reshape(N, D), T, S0) / curves - 1).max()
