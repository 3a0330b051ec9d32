#include "linnet/linalg.h"

#include "pin.h"

#include <cblas.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>

/* Two settings decide how many threads OpenBLAS starts. Its own number is one of the process. Built with OpenMP it
 * looks at OpenMP's number instead, which every thread has for itself, and which environment variables set
 * independently; it hangs where it then gets fewer threads than it asked for, as inside a parallel region. So both are
 * held at one. */
static pthread_mutex_t pin_lock = PTHREAD_MUTEX_INITIALIZER;
static int pin_depth, blas_before;
static _Thread_local int openmp_before;
_Thread_local int lnt_pin_depth;

void lnt_blas_pin(void)
{
    if (lnt_pin_depth++ == 0)
        openmp_before = omp_get_max_threads();
    pthread_mutex_lock(&pin_lock);
    if (pin_depth++ == 0) {
        blas_before = openblas_get_num_threads();
        if (blas_before != 1)
            openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&pin_lock);
    omp_set_num_threads(1);
}

void lnt_blas_unpin(void)
{
    pthread_mutex_lock(&pin_lock);
    if (--pin_depth == 0 && blas_before != 1)
        openblas_set_num_threads(blas_before); /* sets OpenMP's number of this thread too */
    pthread_mutex_unlock(&pin_lock);
    omp_set_num_threads(--lnt_pin_depth == 0 ? openmp_before : 1);
}

bool lnt_blas_reentrant(void)
{
    return openblas_get_parallel() != 0;
}

static char description[256];
static pthread_once_t description_once = PTHREAD_ONCE_INIT;

static void describe(void)
{
    static const char *const kinds[] = {"without threads", "with POSIX threads", "with OpenMP"};
    int kind = openblas_get_parallel();
    snprintf(description, sizeof description, "%s, kernel %s, built %s", openblas_get_config(), openblas_get_corename(),
             kind >= 0 && kind <= 2 ? kinds[kind] : "for unknown threads");
}

const char *lnt_blas_description(void)
{
    pthread_once(&description_once, describe);
    return description;
}
