# Writes the bytes of INPUT, ended by NUL, as the C array NAME, with NAME_size (without the NUL) beside it, to OUTPUT.
# HEADER declares both.
file(READ ${INPUT} hex HEX)
file(SIZE ${INPUT} size)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\nconst uint8_t ${NAME}[] = {\n${bytes}0};\nconst size_t ${NAME}_size = ${size};\n")
