/* The table of the command sample calibrate. */
#include "calibration.h"
#include "commands.h"
#include "weights.h"

#define OPTS lnt_calibrating_opts
const lnt_option lnt_calibrating_options[] = {
    {"hidden", LNT_OPT_INTEGERS, offsetof(OPTS, hidden), 0, 0, 1000, "N,N,...", NULL,
     "units of the hidden layers; 0: none, the model is linear (default 2)"},
    CHOICE("activation", activation, lnt_activation_names, "of the hidden layers; the last layer is linear"),
    INTEGER("inputs-dim", inputs, 0, 1, 1000, "inputs of the network"),
    INTEGER("samples", samples, 0, 1, 100000, "rows of data: inputs N(0, 1), drawn once"),
    REAL("alpha", alpha, 1e-6, 1e6, "X", "precision of the prior, w ~ N(0, 1/X)"),
    REAL("noise-sd", noise_sd, 1e-6, 1e6, "X", "standard deviation of the noise, known"),
    INTEGER("runs", runs, 0, 1, 10000000, "data sets"),
    INTEGER("draws", draws, 0, 1, 100000, "of each posterior that the truth is ranked among"),
    INTEGER("bins", bins, 0, 2, LNT_CALIBRATION_MOST_BINS, "of the histograms of ranks"),
    INTEGER("warmup", warmup, 0, 0, 100000, "iterations of NUTS that adapt"),
    REAL("target", target, 0.01, 0.999, "X", "mean acceptance of NUTS; posteriors with narrow necks need .95"),
    INTEGER("most-thinning", most_thinning, 0, 1, 10000,
            "iterations of NUTS for each draw that is kept, at most; as many as make draws independent"),
    REAL("spread", spread, 1e-3, 1e3, "X",
         "multiply the deviations of Laplace's draws: how wrong a sampler must be to be caught"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_calibrating_examples[] = {"linnet sample calibrate --hidden 2 --runs 1000 --json --out c",
                                                "linnet sample calibrate --hidden 0 --inputs-dim 3",
                                                "linnet sample calibrate --hidden 0 --spread 1.2 --runs 2000", NULL};

const char lnt_calibrating_description[] =
    "Checks samplers of posteriors against the only thing that is known of every posterior: weights that are drawn "
    "from "
    "the prior, w ~ N(0, 1/alpha), with data from them, d = f(w) + noise, are a draw from the posterior given d. Among "
    "draws from it the truth has a uniform rank, whatever the model (Talts et al. 2018). Ranked are f(x*) at a further "
    "input, |w|^2 and the log likelihood, over many data sets; p is that of chi^2 for equally filled bins, and below "
    ".001 "
    "the method is not calibrated.\n\n"
    "nuts: one chain for each data set, from a draw of the prior, independent of the truth, with Laplace's covariance "
    "as "
    "first metric. Autocorrelation would push ranks to the ends, so that draws are kept 2 tau - 1 iterations apart, "
    "tau = "
    "iterations per effective sample of the worst of the three quantities, measured in each run; the chain goes on "
    "until "
    "there are enough.\n\n"
    "laplace: N(w*, A^-1) in the linearised network, A = B'B/noise^2 + alpha, at the highest mode of four searches "
    "from "
    "the prior. Exact for the linear model, where it must pass; of other networks it is an approximation, and its "
    "ranks "
    "say where. precision: the same with A, in place of its inverse, for the covariance, which must fail, unless A is "
    "close to 1: facts, precision.widening, has the mean ratio of the deviations of f(x*).\n\n"
    "A slope says that draws are biased, a hill that they are too wide, full ends that they are too narrow. A right "
    "method "
    "fails each p by chance once in 1000. The exit code is 3 if NUTS fails, or Laplace on the linear model, or if A "
    "passes.\n\n"
    "--json: series histogram (method, quantity; band, where 99 % of the counts of uniform ranks are). With --out, "
    "result.h5 has the ranks, /ranks/METHOD/QUANTITY. Ctrl-C keeps the runs that are finished.";

DECLARE_COMMAND(calibrating);
ADAPT(, calibrating)
