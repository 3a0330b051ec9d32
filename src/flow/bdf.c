#include "stepper.h"

#include <cvodes/cvodes.h>
#include <cvodes/cvodes_ls.h>
#include <nvector/nvector_serial.h>
#include <stdint.h>
#include <string.h>
#include <sunlinsol/sunlinsol_spgmr.h>

/* Vectors that CVODES and GMRES hold, rounded up. */
#define VECTORS 48
/* Krylov vectors before GMRES gives up, and the Newton iteration with it. */
#define KRYLOV 20

typedef struct bdf {
    SUNContext sun;
    N_Vector y;
    SUNLinearSolver solver;
    void *cvode;
    bool stopped;  /* by a callback */
    long rejected; /* before */
} bdf;

static int slope(sunrealtype t, N_Vector y, N_Vector dy, void *user)
{
    lnt_stepper *s = user;
    bdf *m = s->method;
    int got = lnt_slope(s, N_VGetArrayPointer(dy), t, N_VGetArrayPointer(y));
    m->stopped |= got < 0;
    return got;
}

static int jacobian(N_Vector v, N_Vector Jv, sunrealtype t, N_Vector y, N_Vector dy, void *user, N_Vector scratch)
{
    lnt_stepper *s = user;
    bdf *m = s->method;
    (void)dy;
    (void)scratch;
    int got = s->ode->jacobian(N_VGetArrayPointer(Jv), N_VGetArrayPointer(v), t, N_VGetArrayPointer(y), s->ode->user);
    m->stopped |= got < 0;
    return got;
}

/* ---- Vectors: GMRES is little else, and SUNDIALS' own loops add one number at a time ---- */

static sunrealtype dot(N_Vector a, N_Vector b)
{
    return lnt_dot(NV_DATA_S(a), NV_DATA_S(b), (size_t)NV_LENGTH_S(a));
}

static sunrealtype weighted_norm(N_Vector x, N_Vector w)
{
    return lnt_weighted_norm(NV_DATA_S(x), NV_DATA_S(w), (size_t)NV_LENGTH_S(x));
}

static void linear_sum(sunrealtype a, N_Vector x, sunrealtype b, N_Vector y, N_Vector z)
{
    lnt_linear_sum(NV_DATA_S(z), a, NV_DATA_S(x), b, NV_DATA_S(y), (size_t)NV_LENGTH_S(x));
}

static void use_own_loops(N_Vector v)
{
    v->ops->nvdotprod = dot;
    v->ops->nvdotprodlocal = dot;
    v->ops->nvwrmsnorm = weighted_norm;
    v->ops->nvlinearsum = linear_sum;
}

/* SUNDIALS would print its messages. */
static void quiet(int code, const char *module, const char *function, char *message, void *user)
{
    (void)code;
    (void)module;
    (void)function;
    (void)message;
    (void)user;
}

static void count(lnt_stepper *s)
{
    const bdf *m = s->method;
    long failures = 0, unsolved = 0;
    CVodeGetNumErrTestFails(m->cvode, &failures);
    CVodeGetNumStepSolveFails(m->cvode, &unsolved);
    s->rejected = m->rejected + failures + unsolved;
}

static int advance(lnt_stepper *s)
{
    bdf *m = s->method;
    double before = s->t;
    int flag = CVode(m->cvode, s->end, m->y, &s->t, CV_ONE_STEP);
    count(s);
    if (m->stopped)
        return STEP_STOPPED;
    if (flag == CV_FIRST_RHSFUNC_ERR)
        return STEP_REJECTED;
    if (flag == CV_MEM_FAIL)
        return STEP_NOMEM;
    if (flag < 0 || s->t == before) /* SUNDIALS would go on with steps too small to move t */
        return STEP_STUCK;
    s->from = before;
    s->steps++;
    return STEP_DONE;
}

static int at(lnt_stepper *s, double time, double *y)
{
    bdf *m = s->method;
    if (time == s->t) {
        memcpy(y, s->y, s->ode->size * sizeof *y);
        return STEP_DONE;
    }
    N_Vector out = N_VMake_Serial((sunindextype)s->ode->size, y, m->sun);
    int flag = out ? CVodeGetDky(m->cvode, time, 0, out) : CV_MEM_FAIL;
    N_VDestroy(out);
    return flag == CV_SUCCESS ? STEP_DONE : STEP_NOMEM;
}

static void close(lnt_stepper *s)
{
    bdf *m = s->method;
    CVodeFree(&m->cvode);
    if (m->solver)
        SUNLinSolFree(m->solver);
    if (m->y)
        N_VDestroy(m->y);
    SUNContext_Free(&m->sun);
}

static bool make(lnt_stepper *s, bdf *m)
{
    if (SUNContext_Create(NULL, &m->sun) != 0)
        return false;
    m->y = N_VMake_Serial((sunindextype)s->ode->size, s->y, m->sun);
    m->cvode = CVodeCreate(CV_BDF, m->sun);
    if (!m->y || !m->cvode || CVodeSetErrHandlerFn(m->cvode, quiet, NULL) != CV_SUCCESS)
        return false;
    use_own_loops(m->y);
    m->solver = SUNLinSol_SPGMR(m->y, SUN_PREC_NONE, KRYLOV, m->sun);
    return m->solver && CVodeInit(m->cvode, slope, s->t, m->y) == CV_SUCCESS &&
           CVodeSStolerances(m->cvode, s->opts->rtol, s->opts->atol) == CV_SUCCESS &&
           CVodeSetUserData(m->cvode, s) == CV_SUCCESS && CVodeSetStopTime(m->cvode, s->end) == CV_SUCCESS &&
           CVodeSetMaxNumSteps(m->cvode, -1) == CV_SUCCESS &&
           CVodeSetLinearSolver(m->cvode, m->solver, NULL) == CV_SUCCESS &&
           (!s->ode->jacobian || CVodeSetJacTimes(m->cvode, NULL, jacobian) == CV_SUCCESS);
}

/* SUNDIALS 6.4 does not survive an allocation of its own that fails: ask for the room beforehand. */
static bool has_room(size_t n)
{
    void *room =
        n < SIZE_MAX / (VECTORS * sizeof(double)) ? lnt_heap_resize(NULL, VECTORS * n * sizeof(double) + 1) : NULL;
    lnt_heap_free(room);
    return room != NULL;
}

int lnt_bdf_open(lnt_stepper *s)
{
    size_t n = s->ode->size;
    bdf *m = lnt_alloc_zero(s->ctx, 1, sizeof *m);
    double *y = lnt_alloc(s->ctx, n, sizeof *y);
    if (!m || !y || !has_room(n))
        return STEP_NOMEM;
    memcpy(y, s->y, n * sizeof *y);
    s->y = y;
    m->rejected = s->rejected;
    s->stiff = false;
    s->method = m;
    s->advance = advance;
    s->at = at;
    s->close = close;
    return make(s, m) ? STEP_DONE : STEP_NOMEM;
}
