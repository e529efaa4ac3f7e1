/* A client at one end of a line of the program's own, a node at the other. */
#define _DEFAULT_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static int destroyed;

static ptrdiff_t line_read(void *state, uint8_t *bytes, size_t capacity) {
    return recv(*(int *)state, bytes, capacity, 0);
}

static ptrdiff_t line_write(void *state, const uint8_t *bytes, size_t length) {
    /* As drivers do, a little at a time. */
    return send(*(int *)state, bytes, length < 1000 ? length : 1000, MSG_NOSIGNAL);
}

static void line_close(void *state) {
    shutdown(*(int *)state, SHUT_RDWR);
}

static void line_destroy(void *state) {
    close(*(int *)state);
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static fsc_stream driver(int *file) {
    fsc_stream stream;
    memset(&stream, 0, sizeof stream);
    stream.size = sizeof stream;
    stream.state = file;
    stream.read = line_read;
    stream.write = line_write;
    stream.close = line_close;
    stream.destroy = line_destroy;
    return stream;
}

static void client_and_node(const char *principal) {
    const size_t much[1] = {100000};
    static int files[2];
    fsc_stream streams[2];
    fsc_node node = running("line", NULL);
    fsc_client client;
    fsc_value list, value, back;
    fsc_object object;
    const double *numbers;
    double *own = (double *)malloc(much[0] * sizeof *own);
    size_t count, i;
    for (i = 0; i < much[0]; i++) own[i] = (double)i / 7;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, files) == 0);
    streams[0] = driver(&files[0]);
    streams[1] = driver(&files[1]);
    WELL(fsc_node_attach(node, "client", &streams[0], principal, &error));
    WELL(fsc_client_connect_stream(&streams[1], &client, &error));
    WELL(fsc_value_from_f64(own, NULL, much, 1, &value, &error));
    if (principal == NULL) {
        FAILS(fsc_client_upload(client, value, NULL, &object, &error), FSC_STATUS_REFUSED, "principal");
    } else {
        WELL(fsc_client_list(client, NULL, &list, &error));
        CHECK(fsc_value_length(list) > 10);
        WELL(fsc_client_upload(client, value, NULL, &object, &error));
        WELL(fsc_object_download(object, NULL, &back, &error));
        WELL(fsc_value_as_f64(back, &numbers, &count, &error));
        CHECK(count == much[0] && memcmp(numbers, own, much[0] * sizeof *own) == 0);
        fsc_value_free(back);
        fsc_value_free(list);
        fsc_object_free(object);
    }
    fsc_value_free(value);
    free(own);
    /* When the node goes, so does the line. */
    WELL(fsc_node_stop(node, NULL, &error));
    FAILS(fsc_client_list(client, NULL, &list, &error), FSC_STATUS_UNREACHABLE, "stream");
    fsc_client_free(client);
    fsc_node_free(node);
    WELL(fsc_shutdown(&error));
    CHECK(fsc_handles() == 0);
}

int main(void) {
    client_and_node("bench");
    CHECK(destroyed == 2);
    client_and_node(NULL);
    CHECK(destroyed == 4);
    puts("ok");
    return 0;
}
