# Writes the bytes of INPUT as the C array NAME, with NAME_size beside it, to OUTPUT.
file(READ ${INPUT} hex HEX)
file(SIZE ${INPUT} size)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"digits.h\"\n\nconst uint8_t ${NAME}[] = {\n${bytes}};\nconst size_t ${NAME}_size = ${size};\n")
