/* The tables of the commands that fit rows of data: regularisation paths, and how much more data would help. */
#include "commands.h"
#include "learning.h"
#include "regress.h"

/* ---- regress path ---- */

static const char *const methods[] = {"descent", "homotopy", NULL};

#define OPTS lnt_regress_path_opts
const lnt_option lnt_regress_path_options[] = {
    DATA_ROWS,
    TEXT("row-weights", row_weights, LNT_OPT_INPUT, "FILE",
         "a weight of at least 0 for each row, of any scale, in the order of the rows (default: equal)"),
    {"target", LNT_OPT_INTEGER, offsetof(OPTS, target), LNT_OPT_AUTO, 0, INT_MAX, "K", NULL,
     "which of several targets to fit, from 0; auto: all for ridge, else the only one"},
    TEXT("penalty", penalty, 0, "KIND", "ridge, lasso, or elastic:ALPHA, ALPHA the share of the lasso"),
    FLAG("intercept", intercept, 0, "fit an intercept, free of penalty; --no-intercept"),
    FLAG("standardize", standardize, 0,
         "penalise the coefficients of features of standard deviation 1; --no-standardize"),
    INTEGER("lambdas", lambdas, 0, 1, 100000,
            "number of penalties, at equal ratios from the least that leaves no feature"),
    REAL("min-ratio", min_ratio, 0, 1, "X",
         "last over first lambda; 0: 1e-6 for ridge, else 0.01 with fewer rows than features, 0.0001 with more"),
    TEXT("lambda", lambda, 0, "X,X,...", "or the penalties themselves"),
    CHOICE("method", method, methods,
           "coordinate descent, or for the lasso the exact path, which is linear between its knots"),
    REAL("gap", gap, 1e-16, 1, "X", "duality gap to reach at every lambda, relative to the objective without features"),
    INTEGER("max-epochs", max_epochs, 0, 1, INT_MAX, "passes of descent at most, for each lambda"),
    INTEGER("cv", cv, 0, 0, 1000000, "folds of cross-validation; 0: none"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_regress_path_examples[] = {
    "linnet regress path --inputs X.csv --targets y.csv --penalty elastic:0.5 --cv 10 --out p",
    "linnet regress path --data digits --target 3 --penalty lasso --cv 10 --csv choices",
    "linnet regress path --data digits --penalty ridge --cv 10 --json", NULL};

const char lnt_regress_path_description[] =
    "Fits ridge, lasso or elastic net at a whole path of penalties, and proves at each how close to optimal the fit "
    "is.\n\n"
    "The objective is 1/(2n) |y - a - X w|^2 + lambda (alpha |w|_1 + (1 - alpha)/2 |w|^2), with alpha 1 for the lasso "
    "and 0 for ridge. By default there is an intercept a without a penalty, and the penalty is on the coefficients of "
    "features of standard deviation 1 (with 1/n); those reported always belong to the features as they were given. "
    "Targets keep their scale.\n\n"
    "The minimum is at most `gap` below the objective `primal` of a row of the table path: that is certain, whatever "
    "the algorithm did. Where a gap is larger than --gap asks for, the exit code is 3.\n\n"
    "Errors are mean squares, summed over several targets. --cv gives lambda.min, where the cross-validated error is "
    "least, and lambda.1se, the largest lambda within one standard error of it. Ridge has leave-one-out and GCV for "
    "every lambda too, without refitting; the lasso has GCV, with its number of coefficients as degrees of freedom.\n\n"
    "With --out, result.h5 holds /path/lambda, /path/coefficients (lambdas, features) and /path/intercept, for several "
    "targets with a last axis of targets; linnet apply predicts new rows from it.";

/* ---- regress learning ---- */

static const char *const penalties[] = {"ridge", NULL};

#define OPTS lnt_regress_learning_opts
const lnt_option lnt_regress_learning_options[] = {
    DATA_ROWS,
    {"target", LNT_OPT_INTEGER, offsetof(OPTS, target), LNT_OPT_AUTO, 0, INT_MAX, "K", NULL,
     "which of several targets to fit, from 0; auto: all"},
    CHOICE("penalty", penalty, penalties, "what is added to the training loss"),
    FLAG("intercept", intercept, 0, "fit an intercept, free of penalty; --no-intercept"),
    FLAG("standardize", standardize, 0,
         "penalise the coefficients of features of standard deviation 1 over all rows; --no-standardize"),
    AUTO("lambda", lambda, 0, 1e300, "X", "ridge, X/2 |w|^2; auto: at each number of rows the best one predicted"),
    {"sizes", LNT_OPT_INTEGERS, offsetof(OPTS, sizes), 0, 2, 1e9, "N,N,...", NULL,
     "numbers of rows to train on (default: eight, up to nine tenths of the rows)"},
    INTEGER("draws", draws, 0, 1, 100000, "random draws of each number of rows"),
    INTEGER("cv", cv, 0, 0, 1000000, "folds of the cross-validation that is compared; 0: none"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_regress_learning_examples[] = {
    "linnet regress learning --data digits --penalty ridge --out l",
    "linnet regress learning --inputs X.csv --targets y.csv --draws 50 --csv sizes", NULL};

const char lnt_regress_learning_description[] =
    "How much would more data help? Predicts the test error of ridge regression over the number of rows from the "
    "spectrum and the coefficients of the data at hand, up to four times as many rows as there are, and checks it "
    "against fits to random parts of the rows, tested on the others.\n\n"
    "The column predicted needs no estimate of the noise: ridge on n rows sees the data through an effective ridge "
    "kappa, and all rows at a lambda with the same kappa say what the error is (GCV), but for a factor that counts "
    "degrees of freedom. The column omniscient takes all rows for the population, with an estimated noise variance: "
    "both agree where there are many rows a feature, else it is too optimistic.\n\n"
    "The table ridges has the lambda that either recommends for all rows, beside those of leave-one-out and k-fold "
    "cross-validation. Theory is that of rows with many independent features; the deviations say how far the data "
    "are from it.";

DECLARE_COMMAND(regress_path);
DECLARE_COMMAND(regress_learning);
ADAPT(, regress_path)
ADAPT(, regress_learning)
