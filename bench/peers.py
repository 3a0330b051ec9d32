"""What users run today, for the same jobs: peers.py JOB PEER THREADS DATA. Prints "seconds accuracy megabytes", imports
excluded. For whiten and sgd DATA is an .npz with X (n x 784 bytes), y (classes), Z (whitened, n x 100) and the start weights
W1, W2; for flows a file of flows.py, for learning one of learning.py, for lasso one of paths.py, for
fits one of fits.py."""
import os
import sys

job, peer, threads, path = sys.argv[1:5]
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = threads
import time

import numpy as np

data = np.load(path) if path.endswith(".npz") else None


def whiten(kind):
    X = data["X"]
    start = time.perf_counter()
    A = X.astype(kind)
    mean = A.mean(0, dtype=np.float64)
    A -= mean.astype(kind)
    values, vectors = np.linalg.eigh((A.T @ A).astype(np.float64) / len(A))
    P = vectors[:, ::-1][:, :100] / np.sqrt(values[::-1][:100])
    Z = A @ P.astype(kind)
    seconds = time.perf_counter() - start
    Z = Z.astype(np.float64)
    return seconds, np.abs(Z.T @ Z / len(Z) - np.eye(100)).max()


def sgd_numpy():
    Z, Y, W1, W2 = data["Z"], np.eye(10)[data["y"]], data["W1"].copy(), data["W2"].copy()

    def loss():
        F = Z @ (W2 @ W1).T
        return ((F - Y) ** 2).sum(1).mean()

    start = time.perf_counter()
    loss()
    for _ in range(10):
        for first in range(0, len(Z), 100):
            x = Z[first:first + 100]
            h = x @ W1.T
            r = (h @ W2.T - Y[first:first + 100]) * (2 * 0.01 / len(x))
            g1 = (r @ W2).T @ x
            W2 -= r.T @ h
            W1 -= g1
        final = loss()
    return time.perf_counter() - start, final


def sgd_torch():
    import torch
    torch.set_num_threads(int(threads))
    Z, y = torch.from_numpy(data["Z"]).float(), torch.from_numpy(data["y"].astype(np.int64))
    Y = torch.nn.functional.one_hot(y, 10).float()
    net = torch.nn.Sequential(torch.nn.Linear(100, 10, bias=False), torch.nn.Linear(10, 10, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(data["W1"]))
        net[1].weight.copy_(torch.from_numpy(data["W2"]))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def loss():
        with torch.no_grad():
            F = net(Z)
            return ((F - Y) ** 2).sum(1).mean().item()

    start = time.perf_counter()
    loss()
    for _ in range(10):
        for first in range(0, len(Z), 100):
            optimizer.zero_grad()
            ((net(Z[first:first + 100]) - Y[first:first + 100]) ** 2).sum(1).mean().backward()
            optimizer.step()
        final = loss()
    return time.perf_counter() - start, final


def exercise():
    """Four items with the features that they share: C_YX, and its modes."""
    Y = np.concatenate([np.ones((1, 4)), np.kron(np.eye(2), np.ones((1, 2))), np.eye(4)])
    return (Y,) + np.linalg.svd(Y, full_matrices=False)


STARTS, STEPS, RATE = 1000, 150, 0.04


def ensemble_loop():
    """One run after the other."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    Y, U, s, VT = exercise()
    strength = np.empty((STARTS, STEPS + 1, 4))
    for run in range(STARTS):
        W1, W2 = 0.01 * rng.standard_normal((16, 4)), 0.01 * rng.standard_normal((7, 16))
        for step in range(STEPS + 1):
            W = W2 @ W1
            strength[run, step] = ((U.T @ W) * VT).sum(1)
            E = Y - W
            g1 = W2.T @ E
            W2 += RATE * (E @ W1.T)
            W1 += RATE * g1
    mean, sd = strength.mean(0), strength.std(0)
    return time.perf_counter() - start, mean[-1, 2]


def ensemble_stacked():
    """All runs in stacks of matrices."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    Y, U, s, VT = exercise()
    W1, W2 = 0.01 * rng.standard_normal((STARTS, 16, 4)), 0.01 * rng.standard_normal((STARTS, 7, 16))
    strength = np.empty((STEPS + 1, STARTS, 4))
    for step in range(STEPS + 1):
        W = W2 @ W1
        strength[step] = ((U.T @ W) * VT).sum(2)
        E = Y - W
        g1 = W2.transpose(0, 2, 1) @ E
        W2 += RATE * (E @ W1.transpose(0, 2, 1))
        W1 += RATE * g1
    mean, sd = strength.mean(1), strength.std(1)
    return time.perf_counter() - start, mean[-1, 2]


def flow():
    import flows
    return flows.run_file(path, peer.split()[1])


def learning():
    import learning as curves
    return curves.run_file(path, peer, int(threads))


def match():
    import matching
    return matching.run_file(path, peer)

def posterior():
    import sampling
    return sampling.run_file(path, job, peer)


def lasso_sklearn():
    """Its tolerance is on the gap over |y|^2, which is half of the null objective's."""
    import paths
    from sklearn.linear_model import lasso_path
    X, y = paths.read_file(path)
    start = time.perf_counter()
    lambdas, W, _ = lasso_path(X, y, eps=1e-2, n_alphas=100, tol=5e-7, max_iter=1000000)
    return time.perf_counter() - start, paths.largest_gap(X, y, lambdas, W)


def peak_megabytes():
    lines = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else float("nan")


jobs = {("whiten", "numpy float32"): lambda: whiten(np.float32), ("whiten", "numpy float64"): lambda: whiten(np.float64),
        ("sgd", "numpy float64"): sgd_numpy, ("sgd", "torch autograd"): sgd_torch,
        ("ensemble", "numpy loop"): ensemble_loop, ("ensemble", "numpy stacked"): ensemble_stacked}
if peer.startswith("glmnet"):
    import paths
    print("%.6f %.9g %.0f" % paths.run_glmnet(path, peer.split()[1]))
    sys.exit()
if peer in ("ceres", "cminpack"):
    import fits
    print("%.6f %.9g %.0f" % fits.run_compiled(peer, path))
    sys.exit()
if job == "ntk" or job.startswith("fit"):
    import fits
    jobs[job, peer] = lambda: fits.kernel(peer) if job == "ntk" else fits.run_numpy(path)
seconds, accuracy = flow() if job.startswith("flow") else learning() if job.startswith("learning") else match() if job.startswith("match") else posterior() if job.startswith("posterior") else lasso_sklearn() if job.startswith("lasso") else jobs[job, peer]()
print("%.9f %.9g %.0f" % (seconds, accuracy, peak_megabytes()))
