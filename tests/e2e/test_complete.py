"""linnet modes complete against NumPy and SciPy: layers integrated one by one from a balanced start, the nuclear-norm
minimum by splitting (ADMM), random parts from the generator that the headers name; formats, and bad inputs."""
import json
import os

from test_outputs import content, one_line, schema
from test_train import Stream, close, counter, path, read_h5, save

import h5py
import numpy as np
from scipy.integrate import solve_ivp

from e2e import linnet, main

SPLIT, TASK = 5, 6  # purposes of streams


def run(*words):
    """Runs with --json and --out; returns (JSON, {path: array})."""
    counter[0] += 1
    folder = path(f"complete-{counter[0]}")
    done = linnet("modes", "complete", *words, "--json", "--no-figure", "--out", folder)
    return json.loads(done.stdout), read_h5(folder)


# ---- Oracles ----

def haar(seed, rows, cols):
    """Leading block of a Haar-distributed orthogonal matrix of size max(rows, cols), from as many columns as it has."""
    size = max(rows, cols)
    Q, R = np.linalg.qr(Stream(seed, 0, Stream.WEIGHTS).matrix(size, cols))
    return (Q * np.sign(np.diag(R)))[:rows]


def layerwise(W0, T, mask, depth, times):
    """Gradient flow of balanced layers W_N ... W_1; the products at the times."""
    U, s, VT = np.linalg.svd(W0, full_matrices=False)
    root = np.diag(s ** (1 / depth))
    W = [root @ VT] + [root] * (depth - 2) + [U @ root] if depth > 1 else [W0]
    sizes = np.cumsum([w.size for w in W])[:-1]

    def layers(y):
        return [part.reshape(w.shape) for part, w in zip(np.split(y, sizes), W)]

    def product(factors):
        P = np.eye(factors[0].shape[1])
        for w in factors:
            P = w @ P
        return P

    def slope(_, y):
        found, factors = [], layers(y)
        G = mask * (product(factors) - T)
        for l in range(depth):
            after, before = np.eye(len(W0)), np.eye(W0.shape[1])
            for w in factors[:l]:
                before = w @ before
            for w in factors[:l:-1]:
                after = after @ w
            found.append(-after.T @ G @ before.T)
        return np.concatenate([f.ravel() for f in found])

    y = solve_ivp(slope, (0, times[-1]), np.concatenate([w.ravel() for w in W]), "DOP853", times, rtol=1e-11,
                  atol=1e-14)
    assert y.success
    return np.array([product(layers(column)) for column in y.y.T])


def shrink(Z, threshold):
    U, s, VT = np.linalg.svd(Z, full_matrices=False)
    return (U * np.maximum(s - threshold, 0)) @ VT


def admm(T, mask, lam, rho=1.0, steps=40000):
    """argmin 1/2 |mask o (W - T)|^2 + lam |Z|_*, W = Z."""
    Z, dual = np.zeros_like(T), np.zeros_like(T)
    for _ in range(steps):
        W = (mask * T + rho * (Z - dual)) / (mask + rho)
        Z, former = shrink(W + dual, lam / rho), Z
        dual = dual + W - Z
        if np.abs(W - Z).max() + np.abs(Z - former).max() < 1e-13:
            break
    return Z


def rms(error, mask):
    return np.sqrt((error ** 2 * mask).sum((-2, -1)) / mask.sum())


def effective_rank(s):
    p = s / s.sum(-1, keepdims=True)
    return np.exp(-np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), -1))


# ---- Data ----

RNG = np.random.default_rng(5)
M, N = 6, 5
TRUTH = RNG.normal(size=(M, 2)) @ RNG.normal(size=(2, N))
MASK = (RNG.random((M, N)) < 0.6) * 1.0
MASK[0, 0], MASK[-1, -1], MASK[0, -1] = 1, 1, 0


def masked():
    return ["--matrix", save("T.npy", TRUTH), "--mask", save("M.npy", MASK)]


def triplets():
    return np.array([[i, j, TRUTH[i, j]] for i, j in np.argwhere(MASK)])


def text(name, content_):
    with open(path(name), "w") as file:
        file.write(content_)
    return path(name)


# ---- Flows ----

def test_flows_are_those_of_the_layers():
    result, h5 = run(*masked(), "--depths", "1,2,3", "--init", 0.02, "--time", 12, "--seed", 3)
    t = np.array(result["series"]["t"])
    assert len(t) == 101 and t[0] == 0 and abs(t[-1] - 12) < 1e-12
    ratios = t[2:] / t[1:-1]
    close(ratios, np.full_like(ratios, ratios[0]), 1e-9, "ratios of times")
    W0 = 0.02 * np.linalg.norm(MASK * TRUTH, 2) * haar(3, M, N)
    close(h5["start/W"], W0, 1e-13, "start")
    test = 1 - MASK
    for depth in (1, 2, 3):
        W = layerwise(W0, TRUTH, MASK, depth, t)
        s = np.linalg.svd(W, compute_uv=False)
        series = {name: np.array(result["series"][name][str(depth)]) for name in ("train", "test", "rank", "nuclear_norm")}
        close(h5[f"product/{depth}"], W[-1], 1e-6, f"final map of depth {depth}")
        close(h5[f"singular/{depth}"], s, 1e-6, f"singular values of depth {depth}")
        close(series["train"], rms(W - TRUTH, MASK), 1e-6, "training error")
        close(series["test"], rms(W - TRUTH, test), 1e-6, "test error")
        close(series["rank"], effective_rank(s), 1e-6, "effective rank")
        close(series["nuclear_norm"], s.sum(1), 1e-6, "nuclear norm")
        row = result["tables"]["depths"][depth - 1]
        best = int(series["test"].argmin())
        assert row["method"] == f"depth {depth}" and row["depth"] == depth
        assert row["best_test"] == series["test"][best] and row["best_time"] == t[best]
        for name, column in (("train", "train"), ("test", "test"), ("rank", "effective_rank"), ("nuclear_norm",) * 2):
            assert row[column] == series[name][-1], column


def test_deep_wide_matrices():
    T, mask = TRUTH.T.copy(), MASK.T.copy()
    result, h5 = run("--matrix", save("T5.npy", T), "--mask", save("M5.npy", mask), "--depths", "4", "--init", 0.1,
                     "--time", 3)
    W0 = 0.1 * np.linalg.norm(mask * T, 2) * haar(0, N, M)
    W = layerwise(W0, T, mask, 4, np.array(result["series"]["t"]))
    close(h5["product/4"], W[-1], 1e-6, "final map")
    close(result["series"]["train"]["4"], rms(W - T, mask), 1e-6, "training error")


def test_fully_observed_matrices_are_learned_at_every_depth():
    result, h5 = run("--matrix", save("T.npy", TRUTH), "--mask", save("ones.npy", np.ones((M, N))))
    for depth in (1, 2, 3):
        close(h5[f"product/{depth}"], TRUTH, 5e-3, f"depth {depth}")
    close(h5["nuclear/W"], TRUTH, 1e-3, "nuclear")
    assert "test" not in result["series"] and any("no test error" in w for w in result["warnings"]), result["warnings"]
    assert all(row["test"] is None and row["best_time"] is None for row in result["tables"]["depths"])


# ---- Nuclear norm ----

def test_nuclear_norm_minimum():
    result, h5 = run(*masked(), "--time", 1, "--depths", "2")
    found, top = result["certificate"], np.linalg.norm(MASK * TRUTH, 2)
    W, lam = h5["nuclear/W"], found["lambda"]
    close(lam, 1e-4 * top, 1e-12, "lambda")
    residual = MASK * (TRUTH - W)
    norm = np.linalg.svd(W, compute_uv=False).sum()
    objective = 0.5 * (residual ** 2).sum() + lam * norm
    dual = residual * min(1, lam / np.linalg.norm(residual, 2))
    gap = objective - ((dual * TRUTH).sum() - 0.5 * (dual ** 2).sum())
    close(found["objective"], objective, 1e-11, "objective")
    close(found["nuclear_norm"], norm, 1e-11, "norm")
    assert abs(found["nuclear_gap"] - gap) < 1e-13 and found["relative_gap"] < 1e-9, (found, gap)
    close(found["least_norm"], (residual * TRUTH).sum() / np.linalg.norm(residual, 2), 1e-9, "lower bound")
    kkt = np.linalg.norm(W - shrink(W + residual, lam)) / np.linalg.norm(MASK * TRUTH)
    assert found["kkt"] < 1e-8 and abs(found["kkt"] - kkt) < 1e-12, (found["kkt"], kkt)
    other = admm(TRUTH, MASK, lam, rho=0.01)
    least = 0.5 * (MASK * (TRUTH - other) ** 2).sum() + lam * np.linalg.svd(other, compute_uv=False).sum()
    assert abs(objective / least - 1) < 2e-9, (objective, least)
    close(W, other, 1e-5, "by splitting")
    row, deviation = result["tables"]["depths"][-1], result["deviations"][0]
    assert row["method"] == "nuclear" and row["depth"] is None and row["best_test"] is None
    close(row["train"], rms(W - TRUTH, MASK), 1e-9, "train")
    close(row["test"], rms(W - TRUTH, 1 - MASK), 1e-12, "test")
    close(deviation["absolute"], np.sqrt(np.mean((h5["product/2"] - W) ** 2)), 1e-12, "deviation")


# ---- Tasks ----

def test_formats_give_the_same_results():
    want = run(*masked(), "--time", 1)[1]
    rows = triplets()
    lines = "\n".join(f"{int(i)},{int(j)},{v!r}" for i, j, v in rows.tolist())
    with h5py.File(path("t.h5"), "w") as file:
        file["entries"] = rows
    files = [text("t.csv", "row,column,value\n" + lines + "\n"), save("t.npy", rows), path("t.h5"),
             save("reversed.npy", rows[::-1])]
    for name in files:
        result, h5 = run("--observed", name, "--truth", save("T.npy", TRUTH), "--time", 1)
        for key in ("product/1", "product/2", "product/3", "nuclear/W", "test/values", "observed/mask"):
            assert np.array_equal(h5[key], want[key]), (name, key)
    more = run("--observed", files[0], "--rows", M + 1, "--columns", N + 2, "--time", 1)
    assert more[1]["nuclear/W"].shape == (M + 1, N + 2) and np.abs(more[1]["nuclear/W"][M:]).max() < 1e-12
    unseen = [a for a in more[0]["assumptions"] if a["name"].startswith("every row")][0]
    empty = (MASK.sum(1) == 0).sum() + (MASK.sum(0) == 0).sum()
    assert unseen["measure"] == empty + 3 and not unseen["holds"]


def test_split():
    rows, seed = triplets(), 9
    result, h5 = run("--observed", save("t.npy", rows), "--split", 0.25, "--seed", seed, "--time", 1)
    order = [(i, j) for j in range(N) for i in range(M) if MASK[i, j]]
    Stream(seed, 0, SPLIT).shuffle(order)
    held = np.zeros((M, N))
    for i, j in order[:int(0.25 * len(order) + 0.5)]:
        held[i, j] = 1
    assert np.array_equal(h5["test/mask"], held) and np.array_equal(h5["observed/mask"], MASK - held)
    assert np.array_equal(h5["test/values"], held * TRUTH)
    assert result["matrix"]["test"] == held.sum() and result["matrix"]["observed"] == MASK.sum() - held.sum()
    close(result["series"]["test"]["2"][-1], rms(h5["product/2"] - TRUTH, held), 1e-12, "test error")
    # with the truth all other entries are tested by it, those held out too
    _, h5 = run("--observed", save("t.npy", rows), "--truth", save("T2.npy", TRUTH + 1), "--split", 0.25, "--seed", seed,
                "--time", 1)
    assert np.array_equal(h5["test/mask"], 1 - MASK + held) and np.array_equal(h5["test/values"], (1 - MASK + held) * (TRUTH + 1))


def test_demo():
    seed, m, n, rank = 4, 9, 7, 2
    _, h5 = run("--demo", "--rows", m, "--columns", n, "--rank", rank, "--share", 0.5, "--noise", 0.2, "--seed", seed,
                "--time", 1)
    stream = Stream(seed, 0, TASK)
    A, B, noise = stream.matrix(m, rank), stream.matrix(n, rank), stream.matrix(m, n)
    order, seen = list(range(m * n)), np.zeros(m * n)
    stream.shuffle(order)
    seen[order[:int(0.5 * m * n + 0.5)]] = 1
    seen = seen.reshape(n, m).T
    truth = A @ B.T / np.sqrt(rank)
    assert np.array_equal(h5["observed/mask"], seen) and np.array_equal(h5["test/mask"], 1 - seen)
    close(h5["observed/values"], seen * (truth + 0.2 * noise), 1e-14, "observed")
    close(h5["test/values"], (1 - seen) * truth, 1e-14, "truth")


def test_depth_finds_low_rank_from_a_small_start():
    result, _ = run("--demo", "--noise", 0, "--depths", "1,2,3", "--init", 1e-5)
    one, two, three, nuclear = result["tables"]["depths"]
    assert not result["warnings"], result["warnings"]
    assert one["test"] > 0.5 > 0.1 > two["test"] > 10 * three["test"], result["tables"]
    assert one["effective_rank"] > two["effective_rank"] > three["effective_rank"] and three["effective_rank"] < 3
    for row in (two, three):
        assert 1 - 1e-9 < row["nuclear_norm"] / result["certificate"]["least_norm"] < 1.01, row
        assert row["train"] <= 1e-3 * result["matrix"]["rms"]


# ---- Output ----

def test_json_follows_the_schema():
    rows = save("t.npy", triplets())
    for words in (["--observed", rows], ["--observed", rows, "--split", 0.2, "--depths", "2"], [*masked(), "--time", 0.1]):
        result = json.loads(linnet("modes", "complete", *words, "--json").stdout)
        schema().validate(result)
        assert result["command"] == "modes complete"


def test_runs_repeat_byte_for_byte():
    first, second = path("first"), path("second")
    linnet("modes", "complete", *masked(), "--out", first, "--threads", 1)
    linnet("run", os.path.join(first, "run.yaml"), "--out", second, "--threads", 2)
    a, b = content(first), content(second)
    assert set(a) == set(b) and all(a[name] == b[name] for name in ("result.h5", "run.yaml", "figure-complete.dat"))
    assert "figure-complete.png" in a


def test_what_has_not_converged_is_said():
    result, _ = run(*masked(), "--time", 0.1)
    assert sum("has not learned the observed entries" in w for w in result["warnings"]) == 3, result["warnings"]


def test_bad_inputs_give_one_line():
    rows = triplets().tolist()

    def entries(*more):
        counter[0] += 1
        return save(f"bad-{counter[0]}.npy", np.array(rows + list(more)))

    good = save("t.npy", np.array(rows))
    for words, code, says in (
            ([], 2, ["--observed", "--demo"]),
            (["--observed", good, "--demo"], 2, ["which matrix"]),
            (["--matrix", good], 2, ["--mask"]),
            (["--observed", path("none.csv")], 1, ["none.csv"]),
            (["--observed", entries(rows[0])], 1, ["entry", "twice", f"({int(rows[0][0])}, {int(rows[0][1])})"]),
            (["--observed", entries([1.5, 0, 1])], 1, ["row 1.5", "whole number"]),
            (["--observed", entries([0, -1, 1])], 1, ["column -1", "whole number"]),
            (["--observed", entries([0, 1e9, 1])], 2, ["1000000"]),
            (["--observed", entries([1e300, 1e300, 1])], 2, ["1000000"]),
            (["--observed", entries([0, np.nan, 1])], 1, ["nan"]),
            (["--observed", good, "--rows", 3], 1, ["--rows 3"]),
            (["--observed", good, "--columns", 2], 1, ["--columns 2"]),
            (["--observed", save("two.npy", np.ones((4, 2)))], 1, ["2 columns"]),
            (["--observed", save("zero.npy", np.array([[0, 0, 0.0], [1, 1, 0]]))], 1, ["all observed entries are 0"]),
            (["--observed", text("word.csv", "0,0,1\n0,1,many\n")], 1, ["line 2"]),
            (["--observed", text("empty.csv", "")], 1, ["empty.csv"]),
            (["--observed", good, "--truth", save("small.npy", TRUTH[:3])], 1, ["3 x 5", "--rows"]),
            (["--observed", good, "--split", 0.99], 2, ["hold out all"]),
            (["--observed", good, "--depths", "2,2"], 2, ["2 twice"]),
            (["--observed", good, "--depths", "0"], 2, ["--depths"]),
            (["--observed", good, "--depths", "two"], 2, ["--depths"]),
            (["--observed", good, "--init", 0], 2, ["--init"]),
            (["--matrix", save("T.npy", TRUTH), "--mask", save("none.npy", 0 * MASK)], 1, ["no entry is observed"]),
            (["--matrix", save("T.npy", TRUTH), "--mask", save("turned.npy", MASK.T)], 1, ["6 x 5", "5 x 6"]),
            (["--demo", "--rank", 31], 2, ["at most rank 30"]),
            (["--demo", "--share", 2], 2, ["--share"])):
        one_line(["modes", "complete", *words], code, says)


if __name__ == "__main__":
    main(globals())
