/* Studies: one function per command, each task -> simulate and predict -> record. The program, the experiments, the
 * tests and bindings call the same functions. Option structs are filled by their defaults function first. */
#ifndef LINNET_STUDY_H
#define LINNET_STUDY_H

#include "linnet/learn.h"
#include "linnet/option.h"
#include "linnet/study_match.h"
#include "linnet/theory.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library at run time, as "1.2.3". */
LNT_API const char *lnt_version(void);

/* ---- What several commands share: the task ---- */

/* Rows with targets, or covariances alone; preparation; rows held out, which are prepared with the statistics of the
 * training rows and scored beside them, but never used for anything else. */
typedef struct lnt_task_opts {
    const char *builtin;                 /* see lnt_builtin_task(); in place of the next three */
    const char *data, *inputs, *targets; /* see lnt_source */
    bool one_hot;
    const lnt_int_list *classes;            /* keep the rows of these only, see lnt_dataset_classes(); NULL: all */
    double split;                           /* share of the rows held out at random, keyed by the seed; 0: none */
    const char *test_inputs, *test_targets; /* or rows of their own */
    bool centre;                            /* subtract the mean of the inputs */
    int pca, whiten;                        /* number of components, 0: off; each includes centring */
    const char *sigma_xx, *sigma_yx;        /* files of 1/n sum x x^T and 1/n sum y x^T in place of rows */
    double trace_yy; /* tr 1/n sum y y^T with them; 0: as little as possible, so that the best linear map has loss 0 */
} lnt_task_opts;

/* ---- train ---- */

typedef enum lnt_optimizer { LNT_SGD, LNT_GD, LNT_ADAM } lnt_optimizer; /* minibatch, full batch, minibatch by Adam */
/* half: 1/2 mean_i sum_k err^2; sum: mean_i sum_k err^2; mean: averaged over i and k. */
typedef enum lnt_loss { LNT_LOSS_HALF, LNT_LOSS_SUM, LNT_LOSS_MEAN } lnt_loss;

/* samples: gradients from the rows; covariance: full-batch gradients of a linear network from their moments, at a cost
 * that does not depend on the number of rows. */
typedef enum lnt_space { LNT_SPACE_SAMPLES, LNT_SPACE_COVARIANCE } lnt_space;

/* Ready-made tasks with several ways to train on them, see lnt_layered_study(). */
typedef enum lnt_layered_experiment {
    LNT_LAYERED_NONE,
    LNT_LAYERED_TWO_LAYER,
    LNT_LAYERED_NONLINEAR,
    LNT_LAYERED_TOY,
    LNT_LAYERED_ATTENTION
} lnt_layered_experiment;

typedef struct lnt_train_opts {
    lnt_task_opts task;
    int experiment;         /* lnt_layered_experiment; of the fields below it takes layers and samples (two-layer and
                               nonlinear), epochs, seeds, seed, threads, and others must be left at their defaults */
    int samples;            /* of the experiment; 0: as published */
    lnt_int_list layers;    /* widths from inputs to outputs; empty: those of weights_in, or inputs, outputs, outputs */
    int activation;         /* lnt_activation of the hidden layers */
    const char *init;       /* see lnt_init_parse() */
    const char *weights_in; /* HDF5 file with /weights/1, ... (out, in), which replace `init`; with a leading axis for
                               one start per run */
    const char *weights_out; /* the program writes the final weights to this HDF5 file */
    int optimizer;           /* lnt_optimizer */
    int loss;                /* lnt_loss */
    int space;               /* lnt_space */
    double lr;               /* multiplies the gradient of that loss */
    int batch, rows_per_epoch;
    int epochs; /* LNT_AUTO: 20, of an experiment as published */
    bool shuffle;
    double momentum, beta1, beta2, epsilon; /* see lnt_descent */
    double weight_decay, l1;                /* added to the loss: weight_decay/2 |w|^2 + l1 |w|_1 */
    bool naive_l1;
    int seeds; /* runs, with streams (seed, 0), (seed, 1), ...; LNT_AUTO: 1, of an experiment as published */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_train_opts;

LNT_API void lnt_train_defaults(lnt_train_opts *opts);
/* Trains `seeds` networks and compares them with the least-squares optimum.
 * Record: series epoch, t, loss, accuracy, test_loss, test_accuracy (mean and sd over several runs); tables.optimum;
 * weights/1 ...; preparation/mean and /map; facts preparation, network, training, final, certificate; deviations;
 * assumptions; a figure. certificate.kkt is the largest violation, over all weights and runs, of the optimality
 * conditions of loss + penalties on the rows trained on: |g| with g the gradient, g + l1 sign(w) where w is not 0,
 * max(|g| - l1, 0) where it is; always of the penalties asked for, also where naive_l1 solves for others.
 * certificate.zero_weights, with l1, is the share of weights that are 0.
 * LNT_EDIVERGED names the largest stable learning rate. Memory: the inputs as they are in the file, plus the reduced
 * ones as doubles. */
LNT_API lnt_status lnt_train_study(lnt_ctx *ctx, lnt_record *record, const lnt_train_opts *opts);

/* ---- train --experiment ---- */

typedef struct lnt_layered_opts {
    int experiment;              /* lnt_layered_experiment, not NONE */
    int inputs, hidden, samples; /* of two-layer and nonlinear; the others have sizes of their own */
    int epochs;                  /* of descent */
    int seeds;                   /* runs with data and starts of their own; of toy, drawn vectors and starts */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_layered_opts;

/* Published sizes: two-layer 400-600-1, 200 samples, 5000 epochs, 3 runs; nonlinear 100-100-1, 60, 10000, 10; toy 3000
 * epochs, 100 draws; attention 4000, 3. */
LNT_API void lnt_layered_defaults(lnt_layered_opts *opts, lnt_layered_experiment experiment);
/* What penalties on the layers do to the function that the layers make; theory in layered.h.
 *
 * two-layer: student S = M V of a linear teacher T, |T| = 1, without noise; M (inputs x hidden) ~ N(0, 1/inputs), V ~
 * N(0, 1/hidden), inputs N(0, 1), loss 1/(2 samples) |X'(S - T)|^2; all drawn anew in each run. Momentum .9. Arms:
 * plain, eta .05; ridge, eta .05, weight decay .04; l1, eta .055, both layers through the proximal map of 3.5e-4 |w|_1
 * + .05 w^2 after each step, which with momentum solves for a tenth of both; l1_correct, the same penalties in the map
 * that solves for them. loss_gen is 1/2 |S - T|^2.
 *
 * nonlinear: student f = V relu(M'x) and a teacher of 10 such units, the same in all runs; M ~ N(0, 2/inputs), V ~ N(0,
 * 1/units); inputs N(0, 1/samples), loss 1/2 sum over samples of (f - f*)^2. Momentum .5. Arms: plain, eta .02; ridge,
 * eta .02, weight decay .05; l1, eta .01, map of .001 |w|_1 + .025 w^2 after each step; l1_correct. loss_gen is the
 * expectation of the loss over inputs, exactly; loss_validation that of as many further samples.
 *
 * Streams: (seed, run, LNT_FOR_TASK) T, then the inputs, sample by sample; nonlinear: the teacher's M and V of run 0,
 * in run r + 1 the inputs of run r, then those for validation. (seed, run, LNT_FOR_WEIGHTS) M column by column, then V.
 * All arms of a run start alike.
 *
 * Record of both: series epoch (all up to 64, then at ratios of 1 + 1/64), ARM.loss_gen, ARM.loss_train,
 * ARM.loss_validation, mean and sd over several runs; tables rules (parameters of the arms with the penalties they
 * solve for), arms (means at the end), runs (each run), pairs (paired differences); arrays M/ARM of the first run;
 * deviations from theory, assumptions, figures.
 *
 * attention: min 1/2 |M* - W_Q W_K'|_F^2 + lambda/2 (|W_Q|_F^2 + |W_K|_F^2), M* of 20 x 20 with singular values 5, 4,
 * 3, 2, 1, by descent with eta .05 from small starts, for several lambda and widths. Record: series epoch, ARM.loss,
 * ARM.nuclear_norm; tables arms, modes (singular values with theory), gauges (three penalties of one product), flow
 * (W_Q' W_Q - W_K' W_K over time); deviations, assumptions, figure.
 *
 * toy: two pairs of vectors against one. Record: tables identity (the expansion against the norm), minima, angles;
 * arrays landscape/aligned, landscape/turned (y by x), landscape/x; deviations, figure.
 *
 * LNT_EDIVERGED where sizes are so unlike the published ones that an arm blows up; LNT_EUSER where it is interrupted
 * before any run is complete. */
LNT_API lnt_status lnt_layered_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts);

/* ---- modes ---- */

typedef enum lnt_descend_part { LNT_DESCEND_BOTH, LNT_DESCEND_FIT, LNT_DESCEND_COMPETITION } lnt_descend_part;

/* Time t is in units in which tau = 1/eta, with eta = lr (times 2 for the loss `sum`, 2/outputs for `mean`). */
typedef struct lnt_modes_opts {
    lnt_task_opts task;
    int hidden;          /* units of one hidden layer; 0: as many as there are modes */
    lnt_int_list layers; /* or all widths */
    lnt_int_list depths; /* compare networks of these depths, all hidden layers of `hidden` units */
    const char *init;    /* see lnt_init_parse(); NULL: gaussian:0.001, or for depths aligned, with products
                            of 1/1000 of the first target at every depth */
    const char *weights_in, *w1, *w2; /* or weights from files: as for train, or W_1 and W_2 by themselves */
    int loss;                         /* lnt_loss */
    double lr, dt;      /* the descent steps by eta dt; dt 0: 1, or for depths a tenth of the largest stable one */
    double time;        /* t at the end; 0: until the modes are learned */
    const char *times;  /* or the output times themselves, separated by commas */
    int epochs;         /* or the number of steps of descent */
    const char *method; /* of closed, riccati, flow, map, descent, by commas; NULL: all that apply */
    int descend;        /* lnt_descend_part: which part of the energy the descent follows */
    int item, feature;  /* whose prediction is followed, from 1; 0: none */
    int seeds;          /* starts, with streams (seed, 0), (seed, 1), ... */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_modes_opts;

LNT_API void lnt_modes_defaults(lnt_modes_opts *opts);
/* Follows the modes of a task, Syx = U diag(s) V^T, through the learning of a linear network by every method that
 * applies: closed forms of single modes, the Riccati solution, integration of the gradient flow, the discrete map of
 * single modes, and gradient descent as it is run, all in covariance space. Losses are in the convention of `loss`,
 * eigenvalues those of E.
 * Record: series t, t_over_tau, strength.METHOD.MODE (m_k = u_k' W v_k; strength_sd over several starts), loss.METHOD,
 * outside.METHOD (share of |W|^2 outside the modes), and where they exist fit.METHOD, competition.METHOD (C_XX = d I),
 * alignment.METHOD (of the tangent kernel with that at the last output time; two layers), prediction.METHOD,
 * test.METHOD; these but strength and loss are of the first start. Table modes: index, s, target, a0 (root of the
 * first-order product |W1 v + W2' u|^2/4 of the first start; other depths |m_k|^{1/L}), half_METHOD (t at which a mode
 * first has half its target; null where it does not, or not in every start), final_METHOD. Table fixed_points (two
 * layers, C_XX = d I): the balanced ones, their number of negative Hessian eigenvalues (index), excess loss, least and
 * largest eigenvalue. Arrays of the first start: product/METHOD (times, outputs, inputs) up to 2e7 numbers,
 * strengths/METHOD (times, modes),
 * similarity/METHOD (times, inputs, inputs) of the hidden layer, Sxx^{1/2} W1^T W1 Sxx^{1/2} (two layers), exact/W1
 * (times, inputs) and exact/W2 (times, outputs), the weights themselves by the Riccati solution where there is one
 * hidden unit, and their limits exact/W1_limit, /W2_limit (facts neuron: the mode on which they end, a = W1 v and b =
 * u'W2 there, and the branch, the sign of both), weights/L and modes/W1bar, /W2bar at the end of the descent; modes/U,
 * /V, /s; hessian/MODES, the whole spectrum at each fixed point, ascending, up to 100,000 values (else the fact
 * hessian.kept is false), and hessian/end, that at the minimum where the descent has ended (C_XX = d I; within 1e-6).
 * Facts modes, time, start, flow, fixed_point (rms of the best map less W in the frame of the modes), trap, overfitting
 * (the best time to stop, where rows are held out). Deviations between methods; assumptions; figures modes, similarity
 * (at the start, as modes reach half their strength, at the end; two layers), spectrum. With several depths: tables
 * depths and stopping, series strength.DEPTH.MODE and strength_theory.DEPTH.MODE, loss.DEPTH, test.DEPTH. LNT_EDIVERGED
 * names the largest stable step, where descent was asked for by name; else it is left out with a warning.
 */
LNT_API lnt_status lnt_modes_study(lnt_ctx *ctx, lnt_record *record, const lnt_modes_opts *opts);

/* ---- modes phase ---- */

typedef struct lnt_phase_opts {
    double s;     /* strength of the mode, any sign */
    double range; /* of a and b in the figure; 0: 2.5 sqrt|s|, 1 for s = 0 */
    double time;  /* T = t/tau at the end of the trajectories; 0: long enough to see where they go */
    int threads;
} lnt_phase_opts;

LNT_API void lnt_phase_defaults(lnt_phase_opts *opts);
/* The plane of one scalar mode, a' = (s - ab) b, b' = (s - ab) a: fixed points with Jacobian, eigenvalues, eigenvectors
 * and kind; nullclines, separatrix, and trajectories from all octants, from the separatrix and from beyond the
 * hyperbola, in closed form and by integration. Record: tables fixed_points and trajectories; series t_over_tau, a.N,
 * b.N; deviations between the two; a figure. */
LNT_API lnt_status lnt_phase_study(lnt_ctx *ctx, lnt_record *record, const lnt_phase_opts *opts);

/* ---- modes isometry ---- */

typedef struct lnt_isometry_opts {
    lnt_task_opts task;
    int depth, width; /* weight matrices, and units of every hidden layer */
    double lr;        /* of the loss `mean` */
    int steps;        /* of full-batch descent in covariance space */
    int seeds;
    uint64_t seed;
    int threads;
} lnt_isometry_opts;

LNT_API void lnt_isometry_defaults(lnt_isometry_opts *opts);
/* Trains very deep linear networks from orthogonal starts, whose product keeps lengths, and from Gaussian starts with
 * rows of norm 1, which keep them on average only, and compares where they end. Record: table starts (loss and accuracy
 * with their standard deviations, singular values of the product at the start), series epoch, loss.START; facts
 * statement; a figure. */
LNT_API lnt_status lnt_isometry_study(lnt_ctx *ctx, lnt_record *record, const lnt_isometry_opts *opts);

/* ---- modes complete ---- */

typedef struct lnt_complete_opts {
    const char *observed;      /* file of rows (row, column, value), indices from 0 */
    const char *matrix, *mask; /* or a matrix, of which entries are observed where the mask is not 0 */
    bool demo;                 /* or a random matrix of `rank` plus noise */
    const char *truth;         /* all entries, to test by */
    int rows, columns;         /* 0: the largest index of the file + 1; of the demo 40 x 30 */
    int rank;                  /* of the demo: truth A B^T/sqrt(rank) with standard normal A, B */
    double share, noise;       /* of its entries observed, at random; standard deviation */
    double split;              /* share of the observed entries held out at random, keyed by the seed; 0: none */
    lnt_int_list depths;
    double init; /* W(0) = init s Q with s the largest singular value of the observed entries, others as 0 */
    double time; /* at the end, in units of tau; 0: until every depth has learned the observed entries */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_complete_opts;

LNT_API void lnt_complete_defaults(lnt_complete_opts *opts);
/* Learns a matrix from some of its entries by the gradient flow of W = W_N ... W_1 for several depths N, from one small
 * zero-balanced start, tau dW_l/dt = -dE/dW_l with E = 1/2 the sum over observed entries of squared errors, as
 * lnt_product_flow() has it (Arora et al. 2019), and compares with the nuclear-norm minimum, lnt_nuclear_complete(): at
 * depth 2 the flow from an infinitely small start ends there where the measurements commute (Gunasekar et al. 2017).
 * Entries of known value that are not trained on are test entries: those of `truth`, of `matrix`, of the demo, or held
 * out; the truth counts where it is known.
 * Q has orthonormal columns or rows, leading block of a Haar-distributed matrix (orthogonal in lnt_net_init()). Streams
 * of (seed, run 0): LNT_FOR_WEIGHTS the start; LNT_FOR_TASK the demo: A, B, noise column by column, then the first of a
 * shuffled list of all entries are observed; LNT_FOR_SPLIT: the first of a shuffled list of observed entries are held
 * out. Such lists begin column by column. Shares are rounded, to at least one entry.
 * Output times: 0 and 100 at equal ratios, up to `time`; by default until the training error of every depth is 1e-3 of
 * the rms of the observed entries.
 * Record: series t, train.N, test.N, rank.N (effective), nuclear_norm.N for each depth N; table depths; arrays
 * product/N (last map), singular/N (times, k), nuclear/W, nuclear/s, start/W, observed and test /values and /mask;
 * facts matrix, start, time, certificate; deviations, assumptions, a figure. */
LNT_API lnt_status lnt_complete_study(lnt_ctx *ctx, lnt_record *record, const lnt_complete_opts *opts);

/* ---- regress curves ---- */

typedef enum lnt_curve_method { LNT_CURVES_SPECTRAL, LNT_CURVES_ITERATE, LNT_CURVES_BOTH } lnt_curve_method;
typedef enum lnt_curve_time { LNT_CURVES_EPOCHS, LNT_CURVES_FLOW } lnt_curve_time;
/* Where automatic hyper-parameters come from: the extreme eigenvalues of each data set, or of infinitely large ones. */
typedef enum lnt_curve_hyper { LNT_HYPER_DATA, LNT_HYPER_ASYMPTOTIC } lnt_curve_hyper;

typedef struct lnt_curves_opts {
    int features, samples, runs, epochs; /* D, n, data sets */
    const char *arms;                    /* by commas, each BASE[+VARIANT...], see lnt_curves_study() */
    const char *teacher;                 /* dense, sparse:K (the first K entries are not 0), or zero */
    double teacher_norm;                 /* |T| */
    double init_norm;                    /* E|S0|^2; NaN: 1/q */
    double noise;                        /* standard deviation on y */
    const char *spectrum;                /* population variances: NULL all 1, power:A, or a file of D values */
    int hyper;                           /* lnt_curve_hyper */
    double lr, momentum, lambda;         /* of the arms without l1; NaN: the fastest; lambda NaN: lambda_R */
    double lasso_lambda, lasso_lr;       /* of those with; NaN: 1/lam_+ */
    int batch;                           /* of sgd */
    int time;                            /* lnt_curve_time */
    int method;                          /* lnt_curve_method */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_curves_opts;

LNT_API void lnt_curves_defaults(lnt_curves_opts *opts);
/* Learning curves of linear students on random data sets with one teacher and one start, with their theory in the limit
 * of large sizes. Losses: gen = 1/2 sum_i c_i (S_i - T_i)^2, train = |y - X' S|^2/(2n).
 *
 * Arms: plain, ridge (penalty lambda/2 |S|^2), lasso (lasso_lambda |S|_1) and elastic (both), each alone or with
 * +momentum (heavy ball; with l1 and the threshold that solves the same problem), +naive or +outer (with l1 and
 * momentum, other thresholds, see lnt_learner), +fista (l1), +sgd (minibatches). Automatic hyper-parameters: the
 * fastest step and momentum for the arm (lnt_tune), with a given momentum the step (1 + beta)/(lam_+ + lambda); the
 * ridge lambda_R that makes ridge as fast as plain (lnt_equal_rate_ridge); with l1 the step 1/(lam_+ + lambda) (outer
 * 1 - beta times that) and the momentum of the plain arm; of sgd (1 - beta)/(1 + (D + 1)/batch). From the extreme
 * eigenvalues of each data set that are not 0, or those of Marchenko and Pastur.
 *
 * Theory of arms without l1: lnt_predict_curve() with the mean lambda of the data sets and the fastest rule for it on
 * infinitely large ones (where that is no rule, at q = 1, the mean of those used), with the realised |S0|^2, S0.T and
 * |T|^2; with l1 alone: where it ends, lnt_lasso_risk_of() (beyond 10,000 features lnt_lasso_risk_predict()); of sgd
 * the first epoch; with a spectrum: where ridge and plain descent end, lnt_ridge_risk_predict(). Flow: epoch k stands
 * for the time k lr; arms plain and ridge only.
 *
 * Record: series epoch (flow: t), ARM.loss_gen and ARM.loss_train, each mean, sd (over the data sets), theory, band
 * (its standard deviation over data sets); tables arms and hyperparameters; facts task, spectrum, recovery; arrays of
 * the first data set weights/ARM, teacher, start, eigenvalues; deviations in standard errors; assumptions; figures.
 * LNT_EDIVERGED names the largest stable learning rate; automatic asymptotic ones that diverge are warned about. */
LNT_API lnt_status lnt_curves_study(lnt_ctx *ctx, lnt_record *record, const lnt_curves_opts *opts);

/* ---- regress theory ---- */

typedef enum lnt_penalty { LNT_PENALTY_NONE, LNT_PENALTY_RIDGE, LNT_PENALTY_LASSO } lnt_penalty;

typedef struct lnt_regress_theory_opts {
    double q;                       /* samples a feature */
    int penalty;                    /* lnt_penalty */
    double lambda;                  /* NaN: lambda_R for ridge; needed for lasso */
    int features;                   /* D: the scale of lambda for the lasso, and the width of bands */
    double density, teacher_norm;   /* share of T that is not 0 (lasso); |T| */
    double start_norm2, overlap;    /* |S0|^2, S0.T */
    double noise;                   /* standard deviation on y */
    const char *spectrum, *teacher; /* population variances as for curves; file of teacher coefficients along them */
    int epochs;                     /* of the learning curves */
    int threads;
} lnt_regress_theory_opts;

LNT_API void lnt_regress_theory_defaults(lnt_regress_theory_opts *opts);
/* What theory says about a regression problem, without any data. Record: facts theory (loss_gen, loss_train, their
 * parts), hyperparameters, recovery, stopping; series epoch, ARM.loss_gen, ...; a table over lambda with the best one;
 * figures. */
LNT_API lnt_status lnt_regress_theory_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_theory_opts *opts);

/* ---- regress path ---- */

typedef enum lnt_path_method { LNT_PATH_DESCENT, LNT_PATH_HOMOTOPY } lnt_path_method;

typedef struct lnt_regress_path_opts {
    lnt_task_opts task;          /* with rows */
    const char *row_weights;     /* file of a weight >= 0 for each row, of any scale; NULL: equal */
    int target;                  /* which of several targets, from 0; LNT_AUTO: all for ridge, else the only one */
    const char *penalty;         /* ridge, lasso, or elastic:ALPHA */
    bool intercept, standardize; /* see lnt_path_opts */
    int lambdas;                 /* number of penalties */
    double min_ratio;            /* last over first; 0: 1e-6 for ridge, else as lnt_path_opts has it */
    const char *lambda;          /* or the penalties themselves, separated by commas */
    int method;                  /* lnt_path_method; homotopy for the lasso alone */
    double gap;                  /* tolerance of the duality gap, relative to the objective without features */
    int max_epochs;              /* of descent, for each penalty */
    int cv;                      /* folds; 0: none */
    uint64_t seed;               /* of folds and split */
    int threads;                 /* 0: all processors */
} lnt_regress_path_opts;

LNT_API void lnt_regress_path_defaults(lnt_regress_path_opts *opts);
/* The whole path of ridge, lasso or elastic net on rows of data, as path.h defines it: objective 1/(2n) sum v (y - a -
 * x.w)^2 + lambda sum_j (alpha |u_j| + (1 - alpha)/2 u_j^2), v weights of mean 1, u_j = s_j w_j. Ridge takes several
 * targets, whose objectives, gaps and errors are summed. Rows are cut into folds by lnt_path_folds() with the stream
 * (seed, 0, LNT_FOR_SHUFFLE). Rows held out are predicted at every lambda, and used for nothing else.
 * Inputs of which at most a tenth is not 0 are kept sparse for lasso and elastic net. Memory: the prepared inputs once
 * (twice while they are read); ridge three times as much.
 *
 * Record: table path, a row per lambda, descending: lambda, primal, gap (a certificate: primal less the minimum is at
 * most that), nnz, iterations, loo and gcv (ridge; gcv for the lasso too, with its df), cv and cv_se, test; explained,
 * df (ridge: trace of the hat matrix; lasso: nnz; with the intercept), loss, relative_gap (to the primal without
 * features), kkt; errors are mean squares. Table choices: the penalties that cross-validation, leave-one-out and GCV
 * choose. Arrays path/lambda, /coefficients (lambdas, features), /intercept; for several targets with a last axis of
 * targets; cv/errors (folds, lambdas), cv/fold; path/knots with the homotopy. Facts preparation, problem, certificate,
 * cv, ridge, homotopy; deviations between estimates of the error; a check of the gap, which fails where it was not
 * reached; a figure. LNT_EDOMAIN for a target that is constant. */
LNT_API lnt_status lnt_regress_path_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_path_opts *opts);

/* ---- regress learning ---- */

typedef struct lnt_regress_learning_opts {
    lnt_task_opts task;          /* with rows, none held out */
    int target;                  /* which of several targets, from 0; LNT_AUTO: all */
    int penalty;                 /* ridge */
    bool intercept, standardize; /* scales are those of all rows */
    double lambda;               /* NaN: the best one at each number of rows */
    lnt_int_list sizes;          /* numbers of rows to train on; empty: eight, up to nine tenths of the rows */
    int draws;                   /* of that many rows at random, for each number */
    int cv;                      /* folds, for comparison; 0: none */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_regress_learning_opts;

LNT_API void lnt_regress_learning_defaults(lnt_regress_learning_opts *opts);
/* How much more data would help: the test error (mean square, summed over the targets) of ridge regression on n rows,
 * predicted from all rows by lnt_ridge_forecast_best(), beside that of random draws of n rows tested on the others, up
 * to 2 and 4 times as many rows as there are. Draw r takes the first n rows of a permutation by the stream (seed, r,
 * LNT_FOR_SPLIT). Beside the prediction stands that of lnt_ridge_risk_predict() with all rows as the population, sure
 * where there are many rows a feature only; its noise variance and coefficients are freed of the bias of their noise.
 *
 * Record: table sizes: rows, lambda, predicted, predicted_se, omniscient, measured, measured_sd, measured_se, df; table
 * ridges: the lambda that the prediction, the omniscient risk, leave-one-out and k-fold cross-validation choose for all
 * rows; table lambdas over lambda at all rows; facts preparation, problem, noise, answer; arrays spectrum/eigenvalues,
 * spectrum/power (p_i), draws/error (draws, numbers of rows); deviations per number of rows; assumptions; a figure. */
LNT_API lnt_status lnt_regress_learning_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_learning_opts *opts);

/* ---- regress recovery ---- */

typedef struct lnt_recovery_opts {
    int features;     /* D >= 2 */
    int grid;         /* cells along each axis, at most D */
    int runs;         /* problems in each cell */
    double tolerance; /* T is recovered where |w - T| < tolerance |T| */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_recovery_opts;

/* features 400, grid 20, runs 20, tolerance 1e-6. */
LNT_API void lnt_recovery_defaults(lnt_recovery_opts *opts);
/* The phase diagram of exact recovery: how often basis pursuit, lnt_basis_pursuit(), finds T from X and y = X^T T
 * alone. X (D x n) and the first d entries of T are standard normal, the others 0; n and d are D (i + 1/2)/grid for i =
 * 0 .. grid - 1, rounded, and at least 1. Problem (run, row d, column n) draws X, column by column, then T from the
 * stream (seed, (run * grid + row) * grid + column, LNT_FOR_TASK). Beside it stand the boundary in the limit,
 * lnt_recovery_density(), and what is expected at this size, lnt_recovery_finite().
 * Record: table grid (a row per cell: samples = n/D, density = d/D, n, nonzero = d, runs, success, predicted); table
 * crossing (a row per column: boundary, at_this_size, width, all as d/D; found: where half are recovered, by maximum
 * likelihood with a normal transition of that width, with its standard error; null where the column has only successes
 * or only failures); arrays success (rows d, columns n), grid/samples, grid/density; series samples, boundary; facts
 * problems, certificate, boundary (the mean shift of the 50 % points from the boundary in entries of T, weighted by
 * their precision); deviations of the 50 % points from the boundary of the limit, of their mean shift and of the mean
 * success from those expected at this size; assumptions; a figure. Problems that were not solved to a certified gap are
 * not counted, with a warning. Interrupted, it keeps the problems that are solved.
 * Cost: at D = 400 about 4 ms a problem and thread on average. Memory: 30 D^2 bytes a thread, 13 a problem. */
LNT_API lnt_status lnt_recovery_study(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_opts *opts);
/* ---- apply ---- */

typedef struct lnt_apply_opts {
    const char *folder;                  /* of a saved result of `train`, `regress path` or `match` */
    const char *data, *inputs, *targets; /* new rows; targets only to score them */
    bool one_hot;
    const char *run;    /* "mean" over the runs, "each", or the number of one, from 0 */
    const char *lambda; /* of a path: "min", "1se", or a number; NULL: min where cross-validated, else the last */
    int threads;
} lnt_apply_opts;

LNT_API void lnt_apply_defaults(lnt_apply_opts *opts);
/* Applies a saved network or regression path, its preparation included, to new rows. Between the penalties of a path
 * its coefficients are interpolated. Record: array "prediction" (rows, outputs), with a leading axis for "each"; table
 * classes where the model was trained on classes; score where targets are given.
 * Of a match the inputs are cells x stimuli, prepared as those of the fit, and the prediction is Z X, in that shape. */
LNT_API lnt_status lnt_apply_study(lnt_ctx *ctx, lnt_record *record, const lnt_apply_opts *opts);

/* ---- reproduce ---- */

typedef struct lnt_reproduce_opts {
    const char *names; /* experiments, separated by commas; NULL: all */
    bool list, quick, full, force;
    bool figure;     /* draw the figures */
    const char *out; /* folder of the report */
    uint64_t seed;
    int threads;
} lnt_reproduce_opts;

LNT_API void lnt_reproduce_defaults(lnt_reproduce_opts *opts);
/* Runs the registered experiments, each into a folder of its own below `out`, and writes out/index.html. Experiments
 * that are finished there with the same options are kept, unless `force`; results of other options are never replaced
 * without it (LNT_EEXIST). Record: table experiments, and as checks the verdicts. */
LNT_API lnt_status lnt_reproduce_study(lnt_ctx *ctx, lnt_record *record, const lnt_reproduce_opts *opts);

/* All commands, ended by an entry whose name is NULL. */
LNT_API extern const lnt_command lnt_commands[];

#ifdef __cplusplus
}
#endif
#endif
