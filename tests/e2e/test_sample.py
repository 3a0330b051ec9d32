"""linnet sample against NumPy: its diagnoses recomputed from the draws, posteriors by integrals on grids, predictions and
scores from the draws; runs that are killed, interrupted, out of disk space and continued; bad inputs."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

from test_outputs import schema
from test_train import counter, path

import h5py
import numpy as np

from e2e import PROGRAM, SCRATCH, linnet, linnet_json, main

RNG = np.random.default_rng(8)
X5 = np.array([-2, -1, 0, 1, 2.])


def save(name, A):
    np.savetxt(path(name), A, fmt="%.17g")
    return path(name)


def bump(n=40):
    x = np.linspace(-3, 3, n)
    i = np.arange(n)
    y = .3 + 1.2 * np.tanh(1.5 * x + 1.5) - np.tanh(2 * x - 2) + .05 * np.sqrt(2) * np.sin(i ** 2.)
    return save(f"bump-x{n}.csv", x), save(f"bump-y{n}.csv", y), x, y


def one_line(text):
    return text.startswith("linnet: ") and text.count("\n") == 1


def valid(result):
    errors = list(schema().iter_errors(result))
    assert not errors, errors[0]


def sample(*words, command="sample"):
    """Finishes, whatever the verdict, which may hang on the last bits where draws are few."""
    done = subprocess.run([PROGRAM, command, *map(str, words)], cwd=SCRATCH, text=True, capture_output=True)
    assert done.returncode in (0, 3), (words, done.returncode, done.stderr)
    return done


def sample_json(*words, **options):
    return json.loads(sample(*words, "--json", **options).stdout)


def fresh():
    counter[0] += 1
    return path(f"sample-{counter[0]}")


def run(*words):
    """Runs with --json and --out; returns (JSON, folder)."""
    folder = fresh()
    done = sample(*words, "--json", "--no-figure", "--out", folder)
    return json.loads(done.stdout), folder


def draws(folder):
    """{variable: (chain, draw, ...)} of the file for ArviZ."""
    with h5py.File(os.path.join(folder, "draws.nc")) as f:
        return {name: f[group][name][()] for group in ("posterior", "sample_stats") for name in f[group]
                if f[group][name].ndim > 1}


def row(result, name, table="diagnostics"):
    return next(r for r in result["tables"][table] if r["name"] == name)


# ---- Diagnoses, written from Vehtari et al. (2021) ----

def split(x):
    n = x.shape[1] // 2
    return np.concatenate([x[:, :n], x[:, -n:]])


def normal_scores(x):
    from scipy.stats import norm, rankdata
    return norm.ppf((rankdata(x).reshape(x.shape) - 3 / 8) / (x.size + 1 / 4))


def plain_rhat(x):
    n = x.shape[1]
    W, B = x.var(1, ddof=1).mean(), x.mean(1).var(ddof=1)
    return np.sqrt(((n - 1) / n * W + B) / W)


def rhat(x):
    s = split(x)
    return max(plain_rhat(normal_scores(s)), plain_rhat(normal_scores(np.abs(s - np.median(s)))))


def ess(x):
    """Of chains that are split already; autocovariances by direct sums."""
    m, n = x.shape
    centred = x - x.mean(1, keepdims=True)
    C = np.array([[np.dot(c[:n - t], c[t:]) / n for t in range(n)] for c in centred]).mean(0)
    W = x.var(1, ddof=1).mean()
    V = W * (n - 1) / n + x.mean(1).var(ddof=1)
    rho = 1 - (W - C * 1.0) / V
    rho[0] = 1
    total, t, last = 0., 0, np.inf
    while t + 1 < n - 4:
        pair = rho[t] + rho[t + 1]
        if pair <= 0:
            break
        last = min(last, pair)
        total += last
        t += 2
    tau = max(-1 + 2 * total + (max(rho[t], 0) if t < n - 1 else 0), 1 / np.log10(m * n))
    return m * n / tau


def bulk(x):
    return ess(normal_scores(split(x)))


def forward(d, x):
    """f of a one-hidden-layer tanh network for all draws: (chain, draw, point)."""
    h = np.tanh(np.einsum("cdhi,pi->cdph", d["W1"], x.reshape(len(x), -1)) + d["b1"][:, :, None, :])
    return np.einsum("cdoh,cdph->cdp", d["W2"], h) + d["b2"][:, :, :1]


def test_diagnoses_agree_with_numpy():
    x, y, X, Y = bump()
    # so many that R-hat stays below its limit whatever the last bits of the processor make of the draws
    result, folder = run("--inputs", x, "--targets", y, "--hidden", 2, "--warmup", 600, "--draws", 1500)
    valid(result)
    assert result["verdict"]["good"] is True and result["verdict"]["text"] == "the draws can be trusted"
    assert result["warnings"] == [] and result["parameters"]["target"] == .9
    assert abs(result["laplace"]["log_evidence"] - 33.50024299) < 1e-5
    d = draws(folder)
    f = forward(d, np.linspace(-3, 3, 9))
    for i, at in enumerate(np.linspace(-3, 3, 9)):
        r = row(result, f"f({at:.3g})")
        q = f[:, :, i]  # rounded otherwise than in the program, which breaks the tie at the median
        assert abs(r["mean"] - q.mean()) < 1e-10 and abs(r["sd"] - q.std(ddof=1)) < 1e-10
        assert abs(r["rhat"] - rhat(q)) < 1e-4, (r["rhat"], rhat(q))
        assert abs(r["ess_bulk"] / bulk(q) - 1) < 1e-6, (r["ess_bulk"], bulk(q))
        assert abs(r["mcse"] - q.std(ddof=1) / np.sqrt(ess(split(q)))) < 1e-6 * r["mcse"]
    q = d["W1"][:, :, 1, 0]
    assert abs(row(result, "W1[2,1]")["mean"] - q.mean()) < 1e-12
    energy = d["energy"]
    for c, r in enumerate(result["tables"]["sampler"]):
        want = np.sum(np.diff(energy[c]) ** 2) / np.sum((energy[c] - energy[c].mean()) ** 2)
        assert abs(r["ebfmi"] - want) < 1e-9
        assert r["leapfrogs"] == d["n_steps"][c].sum() and r["divergences"] == d["diverging"][c].sum()
    # the log posterior with all constants, from the weights alone
    alpha, beta = result["posterior"]["alpha"], result["posterior"]["noise_sd"] ** -2
    sse = ((forward(d, X) - Y) ** 2).sum(2)
    square = sum((d[k] ** 2).reshape(*d[k].shape[:2], -1).sum(2) for k in ("W1", "b1", "W2", "b2"))
    lp = 20 * np.log(beta / 2 / np.pi) - beta * sse / 2 + 3.5 * np.log(alpha / 2 / np.pi) - alpha * square / 2
    assert np.abs(lp - d["lp"]).max() < 1e-8


def test_predictions_and_scores_come_from_the_draws():
    from scipy.special import logsumexp
    from scipy.stats import norm
    x, y, X, Y = bump(60)
    result, folder = run("--inputs", x, "--targets", y, "--hidden", 2, "--warmup", 300, "--draws", 200, "--split", .25)
    d, sd = draws(folder), result["posterior"]["noise_sd"]
    p = result["series"]["prediction"]
    f = forward(d, np.array(p["x"])).reshape(-1, 201)
    assert np.abs(f.mean(0) - p["mean"]).max() < 1e-10 and np.abs(f.std(0, ddof=1) - p["sd"]).max() < 1e-10
    for j in (0, 77, 200):
        assert abs(norm.cdf(p["low"][j], f[:, j], sd).mean() - .025) < 1e-8
        assert abs(norm.cdf(p["high"][j], f[:, j], sd).mean() - .975) < 1e-8
    held = result["series"]["held_out"]
    target = np.array(held["target"])
    rows = np.array([np.argmin(abs(Y - t)) for t in target])
    density = norm.logpdf(target, forward(d, X[rows]).reshape(-1, len(rows)), sd)
    want = (logsumexp(density, axis=0) - np.log(len(density))).mean()
    scores = {(r["rows"], r["method"]): r for r in result["tables"]["scores"]}
    got = scores["held out", "sampled"]
    assert abs(got["log_score"] - want) < 1e-9
    inside = np.mean((np.array(held["low"]) <= target) & (target <= np.array(held["high"])))
    assert abs(got["coverage"] - inside) < 1e-12
    assert ("held out", "laplace") in scores and ("held out", "mode") in scores


def grid_moments(logp, q, *grids):
    mesh = np.meshgrid(*grids, indexing="ij")
    p = logp(*mesh)
    p = np.exp(p - p.max())
    value = q(*mesh)
    mean = (p * value).sum() / p.sum()
    return mean, np.sqrt((p * (value - mean) ** 2).sum() / p.sum())


def check_moments(r, mean, sd):
    """4 standard errors: a blind seed fails once in 10^4."""
    assert abs(r["mean"] - mean) < 4 * r["mcse"], (r, mean)
    assert abs(r["sd"] - sd) < 4 * r["mcse_sd"], (r, sd)


def test_posteriors_by_integrals():
    x, d = save("x5.csv", X5), save("c5.csv", [0, 0, 1, 1, 1])
    result, _ = run("--inputs", x, "--targets", d, "--hidden", 0, "--no-bias", "--likelihood", "bernoulli", "--draws",
                    3000)
    mean, sd = grid_moments(lambda w: sum(c * w * a - np.logaddexp(0, w * a) for a, c in zip(X5, [0, 0, 1, 1, 1]))
                            - w * w / 2, lambda w: w, np.linspace(-6, 9, 4001))
    assert abs(mean - 1.13199695) < 1e-7 and abs(sd - .68999992) < 1e-7
    check_moments(row(result, "W1[1,1]"), mean, sd)
    check_moments(row(result, "f(1)"), mean, sd)
    y = np.array([-.9, -.7, .1, .6, 1])
    result, _ = run("--inputs", x, "--targets", save("y5.csv", y), "--hidden", 1, "--no-bias", "--noise-sd", .2, "--hyper",
                    "fixed", "--alpha", 1, "--target", .98, "--draws", 4000)
    grid = np.linspace(-6, 6, 1501)
    mean, sd = grid_moments(lambda w, v: sum(-12.5 * (b - v * np.tanh(w * a)) ** 2 for a, b in zip(X5, y))
                            - (w * w + v * v) / 2, lambda w, v: v * np.tanh(w), grid, grid)
    assert abs(mean - .65495483) < 1e-6 and abs(sd - .11255369) < 1e-6
    check_moments(row(result, "f(1)"), mean, sd)
    assert any("Laplace" in w for w in result["warnings"]), "its band is 16 % too wide there, and off at the ends"


def test_hyperparameters_by_integrals():
    """A linear model with a drawn precision of weights and noise: integrals over both, the weights done exactly."""
    x = np.linspace(-1, 1, 12)
    y = .8 * x + .3 * RNG.normal(size=12)
    result, folder = run("--inputs", save("h-x.csv", x), "--targets", save("h-y.csv", y), "--hidden", 0, "--hyper", "sampled",
                    "--alpha-prior", "3,2", "--beta-prior", "2,.5", "--draws", 3000)
    la, lb = np.meshgrid(np.linspace(-6, 4, 401), np.linspace(-3, 6, 401), indexing="ij")
    a, b = np.exp(la), np.exp(lb)
    A = a + b * (x @ x)
    logp = (.5 * la + 6 * lb - b / 2 * (y @ y) + (b * (x @ y)) ** 2 / (2 * A) - .5 * np.log(A)
            + 3 * la - 2 * a + 2 * lb - .5 * b)
    p = np.exp(logp - logp.max())
    p /= p.sum()
    for name, q in (("log alpha", la), ("log beta", lb)):
        mean = (p * q).sum()
        check_moments(row(result, name), mean, np.sqrt((p * (q - mean) ** 2).sum()))
    check = row(result, "W1[1,1]")
    assert abs(check["mean"] - (p * b * (x @ y) / A).sum()) < 4 * check["mcse"]
    assert result["posterior"]["alpha_prior_shape"] == 3 and draws(folder)["log_beta"].shape == (4, 3000)


def test_apply():
    from scipy.stats import norm
    x, y, X, Y = bump()
    new = np.array([-4, .3, 2.5])
    for words in (["--hyper", "sampled"], ["--noise-sd", .05], ["--whiten", 1]):
        result, folder = run("--inputs", x, "--targets", y, "--hidden", 2, "--warmup", 300, "--draws", 100, *words)
        out = path("applied.csv")
        said = linnet_json("apply", folder, "--inputs", save("new.csv", new), "--out", out)
        valid(said)
        d = draws(folder)
        z = (new - X.mean()) / X.std() if "--whiten" in words else new
        f = [g for g in (forward(d, z).reshape(-1, 3), forward(d, -z).reshape(-1, 3))]  # signs of components are free
        got = np.loadtxt(out, delimiter=",")
        f = min(f, key=lambda g: abs(g.mean(0) - got[:, 0]).max())
        assert np.abs(got - np.stack([f.mean(0), f.std(0, ddof=1)], 1)).max() < 1e-9
        sd = np.exp(-d["log_beta"].ravel() / 2) if "sampled" in words else result["posterior"]["noise_sd"]
        assert abs(norm.cdf(said["series"]["predicted"]["low"][1], f[:, 1], sd).mean() - .025) < 1e-8


def test_demo():
    result, folder = run("--demo", "--grow", "40,160")
    valid(result)
    assert len(result["tables"]["problems"]) == 7 and all(r["holds"] for r in result["checks"])
    assert [r["n"] for r in result["tables"]["growth"]] == [40, 160]
    assert draws(folder)["W1"].shape == (4, 1000, 2, 1)
    linnet("apply", folder, "--inputs", save("one.csv", [.5, 1]), "--out", path("demo.npy"))


# ---- Runs that end early ----

def slow():
    x = np.linspace(-3, 3, 1500)
    y = np.sin(2 * x) + .1 * RNG.normal(size=1500)
    return ["--inputs", save("slow-x.csv", x), "--targets", save("slow-y.csv", y), "--hidden", 8, "--starts", 2,
            "--warmup", 150, "--draws", 150, "--max-depth", 6, "--noise-sd", .1, "--alpha", .1, "--no-figure"]


SLOW = slow()
REFERENCE = []


def reference():
    """The folder of an unbroken run."""
    if not REFERENCE:
        folder = fresh()
        sample(*SLOW, "--quiet", "--out", folder)
        REFERENCE.append(folder)
    return REFERENCE[0]


def contents(folder, names=("draws.nc", "result.h5", "run.yaml", "options.yaml")):
    return {name: open(os.path.join(folder, name), "rb").read() for name in names}


def begin(folder, size, words=()):
    """A run that is under way: its log has at least so many bytes."""
    process = subprocess.Popen([PROGRAM, "sample", *map(str, SLOW), "--json", "--out", folder, *words],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = os.path.join(folder, "draws.log")
    for _ in range(6000):
        if process.poll() is not None or (os.path.exists(log) and os.path.getsize(log) >= size):
            break
        time.sleep(.01)
    assert process.poll() is None, process.stderr.read()
    return process


def test_killed_and_continued():
    whole = contents(reference())
    for size in (64, 10000, 40000):
        folder = fresh()
        process = begin(folder, size)
        process.kill()
        process.wait()
        assert not os.path.exists(os.path.join(folder, "run.yaml"))
        sample("--resume", folder, "--no-figure", "--threads", 1)
        assert contents(folder) == whole, size


def test_interrupted_and_continued():
    folder = fresh()
    process = begin(folder, 10000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    partial = json.loads(out)
    assert any("--resume" in w for w in partial["warnings"])
    assert not os.path.exists(os.path.join(folder, "run.yaml"))
    sample("--resume", folder, "--no-figure")
    assert contents(folder) == contents(reference())


def test_full_disk():
    folder = fresh()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
    done = linnet("sample", *SLOW, "--out", folder, code=1, preexec_fn=limit)
    assert one_line(done.stderr) and "--resume" in done.stderr and done.stderr.count("safe") == 1, done.stderr
    sample("--resume", folder, "--no-figure")
    assert contents(folder) == contents(reference())


def test_threads_and_memory_do_not_matter():
    folder = fresh()
    sample(*SLOW, "--threads", 1, "--out", folder)
    assert contents(folder) == contents(reference())
    in_memory = sample_json(*SLOW, "--threads", 3)
    with h5py.File(os.path.join(folder, "result.h5")) as f:
        assert np.array_equal(f["tables/diagnostics/mean"][()], [r["mean"] for r in in_memory["tables"]["diagnostics"]])


def test_complete_is_left_alone():
    folder = reference()
    before = {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}
    done = sample("--resume", folder, "--json")
    assert "complete already" in done.stderr
    said = json.loads(done.stdout)
    valid(said)
    assert said["tables"]["diagnostics"] and said["series"]["prediction"]
    first = sample_json(*SLOW, "--threads", 2)
    for name in ("verdict", "network", "posterior", "tables", "checks", "warnings"):
        assert json.dumps(said[name], sort_keys=True) == json.dumps(first[name], sort_keys=True), name  # 1 is not true
    assert before == {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}
    done = linnet("sample", *SLOW, "--out", folder, code=1)
    assert one_line(done.stderr)


def refused(folder, words=(), code=1, what=""):
    kept = {name: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)}
    done = linnet("sample", "--resume", folder, *words, code=code)
    assert one_line(done.stderr) and what in done.stderr, done.stderr
    assert kept == {name: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)}


def test_resume_refused():
    done = linnet("sample", "--resume", path("nowhere"), code=1)
    assert one_line(done.stderr)
    begun = fresh()
    process = begin(begun, 10000)
    process.kill()
    process.wait()
    refused(begun, ["--draws", 5], code=2, what="leave out")
    refused(begun, ["--out", begun], code=2)
    done = linnet("sample", *SLOW, "--out", begun, code=1)
    assert one_line(done.stderr) and "--resume" in done.stderr
    for name, old, new in (("options.yaml", b"draws: 150", b"draws: 151"), ("options.yaml", b'version: "', b'version: "9'),
                           ("options.yaml", b"command", b"kommand"), ("draws.log", b"LNTDRAWS", b"LNTDRAWT")):
        other = fresh()
        shutil.copytree(begun, other)
        file = os.path.join(other, name)
        text = open(file, "rb").read()
        assert old in text
        open(file, "wb").write(text.replace(old, new, 1))
        refused(other)
    data = SLOW[3]
    text = open(data).read()
    try:
        open(data, "w").write(text.replace("\n", "1\n", 1))
        refused(begun)
    finally:
        open(data, "w").write(text)
    sample("--resume", begun, "--no-figure")
    assert contents(begun) == contents(reference())


def test_force_begins_anew():
    x, y, _, _ = bump()
    folder = fresh()
    for seed in (1, 2, 1):
        sample("--inputs", x, "--targets", y, "--hidden", 2, "--warmup", 50, "--draws", 20, "--seed", seed,
               "--no-figure", "--out", folder, "--force", "--quiet")
        now = contents(folder)
        first = now if seed == 1 and "first" not in dir() else first
    assert now == first


def test_run_yaml_repeats():
    sample(os.path.join(reference(), "run.yaml"), "--no-figure", "--out", path("again"), command="run")
    assert contents(path("again")) == contents(reference())


def warned(words, *options):
    said = sample_json(*options)["warnings"]
    assert any(words in w for w in said), said


def test_warnings_of_the_posterior():
    """Draws that are right, of a posterior that is not what one wants."""
    quick = ["--warmup", 100, "--draws", 50]
    x, y, _, _ = bump()
    five = save("five-x.csv", np.linspace(-3, 3, 5)), save("five-y.csv", np.array([-1, .9, 0, -1.2, 1]))
    warned("ran away to a bound", "--inputs", five[0], "--targets", five[1], "--hidden", 10, *quick)
    warned("times as large as --noise-sd", "--inputs", x, "--targets", y, "--hidden", 2, "--noise-sd", .5, *quick)
    warned("one chain", "--inputs", x, "--targets", y, "--hidden", 2, "--chains", 1, *quick)
    side = save("side.csv", (np.arange(40) > 19).astype(int))
    warned("are separable", "--inputs", x, "--targets", side, "--one-hot", "--hidden", 0, *quick)
    said = sample_json("--inputs", x, "--targets", side, "--one-hot", "--hidden", 0, "--hyper", "sampled", *quick)
    assert not any("separable" in w for w in said["warnings"])


# ---- Kinds of posterior, and odd requests ----

def quick(*words):
    return sample_json(*words, "--warmup", 100, "--draws", 50)


def test_one_chain_no_warmup_hmc_dense():
    x, y, _, _ = bump()
    data = ["--inputs", x, "--targets", y, "--hidden", 2]
    one = sample_json(*data, "--chains", 1)
    assert len(one["tables"]["sampler"]) == 1 and one["tables"]["diagnostics"][0]["rhat"] is not None
    none = sample_json(*data, "--warmup", 0, "--draws", 20, "--step", .01)
    assert {r["step"] for r in none["tables"]["sampler"]} == {.01}
    single = sample_json(*data, "--warmup", 0, "--draws", 1)
    assert single["verdict"]["good"] is False
    dense = sample_json(*data, "--metric", "dense")
    assert dense["verdict"]["good"] and dense["posterior"]["metric"] == "dense"
    hmc = sample_json(*data, "--sampler", "hmc", "--draws", 2000)
    f = row(hmc, "f(0)")
    g = row(dense, "f(0)")
    assert abs(f["mean"] - g["mean"]) < 4 * np.hypot(f["mcse"], g["mcse"])
    thin = sample_json(*data, "--warmup", 100, "--draws", 25, "--thin", 4, "--seed", 3)
    plain = sample_json(*data, "--warmup", 100, "--draws", 100, "--seed", 3)
    assert thin["posterior"]["draws"] == 25
    assert [r["gradients"] for r in thin["tables"]["sampler"]] == [r["gradients"] for r in plain["tables"]["sampler"]]


def test_classes():
    x = RNG.normal(size=(60, 2))
    c = (x[:, 0] * x[:, 1] > 0).astype(int)
    X, C = save("cls-x.csv", x), save("cls-c.csv", c)
    two = quick("--inputs", X, "--targets", C, "--one-hot", "--hidden", 3, "--split", .3)
    assert two["network"]["likelihood"] == "bernoulli" and two["posterior"]["hyper"] == "fixed"
    p = two["series"]["held_out"]["probability"]
    target = np.array(two["series"]["held_out"]["target"])
    assert all(0 < v < 1 for v in p)
    score = np.mean(np.log(np.where(target == 1, p, 1 - np.array(p))))
    got = next(r for r in two["tables"]["scores"] if (r["rows"], r["method"]) == ("held out", "sampled"))
    assert abs(got["log_score"] - score) < 1e-9
    three = quick("--inputs", X, "--targets", save("cls-3.csv", (c + (x[:, 0] > 1)).astype(int)), "--one-hot", "--hidden", 2)
    q = three["series"]["prediction"]
    assert three["network"]["likelihood"] == "categorical"
    assert np.abs(sum(np.array(q[f"output{o}"]["probability"]) for o in (1, 2, 3)) - 1).max() < 1e-12 \
        if "output1" in q else True
    sampled = quick("--inputs", X, "--targets", C, "--one-hot", "--hidden", 2, "--hyper", "sampled")
    assert row(sampled, "log alpha")["judged"]
    separable = quick("--inputs", save("sep-x.csv", [-2, -1, 1, 2]), "--targets", save("sep-c.csv", [0, 0, 1, 1]), "--one-hot",
                      "--hidden", 0)
    assert np.isfinite(row(separable, "W1[1,1]")["mean"])


def test_growth_of_rows():
    x, y, X, _ = bump(160)
    rng = np.random.default_rng(3)
    y = save("grow-y.csv", .3 + 1.2 * np.tanh(1.5 * X + 1.5) - np.tanh(2 * X - 2) + .05 * rng.normal(size=160))
    result = sample_json("--inputs", x, "--targets", y, "--hidden", 2, "--draws", 1500, "--warmup", 500, "--grow",
                         "20,40,80,160", "--starts", 4)
    growth = result["tables"]["growth"]
    assert [r["n"] for r in growth] == [20, 40, 80, 160]
    logs = np.log([r["n"] for r in growth]), np.log([r["shift"] for r in growth])
    assert abs(np.polyfit(*logs, 1)[0] - result["growth"]["exponent"]) < 1e-9
    assert growth[-1]["shift"] < growth[0]["shift"]
    done = linnet("sample", "--inputs", x, "--targets", y, "--hidden", 2, "--draws", 20, "--grow", "20,400", code=1 + 1)
    assert one_line(done.stderr)


def bad(*words, code=1, what=""):
    done = linnet("sample", *words, code=code)
    assert one_line(done.stderr) and what in done.stderr, done.stderr


def test_bad_input():
    x, y, X, Y = bump()
    data = ["--inputs", x, "--targets", y]
    bad(*data, "--chains", 0, code=2)
    bad(*data, "--draws", 0, code=2)
    bad(*data, "--warmup", -1, code=2)
    bad(*data, "--target", 1.5, code=2)
    bad(*data, "--alpha", 0, code=2, what="posterior")
    bad(*data, "--hyper", "fixed", code=2, what="--noise-sd")
    bad(*data, "--alpha-prior", "2,2", code=2, what="sampled")
    bad(*data, "--hyper", "sampled", "--alpha-prior", "2", code=2, what="SHAPE,RATE")
    bad(*data, "--hyper", "sampled", "--beta-prior", "2,-1", code=2)
    bad(*data, "--grow", "20,10", code=2)
    bad(*data, "--hidden", 300000, code=2, what="GB")
    bad("--inputs", x, code=2)
    bad("--inputs", save("nan.csv", np.where(X > 2.9, np.nan, X)), "--targets", y)
    bad("--inputs", x, "--targets", save("huge.csv", Y * 1e200), "--noise-sd", 1e-3, "--hidden", 2, "--start", "prior",
        what="")
    bad("--demo", "--resume", path("nowhere"), code=2)
    assert not os.path.exists(path("out-of-bad"))
    bad(*data, "--alpha", 0, "--out", path("out-of-bad"), code=2)
    assert not os.path.exists(path("out-of-bad"))




if __name__ == "__main__":
    main(globals())
