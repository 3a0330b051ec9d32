"""An installed linnet serves programs of others: by CMake, by pkg-config, from C17 and from C++, shared and static."""
import glob
import os
import subprocess

from e2e import BUILD, SCRATCH, SOURCE, main

PREFIX = os.path.join(SCRATCH, "prefix")
CONSUMER = os.path.join(SOURCE, "tests", "consumer")


def run(*words, code=0, **options):
    done = subprocess.run(list(map(str, words)), text=True, capture_output=True, **options)
    assert (done.returncode == 0) == (code == 0), f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done


def environment():
    library = next(os.path.dirname(p) for p in glob.glob(f"{PREFIX}/**/liblinnet.so", recursive=True))
    return dict(os.environ, PKG_CONFIG_PATH=f"{library}/pkgconfig", LD_LIBRARY_PATH=library), library


def test_install():
    run("cmake", "--install", BUILD, "--prefix", PREFIX)
    for name in ["bin/linnet", "include/linnet.h", "include/linnet/version.h", "share/man/man1/linnet-train.1"]:
        assert os.path.exists(os.path.join(PREFIX, name)), name
    _, library = environment()
    for pattern in ["liblinnet.a", "liblinnet.so", "pkgconfig/linnet.pc", "cmake/linnet/linnet-config.cmake"]:
        assert os.path.exists(os.path.join(library, pattern)), pattern


def test_installed_program_needs_nothing_of_the_build():
    env, _ = environment()
    run(f"{PREFIX}/bin/linnet", "train", "--data", "digits", "--whiten", 8, "--epochs", 1, cwd=SCRATCH, env=env)


def test_consumer_by_cmake():
    env, library = environment()
    for kind in ["linnet", "linnet_static"]:
        build = os.path.join(SCRATCH, f"by-cmake-{kind}")
        run("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DKIND={kind}", env=env)
        run("cmake", "--build", build, env=env)
        assert "loss" in run(f"{build}/consumer", env=env).stdout


def test_too_new_a_version_is_refused():
    env, _ = environment()
    for wanted in ["0.2", "1.0", "99"]:
        done = run("cmake", "-S", CONSUMER, "-B", os.path.join(SCRATCH, f"too-new-{wanted}"), f"-DCMAKE_PREFIX_PATH={PREFIX}",
                   f"-DWANTED={wanted}", code=1, env=env)
        assert "version" in done.stderr, done.stderr
    run("pkg-config", "--exists", "linnet >= 0.1.0", env=env)
    run("pkg-config", "--exists", "linnet >= 99", code=1, env=env)


def test_consumer_by_pkg_config():
    env, _ = environment()
    flags = run("pkg-config", "--cflags", "--libs", "linnet", env=env).stdout.split()
    program = os.path.join(SCRATCH, "by-pkg-config")
    run("cc", "-std=c17", f"{CONSUMER}/consumer.c", "-o", program, *flags, "-lm", env=env)
    assert "loss" in run(program, env=env).stdout


def test_headers_compile_alone_in_c17_and_cxx():
    for header in sorted(glob.glob(f"{PREFIX}/include/linnet/*.h")) + [f"{PREFIX}/include/linnet.h"]:
        name = os.path.relpath(header, f"{PREFIX}/include")
        for compiler in (["cc", "-std=c17", "-x", "c"], ["c++", "-std=c++17", "-x", "c++"]):
            source = f'#include "{name}"\n#include "{name}"\nint main(void) {{ return 0; }}\n'
            done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I",
                                   f"{PREFIX}/include", "-"], input=source, text=True, capture_output=True)
            assert done.returncode == 0, f"{name} with {compiler[0]}:\n{done.stderr}"


def test_only_names_of_our_own_are_exported():
    _, library = environment()
    names = [line.split()[-1] for line in run("nm", "-D", "--defined-only", f"{library}/liblinnet.so").stdout.splitlines()]
    strangers = [n for n in names if not n.startswith("lnt_") and n not in ("_init", "_fini")]
    assert names and not strangers, strangers


main(globals())
