/* The study of linearised training; study.h has the others. */
#ifndef LINNET_STUDY_LINEARIZE_H
#define LINNET_STUDY_LINEARIZE_H

#include "linnet/study.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lnt_linearizing_rule { LNT_LINEARIZING_FLOW, LNT_LINEARIZING_DESCENT } lnt_linearizing_rule;

typedef struct lnt_linearizing_opts {
    lnt_task_opts task;  /* nothing given: "sphere" of lnt_builtin_task() */
    int rows, test_rows; /* the first so many are used; LNT_AUTO: of a built-in task 30 to train on and 20 of the rest
                          * to test by, of other data all. Where nothing is held out, test rows come from the rest */
    lnt_int_list widths; /* of the hidden layers: a network for each. At most 65,535 each */
    int depth;           /* hidden layers, all of one width */
    int activation;      /* lnt_activation of the hidden layers */
    double bias_scale;   /* t of derivatives.h; 0: no biases */
    int likelihood;      /* lnt_likelihood_kind */
    int rule;            /* lnt_linearizing_rule */
    double eta;          /* step in units of 1/lam_max of the kernel, each network's own at its start; > 0 */
    double momentum;     /* heavy ball */
    double pull;         /* m: the loss has m/2 |W - W0|^2 besides */
    const char *time; /* times, separated by commas, ascending: steps of descent, of the flow in units of that step */
    int points;       /* of the curves */
    int runs;         /* starts, the stream of each (seed, run 65536 + width, LNT_FOR_WEIGHTS) */
    int modes;        /* listed for each width */
    double memory;    /* 2^30 bytes that kernels may take */
    const char *kernel_out; /* the program writes Theta of the last width, run 0, to this file */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_linearizing_opts;

/* Widths 32, 64, 128, 256, 512, one hidden layer, tanh, bias scale .3, squares, flow with eta 1 to the times 10, 100,
 * 1000 at 60 points, 8 runs, 20 modes, 4 GB. */
LNT_API void lnt_linearizing_defaults(lnt_linearizing_opts *opts);
/* Networks of several widths, in the scaling of the neural tangent kernel with weights N(0, 1), trained on the same
 * rows by gradient flow or descent; beside each the network linearised at its start, whose training has a closed form
 * (linearize.h), at training and test rows; and how the deviation of the two falls with the width.
 *
 * Loss: 1/2 sum of squares over rows and outputs, or -log p for logits, plus the pull. Step: eta/lam_max.
 *
 * Record: series t; for each width width_H/loss, test_loss (/mean and /sd over runs of the network, /theory of the
 * linearised one), deviation/train, deviation/test (root mean square differences of outputs, means over runs), output_K
 * (/real and /theory: run 0 at the first test rows); tables widths (each width and time), laws (fits through the
 * widths), modes (of run 0); arrays spectrum/width_H (run 0), kernel (of the last width, up to 500 outputs or where it
 * is asked for); facts network, training, ntk, law; deviations, assumptions, figures spectrum, curves, widths.
 *
 * An interrupted study keeps the runs that every width has finished. LNT_EUSAGE: options that contradict each other, or
 * an unstable step, naming the largest stable one; LNT_EDIVERGED where a network's own training diverges. Kernels of n
 * outputs take 6 n^2 numbers for each run at work: as many threads as fit into `memory`; LNT_EUSAGE where one does not.
 */
LNT_API lnt_status lnt_linearizing_study(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
