/*
 * The C API from C, against the test server.
 *
 * tokenkit_test <server> <milliseconds>: the server's http address, and how long a cancelled call may take.
 * Prints a line "ok <test>" or "FAILED <test>: <why>" for each test; the exit code tells whether one failed.
 */
#include "check.h"

enum { THREADS = 8 };

static double cancel_limit_ms;

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static bool version(char *why, size_t why_size) {
    unsigned major = 0, minor = 0, patch = 0;
    CHECK(sscanf(tokenkit_version(), "%u.%u.%u", &major, &minor, &patch) == 3);
    CHECK(major + minor + patch > 0);
    return true;
}

static bool token(char *why, size_t why_size) {
    char json[1024];
    char *answer = tokenkit_token(client, request(json, sizeof json, "/token", "demo-secret"), NULL);
    CHECK(answer != NULL);
    bool has_status = strstr(answer, "\"status\":200") != NULL;
    bool has_expiry = strstr(answer, "\"expires_in\":") != NULL && strstr(answer, "\"expires_at_ms\":1") != NULL;
    bool has_error = strstr(answer, "\"error\":") != NULL;
    CHECK(holds(answer, "\\\"access_token\\\":\\\""));
    CHECK(has_status && has_expiry && !has_error);
    return true;
}

static bool server_error(char *why, size_t why_size) {
    char json[1024];
    char *answer = tokenkit_token(client, request(json, sizeof json, "/token", "hunter2"), NULL);
    CHECK(answer != NULL);
    bool has_category = strstr(answer, "\"category\":\"server\"") != NULL;
    bool has_status = strstr(answer, "\"status\":401") != NULL;
    bool has_secret = strstr(answer, "hunter2") != NULL;
    CHECK(holds(answer, "\"code\":\"invalid_client\""));
    CHECK(has_category && has_status && !has_secret);
    return true;
}

static bool transport_error(char *why, size_t why_size) {
    /* The discard port: nobody listens there. */
    const char *json = "{\"endpoint\":\"http://127.0.0.1:9/\",\"grant\":{\"type\":\"client_credentials\"},"
                       "\"http\":{\"max_retries\":0}}";
    CHECK(holds(tokenkit_token(client, json, NULL), "\"category\":\"transport\""));
    return true;
}

static bool null_is_refused(char *why, size_t why_size) {
    char json[1024];
    request(json, sizeof json, "/token", "demo-secret");
    CHECK(holds(tokenkit_token(NULL, json, NULL), "\"message\":\"The client is NULL.\""));
    CHECK(holds(tokenkit_token(client, NULL, NULL), "\"message\":\"The request is NULL.\""));
    CHECK(holds(tokenkit_device_token(NULL, NULL, NULL), "\"category\":\"invalid_input\""));
    tokenkit_client_free(NULL);
    tokenkit_cancel_trigger(NULL);
    tokenkit_cancel_free(NULL);
    tokenkit_string_free(NULL);
    return true;
}

static bool bad_input_is_refused(char *why, size_t why_size) {
    const char *requests[] = {"", "null", "[]", "{", "{\"endpoint\":7}", "\xff\xfe", "{\"grant\":{\"type\":\"none\"}}",
                              "{\"endpoint\":\"ftp://as.example\",\"grant\":{\"type\":\"client_credentials\"}}"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        CHECK(holds(tokenkit_token(client, requests[i], NULL), "\"category\":\"invalid_input\""));
        CHECK(holds(tokenkit_device_token(client, requests[i], NULL), "\"category\":\"invalid_input\""));
    }
    return true;
}

static bool panic_is_an_error(char *why, size_t why_size) {
    const char *json = "{\"endpoint\":\"panic:\",\"grant\":{\"type\":\"client_credentials\"}}";
    CHECK(holds(tokenkit_token(client, json, NULL), "\"code\":\"internal_error\""));
    return true;
}

static bool device_token(char *why, size_t why_size) {
    char json[1024];
    snprintf(json, sizeof json,
             "{\"request\":{\"endpoint\":\"%s/token\",\"client_id\":\"public-client\","
             "\"grant\":{\"type\":\"device_code\",\"device_code\":\"no-such-code\"}},\"interval\":1,\"expires_in\":9}",
             server);
    CHECK(holds(tokenkit_device_token(client, json, NULL), "\"oauth_error\":\"invalid_grant\""));
    return true;
}

static bool device_authorization(char *why, size_t why_size) {
    char json[1024];
    snprintf(json, sizeof json,
             "{\"endpoint\":\"%s/device_authorization\",\"client_id\":\"public-client\",\"scope\":\"openid\"}", server);
    char *answer = tokenkit_device_authorization(client, json, NULL);
    CHECK(answer != NULL);
    bool has_code = strstr(answer, "\"device_code\":\"") != NULL && strstr(answer, "\"interval\":1") != NULL;
    CHECK(holds(answer, "\"message\":\"To sign in, open http"));
    CHECK(has_code);
    return true;
}

/* The value of a member that is a text, without escapes; false when there is none. */
static bool member(const char *json, const char *name, char *value, size_t size) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *start = json == NULL ? NULL : strstr(json, quoted);
    if (start == NULL) {
        return false;
    }
    start += strlen(quoted);
    snprintf(value, size, "%.*s", (int)strcspn(start, "\""), start);
    return true;
}

#define SIGN_IN                                                                                       \
    "{\"endpoint\":\"https://as.example/authorize\",\"client_id\":\"app\",\"scope\":\"openid\","       \
    "\"redirect_uri\":\"https://localhost/\"}"

static bool authorization(char *why, size_t why_size) {
    char state[64], nonce[64], verifier[64], json[2048];
    char *prepared = tokenkit_authorization_prepare(client, SIGN_IN, NULL);
    bool is_whole = member(prepared, "state", state, sizeof state) && member(prepared, "nonce", nonce, sizeof nonce) &&
                    member(prepared, "code_verifier", verifier, sizeof verifier);
    CHECK(holds(prepared, "\"url\":\"https://as.example/authorize?response_type=code&client_id=app&state="));
    CHECK(is_whole);
    snprintf(json, sizeof json,
             "{\"request\":" SIGN_IN ",\"state\":\"%s\",\"nonce\":\"%s\",\"code_verifier\":\"%s\","
             "\"answer\":\"https://localhost/?code=c1&state=%s\"}",
             state, nonce, verifier, state);
    char *answer = tokenkit_authorization_complete(client, json, NULL);
    CHECK(answer != NULL);
    bool has_verifier = strstr(answer, verifier) != NULL;
    CHECK(holds(answer, "\"parameters\":[{\"name\":\"code\",\"value\":\"c1\"}]"));
    CHECK(has_verifier);
    return true;
}

static bool sign_in(char *why, size_t why_size) {
    const char *json = "{\"request\":{\"endpoint\":\"https://as.example/authorize\",\"client_id\":\"app\"},"
                       "\"options\":{\"browser\":{\"command\":\"/nowhere/browser\"}}}";
    CHECK(holds(tokenkit_sign_in(client, json, NULL), "\"code\":\"browser_not_started\""));
    return true;
}

static bool user_info(char *why, size_t why_size) {
    char json[1024], access_token[128];
    snprintf(json, sizeof json,
             "{\"endpoint\":\"%s/token\",\"client_id\":\"public-client\",\"scope\":\"openid\","
             "\"grant\":{\"type\":\"password\",\"username\":\"alice\",\"password\":\"wonderland\"}}",
             server);
    char *token = tokenkit_token(client, json, NULL);
    const char *start = token == NULL ? NULL : strstr(token, "access_token\\\":\\\"");
    if (start != NULL) {
        start += strlen("access_token\\\":\\\"");
        snprintf(access_token, sizeof access_token, "%.*s", (int)strcspn(start, "\\"), start);
    }
    tokenkit_string_free(token);
    CHECK(start != NULL);
    snprintf(json, sizeof json, "{\"endpoint\":\"%s/userinfo\",\"access_token\":\"%s\",\"subject\":\"alice\"}", server,
             access_token);
    CHECK(holds(tokenkit_user_info(client, json, NULL), "\\\"sub\\\":\\\"alice\\\""));
    snprintf(json, sizeof json, "{\"endpoint\":\"%s/userinfo\",\"access_token\":\"unknown\"}", server);
    CHECK(holds(tokenkit_user_info(client, json, NULL), "\"code\":\"invalid_token\""));
    return true;
}

static void *trigger_soon(void *cancel) {
    sleep_ms(200);
    tokenkit_cancel_trigger(cancel);
    return NULL;
}

static bool cancel_from_another_thread(char *why, size_t why_size) {
    char json[1024];
    TokenkitCancel *cancel = tokenkit_cancel_new();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, trigger_soon, cancel) == 0);
    double start = now_ms();
    char *answer = tokenkit_token(client, request(json, sizeof json, "/slow?ms=60000", "demo-secret"), cancel);
    double elapsed = now_ms() - start;
    pthread_join(thread, NULL);
    CHECK(holds(answer, "\"category\":\"cancelled\""));
    CHECK(elapsed < 200 + cancel_limit_ms);
    /* It stays triggered. */
    answer = tokenkit_token(client, request(json, sizeof json, "/slow?ms=60000", "demo-secret"), cancel);
    CHECK(holds(answer, "\"category\":\"cancelled\""));
    tokenkit_cancel_free(cancel);
    return true;
}

static bool an_untriggered_handle_changes_nothing(char *why, size_t why_size) {
    char json[1024];
    TokenkitCancel *cancel = tokenkit_cancel_new();
    char *answer = tokenkit_token(client, request(json, sizeof json, "/token", "demo-secret"), cancel);
    tokenkit_cancel_free(cancel);
    CHECK(holds(answer, "\"status\":200"));
    return true;
}

static void *get_token(void *path) {
    char json[1024];
    return tokenkit_token(client, request(json, sizeof json, path, "demo-secret"), NULL);
}

static bool threads_share_a_client(char *why, size_t why_size) {
    pthread_t threads[THREADS];
    int good = 0;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, get_token, "/token") == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *answer = NULL;
        pthread_join(threads[i], &answer);
        good += holds(answer, "\"status\":200");
    }
    CHECK(good == THREADS);
    return true;
}

/* What tokenkit_jwt_sign answers is checked by tokenkit_jwt_verify, whose answer has to hold `expected`. */
static bool jwt_with(const char *secret, const char *expected) {
    char *signed_jwt = tokenkit_jwt_sign(client,
        "{\"authentication\":{\"method\":\"client_secret_jwt\",\"secret\":\"a secret of at least thirty-two bytes\"},"
        "\"issuer\":\"i\",\"subject\":\"s\",\"audience\":\"a\"}", NULL);
    char token[1024] = "", request_text[2048];
    bool has_token = sscanf(signed_jwt, "{\"token\":\"%1023[^\"]", token) == 1;
    tokenkit_string_free(signed_jwt);
    snprintf(request_text, sizeof request_text,
             "{\"tokens\":[\"%s\"],\"keys\":{\"type\":\"secret\",\"secret\":\"%s\"},"
             "\"expect\":{\"issuer\":\"i\",\"audiences\":[\"a\"]}}", token, secret);
    return has_token && holds(tokenkit_jwt_verify(client, request_text, NULL), expected);
}

static bool jwt(char *why, size_t why_size) {
    CHECK(jwt_with("a secret of at least thirty-two bytes", "\"valid\":true,\"reasons\":[]"));
    CHECK(jwt_with("another secret of thirty-two bytes", "\"code\":\"invalid_signature\""));
    CHECK(holds(tokenkit_jwt_verify(client, "{\"tokens\":[\"x\"],\"keys\":{\"type\":\"token_issuer\"}}", NULL),
                "\"code\":\"malformed_token\""));
    return true;
}

static bool metadata(char *why, size_t why_size) {
    char text[256];
    snprintf(text, sizeof text, "{\"issuer\":\"%s/nothing\"}", server);
    CHECK(holds(tokenkit_metadata(client, text, NULL), "\"status\":404"));
    CHECK(holds(tokenkit_metadata(client, "{\"issuer\":\"http://as.example\"}", NULL), "\"code\":\"insecure_endpoint\""));
    return true;
}

static bool venafi(char *why, size_t why_size) {
    char text[512];
    snprintf(text, sizeof text,
             "{\"server\":\"%s\",\"credential\":{\"type\":\"api_key\","
             "\"secret\":\"7d4a2f1e-3c5b-4a8d-9e6f-0b1c2d3e4f5a\"}}", server);
    CHECK(holds(tokenkit_venafi_user(client, text, NULL), "{\"user\":\"{\\\"userId\\\":"));
    CHECK(holds(tokenkit_venafi_user(client, "{\"server\":\"http://vc.example\",\"credential\":{\"type\":\"api_key\","
                                             "\"secret\":\"x\"}}", NULL),
                "{\"user\":null,\"problem\":{\"code\":\"insecure_endpoint\""));
    /* The token endpoint is not asked with what is no JWT. */
    snprintf(text, sizeof text, "{\"endpoint\":\"%s/token\",\"jwt\":\"opaque\"}", server);
    CHECK(holds(tokenkit_venafi_token(client, text, NULL), "\"code\":\"malformed_token\""));
    return true;
}

static bool governance(char *why, size_t why_size) {
    char text[512];
    snprintf(text, sizeof text,
             "{\"base_url\":\"%s/governance\",\"call\":{\"type\":\"delegate\",\"properties\":["
             "{\"name\":\"ClientSecret\",\"value\":\"MyClientSecret\"},"
             "{\"name\":\"UserPrincipalName\",\"value\":\"MyUserPrincipalName\"}]}}", server);
    CHECK(holds(tokenkit_governance(client, text, NULL), "\"is_json\":true,\"is_success\":true,\"error_message\":null"));
    CHECK(holds(tokenkit_governance(client, "{\"call\":{\"type\":\"refresh\",\"refresh_token\":\"x\"}}", NULL),
                "\"code\":\"missing_base_url\""));
    return true;
}

/* Last: it frees the client. */
static bool a_call_outlives_its_client(char *why, size_t why_size) {
    pthread_t thread;
    void *answer = NULL;
    CHECK(pthread_create(&thread, NULL, get_token, "/slow?ms=1500") == 0);
    sleep_ms(500);
    tokenkit_client_free(client);
    client = NULL;
    pthread_join(thread, &answer);
    CHECK(holds(answer, "\"status\":200"));
    return true;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s <server> <milliseconds>\n", arguments[0]);
        return 2;
    }
    server = arguments[1];
    cancel_limit_ms = atof(arguments[2]);
    client = tokenkit_client_new();
    if (client == NULL) {
        fprintf(stderr, "there is no client\n");
        return 2;
    }
    run("version", version);
    run("token", token);
    run("server error", server_error);
    run("transport error", transport_error);
    run("NULL is refused or ignored", null_is_refused);
    run("bad input is refused", bad_input_is_refused);
    run("a panic is an error", panic_is_an_error);
    run("device token", device_token);
    run("device authorization", device_authorization);
    run("an authorization request is prepared and completed", authorization);
    run("a sign-in needs a browser", sign_in);
    run("userinfo", user_info);
    run("a JWT is signed and checked", jwt);
    run("metadata", metadata);
    run("Venafi", venafi);
    run("Cloud Governance", governance);
    run("cancel from another thread", cancel_from_another_thread);
    run("an untriggered handle changes nothing", an_untriggered_handle_changes_nothing);
    run("threads share a client", threads_share_a_client);
    run("a call outlives its client", a_call_outlives_its_client);
    return any_failed;
}
