/* The table of the command fit. */
#include "commands.h"
#include "fitting.h"
#include "weights.h"

static const char *const methods[] = {"lm", "gauss-newton", "line-search", "lbfgs", "naive", NULL};
static const char *const solvers[] = {"auto", "qr", "cholesky", "dual", "svd", "lsmr", "normal", "pinv", "ridge", NULL};
static const char *const starts[] = {"auto", "random", "fan-in", "nguyen", "zero", "optimum", NULL};
static const char *const scalings[] = {"auto", "identity", "more", NULL};

#define OPTS lnt_fitting_opts
const lnt_option lnt_fitting_options[] = {
    FLAG("demo", demo, 0, "the ready-made problems, all methods side by side, in place of data"),
    INTEGER("draws", draws, 0, 1, 1000, "of the demo: draws of the noise"),
    NETWORK_ROWS,
    {"sizes", LNT_OPT_INTEGERS, offsetof(OPTS, sizes), 0, 0, 1e6, "N,N,...", NULL,
     "compare networks with one hidden layer of so many units, by their evidence and on rows held out; 0: linear"},
    CHOICE(
        "method", method, methods,
        "lm: Levenberg-Marquardt with geodesic acceleration; gauss-newton; line-search: Gauss-Newton with one; lbfgs; "
        "naive: the iteration w <- B^+ d, which drops f - B w, for study"),
    CHOICE("solver", solver, solvers, "of a step: auto, qr, cholesky, dual, svd, lsmr; of naive normal, pinv, ridge"),
    CHOICE("start", start, starts,
           "random: N(0, 1); fan-in: N(0, 1/inputs of the unit); nguyen: by the range of the inputs; zero; optimum: of "
           "naive, from what lm finds; auto: nguyen, of naive random"),
    INTEGER("starts", starts, LNT_OPT_AUTO, 1, 1000000, "random starts; auto: 10, of naive 1, of the demo 40"),
    INTEGER("iterations", iterations, LNT_OPT_AUTO, 0, 100000000, "most steps of a fit; auto: 600, of naive 2000"),
    REAL("tau", tau, 1e-300, 1e300, "X", "of lm: the first damping over the largest squared norm of a column of B"),
    FLAG("acceleration", acceleration, 0, "of lm"),
    CHOICE(
        "scaling", scaling, scalings,
        "of the damping: identity; more: by the largest norms of the columns of B; auto: more where the inputs are 30 "
        "times larger or smaller than 1"),
    FLAG("projection", projection, 0, "variable projection: solve for the last layer exactly in every step"),
    FLAG("evidence", evidence, 0, "re-estimate alpha, and the noise where it is not known, from the evidence"),
    REAL("coverage", coverage, 1e-6, 0.999999, "P", "of the bands of predictions"),
    REAL("mu", mu, 1e-300, 1e300, "X", "of naive: the ridge of --solver ridge"),
    REAL("rcond", rcond, 0, 1, "X", "of naive: singular values below this share of the largest count as 0 in pinv"),
    TEXT("weights-out", weights_out, LNT_OPT_HOW | LNT_OPT_WEIGHTS, "FILE", "write the weights to this HDF5 file"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_fitting_examples[] = {
    "linnet fit --inputs x.csv --targets y.csv --hidden 20 --starts 20 --evidence --out g",
    "linnet fit --inputs A.npy --targets d.npy --hidden 0 --noise-sd 1 --json",
    "linnet fit --data digits --classes 0,1 --hidden 10 --split 0.2 --json",
    "linnet fit --inputs x.csv --targets y.csv --sizes 1,2,3,4,8 --evidence --csv sizes",
    "linnet fit --demo --out f",
    NULL};

const char lnt_fitting_description[] =
    "Fits the weights of a layered network, with biases, as the unknowns of an inverse problem: the best of many "
    "starts, with a certificate, error bars of the weights and bands of the predictions.\n\n"
    "Gaussian targets: SSE + alpha/beta |w|^2 is minimised, SSE the squared residuals in units of the noise where that "
    "is known, beta the precision of the noise where it is not. Without --alpha and --evidence there is no prior: the "
    "weights have the covariance (B'B)^-1, B the Jacobian in units of the noise, times s^2 = SSE/(n - k) where it is "
    "not known. With --alpha the noise, where not known, comes from the evidence; with --evidence alpha too, wherever "
    "it is not given (MacKay 1992): the covariance is then (beta B'B + alpha I)^-1.\n\n"
    "--hidden 0 is the linear inverse problem d = A x + noise, without intercept unless --bias asks for one, solved "
    "exactly: x = (A'C^-1 A)^-1 A'C^-1 d with covariance (A'C^-1 A)^-1.\n\n"
    "Classes: the log posterior is maximised, by damped Newton steps, with alpha = 1 where neither --alpha nor "
    "--evidence says otherwise; --alpha 0 means 1e-8. Probabilities are averaged over the posterior. Where classes are "
    "separable there is no fit without a prior, and a warning says so.\n\n"
    "Bands are those of further data: of the network linearised at the fit, and the noise, with a t distribution of "
    "`freedom` = n - rank degrees, with a prior n - gamma, where the noise was estimated. log_evidence is that of one "
    "minimum; log_symmetries counts its mirror images, and adding it favours networks that are too large. --sizes "
    "implies --evidence and keeps the size of the largest log_evidence.\n\n"
    "The certificate: cosine, the largest cosine of the residual with a column of B, 0 at a stationary point; rank and "
    "condition of B in scaled columns; offset, what is left of the gradient in units of the noise; the least "
    "eigenvalue of half the Hessian, below 0 at a saddle; the spectral radius of Gauss-Newton's error, below 1 where "
    "it converges. The exit code is 3 if the best start is not at its end.\n\n"
    "--method naive, for study, iterates w <- B^+ d, which drops f - B w: the facts `cycle` have its status, its "
    "period and the SSE at its points, the lowest first, beside the lowest SSE on the path and that of the best "
    "constant. 0/1 targets get a logistic output there, unless --likelihood gaussian says otherwise. --start optimum "
    "begins at a fit, and compares the first step with the formula for it. --demo has all methods side by side on four "
    "problems, and what else the manual says of that iteration.\n\n"
    "With --out, result.h5 holds /weights/1, ... (out, in), /biases/1, ..., /posterior/covariance in the order of "
    "table weights, and everything that --json prints; linnet apply DIR --inputs NEW.csv --out FILE predicts from it, "
    "with bands. docs/fit.md is the manual.";

ADAPT(, fitting)
