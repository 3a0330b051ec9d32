"""Documents say what the build does: outputs, links, citations."""
import os
import re
import subprocess
import sys

from e2e import PROGRAM, SCRATCH, SOURCE, Skip, linnet, linnet_json, main


def documents():
    for folder, _, names in os.walk(SOURCE):
        if any(part in folder for part in ("/build", "/.git", "/report")):
            continue
        yield from (os.path.join(folder, n) for n in names if n.endswith(".md"))


def test_outputs_are_those_of_the_build():
    done = subprocess.run([sys.executable, f"{SOURCE}/script/docs", "--check", PROGRAM], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_links_lead_somewhere():
    for path in documents():
        for target in re.findall(r"\]\(([^)#]+)\)", open(path).read()):
            if "://" not in target:
                assert os.path.exists(os.path.join(os.path.dirname(path), target)), f"{path}: {target}"


def test_errata_name_tests_that_exist():
    folder = f"{SOURCE}/tests/e2e"
    defined = {name for file in os.listdir(folder) if file.endswith(".py")
               for name in re.findall(r"^def (test_\w+)", open(f"{folder}/{file}").read(), re.M)}
    named = set(re.findall(r"`(test_\w+)`", open(f"{SOURCE}/docs/errata.md").read()))
    assert named and named <= defined, sorted(named - defined)


def test_sources_that_headers_name_are_in_the_bibliography():
    keys = set(re.findall(r"@\w+\{(\w+),", open(f"{SOURCE}/references.bib").read()))
    cited = {}
    for folder in ("include/linnet", "src", "docs"):
        for place, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in names:
                if name.endswith((".h", ".c", ".md")):
                    text = re.sub(r"\n \* ", " ", open(os.path.join(place, name)).read())
                    for author, year in re.findall(r"\b([A-Z][a-z]+)(?: and [A-Z][a-z]+| et al\.)? ((?:19|20)\d\d)\b", text):
                        cited[author.lower() + year] = name
    assert cited and set(cited) <= keys, {k: v for k, v in cited.items() if k not in keys}


def test_readme_commands_exist():
    text = open(f"{SOURCE}/README.md").read()
    known = linnet("help").stdout
    for command in set(re.findall(r"^    linnet (\w+)", text, re.M)):
        assert f"\n  {command} " in known, command
    for script in set(re.findall(r"script/[\w-]+", text)):
        assert os.access(os.path.join(SOURCE, script), os.X_OK), script


def test_python_recipe_of_the_readme_opens_results():
    try:
        import h5py  # noqa: F401
    except ImportError:
        raise Skip("python3-h5py is not installed")
    recipe = re.search(r"```python\n(.*?)```", open(f"{SOURCE}/README.md").read(), re.S)[1]
    series = linnet_json("train", "--data", "digits", "--whiten", 5, "--lr", 0.05, "--epochs", 3, "--out", "run1")["series"]
    done = subprocess.run([sys.executable, "-c", recipe], cwd=SCRATCH, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert float(words[0]) == series["loss"][-1] and words[1:4] == ["(10,", "5)", "0.05"] and "'weights'" in done.stdout, done.stdout


main(globals())
