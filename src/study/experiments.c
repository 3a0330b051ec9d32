#include "experiment.h"

#include <math.h>
#include <string.h>

const lnt_experiment lnt_experiments[] = {
    {"notebook-digits", "The notebook, on digits",
     "A two-layer linear network is trained on whitened digit images by minibatch descent. Does it learn the "
     "input-output covariance, as the notebook says? As it was written, with the same first tenth of the rows in "
     "every epoch; as it is right, with all rows in a new order; and by full-batch descent down to the fixed point.",
     NULL, lnt_notebook_experiment},
    {"notebook-mnist", "The notebook, on MNIST",
     "The same on the notebook's own data: 70,000 images of 28 x 28 pixels, 100 whitened components, a 100-10-10 "
     "network.",
     "mnist", lnt_notebook_experiment},
    {"exercise", "The exercise: modes of a small hierarchy",
     "Four items with seven properties, 16 hidden units, small random weights. The modes of the task are learned one "
     "after the other; when, says theory: closed form, Riccati solution and discrete map beside the run.",
     NULL, lnt_exercise_experiment},
    {"exercise-depths", "The exercise at depths 1, 2, 3 and 5",
     "From equal strengths, deeper networks wait longer and then learn faster: the shallow network learns "
     "exponentially, two layers along a sigmoid, more layers after a plateau.",
     NULL, lnt_depths_experiment},
    {"exercise-phase", "The exercise: phase portrait of one mode",
     "Fixed points of the two-dimensional system with their eigenvalues. The hyperbola ab = s attracts although one "
     "of its eigenvalues is 0; the origin is a saddle whose stable line is the separatrix.",
     NULL, lnt_phase_experiment},
    {"tree", "Progressive differentiation: branching diffusion",
     "Features that diffuse along a tree have modes whose strengths follow from the tree. Broad distinctions are "
     "learned first, each when the discrete map of its mode says so.",
     NULL, lnt_tree_experiment},
    {"illusory", "Illusory correlations",
     "A property that goes against the hierarchy is predicted with the wrong sign for a while, since the mode that "
     "brings the error is stronger than the one that mends it.",
     NULL, lnt_illusory_experiment},
    {"isometry", "A hundred layers: orthogonal against Gaussian starts",
     "A very deep linear network learns from orthogonal starts, which keep lengths exactly, and hardly from Gaussian "
     "ones, which keep them on average only. MNIST, 101 weight matrices, in covariance space.",
     "mnist", lnt_isometry_experiment},
    {"regression-dense", "Regression: plain, ridge, momentum",
     "A thousand features, 700 samples, no noise. Plain descent remembers its start where the data say nothing; ridge "
     "forgets it; momentum gets to either sooner. E|S0|^2 = 1/q, as the source's code has it.",
     NULL, lnt_dense_experiment},
    {"regression-dense-text", "Regression: plain, ridge, momentum, as the text says",
     "The same from E|S0|^2 = 1, which the source states: plain descent then ends at .300 instead of .364.", NULL,
     lnt_dense_experiment},
    {"regression-sparse", "Regression: the lasso with a sparse teacher",
     "400 of 1,000 weights are not 0. The lasso at lambda = .0012, which the source's curves belong to, learns most "
     "of them, but 700 samples lie beyond the boundary of exact recovery: 750 are needed.",
     NULL, lnt_sparse_experiment},
    {"regression-sparse-text", "Regression: the lasso with a sparse teacher, as the text says",
     "The same at lambda = .005 from E|S0|^2 = 1, which the source states.", NULL, lnt_sparse_experiment},
    {"regression-sparse-dense", "Regression: the lasso with a dense teacher",
     "Where no weight of the teacher is 0 the lasso is at its best before it has converged, and ridge is better.", NULL,
     lnt_sparse_experiment},
    {"two-layer", "Penalties on two linear layers",
     "Does weight decay on both layers of a linear network leave less structure than an L1 penalty, as a blog post "
     "says? It acts as the norm of the map, unsquared, as theory predicts to rounding, and leaves a first layer of "
     "rank 1. The L1 arm as it was written, with momentum, solves for a tenth of its penalties; and as it is right.",
     NULL, lnt_two_layer_experiment},
    {"nonlinear", "Penalties on two relu layers",
     "A relu student learns a teacher of 10 units without a penalty, with weight decay and with an L1 penalty, as it "
     "was written and as it is right. Which generalises, and how many units are left? Expected losses are exact.",
     NULL, lnt_nonlinear_experiment},
    {"toy", "Two pairs of vectors under weight decay",
     "The loss of two pairs of vectors in their angles, with the term that the published expansion drops; its minima "
     "form a line on which the product has rank 1 and nothing is sparse.",
     NULL, lnt_toy_experiment},
    {"attention", "Weight decay on queries and keys",
     "Weight decay on the two factors of the attention logits is the nuclear norm of their product: descent lowers "
     "every singular value by the same amount, whatever the factors; the sum of the products of column norms depends "
     "on the gauge.",
     NULL, lnt_attention_experiment},
    {"match-linear", "Covariance matching: the linear model, as its source has it",
     "Which least change of wiring gives one population the covariance of another? The source drops the square of W. "
     "At lam0 = 1e9 that is right; at 1e6, where the whole problem is at its best, the answer is off by 70 % and "
     "predicts worse than no change at all.",
     NULL, lnt_match_linear_experiment},
    {"match-full", "Covariance matching: the whole problem, to its global optimum",
     "The same with the square of W, solved with a certificate. Equation (1) of the source holds at lam0 = 1e9 and not "
     "at 1e6.",
     NULL, lnt_match_full_experiment},
    {"match-diagonal", "Covariance matching: is a diagonal missing?",
     "The source ends by asking for a diagonal of its own. Added to the linear model it makes predictions worse, "
     "since it only weakens the penalty there; what was missing is the square of W.",
     NULL, lnt_match_diagonal_experiment},
    {"match-sparse", "Covariance matching: populations that decorrelate",
     "Private responses that double: weights of cells onto themselves become the largest, the more so the smaller "
     "lambda.",
     NULL, lnt_match_sparse_experiment},
    {"match-transport", "Covariance matching: exact fits at lambda = 0",
     "Least weights, optimal transport, CORAL: all fit exactly. The first changes wiring least, the second activity.",
     NULL, lnt_match_transport_experiment},
    {"match-dynamics", "Covariance matching: how wiring learns",
     "Gradient flow in closed form: a Riccati equation and logistic modes for whitened inputs, exponentials for the "
     "linear model; beside integration.",
     NULL, lnt_match_dynamics_experiment},
    {"naive-cycle", "Weights as unknowns: the iteration of the blog post",
     "A blog post takes the weights of a network as the unknowns of a linearised inverse problem and iterates w = B^+ "
     "d. On 0/1 data it saw a cycle of bad fits: from every start the same one, for nearly every ridge.",
     NULL, lnt_naive_cycle_experiment},
    {"open-questions", "Weights as unknowns: the open questions",
     "Does the iteration stay at an optimum? No: it leaves for where a formula says. Why does it turn in circles? Two "
     "linear layers take turns exactly, T(T(w)) = w. Do more data or smoother functions help? No: its right side is "
     "wrong. Which matrix is the covariance? The inverse of A'A.",
     NULL, lnt_open_questions_experiment},
    {"what-works", "Weights as unknowns: what works",
     "From 40 random starts of four problems: which methods end within 1 % of the best fit?", NULL,
     lnt_what_works_experiment},
    {"evidence", "Weights as unknowns: evidence and error bars",
     "How many hidden units, how much noise, and how sure is the fit: the most probable weights of a small network "
     "with the bands of its linearised posterior.",
     NULL, lnt_evidence_experiment},
    {"linearized", "Networks of finite width beside their linearisation",
     "Is a wide network, as it is trained, the linear model that it was at its start? Five widths on a task that no "
     "linear map has; the linearised networks in closed form. Their distance falls as a power of the width, between "
     "-1.1 and -1/2 at any fixed time.",
     NULL, lnt_linearized_experiment},
    {"notebook-modes", "The notebook: connectivity modes and the fixed point",
     "Does the map end at the covariance of the data, and is it diagonal in the modes of the data, rather than in its "
     "own? Full-batch descent of 40-10-10 on the digits from an orthogonal start, beside the exact curve of its flow. "
     "One-hot targets lose a mode: the tenth singular value is 0.",
     NULL, lnt_notebook_modes_experiment},
    {"exercise-energy", "The exercise: fit and competition",
     "The energy has two parts, the fit within modes and the competition between them. Their sum is the energy at "
     "every time; what happens without the second?",
     NULL, lnt_energy_experiment},
    {"rates", "Regression: optimal step, momentum and penalty",
     "How fast is descent at its best, with momentum and without, and what does the ridge cost that is as fast as "
     "none? Epochs are counted on random data once the slowest modes are alone.",
     NULL, lnt_rates_experiment},
    {"riccati", "The Riccati solution where it is hard",
     "The whole map of two layers in closed form, beside integration: wide, narrow, bottleneck, rank 1, equal "
     "strengths, unbalanced by lambda of either sign, tiny and large starts.",
     NULL, lnt_riccati_experiment},
    {"discrete", "Steps that are not small: the discrete map",
     "Descent follows the gradient flow only for small steps. What it does to a single mode is a map, and that is "
     "exact.",
     NULL, lnt_discrete_experiment},
    {"alignment", "Silent alignment",
     "From a small start the tangent kernel turns to its final direction before the loss falls. A 10-30-1 network.",
     NULL, lnt_alignment_experiment},
    {"completion", "Matrix completion by deep factorisation",
     "A matrix is learned from some of its entries by gradient flow at depths 1, 2 and 3 from one small start, beside "
     "the matrix of least nuclear norm.",
     NULL, lnt_completion_experiment},
    {"evolution", "The lasso's optimum over its penalty",
     "400 of 1,000 weights are not 0, with 700 samples: what the optimum of the lasso is worth for each penalty, by "
     "certified optima of random data sets and by state evolution.",
     NULL, lnt_evolution_experiment},
    {"recovery", "The boundary of exact recovery",
     "How many samples does the lasso need to find a sparse teacher exactly, without noise? Basis pursuit on random "
     "problems beside the boundary of Donoho and Tanner, and what is expected at this size.",
     NULL, lnt_recovery_experiment},
    {"match-global", "Covariance matching: the optimum that nothing beats",
     "The whole problem is not convex in the weights, and with more stimuli than cells poorer local minima are "
     "possible. Descent from twelve starts, most of them random: does any end below the optimum that the dual "
     "certifies?",
     NULL, lnt_match_global_experiment},
    {"nuts", "Posteriors of small networks by Markov chains",
     "Do chains draw from the posterior? A network on 40 rows, where Laplace's approximation is good, and three small "
     "ones, whose posteriors are known from integrals on grids and where it is not.",
     NULL, lnt_nuts_experiment},
    {"gaussian-posterior", "When the posterior of a network is normal",
     "Is the posterior normal, as a post assumes? Near one mode, the more so the more rows there are: the mean of "
     "predictions moves away from Laplace's by n^-1/2 of its standard deviation.",
     NULL, lnt_gaussian_posterior_experiment},
    {"calibration", "Are posteriors right? Simulation-based calibration",
     "Weights from the prior, data from them: among draws from the posterior the true weights have a uniform rank. "
     "Draws by NUTS pass, Laplace's approximation does where it is exact; the precision in the place of the "
     "covariance, as the source has it, fails at once.",
     NULL, lnt_calibration_experiment},
    {0}};

lnt_status lnt_adopt(lnt_ctx *ctx, lnt_record *record, lnt_record *found, lnt_status status)
{
    if (!found)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    if (status == LNT_OK)
        lnt_record_merge(record, found);
    lnt_record_free(found);
    return status;
}

double lnt_deviation_of(const lnt_record *record, const char *end, const char *column)
{
    lnt_value name;
    size_t n = strlen(end);
    for (int row = 0; row < lnt_record_rows(record, "deviations"); row++)
        if (lnt_record_cell(record, "deviations", row, "name", &name) && name.kind == LNT_STRING &&
            strlen(name.string) >= n && strcmp(name.string + strlen(name.string) - n, end) == 0)
            return lnt_record_cell_number(record, "deviations", row, column);
    return NAN;
}

void lnt_judge(lnt_ctx *ctx, lnt_record *record, const char *part, const char *measure, double tolerance)
{
    lnt_value name;
    for (int row = 0; row < lnt_record_rows(record, "deviations"); row++) {
        double value = lnt_record_cell_number(record, "deviations", row, measure);
        bool known = !isnan(lnt_record_cell_number(record, "deviations", row, "absolute"));
        if (!lnt_record_cell(record, "deviations", row, "name", &name) || name.kind != LNT_STRING ||
            !strstr(name.string, part) || lnt_record_judge(record, name.string) >= 0 || (isnan(value) && known))
            continue;
        const char *check =
            lnt_sprintf(ctx, "%s: %s", name.string, strcmp(measure, "sigmas") == 0 ? "standard errors" : measure);
        if (check)
            lnt_record_check(record, check, value, 0, tolerance);
    }
}
