"""Covariance matching for bench/run: stimuli x folds cross-validation over a path of lambdas, then the fit to all stimuli at
the lambda of the best mean R^2 of held-out blocks. The loss of the last fit, of the full problem, is the accuracy."""
import time

import numpy as np

# cells, stimuli, folds, lambdas
SIZES = {"match": (100, 50, 5, 30), "match-linear": (100, 50, 5, 30), "match-linear-large": (1000, 500, 5, 30),
         "match-large": (5000, 500, 0, 1)}


def make(N, M, folds, count):
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, min(N, M) + 1) ** -.5
    X = (np.linalg.qr(rng.normal(size=(N, min(N, M))))[0] * spectrum) @ np.linalg.qr(rng.normal(size=(M, min(N, M))))[0].T
    X += .02 * rng.normal(size=(N, M)) / N ** .5
    X -= X.mean(0)
    X *= np.sqrt(M / (X ** 2).sum())
    Y = X + .4 / N ** .5 * rng.normal(size=(N, N)) @ X + .15 / N ** .5 * rng.normal(size=(N, M))
    Y -= Y.mean(0)
    noise = rng.normal(size=(M, M))
    fold = rng.permutation(np.arange(M) % folds) if folds else np.zeros(M)
    return X, Y.T @ Y + .05 * (noise + noise.T), fold, np.logspace(3, -3, count) if count > 1 else np.ones(1)


def make_file(job, path):
    N, M, folds, count = SIZES[job]
    X, S, fold, lambdas = make(N, M, folds, count)
    np.concatenate([[N, M, folds, count], X.ravel("F"), S.ravel(), fold, lambdas]).astype(float).tofile(path)


def read(path):
    raw = np.fromfile(path)
    N, M, folds, count = map(int, raw[:4])
    X, S, fold, lambdas = np.split(raw[4:], np.cumsum([N * M, M * M, M]))
    return X.reshape(N, M, order="F"), S.reshape(M, M), fold.astype(int), lambdas, folds


def r2(S, C):
    return 1 - ((S - C) ** 2).sum() / ((S - S.mean()) ** 2).sum()


def basis(X, S):
    U, sv, VT = np.linalg.svd(X, full_matrices=False)
    keep = sv > 1e-10 * sv[0]
    U, sv, VT = U[:, keep], sv[keep], VT[keep]
    return U, sv[:, None] * VT, np.outer(sv, sv), VT @ S @ VT.T - np.diag(sv ** 2)


def closed(ss, E0, lam):
    return 2 * ss * E0 / (4 * ss ** 2 + lam)


def held_out(D, Q, C0):
    B = D @ Q
    G = Q.T @ B
    return C0 + G + G.T + B.T @ B


def full_loss(D, P, S, lam):
    A = P + D @ P
    return .5 * ((S - A.T @ A) ** 2).sum() + .5 * lam * (D ** 2).sum()


def by_closed_form(X, S, fold, lambdas, folds):
    score = np.zeros(len(lambdas))
    for f in range(folds):
        kept, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        U, P, ss, E0 = basis(X[:, kept], S[np.ix_(kept, kept)])
        Q, C0, target = U.T @ X[:, held], X[:, held].T @ X[:, held], S[np.ix_(held, held)]
        score += [r2(target, held_out(closed(ss, E0, lam), Q, C0)) for lam in lambdas]
    lam = lambdas[score.argmax()]
    U, P, ss, E0 = basis(X, S)
    D = closed(ss, E0, lam)
    U @ D @ U.T
    return D, P, lam


def by_weights(X, S, fold, lambdas, folds):
    """What a notebook does: W itself for every lambda, and the covariance of what it makes of the held-out stimuli."""
    score = np.zeros(len(lambdas))
    for f in range(folds):
        kept, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        U, P, ss, E0 = basis(X[:, kept], S[np.ix_(kept, kept)])
        for i, lam in enumerate(lambdas):
            A = X[:, held] + U @ closed(ss, E0, lam) @ U.T @ X[:, held]
            A -= A.mean(0)
            score[i] += r2(S[np.ix_(held, held)], A.T @ A)
    lam = lambdas[score.argmax()]
    U, P, ss, E0 = basis(X, S)
    D = closed(ss, E0, lam)
    U @ D @ U.T
    return D, P, lam


def by_lbfgs(X, S, fold, lambdas, folds):
    """In the basis of X, from the closed form, scaled by the Hessian's diagonal, along the path: the fastest that we know."""
    from scipy.optimize import minimize

    def fit(D, P, S, lam, ss):
        scale = np.sqrt(4 * ss ** 2 + lam)

        def value(v):
            W = v.reshape(ss.shape) / scale
            A = P + W @ P
            E = S - A.T @ A
            return .5 * (E ** 2).sum() + .5 * lam * (W ** 2).sum(), ((-2 * (A @ E) @ P.T + lam * W) / scale).ravel()

        found = minimize(value, (D * scale).ravel(), jac=True, method="L-BFGS-B",
                         options=dict(maxcor=10, maxiter=5000, maxfun=10 ** 6, gtol=1e-5, ftol=1e-13))
        return found.x.reshape(ss.shape) / scale

    score = np.zeros(len(lambdas))
    for f in range(folds):
        kept, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        Sk = S[np.ix_(kept, kept)]
        U, P, ss, E0 = basis(X[:, kept], Sk)
        Q, C0, target = U.T @ X[:, held], X[:, held].T @ X[:, held], S[np.ix_(held, held)]
        D = None
        for i, lam in enumerate(lambdas):
            D = fit(closed(ss, E0, lam) if D is None else D, P, Sk, lam, ss)
            score[i] += r2(target, held_out(D, Q, C0))
    lam = lambdas[score.argmax()]
    U, P, ss, E0 = basis(X, S)
    return fit(closed(ss, E0, lam), P, S, lam, ss), P, lam


def run_file(path, peer):
    X, S, fold, lambdas, folds = read(path)
    if "scipy" in peer:
        import scipy.optimize  # noqa: F401: not timed
    start = time.perf_counter()
    fit = {"scipy L-BFGS": by_lbfgs, "numpy closed form": by_closed_form, "numpy forms W": by_weights}[peer]
    D, P, lam = fit(X, S, fold, lambdas, folds)
    seconds = time.perf_counter() - start
    return seconds, full_loss(D, P, S, lam)
