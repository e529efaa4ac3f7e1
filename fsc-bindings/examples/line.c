/* A line of one's own: two nodes that talk over a driver in C, here a pair of sockets in the place of a UART.
 *
 *   cc line.c $(pkg-config --cflags --libs fsc) -lpthread
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fsc.h"

static const fsc_value NONE = {0};

static void check(fsc_status status, fsc_error error, const char *what) {
    if (status != FSC_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, fsc_error_message(error));
        exit(1);
    }
}

/* The driver: its state is the number of a file. */

static ptrdiff_t line_read(void *state, uint8_t *bytes, size_t capacity) {
    return recv(*(int *)state, bytes, capacity, 0);
}

static ptrdiff_t line_write(void *state, const uint8_t *bytes, size_t length) {
    /* Not write(): if the other end is gone, that is an error and no signal. */
    return send(*(int *)state, bytes, length, MSG_NOSIGNAL);
}

static void line_close(void *state) {
    /* Whoever reads comes back with nothing. */
    shutdown(*(int *)state, SHUT_RDWR);
}

static void line_destroy(void *state) {
    close(*(int *)state);
    free(state);
}

static fsc_stream driver(int file) {
    fsc_stream stream;
    int *state = (int *)malloc(sizeof *state);
    *state = file;
    memset(&stream, 0, sizeof stream);
    stream.size = sizeof stream;
    stream.state = state;
    stream.read = line_read;
    stream.write = line_write;
    stream.close = line_close;
    stream.destroy = line_destroy;
    return stream;
}

/* A node at one end. The other one is at serial:OTHER. */
static fsc_node at(const char *name, const char *other, int file) {
    fsc_node node;
    fsc_error error;
    fsc_stream stream = driver(file);
    /* There is a key at neither end, so mail is not sealed: only for lines that nobody else can read. */
    check(fsc_node_new(name, "[peers]\nunsealed_peers = true", FSC_TERMINATED, FSC_FORMAT_TOML, &node, &error), error, name);
    check(fsc_node_attach(node, other, &stream, NULL, &error), error, other);
    check(fsc_node_start(node, &error), error, "start");
    return node;
}

typedef struct party {
    fsc_node node;
    const char *arguments;
} party;

static void *compute(void *argument) {
    const party *own = (const party *)argument;
    fsc_error error;
    fsc_client client;
    fsc_value description, kwargs, result;
    fsc_object simon, method, answer;
    const char *json;
    check(fsc_node_client(own->node, NULL, &client, &error), error, "client");
    check(fsc_value_json("{\"protocol\": \"Simon\"}", FSC_TERMINATED, &description, &error), error, "description");
    check(fsc_client_create(client, description, NULL, &simon, &error), error, "Simon");
    check(fsc_object_attribute(simon, "compute", NULL, &method, &error), error, "compute");
    check(fsc_value_json(own->arguments, FSC_TERMINATED, &kwargs, &error), error, "arguments");
    check(fsc_object_call(method, NONE, kwargs, NULL, &answer, &error), error, "SecureSum");
    check(fsc_object_download(answer, NULL, &result, &error), error, "download");
    check(fsc_value_to_json(result, &json, NULL, &error), error, "result");
    printf("%s\n", json);
    fsc_value_free(result);
    fsc_object_free(answer);
    fsc_value_free(kwargs);
    fsc_object_free(method);
    fsc_object_free(simon);
    fsc_value_free(description);
    fsc_client_free(client);
    return NULL;
}

int main(void) {
    /* Both call the nodes the same. */
    party parties[2] = {
        {{0}, "{\"microprotocol\": \"SecureSum\", \"data\": [34.0, 71.0], "
              "\"network\": {\"nodes\": [\"serial:a\", \"serial:b\"], \"myself\": 0, \"uuid\": \"ages\"}}"},
        {{0}, "{\"microprotocol\": \"SecureSum\", \"data\": [66.0, 43.0], "
              "\"network\": {\"nodes\": [\"serial:a\", \"serial:b\"], \"myself\": 1, \"uuid\": \"ages\"}}"}};
    pthread_t threads[2];
    fsc_error error;
    int files[2], i;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, files) != 0) return 1;
    parties[0].node = at("a", "b", files[0]);
    parties[1].node = at("b", "a", files[1]);
    for (i = 0; i < 2; i++) pthread_create(&threads[i], NULL, compute, &parties[i]);
    for (i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (i = 0; i < 2; i++) {
        check(fsc_node_stop(parties[i].node, NULL, &error), error, "stop");
        fsc_node_free(parties[i].node);
    }
    check(fsc_shutdown(&error), error, "shutdown");
    return 0;
}
