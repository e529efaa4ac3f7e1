/* A data source in C: a hospital's own program serves the columns of its records to computations, and to nobody else.
 *
 *   cc patients.c $(pkg-config --cflags --libs fsc) -o patients
 *   ./patients 34 71 52          # prints where it listens; ends when its input does
 *
 * Clients find it by {"microservice": "Patients"}. They can ask `rows()` and `column(name)`, and compute on a column, as in
 * ask_patients.rs, ask_patients.py and ask_patients.R; but they can't download it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsc.h"

typedef struct records {
    size_t count;
    double *ages;
} records;

/* Ends the program if something is wrong, and says what. */
static void check(fsc_status status, fsc_error error, const char *what) {
    if (status != FSC_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, fsc_error_message(error));
        exit(1);
    }
}

/* rows(): how many there are. A value is an output: clients may download it. */
static int32_t rows(void *state, const fsc_arguments *call, fsc_answer answer) {
    const records *own = (const records *)state;
    char text[32];
    fsc_value value;
    (void)call;
    snprintf(text, sizeof text, "%zu", own->count);
    if (fsc_value_from_json(text, FSC_TERMINATED, &value, NULL) != FSC_STATUS_OK) return 1;
    fsc_answer_value(answer, value, NULL);
    fsc_value_free(value);
    return 0;
}

/* The argument `name`, given by name or as the first one; the caller frees it. */
static fsc_value name_of(const fsc_arguments *call) {
    fsc_value name = {0};
    fsc_value_entry(call->kwargs, "name", &name, NULL);
    if (name.id == 0) fsc_value_item(call->args, 0, &name, NULL);
    return name;
}

/* column(name): an object that has data to compute on, but no content to download. */
static int32_t column(void *state, const fsc_arguments *call, fsc_answer answer) {
    const records *own = (const records *)state;
    fsc_service object;
    fsc_value name = name_of(call);
    const char *text = "";
    int is_age = fsc_value_text(name, &text, NULL, NULL) == FSC_STATUS_OK && strcmp(text, "age") == 0;
    fsc_value_free(name);
    if (!is_age) {
        fsc_answer_failure(answer, 404, "there is one column, age", NULL);
        return 1;
    }
    memset(&object, 0, sizeof object);
    object.size = sizeof object;
    object.kind = "column of patients";
    if (fsc_value_from_f64(own->ages, NULL, &own->count, 1, &object.data, NULL) != FSC_STATUS_OK) return 1;
    fsc_answer_object(answer, &object, NULL);
    fsc_value_free(object.data);
    return 0;
}

/* The methods of the data source. */
static int32_t attribute(void *state, const char *name, fsc_answer answer) {
    fsc_service method;
    memset(&method, 0, sizeof method);
    method.size = sizeof method;
    method.kind = "method";
    method.state = state;
    if (strcmp(name, "rows") == 0) method.call = rows;
    if (strcmp(name, "column") == 0) method.call = column;
    if (method.call == NULL) return 1;
    return fsc_answer_object(answer, &method, NULL) == FSC_STATUS_OK ? 0 : 1;
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

int main(int argc, char **argv) {
    records own = {0, NULL};
    fsc_service source;
    fsc_value description;
    fsc_error error;
    fsc_node node;
    int i;
    own.ages = (double *)malloc(sizeof(double) * (size_t)argc);
    for (i = 1; i < argc; i++) own.ages[own.count++] = atof(argv[i]);
    memset(&source, 0, sizeof source);
    source.size = sizeof source;
    source.kind = "patients";
    source.state = &own;
    source.attribute = attribute;
    check(fsc_node_new(NULL, "listen = \"127.0.0.1:0\"", FSC_TERMINATED, FSC_FORMAT_TOML, NULL, &node, &error), error, "node");
    check(fsc_value_from_json("{\"namespace\": \"example\", \"microservice\": \"Patients\"}", FSC_TERMINATED, &description, &error),
          error, "description");
    check(fsc_node_offer(node, "patients", description, &source, &error), error, "offer");
    fsc_value_free(description);
    check(fsc_node_start(node, NULL, &error), error, "start");
    announce(node);
    while (getchar() != EOF) {
    }
    check(fsc_node_stop(node, NULL, &error), error, "stop");
    fsc_node_free(node);
    check(fsc_shutdown(&error), error, "shutdown");
    free(own.ages);
    return 0;
}
