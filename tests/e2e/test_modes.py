"""linnet modes against SciPy and NumPy: the weight flow by DOP853, gradient descent as a loop, modes as scalar loops,
landscapes by complex-step Hessians, kernels built entry by entry, and the tasks from their definitions.
"""
import itertools
import json
import os
import subprocess
from functools import reduce

from test_train import SCALE, Stream, close, path, read_h5, save

import h5py
import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import cholesky, null_space
from scipy.optimize import brentq

from e2e import PROGRAM, linnet, linnet_json, main, need_mnist

RNG = np.random.default_rng(20240611)
TOLERANCE = {"flow": 1e-8, "riccati": 1e-9, "closed": 1e-9, "map": 1e-11, "descent": 1e-12}
runs = itertools.count()


# ---- The oracle ----

def product(W):
    return reduce(lambda P, layer: layer @ P, W)


def slope(W, Sxx, Syx):
    """-dE/dW_l for every layer."""
    below = [np.eye(len(Sxx))]
    for layer in W:
        below.append(layer @ below[-1])
    D, found = Syx - below[-1] @ Sxx, []
    for k in reversed(range(len(W))):
        found.insert(0, D @ below[k].T)
        D = W[k].T @ D
    return found


def pack(W):
    return np.concatenate([layer.ravel() for layer in W])


def unpack(w, like):
    ends = np.cumsum([layer.size for layer in like])
    return [part.reshape(layer.shape) for part, layer in zip(np.split(w, ends), like)]


def flow(W0, Sxx, Syx, end):
    """The weights as a function of T = t/tau."""
    done = solve_ivp(lambda _, w: pack(slope(unpack(w, W0), Sxx, Syx)), (0, max(end, 1e-9)), pack(W0), "DOP853",
                     rtol=1e-12, atol=1e-14, dense_output=True)  # a polynomial of degree 7 between steps
    return lambda T: unpack(done.sol(T), W0)


def descent(W0, Sxx, Syx, step, steps, part=slope):
    history = [W0]
    for _ in range(steps):
        history.append([w + step * g for w, g in zip(history[-1], part(history[-1], Sxx, Syx))])
    return history


def energies(W, s, U, V):
    """Fit and competition of the modes, for white inputs."""
    M = U.T @ product(W) @ V
    target = np.zeros(M.shape)
    np.fill_diagonal(target, s)
    gap = (target - M) ** 2 / 2
    return np.trace(gap), gap.sum() - np.trace(gap)


def tangent_kernel(W, X):
    """I (x) X' W1' W1 X + W2 W2' (x) X' X for the columns of X."""
    Z = W[0] @ X
    return np.kron(np.eye(len(W[1])), Z.T @ Z) + np.kron(W[1] @ W[1].T, X.T @ X)


def haar(n, columns=None):
    Q, R = np.linalg.qr(RNG.normal(size=(n, columns or n)))
    return Q * np.sign(np.diag(R))


def aligned(widths, strengths, U, V):
    """W_l = R_l D_l R_{l-1}^T; products do not depend on the rotations R_l of hidden layers."""
    R = [V] + [haar(n) for n in widths[1:-1]] + [U]
    strengths = strengths if len(strengths) > 1 else strengths * (len(widths) - 1)
    eye = [np.eye(o, i) * (np.arange(i) < min(widths)) for i, o in zip(widths, widths[1:])]
    return [R[k + 1] @ (a * eye[k]) @ R[k].T for k, a in enumerate(strengths)]


def balanced(N1, h, N3, lam, sigma):
    """A start with W2'W2 - W1 W1' = lambda I whose product has the singular values sigma, in directions of its own."""
    assert lam == 0 or h <= (N3 if lam > 0 else N1)
    k, root = min(N1, h, N3), np.sqrt(lam ** 2 + 4 * np.asarray(sigma) ** 2)
    S1, S2, R = np.zeros((h, N1)), np.zeros((N3, h)), haar(h)
    np.fill_diagonal(S1[:k, :k], np.sqrt((root - lam) / 2))
    np.fill_diagonal(S2[:k, :k], np.sqrt((root + lam) / 2))
    for j in range(k, h if lam else 0):
        (S2 if lam > 0 else S1)[j, j] = np.sqrt(abs(lam))
    return [R @ S1 @ haar(N1).T, haar(N3) @ S2 @ R.T]


# ---- The program ----

def modes(*words, code=0):
    folder = path(f"modes-{next(runs)}")
    done = linnet("modes", *words, "--json", "--no-figure", "--out", folder, code=code)
    return json.loads(done.stdout), read_h5(folder)


def start(W):
    """The options that give these weights."""
    if len(W) == 2:
        return ["--w1", save("W1.npy", W[0]), "--w2", save("W2.npy", W[1])]
    with h5py.File(path("weights.h5"), "w") as file:
        for k, layer in enumerate(W, 1):
            file[f"weights/{k}"] = layer
    return ["--weights-in", path("weights.h5")]


def gaussian(widths, sd, seed=0, run=0):
    stream = Stream(seed, run, Stream.WEIGHTS)
    return [sd * stream.matrix(o, i) for i, o in zip(widths, widths[1:])]


def task(Syx, Sxx=None, trace=0):
    return ["--sigma-yx", save("Syx.npy", Syx), "--trace-yy", trace] + (
        ["--sigma-xx", save("Sxx.npy", Sxx)] if Sxx is not None else [])


def crossing(m, level, end):
    """The first T at which m(T) reaches the level; None where it does not."""
    T = np.linspace(0, end, 800)
    above = np.array([m(t) >= level for t in T])
    first = int(np.argmax(above))
    return None if not above.any() else 0 if first == 0 else brentq(lambda t: m(t) - level, T[first - 1], T[first], xtol=1e-13)


def check(how, W0, Syx, Sxx=None, times=(0, 1, 2, 5, 12), lr=1.0, loss="half", dt=0.1, methods=("flow", "descent"),
          halves=True):
    """A run of the program from W0, whichever way it is told of it: everything that it reports about every method."""
    N3, white = len(Syx), Sxx is None
    Sxx = np.eye(Syx.shape[1]) if white else Sxx
    trace = 1.5 * np.trace(Syx @ np.linalg.solve(Sxx, Syx.T))
    result, h5 = modes(*task(Syx, None if white else Sxx, trace), *how, "--times", ",".join(map(str, times)), "--lr", lr,
                       "--loss", loss, "--dt", dt, "--method", ",".join(methods))
    series, factor = result["series"], 2 * SCALE[loss](N3)
    eta, times = lr * factor, np.array(times, float)
    close(result["time"]["eta"], eta, 1e-15, "eta")
    close(result["time"]["tau"], 1 / eta, 1e-15, "tau")
    close(series["t"], times, 1e-15, "t")
    close(series["t_over_tau"], eta * times, 1e-14, "t/tau")
    U, s, V = h5["modes/U"], h5["modes/s"], h5["modes/V"]
    close(U.T @ U, np.eye(len(s)), 1e-12)
    close(V.T @ V, np.eye(len(s)), 1e-12)
    close((U * s) @ V.T, Syx, 1e-12, "Syx")
    target = np.diag(U.T @ Syx @ np.linalg.inv(Sxx) @ V)  # where each mode ends; s/d where V'SxxV is diagonal
    table = result["tables"]["modes"]
    close([row["target"] for row in table], target, 1e-10, "targets")
    continuous = flow(W0, Sxx, Syx, eta * times[-1])
    steps = np.floor(times / dt + 0.5).astype(int)
    discrete = descent(W0, Sxx, Syx, eta * dt, steps[-1])
    for method in methods:
        own = [discrete[k] for k in steps] if method in ("map", "descent") else [continuous(eta * t) for t in times]
        P, what, tight = np.array([product(W) for W in own]), f"{method} of {[w.shape for w in W0]}", TOLERANCE[method]
        tight = 1e-7 if method == "closed" and len(W0) > 2 else tight  # unequal layers are integrated
        close(h5[f"product/{method}"], P, tight, what)
        m = np.einsum("ok,toi,ik->tk", U, P, V)
        scale = np.abs(P).max()
        for k in range(len(s)):
            ours = np.array(series["strength"][method][str(k + 1)])
            assert np.abs(ours - m[:, k]).max() <= tight * scale, (what, k)
            assert ours[-1] == table[k][f"final_{method}"]
        E = [trace / 2 - np.sum(p * Syx) + np.sum(p @ Sxx * p) / 2 for p in P]
        close(series["loss"][method], factor * np.array(E), 10 * tight, "loss " + what)
        outside = 1 - np.sum(m ** 2, 1) / np.sum(P ** 2, (1, 2))
        assert np.abs(series["outside"][method] - outside).max() <= 1e3 * tight, "outside " + what
        if len(W0) == 2 and white:
            both = factor * np.array([energies(W, np.pad(s, (0, 0)), *full(U, V)) for W in own])
            assert np.abs(series["fit"][method] - both[:, 0]).max() <= 10 * tight * both.max(), "fit " + what
            assert np.abs(series["competition"][method] - both[:, 1]).max() <= 10 * tight * both.max(), "comp " + what
        if len(W0) == 2 and method in series["alignment"]:
            K = [tangent_kernel(W, cholesky(Sxx, lower=True)) for W in own]
            ours = [np.sum(k * K[-1]) / np.linalg.norm(k) / np.linalg.norm(K[-1]) for k in K]
            close(series["alignment"][method], ours, max(10 * tight, 1e-11), "alignment " + what)
        for k, row in enumerate(table):
            half = row[f"half_{method}"]
            if not halves or s[k] < 1e-9:
                continue
            if method in ("map", "descent"):
                path_m = np.array([U[:, k] @ product(W) @ V[:, k] for W in discrete])
                after = np.flatnonzero(path_m >= target[k] / 2)
                if len(after) and after[0] > 0:
                    assert (after[0] - 1) * dt - 1e-9 <= half <= after[0] * dt + 1e-9, (what, half, after[0] * dt)
                continue
            own_half = crossing(lambda T: U[:, k] @ product(continuous(T)) @ V[:, k], target[k] / 2, eta * times[-1])
            assert own_half is not None or half is None or method == "closed" and half > times[-1], (what, k, half)
            if own_half is not None:
                assert abs(half - own_half / eta) <= 1e-6 * max(half, 1e-3), (what, k, half, own_half / eta)
    return result, h5


def full(U, V):
    return [M if len(M) == M.shape[1] else np.hstack([M, null_space(M.T)]) for M in (U, V)]


def some_task(N3, N1, rank=None, scale=1.0):
    """Well separated modes in random directions."""
    s = scale * np.linspace(1.7, 0.6, rank or min(N1, N3))
    return haar(N3)[:, :len(s)] * s @ haar(N1)[:, :len(s)].T


def some_inputs(n):
    A = RNG.normal(size=(n, 3 * n))
    return A @ A.T / (3 * n)


# ---- Built-in tasks ----

HIERARCHY = {D: np.vstack([np.kron(np.eye(2 ** l), np.ones((1, 2 ** (D - l)))) for l in range(D + 1)]) for D in range(5)}


def tree_spectrum(depth, branching, flip):
    q = [0] + [(1 - 2 * flip) ** (2 * (depth - k)) for k in range(depth + 1)]
    return np.concatenate([[sum((q[k + 1] - q[k]) * branching ** (depth - k) for k in range(l, depth + 1))]
                           * (1 if l == 0 else branching ** l - branching ** (l - 1)) for l in range(depth + 1)])


def test_tables_of_items():
    """exercise and hierarchy: white inputs, Syx = Y; targets are the singular values."""
    for name, Y in [("exercise", HIERARCHY[2])] + [(f"hierarchy:depth={D}", Y) for D, Y in HIERARCHY.items()]:
        result, h5 = modes("--task", name, "--times", "0,1")
        close(h5["modes/U"] * h5["modes/s"] @ h5["modes/V"].T, Y, 1e-13, name)
        close([row["s"] for row in result["tables"]["modes"]], np.linalg.svd(Y)[1], 1e-13, name)
        close([row["target"] for row in result["tables"]["modes"]], np.linalg.svd(Y)[1], 1e-13, name)
    s = [row["s"] for row in linnet_json("modes", "--task", "exercise", "--times", 0)["tables"]["modes"]]
    close(s, np.sqrt([7, 3, 1, 1]), 1e-14)


def test_tree():
    """Branching diffusion: signs; edges flip at their rate; singular values near sqrt(F lambda)/P, within 2 sqrt(P/F)."""
    for depth, branching, flip, F in [(3, 2, 0.15, 10000), (2, 4, 0.05, 20000), (1, 3, 0.3, 5000)]:
        P = branching ** depth
        result, h5 = modes("--task", f"tree:depth={depth},branching={branching},flip={flip},features={F}", "--times", 0,
                           "--seed", 3, "--method", "descent")
        s = h5["modes/s"]
        Y = h5["modes/U"] * (P * s) @ h5["modes/V"].T
        close(Y, np.sign(Y), 1e-10, "properties are signs")
        expected = np.sqrt(F * tree_spectrum(depth, branching, flip)) / P
        assert np.abs(s / expected - 1).max() < 2 * np.sqrt(P / F), np.abs(s / expected - 1).max()
        close([row["target"] for row in result["tables"]["modes"]], P * s, 1e-11, "targets: inputs are I/P")
        apart = 2 * flip * (1 - flip)
        share = np.mean(Y[:, 0] * Y[:, 1] < 0)
        assert abs(share - apart) < 4 * np.sqrt(apart * (1 - apart) / F), (share, apart)
        assert abs(np.mean(Y[:, 0])) < 4 / np.sqrt(F)


def test_teacher():
    """U, V from columns of Gaussian numbers by QR with positive diagonal; samples=0 and whitened samples have Syx = T."""
    stream = Stream(4, 0, 6)

    def frame(n, k):
        Q, R = np.linalg.qr(stream.matrix(n, k))
        return Q * np.sign(np.diag(R))

    U, V = frame(3, 2), frame(5, 2)
    T = U * [2.0, 0.5] @ V.T
    for more in (",samples=0", ",samples=50", ""):
        result, h5 = modes("--task", "teacher:inputs=5,outputs=3,singular=2/0.5" + more, "--seed", 4, "--times", "0,1")
        close(h5["modes/U"] * h5["modes/s"] @ h5["modes/V"].T, T, 1e-12, more)
        assert result["modes"] == {"count": 3, "rank": 2, "input_scale": result["modes"]["input_scale"]}
    Q, R = np.linalg.qr(stream.matrix(50, 5))
    X = np.sqrt(50) * (Q * np.sign(np.diag(R)))
    E = 0.3 * stream.matrix(3, 50).T
    h5 = modes("--task", "teacher:inputs=5,outputs=3,singular=2/0.5,noise=0.3,samples=50", "--seed", 4, "--times", 0)[1]
    close(h5["modes/s"], np.linalg.svd(T + E.T @ X / 50)[1], 1e-12, "noise")


# ---- Every method ----

def test_flow_and_descent():
    """Gaussian starts of the program's own stream; white and other inputs; losses; depths 1 to 4; dt other than 1."""
    cases = [((4, 5, 3), False, "half", 0.5, 0.1), ((4, 5, 3), True, "sum", 0.3, 0.2), ((3, 2, 4), True, "mean", 0.7, 1),
             ((3, 4), True, "half", 0.4, 0.5), ((4, 3, 5, 2), True, "mean", 0.2, 0.25), ((2, 3, 3, 3, 2), False, "sum", 0.2, 1)]
    for seed, (widths, colour, loss, lr, dt) in enumerate(cases):
        Syx, Sxx = some_task(widths[-1], widths[0]), some_inputs(widths[0]) if colour else None
        check(["--layers", ",".join(map(str, widths)), "--init", "gaussian:0.4", "--seed", seed],
              gaussian(widths, 0.4, seed), Syx, Sxx, (0, 1, 3, 10, 25), lr, loss, dt,
              halves=len(widths) < 5)  # modes of the deepest return: below


def test_riccati():
    """Lambda-balanced starts along directions of their own: square, wide, tall, narrow, rank-deficient tasks."""
    for (N1, h, N3), lam, rank in [((4, 4, 4), 0.7, 4), ((4, 4, 4), -0.7, 4), ((5, 3, 3), -0.4, 3), ((3, 3, 5), 0.4, 3),
                                   ((5, 4, 3), -1.1, 2), ((3, 4, 5), 1.1, 2), ((4, 2, 4), 0.3, 4), ((3, 5, 4), 0, 3)]:
        sigma = RNG.uniform(0.05, 0.6, min(N1, h, N3))
        result, _ = check(start(W := balanced(N1, h, N3, lam, sigma)), W, some_task(N3, N1, rank),
                          methods=("riccati", "flow"))
        assert result["start"]["imbalance"] < 1e-14 and abs(result["start"]["lambda"] - lam) < 1e-14


def test_riccati_on_scaled_inputs():
    """C_XX = d I, the only other case for it."""
    W = balanced(4, 3, 4, 0.2, [0.3, 0.2, 0.1])
    check(start(W), W, some_task(4, 4), 0.3 * np.eye(4), (0, 1, 4, 20), methods=("riccati", "flow", "descent"))


def test_aligned():
    """Modes evolve by themselves: closed, map, flow and descent are then the weight flow and the weight descent."""
    for N1, N3, depth, strengths in [(4, 3, 1, [0.1]), (4, 3, 2, [0.1]), (3, 4, 2, [0.1, 0.5]), (4, 3, 2, [0.2, -0.3]),
                                     (3, 3, 3, [0.4]), (4, 3, 3, [0.2, 0.5, 0.9]), (3, 4, 5, [0.7]),
                                     (3, 3, 5, [0.5, 0.6, 0.7, 0.8, 0.9])]:
        Syx, widths = some_task(N3, N1), [N1] + [min(N1, N3)] * (depth - 1) + [N3]
        left, _, right = np.linalg.svd(Syx)
        check(["--layers", ",".join(map(str, widths)), "--init", "aligned:" + ",".join(map(str, strengths))],
              aligned(widths, strengths, left, right.T), Syx, lr=0.5, dt=0.05,
              methods=("closed", "map", "flow", "descent") + (("riccati",) if depth == 2 else ()),
              halves=depth < 3 or len(strengths) == 1)  # of unequal layers: below


def test_aligned_on_a_shared_basis():
    """C_XX v_k = d_k v_k: targets s/d and clocks of their own."""
    Syx = some_task(3, 4)
    left, _, right = np.linalg.svd(Syx)
    Sxx = right.T * [0.4, 1.3, 0.8, 2.0] @ right
    for widths, strengths in [((4, 3), [0.1]), ((4, 5, 3), [0.1]), ((4, 5, 3), [0.3, 0.1]), ((4, 3, 3, 3), [0.5])]:
        check(["--layers", ",".join(map(str, widths)), "--init", "aligned:" + ",".join(map(str, strengths))],
              aligned(widths, strengths, left, right.T), Syx, Sxx, methods=("closed", "map", "flow", "descent"))


def test_logistic():
    """The formula itself, over many decades of small starts."""
    for u0 in (1e-1, 1e-4, 1e-12):
        result, _ = modes("--task", "exercise", "--init", f"aligned:{np.sqrt(u0)!r}", "--times", "0,1,2,5,10,1e6",
                          "--method", "closed")
        t = np.array(result["series"]["t"])
        for row in result["tables"]["modes"]:
            s = row["s"]
            close(result["series"]["strength"]["closed"][str(row["index"])], s / (1 + (s / u0 - 1) * np.exp(-2 * s * t)), 1e-12)
            close(row["half_closed"], np.log(s / u0 - 1) / (2 * s), 1e-12)


def test_map_is_scalar_loops():
    result, h5 = modes("--task", "hierarchy", "--hidden", 8, "--init", "aligned:0.02,0.05", "--lr", 0.1, "--dt", 0.5,
                       "--times", "0,1,7,60", "--method", "closed,map,descent")
    for k, s in enumerate(h5["modes/s"], 1):
        a, b, seen = 0.02, 0.05, []
        for step in range(121):
            seen.append(a * b)
            a, b = a + 0.05 * (s - a * b) * b, b + 0.05 * (s - a * b) * a
        for method in ("map", "descent"):
            close(result["series"]["strength"][method][str(k)], np.array(seen)[[0, 2, 14, 120]], 1e-11, method)


def test_one_method_by_itself():
    """Which methods are asked for changes neither the answer of another nor whether it applies."""
    words = ["--task", "exercise", "--init", "aligned:0.1,0.2", "--lr", 0.1, "--times", "0,5,30"]
    whole = modes(*words)[1]
    for method in TOLERANCE:
        h5 = modes(*words, "--method", method)[1]
        assert np.array_equal(h5[f"product/{method}"], whole[f"product/{method}"]), method


def test_half_times_are_of_the_path():
    """They do not depend on which times are put out, with equal modes too, and are the first of several."""
    words = ["--task", "exercise", "--hidden", 16, "--init", "gaussian:0.01", "--lr", 0.4, "--dt", 0.1]
    grid = ",".join(f"{t:.10g}" for t in np.arange(0, 15.001, 0.05))
    whole = modes(*words, "--times", grid)[0]["tables"]["modes"]
    wrong = []
    for times, method in itertools.product(("0,15", "5,15", "15"), TOLERANCE):
        rows = modes(*words, "--times", times)[0]["tables"]["modes"]
        for row, fine in zip(rows, whole):
            if abs(row[f"half_{method}"] - fine[f"half_{method}"]) > 1e-6 * fine[f"half_{method}"]:
                wrong.append((times, method, row["index"], row[f"half_{method}"], fine[f"half_{method}"]))
    assert not wrong, wrong


def test_half_times_of_unequal_layers():
    Syx = some_task(3, 3)
    left, _, right = np.linalg.svd(Syx)
    check(["--layers", "3,3,3,3", "--init", "aligned:0.2,0.5,0.9"], aligned((3, 3, 3, 3), [0.2, 0.5, 0.9], left, right.T),
          Syx, times=(0, 1, 2, 5, 20), dt=0.05, methods=("flow", "closed"))


def test_half_times_of_paths_that_return():
    """A mode that passes its half, falls back and comes again has its half-time when it is first there."""
    W, Syx = gaussian((2, 2, 2), 0.5, 182), np.diag([1.7, 0.6])
    path_of = flow(W, np.eye(2), Syx, 8)
    y = np.array([product(path_of(t))[1, 1] >= 0.3 for t in np.linspace(0, 8, 801)])
    assert np.sum(y[1:] != y[:-1]) == 3, "passes its half three times"
    first = crossing(lambda T: product(path_of(T))[1, 1], 0.3, 8)
    row = modes(*task(Syx), *start(W), "--times", "0,8", "--dt", 0.01, "--method", "flow,descent")[0]["tables"]["modes"][1]
    assert abs(row["half_descent"] - first) < 0.02, (row, first)
    assert abs(row["half_flow"] - first) < 1e-6, (row, first)


def test_half_times_of_short_visits():
    """The same of four layers, where the mode is beyond its half for a tenth of a time constant only."""
    W, Syx = gaussian((2, 3, 3, 3, 2), 0.4, 5), np.array([[-0.8852, -0.5598], [1.4482, -0.2364]])
    path_of, (left, s, right) = flow(W, np.eye(2), Syx, 5), np.linalg.svd(Syx)
    first = crossing(lambda T: left[:, 1] @ product(path_of(T)) @ right[1], s[1] / 2, 5)
    assert 0.9 < first < 1.1
    rows = modes(*task(Syx), *start(W), "--times", "0,5", "--dt", 0.01, "--method", "flow,descent")[0]["tables"]["modes"]
    assert abs(rows[1]["half_descent"] - first) < 0.05, (rows[1], first)
    assert abs(rows[1]["half_flow"] - first) < 1e-6, (rows[1], first)


def test_kernel_on_rows():
    """The tangent kernel of data rows, all entries; and a held item."""
    X, Y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))
    W0, times = gaussian((3, 4, 2), 0.3, 5), [0, 1, 3, 8]
    result, _ = modes("--inputs", save("x.npy", X), "--targets", save("y.npy", Y), "--hidden", 4, "--init", "gaussian:0.3",
                      "--seed", 5, "--lr", 0.2, "--times", "0,1,3,8", "--item", 6, "--feature", 2)
    W = flow(W0, X.T @ X / 7, Y.T @ X / 7, 0.2 * 8)
    W = [W(0.2 * t) for t in times]
    K = [tangent_kernel(w, X.T) for w in W]
    close(result["series"]["alignment"]["flow"],
          [np.sum(k * K[-1]) / np.linalg.norm(k) / np.linalg.norm(K[-1]) for k in K], 1e-8)
    close(result["series"]["prediction"]["flow"], [(product(w) @ X[5])[1] for w in W], 1e-8)
    close(result["series"]["loss"]["flow"], [np.sum((X @ product(w).T - Y) ** 2) / 14 for w in W], 1e-8)


def test_illusory_correlation():
    """A property of an exception is first predicted with the wrong sign (Y = [4H; f]); C_XX = I/8, so lr = 8."""
    Y = np.vstack([4 * HIERARCHY[3], [-1, 1, 1, 1, -1, -1, -1, -1]])
    times = np.arange(0, 3.0005, 0.002)
    result, _ = modes("--inputs", save("x.npy", np.eye(8)), "--targets", save("y.npy", Y.T), "--item", 1, "--feature", 16,
                      "--hidden", 8, "--init", f"aligned:{np.sqrt(1e-3)!r}", "--lr", 8, "--dt", 0.002,
                      "--times", ",".join(f"{t:.4g}" for t in times))
    U, s, Vt = np.linalg.svd(Y, full_matrices=False)
    own = (U[15] * Vt[:, 0]) @ (s / (1 + (s / 1e-3 - 1) * np.exp(-2 * np.outer(times, s)))).T
    for method, tight in [("closed", 1e-10), ("flow", 1e-7), ("riccati", 1e-9)]:
        y = np.array(result["series"]["prediction"][method])
        assert np.abs(y - own).max() < tight, (method, np.abs(y - own).max())
        assert round(y.min(where=times < 0.5, initial=0), 4) == -0.1124 and round(y.max(), 6) >= 0.24313
        assert abs(times[y.argmax()] - 0.532) < 0.0011
        peak = y.argmax()
        zero = peak + np.argmax(y[peak:] < 0)
        assert abs(times[zero] - 0.689) < 0.003 and abs(y[-1] + 1) < 0.02


# ---- Parts of the energy ----

def part_slope(part, s, U, V):
    """Minus the gradient of one part, by the sums over modes, in the frame of the modes."""
    def slopes(W, *_):
        A, B = W[0] @ V, U.T @ W[1]
        dA, dB = np.zeros(A.shape), np.zeros(B.shape)
        for i, j in itertools.product(range(A.shape[1]), range(len(B))):
            if (i == j) == (part == "fit"):
                gap = (s[i] if i == j else 0) - A[:, i] @ B[j]
                dA[:, i] += gap * B[j]
                dB[j] += gap * A[:, i]
        return [dA @ V.T, U @ dB]
    return slopes


def test_parts_of_the_energy():
    for N1, h, N3 in [(4, 5, 3), (3, 3, 3), (3, 2, 5)]:
        Syx, W0 = some_task(N3, N1), gaussian((N1, h, N3), 0.5, 2)
        for part in ("fit", "competition"):
            result, h5 = modes(*task(Syx), *start(W0), "--descend", part, "--lr", 0.2, "--dt", 0.5, "--times", "0,1,10,40")
            s, frames = h5["modes/s"], full(h5["modes/U"], h5["modes/V"])
            W = descent(W0, None, None, 0.1, 80, part_slope(part, s, *frames))
            W = [W[k] for k in (0, 2, 20, 80)]
            assert list(result["series"]["loss"]) == ["descent"]
            close(h5["product/descent"], [product(w) for w in W], 1e-12, part)
            close([result["series"][name]["descent"] for name in ("fit", "competition")],
                  np.transpose([energies(w, s, *frames) for w in W]), 1e-12, part)


# ---- Landscape ----

def hessian(W, Syx):
    """By complex steps through the gradient."""
    w, eps = pack(W).astype(complex), 1e-30
    found = np.empty((len(w), len(w)))
    for k in range(len(w)):
        w[k] += 1j * eps
        found[k] = -pack(slope(unpack(w, W), np.eye(Syx.shape[1]), Syx)).imag / eps
        w[k] -= 1j * eps
    return found


def test_fixed_points():
    """All sums of modes that fit the hidden layer: kind, index and extreme eigenvalues of the Hessian, excess loss."""
    for N1, h, N3 in [(3, 3, 3), (4, 5, 3), (3, 2, 4), (4, 1, 3)]:
        Syx = some_task(N3, N1)
        result, h5 = modes(*task(Syx), "--hidden", h, "--times", "0,1", "--loss", "sum", "--lr", 0.01)
        U, s, V = h5["modes/U"], h5["modes/s"], h5["modes/V"]
        subsets = [c for k in range(h + 1) for c in itertools.combinations(range(3), k)]
        table = {row["modes"]: row for row in result["tables"]["fixed_points"]}
        assert set(table) == {",".join(str(i + 1) for i in c) or "none" for c in subsets}, table.keys()
        for c in subsets:
            row = table[",".join(str(i + 1) for i in c) or "none"]
            W1, W2 = np.zeros((h, N1)), np.zeros((N3, h))
            for j, i in enumerate(c):
                W1[j], W2[:, j] = np.sqrt(s[i]) * V[:, i], np.sqrt(s[i]) * U[:, i]
            value = np.linalg.eigvalsh(hessian([W1, W2], Syx))
            assert row["index"] == np.sum(value < -1e-9) and row["kind"] == ("saddle" if value[0] < -1e-9 else "minimum")
            assert abs(row["least_eigenvalue"] - value[0]) < 1e-9 and abs(row["largest_eigenvalue"] - value[-1]) < 1e-9
            top = sum(s[:min(h, 3)] ** 2)
            assert min(abs(row["excess"] - (f - sum(s[list(c)] ** 2))) for f in (top, sum(s ** 2))) < 1e-9, row


def test_trap():
    """Balanced square starts cannot change the sign of det W: the wrong one ends on the saddle without the last mode."""
    Syx, seen = some_task(3, 3), []
    s = np.linalg.svd(Syx)[1]
    for _ in range(6):
        W = balanced(3, 3, 3, 0, [0.3, 0.2, 0.1])
        result, h5 = modes(*task(Syx), *start(W), "--times", f"0,{20 / s[-1]!r}", "--method", "flow,riccati", "--dt", 0.1)
        wrong = np.linalg.det(product(W)) * np.linalg.det(Syx) < 0
        seen.append(wrong)
        assert bool(result.get("trap")) == wrong, (result.get("trap"), wrong)
        U, _, Vt = np.linalg.svd(Syx)
        end = U * (s * [1, 1, not wrong]) @ Vt
        for method in ("flow", "riccati"):
            assert np.abs(h5[f"product/{method}"][-1] - end).max() < 1e-4, (method, wrong)
        assert abs(result["series"]["loss"]["flow"][-1] - wrong * s[-1] ** 2 / 2) < 1e-4
    assert set(seen) == {True, False}
    W = balanced(3, 3, 3, 0.2, [0.3, 0.2, 0.1])
    assert not modes(*task(Syx), *start(W), "--times", "0,1")[0].get("trap"), "lambda removes it"


# ---- Runs as they are used ----

def test_exercise():
    result, h5 = modes("--task", "exercise", "--hidden", 16, "--init", "gaussian:0.01", "--lr", 0.4, "--dt", 0.1, "--time", 15)
    W0, Y, t = gaussian((4, 16, 7), 0.01), HIERARCHY[2], np.array(result["series"]["t"])
    assert t[0] == 0 and t[-1] == 15 and result["time"]["steps"] == 150
    W, steps = flow(W0, np.eye(4), Y, 6), descent(W0, np.eye(4), Y, 0.04, 150)
    close(h5["product/flow"], [product(W(0.4 * x)) for x in t], 1e-8)
    close(h5["product/descent"], [product(steps[int(round(x / 0.1))]) for x in t], 1e-12)
    for row in result["tables"]["modes"][:2]:
        assert abs(row["half_map"] / row["half_descent"] - 1) < 2e-3 and abs(row["half_closed"] / row["half_flow"] - 1) < 3e-3


def test_half_learning_epochs_of_a_tree():
    """The discrete map says to the epoch when modes that are not degenerate are half learned."""
    result = linnet_json("modes", "--task", "tree:depth=3,branching=2,flip=0.15,features=10000", "--hidden", 30, "--init",
                         "gaussian:1e-6", "--loss", "mean", "--lr", 100, "--epochs", 250)
    assert result["time"]["eta"] == 0.02 and result["time"]["steps"] == 250
    for row in result["tables"]["modes"][:2]:
        assert abs(row["half_map"] - row["half_descent"]) < 0.5
        assert np.ceil(row["half_map"]) == np.ceil(row["half_descent"]) and row["half_descent"] - row["half_flow"] > 5


def test_mnist():
    need_mnist()
    t = "70,350,700,7000"
    words = ["modes", "--data", "mnist", "--whiten", 100, "--hidden", 10, "--init", "orthogonal", "--loss", "sum", "--lr", 0.01]
    losses = []
    for seed in range(4):
        result = linnet_json(*words, "--times", t, "--seed", seed)
        s = [row["s"] for row in result["tables"]["modes"]]
        assert np.abs(np.array(s) - [.285189, .278994, .267606, .245072, .241305, .212579, .203545, .170871, .155064, 0]).max() < 1e-6
        assert result["modes"]["rank"] == 9 and result["preparation"]["rank"] == 713
        losses.append(result["series"]["loss"]["riccati"])
        assert abs(result["series"]["loss"]["descent"][2] - result["series"]["loss"]["flow"][2]) < 2e-5
    L = np.median(losses, 0)
    assert 1.38 <= L[0] <= 1.44 and .582 <= L[1] <= .592 and .5163 <= L[2] <= .5168 and abs(L[3] - .51108) < 1e-5, losses
    result, h5 = modes(*words[1:], "--times", t, "--method", "flow,riccati,descent")
    C = h5["modes/U"] * h5["modes/s"] @ h5["modes/V"].T
    stream, W0 = Stream(0, 0, Stream.WEIGHTS), []
    for rows, cols in ((10, 100), (10, 10)):
        Q, R = np.linalg.qr(stream.matrix(max(rows, cols), cols))
        W0.append((Q * np.sign(np.diag(R)))[:rows, :])
    exact = flow(W0, np.eye(100), C, 14)
    for method, k in itertools.product(("flow", "riccati"), (0, 1, 2)):
        P = product(exact(0.02 * [70, 350, 700][k]))
        close(h5[f"product/{method}"][k], P, 1e-8, method)
        assert abs(result["series"]["loss"][method][k] - (1 - 2 * np.sum(P * C) + np.sum(P ** 2))) < 1e-8


def test_covariances_alone():
    Syx, W = RNG.normal(size=(3, 4)), [RNG.normal(size=(5, 4)) * 0.3, RNG.normal(size=(3, 5)) * 0.3]
    result, h5 = modes("--sigma-yx", save("S.npy", Syx), *start(W), "--times", "0,1,5,20,200", "--method", "riccati")
    exact = flow(W, np.eye(4), Syx, 200)
    found = max(np.abs(h5["product/riccati"][k] - product(exact(T))).max() for k, T in enumerate((0, 1, 5, 20, 200)))
    expected = result["start"]["expected_riccati_error"]
    assert result["warnings"] and expected / 10 < found < 10 * expected, (found, expected)
    assert np.abs(h5["product/riccati"][-1] - Syx).max() < 1e-9


def test_similarity_of_the_hidden_layer():
    """White inputs: W1'W1 along the path, which the flow of the weights gives."""
    Syx, W = RNG.normal(size=(3, 4)), [RNG.normal(size=(5, 4)) * 0.3, RNG.normal(size=(3, 5)) * 0.3]
    result, h5 = modes("--sigma-yx", save("S.npy", Syx), *start(W), "--times", "0,0.5,2,9", "--method", "flow")
    exact = flow(W, np.eye(4), Syx, 9)
    for k, T in enumerate((0, 0.5, 2, 9)):
        W1 = exact(T)[0]
        close(h5["similarity/flow"][k], W1.T @ W1, 1e-7, "similarity")


def test_seeds_and_threads():
    words = ["--task", "exercise", "--hidden", 6, "--init", "gaussian:0.02", "--times", "0,2,4,8", "--lr", 0.2, "--seed", 9]
    result, h5 = modes(*words, "--seeds", 4, "--threads", 1)
    U, V, Y = h5["modes/U"], h5["modes/V"], HIERARCHY[2]
    own = []
    for run in range(4):
        W = flow(gaussian((4, 6, 7), 0.02, 9, run), np.eye(4), Y, 1.6)
        own.append([np.diag(U.T @ product(W(0.2 * t)) @ V) for t in (0, 2, 4, 8)])
    for k in range(4):
        close(result["series"]["strength"]["flow"][str(k + 1)], np.mean(own, 0)[:, k], 1e-8, "mean")
        close(result["series"]["strength_sd"]["flow"][str(k + 1)], np.std(own, 0, ddof=1)[:, k], 1e-7, "sd")
    close(h5["product/flow"], modes(*words)[1]["product/flow"], 1e-13, "product of the first start")
    half = [[crossing(lambda T: U[:, k] @ product(W(T)) @ V[:, k], h5["modes/s"][k] / 2, 10) / 0.2 for k in range(4)]
            for W in (flow(gaussian((4, 6, 7), 0.02, 9, run), np.eye(4), Y, 10) for run in range(4))]
    rows = modes(*words, "--seeds", 4, "--times", "0,5,10,15,20,30,50")[0]["tables"]["modes"]
    close([row["half_flow"] for row in rows], np.mean(half, 0), 1e-6, "mean half-times")
    bytes_of = []
    for threads in (1, 2):
        linnet("modes", *words, "--seeds", 4, "--threads", threads, "--out", path(f"t{threads}"), "--no-figure", "--quiet")
        bytes_of.append(open(os.path.join(path(f"t{threads}"), "result.h5"), "rb").read())
    assert bytes_of[0] == bytes_of[1], "result.h5 depends on --threads"


# ---- Bad and extreme input ----

def refused(*words, says=()):
    done = subprocess.run([PROGRAM, "modes", *map(str, words)], capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode in (1, 2) and len(lines) == 1 and lines[0].startswith("linnet: ") and not done.stdout, (words, done)
    assert all(word in lines[0] for word in says), lines[0]


def test_refused():
    some = task(some_task(3, 4))
    bad = gaussian((4, 3, 3), 1)
    bad[0][0, 0] = np.nan
    refused(*some, *start(bad))
    refused(*some, "--times", "3,1")
    refused(*some, "--times", "1,1,3", says=["1,1,3", "ascend"])
    refused(*some, "--depths", "1,2,1", says=["1 twice"])
    refused("--sigma-yx", save("odd-Syx.npy", np.eye(3)), "--sigma-xx", save("odd-Sxx.npy", np.eye(2)), says=["C_XX", "C_YX"])
    refused(*some, "--times=-1,2")
    refused(*some, "--times", "0,nan")
    refused(*some, "--method", "magic", says=["magic"])
    refused(*some, "--method", "")
    refused(*some, "--hidden", 3, "--layers", "4,3,3")
    refused(*some, "--layers", "4,3,3,3", "--method", "riccati", says=["riccati"])
    refused(*some, "--init", "gaussian:0.8", "--method", "closed", says=["closed"])
    refused(*some, "--layers", "5,3,3")
    refused(*some, "--descend", "none")
    refused(*some, "--item", 1, "--feature", 1)
    refused(*some, "--lr", 40, "--times", "0,1000", "--init", "gaussian:0.1", "--method", "descent", says=["diverged", "--lr"])
    refused(*some, *start([bad[0][:, :3] * 0, bad[1]]))
    refused("--times", 1)
    refused(*task(np.zeros((3, 4))), says=["0"])


def test_warns_of_unstable_steps():
    Syx = some_task(3, 4)  # with lr = 1 eigenvalues are up to 2 s = 3.4 > 2
    result, _ = modes(*task(Syx), "--init", "aligned:0.1", "--lr", 1, "--times", "0,5")
    assert any("stable" in line for line in result["warnings"])
    close(result["time"]["largest_stable_lr_dt"], 1 / 1.7, 1e-3)


def test_extreme_tasks():
    """One mode, equal modes, more outputs than inputs and the reverse; a million time constants."""
    W, long = balanced(3, 3, 4, 0.1, [0.3, 0.2, 0.1]), ["--method", "riccati,flow", "--times", "0,1,1e6"]
    for Syx in (np.outer([1, 2, 0, 1], [1, 1, 0.5]) / 2, np.eye(4, 3) * 1.5, some_task(4, 3)):
        h5 = modes(*task(Syx), *start(W), *long)[1]
        for method in ("riccati", "flow"):
            P = h5[f"product/{method}"]
            assert np.isfinite(P).all()
            close(P[1], product(flow(W, np.eye(3), Syx, 1)(1)), TOLERANCE[method])
            close(P[2], Syx, 1e-5, f"{method} after 1e6 tau")
    result, h5 = modes(*task(Syx.T), *start([W[1].T, W[0].T]), *long)
    close(h5["product/riccati"][2], Syx.T, 1e-9)


# the exercise: four items with seven features, white inputs
ITEMS = np.vstack([np.ones((1, 4)), np.kron(np.eye(2), np.ones((1, 2))), np.eye(4)])


def test_one_hidden_unit_has_its_weights_in_closed_form():
    """Any start is balanced then; the Riccati solution is the weights themselves, which SciPy integrates."""
    done, h5 = modes("--task", "exercise", "--hidden", 1, "--init", "gaussian:0.3", "--lr", 0.1, "--time", 15)
    Y = ITEMS
    w1, w2 = h5["exact/W1"], h5["exact/W2"]

    t = 0.1 * np.array(done["series"]["t"])
    found = solve_ivp(lambda _, w: np.concatenate([w[4:] @ (Y - np.outer(w[4:], w[:4])), (Y - np.outer(w[4:], w[:4])) @ w[:4]]),
                      (0, t[-1]), np.concatenate([w1[0], w2[0]]), "DOP853", t_eval=t, rtol=1e-12, atol=1e-13).y.T
    close(np.hstack([w1, w2]), found, 1e-9)


def test_one_hidden_unit_ends_on_the_largest_mode():
    """a^2 = (K - lambda)/2, b^2 = (K + lambda)/2 with K = hypot(lambda, 2 s); the sign is that of the run."""
    branches = set()
    for seed in range(4):
        done, h5 = modes("--task", "exercise", "--hidden", 1, "--init", "gaussian:0.3", "--lr", 0.1, "--time", 400,
                         "--seed", seed)
        a, b = np.linalg.svd(ITEMS)[2][0] @ h5["weights/1"][0], np.linalg.svd(ITEMS)[0][:, 0] @ h5["weights/2"][:, 0]
        K, facts = np.hypot(done["start"]["lambda"], 2 * np.sqrt(7)), done["neuron"]
        close([facts["a_limit"] ** 2, facts["b_limit"] ** 2],
              [(K - done["start"]["lambda"]) / 2, (K + done["start"]["lambda"]) / 2], 1e-12)
        close(np.concatenate([h5["exact/W1_limit"], h5["exact/W2_limit"]]),
              np.concatenate([h5["exact/W1"][-1], h5["exact/W2"][-1]]), 1e-9)
        assert facts["mode"] == 1 and a * b > 0
        assert h5["modes/V"][:, 0] @ h5["weights/1"][0] * facts["branch"] > 1, "descent took the other branch"
        branches.add(facts["branch"])
    assert branches == {-1, 1}


def test_whole_hessian_spectra():
    """At the minimum of the exercise: s_i + s_j of pairs of modes, s_i for the outputs without partner, else 0."""
    done, h5 = modes("--task", "exercise", "--hidden", 4, "--init", "aligned:0.01", "--time", 3)
    s = np.sqrt([7, 3, 1, 1])
    expected = np.sort(np.concatenate([(s[:, None] + s).ravel(), np.repeat(s, 3), np.zeros(16)]))
    close(h5["hessian/1,2,3,4"], expected, 1e-12)
    for row in done["tables"]["fixed_points"]:
        values = h5["hessian/" + row["modes"]]
        assert row["index"] == (values < -1e-12).sum(), row
        close([row["least_eigenvalue"], row["largest_eigenvalue"]], values[[0, -1]], 1e-14)
    assert "hessian/end" not in h5 and done["hessian"] == {"unknowns": 44, "kept": True}


def test_hessian_where_the_descent_ends():
    """Any minimum: sums of squared singular values of the layers; C_XX = d I multiplies them."""
    d, h = 2.0, 4
    Y = RNG.normal(size=(3, 4))
    done, h5 = modes("--sigma-xx", save("Sxx.npy", d * np.eye(4)), "--sigma-yx", save("Syx.npy", Y), "--hidden", h, "--init",
                     "gaussian:0.5", "--lr", 0.05, "--time", 3000, "--method", "descent")
    W1, W2 = h5["weights/1"], h5["weights/2"]
    D = W2 @ W1 * d - Y
    assert np.abs(D).max() < 1e-6
    basis = np.eye(h * 7)
    J = np.array([(W2 @ e[:16].reshape(4, 4) + e[16:].reshape(3, 4) @ W1).ravel() for e in basis]).T
    close(h5["hessian/end"], np.linalg.eigvalsh(d * J.T @ J), 1e-6)


def test_a_flow_at_rest_costs_nothing():
    done, h5 = modes("--task", "illusory", "--lr", 0.1, "--time", 1e10, "--method", "flow")
    assert done["flow"]["steps"] < 1000 and 1 < done["flow"]["rest"] < 1e6, done["flow"]
    close(h5["strengths/flow"][1:], np.broadcast_to([row["s"] for row in done["tables"]["modes"]],
                                                    h5["strengths/flow"][1:].shape), 1e-11)


def test_figures():
    """Similarities, and spectra with those of the inputs unless these are white, are drawn from the run's numbers."""
    for words, panels in [(["--task", "exercise", "--hidden", 3, "--lr", 0.1], 1), (["--data", "digits", "--pca", 6, "--lr", 0.002], 2)]:
        folder = path(f"modes-{next(runs)}")
        linnet("modes", *words, "--time", 50, "--out", folder, "--quiet")
        h5, data = read_h5(folder), {}
        for name in ["similarity", "spectrum"]:
            text = open(os.path.join(folder, f"figure-{name}.dat")).read().strip("\n")
            data[name] = [np.array([list(map(float, line.split())) for line in part.splitlines()])
                          for part in text.split("\n\n\n")]
        A = h5["similarity/descent"] if "similarity/descent" in h5 else h5["similarity/flow"]
        close(data["similarity"][0][:, 6], A[0].ravel(), 1e-14)
        close(data["similarity"][-1][:, 6], A[-1].ravel(), 1e-14)
        reached = [h5[k][-1] for k in ["strengths/descent", "strengths/map", "strengths/flow", "strengths/riccati",
                                       "strengths/closed"] if k in h5]
        for part, end in zip(data["spectrum"], reached):
            close(part[:, 1], end, 1e-14)
        assert len(data["spectrum"]) == len(reached) + 1 + 2 * (panels - 1)
    variance = data["spectrum"][-1][:, 1]
    assert len(variance) == 6 and (np.diff(variance) < 0).all()


main(globals())
