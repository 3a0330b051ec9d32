/* What the report says about the experiments: groups, formulas, and sentences for the numbers that were found. */
#include "experiment.h"

#include <string.h>

#define NOTEBOOK "The notebook"
#define EXERCISE "The exercise"
#define REGRESSION "Regression"
#define LAYERED "Layered penalties"
#define MATCHING "Covariance matching"
#define LINEARIZED "Linearization"
#define BEYOND "Beyond the sources"

const char *const lnt_experiment_groups[] = {NOTEBOOK, EXERCISE,   REGRESSION, LAYERED,
                                             MATCHING, LINEARIZED, BEYOND,     NULL};

#define REGRESSION_FORMULA                                                                                             \
    "\\text{generalisation loss} = \\frac{1}{2} |S - T|^2 \\quad \\text{training loss} = \\frac{1}{2n} |X^\\top S - "  \
    "y|^2 \\quad q = n/D\n"

static const lnt_experiment_page pages[] = {
    {"notebook-digits", NOTEBOOK,
     "E = \\frac{1}{2n} \\sum_i |y_i - W_2 W_1 x_i|^2 \\quad C_{XX} = I \\implies W_2 W_1 \\to C_{YX}",
     "The loss over all rows ends at {as written, final loss} with the first tenth of the rows in every epoch, at {all "
     "rows, final loss} with all rows, and at {full batch, final loss} by full-batch descent; the optimum of all rows "
     "is {optimum of all rows, loss}, that of the first tenth {optimum of the first rows, loss over all}.",
     1.6, .2},
    {"notebook-mnist", NOTEBOOK,
     "E = \\frac{1}{2n} \\sum_i |y_i - W_2 W_1 x_i|^2 \\quad C_{XX} = I \\implies W_2 W_1 \\to C_{YX}",
     "The loss over all rows ends at {as written, final loss} as it was written, at {all rows, final loss} with all "
     "rows, and at {full batch, final loss} by full-batch descent; the optimum of all rows is {optimum of all rows, "
     "loss}, that of the first tenth {optimum of the first rows, loss over all}.",
     4, .5},
    {"notebook-modes", NOTEBOOK, "C_{YX} = U S V^\\top \\quad U^\\top W_2 W_1 V \\to S \\quad \\rank S \\le 9",
     "The map ends at a distance of {fixed point: |W - C_YX|/|C_YX|} of the covariance; off the diagonal of U'WV "
     "{connectivity modes: off the diagonal of U'WV, over |C_YX|} is left.",
     .3, .01},
    {"exercise", EXERCISE,
     "\\Sigma_{yx} = U S V^\\top \\quad \\tau \\frac{d a_k}{dt} = (s_k - a_k b_k) b_k \\quad \\tau "
     "\\frac{d b_k}{dt} = (s_k - a_k b_k) a_k\n"
     "u_k(t) = \\frac{s_k}{1 + (s_k/u_k(0) - 1) e^{-2 s_k t/\\tau}}",
     "The root mean square of the difference between the strengths of descent and those of the discrete map is "
     "{strengths, descent against the discrete map}, between the flow and the Riccati solution {strengths, flow "
     "against the Riccati solution}.",
     .4, .2},
    {"exercise-depths", EXERCISE,
     "\\tau \\frac{du}{dt} = L u^{2 - 2/L} (s - u) \\quad L = 1, 2, 3, 5 \\text{ layers of equal strength, } u = a^L",
     "The strongest mode reaches half its strength at t = {depth 1: half-time of mode 1} in the shallow network and at "
     "{depth 2: half-time of mode 1} in two layers.",
     .3, .1},
    {"exercise-energy", EXERCISE,
     "F = \\frac{1}{2 \\tau} [\\sum_i (s_i - a^i \\cdot b^i)^2 + \\sum_{i \\ne j} (a^i \\cdot b^j)^2]",
     "Fit and competition add up to the energy within {fit + competition, less the energy, at the worst time}. "
     "Descent on the fit alone takes the first strength to {fit alone: strength 1}; the competition that is left with "
     "both parts is {both over fit alone: competition at the end} of what it leaves.",
     .1, .01},
    {"exercise-phase", EXERCISE,
     "J = -\\frac{\\partial^2 F}{\\partial (a, b)^2} = (-b^2, s - 2ab; s - 2ab, -a^2) \\quad b^2 - a^2 = \\text{const}",
     "At the origin the eigenvalues are {origin: first eigenvalue} and {origin: second eigenvalue}; on the hyperbola "
     "{a = b = sqrt s: along the hyperbola} along it and {a = b = sqrt s: across, -2s} across.",
     .3, .1},
    {"tree", BEYOND,
     "\\lambda_l = \\sum_{k = l}^{D} (q_k - q_{k-1}) B^{D-k} \\quad q_k = (1 - 2 \\epsilon)^{2 (D - k)}", NULL, .3, .1},
    {"illusory", BEYOND, "y_m^i(t) = \\sum_k u_k(t) U_{mk} V_{ik}",
     "The prediction dips to {the prediction first dips to}, rises to {rises to the wrong sign} at t/τ = {at t/tau} "
     "and ends at {and ends at the truth}.",
     .4, .1},
    {"isometry", BEYOND, "W = W_{101} ... W_1 \\quad W_l^\\top W_l = I \\implies |W x| = |x|",
     "The largest singular value of an orthogonal start is {orthogonal: largest singular value of the start}, the "
     "fifth of a Gaussian one {Gaussian: fifth singular value of the start}; at the end the losses differ by a share "
     "of {orthogonal starts end lower: share of the Gaussian loss}.",
     2, 1},
    {"regression-dense", REGRESSION,
     REGRESSION_FORMULA "\\lambda_R = \\frac{(1 - q)^2}{4 q^{3/2}} \\quad R = \\frac{2 \\sqrt{q}}{1 + q} \\quad "
                        "\\beta = q",
     "The generalisation loss ends at {plain: generalisation loss at the end, against theory} without a penalty, at "
     "{ridge: generalisation loss at the end, against theory} with ridge, at {plain+momentum: generalisation loss at "
     "the end, against theory} and {ridge+momentum: generalisation loss at the end, against theory} with momentum.",
     .5, .1},
    {"regression-dense-text", REGRESSION,
     REGRESSION_FORMULA "\\text{plain descent from } S_0 \\text{ ends at } \\frac{1 - q}{2} |S_0 - T|^2",
     "Plain descent ends at {plain: generalisation loss at the end, against theory}, ridge at {ridge: generalisation "
     "loss at the end, against theory}.",
     .5, .1},
    {"regression-sparse", REGRESSION,
     REGRESSION_FORMULA "S_* = \\argmin_S \\frac{1}{2n} |X^\\top S - y|^2 + \\lambda |S|_1",
     "The optimum of the lasso has a generalisation loss of {lasso: generalisation loss of the optimum, against "
     "theory}, ridge {ridge: generalisation loss at the end, against theory}, plain descent {plain: generalisation "
     "loss at the end, against theory}; exact recovery would need {samples that exact recovery needs} samples.",
     1, .1},
    {"regression-sparse-text", REGRESSION,
     REGRESSION_FORMULA "S_* = \\argmin_S \\frac{1}{2n} |X^\\top S - y|^2 + \\lambda |S|_1",
     "The optimum of the lasso has a generalisation loss of {lasso: generalisation loss of the optimum, against "
     "theory}, ridge {ridge: generalisation loss at the end, against theory}, plain descent {plain: generalisation "
     "loss at the end, against theory}.",
     1, .1},
    {"regression-sparse-dense", REGRESSION,
     REGRESSION_FORMULA "S_* = \\argmin_S \\frac{1}{2n} |X^\\top S - y|^2 + \\lambda |S|_1",
     "The optimum of the lasso has a generalisation loss of {lasso: generalisation loss of the optimum, against "
     "theory}, ridge {ridge: generalisation loss at the end, against theory}, plain descent {plain: generalisation "
     "loss at the end, against theory}.",
     1, .1},
    {"rates", REGRESSION,
     "R = \\frac{2 \\sqrt{q}}{1 + q} \\quad \\lambda_R = \\frac{(1 - q)^2}{4 q^{3/2}} \\quad \\frac{\\text{epochs "
     "without momentum}}{\\text{with}} \\to \\frac{\\ln \\sqrt{q}}{\\ln R}\n"
     "\\frac{R_2(\\lambda_R)}{1 - q} - 1 = \\frac{1}{2} [\\frac{1 + 4 \\sqrt{q} + q}{(1 + \\sqrt{q}) \\sqrt{1 + 6 "
     "\\sqrt{q} + q}} - 1]",
     "Momentum saves a factor of {q = 0.3: saving by momentum, ln s/ln R} at q = .3, {q = 0.7: saving by momentum, ln "
     "s/ln R} at .7, {q = 0.9: saving by momentum, ln s/ln R} at .9; ridge of equal rate costs {what equal rates cost "
     "at most, share} of the loss at most.",
     1, .2},
    {"two-layer", LAYERED,
     "\\min_{M V = S} \\frac{1}{2} (|M|^2 + |V|^2) = |S| \\quad \\text{ridge with } \\lambda_{\\text{eff}} = "
     "\\lambda/|S|",
     "The expected loss is {no penalty: loss_gen} without a penalty and {weight decay: loss_gen, limit of many "
     "features} with weight decay, which leaves a first layer of rank {weight decay: rank of M, an outer product}; "
     "without, the rank is {no penalty: rank of M}.",
     2.5, .3},
    {"nonlinear", LAYERED, "f(x) = V \\text{relu}(M^\\top x)",
     "Without a penalty the training loss is {no penalty: loss_train}; the expected loss with an L1 penalty is {L1 "
     "over weight decay: loss_gen} of that with weight decay. Active units: {L1: active units, not the teacher's 10} "
     "with L1 as written, {L1 as it is right: active units} with L1 as it is right.",
     2.5, .3},
    {"toy", LAYERED,
     "L = 1 + x^2 + y^2 - 2 x \\cos\\theta_1 \\cos\\phi_1 - 2 y \\cos\\theta_2 \\cos\\phi_2 + 2 x y \\cos(v_1, v_2) "
     "\\cos(u_1, u_2) + \\Lambda (x + y)\n"
     "\\min L = \\Lambda - \\Lambda^2/4 \\quad \\text{on } x + y = 1 - \\Lambda/2",
     "Without the term 2xy the expansion is off by {the expansion as written, without 2xy, is off by}.", .2, .1},
    {"attention", LAYERED,
     "\\min_{W_Q W_K^\\top = M} \\frac{1}{2} (|W_Q|^2 + |W_K|^2) = \\sum_i \\sigma_i(M) \\quad \\sigma_i = (s_i - "
     "\\lambda)_+",
     "The sum of products of column norms is {column norms as drawn over the nuclear norm: they depend on the gauge} "
     "times the nuclear norm for factors as drawn, and {column norms of U S^(1/2), V S^(1/2) over the nuclear norm} "
     "times in the gauge of the singular vectors.",
     .4, .1},
    {"match-linear", MATCHING,
     "(U^\\top W U)_{ij} = \\frac{2 \\sigma_i \\sigma_j (V^\\top E_0 V)_{ij}}{4 \\sigma_i^2 \\sigma_j^2 + \\lambda} "
     "\\quad E_0 = S - X^\\top J X",
     "The linear model is off by {lam0 = 1e6: relative error of the linear model, median} of the weights at lam0 = 1e6 "
     "and by {lam0 = 1e9: relative error of the linear model, median} at 1e9.",
     .4, .1},
    {"match-full", MATCHING,
     "\\min_W \\frac{1}{2} |S - X^\\top (I + W)^\\top J (I + W) X|^2 + \\frac{\\lambda}{2} |W|^2\n"
     "2 X E_0 X^\\top = 4 X X^\\top W X X^\\top + \\lambda W \\quad (1)",
     "The two sides of equation (1) differ by {lam0 = 1e6: misfit of equation (1)} of the left one at lam0 = 1e6, by "
     "{lam0 = 1e9: misfit of equation (1)} at 1e9. The largest relative duality gap of all draws is {largest relative "
     "duality gap of all draws}: no other weights can be better by more.",
     .5, .1},
    {"match-global", MATCHING, "L(Z) \\ge d(E) \\quad \\text{for every } Z \\text{ and every feasible } E",
     "The best of all descents ends {best of all descents over the certified optimum, less 1} above the certified "
     "optimum, as a share of its loss; the duality gap of that is {relative duality gap of the certified optimum}.",
     .3, .01},
    {"match-diagonal", MATCHING,
     "Z = I + \\diag(d) + W \\quad \\frac{\\lambda_W}{2} |W|^2 + \\frac{\\lambda_d}{2} |d|^2",
     "A diagonal makes the linear model worse in {draws in which a diagonal makes the linear model worse} of 8 draws; "
     "the whole problem is better than both in {draws in which the whole problem is better than both}.",
     .4, .1},
    {"match-sparse", MATCHING, NULL,
     "The largest weight on the diagonal is {lam0 = 1e9: largest weight on the diagonal over the largest off it}, "
     "{lam0 = 1e6: the same} and {lam0 = 3e5: the same} times the largest one off it at lam0 = 1e9, 1e6 and 3e5.",
     .5, .1},
    {"match-transport", MATCHING,
     "Z X = X T \\quad T = G^{-1/2} (G^{1/2} S G^{1/2})^{1/2} G^{-1/2} \\quad G = X^\\top X",
     "Optimal transport moves activity {activity moved, optimal transport over CORAL} times as far as CORAL and "
     "{activity moved, optimal transport over least weights} times as far as the least weights, which are {weights, "
     "least over those of optimal transport} times as large as its own.",
     .2, .1},
    {"match-dynamics", MATCHING, "\\frac{dC}{dt} = 2 (S C + C S) - 4 C^2 \\quad \\frac{dq}{dt} = 2 q (s - q^2)", NULL,
     .3, .1},
    {"naive-cycle", LINEARIZED, "w_{k+1} = (B^\\top B + \\mu I)^{-1} B^\\top d \\quad B = B(w_k)",
     "With a ridge of .001 all starts end on one cycle of period {0/1 data, ridge 0.001: period}, with .01 of period "
     "{0/1 data, ridge 0.01: period}. The constant that fits best has {0/1 data, ridge 0.001: SSE of the best "
     "constant over the lowest on it} times the least sum of squares on the first of them: nothing was learned.",
     2, .5},
    {"open-questions", LINEARIZED, "T(w) = B^+ d \\quad T(w^*) - w^* = B^+ (f^* - B w^*) - (I - B^+ B) w^*",
     "From the optimum of the bump the iteration leaves by {bump: the naive step from the optimum} of its length, as "
     "the formula says to {bump: difference of that step and the formula}. On two linear layers two steps lead back to "
     "the start but for {two linear layers, as many outputs as inputs: |T(T(w)) - w|/|w|}. The scatter of estimates "
     "has the covariance s^2 (A'A)^-1 but for a relative difference of {covariance of estimates: relative difference "
     "of (A'A)^-1 s^2}.",
     1, .2},
    {"what-works", LINEARIZED, "(B^\\top B + \\mu I) p = B^\\top (d - f(w))",
     "With damping and acceleration a share of {bump: share of starts with success, default} of the starts ends at the "
     "best fit of the bump, and {sine: share of starts with success, default} at that of the sine; of the naive "
     "iteration {bump: share of starts with success, best of the naive}.",
     4, 1},
    {"evidence", LINEARIZED,
     "\\log p(d) = \\log p(d | w^*) - \\frac{\\alpha}{2} |w^*|^2 + \\frac{k}{2} \\log \\alpha - \\frac{1}{2} "
     "\\log |A| \\quad A = \\beta B^\\top B + \\alpha I",
     "The evidence is largest for {hidden units with the largest evidence} hidden units; {gamma} of their 7 weights "
     "are determined by the data.",
     1, .2},
    {"linearized", LINEARIZED, "f(x; w) \\approx f(x; w_0) + J(x) (w - w_0) \\quad K = J J^\\top",
     "The distance of the outputs falls as the width to the power {exponent of the width at test rows, t = 10} at t = "
     "10 and {exponent of the width at test rows, t = 100} at t = 100.",
     3, 1},
    {"nuts", LINEARIZED, "p(w | d) \\propto \\exp(-\\frac{\\beta}{2} |d - f(w)|^2 - \\frac{\\alpha}{2} |w|^2)",
     "The draws have the mean {f = tanh(w x): mean of w} for the weight of f = tanh(w x), which Laplace's "
     "approximation puts at .768.",
     3, .5},
    {"gaussian-posterior", LINEARIZED, "\\frac{\\text{mean } f - f(w^*)}{\\text{sd } f} \\propto n^{-1/2}",
     "The distance falls as n to the power {exponent of n in the distance of Laplace's approximation}.", 5, 1.5},
    {"calibration", LINEARIZED,
     "w \\sim p(w) \\quad d \\sim p(d | w) \\implies \\text{the rank of } w \\text{ among draws from } p(w | d) "
     "\\text{ is uniform}",
     "The chance of ranks as uneven as those of the outputs is {NUTS, f(x*): p of uniform ranks} by NUTS, and on the "
     "linear model {linear: Laplace, f(x*): p of uniform ranks} by Laplace's approximation; with the precision in the "
     "place of the covariance it is {A as covariance must fail: least p}.",
     4, .6},
    {"riccati", BEYOND,
     "\\tau \\frac{d}{dt} Q Q^\\top = F Q Q^\\top + Q Q^\\top F - (Q Q^\\top)^2 \\quad Q = (W_1^\\top; W_2)\n"
     "F = (-\\frac{\\lambda}{2} I, \\Sigma_{yx}^\\top; \\Sigma_{yx}, \\frac{\\lambda}{2} I)",
     NULL, .3, .01},
    {"discrete", BEYOND, "a \\to a + \\eta b (s - a b) \\quad b \\to b + \\eta a (s - a b)",
     "At η s = .4 the flow is {eta s = 0.4: the flow is early by, %} % early.", .3, .01},
    {"alignment", BEYOND,
     "A(t) = \\frac{\\langle K(t), K(\\infty) \\rangle}{|K(t)| |K(\\infty)|} \\quad K = X^\\top W_1^\\top W_1 X + "
     "|W_2|^2 X^\\top X",
     "The alignment is {alignment of the kernel at the start} at the start and {alignment when the loss has fallen by "
     "a tenth} when {share of the loss that is left then} of the loss is left.",
     .3, .01},
    {"completion", BEYOND, "\\tau \\frac{dW}{dt} = -\\sum_j (W W^\\top)^{(N - j)/N} G (W^\\top W)^{(j - 1)/N}",
     "On entries that were not observed depth 2 makes {depth 2 over depth 1: error on other entries} of the error of "
     "depth 1; its effective rank is {depth 2 over depth 1: effective rank} times, that of depth 3 {depth 3 over depth "
     "2: effective rank} times as large again.",
     1, .1},
    {"evolution", BEYOND,
     "\\tau^2 = \\frac{1}{\\delta} [\\rho H(\\tau) + (1 - \\rho) \\tau^2 K(\\alpha)] \\quad \\lambda \\sqrt{D} = "
     "\\alpha \\tau (1 - a/\\delta) \\quad \\text{loss} = \\delta \\tau^2/2",
     "For a typical teacher theory has {lambda = 0.0001: state evolution for a typical teacher} at λ = 1e-4 and "
     "{lambda = 0.0012: state evolution for a typical teacher} at 1.2e-3.",
     2, .2},
    {"recovery", BEYOND,
     "n > D \\min_\\alpha [\\epsilon (1 + \\alpha^2) + (1 - \\epsilon) K(\\alpha)] \\quad \\epsilon = d/D", NULL, 1,
     .5},
};

const lnt_experiment_page *lnt_experiment_page_of(const char *name)
{
    static const lnt_experiment_page unknown = {"", BEYOND, NULL, NULL, 2, .5};
    for (size_t k = 0; k < sizeof pages / sizeof *pages; k++)
        if (strcmp(pages[k].name, name) == 0)
            return &pages[k];
    return &unknown;
}
