/* A hospital's program in C, with a node of its own. It prints where the node listens, reads a line with its place and all addresses, and
 * takes part in a sum of what its arguments are, which it prints. The others may be written in any language: hospital.py, hospital.R.
 *
 *   cc hospital.c $(pkg-config --cflags --libs fsc) -o hospital
 *   echo 0 http://127.0.0.1:8001 http://127.0.0.1:8002 http://127.0.0.1:8003 | ./hospital '{"listen": "127.0.0.1:8001"}' 34 71 52
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsc.h"

static const fsc_value NONE = {0};

static void check(fsc_status status, fsc_error error, const char *what) {
    if (status != FSC_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, fsc_error_message(error));
        exit(1);
    }
}

static void announce(fsc_node node) {
    fsc_error error;
    fsc_value description, addresses, address;
    const char *text;
    check(fsc_node_describe(node, &description, &error), error, "describe");
    check(fsc_value_entry(description, "addresses", &addresses, &error), error, "addresses");
    check(fsc_value_item(addresses, 0, &address, &error), error, "address");
    check(fsc_value_text(address, &text, NULL, &error), error, "address");
    printf("listening on %s\n", text);
    fflush(stdout);
    fsc_value_free(address);
    fsc_value_free(addresses);
    fsc_value_free(description);
}

/* What a line says of the federation: {"nodes": [...], "myself": place, "uuid": "ages"}. */
static fsc_value network(char *line) {
    const char *keys[3] = {"myself", "nodes", "uuid"}, *nodes[16];
    fsc_value parts[3], whole;
    fsc_error error;
    size_t count = 0;
    char *word = strtok(line, " \n");
    check(fsc_value_from_json(word == NULL ? "" : word, FSC_TERMINATED, &parts[0], &error), error, "place");
    while (count < 16 && (word = strtok(NULL, " \n")) != NULL) nodes[count++] = word;
    check(fsc_value_from_texts(nodes, count, &parts[1], &error), error, "nodes");
    check(fsc_value_from_json("\"ages\"", FSC_TERMINATED, &parts[2], &error), error, "uuid");
    check(fsc_value_map(keys, parts, 3, &whole, &error), error, "network");
    fsc_value_free(parts[0]);
    fsc_value_free(parts[1]);
    fsc_value_free(parts[2]);
    return whole;
}

static void compute(fsc_client client, fsc_value data, fsc_value others) {
    const char *keys[3] = {"data", "microprotocol", "network"}, *json;
    fsc_value parts[3], kwargs, description, result;
    fsc_object simon, method, answer;
    fsc_error error;
    parts[0] = data;
    parts[2] = others;
    check(fsc_value_from_json("\"SecureSum\"", FSC_TERMINATED, &parts[1], &error), error, "function");
    check(fsc_value_map(keys, parts, 3, &kwargs, &error), error, "arguments");
    check(fsc_value_from_json("{\"protocol\": \"Simon\"}", FSC_TERMINATED, &description, &error), error, "description");
    check(fsc_client_create(client, description, NULL, &simon, &error), error, "Simon");
    check(fsc_object_attribute(simon, "compute", NULL, &method, &error), error, "compute");
    check(fsc_object_call(method, NONE, kwargs, NULL, &answer, &error), error, "compute");
    check(fsc_object_download(answer, NULL, &result, &error), error, "download");
    check(fsc_value_to_json(result, &json, NULL, &error), error, "result");
    printf("%s\n", json);
    fsc_value_free(result);
    fsc_object_free(answer);
    fsc_object_free(method);
    fsc_object_free(simon);
    fsc_value_free(description);
    fsc_value_free(kwargs);
    fsc_value_free(parts[1]);
}

int main(int argc, char **argv) {
    char line[4096];
    double *ages = (double *)malloc(sizeof(double) * (size_t)argc);
    size_t count = 0;
    fsc_value data, others;
    fsc_client client;
    fsc_error error;
    fsc_node node;
    int i;
    for (i = 2; i < argc; i++) ages[count++] = atof(argv[i]);
    check(fsc_node_new(NULL, argc > 1 ? argv[1] : NULL, FSC_TERMINATED, FSC_FORMAT_JSON, NULL, &node, &error), error, "node");
    check(fsc_node_start(node, NULL, &error), error, "start");
    announce(node);
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
    check(fsc_value_from_f64(ages, NULL, &count, 1, &data, &error), error, "ages");
    others = network(line);
    check(fsc_node_client(node, NULL, &client, &error), error, "client");
    compute(client, data, others);
    fsc_client_free(client);
    fsc_value_free(others);
    fsc_value_free(data);
    check(fsc_node_stop(node, NULL, &error), error, "stop");
    fsc_node_free(node);
    check(fsc_shutdown(&error), error, "shutdown");
    free(ages);
    return 0;
}
