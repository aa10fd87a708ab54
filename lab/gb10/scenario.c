/* Reads the scenario file and finds the line that answers a question; the grammar is in scenario.h. */
#define _GNU_SOURCE
#include "scenario.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MOST_LINES = 512 };

struct line {
    int gpu, error;
    char name[80], text[96];
    double value, second, per_second, wait;
};

static struct line lines[MOST_LINES];
static int line_count;
static struct stat read_from; /* the file as it was when `lines` were read */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The words after "=" of one line; 0 when one of them makes no sense. */
static int read_words(char *words, struct line *line) {
    int numbers = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        double *slot = !strcmp(word, "per_second") ? &line->per_second : !strcmp(word, "wait") ? &line->wait : NULL;
        int is_error = !strcmp(word, "error");
        if (slot || is_error) {
            char *number = strtok_r(NULL, " \t", &rest), *end = NULL;
            double value = number ? strtod(number, &end) : 0;
            if (!number || *end) return 0;
            if (is_error) line->error = (int)value;
            else *slot = value;
            continue;
        }
        if (strlen(line->text) + strlen(word) + 2 > sizeof line->text) return 0;
        if (*line->text) strcat(line->text, " ");
        strcat(line->text, word);
        if (numbers == 0) line->value = strtod(word, NULL);
        if (numbers++ == 1) line->second = strtod(word, NULL);
    }
    return 1;
}

static void read_file(FILE *file, const char *path) {
    char buffer[512];
    int gpu = EVERY_GPU;
    line_count = 0;
    for (int number = 1; fgets(buffer, sizeof buffer, file); number++) {
        buffer[strcspn(buffer, "#\r\n")] = 0;
        if (!buffer[strspn(buffer, " \t")] || !strncmp(buffer, "sys/", 4)) continue;
        if (sscanf(buffer, " [gpu %d]", &gpu) == 1) continue;
        if (strstr(buffer, "[every gpu]")) {
            gpu = EVERY_GPU;
            continue;
        }
        struct line line = {.gpu = gpu};
        int words = 0;
        if (line_count < MOST_LINES && sscanf(buffer, " %79[^ =\t] = %n", line.name, &words) == 1 && words &&
            read_words(buffer + words, &line))
            lines[line_count++] = line;
        else
            fprintf(stderr, "simulated NVML: %s:%d: not understood, skipped\n", path, number);
    }
}

/* Reads the file if it is another than last time; seconds since it was written, or -1 without a file. Lock held. */
static double refresh(void) {
    const char *path = getenv("NVML_SCENARIO");
    struct stat now;
    struct timespec clock;
    if (!path) path = DEFAULT_SCENARIO;
    if (stat(path, &now)) return -1;
    if (now.st_ino != read_from.st_ino || now.st_dev != read_from.st_dev || now.st_size != read_from.st_size ||
        memcmp(&now.st_mtim, &read_from.st_mtim, sizeof now.st_mtim)) {
        FILE *file = fopen(path, "re");
        if (!file) return -1;
        read_file(file, path);
        fclose(file);
        read_from = now;
    }
    clock_gettime(CLOCK_REALTIME, &clock);
    double age = (double)(clock.tv_sec - now.st_mtim.tv_sec) + (double)(clock.tv_nsec - now.st_mtim.tv_nsec) / 1e9;
    return age < 0 ? 0 : age;
}

/* The line that answers: the most particular one, and of equals the last. */
static const struct line *find(int gpu, const char *name, long argument) {
    char particular[96];
    const struct line *best = NULL;
    int best_rank = 0;
    snprintf(particular, sizeof particular, "%s.%ld", name, argument);
    for (int i = 0; i < line_count; i++) {
        int by_argument = argument != NO_ARGUMENT && !strcmp(lines[i].name, particular);
        int by_gpu = lines[i].gpu != EVERY_GPU && lines[i].gpu == gpu;
        if (!by_argument && strcmp(lines[i].name, name)) continue;
        if (!by_gpu && lines[i].gpu != EVERY_GPU) continue;
        int rank = 2 * by_gpu + by_argument;
        if (rank >= best_rank) best = &lines[i], best_rank = rank;
    }
    return best;
}

static void block(double seconds) {
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (seconds > 0 && nanosleep(&left, &left) && errno == EINTR) {
    }
}

int scenario_ask(int gpu, const char *name, long argument, struct answer *answer) {
    double wait = 0;
    memset(answer, 0, sizeof *answer);
    answer->code = NOT_SUPPORTED;
    pthread_mutex_lock(&lock);
    double age = refresh();
    const struct line *line = find(gpu, name, argument), *all = gpu == EVERY_GPU ? NULL : find(gpu, "*", NO_ARGUMENT);
    if (line) {
        wait = line->wait;
        answer->code = line->error;
        answer->value = line->value + line->per_second * age;
        answer->second = line->second;
        strcpy(answer->text, line->text);
    }
    if (all && all->error) answer->code = all->error;
    if (all && all->wait > wait) wait = all->wait;
    if (age < 0) answer->code = DRIVER_NOT_LOADED;
    pthread_mutex_unlock(&lock); /* before blocking: one hung call must not hang the other threads */
    block(wait);
    return answer->code;
}

unsigned scenario_processes(int gpu, const char *kind, struct process found[MOST_PROCESSES]) {
    unsigned count = 0;
    char this_kind[16];
    pthread_mutex_lock(&lock);
    for (int i = 0; i < line_count && count < MOST_PROCESSES; i++) {
        if (strcmp(lines[i].name, "process") || (lines[i].gpu != EVERY_GPU && lines[i].gpu != gpu)) continue;
        struct process *next = &found[count];
        if (sscanf(lines[i].text, "%15s %u %llu", this_kind, &next->pid, &next->bytes) != 3) continue;
        if (!strcmp(this_kind, kind)) count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
