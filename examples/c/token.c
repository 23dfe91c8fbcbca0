/*
 * Gets a token for an application.
 *
 *   cc token.c -I ../../bindings/c -L <folder of the library> -ltokenkit -o token
 *   CLIENT_SECRET=... ./token https://as.example/token demo-client
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenkit.h"

int main(int argc, char **argv) {
    const char *secret = getenv("CLIENT_SECRET");
    if (argc != 3 || secret == NULL) {
        fprintf(stderr, "usage: CLIENT_SECRET=... %s <token endpoint> <client id>\n", argv[0]);
        return 2;
    }
    /* For brevity: a secret with quotes or backslashes wants a JSON library. */
    char request[4096];
    int length = snprintf(request, sizeof request,
                          "{\"endpoint\":\"%s\",\"client_id\":\"%s\",\"scope\":\"api.read\","
                          "\"authentication\":{\"method\":\"client_secret_basic\",\"secret\":\"%s\"},"
                          "\"grant\":{\"type\":\"client_credentials\"}}",
                          argv[1], argv[2], secret);
    if (length < 0 || (size_t)length >= sizeof request) {
        fprintf(stderr, "The request is too long.\n");
        return 2;
    }

    TokenkitClient *client = tokenkit_client_new();
    char *answer = tokenkit_token(client, request, NULL);
    /* A failure has the member "error" and nothing else. */
    int failed = strncmp(answer, "{\"error\":", 9) == 0;
    fprintf(failed ? stderr : stdout, "%s\n", answer);
    tokenkit_string_free(answer);
    tokenkit_client_free(client);
    return failed;
}
