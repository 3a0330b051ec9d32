"""The examples run and find what they say, and the documents show their lines."""
import os
import re
import subprocess

import numpy as np

from e2e import BUILD, SOURCE, main


def run(name):
    done = subprocess.run([os.path.join(BUILD, "tests", f"example_{name}")], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_own_model_finds_the_certified_answer():
    found = [float(number) for line in run("own_model").splitlines()[:2] for number in re.findall(r"= (\S+) \+- (\S+)", line)[0]]
    certified = [238.94212918, 2.7070075241, 5.5015643181e-4, 7.2668688436e-6]
    assert all(abs(a / b - 1) < 1e-8 for a, b in zip(found, certified)), found


def test_documents_show_lines_of_the_examples():
    words = " ".join(" ".join(open(f"{SOURCE}/examples/{name}").read().split()) for name in os.listdir(f"{SOURCE}/examples")
                     if name.endswith(".c"))
    blocks = re.findall(r"```c\n(.*?)```", open(f"{SOURCE}/docs/fit.md").read(), re.S)
    assert blocks
    for block in blocks:
        for part in re.split(r"\n\s*\.\.\.\n", block):
            assert " ".join(part.split()) in words, part


def test_manual_has_the_text():
    page = open(f"{SOURCE}/docs/density.md").read()
    assert f"```c\n{open(f'{SOURCE}/examples/eight_schools.c').read()}```" in page


def rows(text):
    return {line.split()[0]: np.array(line.split()[1:], float) for line in text.splitlines() if re.match(r"(mu|tau|theta)", line)}


def moments():
    """mean and sd of mu, tau and theta_j by quadrature over mu and log tau: eta integrates out."""
    y, s = np.array([28, 8, -3, 7, -1, 1, 18, 12.]), np.array([15, 10, 16, 11, 9, 11, 10, 18.])
    t, mu = np.linspace(-12, 9, 1051)[:, None], np.linspace(-30, 40, 701)[None, :]
    tau = np.exp(t)
    v = s ** 2 + tau[:, :, None] ** 2
    log_p = (-.5 * (y - mu[:, :, None]) ** 2 / v - .5 * np.log(v)).sum(2) - mu ** 2 / 50 + t - np.log(25 + tau ** 2)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    means = [(mu, mu ** 2), (tau, tau ** 2)]
    for j in range(8):
        shrunk, left = (y[j] * tau ** 2 + mu * s[j] ** 2) / v[:, :, j], tau ** 2 * s[j] ** 2 / v[:, :, j]
        means.append((shrunk, shrunk ** 2 + left))
    first, second = [np.array([(p * m[i]).sum() for m in means]) for i in range(2)]
    return first, np.sqrt(second - first ** 2)


def test_eight_schools():
    """Means within 4.5 standard errors (a seed in 10,000 would fail), in the manual too."""
    mean, sd = moments()
    page = re.search(r"```\n( +mean +sd.*?)```", open(f"{SOURCE}/docs/density.md").read(), re.S).group(1)
    for text in (run("eight_schools"), page):
        found = np.array(list(rows(text).values()))
        assert len(found) == 10 and "can be trusted" in text
        assert (np.abs(found[:, 0] - mean) < 4.5 * found[:, 2] + .005).all(), (found[:, 0], mean)
        assert (np.abs(found[:, 1] / sd - 1) < .15).all() and (found[:, 5] < 1.01).all()


main(globals())
