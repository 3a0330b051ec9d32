"""What chains say of two statements in the post on sensitivities; docs/errata.md names these tests."""
import numpy as np

from test_sample import sample_json
from test_train import path

from e2e import main


def bump(n=40, noise=.05):
    x, i = np.linspace(-3, 3, n), np.arange(n)
    y = .3 + 1.2 * np.tanh(1.5 * x + 1.5) - np.tanh(2 * x - 2) + noise * np.sqrt(2) * np.sin(i ** 2.)
    for name, a in (("x", x), ("y", y)):
        np.savetxt(path(f"errata-{name}.csv"), a, fmt="%.17g")
    return ["--inputs", path("errata-x.csv"), "--targets", path("errata-y.csv")]


def worst(result, of, column="rhat"):
    return max(r[column] for r in result["tables"]["diagnostics"] if r["of"] == of)


def test_sample_07_normal_at_best_around_each_mode():
    """Chains from anywhere end in different mirror images: their weights do not agree at all, the function and the weights
    in standard form do. Around one image the posterior is close to normal with 40 rows; with 5, of a flat function, not."""
    result = sample_json(*bump(), "--hidden", 2, "--start", "prior", "--draws", 2000)
    assert worst(result, "weights") > 1.5
    assert worst(result, "canonical weights") < 1.02 and worst(result, "function") < 1.01
    assert result["laplace"]["largest_shift"] < .2
    np.savetxt(path("x5.csv"), [-2, -1, 0, 1, 2])
    np.savetxt(path("y5.csv"), [-.9, -.7, .1, .6, 1])
    few = sample_json("--inputs", path("x5.csv"), "--targets", path("y5.csv"), "--hidden", 1, "--no-bias",
                      "--noise-sd", .2, "--hyper", "fixed", "--target", .98, "--draws", 2000)
    assert few["laplace"]["largest_sd_ratio"] > 1.1 or few["laplace"]["least_sd_ratio"] < .9


def test_sample_09_the_inverse_helps_a_chain():
    """(beta B'B + alpha)^-1 as the metric of a chain that has no time to adapt: at least ten times the effective sample for a
    gradient."""
    def per_gradient(*words):
        result = sample_json(*bump(), "--hidden", 2, "--metric", "dense", "--warmup", 19, "--draws", 500, *words)
        ess = min(r["ess_bulk"] for r in result["tables"]["diagnostics"] if r["of"] == "function")
        return ess / sum(r["leapfrogs"] for r in result["tables"]["sampler"])
    assert per_gradient() > 10 * per_gradient("--no-seed-metric")


main(globals())
