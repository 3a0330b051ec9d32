/* Fails on purpose: ctest expects it to. If this passes, no other test means anything. */
#include "check.h"

static void a_wrong_number_is_noticed(void **state)
{
    (void)state;
    check_near(1 + 1e-9, 1, 1e-10, "a wrong number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_wrong_number_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
