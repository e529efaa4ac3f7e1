/* Three hospitals in one program: each has a node, and together they compute a sum and a median that none of them could compute alone.
 * Here each is a thread; in life each is a program on a machine of its own, and only the addresses differ.
 *
 *   cc three_nodes.c $(pkg-config --cflags --libs fsc) -lpthread
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fsc.h"

#define PARTIES 3

typedef struct hospital {
    const char *name;
    int place;
    double ages[3];
    fsc_node node;
} hospital;

static const fsc_value NONE = {0};

/* Ends the program if something is wrong, and says what. */
static void check(fsc_status status, fsc_error error, const char *what) {
    if (status != FSC_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, fsc_error_message(error));
        exit(1);
    }
}

/* What the hospital tells Simon, the service that computes functions, beside its data. */
static fsc_value arguments(const hospital *own, const char *function) {
    char text[256];
    fsc_error error;
    fsc_value value;
    snprintf(text, sizeof text,
             "{\"microprotocol\": \"%s\", \"network\": "
             "{\"nodes\": [\"local:a\", \"local:b\", \"local:c\"], \"myself\": %d, \"uuid\": \"our study\"}}",
             function, own->place);
    check(fsc_value_from_json(text, FSC_TERMINATED, &value, &error), error, "arguments");
    return value;
}

/* Takes part in one computation, and prints what the hospital learns. */
static void compute(const hospital *own, fsc_object method, const char *function) {
    const size_t shape[1] = {3};
    const char *json;
    fsc_error error;
    fsc_value public_part = arguments(own, function), data, whole, result;
    fsc_object answer;
    check(fsc_value_from_f64(own->ages, NULL, shape, 1, &data, &error), error, "data");
    check(fsc_value_with(public_part, "data", data, &whole, &error), error, "data");
    check(fsc_object_call(method, NONE, whole, NULL, &answer, &error), error, function);
    check(fsc_object_download(answer, NULL, &result, &error), error, "download");
    check(fsc_value_to_json(result, &json, NULL, &error), error, "result");
    printf("%s learns the %s: %s\n", own->name, function, json);
    fsc_value_free(result);
    fsc_object_free(answer);
    fsc_value_free(whole);
    fsc_value_free(data);
    fsc_value_free(public_part);
}

static void *run(void *argument) {
    const hospital *own = (const hospital *)argument;
    fsc_error error;
    fsc_client client;
    fsc_value description;
    fsc_object simon, method;
    check(fsc_node_client(own->node, NULL, &client, &error), error, "client");
    check(fsc_value_from_json("{\"protocol\": \"Simon\"}", FSC_TERMINATED, &description, &error), error, "description");
    check(fsc_client_create(client, description, NULL, &simon, &error), error, "Simon");
    check(fsc_object_attribute(simon, "compute", NULL, &method, &error), error, "compute");
    compute(own, method, "SecureSum");
    compute(own, method, "SecureMedian");
    fsc_object_free(method);
    fsc_object_free(simon);
    fsc_value_free(description);
    fsc_client_free(client);
    return NULL;
}

int main(void) {
    hospital hospitals[PARTIES] = {
        {"a", 0, {34, 71, 52}, {0}}, {"b", 1, {66, 43, 58}, {0}}, {"c", 2, {29, 80, 61}, {0}}};
    pthread_t threads[PARTIES];
    fsc_error error;
    int i;
    if (fsc_abi_version() != FSC_ABI_VERSION) {
        fprintf(stderr, "libfsc %s is not the one that this program was compiled for\n", fsc_version());
        return 1;
    }
    for (i = 0; i < PARTIES; i++) {
        /* Within this program, nodes are reached by name, and need no configuration. */
        check(fsc_node_new(hospitals[i].name, NULL, 0, FSC_FORMAT_TOML, NULL, &hospitals[i].node, &error), error, "node");
        check(fsc_node_start(hospitals[i].node, NULL, &error), error, "start");
    }
    for (i = 0; i < PARTIES; i++) pthread_create(&threads[i], NULL, run, &hospitals[i]);
    for (i = 0; i < PARTIES; i++) pthread_join(threads[i], NULL);
    for (i = 0; i < PARTIES; i++) {
        check(fsc_node_stop(hospitals[i].node, NULL, &error), error, "stop");
        fsc_node_free(hospitals[i].node);
    }
    check(fsc_shutdown(&error), error, "shutdown");
    return 0;
}
