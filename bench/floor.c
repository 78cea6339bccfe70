/* The floor: COUNT programs, SLOTS at a time, started by posix_spawn and waited for. Usage: floor COUNT SLOTS PROGRAM [ARG...] */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
    long count = argc > 3 ? atol(argv[1]) : 0, slots = argc > 3 ? atol(argv[2]) : 0, running = 0;
    pid_t pid;
    if (count < 1 || slots < 1)
        return fprintf(stderr, "usage: floor COUNT SLOTS PROGRAM [ARG...]\n"), 2;
    while (count > 0 || running > 0) {
        if (count > 0 && running < slots) {
            if (posix_spawnp(&pid, argv[3], NULL, NULL, argv + 3, environ) != 0)
                return perror(argv[3]), 1;
            count--, running++;
        } else if (wait(NULL) > 0) {
            running--;
        }
    }
    return 0;
}
