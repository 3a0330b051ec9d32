/* Feeds every file of the folders it is given to a fuzzer's entry point, so that any compiler can replay a corpus. */
#include "fuzz.h"

#include <dirent.h>

static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    CHECK(file);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    rewind(file);
    /* Exactly as long as the file, so that a reader that goes too far is seen by sanitizers and valgrind. */
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    CHECK(size >= 0 && bytes);
    CHECK(fread(bytes, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        CHECK(snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path);
        fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
        replay(path);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
