#include "linnet/linalg.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t pin_lock = PTHREAD_MUTEX_INITIALIZER;
static int pin_depth, threads_before;

void lnt_blas_pin(void)
{
    pthread_mutex_lock(&pin_lock);
    if (pin_depth++ == 0) {
        threads_before = openblas_get_num_threads();
        if (threads_before != 1)
            openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&pin_lock);
}

void lnt_blas_unpin(void)
{
    pthread_mutex_lock(&pin_lock);
    if (--pin_depth == 0 && threads_before != 1)
        openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&pin_lock);
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
