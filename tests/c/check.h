/*
 * What the C programs share: tests that print a line each, pauses, requests and answers.
 */
#ifndef CHECK_H
#define CHECK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tokenkit.h"

static const char *server;
static TokenkitClient *client;
static bool any_failed;

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            snprintf(why, why_size, "line %d: %s", __LINE__, #condition);                 \
            return false;                                                                 \
        }                                                                                 \
    } while (0)

typedef bool Test(char *why, size_t why_size);

static void run(const char *name, Test *test) {
    char why[512] = "";
    if (test(why, sizeof why)) {
        printf("ok %s\n", name);
    } else {
        printf("FAILED %s: %s\n", name, why);
        any_failed = true;
    }
    fflush(stdout);
}

static void sleep_ms(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Whether a text contains a part; frees the text. */
static bool holds(char *text, const char *part) {
    bool found = text != NULL && strstr(text, part) != NULL;
    if (!found) {
        fprintf(stderr, "expected %s in %s\n", part, text == NULL ? "NULL" : text);
    }
    tokenkit_string_free(text);
    return found;
}

/* A request by demo-client for a token of its own. */
static const char *request(char *buffer, size_t size, const char *path, const char *secret) {
    snprintf(buffer, size,
             "{\"endpoint\":\"%s%s\",\"client_id\":\"demo-client\","
             "\"authentication\":{\"method\":\"client_secret_basic\",\"secret\":\"%s\"},"
             "\"grant\":{\"type\":\"client_credentials\"},\"http\":{\"max_retries\":0}}",
             server, path, secret);
    return buffer;
}

#endif
