"""linnet linearize against NumPy and SciPy: Jacobians weight by weight, matrix exponentials, literal steps of the linear
model in its weights, trained networks by loops and solve_ivp; the law of widths by lstsq; formats and bad inputs."""
import json
import os
import signal
import subprocess
import time

from test_outputs import content, one_line, schema, valid
from test_train import Stream, close, counter, path, read_h5, save

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from e2e import PROGRAM, SCRATCH, linnet, linnet_json, main

RNG = np.random.default_rng(11)
N, P = 7, 3
X = RNG.normal(size=(N + 4, P))
REAL = np.stack([np.sin(X[:, 0]) * X[:, 1], X[:, 2] ** 2 - 1], 1)
TEST = ["--test-inputs", save("X1.npy", X[N:]), "--test-targets"]


def run(*words, code=0):
    """Runs with --json and --out; returns (JSON, {path: array})."""
    counter[0] += 1
    folder = path(f"linearize-{counter[0]}")
    done = linnet("linearize", *words, "--json", "--no-figure", "--out", folder, code=code)
    return json.loads(done.stdout), read_h5(folder)


# ---- The oracle ----

PHI = {"tanh": np.tanh, "softplus": lambda a: np.logaddexp(0, a), "logistic": lambda a: 1 / (1 + np.exp(-a))}
SLOPE = {"tanh": lambda a: 1 - np.tanh(a) ** 2, "softplus": PHI["logistic"],
         "logistic": lambda a: PHI["logistic"](a) * (1 - PHI["logistic"](a))}


class Network:
    """f(x) by the formula, one sample at a time; its Jacobian by the chain rule, output by output."""

    def __init__(self, widths, activation="tanh", t=.3):
        self.widths, self.phi, self.slope, self.t = widths, PHI[activation], SLOPE[activation], t
        self.size = sum(h * (p + (t > 0)) for p, h in zip(widths, widths[1:]))

    def start(self, seed, run):
        stream = Stream(seed, run * 65536 + self.widths[1], 1)
        return np.array([stream.normal() for _ in range(self.size)])

    def layers(self, w):
        at = 0
        for p, h in zip(self.widths, self.widths[1:]):
            W = w[at:at + h * p].reshape(p, h).T
            at += h * p
            b = w[at:at + h] if self.t > 0 else np.zeros(h)
            at += h * (self.t > 0)
            yield W / np.sqrt(p), self.t * b

    def outputs(self, w, X):
        Z, layers = X, list(self.layers(w))
        for k, (W, b) in enumerate(layers):
            A = Z @ W.T + b
            Z = self.phi(A) if k < len(layers) - 1 else A
        return Z

    def jacobian(self, w, X):
        rows, layers = [], list(self.layers(w))
        for x in X:
            z, a = [x], []
            for k, (W, b) in enumerate(layers):
                a.append(W @ z[-1] + b)
                z.append(self.phi(a[-1]) if k < len(layers) - 1 else a[-1])
            for o in range(self.widths[-1]):
                delta, parts = np.eye(self.widths[-1])[o], []
                for k in reversed(range(len(layers))):
                    part = (np.outer(delta, z[k]) / np.sqrt(self.widths[k])).T.ravel()
                    parts.insert(0, np.concatenate([part, self.t * delta]) if self.t > 0 else part)
                    if k:
                        delta = self.slope(a[k - 1]) * (layers[k][0].T @ delta)
                rows.append(np.concatenate(parts))
        return np.array(rows)


def rms(A):
    return np.sqrt(np.mean(np.square(A)))


def residual(kind, d, f):
    """-dloss/df; shapes (samples, outputs)."""
    if kind == "bernoulli":
        return d - 1 / (1 + np.exp(-f))
    if kind == "categorical":
        e = np.exp(f - f.max(1, keepdims=True))
        return d - e / e.sum(1, keepdims=True)
    return d - f


def descend(step_of, w0, eta, beta, times):
    """Heavy ball; step_of(w) is minus the gradient."""
    w, m, done, found = w0.copy(), 0 * w0, 0, []
    for t in times:
        while done < t:
            m = beta * m + step_of(w)
            w = w + eta * m
            done += 1
        found.append(w)
    return found


def compare(widths, times, result, h5, d, rows, held, activation="tanh", t=.3, rule="flow", eta=1., beta=0., pull=0.,
            kind="gaussian", seed=0, runs=1, depth=1):
    """All numbers of tables.widths from the definitions, and kernel, spectrum and modes of run 0."""
    Xtrain, dtrain, Xtest = X[rows], d[rows], X[held]
    for row in result["tables"]["widths"]:
        net = Network([P] + [row["width"]] * depth + [d.shape[1]], activation, t)
        assert row["weights"] == net.size
        expected = []
        for r in range(runs):
            w0 = net.start(seed, r)
            B, Bs, f0, fs = net.jacobian(w0, Xtrain), net.jacobian(w0, Xtest), net.outputs(w0, Xtrain), net.outputs(w0, Xtest)
            Theta = B @ B.T
            lam = np.linalg.eigvalsh(Theta)
            step, T = eta / lam[-1], row["time"]

            def real(w):
                return net.jacobian(w, Xtrain).T @ residual(kind, dtrain, net.outputs(w, Xtrain)).ravel() - pull * (w - w0)

            def linear(w):
                return B.T @ residual(kind, dtrain, f0 + (B @ (w - w0)).reshape(f0.shape)).ravel() - pull * (w - w0)

            if rule == "descent":
                w, = descend(real, w0, step, beta, [T])
                v, = descend(linear, w0, step, beta, [T])
            else:
                w = solve_ivp(lambda _, w: real(w), [0, T * step], w0, rtol=1e-10, atol=1e-12, method="DOP853").y[:, -1]
                v = solve_ivp(lambda _, w: linear(w), [0, T * step], w0, rtol=1e-10, atol=1e-12, method="DOP853").y[:, -1]
                if kind == "gaussian":  # and in closed form
                    n = len(Theta)
                    H = Theta + pull * np.eye(n)
                    a = np.linalg.solve(H, (dtrain - f0).ravel() - expm(-H * T * step) @ (dtrain - f0).ravel())
                    close(v - w0, B.T @ a, 1e-7)
            now = net.jacobian(w, Xtrain)
            expected.append([rms(net.outputs(w, Xtrain) - f0 - (B @ (v - w0)).reshape(f0.shape)),
                             rms(net.outputs(w, Xtest) - fs - (Bs @ (v - w0)).reshape(fs.shape)),
                             np.linalg.norm(now @ now.T - Theta) / np.linalg.norm(Theta),
                             np.linalg.norm(w - w0) / np.linalg.norm(w0), lam[-1]])
            if r == 0:
                close(h5[f"spectrum/width_{row['width']}"], np.maximum(lam, 0), 1e-9)
                if row["width"] == widths[-1]:
                    close(h5["kernel"], Theta, 1e-12)
        mean = np.mean(expected, 0)
        for name, value in zip(["train", "test", "kernel_change", "weights_change", "lam_max"], mean):
            assert abs(row[name] - value) <= 2e-6 * abs(value) + 1e-9, (row["width"], row["time"], name, row[name], value)
        if runs > 1:
            error = np.std(expected, axis=0, ddof=1) / np.sqrt(runs)
            assert abs(row["test_error"] - error[1]) <= 1e-4 * error[1] + 1e-9


def files(d, rows):
    return ["--inputs", save("X0.npy", X[:N]), "--targets", save("d0.npy", d[:rows]), *TEST, save("d1.npy", d[N:])]


ROWS, HELD = slice(0, N), slice(N, None)


def test_flow_and_descent_against_the_definitions():
    common = files(REAL, N)
    for words, options in [
            ([], {}), (["--rule", "descent"], {"rule": "descent"}),
            (["--rule", "descent", "--momentum", .6, "--pull", .3, "--eta", 1.7], {"rule": "descent", "beta": .6, "pull": .3, "eta": 1.7}),
            (["--pull", .5, "--eta", .5, "--activation", "softplus", "--bias-scale", 0], {"pull": .5, "eta": .5, "activation": "softplus", "t": 0}),
            (["--depth", 3, "--activation", "logistic", "--bias-scale", 1], {"depth": 3, "activation": "logistic", "t": 1.})]:
        widths, times = [5, 12], [3, 20]
        result, h5 = run(*common, "--widths", "5,12", "--time", "3,20", "--runs", 2, "--seed", 4, *words)
        compare(widths, times, result, h5, REAL, ROWS, HELD, seed=4, runs=2, **options)


def test_likelihoods_against_the_definitions():
    label = np.argmax(np.stack([X[:, 0], X[:, 1], X[:, 2]], 1), 1)
    label[:3] = range(3)
    one = np.eye(3)[label]
    words = ["--inputs", save("X0.npy", X[:N]), "--targets", save("label.npy", label[:N]), *TEST, save("label1.npy", label[N:]),
             "--one-hot", "--widths", "4,9", "--runs", 1]
    for rule in ("flow", "descent"):
        result, h5 = run(*words, "--time", "5,30", "--rule", rule, "--likelihood", "categorical")
        compare([4, 9], [5, 30], result, h5, one, ROWS, HELD, kind="categorical", rule=rule)
    assert result["training"]["loss"].startswith("-log")
    result, h5 = run(*words, "--time", "5,30")  # squares of one-hot targets
    compare([4, 9], [5, 30], result, h5, one, ROWS, HELD)
    two = (X[:, :1] > 0).astype(float)
    words[3], words[7] = save("two.npy", two[:N].ravel()), save("two1.npy", two[N:].ravel())
    for more in (["--one-hot"], []):  # as classes, and as numbers
        result, h5 = run(*[w for w in words if w != "--one-hot"], *more, "--time", "6", "--likelihood", "bernoulli")
        compare([4, 9], [6], result, h5, two, ROWS, HELD, kind="bernoulli")


def test_curves_modes_and_laws_agree_with_each_other():
    result, h5 = run("--widths", "8,16,32,64", "--time", "4,50", "--runs", 3, "--modes", 5, "--seed", 3)
    series, tables = result["series"], result["tables"]
    t = np.array(series["t"])
    assert t[0] == 0 and t[-1] == 50 and 4. in t and np.all(np.diff(t) > 0)
    for row in tables["widths"]:
        group = series[f"width_{row['width']}"]
        at = list(t).index(row["time"])
        close(group["deviation"]["test"][at], row["test"], 1e-12)
        close(group["deviation"]["train"][at], row["train"], 1e-12)
        assert group["deviation"]["test"][0] == 0 and group["loss"]["mean"][0] == group["loss"]["theory"][0]
        assert np.all(np.diff(group["loss"]["theory"]) < 0)
    for law in tables["laws"]:
        chosen = [r for r in tables["widths"] if r["time"] == law["time"]]
        h, y = (np.log([r[k] for r in chosen]) for k in ("width", law["rows"]))
        slope, level = np.linalg.lstsq(np.stack([h, np.ones_like(h)], 1), y, rcond=None)[0]
        close(law["exponent"], slope, 1e-10)
        close(law["constant"], np.exp(level), 1e-10)
        error = np.array([r[law["rows"] + "_error"] / r[law["rows"]] for r in chosen])
        close(law["exponent_error"], np.sqrt(np.sum(((h - h.mean()) * error) ** 2)) / np.sum((h - h.mean()) ** 2), 1e-10)
    for row in tables["modes"]:
        lam = h5[f"spectrum/width_{row['width']}"][::-1]
        close(row["lam"], lam[row["mode"] - 1], 1e-12)
        close(row["time"], lam[0] / row["lam"], 1e-10)  # 1/lam, in steps of 1/lam_max
        close(row["left"], np.exp(-50 * row["lam"] / lam[0]), 1e-9)
    first = [r for r in tables["modes"] if r["width"] == 8]
    assert len(first) == 5
    assert {d["name"] for d in result["deviations"]} >= {"outputs at test rows, width 8, t = 4"}
    assert result["law"]["exponent"] == [law for law in tables["laws"] if law["rows"] == "test"][-1]["exponent"]


def test_deviations_fall_as_in_an_independent_run():
    """Test RMSE at width 64 within severalfold of .021, .124, .19; slopes in [-1.1, -.5]."""
    result = linnet_json("linearize")
    law = {r["time"]: r["exponent"] for r in result["tables"]["laws"] if r["rows"] == "test"}
    assert set(law) == {10, 100, 1000} and all(-1.1 <= slope <= -.5 for slope in law.values()), law
    at = {r["time"]: r["test"] for r in result["tables"]["widths"] if r["width"] == 64}
    for t, reference in {10: .021, 100: .124, 1000: .19}.items():
        assert reference / 3 < at[t] < reference * 3, (t, at[t])


def test_tasks_rows_and_files():
    result = linnet_json("linearize", "--task", "teacher", "--widths", "16,32", "--time", "20", "--runs", 1)
    assert result["training"] ["rows"] == 30 and result["training"]["test_rows"] == 20 and result["ntk"]["outputs"] == 180
    result = linnet_json("linearize", "--task", "exercise", "--widths", "16", "--time", "20", "--runs", 1)
    assert result["training"]["rows"] == 4 and result["training"]["test_rows"] == 0 and result["tables"]["laws"][0]["exponent"] is None
    save("X.npy", X)
    save("d.npy", REAL)
    words = ["linearize", "--inputs", path("X.npy"), "--targets", path("d.npy"), "--widths", "4,8", "--time", "5", "--runs", 1]
    assert linnet_json(*words)["training"] == {**linnet_json(*words)["training"], "rows": 11, "test_rows": 0}
    facts = linnet_json(*words, "--rows", 6, "--test-rows", 3)["training"]
    assert facts["rows"] == 6 and facts["test_rows"] == 3
    facts = linnet_json(*words, "--split", .3)["training"]
    assert facts["rows"] == 8 and facts["test_rows"] == 3
    linnet(*words, "--kernel-out", path("Theta.npy"), "--quiet")
    linnet(*words, "--kernel-out", path("Theta.csv"), "--quiet")
    Theta = np.load(path("Theta.npy"))
    assert Theta.shape == (22, 22)
    close(np.loadtxt(path("Theta.csv"), delimiter=","), Theta, 1e-15)
    net = Network([P, 8, 2])
    B = net.jacobian(net.start(0, 0), X)
    close(Theta, B @ B.T, 1e-12)


def test_json_is_valid_and_repeats():
    validator = schema()
    for words in (["--widths", "4,8", "--runs", 2, "--time", 5], ["--widths", "6", "--runs", 1, "--time", "5", "--rule", "descent"],
                  ["--widths", "4", "--likelihood", "categorical", "--data", "digits", "--rows", 20, "--time", 3, "--runs", 1],
                  ["--task", "exercise", "--widths", "4,8,16", "--runs", 1, "--time", 2, "--activation", "relu"]):
        assert valid(validator, ["linearize", *words])["command"] == "linearize"
    small = ["linearize", "--widths", "4,8", "--runs", 3, "--time", "5,9", "--out"]
    linnet(*small, path("a"), "--threads", 1)
    linnet(*small, path("b"), "--threads", 2)
    linnet("run", path("a/run.yaml"), "--out", path("c"))
    a = content(path("a"))
    assert a == content(path("b")) == content(path("c"))
    assert {f"figure-{name}.svg" for name in ("spectrum", "curves", "widths")} <= set(a)
    for table in ("widths", "laws", "modes", "series", "deviations", "assumptions"):
        assert linnet(*small[:-1], "--csv", table).stdout.count("\n") > 1


def test_bad_input_is_named():
    one_line(["linearize", "--widths", "0"], 2, ["widths"])
    one_line(["linearize", "--widths", "8,8"], 2, ["8 twice"])
    one_line(["linearize", "--time", "-5"], 2, ["time"])
    one_line(["linearize", "--time", "0"], 2, ["above 0"])
    one_line(["linearize", "--time", "nan"], 2, ["time"])
    one_line(["linearize", "--time", "5,2"], 2, ["ascend"])
    one_line(["linearize", "--time", "2.5", "--rule", "descent"], 2, ["whole"])
    one_line(["linearize", "--momentum", ".5"], 2, ["--rule descent"])
    one_line(["linearize", "--eta", "0"], 2, ["eta"])
    one_line(["linearize", "--rule", "descent", "--eta", "2.1"], 2, ["--eta 2.1", "below 2"])
    one_line(["linearize", "--rule", "descent", "--eta", "3.1", "--momentum", .5], 2, ["below 3"])
    one_line(["linearize", "--memory", "1e-5"], 2, ["--memory", "--rows"])
    one_line(["linearize", "--likelihood", "categorical"], 2, ["classes"])
    one_line(["linearize", "--likelihood", "bernoulli"], 1, ["between 0 and 1"])
    one_line(["linearize", "--likelihood", "bernoulli", "--data", "digits"], 2, ["categorical"])
    one_line(["linearize", "--task", "teacher:samples=0"], 2, ["rows"])
    one_line(["linearize", "--task", "sphere:inputs=1"], 2, ["inputs"])
    one_line(["linearize", "--inputs", save("X.npy", X), "--targets", save("d.npy", REAL[:5])], 1, [])
    bad = X.copy()
    bad[3, 1] = np.nan
    one_line(["linearize", "--inputs", save("bad.npy", bad), "--targets", save("d.npy", REAL)], 1, ["bad.npy"])
    one_line(["linearize", "--inputs", save("X.npy", 1e160 * X), "--targets", path("d.npy"), "--activation", "relu"], 1, ["scale the data"])
    one_line(["linearize", "--inputs", save("X.npy", 0 * X), "--targets", path("d.npy"), "--bias-scale", 0], 1, ["kernel is 0"])
    assert not os.path.exists(path("nothing"))


def test_training_that_diverges_says_so():
    """Beyond the edge of the network's own curvature, within that of its kernel."""
    big = ["--inputs", save("X.npy", X), "--targets", save("d.npy", 50 * REAL), "--widths", "4", "--rule", "descent", "--eta", 1.99,
           "--activation", "relu", "--time", "300", "--runs", 1]
    done = subprocess.run([PROGRAM, "linearize", *map(str, big)], cwd=SCRATCH, text=True, capture_output=True)
    assert done.returncode == 0 or ("diverged" in done.stderr and done.stderr.count("\n") == 1), done.stderr


def test_interruption_keeps_finished_runs():
    words = ["linearize", "--widths", "64,128", "--runs", 2000, "--time", "1000", "--threads", 1, "--json", "--no-figure"]
    process = subprocess.Popen([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=SCRATCH)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    result = json.loads(out)
    assert result["interrupted"] and 0 < result["training"]["runs"] < 2000 and len(result["tables"]["widths"]) == 2


main(globals())
