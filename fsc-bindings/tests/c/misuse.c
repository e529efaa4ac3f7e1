/* Whatever a program does wrong ends in an error that says what, and the library goes on. */
#define _DEFAULT_SOURCE
#include <pthread.h>
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
    FAILS(fsc_value_json(NULL, 3, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "text must not be null");
    FAILS(fsc_value_json(NULL, FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "null");
    FAILS(fsc_value_json("1", FSC_TERMINATED, NULL, &error), FSC_STATUS_INVALID_ARGUMENT, "value must not be null");
    FAILS(fsc_value_json("1", SIZE_MAX - 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "so long");
    FAILS(fsc_value_json("\"\xff\"", FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "UTF-8");
    FAILS(fsc_value_f64(NULL, NULL, one, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "numbers must not be null");
    FAILS(fsc_value_f64(&number, NULL, NULL, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_f64(&number, NULL, one, 0, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_f64(&number, NULL, too_many, 2, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "memory");
    FAILS(fsc_value_f64(&number, NULL, much, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "so long");
    FAILS(fsc_value_f64(&number, NULL, zero, 2, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_f64(&number, NULL, deep, 40, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "shape");
    FAILS(fsc_value_to_json(made_up, &text, &length, &error), FSC_STATUS_INVALID_HANDLE, "value");
    FAILS(fsc_client_connect(NULL, NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "address");
    FAILS(fsc_client_connect("nonsense", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "address");
    FAILS(fsc_client_connect("ftp://a", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "ftp");
    FAILS(fsc_client_connect("http://\xff", NULL, &client, &error), FSC_STATUS_INVALID_ARGUMENT, "UTF-8");
    FAILS(fsc_node_new(NULL, "listen = 3", FSC_TERMINATED, FSC_FORMAT_TOML, &node, &error),
          FSC_STATUS_INVALID_ARGUMENT, "config");
    FAILS(fsc_node_new(NULL, "{\"listne\": 3}", FSC_TERMINATED, FSC_FORMAT_JSON, &node, &error),
          FSC_STATUS_INVALID_ARGUMENT, "listne");
    FAILS(fsc_node_new(NULL, "", 0, 7, &node, &error), FSC_STATUS_INVALID_ARGUMENT, "format");
    FAILS(fsc_node_new("a b", "", 0, FSC_FORMAT_TOML, &node, &error), FSC_STATUS_INVALID_ARGUMENT, "name");
    FAILS(fsc_client_list((fsc_client){0}, NULL, &value, &error), FSC_STATUS_INVALID_HANDLE, "client is null");
    FAILS(fsc_object_call((fsc_object){0}, NO_VALUE, NO_VALUE, NULL, &object, &error), FSC_STATUS_INVALID_HANDLE, "null");
    CHECK(fsc_value_kind(made_up) == FSC_KIND_NONE && fsc_value_length(made_up) == 0);
    CHECK(fsc_value_free(made_up) == FSC_STATUS_INVALID_HANDLE);
    CHECK(strcmp(fsc_status_text(FSC_STATUS_FORKED), fsc_status_text(-77)) != 0);
    /* Nowhere to put the error is no error of its own. */
    CHECK(fsc_value_json(NULL, 0, NULL, NULL) == FSC_STATUS_INVALID_ARGUMENT);
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

static void structures_of_the_wrong_size(void) {
    fsc_node node = running("sizes", NULL);
    fsc_client client = client_of(node);
    fsc_wait wait = {0};
    fsc_value list;
    fsc_service service = {0};
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "size");
    wait.size = 100000;
    FAILS(fsc_client_list(client, &wait, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "size");
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
    FAILS(fsc_node_start(node, &error), FSC_STATUS_STOPPED, "runs already");
    FAILS(fsc_node_new("stops", NULL, 0, FSC_FORMAT_TOML, &other, &error), FSC_STATUS_INVALID_ARGUMENT, "another node");
    WELL(fsc_node_stop(node, NULL, &error));
    WELL(fsc_node_stop(node, NULL, &error));
    FAILS(fsc_node_start(node, &error), FSC_STATUS_STOPPED, "stopped");
    FAILS(fsc_client_list(client, NULL, &value, &error), FSC_STATUS_UNREACHABLE, "no such node");
    FAILS(fsc_object_attribute(simon, "compute", NULL, &object, &error), FSC_STATUS_UNREACHABLE, "");
    FAILS(fsc_node_client(node, NULL, &client, &error), FSC_STATUS_STOPPED, "stopped");
    fsc_object_free(simon);
    fsc_node_free(node);
    /* Its name is free again. */
    node = running("stops", NULL);
    fsc_node_free(node);
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
    fsc_service services[4] = {{0}};
    const char *names[4] = {"fails", "refuses", "nonsense", "waits"};
    fsc_node node;
    fsc_object object, answer;
    int i;
    WELL(fsc_node_new("failing", NULL, 0, FSC_FORMAT_TOML, &node, &error));
    services[0].call = fails;
    services[1].call = refuses;
    services[2].call = answers_nonsense;
    services[3].attribute = waits_where_it_must_not;
    services[3].state = &client;
    for (i = 0; i < 4; i++) {
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
    WELL(fsc_node_start(node, &error));
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

static void calls_that_are_cancelled_or_late(void) {
    fsc_node node = running("lonely", NULL);
    fsc_client client = client_of(node);
    fsc_object simon = created(client, "{\"protocol\": \"Simon\"}");
    lonely both[2];
    pthread_t threads[2];
    fsc_wait wait = {sizeof wait, 50, {0}};
    fsc_status told = FSC_STATUS_OK;
    fsc_object answer;
    int i;
    both[0].compute = method(simon, "compute");
    both[0].kwargs = json("{\"microprotocol\": \"SecureSum\", \"data\": 1.0, \"network\": {\"nodes\": [\"local:lonely\", "
                          "\"local:nobody\"], \"myself\": 0, \"uuid\": \"u\"}}");
    WELL(fsc_cancel_new(&both[0].cancel, &error));
    FAILS(fsc_object_call(both[0].compute, NO_VALUE, both[0].kwargs, &wait, &answer, &error), FSC_STATUS_TIMED_OUT, "0.05 s");
    both[1] = both[0];
    for (i = 0; i < 2; i++) pthread_create(&threads[i], NULL, wait_for_others, &both[i]);
    usleep(100000);
    CHECK(fsc_cancel_fire(both[0].cancel) == FSC_STATUS_OK);
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        /* The second may have been refused because the first has the same place. */
        CHECK(both[i].status == FSC_STATUS_CANCELLED || both[i].status == FSC_STATUS_REFUSED);
    }
    CHECK(both[0].status == FSC_STATUS_CANCELLED || both[1].status == FSC_STATUS_CANCELLED);
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

static void a_forked_child_is_refused(void) {
    fsc_node node = running("forks", NULL);
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fsc_value value;
        fsc_error error = {9};
        int refused = fsc_value_json("1", 1, &value, &error) == FSC_STATUS_FORKED && error.id == 0 &&
                      fsc_node_free(node) == FSC_STATUS_FORKED && fsc_shutdown(NULL) == FSC_STATUS_FORKED;
        /* Another program instead of an exit: tools that look for leaks would look here, too. */
        if (refused) execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
}

int main(void) {
    CHECK(fsc_abi_version() == FSC_ABI_VERSION && strlen(fsc_version()) >= 5);
    null_and_made_up_arguments();
    handles_that_were_freed_or_are_of_another_kind();
    structures_of_the_wrong_size();
    calls_after_stop();
    callbacks_that_fail();
    threads_that_share_a_handle();
    calls_that_are_cancelled_or_late();
    a_forked_child_is_refused();
    WELL(fsc_shutdown(&error));
    CHECK(destroyed == 4);
    CHECK(fsc_handles() == 0);
    puts("ok");
    return 0;
}
