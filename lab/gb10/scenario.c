/* Reads the scenario file and finds the line that answers a question; the grammar is in scenario.h. */
#define _GNU_SOURCE
#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LINES = 2048 };

struct line {
    int gpu, error;
    char name[80], text[96];
    double value, second, per_second, wait;
    double ramp_to, ramp_seconds; /* from `value`; 0 seconds: no ramp */
    double after, until;          /* seconds after the scenario's start; until 0: for ever */
    char touch[160];              /* a file that the call writes to first */
};

static struct line lines[MOST_LINES];
static int line_count;
static struct stat read_from; /* the file as it was when `lines` were read */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The number that the next word is; 0 when it is none. */
static int read_number(char **rest, double *number) {
    char *word = strtok_r(NULL, " \t", rest), *end = NULL;
    if (word) *number = strtod(word, &end);
    return word && !*end;
}

/* The words after "=" of one line; 0 when one of them makes no sense. */
static int read_words(char *words, struct line *line) {
    int numbers = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        double code;
        double *slot = !strcmp(word, "per_second") ? &line->per_second : !strcmp(word, "wait") ? &line->wait
                     : !strcmp(word, "after")      ? &line->after      : !strcmp(word, "until") ? &line->until : NULL;
        if (slot) {
            if (!read_number(&rest, slot)) return 0;
        } else if (!strcmp(word, "error")) {
            if (!read_number(&rest, &code)) return 0;
            line->error = (int)code;
        } else if (!strcmp(word, "write")) {
            char *path = strtok_r(NULL, " \t", &rest);
            if (!path || strlen(path) >= sizeof line->touch) return 0;
            strcpy(line->touch, path);
        } else if (!strcmp(word, "ramp")) {
            if (!read_number(&rest, &line->value) || !read_number(&rest, &line->ramp_to) ||
                !read_number(&rest, &line->ramp_seconds) || line->ramp_seconds <= 0)
                return 0;
        } else {
            if (strlen(line->text) + strlen(word) + 2 > sizeof line->text) return 0;
            if (*line->text) strcat(line->text, " ");
            strcat(line->text, word);
            if (numbers == 0) line->value = strtod(word, NULL);
            if (numbers++ == 1) line->second = strtod(word, NULL);
        }
    }
    return 1;
}

/* Files and kernel records are the player's business (statements.py); 1 when `text` is about them. */
static int is_players(const char *text) {
    static const char *const starts[] = {"sys/", "proc/", "root/", "tools/", "kmsg ", "fill "};
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncmp(text, starts[i], strlen(starts[i]))) return 1;
    return 0;
}

static void read_file(FILE *file, const char *path) {
    char *buffer = NULL;
    size_t room = 0;
    int gpu = EVERY_GPU, is_in_block = 0;
    line_count = 0;
    for (int number = 1; getline(&buffer, &room, file) >= 0; number++) {
        buffer[strcspn(buffer, "\r\n")] = 0;
        if (is_in_block) {
            is_in_block = strcmp(buffer, ">>") != 0;
            continue;
        }
        buffer[strcspn(buffer, "#")] = 0;
        size_t length = strlen(buffer);
        while (length && strchr(" \t", buffer[length - 1])) buffer[--length] = 0;
        if (is_players(buffer)) {
            is_in_block = length > 4 && !strcmp(buffer + length - 4, "= <<");
            continue;
        }
        if (!buffer[strspn(buffer, " \t")]) continue;
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
    free(buffer);
}

/* Reads the file if it is another than last time; seconds since it was written, or -1 without a file. Lock held. */
static double refresh(void) {
    const char *path = getenv("NVML_SCENARIO"), *fixed = getenv("NVML_SCENARIO_AGE");
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
    if (fixed) return atof(fixed);
    clock_gettime(CLOCK_REALTIME, &clock);
    double age = (double)(clock.tv_sec - now.st_mtim.tv_sec) + (double)(clock.tv_nsec - now.st_mtim.tv_nsec) / 1e9;
    return age < 0 ? 0 : age;
}

static int holds_now(const struct line *line, double age) {
    return age >= line->after && (line->until <= 0 || age < line->until);
}

/* A line's value `age` seconds after the scenario's start; growth begins when the line begins to hold. */
static double value_now(const struct line *line, double age) {
    double run = age - line->after, done = line->ramp_seconds > 0 ? fmin(run / line->ramp_seconds, 1) : 0;
    return line->value + (line->ramp_to - line->value) * done + line->per_second * run;
}

/* The line that answers: the most particular one that holds now, and of equals the last. */
static const struct line *find(int gpu, const char *name, long argument, double age) {
    char particular[96];
    const struct line *best = NULL;
    int best_rank = 0;
    snprintf(particular, sizeof particular, "%s.%ld", name, argument);
    for (int i = 0; i < line_count; i++) {
        int by_argument = argument != NO_ARGUMENT && !strcmp(lines[i].name, particular);
        int by_gpu = lines[i].gpu != EVERY_GPU && lines[i].gpu == gpu;
        if (!by_argument && strcmp(lines[i].name, name)) continue;
        if ((!by_gpu && lines[i].gpu != EVERY_GPU) || !holds_now(&lines[i], age)) continue;
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

/* Writes to a file: where its file system is frozen, the kernel does not come back, and no signal ends that. */
static void touch(const char *path) {
    int file = *path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (file < 0) return;
    if (write(file, "\n", 1) < 0) perror(path);
    close(file);
}

int scenario_ask(int gpu, const char *name, long argument, struct answer *answer) {
    char path[sizeof lines->touch] = "";
    double wait = 0;
    memset(answer, 0, sizeof *answer);
    answer->code = NOT_SUPPORTED;
    pthread_mutex_lock(&lock);
    double age = refresh();
    const struct line *line = find(gpu, name, argument, age);
    const struct line *all = gpu == EVERY_GPU ? NULL : find(gpu, "*", NO_ARGUMENT, age);
    if (line) {
        wait = line->wait;
        answer->code = line->error;
        answer->value = value_now(line, age);
        answer->second = line->second;
        strcpy(answer->text, line->text);
        strcpy(path, line->touch);
    }
    if (all && *all->touch) strcpy(path, all->touch);
    if (all && all->error) answer->code = all->error;
    if (all && all->wait > wait) wait = all->wait;
    if (age < 0) answer->code = DRIVER_NOT_LOADED;
    pthread_mutex_unlock(&lock); /* before blocking: one hung call must not hang the other threads */
    touch(path);
    block(wait);
    return answer->code;
}

unsigned scenario_processes(int gpu, const char *kind, struct process found[MOST_PROCESSES]) {
    unsigned count = 0;
    char this_kind[16];
    pthread_mutex_lock(&lock);
    double age = refresh();
    for (int i = 0; i < line_count && count < MOST_PROCESSES; i++) {
        if (strcmp(lines[i].name, "process") || (lines[i].gpu != EVERY_GPU && lines[i].gpu != gpu)) continue;
        if (!holds_now(&lines[i], age)) continue;
        struct process *next = &found[count];
        if (sscanf(lines[i].text, "%15s %u %llu", this_kind, &next->pid, &next->bytes) != 3) continue;
        if (!strcmp(this_kind, kind)) count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
