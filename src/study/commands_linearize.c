/* The table of the command on linearised training. */
#include "commands.h"
#include "linearizing.h"
#include "weights.h"

static const char *const rules[] = {"flow", "descent", NULL};
static const char *const likelihoods[] = {"gaussian", "bernoulli", "categorical", NULL};

#define OPTS lnt_linearizing_opts
const lnt_option lnt_linearizing_options[] = {
    {"widths", LNT_OPT_INTEGERS, offsetof(OPTS, widths), 0, 1, 65535, "N,N,...", NULL,
     "units of the hidden layers: a network for each"},
    INTEGER("depth", depth, 0, 1, 100, "hidden layers"),
    CHOICE("activation", activation, lnt_activation_names, "of the hidden layers"),
    REAL("bias-scale", bias_scale, 0, 1e6, "X", "factor of the biases; 0: none"),
    TEXT("time", time, 0, "X,X,...",
         "when the two are compared: after so many steps; of the flow times in units of that step"),
    CHOICE("rule", rule, rules, "of training: gradient flow, or plain descent on all rows"),
    REAL("eta", eta, 1e-300, 1e6, "X", "step in units of 1/lam_max: descent is stable below 2"),
    REAL("momentum", momentum, 0, 0.999999, "X", "heavy ball, of descent"),
    REAL("pull", pull, 0, 1e300, "X", "m of the term m/2 |W - W0|^2, which pulls back to the start"),
    CHOICE("likelihood", likelihood, likelihoods,
           "loss: 1/2 sum of squares; or -log probability of 0 and 1, or of classes, whose logits the outputs are"),
    DATA_ROWS,
    {"rows", LNT_OPT_INTEGER, offsetof(OPTS, rows), LNT_OPT_AUTO, 0, INT_MAX, "N", NULL,
     "use the first N rows to train on; 0: all; auto: 30 of a built-in task, all of other data"},
    {"test-rows", LNT_OPT_INTEGER, offsetof(OPTS, test_rows), LNT_OPT_AUTO, 0, INT_MAX, "N", NULL,
     "use N of the rows held out, or else of those left over, to test; 0: all; auto: 20 of a built-in task, all of "
     "other data"},
    INTEGER("runs", runs, 0, 1, 10000, "starts of each width"),
    INTEGER("points", points, 0, 2, 10000, "of the curves, at equal ratios of time"),
    INTEGER("modes", modes, 0, 0, 100000, "of the kernel, listed for each width"),
    REAL("memory", memory, 1e-6, 1e6, "GB", "that kernels may take: 48 n^2 bytes for each thread, n outputs"),
    TEXT("kernel-out", kernel_out, LNT_OPT_HOW | LNT_OPT_WEIGHTS, "FILE",
         "write the kernel of the last width at its first start to this file: .npy, .csv, else HDF5"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_linearizing_examples[] = {
    "linnet linearize --out l", "linnet linearize --widths 32,64,128,256,512 --task teacher --time 100 --json --out l",
    "linnet linearize --data digits --rows 200 --likelihood categorical --widths 64,256 --time 10,100 --runs 2",
    "linnet linearize --inputs X.csv --targets y.csv --split 0.2 --widths 256 --kernel-out Theta.npy", NULL};

const char lnt_linearizing_description[] =
    "How far a network of finite width is from the linear model that it is in the limit of infinite width. Networks of "
    "several widths are trained from random starts W0, and beside each the network linearised there, f(W0) + B (W - "
    "W0), whose training has a closed form: with the neural tangent kernel Theta = B B' = U diag(lam) U' and c = U'(d "
    "- f0) its outputs are f(t) = f0 + U (lam phi) c, phi = (1 - exp(-lam t))/lam for the flow. The kernel is computed "
    "layer by layer, without B.\n\n"
    "Table widths: root mean square differences of the outputs at training and test rows, at each width and time, "
    "means over the runs; how far kernel and weights have moved. Table laws: deviation = constant width^exponent, with "
    "the standard error of the exponent over runs. Single widths scatter severalfold. Table modes: lam, what they have "
    "to learn, |c|, and when they have learned all but 1/e of it. Deviations are what they are called, not errors: a "
    "network that moves far from its start is another model.\n\n"
    "Weights are N(0, 1) with layers scaled by 1/sqrt(inputs of the layer), so that one step size suits all widths: "
    "--eta is in units of 1/lam_max of each kernel, and times are counted in these steps, for the flow too. Without "
    "data the task is `sphere`: 4 inputs on a sphere of radius 2, target x_2 sin x_1, 30 rows and 20 to test.\n\n"
    "With a likelihood of classes the linearised network is integrated, n equations; its modes have no times of their "
    "own.";

DECLARE_COMMAND(linearizing);
ADAPT(, linearizing)
