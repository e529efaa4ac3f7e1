/* Memory stays flat over 10,000 times connecting, creating, calling and freeing, within the process and over HTTP. */
#include "check.h"

static long resident_kilobytes(void) {
    char line[256];
    long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &kilobytes) == 1) break;
    }
    fclose(file);
    CHECK(kilobytes > 0);
    return kilobytes;
}

static void cycle(const char *address) {
    fsc_client client;
    fsc_object service, create, storage, store, nothing;
    fsc_value arguments = json("{\"key\": \"answer\", \"value\": [1.5, 2.5]}");
    WELL(fsc_client_connect(address, NULL, &client, &error));
    service = created(client, "{\"microservice\": \"KeyValueStorage\"}");
    create = method(service, "create");
    WELL(fsc_object_call(create, NO_VALUE, NO_VALUE, NULL, &storage, &error));
    store = method(storage, "store");
    WELL(fsc_object_call(store, NO_VALUE, arguments, NULL, &nothing, &error));
    fsc_object_free(nothing);
    fsc_object_free(store);
    fsc_object_free(storage);
    fsc_object_free(create);
    fsc_object_free(service);
    fsc_client_free(client);
    fsc_value_free(arguments);
}

/* What is freed is released at the node a little later, and a busy machine lets that pile up: so there is a second chance, but none for what
 * is lost each time. */
static void is_flat(const char *address, int times) {
    const size_t handles = fsc_handles();
    int round, i;
    for (i = 0; i < times / 10; i++) cycle(address);
    for (round = 0; round < 5; round++) {
        const long before = resident_kilobytes();
        long after;
        for (i = 0; i < times; i++) cycle(address);
        after = resident_kilobytes();
        printf("%s: %d times, %ld kB before, %ld after\n", address, times, before, after);
        CHECK(fsc_handles() == handles);
        /* Less than 30 bytes each. */
        if ((after - before) * 1024 < 30 * (long)times) return;
    }
    CHECK(!"memory stays flat");
}

int main(int argc, char **argv) {
    const int times = argc > 1 ? atoi(argv[1]) : 10000;
    fsc_node node = running("cycles", "listen = \"127.0.0.1:0\"");
    fsc_value description, addresses, address;
    const char *url;
    WELL(fsc_node_describe(node, &description, &error));
    WELL(fsc_value_entry(description, "addresses", &addresses, &error));
    WELL(fsc_value_item(addresses, 0, &address, &error));
    WELL(fsc_value_text(address, &url, NULL, &error));
    is_flat("local:cycles", times);
    is_flat(url, times);
    fsc_value_free(address);
    fsc_value_free(addresses);
    fsc_value_free(description);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
    CHECK(fsc_handles() == 0);
    WELL(fsc_shutdown(&error));
    puts("ok");
    return 0;
}
