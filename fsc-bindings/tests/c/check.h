/* What the tests in C share. A test is a claim: CHECK says what must hold, and where it does not. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsc.h"

#define CHECK(claim)                                                                \
    do {                                                                            \
        if (!(claim)) {                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

/* That a call has failed in this way, with a message that contains the word. */
#define FAILS(call, wanted, word)                                                                    \
    do {                                                                                             \
        fsc_error error = {0};                                                                       \
        fsc_status status = (call);                                                                  \
        const char *message = fsc_error_message(error);                                              \
        if (status != (wanted) || fsc_error_status(error) != (wanted) || strstr(message, word) == NULL) { \
            fprintf(stderr, "%s:%d: status %d, %s: %s\n", __FILE__, __LINE__, (int)status, message, #call); \
            exit(1);                                                                                 \
        }                                                                                            \
        CHECK(fsc_error_free(error) == FSC_STATUS_OK);                                               \
    } while (0)

/* That a call is well. */
#define WELL(call)                                                                                    \
    do {                                                                                              \
        fsc_error error = {0};                                                                        \
        fsc_status status = (call);                                                                   \
        if (status != FSC_STATUS_OK) {                                                                \
            fprintf(stderr, "%s:%d: status %d, %s: %s\n", __FILE__, __LINE__, (int)status,            \
                    fsc_error_message(error), #call);                                                 \
            exit(1);                                                                                  \
        }                                                                                             \
    } while (0)

static const fsc_value NO_VALUE = {0};

/* A value of a text in JSON. */
static inline fsc_value json(const char *text) {
    fsc_value value;
    WELL(fsc_value_from_json(text, FSC_TERMINATED, &value, &error));
    return value;
}

/* Whether a value is, in JSON, that text. */
static inline int is_json(fsc_value value, const char *wanted) {
    const char *text = NULL;
    WELL(fsc_value_to_json(value, &text, NULL, &error));
    if (strcmp(text, wanted) != 0) fprintf(stderr, "it is %s\n", text);
    return strcmp(text, wanted) == 0;
}

/* A running node with a configuration in TOML, or none. */
static inline fsc_node running(const char *name, const char *config) {
    fsc_node node;
    WELL(fsc_node_new(name, config, FSC_TERMINATED, FSC_FORMAT_TOML, NULL, &node, &error));
    WELL(fsc_node_start(node, NULL, &error));
    return node;
}

/* A client of a node of this process. */
static inline fsc_client client_of(fsc_node node) {
    fsc_client client;
    WELL(fsc_node_client(node, NULL, &client, &error));
    return client;
}

/* An object of a node by its description. */
static inline fsc_object created(fsc_client client, const char *description) {
    fsc_value value = json(description);
    fsc_object object;
    WELL(fsc_client_create(client, value, NULL, &object, &error));
    fsc_value_free(value);
    return object;
}

/* A method of an object. */
static inline fsc_object method(fsc_object object, const char *name) {
    fsc_object attribute;
    WELL(fsc_object_attribute(object, name, NULL, &attribute, &error));
    return attribute;
}

#endif
