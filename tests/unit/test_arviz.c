/* Files for ArviZ: their values as linnet reads them, their structure as h5py, netCDF4 and xarray do. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

enum { CHAINS = 3, DRAWS = 10, COLUMNS = 9, MOST = 8 };

static char path[64];

static int new_path(void **state)
{
    strcpy(path, "/tmp/linnet-arviz-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    return make_ctx(state);
}

static int remove_path(void **state)
{
    unlink(path);
    return free_ctx(state);
}

#define WITH_PATH(test) cmocka_unit_test_setup_teardown(test, new_path, remove_path)

static const double places[4] = {-1.5, 0, 0.25, 3}, seen[4] = {1, -2, 3.5, NAN};
static const lnt_arviz_dim chain = {"chain", CHAINS, NULL}, draw = {"draw", DRAWS, NULL}, unit = {"unit", 3, NULL},
                           input = {"input", 2, NULL}, place = {"x", 4, places};
static double draws[CHAINS * DRAWS * COLUMNS];

/* Column j of draw d of chain c: c + d/100 + 10 j, but for the last two: a count and a flag. */
static int make_file(lnt_arviz_variable v[MOST])
{
    for (int i = 0; i < CHAINS * DRAWS * COLUMNS; i++) {
        int c = i / COLUMNS / DRAWS, d = i / COLUMNS % DRAWS, j = i % COLUMNS;
        draws[i] = j == 7 ? d + 1 : j == 8 ? d % 3 == c : c + d / 100. + 10 * j;
    }
    const lnt_arviz_variable all[] = {
        {"posterior", "W1", NULL, LNT_ARVIZ_NUMBER, 4, {&chain, &draw, &unit, &input}, draws, COLUMNS},
        {"posterior", "b1", "1", LNT_ARVIZ_NUMBER, 3, {&chain, &draw, &unit}, draws + 3, COLUMNS},
        {"sample_stats", "lp", "nats", LNT_ARVIZ_NUMBER, 2, {&chain, &draw}, draws + 6, COLUMNS},
        {"sample_stats", "tree_depth", NULL, LNT_ARVIZ_INTEGER, 2, {&chain, &draw}, draws + 7, COLUMNS},
        {"sample_stats", "diverging", NULL, LNT_ARVIZ_FLAG, 2, {&chain, &draw}, draws + 8, COLUMNS},
        {"observed_data", "y", "m", LNT_ARVIZ_NUMBER, 1, {&place}, seen, 0}};
    memcpy(v, all, sizeof all);
    return sizeof all / sizeof *all;
}

static void write_file(lnt_ctx *ctx)
{
    lnt_arviz_variable v[MOST];
    lnt_text image = {0};
    int count = make_file(v);
    check_status(ctx, lnt_store_arviz(ctx, &image, v, count), LNT_OK);
    check_status(ctx, lnt_write_atomic(ctx, path, image.p, image.n), LNT_OK);
    lnt_text_free(&image);
}

static void values(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record;
    lnt_array a;
    write_file(ctx);
    check_status(ctx, lnt_store_load(ctx, &record, path), LNT_OK);
    assert_true(lnt_record_array(record, "posterior/b1", &a));
    assert_true(a.rank == 3 && a.dims[0] == CHAINS && a.dims[1] == DRAWS && a.dims[2] == 3);
    for (int i = 0; i < CHAINS * DRAWS; i++)
        for (int j = 0; j < 3; j++)
            assert_true(a.values[3 * i + j] == draws[i * COLUMNS + 3 + j]);
    assert_true(lnt_record_array(record, "observed_data/x", &a));
    assert_memory_equal(a.values, places, sizeof places);
    lnt_record_free(record);
}

static void equal_bytes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_arviz_variable v[MOST];
    lnt_text image[2] = {{0}, {0}};
    int count = make_file(v);
    for (int i = 0; i < 2; i++)
        check_status(ctx, lnt_store_arviz(ctx, &image[i], v, count), LNT_OK);
    assert_true(image[0].n == image[1].n && memcmp(image[0].p, image[1].p, image[0].n) == 0);
    lnt_text_free(&image[0]);
    lnt_text_free(&image[1]);
}

/* Runs a script on the file; 77 where its modules are missing. */
static void run_python(const char *script)
{
    static const char python[] = "/usr/bin/python3"; /* the system's, where the packages of script/setup are */
    if (access(python, X_OK) != 0) {
        print_message("skipped: no Python\n");
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(python, python, "-W", "ignore", "-c", script, path, (char *)NULL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: a Python module is missing\n");
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The values that make_file() describes, from arrays W1, b1, lp, depth, diverging, y, x. */
#define CHECKS                                                                                                         \
    "c, d = np.arange(3)[:, None], np.arange(10)[None, :]\n"                                                           \
    "base = c + d/100\n"                                                                                               \
    "same = np.testing.assert_array_equal\n"                                                                           \
    "same(W1, (base[:, :, None] + 10*np.arange(6)).reshape(3, 10, 3, 2))\n"                                            \
    "same(b1, base[:, :, None] + 10*np.arange(3, 6))\n"                                                                \
    "same(lp, base + 60)\n"                                                                                            \
    "same(depth, d + 1 + 0*c)\n"                                                                                       \
    "same(diverging, d % 3 == c)\n"                                                                                    \
    "same(y, [1, -2, 3.5, np.nan])\n"                                                                                  \
    "same(x, [-1.5, 0, .25, 3])\n"                                                                                     \
    "assert depth.dtype == np.int64, depth.dtype\n"

static void structure(void **state)
{
    write_file(*state);
    run_python("import sys\n"
               "try:\n"
               "    import h5py, numpy as np\n"
               "except ImportError: sys.exit(77)\n"
               "f = h5py.File(sys.argv[1], 'r')\n"
               "p, s, o = f['posterior'], f['sample_stats'], f['observed_data']\n"
               "for v, names in ((p['W1'], 'chain draw unit input'), (p['b1'], 'chain draw unit'),\n"
               "                 (s['lp'], 'chain draw'), (s['diverging'], 'chain draw'), (o['y'], 'x')):\n"
               "    assert [d[0].name for d in v.dims] == [v.parent.name + '/' + n for n in names.split()], v\n"
               "    for i, d in enumerate(v.dims):\n"
               "        assert h5py.h5ds.is_scale(d[0].id) and d[0].shape == (v.shape[i],)\n"
               "        assert (v.name, i) in [(f[r].name, j) for r, j in d[0].attrs['REFERENCE_LIST']]\n"
               "assert len(p['chain'].attrs['REFERENCE_LIST']) == 2\n"
               "assert 'bool' in str(s['diverging'].attrs['dtype']) and 'nats' in str(s['lp'].attrs['units'])\n"
               "W1, b1, lp = p['W1'][:], p['b1'][:], s['lp'][:]\n"
               "depth, diverging, y, x = s['tree_depth'][:], s['diverging'][:], o['y'][:], o['x'][:]\n" CHECKS
               "same(p['draw'][:], np.arange(10))\n");
}

/* What az.from_netcdf() does: the groups by either library, each a data set of xarray. */
static void as_arviz(void **state)
{
    write_file(*state);
    run_python("import importlib.util, sys\n"
               "try:\n"
               "    import numpy as np, xarray as xr\n"
               "except ImportError: sys.exit(77)\n"
               "engines = [e for e, m in (('netcdf4', 'netCDF4'), ('h5netcdf', 'h5netcdf'))\n"
               "           if importlib.util.find_spec(m)]\n"
               "if not engines: sys.exit(77)\n"
               "for engine in engines:\n"
               "    xr.load_dataset(sys.argv[1], engine=engine)\n"
               "    if engine == 'netcdf4':\n"
               "        import netCDF4\n"
               "        with netCDF4.Dataset(sys.argv[1]) as file: groups = list(file.groups)\n"
               "        assert groups == ['posterior', 'sample_stats', 'observed_data'], groups\n"
               "    p, s, o = (xr.load_dataset(sys.argv[1], group=g, engine=engine)\n"
               "               for g in ('posterior', 'sample_stats', 'observed_data'))\n"
               "    assert p.W1.dims == ('chain', 'draw', 'unit', 'input') and p.b1.dims == ('chain', 'draw', 'unit')\n"
               "    assert set(s.data_vars) == {'lp', 'tree_depth', 'diverging'} and set(o.coords) == {'x'}\n"
               "    assert s.diverging.dtype == bool and s.lp.units == 'nats'\n"
               "    assert p.inference_library == 'linnet'\n"
               "    W1, b1, lp, depth = p.W1.values, p.b1.values, s.lp.values, s.tree_depth.values\n"
               "    diverging, y, x = s.diverging.values, o.y.values, o.x.values\n"
               "    exec('''" CHECKS "''')\n");
}

static void check_refused(lnt_ctx *ctx, const lnt_arviz_variable *v, int count, const char *part)
{
    lnt_text image = {0};
    check_failure(ctx, lnt_store_arviz(ctx, &image, v, count), LNT_EINVAL, part);
    assert_int_equal(image.n, 0);
}

static void refusals(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_arviz_variable v[MOST];
    lnt_arviz_dim other = {"draw", DRAWS + 1, NULL}, none = {"none", 0, NULL}, bad = {"a b", 1, NULL};
    int n = make_file(v);
    check_refused(ctx, v, 0, "0 variables");
    v[1].name = "W1";
    check_refused(ctx, v, n, "W1 and W1 of posterior");
    v[1].name = "draw";
    check_refused(ctx, v, n, "of posterior use a name");
    const char *const names[] = {"", "a/b", "..", NULL};
    for (int i = 0; i < 4; i++) {
        v[1].name = names[i];
        check_refused(ctx, v, n, "is no name");
    }
    make_file(v);
    v[2].group = "";
    check_refused(ctx, v, n, "is no name");
    const lnt_arviz_dim *const dims[] = {&other, &none, &bad, &chain};
    const char *const parts[] = {"use a name", "length 0", "dimension 1", "use a name"};
    for (int i = 0; i < 4; i++) {
        make_file(v);
        v[1].dim[1] = dims[i];
        check_refused(ctx, v, n, parts[i]);
    }
    make_file(v);
    v[0].rank = 5;
    check_refused(ctx, v, n, "rank 5");
    v[0].rank = 4, v[0].stride = 5;
    check_refused(ctx, v, n, "stride 5");
}

static lnt_status store(lnt_ctx *ctx, void *user)
{
    (void)user;
    lnt_arviz_variable v[MOST];
    lnt_text image = {0};
    int n = make_file(v);
    lnt_status status = lnt_store_arviz(ctx, &image, v, n);
    lnt_text_free(&image);
    return status;
}

static void survives(void **state)
{
    (void)state;
    check_allocations(store, NULL, LNT_OK, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_PATH(values),   WITH_CTX(equal_bytes), WITH_PATH(structure),
                                       WITH_PATH(as_arviz), WITH_CTX(refusals),    cmocka_unit_test(survives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
