"""linnet fit --demo and --method naive against NumPy: the iteration written out, its displacement, its cycles; known
numbers; what the demo promises."""
import json
import os

from test_outputs import one_line, schema, valid
from test_train import close, counter, path, read_h5, save

import numpy as np

from e2e import linnet, linnet_json, main

RNG = np.random.default_rng(7)


# ---- A network of one hidden layer, written out ----

def pack(W1, b1, W2, b2):
    """The weight vector: layer by layer, each row by row, then its biases."""
    return np.concatenate([np.ravel(a) for a in (W1, b1, W2, b2)])


def unpack(w, inputs, hidden, outputs=1):
    a, b, c = hidden * inputs, hidden, outputs * hidden
    return w[:a].reshape(hidden, inputs), w[a:a + b], w[a + b:a + b + c].reshape(outputs, hidden), w[a + b + c:]


def logistic(a):
    return 1 / (1 + np.exp(-a))


ACT = {"tanh": (np.tanh, lambda a: 1 / np.cosh(np.clip(a, -300, 300)) ** 2), "logistic": (logistic, lambda a: logistic(a) * (1 - logistic(a))),
       "linear": (lambda a: a, np.ones_like)}


def model(w, X, hidden, activation="tanh", output="linear"):
    """f (n) and its Jacobian (n, k) for one output."""
    W1, b1, W2, b2 = unpack(w, X.shape[1], hidden)
    phi, slope = ACT[activation]
    a = X @ W1.T + b1
    top = phi(a) @ W2[0] + b2[0]
    f, D = ACT[output][0](top), ACT[output][1](top)
    back = slope(a) * W2[0]
    B = np.concatenate([(back[:, :, None] * X[:, None, :]).reshape(len(X), -1), back, phi(a), np.ones((len(X), 1))], axis=1)
    return f, B * D[:, None]


def bump(noise=True, n=40):
    x = np.linspace(-3, 3, n)[:, None]
    d = 1.2 * np.tanh(1.5 * x + 1.5) - np.tanh(2 * x - 2) + .3
    return x, (d + .05 * np.sqrt(2) * np.sin(np.arange(n)[:, None] ** 2.) if noise else d)


def zero_one(n=200):
    def corput(i, base):
        x, scale = 0, 1 / base
        while i:
            x, i, scale = x + i % base * scale, i // base, scale / base
        return x
    X = np.array([[2 * corput(i, 2) - 1, 2 * corput(i, 3) - 1] for i in range(1, n + 1)])
    d = ((X ** 2).sum(1) < .5) != (np.arange(1, n + 1) % 20 == 0)
    return X, d[:, None].astype(float)


def fit(X, d, *words, code=0):
    """Runs with --json and --out; returns (JSON, {path: array})."""
    counter[0] += 1
    folder = path(f"fit-{counter[0]}")
    done = linnet("fit", "--inputs", save("X.npy", X), "--targets", save("d.npy", d), *words, "--json", "--no-figure", "--out",
                  folder, code=code)
    return json.loads(done.stdout), read_h5(folder)


def weights(h5):
    return pack(*(np.ravel(h5[name]) for name in ("weights/1", "biases/1", "weights/2", "biases/2")))


# ---- The naive iteration ----

def test_naive_from_zero_is_the_iteration_written_out():
    X, d = bump()
    for steps in (1, 2, 3):
        result, h5 = fit(X, d, "--hidden", 2, "--method", "naive", "--start", "zero", "--iterations", steps)
        w, sse = np.zeros(7), []
        for _ in range(steps):
            f, B = model(w, X, 2)
            sse.append(np.sum((d[:, 0] - f) ** 2))
            w = np.linalg.pinv(B, rcond=1e-12) @ d[:, 0]
        close(weights(h5), w, 1e-10)
        close(result["series"]["naive"]["sse"], sse, 1e-12)
        assert result["series"]["naive"]["rank"][0] == 1 and result["cycle"]["rcond"] == 1e-12


def test_ridge_and_normal_equations():
    X, d = bump()
    start = weights(fit(X, d, "--hidden", 2, "--starts", 10)[1])
    f, B = model(start, X, 2)
    for words, expected in ((["ridge", "--mu", .5], np.linalg.solve(B.T @ B + .5 * np.eye(7), B.T @ d[:, 0])),
                            (["normal"], np.linalg.solve(B.T @ B, B.T @ d[:, 0]))):
        result, h5 = fit(X, d, "--hidden", 2, "--method", "naive", "--start", "optimum", "--starts", 10, "--iterations", 1, "--solver",
                         *words)
        close(weights(h5), expected, 1e-6)
        assert result["cycle"]["solver"] == words[0]


def test_the_optimum_is_left_for_where_the_formula_says():
    X, d = bump()
    w = weights(fit(X, d, "--hidden", 2, "--starts", 10)[1])
    f, B = model(w, X, 2)
    P = np.linalg.pinv(B)
    formula = P @ (f - B @ w) - (np.eye(7) - P @ B) @ w
    result, _ = fit(X, d, "--hidden", 2, "--method", "naive", "--start", "optimum", "--iterations", 100)
    moved = result["displacement"]
    close(moved["move"], np.linalg.norm(P @ d[:, 0] - w) / np.linalg.norm(w), 1e-6)
    close(moved["formula"], np.linalg.norm(formula) / np.linalg.norm(w), 1e-6)
    close(moved["move"], .91248409, 1e-7)
    close(moved["sse"], .08932013, 1e-7)
    close(moved["sse_after_a_step"], 45.0518091, 1e-7)
    assert moved["difference"] < 1e-8 and moved["gauss_newton_move"] < 1e-8 and moved["returns"] is False
    assert moved["lowest_afterwards"] > 1 and result["cycle"]["best_sse"] < .0894
    close(result["cycle"]["constant_sse"], 24.8294540, 1e-8)


def test_zero_one_data_cycle():
    """Whatever the start: known cycles for known ridges; none of their points is better than a constant."""
    X, d = zero_one()
    words = ["--hidden", 3, "--activation", "logistic", "--method", "naive", "--solver", "ridge", "--iterations", 500]
    for mu, period, values in ((1e-3, 4, [50, 83.4268, 103.5096, 112]), (.1, 4, [50.0396, 83.2452, 105.1769, 111.9982]), (1e-2, 16, None)):
        for more in ([], ["--likelihood", "bernoulli"]):
            result, _ = fit(X, d, *words, "--mu", mu, "--starts", 4, *more)
            cycle = result["cycle"]
            assert cycle["status"] == "cycle" and cycle["period"] % period == 0 and cycle["output"] == "logistic", cycle
            assert len(cycle["values"]) == cycle["period"] and cycle["values"][0] == min(cycle["values"])
            if values:
                close(cycle["values"][:4], values, 1e-6)
            close(cycle["constant_sse"], 49.28, 1e-12)
            assert {row["status"] for row in result["tables"]["starts"]} == {"cycle"} and len(result["tables"]["starts"]) == 4
            assert all(row["lowest_on_cycle"] > .98 * 49.28 for row in result["tables"]["starts"])


def test_status_of_every_kind():
    X, d = bump()
    naive = ["--method", "naive", "--hidden"]
    fixed, _ = fit(X, d, *naive, 0, "--bias")  # a line is linear in its weights: exact in one step
    A = np.c_[X, np.ones(40)]
    least = np.sum((d - A @ np.linalg.lstsq(A, d, rcond=None)[0]) ** 2)
    assert fixed["cycle"]["status"] == "fixed-point" and fixed["cycle"]["period"] == 1 and fixed["cycle"]["least_squares_point"]
    close(fixed["cycle"]["values"], [least], 1e-10)
    singular, _ = fit(X, d, *naive, 2, "--solver", "normal", "--start", "zero")
    assert singular["cycle"]["status"] == "singular" and singular["cycle"]["values"] == [] and singular["cycle"]["period"] == 0
    limit, _ = fit(X, d, *naive, 2, "--solver", "ridge", "--iterations", 10)
    assert limit["cycle"]["status"] == "limit" and limit["cycle"]["steps"] == 10 == len(limit["series"]["naive"]["sse"])
    # two linear layers take turns
    W, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 3))
    turns, _ = fit(W, Y, *naive, 4, "--activation", "linear", "--no-bias")
    assert turns["cycle"]["status"] == "cycle" and turns["cycle"]["period"] == 2 and turns["cycle"]["steps"] <= 8


def test_naive_refuses_what_it_has_no_use_for():
    X, d = bump()
    words = ["fit", "--inputs", save("X.npy", X), "--targets", save("d.npy", d), "--method", "naive"]
    one_line([*words, "--solver", "qr"], 2, ["normal, pinv"])
    one_line([*words, "--evidence"], 2, ["prior"])
    one_line([*words, "--alpha", 1], 2, ["prior"])
    one_line([*words, "--sizes", "1,2"], 2, ["prior"])
    one_line([*words, "--iterations", 0], 2, ["at least one"])
    one_line(["fit", "--demo", *words[1:5]], 2, ["of its own"])
    one_line(["fit", "--demo", "--method", "naive"], 2, ["of its own"])


def test_naive_does_not_depend_on_threads():
    X, d = zero_one()
    words = ["--hidden", 3, "--method", "naive", "--starts", 6, "--iterations", 60]
    one, two = (fit(X, d, *words, "--threads", n)[0] for n in (1, 2))
    assert one["tables"] == two["tables"] and one["series"] == two["series"]


# ---- The demo ----

DEMO = []


def demo():
    """Once for all tests below."""
    if not DEMO:
        folder = path("demo")
        DEMO.append((linnet_json("fit", "--demo", "--out", folder), folder))
    return DEMO[0]


def rows(result, table, **where):
    return [row for row in result["tables"][table] if all(row[key] == value for key, value in where.items())]


def test_demo_tells_methods_apart():
    result, folder = demo()
    success = {(row["problem"], row["method"]): row["success"] for row in result["tables"]["methods"]}
    assert success["bump", "default"] >= .95 and success["sine", "default"] >= .7
    assert all(share == 0 for (_, method), share in success.items() if method.startswith("naive"))
    for problem in ("bump", "sine"):
        assert rows(result, "methods", problem=problem, method="default")[0]["worse_than_constant"] == 0
        assert success[problem, "gauss-newton"] < .1 and success[problem, "line-search"] < .4
        assert success[problem, "lm-tau-0.001"] < success[problem, "default"]
    assert {p for p, _ in success} == {"bump", "sine", "zero-one", "linear"}
    assert success["linear", "default"] == success["linear", "lbfgs"] == 1
    close(rows(result, "methods", problem="zero-one", method="lm-tau-1")[0]["median_sse"], 6.85, .03)
    assert all(check["holds"] for check in result["checks"])
    for name in ("steps", "cycle", "band", "evidence"):
        assert os.path.exists(f"{folder}/figure-{name}.svg")


def test_demo_answers_the_open_questions():
    result, _ = demo()
    moved = {row["problem"]: row for row in result["tables"]["displacement"]}
    assert moved["bump"]["difference"] < 1e-8 and not moved["bump"]["returns"] and moved["bump"]["gauss_newton_move"] < 1e-8
    turns = result["tables"]["involution"]
    assert turns[0]["inputs"] == turns[0]["outputs"] == 3 and turns[0]["back_after_2"] < 1e-10
    assert all(row["third_like_first"] < 1e-10 for row in turns[:3]) and turns[1]["back_after_2"] > .01
    data = {(row["samples"], row["steepness"]): row for row in result["tables"]["data"]}
    assert {n for n, _ in data} == {20, 200, 2000, 20000} and all(row["sse_over_variance"] > 1 for row in data.values())
    for (n, steepness), row in data.items():  # one step from the teacher's own weights, in NumPy
        x = np.linspace(-3, 3, n)[:, None]
        w = np.array([1.5, 2, 1.5, -2, 1.2, -1, .3]) * np.r_[[steepness] * 4, 1, 1, 1]
        f, B = model(w, x, 2)
        g = model(np.linalg.pinv(B, rcond=1e-12) @ f, x, 2)[0]
        close(row["sse_over_variance"], np.sum((f - g) ** 2) / np.sum((f - f.mean()) ** 2), 1e-6)
    right, wrong = result["tables"]["covariance"]
    assert right["off_by"] < .02 and wrong["off_by"] > 1


def test_demo_knows_the_evidence_of_the_bump():
    result, _ = demo()
    close([result["evidence"][key] for key in ("alpha", "beta", "gamma", "log_evidence")],
          [.47088610, 368.5015578, 6.96871042, 33.50024299], 1e-7)
    close([result["evidence"][key] for key in ("f_0", "f_1", "sd_f_0", "sd_f_1")],
          [2.35351691, 1.47105005, .02362549, .02696636], 1e-6)
    sizes = result["tables"]["evidence"]
    assert max(sizes, key=lambda row: row["log_evidence"])["hidden"] == 2
    assert max(sizes, key=lambda row: row["log_evidence"] + row["log_symmetries"])["hidden"] == 8


def test_demo_is_the_same_for_all_threads():
    one, two = (linnet_json("fit", "--demo", "--draws", 1, "--starts", 4, "--threads", n) for n in (1, 2))
    assert one["tables"] == two["tables"] and one["series"] == two["series"]


def test_experiments_hold():
    names = ["naive-cycle", "open-questions", "what-works", "evidence"]
    for seed in (0, 4):
        result = linnet_json("reproduce", ",".join(names), "--out", path(f"report-{seed}"), "--seed", seed, "--no-figure")
        verdicts = {row["name"]: row["verdict"] for row in result["tables"]["experiments"]}
        assert verdicts == dict.fromkeys(names, "holds"), result["warnings"]


def test_output_fits_the_schema():
    X, d = zero_one()
    files = ["--inputs", save("X.npy", X), "--targets", save("d.npy", d)]
    valid(schema(), ["fit", "--demo", "--draws", 1, "--starts", 4])
    valid(schema(), ["fit", *files, "--hidden", 3, "--method", "naive", "--starts", 3, "--iterations", 50])
    valid(schema(), ["fit", *files, "--hidden", 3, "--method", "naive", "--solver", "normal"])
    valid(schema(), ["fit", *files, "--hidden", 3, "--method", "naive", "--start", "optimum", "--iterations", 50])


if __name__ == "__main__":
    main(globals())
