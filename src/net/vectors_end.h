/* Room for the next kind of vectors.h. */
#undef NAME
#undef TARGET
#undef VEC
#undef LOOSE
#undef IVEC
#undef WIDTH
#undef MULTIPLY_ADD
#undef LEAST
#undef MOST
