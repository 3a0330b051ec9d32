/* The tables of the commands on learning curves. */
#include "commands.h"
#include "curves.h"

/* ---- regress curves ---- */

static const char *const methods[] = {"spectral", "iterate", "both", NULL};
static const char *const times[] = {"epochs", "flow", NULL};
static const char *const hypers[] = {"data", "asymptotic", NULL};
static const char *const penalties[] = {"none", "ridge", "lasso", NULL};

#define OPTS lnt_curves_opts
const lnt_option lnt_curves_options[] = {
    INTEGER("features", features, 0, 1, 100000, "D, inputs of the teacher and of the student"),
    INTEGER("samples", samples, 0, 1, 1000000, "n, of each data set; q = n/D"),
    INTEGER("runs", runs, 0, 1, 100000, "data sets; teacher and start stay the same"),
    INTEGER("epochs", epochs, 0, 0, 1000000, "steps over all samples"),
    TEXT("arms", arms, 0, "ARM,...",
         "plain, ridge, lasso or elastic, each alone or with +momentum or +sgd (minibatches); lasso and elastic also "
         "with +outer, +naive (momentum with other thresholds) or +fista"),
    TEXT("teacher", teacher, 0, "KIND", "dense, sparse:K (the first K weights are not 0), or zero"),
    REAL("teacher-norm", teacher_norm, 0, 1e50, "X", "|T|"),
    AUTO("init-norm", init_norm, 0, 1e50, "X", "E|S0|^2 of the start; auto: 1/q"),
    REAL("noise", noise, 0, 1e50, "SD", "standard deviation of the noise on y"),
    TEXT("spectrum", spectrum, 0, "power:A|FILE",
         "population variances of the features: i^-A, scaled to mean 1, or one number each from a file (default: all "
         "1)"),
    CHOICE("hyper", hyper, hypers,
           "automatic hyper-parameters from the extreme eigenvalues of each data set, or of infinitely large ones"),
    AUTO("lr", lr, 1e-300, 1e300, "X",
         "learning rate of plain and ridge arms; auto: the fastest, with a given momentum (1 + momentum)/(largest "
         "eigenvalue + lambda), of +sgd (1 - momentum)/(1 + (D + 1)/batch)"),
    AUTO("momentum", momentum, 0, 0.999999, "BETA", "heavy-ball momentum; auto: the fastest"),
    AUTO("lambda", lambda, 0, 1e300, "X",
         "ridge, penalty X/2 |w|^2; auto: lambda_R, with which ridge is as fast as plain"),
    REAL("lasso-lambda", lasso_lambda, 0, 1e300, "X", "penalty X |w|_1 of lasso and elastic"),
    AUTO("lasso-lr", lasso_lr, 1e-300, 1e300, "X",
         "their learning rate; auto: 1/(largest eigenvalue + lambda), with +outer (1 - momentum) times that"),
    INTEGER("batch", batch, 0, 1, INT_MAX, "samples per step of +sgd"),
    CHOICE("time", time, times,
           "discrete steps, or gradient flow (plain and ridge), epoch k standing for the time k lr"),
    CHOICE("method", method, methods,
           "plain and ridge from the spectrum, every epoch in closed form; iterated; or both, compared"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_curves_examples[] = {
    "linnet regress curves --features 1000 --samples 700 --runs 100 --epochs 200 --out c",
    "linnet regress curves --teacher sparse:400 --arms plain,ridge,lasso --epochs 500 --runs 10 --json",
    "linnet regress curves --samples 1500 --noise 0.5 --arms plain --time flow --epochs 100 --csv arms", NULL};

const char lnt_curves_description[] =
    "Learning curves of linear regression on random data, y = T'x + noise: a student S learns from n samples of D "
    "features by gradient descent, plain or with penalties, and every curve has its random-matrix prediction beside "
    "it.\n\n"
    "Losses: loss_gen = |S - T|^2/2 (with --spectrum sum_i c_i (S_i - T_i)^2/2), loss_train = |y - X'S|^2/(2n). Theory "
    "is that of infinitely large data sets of the same q = n/D, with the |S0|^2 and S0.T of this start, the mean "
    "lambda of the data sets and the fastest lr and momentum for it; its band is the standard deviation of single data "
    "sets. Of the lasso it is where learning ends (state evolution), which the optimum, found to a certified gap, is "
    "compared with.\n\n"
    "A learning rate is stable below 2 (1 + momentum)/(largest eigenvalue + lambda). The asymptotic one diverges on "
    "some data sets, whose largest eigenvalue lies beyond the asymptotic edge; a warning says on how many.\n\n"
    "A threshold after a step with momentum must be lr l1/(1 - momentum): +momentum does that. +naive thresholds by "
    "lr l1, which solves for l1 (1 - momentum) instead; +outer adds the momentum to the point, not to the gradient.";

/* ---- regress theory ---- */

#define OPTS lnt_regress_theory_opts
const lnt_option lnt_regress_theory_options[] = {
    REAL("q", q, 1e-9, 1e9, "X", "samples a feature, n/D"),
    CHOICE("penalty", penalty, penalties, "what is added to the training loss"),
    AUTO("lambda", lambda, 0, 1e300, "X", "X/2 |w|^2 or X |w|_1; auto: lambda_R for ridge"),
    INTEGER("features", features, 0, 1, 1000000000, "D: the scale of lambda for the lasso, the width of bands"),
    REAL("density", density, 0, 1, "F", "share of the teacher's weights that is not 0 (lasso)"),
    REAL("teacher-norm", teacher_norm, 0, 1e50, "X", "|T|"),
    AUTO("start-norm2", start_norm2, 0, 1e50, "X", "|S0|^2; auto: 1/q"),
    REAL("overlap", overlap, -1e50, 1e50, "X", "S0.T"),
    REAL("noise", noise, 0, 1e50, "SD", "standard deviation of the noise on y"),
    TEXT("spectrum", spectrum, 0, "power:A|FILE",
         "population variances of the features, as for regress curves (ridge or no penalty)"),
    TEXT("teacher", teacher, LNT_OPT_INPUT, "FILE", "teacher's coefficients along them (default: all equal)"),
    INTEGER("epochs", epochs, 0, 0, 1000000, "of the learning curves"),
    THREADS,
    END};
#undef OPTS

const char *const lnt_regress_theory_examples[] = {
    "linnet regress theory --q 0.7 --penalty lasso --lambda 1.2e-3 --features 1000 --density 0.4",
    "linnet regress theory --q 1.5 --noise 0.5 --start-norm2 0.01 --csv lambdas",
    "linnet regress theory --q 0.5 --penalty ridge --lambda 0.01 --spectrum power:1 --features 500 --json", NULL};

const char lnt_regress_theory_description[] =
    "What random-matrix theory says about linear regression, without data: where plain descent, ridge and lasso end, "
    "how fast they get there with their fastest steps, when to stop, which lambda is best, and whether a sparse "
    "teacher can be recovered exactly.\n\n"
    "Theory is that of infinitely many features; --features sets what lambda |w|_1 means (its weights are of size "
    "1/sqrt(D)) and the width of the bands. loss_gen excludes the noise, loss_train includes it. A lambda that is "
    "best is best among those of the table lambdas; best_ridge is exact, for S0 of any size. best_time is - (null) "
    "where no time is better than the end.";

ADAPT(, curves)
ADAPT(, regress_theory)
