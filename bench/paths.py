"""Lasso problems of the benchmark, and R's glmnet on them.

The file holds n, D, y (n values) and X feature by feature, all doubles, everything centred: neighbouring features correlate by
1/2, twenty matter, the signal has three times the variance of the noise."""
import os
import subprocess
import sys

import numpy as np


def make_file(n, D, path, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(D, n))
    for j in range(1, D):
        X[j] = X[j - 1] / 2 + np.sqrt(0.75) * X[j]
    X -= X.mean(1, keepdims=True)
    signal = rng.choice([-1, 1], 20) @ X[rng.choice(D, 20, replace=False)]
    y = signal + rng.normal(size=n) * np.sqrt(signal.var() / 3)
    np.concatenate([[n, D], y - y.mean(), X.ravel()]).tofile(path)


def read_file(path):
    """X (n x D in Fortran's order), y."""
    a = np.fromfile(path)
    n, D = int(a[0]), int(a[1])
    return a[2 + n:].reshape(D, n).T, a[2:2 + n]


def largest_gap(X, y, lambdas, W):
    """Of the duality gaps of the columns of W, over that of 0."""
    worst, n = 0, len(y)
    for lam, w in zip(lambdas, W.T):
        r = y - X @ w
        z = min(1, lam * n / np.abs(X.T @ r).max())
        gap = r @ r / 2 / n + lam * np.abs(w).sum() - (z * (y @ r) - z * z * (r @ r) / 2) / n
        worst = max(worst, gap / (y @ y / 2 / n))
    return worst


GLMNET = """
suppressMessages(library(glmnet))
file <- commandArgs(TRUE)[1]
size <- readBin(file, "double", 2)
all <- readBin(file, "double", 2 + size[1] * (1 + size[2]))
y <- all[3:(2 + size[1])]
X <- matrix(all[-(1:(2 + size[1]))], size[1])
rm(all)
time <- system.time(m <- glmnet(X, y, standardize = FALSE, intercept = FALSE, nlambda = 100, lambda.min.ratio = 1e-2,
                                thresh = as.double(commandArgs(TRUE)[2]), maxit = 1e8))[3]
peak <- grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
cat(time, as.double(gsub("[^0-9]", "", peak)) / 1024, "\\n")
writeBin(c(length(m$lambda), m$lambda, as.vector(as.matrix(m$beta))), commandArgs(TRUE)[3])
"""


def run_glmnet(path, threshold):
    """Seconds, largest gap, megabytes."""
    result = path + ".glmnet"
    done = subprocess.run(["Rscript", "-e", GLMNET, path, threshold, result], text=True, capture_output=True, check=True)
    seconds, megabytes = [float(x) for x in done.stdout.split()]
    a = np.fromfile(result)
    os.remove(result)
    count = int(a[0])
    X, y = read_file(path)
    return seconds, largest_gap(X, y, a[1:1 + count], a[1 + count:].reshape(count, -1).T), megabytes


if __name__ == "__main__":
    make_file(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
