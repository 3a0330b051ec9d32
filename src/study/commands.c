/* The command table: for each command its options, examples, defaults and study. */
#include "commands.h"
#include "complete.h"
#include "experiment.h"
#include "linnet/study_fit.h"
#include "linnet/study_linearize.h"
#include "linnet/study_sample.h"
#include "linnet/version.h"
#include "modes.h"
#include "train.h"

const char *lnt_version(void)
{
    return LNT_VERSION;
}

static const char *const optimizers[] = {"sgd", "gd", "adam", NULL};
static const char *const spaces[] = {"samples", "covariance", NULL};
static const char *const parts[] = {"both", "fit", "competition", NULL};
static const char *const losses[] = {"half", "sum", "mean", NULL};
static const char *const experiments[] = {"none", "two-layer", "nonlinear", "toy", "attention", NULL};

/* ---- train ---- */

#define OPTS lnt_train_opts
const lnt_option lnt_train_options[] = {
    TASK_ROWS,
    CHOICE(
        "experiment", experiment, experiments,
        "a ready-made task with several penalties to compare; takes --epochs, --seeds, --seed, two-layer and nonlinear "
        "also --layers INPUTS,HIDDEN,1 and --samples"),
    INTEGER("samples", samples, 0, 0, 10000000, "of an experiment; 0: as published"),
    {"layers", LNT_OPT_INTEGERS, offsetof(OPTS, layers), 0, 1, 1e6, "N,N,...", NULL,
     "widths from inputs to outputs; 8x3 stands for 8,8,8 (default inputs,outputs,outputs)"},
    CHOICE("activation", activation, lnt_activation_names, "of the hidden layers; the last layer is linear"),
    TEXT(
        "init", init, 0, "START",
        "orthogonal (Haar), unit-rows, gaussian:SD, aligned:A0,B0 (strengths of the layers along the task's modes), or "
        "balanced:LAMBDA[,SIGMA] (W2'W2 - W1 W1' = LAMBDA I, product SIGMA)"),
    TEXT("weights-in", weights_in, LNT_OPT_INPUT, "FILE",
         "start from the weights in this HDF5 file, /weights/1, ... as --weights-out and result.h5 have them"),
    TEXT("weights-out", weights_out, LNT_OPT_HOW | LNT_OPT_WEIGHTS, "FILE",
         "write the final weights to this HDF5 file"),
    CHOICE("optimizer", optimizer, optimizers, "minibatch descent, full-batch descent, or minibatch Adam"),
    CHOICE(
        "space", space, spaces,
        "gradients from the rows, or from their covariances: full batch, at a cost independent of the number of rows"),
    CHOICE(
        "loss", loss, losses,
        "half: 1/2 mean over rows of the summed squared error, sum: without the 1/2, mean: averaged over outputs too"),
    REAL("lr", lr, 1e-300, 1e300, "X", "learning rate, multiplies the gradient of that loss"),
    INTEGER("batch", batch, 0, 1, INT_MAX, "rows per step of sgd"),
    INTEGER("rows-per-epoch", rows_per_epoch, 0, 0, INT_MAX, "rows of an epoch; 0: all"),
    FLAG("shuffle", shuffle, 0, "draw a new order of the rows every epoch"),
    INTEGER("epochs", epochs, LNT_OPT_AUTO, 0, 100000000,
            "passes over the rows; auto: 20, of an experiment as published"),
    REAL("momentum", momentum, 0, 0.999999, "BETA",
         "heavy-ball momentum of sgd and gd; t counts 1/(1-BETA) for each step"),
    REAL("weight-decay", weight_decay, 0, 1e300, "X", "penalty X/2 |w|^2 on all weights"),
    REAL("l1", l1, 0, 1e300, "X",
         "penalty X |w|_1 on all weights, by proximal steps with the threshold each rule needs"),
    FLAG("naive-l1", naive_l1, 0, "threshold lr X after any step, as often written; reports what it solves instead"),
    REAL("beta1", beta1, 0, 0.999999, "X", "decay of Adam's mean gradient"),
    REAL("beta2", beta2, 0, 0.999999999, "X", "decay of Adam's mean square"),
    REAL("epsilon", epsilon, 1e-300, 1e300, "X", "added to Adam's root mean square"),
    INTEGER("seeds", seeds, LNT_OPT_AUTO, 1, 100000,
            "number of runs from different starts; auto: 1, of an experiment as published"),
    SEED,
    THREADS,
    END};
#undef OPTS

static const char *const train_examples[] = {
    "linnet train --data digits --whiten 40 --layers 40,20,10 --lr 0.05 --epochs 20 --seeds 4 --out d",
    "linnet train --data mnist --whiten 100 --layers 100,10,10 --loss sum --lr 0.01 --batch 100 --epochs 10 --json",
    "linnet train --inputs X.npy --targets Y.npy --whiten 64 --layers 64,32,8 --optimizer gd --lr 0.1 --epochs 500",
    "linnet train --experiment two-layer --out p", NULL};

static const char train_description[] =
    "Trains a layered network without biases, linear (y = W_L ... W_1 x) unless --activation says otherwise, by "
    "gradient descent, one or several runs at once, and puts the theory of linear networks beside it: the "
    "least-squares optimum on the rows trained on and on all rows, how far the learned map W is from it (C_YX - W "
    "C_XX, where C_YX and C_XX are the covariances of the prepared data), and which assumptions hold.\n\n"
    "Loss and accuracy are over all rows; epoch 0 is before training. eta is the step for the loss 'half' that the "
    "chosen lr amounts to; t = eta times steps is time in units of tau. A shuffled epoch of N rows takes the first N "
    "of a new order of all rows, an unshuffled one always the first N rows of the data. Starts along modes use those "
    "of the rows trained on. --weight-decay and --l1 are added to the chosen loss; certificate.kkt is how far the "
    "weights are from the optimality conditions of the sum.\n\n"
    "Rows held out (--split, --test-inputs) are prepared with the mean and the components of the training rows and "
    "scored beside them as test_loss and test_accuracy; \"all rows\" then means all training rows. With --sigma-yx, "
    "covariances in place of rows, every epoch is one full-batch step.\n\n"
    "--experiment runs a ready-made comparison of penalties in place of a task: two-layer, a linear student of two "
    "layers, and nonlinear, a relu student, each without penalty, with weight decay and with L1; attention, weight "
    "decay on two factors; toy, two pairs of vectors. Penalties, steps and sizes are as published, and stand in table "
    "rules; theory is in the deviations.\n\n"
    "MNIST is looked for in $LINNET_DATA/mnist, then in ~/.local/share/linnet/mnist; script/get-mnist fetches it.\n\n"
    "With --out, result.h5 holds /weights/1, ... each as (out, in), with a leading axis for several runs, the "
    "preparation, and everything that --json prints; `linnet apply` uses it, `linnet run DIR/run.yaml` repeats it.";

/* ---- modes ---- */

#define OPTS lnt_modes_opts
const lnt_option lnt_modes_options[] = {
    TASK_ROWS,
    INTEGER("hidden", hidden, 0, 0, 1000000, "units of one hidden layer; 0: as many as there are modes"),
    {"layers", LNT_OPT_INTEGERS, offsetof(OPTS, layers), 0, 1, 1e6, "N,N,...", NULL,
     "or all widths from inputs to outputs; 8x3 stands for 8,8,8"},
    {"depths", LNT_OPT_INTEGERS, offsetof(OPTS, depths), 0, 1, LNT_MOST_WIDTHS - 1, "N,N,...", NULL,
     "compare networks of these depths (numbers of weight matrices) from equal strengths"},
    TEXT("init", init, 0, "START",
         "gaussian:SD, orthogonal (Haar), unit-rows, aligned:A0,B0, or balanced:LAMBDA[,SIGMA] (default "
         "gaussian:0.001; with --depths aligned)"),
    TEXT("weights-in", weights_in, LNT_OPT_INPUT, "FILE", "start from the weights in this HDF5 file, as for train"),
    TEXT("w1", w1, LNT_OPT_INPUT, "FILE", "start from W1 (hidden x inputs) in this file"),
    TEXT("w2", w2, LNT_OPT_INPUT, "FILE", "and W2 (outputs x hidden) in this one"),
    CHOICE("loss", loss, losses, "half, sum or mean, as for train: eta is lr, 2 lr, or 2 lr / outputs"),
    REAL("lr", lr, 1e-300, 1e300, "X", "learning rate of that loss; tau = 1/eta"),
    REAL("dt", dt, 0, 1e300, "X",
         "Euler step of the descent in t; 1: plain gradient descent with rate eta; 0: 1, or with --depths a tenth of "
         "the largest stable one"),
    REAL("time", time, 0, 1e300, "X", "t at the end; 0: until the modes are learned"),
    TEXT("times", times, 0, "X,X,...", "or the output times themselves"),
    INTEGER("epochs", epochs, 0, 0, 100000000, "or the number of steps of the descent; 0: as --time says"),
    TEXT("method", method, 0, "NAME,...",
         "of closed, riccati, flow, map, descent, separated by commas (default: all that apply)"),
    CHOICE("descend", descend, parts, "let the descent follow one part of the energy alone"),
    INTEGER("item", item, 0, 0, INT_MAX, "follow the prediction for this item (row of the data, from 1), with"),
    INTEGER("feature", feature, 0, 0, INT_MAX, "this feature (output, from 1)"),
    INTEGER("seeds", seeds, 0, 1, 100000, "number of starts"),
    SEED,
    THREADS,
    END};
#undef OPTS

static const char *const modes_examples[] = {
    "linnet modes --task exercise --hidden 16 --init gaussian:0.01 --lr 0.4 --dt 0.1 --time 15 --out m",
    "linnet modes --data digits --whiten 40 --hidden 10 --init orthogonal --loss sum --lr 0.01 --json",
    "linnet modes --sigma-yx S.npy --w1 W1.npy --w2 W2.npy --times 0,1,5,20,200 --method riccati --json", NULL};

static const char modes_description[] =
    "Says which mode of a task a linear network learns when. The modes are those of the data, C_YX = U S V', fixed "
    "once; mode k has the strength m_k = u_k' W v_k in the network's map W, and is learned when m_k reaches its "
    "target: s_k/d_k with d_k = v_k' C_XX v_k, or u_k' C_YX C_XX^+ v_k where the inputs couple the modes. Every method "
    "that applies is run, and they are compared.\n\n"
    "closed: formulas for single modes, exact for starts along the modes, close for small random ones.\n\n"
    "riccati: the whole map of two layers in closed form, for lambda-balanced starts and C_XX = d I.\n\n"
    "flow: integration of the gradient flow tau dW/dt = -dE/dW, for everything.\n\n"
    "map: what gradient descent does to a single mode, step by step; for the starts of closed.\n\n"
    "descent: gradient descent itself, W <- W - eta dt dE/dW. Left out with a warning where it diverges, unless "
    "--method names it.\n\n"
    "E = 1/2 mean |y - W x|^2. Times are in units in which tau = 1/eta; t/tau is beside them. A half-time is the first "
    "t at which a mode has half of its target: 0 if it starts beyond, '-' (null) if it does not get there; of descent "
    "and map linear between steps; over several starts the mean. Between steps, --times takes the nearest one. All "
    "gradients come from covariances, at a cost that does not depend on the number of rows. --sigma-yx alone stands "
    "for white inputs.\n\n"
    "With --out, result.h5 holds the map at every output time in /product/METHOD (times, outputs, inputs), all "
    "strengths in /strengths/METHOD, the modes in /modes, and where descent ran its final weights, with /modes/W1bar "
    "= W1 V and /modes/W2bar = U' W2: all of the first start.";

#define OPTS lnt_phase_opts
const lnt_option lnt_phase_options[] = {
    REAL("s", s, -1e100, 1e100, "X", "strength of the mode, of any sign"),
    REAL("range", range, 0, 1e100, "X", "of a and b; 0: 2.5 sqrt|s|, or 1 for s = 0"),
    REAL("time", time, 0, 1e100, "X", "t/tau at the end of the trajectories; 0: 4/|s|, or for s = 0 20/range^2"),
    THREADS, END};
#undef OPTS

static const char *const phase_examples[] = {"linnet modes phase --s 1.5 --out p",
                                             "linnet modes phase --s -1 --csv fixed_points", NULL};

static const char phase_description[] =
    "The phase portrait of one mode with one hidden unit, tau a' = (s - ab) b, tau b' = (s - ab) a: fixed points with "
    "Jacobian, eigenvalues, eigenvectors and kind, nullclines (the axes and the hyperbola ab = s), separatrix, and ten "
    "trajectories, which run along arcs of constant b^2 - a^2: from all octants, from the separatrix (number 9, the "
    "only one that ends at the origin) and from beyond the hyperbola (number 10).\n\n"
    "At the origin the eigenvalues are s and -s, a saddle. On the hyperbola they are 0 along it and -(a^2 + b^2) "
    "across it: it attracts, slowest where it is nearest to the origin. For s = 0 both axes consist of fixed points "
    "and decay is algebraic. Eigenvalues alone classify neither.";

#define OPTS lnt_isometry_opts
const lnt_option lnt_isometry_options[] = {
    TASK_ROWS,
    INTEGER("depth", depth, 0, 2, LNT_MOST_WIDTHS - 1, "number of weight matrices"),
    INTEGER("width", width, 0, 1, 100000, "units of every hidden layer"),
    REAL("lr", lr, 1e-300, 1e300, "X", "learning rate of the loss averaged over rows and outputs"),
    INTEGER("steps", steps, 0, 1, 100000000, "full-batch steps in covariance space"),
    INTEGER("seeds", seeds, 0, 1, 100000, "starts of each kind"),
    SEED,
    THREADS,
    END};
#undef OPTS

static const char *const isometry_examples[] = {
    "linnet modes isometry --data mnist --whiten 100 --depth 101 --seeds 3 --out i",
    "linnet modes isometry --data digits --whiten 40 --depth 21 --steps 1000 --json", NULL};

static const char isometry_description[] =
    "Trains a very deep linear network from two kinds of start: Haar-orthogonal layers, whose product has singular "
    "values 1, and Gaussian layers with rows of norm 1, whose product has a few large singular values and many that "
    "vanish (Saxe et al. 2014). Says where they end, with an error bar over the seeds.\n\n"
    "The loss is averaged over rows and outputs; the step on E = 1/2 mean |y - f|^2 is 2 lr / outputs.";

/* ---- modes complete ---- */

#define OPTS lnt_complete_opts
const lnt_option lnt_complete_options[] = {
    TEXT("observed", observed, LNT_OPT_INPUT, "FILE",
         "observed entries, a row (row,column,value) each, indices from 0: CSV, NPY or HDF5 (FILE:DATASET)"),
    TEXT("matrix", matrix, LNT_OPT_INPUT, "FILE", "or a matrix"),
    TEXT("mask", mask, LNT_OPT_INPUT, "FILE", "and where it is observed: not 0; its other entries are to test by"),
    FLAG("demo", demo, 0, "or a random matrix of low rank, with noise on the observed entries"),
    INTEGER("rows", rows, 0, 0, 1000000, "rows of the matrix; 0: as --observed has, of the demo 40"),
    INTEGER("columns", columns, 0, 0, 1000000, "columns; 0: as --observed has, of the demo 30"),
    INTEGER("rank", rank, 0, 1, 1000000, "rank of the demo"),
    REAL("share", share, 0, 1, "F", "share of the demo's entries that is observed"),
    REAL("noise", noise, 0, 1e100, "SD", "of its observed entries, whose own is 1"),
    TEXT("truth", truth, LNT_OPT_INPUT, "FILE", "the whole matrix, to test by"),
    REAL("split", split, 0, 0.999, "F", "share of the observed entries, drawn at random, that is held out to test by"),
    {"depths", LNT_OPT_INTEGERS, offsetof(OPTS, depths), 0, 1, 100, "N,N,...", NULL,
     "numbers of layers (default 1,2,3)"},
    REAL("init", init, 1e-12, 1e6, "X",
         "singular values of the start, in units of the largest of the observed matrix: small, so that modes are "
         "learned one after another; smaller takes longer"),
    REAL("time", time, 0, 1e300, "X", "t/tau at the end; 0: until every depth has learned the observed entries"),
    SEED,
    THREADS,
    END};
#undef OPTS

static const char *const complete_examples[] = {
    "linnet modes complete --observed triplets.csv --split 0.1 --json",
    "linnet modes complete --demo --rank 3 --noise 0.1 --depths 1,2,3 --out c",
    "linnet modes complete --matrix T.npy --mask M.npy --depths 2,3,4 --init 1e-4 --csv depths", NULL};

static const char complete_description[] =
    "Learns a matrix from some of its entries: deep matrix factorisation, W = W_N ... W_1, by gradient flow from a "
    "small start at several depths N, beside the matrix of least nuclear norm with the same entries.\n\n"
    "The flow is tau dW/dt = - sum_j (WW')^((N-j)/N) G (W'W)^((j-1)/N), exact for balanced layers, with G = W - T on "
    "the observed entries and 0 elsewhere: E = 1/2 sum of squared errors. The start is W(0) = init s Q, with s the "
    "largest singular value of the observed entries (others as 0) and Q orthonormal, drawn by the seed. tau = 1/eta. "
    "Errors are root mean squares; the best stopping time is that of the least test error. The effective rank is the "
    "exponential of the entropy of the singular values.\n\n"
    "The least nuclear norm comes from proximal singular-value thresholding at a small lambda, certified by a duality "
    "gap (facts, certificate). Effective ranks stand in the table, how far each depth ends from the least nuclear norm "
    "in the deviations.\n\n"
    "Test entries are those of --truth, of --matrix outside the mask, of the demo's matrix before the noise, or those "
    "that --split holds out.";

/* ---- apply ---- */

#define OPTS lnt_apply_opts
static const lnt_option apply_options[] = {
    TEXT("folder", folder, LNT_OPT_POSITIONAL, "DIR",
         "folder of a saved result of linnet train, fit, sample, regress path or match"),
    TEXT("data", data, LNT_OPT_INPUT, "NAME", "rows to apply it to, as for linnet train"),
    TEXT("inputs", inputs, LNT_OPT_INPUT, "FILE",
         "rows to apply it to, a file as for linnet train; prepared like the training rows. Of match, new stimuli: a "
         "column each"),
    TEXT("targets", targets, LNT_OPT_INPUT, "FILE", "their targets, to score the predictions"),
    FLAG("one-hot", one_hot, 0, "the targets are one column of classes 0, 1, ..."),
    TEXT("run", run, 0, "WHICH", "of several runs: mean of their predictions, each, or the number of one, from 0"),
    TEXT("lambda", lambda, 0, "WHICH",
         "of a path: min, 1se, or a number, between penalties by linear interpolation (default: min where it was "
         "cross-validated, else the last)"),
    THREADS,
    END};
#undef OPTS

static const char *const apply_examples[] = {"linnet apply d --inputs new.csv --out predicted.npy",
                                             "linnet apply p --inputs new.csv --lambda 1se --out predicted.csv",
                                             "linnet apply g --inputs new.csv --out bands.csv",
                                             "linnet apply d --data digits --json", NULL};

static const char apply_description[] =
    "Applies a network that linnet train saved, or a path of linnet regress path, to new rows: subtracts the training "
    "rows' mean, projects and scales as they were, and passes them through the network, or through the coefficients "
    "and the intercept at one lambda. Predictions go to --out, as NPY (rows, outputs), with a leading axis for --run "
    "each of several runs, or as CSV if its name ends in .csv.\n\n"
    "Of linnet fit and sample, there from all draws, the columns are the means and then their standard deviations, "
    "without noise; of classes the probabilities, averaged over the posterior. --json has the band of further data "
    "too, and with --targets how many fall into it.\n\n"
    "Of linnet match the inputs are new stimuli, the same cells in rows: they are prepared as the stimuli of the fit "
    "were and become Z X (cells x stimuli). With --targets, outputs for them, the covariances are compared: table "
    "score.";

/* ---- reproduce ---- */

#define OPTS lnt_reproduce_opts
const lnt_option lnt_reproduce_options[] = {
    TEXT("names", names, LNT_OPT_POSITIONAL | LNT_OPT_LIST, "NAME", "experiments to run (default: all)"),
    FLAG("list", list, LNT_OPT_HOW, "list the experiments and stop"),
    FLAG("quick", quick, 0, "smaller sizes, about a minute in all (the default)"),
    FLAG("full", full, 0, "the published sizes"),
    TEXT("out", out, LNT_OPT_HOW, "DIR", "folder of the report"),
    FLAG("force", force, LNT_OPT_HOW,
         "repeat experiments that are finished there, and replace results of other options"),
    FLAG("figure", figure, LNT_OPT_HOW, "draw the figures"),
    SEED,
    THREADS,
    END};
#undef OPTS

static const char *const reproduce_examples[] = {"linnet reproduce --quick --out report",
                                                 "linnet reproduce notebook-digits --full --out report",
                                                 "linnet reproduce --list", NULL};

static const char reproduce_description[] =
    "Runs published experiments, as their source wrote them and as they are right, computes a verdict for each from "
    "the numbers, and writes DIR/index.html with figures and the table of deviations. Experiments whose results are in "
    "DIR already, made with the same options, are kept, so that an interrupted call continues.\n\n"
    "The exit code is 3 if a verdict fails. Experiments whose data is missing are skipped, and listed as such.";

DECLARE_COMMAND(curves);
DECLARE_COMMAND(regress_theory);
DECLARE_COMMAND(regress_path);
DECLARE_COMMAND(regress_learning);
DECLARE_COMMAND(matching);
DECLARE_COMMAND(matching_flow);
DECLARE_COMMAND(calibrating);
DECLARE_COMMAND(linearizing);
ADAPT(static, train)
ADAPT(static, modes)
ADAPT(static, phase)
ADAPT(static, isometry)
ADAPT(static, complete)
ADAPT(static, apply)
ADAPT(static, reproduce)

const lnt_command lnt_commands[] = {
    {"train", "train a layered linear network and compare it with theory", train_description, train_examples,
     lnt_train_options, ADAPTED(train), LNT_OUT_FOLDER, NULL,
     "optimum, rules, arms, runs, pairs, modes, gauges, flow, identity, minima, angles"},
    {"modes", "follow the modes of a task through the learning of a linear network", modes_description, modes_examples,
     lnt_modes_options, ADAPTED(modes), LNT_OUT_FOLDER, NULL, "modes, fixed_points, depths, stopping"},
    {"modes phase", "the phase portrait of one mode", phase_description, phase_examples, lnt_phase_options,
     ADAPTED(phase), LNT_OUT_FOLDER, NULL, "fixed_points, trajectories"},
    {"modes isometry", "very deep networks from orthogonal and from Gaussian starts", isometry_description,
     isometry_examples, lnt_isometry_options, ADAPTED(isometry), LNT_OUT_FOLDER, NULL, "starts"},
    {"modes complete", "complete a matrix from some of its entries by deep factorisation", complete_description,
     complete_examples, lnt_complete_options, ADAPTED(complete), LNT_OUT_FOLDER, NULL, "depths"},
    {"regress curves", "learning curves of plain, ridge and lasso regression, with their theory",
     lnt_curves_description, lnt_curves_examples, lnt_curves_options, ADAPTED(curves), LNT_OUT_FOLDER, NULL,
     "arms, hyperparameters, sparsity"},
    {"regress path", "ridge, lasso and elastic-net paths with certificates and cross-validation",
     lnt_regress_path_description, lnt_regress_path_examples, lnt_regress_path_options, ADAPTED(regress_path),
     LNT_OUT_FOLDER, NULL, "choices, path"},
    {"regress learning", "how much more data would help, from the data's own spectrum",
     lnt_regress_learning_description, lnt_regress_learning_examples, lnt_regress_learning_options,
     ADAPTED(regress_learning), LNT_OUT_FOLDER, NULL, "sizes, ridges, lambdas"},
    {"regress theory", "what theory says about a regression problem, without data", lnt_regress_theory_description,
     lnt_regress_theory_examples, lnt_regress_theory_options, ADAPTED(regress_theory), LNT_OUT_FOLDER, NULL,
     "hyperparameters, lambdas"},
    {"regress recovery", "where basis pursuit recovers a sparse vector exactly", lnt_recovery_description,
     lnt_recovery_examples, lnt_recovery_options, ADAPTED(recovery), LNT_OUT_FOLDER, NULL, "grid, crossing"},
    {"match", "the least change of wiring that explains a covariance", lnt_matching_description, lnt_matching_examples,
     lnt_matching_options, ADAPTED(matching), LNT_OUT_FOLDER, NULL, "path, solution, comparison"},
    {"match dynamics", "gradient flow of the wiring, in closed form and integrated", lnt_matching_flow_description,
     lnt_matching_flow_examples, lnt_matching_flow_options, ADAPTED(matching_flow), LNT_OUT_FOLDER, NULL, "modes"},
    {"fit", "fit the weights of a network, with error bars, evidence and certificates", lnt_fitting_description,
     lnt_fitting_examples, lnt_fitting_options, ADAPTED(fitting), LNT_OUT_FOLDER, NULL,
     "methods, starts, weights, covariance, groups, sizes, scores, cycles, involution, data, displacement, evidence"},
    {"linearize", "training of wide networks beside that of their linearisation", lnt_linearizing_description,
     lnt_linearizing_examples, lnt_linearizing_options, ADAPTED(linearizing), LNT_OUT_FOLDER, NULL,
     "widths, laws, modes"},
    {"sample", "draw the weights of a network from their posterior, and say whether to trust the draws",
     lnt_sampling_description, lnt_sampling_examples, lnt_sampling_options, ADAPTED(sampling), LNT_OUT_OWN, NULL,
     "diagnostics, sampler, criteria, scores, growth, problems"},
    {"sample calibrate", "check samplers of posteriors on data whose truth is a draw from the prior",
     lnt_calibrating_description, lnt_calibrating_examples, lnt_calibrating_options, ADAPTED(calibrating),
     LNT_OUT_FOLDER, NULL, "calibration"},
    {"apply", "apply a saved result to new rows or stimuli", apply_description, apply_examples, apply_options,
     ADAPTED(apply), LNT_OUT_ARRAY, "prediction", "score, classes"},
    {"reproduce", "run the published experiments and write the report", reproduce_description, reproduce_examples,
     lnt_reproduce_options, ADAPTED(reproduce), LNT_OUT_OWN, NULL, "experiments"},
    {0}};
