/* The table of the command sample. */
#include "commands.h"
#include "sampling.h"
#include "weights.h"

static const char *const samplers[] = {"nuts", "hmc", NULL};
static const char *const hypers[] = {"auto", "fixed", "evidence", "sampled", NULL};
static const char *const metrics[] = {"auto", "diag", "dense", NULL};
static const char *const starts[] = {"laplace", "prior", NULL};

#define OPTS lnt_sampling_opts
const lnt_option lnt_sampling_options[] = {
    FLAG("demo", demo, 0, "ready-made networks whose posteriors are known, and one whose rows grow, in place of data"),
    NETWORK_ROWS,
    CHOICE("sampler", sampler, samplers, "nuts: the no-U-turn sampler; hmc: paths of random length"),
    INTEGER("chains", chains, 0, 1, 1000, "Markov chains; four or more tell whether they agree"),
    INTEGER("warmup", warmup, 0, 0, 100000000, "iterations of each chain that adapt it and are not kept"),
    INTEGER("draws", draws, 0, 1, 100000000, "draws of each chain that are kept"),
    INTEGER("thin", thin, 0, 1, 1000000, "iterations for each of them"),
    REAL("target", target, 0.05, 0.999, "A", "mean acceptance that the step size is adapted to; .95 in narrow necks"),
    REAL("step", step, 0, 1e300, "X", "first step size, with --warmup 0 that of all draws; 0: found by doubling"),
    INTEGER("max-depth", max_depth, 0, 1, 20, "of nuts: at most 2^N - 1 steps a draw"),
    INTEGER("max-length", max_length, 0, 1, 1000000, "of hmc: at most N steps a draw"),
    CHOICE(
        "metric", metric, metrics,
        "inverse metric: dense, a full covariance, diag, its diagonal; auto: dense for up to 100 weights of which the "
        "data determine nine tenths, where the posterior is close to normal"),
    FLAG("seed-metric", seed_metric, 0,
         "try Laplace's covariance as the first inverse metric, and keep it if it serves"),
    CHOICE("hyper", hyper, hypers,
           "alpha and the noise. fixed: --alpha (or 1) and --noise-sd; evidence: at Laplace's largest evidence; "
           "sampled: drawn with the weights; auto: evidence, of classes fixed"),
    TEXT("alpha-prior", alpha_prior, 0, "SHAPE,RATE", "of --hyper sampled: Gamma prior of alpha (default 2,2)"),
    TEXT("beta-prior", beta_prior, 0, "SHAPE,RATE",
         "and of the precision of the noise (default 1,V/100, V the variance of the targets)"),
    CHOICE("start", start, starts, "chains start at Laplace's approximation, twice as wide, or in the prior"),
    INTEGER("starts", starts, 0, 1, 1000000, "random starts of the fit that finds the mode"),
    REAL("coverage", coverage, 1e-6, 0.999999, "P", "of the bands of predictions"),
    {"grow", LNT_OPT_INTEGERS, offsetof(OPTS, grow), 0, 2, 1e8, "N,N,...", NULL,
     "also sample with so many of the rows, and say how the distance from Laplace's approximation falls"},
    TEXT("out", out, LNT_OPT_HOW, "DIR",
         "save the results in a folder: draws.log while chains run, draws.nc, result.h5, "
         "figures, run.yaml"),
    TEXT("resume", resume, LNT_OPT_HOW, "DIR", "continue the run that was ended in this folder, with its options"),
    FLAG("force", force, LNT_OPT_HOW, "throw away the draws and results that are in the folder"),
    FLAG("figure", figure, LNT_OPT_HOW, "draw the figures"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_sampling_examples[] = {
    "linnet sample --demo --out s",
    "linnet sample --inputs x.csv --targets y.csv --hidden 20 --chains 4 --warmup 1000 --draws 1000 --out t",
    "linnet sample --resume t", "linnet sample --data digits --classes 0,1 --pca 5 --hidden 3 --split 0.2 --json",
    NULL};

const char lnt_sampling_description[] =
    "Draws the weights of a layered network, with biases, from their posterior by Hamiltonian Monte Carlo, says "
    "whether "
    "the draws can be trusted, predicts from them, and puts Laplace's approximation beside them: both sides of every "
    "prediction come out of one command.\n\n"
    "A fit from many starts finds the mode and Laplace's approximation N(w*, A^-1); chains start from draws of it, "
    "twice as wide. Its covariance is tried as the first metric and dropped where the unit metric moves further for a "
    "gradient: tables.sampler says which. Prior and likelihood are those of linnet fit. --hyper evidence, the default "
    "of numbers, fixes alpha and the noise where Laplace's evidence is largest; of classes alpha is 1. --hyper sampled "
    "draws log alpha and log beta with the weights, alpha ~ Gamma(2, 2), beta ~ Gamma(1, V/100) with the variance V of "
    "the targets.\n\n"
    "The verdict is on f at chosen points, the log posterior and the hyper-parameters: R-hat below 1.01, bulk and tail "
    "ESS of 100 for each chain, E-BFMI above .3, no divergences, no chain stuck. Chains may sit in different mirror "
    "images of one mode, which makes R-hat of single weights large and says nothing: it is listed, also with the "
    "weights "
    "in standard form, but not judged. Exit code 3: the draws cannot be trusted.\n\n"
    "Bands are those of further data; Laplace's beside them is of the linearised network. A warning says where the two "
    "disagree: by more than half a standard deviation in the mean, or by a factor of 1.25 in the standard deviation. "
    "Rows held out are scored by the log density of the draws' mixture, of Laplace's approximation and of the mode "
    "alone.\n\n"
    "--grow measures the root mean square of (mean of draws - mean of Laplace)/sd over f at the points, on so many "
    "rows, and the exponent of n; -1/2 is expected.\n\n"
    "With --out, draws are on disk after every 100 iterations: Ctrl-C, kill -9 or a full disk loses at most those. "
    "--resume DIR continues with the options, from the files, that the run began with, and ends with the same draws to "
    "the bit. draws.nc opens in ArviZ: az.from_netcdf('DIR/draws.nc'). linnet apply DIR predicts from the draws. "
    "docs/sample.md is the manual.";

ADAPT(, sampling)
