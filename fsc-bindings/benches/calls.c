/* What a call and an upload cost from C: compiled and run by `cargo xtask bench`, beside the same in Rust (benches/src/bin/calls.rs).
 * Prints one line of JSON: seconds, medians. */
#define _DEFAULT_SOURCE
#include <time.h>

#include "../tests/c/check.h"

#define CALLS 1000
#define NUMBERS 1000000
#define MOST 101

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int by_size(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static double median(double *seconds, int count) {
    qsort(seconds, (size_t)count, sizeof *seconds, by_size);
    return seconds[count / 2];
}

/* A call within the process, which answers nothing. */
static double call(fsc_client client, int runs) {
    double seconds[MOST];
    fsc_object service = created(client, "{\"microservice\": \"KeyValueStorage\"}"), create = method(service, "create"), storage, store;
    fsc_value arguments = json("{\"key\": \"answer\", \"value\": 42}");
    int run, i;
    WELL(fsc_object_call(create, NO_VALUE, NO_VALUE, NULL, &storage, &error));
    store = method(storage, "store");
    for (run = -1; run < runs; run++) {
        double start = now();
        for (i = 0; i < CALLS; i++) {
            fsc_object nothing;
            WELL(fsc_object_call(store, NO_VALUE, arguments, NULL, &nothing, &error));
            fsc_object_free(nothing);
        }
        if (run >= 0) seconds[run] = (now() - start) / CALLS;
    }
    fsc_value_free(arguments);
    fsc_object_free(store);
    fsc_object_free(storage);
    fsc_object_free(create);
    fsc_object_free(service);
    return median(seconds, runs);
}

/* An array of doubles, from this program's memory to the node's. */
static double upload(fsc_client client, const double *numbers, int runs) {
    const size_t shape[1] = {NUMBERS};
    double seconds[MOST];
    int run;
    for (run = -1; run < runs; run++) {
        double start = now();
        fsc_value value;
        fsc_object object;
        WELL(fsc_value_f64(numbers, NULL, shape, 1, &value, &error));
        WELL(fsc_client_upload(client, value, NULL, &object, &error));
        if (run >= 0) seconds[run] = now() - start;
        fsc_object_free(object);
        fsc_value_free(value);
    }
    return median(seconds, runs);
}

int main(int argc, char **argv) {
    int runs = argc > 1 ? atoi(argv[1]) : 11, i;
    fsc_node node = running("bench", "listen = \"127.0.0.1:0\"");
    fsc_client near = client_of(node), far;
    fsc_value description, addresses, address;
    const char *url;
    double *numbers = (double *)malloc(sizeof(double) * NUMBERS);
    CHECK(numbers != NULL && runs > 0 && runs <= MOST);
    for (i = 0; i < NUMBERS; i++) numbers[i] = i * 0.5;
    WELL(fsc_node_describe(node, &description, &error));
    WELL(fsc_value_entry(description, "addresses", &addresses, &error));
    WELL(fsc_value_item(addresses, 0, &address, &error));
    WELL(fsc_value_text(address, &url, NULL, &error));
    WELL(fsc_client_connect(url, NULL, &far, &error));
    printf("{\"call_s\": %.3e, \"upload_s\": %.3e, \"upload_http_s\": %.3e}\n", call(near, runs),
           upload(near, numbers, runs), upload(far, numbers, runs));
    WELL(fsc_shutdown(&error));
    free(numbers);
    return 0;
}
