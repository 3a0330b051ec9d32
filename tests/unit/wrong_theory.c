/* Closed forms that are wrong, in place of those of the library: the program that is linked with them (--wrap) must not
 * find that its experiments hold. */
#include "linnet/lasso_risk.h"
#include "linnet/modes.h"
#include "linnet/spectrum.h"

double __real_lnt_mode_product(const lnt_mode *mode, double T);
double __wrap_lnt_mode_product(const lnt_mode *mode, double T);
double __real_lnt_depth_at(double u0, double s, int L, double T);
double __wrap_lnt_depth_at(double u0, double s, int L, double T);
void __real_lnt_map_steps(double *a, double *b, int h, double s, double eta, long steps);
void __wrap_lnt_map_steps(double *a, double *b, int h, double s, double eta, long steps);
double __real_lnt_recovery_probability(int features, int samples, int nonzero);
double __wrap_lnt_recovery_probability(int features, int samples, int nonzero);
lnt_status __real_lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                    const lnt_smooth_rule *rule, int count, const double *times);
lnt_status __wrap_lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                    const lnt_smooth_rule *rule, int count, const double *times);

/* time runs a thousandth faster */
double __wrap_lnt_mode_product(const lnt_mode *mode, double T)
{
    return __real_lnt_mode_product(mode, 1.001 * T);
}

double __wrap_lnt_depth_at(double u0, double s, int L, double T)
{
    return __real_lnt_depth_at(u0, s, L, 1.001 * T);
}

/* the step of the square, not of eta */
void __wrap_lnt_map_steps(double *a, double *b, int h, double s, double eta, long steps)
{
    __real_lnt_map_steps(a, b, h, s, eta * eta, steps);
}

/* one sample less than there are */
double __wrap_lnt_recovery_probability(int features, int samples, int nonzero)
{
    return __real_lnt_recovery_probability(features, samples - features / 20, nonzero);
}

/* twice the loss: the half is forgotten */
lnt_status __wrap_lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                    const lnt_smooth_rule *rule, int count, const double *times)
{
    lnt_status status = __real_lnt_predict_curve(ctx, loss, student, rule, count, times);
    for (int k = 0; k < count && status == LNT_OK; k++)
        loss[k].gen *= 2;
    return status;
}
