"""Fails on purpose: ctest expects it to. If this passes, no other test means anything."""
from e2e import linnet, main


def test_a_wrong_exit_code_is_noticed():
    linnet("version", code=1)


main(globals())
