/* The tables of the commands on covariance matching. */
#include "commands.h"
#include "matching.h"

static const char *const prepares[] = {"auto", "zscore", "centre", "none", NULL};
static const char *const presets[] = {"correlated", "sparse", NULL};
static const char *const scales[] = {"sum", "mean", NULL};
static const char *const criteria[] = {"ratio", "r2", NULL};

/* clang-format off */
#define POPULATION_ROWS \
    TEXT("inputs", data.inputs, LNT_OPT_INPUT, "FILE", \
         "X, a row for each cell, a column for each stimulus: NPY, CSV or HDF5 (FILE:DATASET); several trials that are " \
         "fitted together separated by commas"), \
    TEXT("outputs", data.outputs, LNT_OPT_INPUT, "FILE", \
         "Y of other cells, for the same stimuli; as many as there are inputs"), \
    TEXT("target", data.target, LNT_OPT_INPUT, "FILE", \
         "or the covariance S of the outputs over cells, stimuli x stimuli"), \
    CHOICE("target-scale", data.target_scale, scales, \
           "what it is: a sum over cells (scatter matrix), or an average over cells, which is multiplied by N"), \
    TEXT("input-covariance", data.covariance, LNT_OPT_INPUT, "FILE", \
         "in place of the inputs: X'X, summed over cells; then there are no weights of cells"), \
    TEXT("input-mean", data.mean, LNT_OPT_INPUT, "FILE", "with it the mean of each stimulus over cells (default: 0)"), \
    FLAG("demo", data.demo, 0, "or generated populations, three trials of noise"), \
    CHOICE("preset", data.preset, presets, "of the demo: correlated cells, or sparse ones that decorrelate"), \
    INTEGER("cells", data.cells, 0, 0, 1000000, "N, of --input-covariance and of the demo; 0: of the demo 148"), \
    INTEGER("output-cells", data.output_cells, 0, 0, 1000000, "of the demo; 0: 167"), \
    INTEGER("stimuli", data.stimuli, 0, 0, 100000, "M, of the demo; 0: 48"), \
    CHOICE("prepare", data.prepare, prepares, \
           "zscore: each stimulus of X to mean 0 and sd 1 over cells, Y by its overall sd; centre; none; auto: none with " \
           "--target, zscore with --outputs"), \
    FLAG("per-cell", data.per_cell, 0, "X/sqrt(N), Y/sqrt(N_y): averages over cells, where cell counts differ")
/* clang-format on */

#define OPTS lnt_matching_opts
const lnt_option lnt_matching_options[] = {
    POPULATION_ROWS,
    CHOICE(
        "method", method, lnt_matching_methods,
        "linear: without the square of W; full: the whole problem, to its global optimum; with a diagonal of its own: "
        "diagonal, overlap, weighted, lateral, diagonal+full; at lambda = 0: min-weight, transport, coral, zca"),
    TEXT("lambda", lambda, 0, "X", "weight of |W|^2: one, several separated by commas, or FIRST:LAST:COUNT"),
    TEXT("lam0", lam0, 0, "X", "the same in the mean form, lambda = lam0 M^2/N^2 (default 1e2:1e11:19)"),
    AUTO("lambda-diagonal", lambda_diagonal, 1e-300, 1e300, "X",
         "penalty of the diagonal, in the sum form; auto: the same as of the weights"),
    FLAG("quadratic", quadratic, 0,
         "diagonal, weighted and lateral with the square of W, by search from several starts"),
    TEXT("reference", reference, LNT_OPT_INPUT, "FILE", "Z0 (N x N) in place of I (linear and full)"),
    TEXT("test-inputs", data.test[0], LNT_OPT_INPUT, "FILE",
         "a further trial of the same cells to choose lambda by: X"),
    TEXT("test-outputs", data.test[1], LNT_OPT_INPUT, "FILE", "and its Y"),
    TEXT("validation-inputs", data.validation[0], LNT_OPT_INPUT, "FILE",
         "a trial that only the result is scored by: X"),
    TEXT("validation-outputs", data.validation[1], LNT_OPT_INPUT, "FILE", "and its Y"),
    INTEGER("cv", cv, 0, -1, 100000,
            "folds of cross-validation over stimuli; 0: none; -1: 6 where neither lambda nor a test trial is given"),
    TEXT("classes", classes, LNT_OPT_INPUT, "FILE",
         "a whole number for each stimulus: equal ones are held out together"),
    CHOICE("choose", choose, criteria,
           "lambda by the least error relative to that of no change, or by the largest R^2"),
    INTEGER("rank", rank, 0, 0, 1000000, "reduce W to this rank; 0: leave it"),
    INTEGER("starts", starts, 0, 1, 1000, "of the searches, where there is no certain way"),
    REAL("tolerance", tolerance, 1e-15, 1, "X", "gap of the full problem, relative to the loss, that is asked for"),
    TEXT("weights-out", weights_out, LNT_OPT_HOW | LNT_OPT_WEIGHTS, "FILE",
         "write W = Z - I to this file: .npy, .csv, else HDF5"),
    {"seed", LNT_OPT_SEED, offsetof(OPTS, data.seed), 0, 0, 0, "N", NULL, "key of all random streams"},
    THREADS,
    END};
#undef OPTS

const char *const lnt_matching_examples[] = {
    "linnet match --demo --out m",
    "linnet match --inputs X.csv --outputs Y.csv --cv 6 --json",
    "linnet match --inputs X.npy --target S.npy --lambda 5 --weights-out W.npy",
    "linnet match --inputs X.npy --target S.npy --lambda 5 --lambda-diagonal 0.5 --method overlap",
    "linnet match --inputs X.npy --target S.npy --lambda 0 --method transport",
    NULL};

const char lnt_matching_description[] =
    "Finds the least change of one-to-one wiring, Z = I + W, that gives one population of cells the covariance of "
    "another: W minimises 1/2 |S - C(Z)|^2 + lambda/2 |W|^2, with C(Z) = X'Z'JZX the covariance over cells of what Z "
    "makes of the inputs, J the projection that subtracts the mean over cells, and S = Y'JY. The cells of X and Y need "
    "not be paired, nor equally many; stimuli must be the same.\n\n"
    "The full problem is not convex, but it is solved to its global optimum, with a proof: certificate.gap is how far "
    "the loss can at most be above the least one, relative to it. Where 1 lies in the span of the inputs this may "
    "fail, and the record says so. The linear model leaves out the square of W; eta estimates its relative error. Use "
    "it where eta < 0.05, never where its radius is above 0.3.\n\n"
    "lambda belongs to this sum over entries, lam0 to means: 1/2 mean (S - C)^2 + lam0/2 mean W^2, so that lambda = "
    "lam0 M^2/N^2. Both are in every table. Lambda is chosen by a test trial, else by stimuli held out; ratio is the "
    "squared error over that of no change, there.\n\n"
    "R^2 is about the mean target: of the trial that was fitted for the upper triangle, of another trial t for all "
    "entries of Y_1'JY_t against (Z X_1)'J(Z X_t).\n\n"
    "With --out, result.h5 holds W as /weights (N x N, row i: into cell i), the representer B with W = JXBX', and "
    "everything that --json prints; `linnet apply DIR --inputs NEW.npy --out ZX.npy` applies Z to new stimuli. "
    "docs/match.md explains it from raw arrays to the figures.";

/* ---- match dynamics ---- */

#define OPTS lnt_matching_flow_opts
const lnt_option lnt_matching_flow_options[] = {
    POPULATION_ROWS,
    REAL("lambda", lambda, 0, 1e300, "X", "of the flow of the inputs as they are"),
    INTEGER("modes", modes, 0, 1, 20, "eigenvectors of the target that are followed"),
    INTEGER("times", times, 0, 2, 10000, "output times, at equal ratios"),
    {"seed", LNT_OPT_SEED, offsetof(OPTS, data.seed), 0, 0, 0, "N", NULL, "key of all random streams"},
    THREADS,
    END};
#undef OPTS

const char *const lnt_matching_flow_examples[] = {
    "linnet match dynamics --demo --stimuli 12 --out d",
    "linnet match dynamics --inputs X.npy --outputs Y.npy --lambda 1e4 --json", NULL};

const char lnt_matching_flow_description[] =
    "How the wiring learns: gradient flow dZ/dt = -dL/dZ from Z = I, in closed form and by integration, compared.\n\n"
    "Whitened inputs, no penalty: dC/dt = 2 (SC + CS) - 4 C^2, a matrix Riccati equation. From Z = I the eigenvectors "
    "of the target S stay apart, and each c follows a logistic curve, c(t) = s/(1 + (s - 1) exp(-4 s t)): large ones "
    "first. S is scaled to a mean eigenvalue of 1.\n\n"
    "Inputs as they are, with --lambda: the loss of the full problem along its flow, and of the linear model, whose "
    "weights relax as exp(-(4 s_i s_j + lambda) t), with s_i the eigenvalues of X'X. Where the two part, the square "
    "of W matters.";

DECLARE_COMMAND(matching);
ADAPT(, matching)
DECLARE_COMMAND(matching_flow);
ADAPT(, matching_flow)
