/*
 * The C API used as it should not be, and as hard as it may be.
 *
 * misuse_test <server> <milliseconds>: the server's http address; the second argument is for the other program.
 * Prints a line "ok <test>" or "FAILED <test>: <why>" for each test; the exit code tells whether one failed.
 */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 32, ROUNDS = 10 };

typedef char *Call(const TokenkitClient *, const char *, const TokenkitCancel *);

static Call *const CALLS[] = {tokenkit_token, tokenkit_device_token, tokenkit_metadata, tokenkit_jwt_sign,
                              tokenkit_jwt_verify};
enum { CALL_COUNT = sizeof CALLS / sizeof *CALLS };

static bool null_at_every_place(char *why, size_t why_size) {
    TokenkitCancel *cancel = tokenkit_cancel_new();
    for (int i = 0; i < CALL_COUNT; i++) {
        for (int places = 0; places < 8; places++) {
            const TokenkitClient *some_client = places & 1 ? client : NULL;
            const char *some_request = places & 2 ? "{}" : NULL;
            CHECK(holds(CALLS[i](some_client, some_request, places & 4 ? cancel : NULL), "\"category\":\"invalid_input\""));
        }
    }
    tokenkit_cancel_free(cancel);
    return true;
}

static bool requests_of_other_functions(char *why, size_t why_size) {
    const char *requests[] = {"{\"issuer\":\"x\",\"tokens\":[]}", "{\"tokens\":[],\"keys\":{\"type\":\"secret\"}}",
                              "{\"request\":{\"request\":{}}}", "[[[[[[[[", "\"\\ud800\"", "{\"issuer\":\"\\u0000\"}"};
    for (int i = 0; i < CALL_COUNT; i++) {
        for (size_t j = 0; j < sizeof requests / sizeof *requests; j++) {
            CHECK(holds(CALLS[i](client, requests[j], NULL), "\"category\":\"invalid_input\""));
        }
    }
    return true;
}

static bool a_request_of_a_megabyte(char *why, size_t why_size) {
    enum { SIZE = 1024 * 1024 };
    char *text = malloc(SIZE + 1);
    CHECK(text != NULL);
    memset(text, '[', SIZE);
    text[SIZE] = '\0';
    char *answer = tokenkit_token(client, text, NULL);
    free(text);
    CHECK(holds(answer, "\"category\":\"invalid_input\""));
    return true;
}

static void *trigger(void *cancel) {
    for (int i = 0; i < 100; i++) {
        tokenkit_cancel_trigger(cancel);
    }
    return NULL;
}

static bool cancelled_many_times(char *why, size_t why_size) {
    char json[1024];
    TokenkitCancel *cancel = tokenkit_cancel_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, trigger, cancel) == 0);
    }
    char *answer = tokenkit_token(client, request(json, sizeof json, "/slow?ms=60000", "demo-secret"), cancel);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    tokenkit_cancel_trigger(cancel);
    CHECK(holds(answer, "\"category\":\"cancelled\""));
    tokenkit_cancel_free(cancel);
    return true;
}

static void *free_soon(void *cancel) {
    sleep_ms(200);
    tokenkit_cancel_free(cancel);
    return NULL;
}

static bool a_handle_freed_during_its_call(char *why, size_t why_size) {
    char json[1024];
    TokenkitCancel *cancel = tokenkit_cancel_new();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_soon, cancel) == 0);
    char *answer = tokenkit_token(client, request(json, sizeof json, "/slow?ms=600", "demo-secret"), cancel);
    pthread_join(thread, NULL);
    CHECK(holds(answer, "\"status\":200"));
    return true;
}

/* Calls of all kinds with the client of all, and others with a client that lives for one call. */
static void *work(void *number) {
    long good = 0;
    char json[1024];
    for (long round = 0; round < ROUNDS; round++) {
        switch (((long)number + round) % 5) {
        case 0:
            good += holds(tokenkit_token(client, request(json, sizeof json, "/token", "demo-secret"), NULL), "\"status\":200");
            break;
        case 1:
            good += holds(tokenkit_token(client, request(json, sizeof json, "/token", "wrong"), NULL), "invalid_client");
            break;
        case 2:
            good += holds(tokenkit_token(client, "{\"endpoint\":\"panic:\",\"grant\":{\"type\":\"client_credentials\"}}", NULL),
                          "internal_error");
            break;
        case 3: {
            TokenkitClient *own = tokenkit_client_new();
            good += holds(tokenkit_token(own, request(json, sizeof json, "/token", "demo-secret"), NULL), "\"status\":200");
            tokenkit_client_free(own);
            break;
        }
        default: {
            TokenkitCancel *cancel = tokenkit_cancel_new();
            tokenkit_cancel_trigger(cancel);
            good += holds(tokenkit_token(client, request(json, sizeof json, "/slow?ms=60000", "s"), cancel), "cancelled");
            tokenkit_cancel_free(cancel);
            break;
        }
        }
    }
    return (void *)good;
}

static bool many_threads(char *why, size_t why_size) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    }
    long good = 0;
    for (int i = 0; i < THREADS; i++) {
        void *count = NULL;
        pthread_join(threads[i], &count);
        good += (long)count;
    }
    CHECK(good == (long)THREADS * ROUNDS);
    return true;
}

static void *slow_call(void *own) {
    char json[1024];
    return tokenkit_token(own, request(json, sizeof json, "/slow?ms=1500", "demo-secret"), NULL);
}

static bool a_client_freed_during_many_calls(char *why, size_t why_size) {
    TokenkitClient *own = tokenkit_client_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, slow_call, own) == 0);
    }
    /* Every call has its own share of the client by now. */
    sleep_ms(700);
    tokenkit_client_free(own);
    int good = 0;
    for (int i = 0; i < THREADS; i++) {
        void *answer = NULL;
        pthread_join(threads[i], &answer);
        good += holds(answer, "\"status\":200");
    }
    CHECK(good == THREADS);
    return true;
}

/* A process of its own ends while a call runs: by exit, which runs the destructors, and without. */
static bool the_process_ends_during_a_call(char *why, size_t why_size) {
    for (int at_once = 0; at_once < 2; at_once++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            TokenkitClient *own = tokenkit_client_new();
            pthread_t threads[4];
            for (int i = 0; i < 4; i++) {
                pthread_create(&threads[i], NULL, slow_call, own);
            }
            sleep_ms(500);
            at_once ? _exit(7) : exit(7);
        }
        int status = 0;
        pid_t ended = 0;
        for (int waited = 0; waited < 300 && ended == 0; waited++) {
            sleep_ms(100);
            ended = waitpid(child, &status, WNOHANG);
        }
        if (ended == 0) {
            kill(child, SIGKILL);
        }
        CHECK(ended == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    return true;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s <server> <milliseconds>\n", arguments[0]);
        return 2;
    }
    server = arguments[1];
    /* Before this process has threads, which a child would lack. */
    run("the process ends during a call", the_process_ends_during_a_call);
    client = tokenkit_client_new();
    if (client == NULL) {
        fprintf(stderr, "there is no client\n");
        return 2;
    }
    run("NULL at every place", null_at_every_place);
    run("requests of other functions", requests_of_other_functions);
    run("a request of a megabyte", a_request_of_a_megabyte);
    run("cancelled many times", cancelled_many_times);
    run("a handle freed during its call", a_handle_freed_during_its_call);
    run("many threads", many_threads);
    run("a client freed during many calls", a_client_freed_during_many_calls);
    tokenkit_client_free(client);
    return any_failed;
}
