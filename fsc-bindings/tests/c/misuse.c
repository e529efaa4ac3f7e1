/* Whatever a program does wrong ends in an error that says what, and the library goes on. */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void null_and_made_up_arguments(void) {
    const size_t one[1] = {1}, too_many[2] = {SIZE_MAX / 2, 3}, much[1] = {SIZE_MAX / 4}, zero[2] = {1, 0}, deep[40] = {0};
    const double number = 1;
    const fsc_value made_up = {0x1234567890abcdefULL};
    fsc_value value;
    fsc_client client;
    fsc_object object;
    fsc_node node;
    const char *text;
    size_t length;
    FAILS(fsc_value_from_json(NULL, 3, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "text must not be null");
    FAILS(fsc_value_from_json(NULL, FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "null");
    FAILS(fsc_value_from_json("1", FSC_TERMINATED, NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "value must not be null");
    FAILS(fsc_value_from_json("1", SIZE_MAX - 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "so long");
    FAILS(fsc_value_from_json("\"\xff\"", FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "UTF-8");
    FAILS(fsc_value_from_f64(NULL, NULL, one, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "numbers must not be null");
    FAILS(fsc_value_from_f64(&number, NULL, NULL, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_from_f64(&number, NULL, one, 0, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_from_f64(&number, NULL, too_many, 2, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "memory");
    FAILS(fsc_value_from_f64(&number, NULL, much, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "so long");
    FAILS(fsc_value_from_f64(&number, NULL, zero, 2, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_from_f64(&number, NULL, deep, 40, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_to_json(made_up, &text, &length, &error), FSC_STATUS_INVALID_HANDLE, "value");
    FAILS(fsc_client_connect(NULL, NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "address");
    FAILS(fsc_client_connect("nonsense", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "address");
    FAILS(fsc_client_connect("ftp://a", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "ftp");
    FAILS(fsc_client_connect("http://\xff", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "UTF-8");
    FAILS(fsc_node_new(NULL, "listen = 3", FSC_TERMINATED, FSC_FORMAT_TOML, NULL, &node, &error),
          FSC_STATUS_INVALID_ARGUMENT, "config");
    FAILS(fsc_node_new(NULL, "{\"listne\": 3}", FSC_TERMINATED, FSC_FORMAT_JSON, NULL, &node, &error),
          FSC_STATUS_INVALID_ARGUMENT, "listne");
    FAILS(fsc_node_new(NULL, "", 0, 7, NULL, &node, &error), FSC_STATUS_INVALID_ARGUMENT, "format");
    FAILS(fsc_node_new("a b", "", 0, FSC_FORMAT_TOML, NULL, &node, &error), FSC_STATUS_INVALID_ARGUMENT, "name");
    FAILS(fsc_client_list((fsc_client){0}, NULL, &value, &error), FSC_STATUS_INVALID_HANDLE, "client is null");
    FAILS(fsc_object_call((fsc_object){0}, NO_VALUE, NO_VALUE, NULL, &object, &error), FSC_STATUS_INVALID_HANDLE, "null");
    CHECK(fsc_value_kind(made_up) == FSC_KIND_NONE && fsc_value_length(made_up) == 0);
    CHECK(fsc_value_free(made_up) == FSC_STATUS_INVALID_HANDLE);
    CHECK(strcmp(fsc_status_text(FSC_STATUS_FORKED), fsc_status_text(-77)) != 0);
    /* Nowhere to put the error is no error of its own. */
    CHECK(fsc_value_from_json(NULL, 0, NULL, NULL) == FSC_STATUS_INVALID_ARGUMENT);
}

static void handles_that_were_freed_or_are_of_another_kind(void) {
    fsc_value value = json("[1]");
    const fsc_object wrong = {value.id};
    const char *text;
    FAILS(fsc_object_download(wrong, NULL, &value, &error), FSC_STATUS_INVALID_HANDLE, "another kind");
    CHECK(value.id == 0);
    value.id = wrong.id;
    CHECK(fsc_object_free(wrong) == FSC_STATUS_INVALID_HANDLE);
    CHECK(fsc_value_free(value) == FSC_STATUS_OK);
    CHECK(fsc_value_free(value) == FSC_STATUS_INVALID_HANDLE);
    FAILS(fsc_value_to_json(value, &text, NULL, &error), FSC_STATUS_INVALID_HANDLE, "freed");
    CHECK(fsc_value_free(NO_VALUE) == FSC_STATUS_OK);
}

static void what_is_put_out_may_be_what_came_in_and_is_null_after_a_failure(void) {
    fsc_value value = json("7");
    const char *text = "untouched";
    const double *numbers = (const double *)8;
    size_t length = 77;
    WELL(fsc_value_list(&value, 1, &value, &error));
    CHECK(is_json(value, "[7]"));
    FAILS(fsc_value_text(value, &text, &length, &error), FSC_STATUS_WRONG_TYPE, "text");
    CHECK(text == NULL && length == 0);
    FAILS(fsc_value_as_f64(NO_VALUE, &numbers, &length, &error), FSC_STATUS_INVALID_HANDLE, "null");
    CHECK(numbers == NULL);
    fsc_value_free(value);
}

static void values_that_are_too_deep(void) {
    fsc_value value = json("[]"), more;
    int depth = 1;
    while (fsc_value_list(&value, 1, &more, NULL) == FSC_STATUS_OK) {
        CHECK(++depth < 100);
        fsc_value_free(value);
        value = more;
    }
    CHECK(depth == 64);
    FAILS(fsc_value_with(NO_VALUE, "a", value, &more, &error), FSC_STATUS_LIMIT, "64 levels");
    fsc_value_free(value);
}

static void structures_of_the_wrong_size(void) {
    fsc_node node = running("sizes", NULL);
    fsc_client client = client_of(node);
    fsc_wait wait = {0};
    fsc_value list;
    fsc_service service = {0};
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "size");
    wait.size = 100000;
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "size");
    wait.size = sizeof(void *);
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "size");
    {
        /* Of a program that was compiled with a header to come. */
        struct { fsc_wait wait; uint64_t later; } grown = {{sizeof grown, 0, {0}}, 0};
        WELL(fsc_client_list(client, &grown.wait, &list, &error));
        fsc_value_free(list);
        grown.later = 1;
        FAILS(fsc_client_list(client, &grown.wait, &list, &error), FSC_STATUS_UNSUPPORTED, "too old");
    }
    wait.size = sizeof wait;
    wait.cancel.id = 99;
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_HANDLE, "cancel");
    FAILS(fsc_node_offer(node, "x", NO_VALUE, &service, &error), FSC_STATUS_INVALID_HANDLE, "value");
    fsc_client_free(client);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
}

static void calls_after_stop(void) {
    fsc_node node = running("stops", NULL), other;
    fsc_client client = client_of(node);
    fsc_object simon = created(client, "{\"protocol\": \"Simon\"}"), object;
    fsc_value value;
    FAILS(fsc_node_start(node, NULL, &error), FSC_STATUS_STOPPED, "runs already");
    FAILS(fsc_node_new("stops", NULL, 0, FSC_FORMAT_TOML, NULL, &other, &error), FSC_STATUS_INVALID_ARGUMENT, "another node");
    WELL(fsc_node_stop(node, NULL, &error));
    WELL(fsc_node_stop(node, NULL, &error));
    FAILS(fsc_node_start(node, NULL, &error), FSC_STATUS_STOPPED, "stopped");
    FAILS(fsc_client_list(client, NULL, &value, &error), FSC_STATUS_UNREACHABLE, "no such node");
    FAILS(fsc_object_attribute(simon, "compute", NULL, &object, &error), FSC_STATUS_UNREACHABLE, "");
    FAILS(fsc_node_client(node, NULL, &client, &error), FSC_STATUS_STOPPED, "stopped");
    fsc_object_free(simon);
    /* A node that was stopped keeps its name, and nothing else. */
    FAILS(fsc_node_new("stops", NULL, 0, FSC_FORMAT_TOML, NULL, &other, &error), FSC_STATUS_INVALID_ARGUMENT, "another node");
    fsc_node_free(node);
    node = running("stops", NULL);
    client = client_of(node);
    WELL(fsc_client_list(client, NULL, &value, &error));
    fsc_value_free(value);
    fsc_client_free(client);
    fsc_node_free(node);
}

static int freed_in_destroy;

/* Calls the library from where it is called itself. */
static void frees(void *state) {
    fsc_value *value = (fsc_value *)state;
    freed_in_destroy += fsc_value_free(*value) == FSC_STATUS_OK;
}

static void nodes_that_do_not_start(void) {
    fsc_service service;
    fsc_value mine = json("1"), description = json("{\"microservice\": \"Mine\"}");
    fsc_node first = running("first", "listen = \"127.0.0.1:0\""), second;
    fsc_value list, addresses, address;
    const char *url;
    char config[128];
    memset(&service, 0, sizeof service);
    service.size = sizeof service;
    service.kind = "mine";
    service.state = &mine;
    service.destroy = frees;
    WELL(fsc_node_describe(first, &list, &error));
    WELL(fsc_value_entry(list, "addresses", &addresses, &error));
    WELL(fsc_value_item(addresses, 0, &address, &error));
    WELL(fsc_value_text(address, &url, NULL, &error));
    snprintf(config, sizeof config, "{\"listen\": \"%s\"}", url + strlen("http://"));
    WELL(fsc_node_new("second", config, FSC_TERMINATED, FSC_FORMAT_JSON, NULL, &second, &error));
    WELL(fsc_node_offer(second, "mine", description, &service, &error));
    FAILS(fsc_node_start(second, NULL, &error), FSC_STATUS_UNREACHABLE, "in use");
    WELL(fsc_node_stop(second, NULL, &error));
    WELL(fsc_node_stop(first, NULL, &error));
    /* Now there is room, and what it offers is still there. */
    WELL(fsc_node_start(second, NULL, &error));
    CHECK(freed_in_destroy == 0);
    fsc_value_free(address);
    fsc_value_free(addresses);
    fsc_value_free(list);
    fsc_value_free(description);
    fsc_node_free(first);
    WELL(fsc_shutdown(&error));
    CHECK(freed_in_destroy + (fsc_value_free(mine) == FSC_STATUS_OK) <= 1);
    CHECK(fsc_handles() == 0);
}

/* A node that was never started is destroyed with what it offers when the library ends, and may call back. */
static void destroyed_while_all_ends(void) {
    fsc_service service;
    static fsc_value mine;
    fsc_value description = json("{\"microservice\": \"Mine\"}");
    fsc_node node;
    mine = json("1");
    memset(&service, 0, sizeof service);
    service.size = sizeof service;
    service.kind = "mine";
    service.state = &mine;
    service.destroy = frees;
    WELL(fsc_node_new("never", NULL, 0, FSC_FORMAT_TOML, NULL, &node, &error));
    WELL(fsc_node_offer(node, "mine", description, &service, &error));
    WELL(fsc_shutdown(&error));
    CHECK(fsc_handles() == 0);
}

/* Connections that break end nothing but themselves: not the program, which has left SIGPIPE as it is. */
static void clients_that_go_away(void) {
    const size_t much[1] = {1 << 20};
    double *numbers = (double *)calloc(much[0], sizeof *numbers);
    fsc_node node = running("breaks", "listen = \"127.0.0.1:0\"");
    fsc_client client;
    fsc_value value, list, addresses, address, handle;
    fsc_object object;
    const char *url, *name;
    char request[256], some[1000];
    struct sockaddr_in to;
    int i;
    CHECK(numbers != NULL);
    WELL(fsc_node_describe(node, &list, &error));
    WELL(fsc_value_entry(list, "addresses", &addresses, &error));
    WELL(fsc_value_item(addresses, 0, &address, &error));
    WELL(fsc_value_text(address, &url, NULL, &error));
    WELL(fsc_client_connect(url, NULL, &client, &error));
    WELL(fsc_value_from_f64(numbers, NULL, much, 1, &value, &error));
    WELL(fsc_client_upload(client, value, NULL, &object, &error));
    WELL(fsc_value_from_object(object, &handle, &error));
    /* {"representation_uuid":"..."} */
    WELL(fsc_value_to_json(handle, &name, NULL, &error));
    snprintf(request, sizeof request, "GET /representation/%.36s HTTP/1.1\r\nHost: x\r\n\r\n", strchr(name, ':') + 2);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < 50; i++) {
        int file = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(file >= 0 && connect(file, (struct sockaddr *)&to, sizeof to) == 0);
        CHECK(send(file, request, strlen(request), MSG_NOSIGNAL) > 0);
        CHECK(recv(file, some, sizeof some, 0) > 12 && memcmp(some, "HTTP/1.1 200", 12) == 0);
        /* In the middle of megabytes, after a farewell: what the node writes next is EPIPE, and would be SIGPIPE. */
        shutdown(file, SHUT_WR);
        close(file);
    }
    fsc_value_free(handle);
    fsc_value_free(address);
    fsc_value_free(addresses);
    fsc_value_free(list);
    fsc_value_free(value);
    fsc_object_free(object);
    fsc_client_free(client);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
    free(numbers);
}

/* A stream whose write waits until it is closed. */
typedef struct stuck {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside, closed, destroyed;
} stuck;

static ptrdiff_t until_closed(stuck *own) {
    pthread_mutex_lock(&own->lock);
    own->inside++;
    pthread_cond_broadcast(&own->changed);
    while (!own->closed) pthread_cond_wait(&own->changed, &own->lock);
    pthread_mutex_unlock(&own->lock);
    return -1;
}

/* Until both threads of the stream are stuck. */
static void until_stuck(stuck *own) {
    pthread_mutex_lock(&own->lock);
    while (own->inside < 2) pthread_cond_wait(&own->changed, &own->lock);
    pthread_mutex_unlock(&own->lock);
}

static ptrdiff_t stuck_read(void *state, uint8_t *bytes, size_t capacity) {
    (void)bytes, (void)capacity;
    return until_closed((stuck *)state);
}

static ptrdiff_t stuck_write(void *state, const uint8_t *bytes, size_t length) {
    (void)bytes, (void)length;
    return until_closed((stuck *)state);
}

static void stuck_close(void *state) {
    stuck *own = (stuck *)state;
    pthread_mutex_lock(&own->lock);
    own->closed++;
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->lock);
}

static void stuck_destroy(void *state) {
    stuck *own = (stuck *)state;
    pthread_mutex_lock(&own->lock);
    own->destroyed++;
    pthread_mutex_unlock(&own->lock);
}

static void streams_that_are_stuck(void) {
    static stuck states[4] = {{PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0},
                              {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0},
                              {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0},
                              {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0}};
    fsc_stream streams[4];
    fsc_node node = running("stuck", NULL);
    fsc_client client;
    int i;
    for (i = 0; i < 4; i++) {
        memset(&streams[i], 0, sizeof streams[i]);
        streams[i].size = sizeof streams[i];
        streams[i].state = &states[i];
        streams[i].read = stuck_read;
        streams[i].write = stuck_write;
        FAILS(fsc_node_attach(node, "x", &streams[i], NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "close");
        streams[i].close = stuck_close;
        streams[i].destroy = stuck_destroy;
    }
    FAILS(fsc_node_attach(node, "a b", &streams[0], NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "name");
    CHECK(states[0].destroyed == 0);
    WELL(fsc_node_attach(node, "detached", &streams[0], NULL, &error));
    WELL(fsc_node_attach(node, "stopped", &streams[1], NULL, &error));
    WELL(fsc_client_connect_stream(&streams[2], &client, &error));
    for (i = 0; i < 3; i++) until_stuck(&states[i]);
    WELL(fsc_node_detach(node, "detached", &error));
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_client_free(client);
    WELL(fsc_client_connect_stream(&streams[3], &client, &error));
    until_stuck(&states[3]);
    WELL(fsc_shutdown(&error));
    for (i = 0; i < 4; i++) CHECK(states[i].closed == 1 && states[i].destroyed == 1);
}

/* Services that fail in all ways. */

static int32_t fails(void *state, const fsc_arguments *call, fsc_answer answer) {
    (void)state, (void)call, (void)answer;
    return 7;
}

static int32_t refuses(void *state, const fsc_arguments *call, fsc_answer answer) {
    CHECK(strcmp(call->principal, "local") == 0 && call->size >= sizeof *call && state == NULL);
    WELL(fsc_answer_failure(answer, 409, "not on a Sunday", &error));
    return 1;
}

static int32_t answers_nonsense(void *state, const fsc_arguments *call, fsc_answer answer) {
    fsc_value kept = call->kwargs;
    (void)state;
    FAILS(fsc_answer_value(answer, (fsc_value){77}, &error), FSC_STATUS_INVALID_HANDLE, "value");
    FAILS(fsc_answer_object(answer, NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "service");
    FAILS(fsc_answer_failure(answer, 400, NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "message");
    CHECK(fsc_value_kind(kept) == FSC_KIND_MAP);
    return 0;
}

static int32_t stops_its_own_node(void *state, const fsc_arguments *call, fsc_answer answer) {
    fsc_node node;
    (void)call;
    memcpy(&node, state, sizeof node);
    FAILS(fsc_node_stop(node, NULL, &error), FSC_STATUS_WOULD_BLOCK, "can't be stopped");
    FAILS(fsc_shutdown(&error), FSC_STATUS_WOULD_BLOCK, "callback");
    CHECK(fsc_answer_is_idle(answer) == 0);
    return 0;
}

static int32_t waits_where_it_must_not(void *state, const char *name, fsc_answer answer) {
    fsc_value list;
    fsc_client client;
    (void)name;
    memcpy(&client, state, sizeof client);
    FAILS(fsc_client_list(client, NULL, &list, &error), FSC_STATUS_WOULD_BLOCK, "attribute");
    WELL(fsc_answer_failure(answer, 403, "nothing here", &error));
    return 1;
}

static int destroyed;

static void destroy(void *state) {
    (void)state;
    destroyed++;
}

static void callbacks_that_fail(void) {
    fsc_client client = {0};
    fsc_service services[5] = {{0}};
    const char *names[5] = {"fails", "refuses", "nonsense", "waits", "stops"};
    static fsc_node node;
    fsc_object object, answer;
    int i;
    WELL(fsc_node_new("failing", NULL, 0, FSC_FORMAT_TOML, NULL, &node, &error));
    services[0].call = fails;
    services[1].call = refuses;
    services[2].call = answers_nonsense;
    services[3].attribute = waits_where_it_must_not;
    services[3].state = &client;
    services[4].call = stops_its_own_node;
    services[4].state = &node;
    for (i = 0; i < 5; i++) {
        char text[64];
        fsc_value description;
        services[i].size = sizeof services[i];
        services[i].kind = names[i];
        services[i].destroy = destroy;
        snprintf(text, sizeof text, "{\"microservice\": \"%s\"}", names[i]);
        description = json(text);
        WELL(fsc_node_offer(node, names[i], description, &services[i], &error));
        FAILS(fsc_node_offer(node, names[i], description, &services[i], &error), FSC_STATUS_INVALID_ARGUMENT, "another");
        fsc_value_free(description);
    }
    WELL(fsc_node_start(node, NULL, &error));
    client = client_of(node);
    object = created(client, "{\"microservice\": \"fails\"}");
    FAILS(fsc_object_call(object, NO_VALUE, NO_VALUE, NULL, &answer, &error), FSC_STATUS_REFUSED, "the fails has failed");
    FAILS(fsc_object_download(object, NULL, &(fsc_value){0}, &error), FSC_STATUS_REFUSED, "can't be downloaded");
    fsc_object_free(object);
    object = created(client, "{\"microservice\": \"refuses\"}");
    {
        fsc_error error;
        CHECK(fsc_object_call(object, NO_VALUE, NO_VALUE, NULL, &answer, &error) == FSC_STATUS_REFUSED);
        CHECK(fsc_error_code(error) == 409 && strcmp(fsc_error_message(error), "not on a Sunday") == 0);
        CHECK(fsc_error_culprits(error, NULL, 0) == 0);
        fsc_error_free(error);
    }
    FAILS(fsc_object_attribute(object, "x", NULL, &answer, &error), FSC_STATUS_REFUSED, "no attribute");
    fsc_object_free(object);
    object = created(client, "{\"microservice\": \"nonsense\"}");
    WELL(fsc_object_call(object, NO_VALUE, NO_VALUE, NULL, &answer, &error));
    CHECK(answer.id == 0);
    fsc_object_free(object);
    object = created(client, "{\"microservice\": \"waits\"}");
    FAILS(fsc_object_attribute(object, "x", NULL, &answer, &error), FSC_STATUS_REFUSED, "nothing here");
    FAILS(fsc_object_call(object, NO_VALUE, NO_VALUE, NULL, &answer, &error), FSC_STATUS_REFUSED, "can't be called");
    fsc_object_free(object);
    object = created(client, "{\"microservice\": \"stops\"}");
    WELL(fsc_object_call(object, NO_VALUE, NO_VALUE, NULL, &answer, &error));
    fsc_object_free(object);
    fsc_client_free(client);
    CHECK(destroyed == 0);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
}

/* Cancelling, deadlines, and threads that share handles. */

typedef struct lonely {
    fsc_object compute;
    fsc_value kwargs;
    fsc_cancel cancel;
    fsc_status status;
} lonely;

static void *wait_for_others(void *argument) {
    lonely *own = (lonely *)argument;
    fsc_wait wait = {sizeof wait, 0, own->cancel};
    fsc_object answer;
    own->status = fsc_object_call(own->compute, NO_VALUE, own->kwargs, &wait, &answer, NULL);
    return NULL;
}

static void called(void *user, fsc_status status, fsc_object answer, fsc_error error) {
    CHECK(answer.id == 0 && fsc_error_status(error) == status);
    fsc_error_free(error);
    __atomic_store_n((fsc_status *)user, status, __ATOMIC_SEQ_CST);
}

/* Arguments of a computation with a node that never joins. */
static fsc_value with_nobody(const char *uuid) {
    char text[256];
    snprintf(text, sizeof text,
             "{\"microprotocol\": \"SecureSum\", \"data\": 1.0, \"network\": {\"nodes\": [\"local:lonely\", \"local:idle\"], "
             "\"myself\": 0, \"uuid\": \"%s\"}}", uuid);
    return json(text);
}

static void who_does_not_come_is_named(void) {
    fsc_node node = running("lonely", "[peers]\njoining_seconds = 1"), idle = running("idle", NULL);
    fsc_client client = client_of(node);
    fsc_object simon = created(client, "{\"protocol\": \"Simon\"}"), compute = method(simon, "compute"), answer;
    fsc_value kwargs = with_nobody("named");
    size_t places[2] = {7, 7};
    fsc_error error;
    CHECK(fsc_object_call(compute, NO_VALUE, kwargs, NULL, &answer, &error) == FSC_STATUS_REFUSED);
    CHECK(fsc_error_code(error) == 504 && strstr(fsc_error_message(error), "party 1") != NULL);
    CHECK(fsc_error_culprits(error, places, 2) == 1 && places[0] == 1 && places[1] == 7);
    CHECK(fsc_error_culprits(error, NULL, 0) == 1);
    fsc_error_free(error);
    fsc_value_free(kwargs);
    fsc_object_free(compute);
    fsc_object_free(simon);
    fsc_client_free(client);
    fsc_node_free(node);
    fsc_node_free(idle);
    WELL(fsc_shutdown(NULL));
}

/* A call that works until nobody waits for it. */
static int32_t works_on(void *state, const fsc_arguments *call, fsc_answer answer) {
    (void)call;
    while (!fsc_answer_is_idle(answer)) usleep(1000);
    __atomic_store_n((int *)state, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void got(void *user, fsc_status status, fsc_value content, fsc_error error) {
    CHECK(status == FSC_STATUS_OK && error.id == 0 && is_json(content, "[1.5]"));
    fsc_value_free(content);
    __atomic_store_n((int *)user, 1, __ATOMIC_SEQ_CST);
}

static void what_runs_meanwhile(void) {
    static int has_ended, has_got;
    fsc_service service;
    fsc_wait wait = {sizeof wait, 50, {0}};
    fsc_value description = json("{\"microservice\": \"Slow\"}"), value = json("[1.5]");
    fsc_node node;
    fsc_client client;
    fsc_object slow, stored, answer;
    memset(&service, 0, sizeof service);
    service.size = sizeof service;
    service.kind = "slow";
    service.state = &has_ended;
    service.call = works_on;
    WELL(fsc_node_new("slow", NULL, 0, FSC_FORMAT_TOML, NULL, &node, &error));
    WELL(fsc_node_offer(node, "slow", description, &service, &error));
    WELL(fsc_node_start(node, NULL, &error));
    client = client_of(node);
    slow = created(client, "{\"microservice\": \"Slow\"}");
    FAILS(fsc_object_call(slow, NO_VALUE, NO_VALUE, &wait, &answer, &error), FSC_STATUS_TIMED_OUT, "0.05");
    WELL(fsc_client_upload(client, value, NULL, &stored, &error));
    WELL(fsc_object_download_async(stored, NULL, got, &has_got, &error));
    while (!__atomic_load_n(&has_ended, __ATOMIC_SEQ_CST) || !__atomic_load_n(&has_got, __ATOMIC_SEQ_CST)) usleep(1000);
    WELL(fsc_shutdown(&error));
    CHECK(fsc_handles() == 0);
}

static void calls_that_are_cancelled_or_late(void) {
    fsc_node node = running("lonely", NULL), idle = running("idle", NULL);
    fsc_client client = client_of(node);
    fsc_object simon = created(client, "{\"protocol\": \"Simon\"}");
    lonely both[2];
    pthread_t threads[2];
    fsc_wait wait = {sizeof wait, 50, {0}};
    fsc_status told = FSC_STATUS_OK;
    fsc_object answer;
    fsc_value late = with_nobody("late");
    int i;
    CHECK(idle.id != 0);
    both[0].compute = method(simon, "compute");
    WELL(fsc_cancel_new(&both[0].cancel, &error));
    FAILS(fsc_object_call(both[0].compute, NO_VALUE, late, &wait, &answer, &error), FSC_STATUS_TIMED_OUT, "0.05 s");
    both[1] = both[0];
    /* One handle, two threads. */
    for (i = 0; i < 2; i++) {
        both[i].kwargs = with_nobody(i == 0 ? "one" : "two");
        pthread_create(&threads[i], NULL, wait_for_others, &both[i]);
    }
    usleep(100000);
    CHECK(fsc_cancel_fire(both[0].cancel) == FSC_STATUS_OK);
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        CHECK(both[i].status == FSC_STATUS_CANCELLED);
    }
    wait.cancel = both[0].cancel;
    FAILS(fsc_object_call_async(both[0].compute, NO_VALUE, both[0].kwargs, &wait, NULL, &told, &error),
          FSC_STATUS_INVALID_ARGUMENT, "called");
    WELL(fsc_object_call_async(both[0].compute, NO_VALUE, both[0].kwargs, &wait, called, &told, &error));
    while (__atomic_load_n(&told, __ATOMIC_SEQ_CST) == FSC_STATUS_OK) usleep(1000);
    CHECK(told == FSC_STATUS_CANCELLED);
    /* And one that nobody cancels, when the library ends. */
    told = FSC_STATUS_OK;
    wait.deadline_ms = 0;
    wait.cancel.id = 0;
    WELL(fsc_object_call_async(both[0].compute, NO_VALUE, both[0].kwargs, &wait, called, &told, &error));
    WELL(fsc_shutdown(&error));
    CHECK(told != FSC_STATUS_OK);
    FAILS(fsc_object_call(both[0].compute, NO_VALUE, NO_VALUE, NULL, &answer, &error), FSC_STATUS_INVALID_HANDLE, "freed");
    CHECK(fsc_client_free(client) == FSC_STATUS_INVALID_HANDLE);
}

static void *read_and_free(void *argument) {
    fsc_value value = *(fsc_value *)argument;
    int i;
    for (i = 0; i < 1000; i++) (void)fsc_value_length(value);
    return fsc_value_free(value) == FSC_STATUS_OK ? argument : NULL;
}

static void threads_that_share_a_handle(void) {
    fsc_value value = json("[\"a\", \"b\"]");
    pthread_t threads[8];
    int i, freed = 0;
    for (i = 0; i < 8; i++) pthread_create(&threads[i], NULL, read_and_free, &value);
    for (i = 0; i < 8; i++) {
        void *mine;
        pthread_join(threads[i], &mine);
        freed += mine != NULL;
    }
    CHECK(freed == 1);
}

/* Also where there is nothing but values: another thread may hold a lock. */
static void a_forked_child_is_refused(int with_a_node) {
    fsc_node node = {0};
    int status;
    pid_t child;
    fsc_value_free(json("1"));
    if (with_a_node) node = running("forks", NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fsc_value value;
        fsc_error error = {9};
        int refused = fsc_value_from_json("1", 1, &value, &error) == FSC_STATUS_FORKED && error.id == 0 &&
                      fsc_node_free(node) == FSC_STATUS_FORKED && fsc_shutdown(NULL) == FSC_STATUS_FORKED;
        /* Another program instead of an exit: tools that look for leaks would look here, too. */
        if (refused) execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!with_a_node) return;
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
}

static int errors_logged;

static void logged(void *user, int32_t level, const char *target, const char *message) {
    CHECK(user == &errors_logged && level >= 1 && level <= 4 && strlen(target) > 0 && message != NULL);
    errors_logged++;
}

static void the_log_is_heard_by_who_wants_it(void) {
    WELL(fsc_log(4, logged, &errors_logged, &error));
    fsc_node_free(running("logs", NULL));
    WELL(fsc_shutdown(&error));
    WELL(fsc_log(0, NULL, NULL, &error));
}

int main(void) {
    a_forked_child_is_refused(0);
    CHECK(fsc_abi_version() == FSC_ABI_VERSION && strlen(fsc_version()) >= 5);
    null_and_made_up_arguments();
    handles_that_were_freed_or_are_of_another_kind();
    what_is_put_out_may_be_what_came_in_and_is_null_after_a_failure();
    values_that_are_too_deep();
    structures_of_the_wrong_size();
    calls_after_stop();
    nodes_that_do_not_start();
    destroyed_while_all_ends();
    clients_that_go_away();
    streams_that_are_stuck();
    callbacks_that_fail();
    threads_that_share_a_handle();
    who_does_not_come_is_named();
    what_runs_meanwhile();
    calls_that_are_cancelled_or_late();
    a_forked_child_is_refused(1);
    the_log_is_heard_by_who_wants_it();
    WELL(fsc_shutdown(&error));
    CHECK(destroyed == 5);
    CHECK(fsc_handles() == 0);
    puts("ok");
    return 0;
}
