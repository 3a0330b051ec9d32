"""The examples run and find what they say, and the documents show their lines."""
import os
import re
import subprocess

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


main(globals())
