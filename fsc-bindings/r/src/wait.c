/* Calls that wait for a node.
 *
 * None of them waits in R's thread: a thread of the library, or one that is started here, does, and R's looks for the user's interrupt
 * every now and then. An interrupt cancels the call, which ends a computation at all parties. Threads other than R's never touch R: they
 * fill in a `pending`, which belongs to whoever comes last. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rfsc.h"

/* How often R's thread looks for an interrupt. */
#define SLICE_MS 50
/* How long a cancelled call may take to end before it is left to itself. */
#define PATIENCE_SLICES (10000 / SLICE_MS)

/* Not the time of day, which may be set meanwhile, where conditions can wait by another clock. */
#if defined(__APPLE__)
#define PACE CLOCK_REALTIME
#else
#define PACE CLOCK_MONOTONIC
#endif

typedef enum { TO_LIST, TO_CREATE, TO_UPLOAD, TO_ATTRIBUTE, TO_START, TO_STOP, TO_CALL, TO_DOWNLOAD } task;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int has_ended, is_abandoned;
    /* What is asked. Not used after `has_ended`. */
    task what;
    uint64_t subject;
    fsc_value argument;
    char *name;
    fsc_wait wait;
    /* What comes of it. */
    fsc_status status;
    fsc_object object;
    fsc_value value;
    fsc_error error;
} pending;

static pending *pending_new(SEXP arena, task what, uint64_t subject, SEXP seconds) {
    const double limit = Rf_asReal(seconds);
    pending *own;
    fsc_error error;
    fsc_status status;
#if !defined(__APPLE__)
    pthread_condattr_t attributes;
#endif
    if (!R_FINITE(limit) || limit < 0 || limit > 1e9) {
        fail_saying(arena, FSC_STATUS_INVALID_ARGUMENT, "the option fsc.timeout must be a number of seconds");
    }
    arena_token(arena); /* while nothing is lost if R has no memory for it */
    own = calloc(1, sizeof *own);
    if (own == NULL) fail_saying(arena, FSC_STATUS_LIMIT, "out of memory");
    own->what = what;
    own->subject = subject;
    own->wait.size = sizeof own->wait;
    own->wait.deadline_ms = (uint64_t)ceil(limit * 1000);
    status = fsc_cancel_new(&own->wait.cancel, &error);
    if (status != FSC_STATUS_OK) {
        free(own);
        fail(arena, status, error);
    }
    pthread_mutex_init(&own->lock, NULL);
#if defined(__APPLE__)
    pthread_cond_init(&own->ended, NULL);
#else
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, PACE);
    pthread_cond_init(&own->ended, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
    return own;
}

/* Frees what came of a call that nobody waits for any more, too. */
static void pending_free(pending *own) {
    fsc_cancel_free(own->wait.cancel);
    fsc_object_free(own->object);
    fsc_value_free(own->value);
    fsc_error_free(own->error);
    pthread_cond_destroy(&own->ended);
    pthread_mutex_destroy(&own->lock);
    free(own->name);
    free(own);
}

/* From another thread than R's: the last thing that it does with `own`. */
static void pending_end(pending *own) {
    int is_abandoned;
    pthread_mutex_lock(&own->lock);
    own->has_ended = 1;
    is_abandoned = own->is_abandoned;
    if (!is_abandoned) pthread_cond_signal(&own->ended);
    pthread_mutex_unlock(&own->lock);
    if (is_abandoned) pending_free(own);
}

static void called(void *user, fsc_status status, fsc_object answer, fsc_error error) {
    pending *own = (pending *)user;
    own->status = status;
    own->object = answer;
    own->error = error;
    pending_end(own);
}

static void downloaded(void *user, fsc_status status, fsc_value content, fsc_error error) {
    pending *own = (pending *)user;
    own->status = status;
    own->value = content;
    own->error = error;
    pending_end(own);
}

/* The life of a thread that waits for what the library has no callback for. */
static void *work(void *user) {
    pending *own = (pending *)user;
    const fsc_client client = {own->subject};
    const fsc_object object = {own->subject};
    const fsc_node node = {own->subject};
    switch (own->what) {
    case TO_LIST:
        own->status = fsc_client_list(client, &own->wait, &own->value, &own->error);
        break;
    case TO_CREATE:
        own->status = fsc_client_create(client, own->argument, &own->wait, &own->object, &own->error);
        break;
    case TO_UPLOAD:
        own->status = fsc_client_upload(client, own->argument, &own->wait, &own->object, &own->error);
        break;
    case TO_ATTRIBUTE:
        own->status = fsc_object_attribute(object, own->name, &own->wait, &own->object, &own->error);
        break;
    case TO_START:
        own->status = fsc_node_start(node, &own->wait, &own->error);
        break;
    case TO_STOP:
        own->status = fsc_node_stop(node, &own->wait, &own->error);
        break;
    default:
        own->status = FSC_STATUS_INTERNAL;
    }
    pending_end(own);
    return NULL;
}

/* Starts `work` with all signals blocked, as they are R's. */
static fsc_status start_thread(pending *own) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, work, own);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? FSC_STATUS_LIMIT : FSC_STATUS_OK;
}

static void wait_a_slice(pending *own) {
    struct timespec until;
    clock_gettime(PACE, &until);
    until.tv_nsec += SLICE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec += 1;
    }
    pthread_cond_timedwait(&own->ended, &own->lock, &until);
}

typedef struct {
    pending *own;
    SEXP arena;
} waiting;

static SEXP look_for_interrupt(void *unused) {
    (void)unused;
    R_CheckUserInterrupt();
    return R_NilValue;
}

/* R is leaving: for an interrupt, a time limit, or what a handler of the user's has decided. What is to be freed is freed here. */
static void leave(void *user, Rboolean is_leaving) {
    waiting *what = (waiting *)user;
    pending *own = what->own;
    int slices = PATIENCE_SLICES, is_abandoned;
    if (!is_leaving) return;
    fsc_cancel_fire(own->wait.cancel);
    pthread_mutex_lock(&own->lock);
    while (!own->has_ended && slices-- > 0) wait_a_slice(own);
    is_abandoned = own->is_abandoned = !own->has_ended;
    pthread_mutex_unlock(&own->lock);
    if (!is_abandoned) pending_free(own);
    arena_free(what->arena, 0);
}

/* Waits until the call has ended. If R leaves meanwhile, the call is cancelled. */
static void await(pending *own, SEXP arena) {
    waiting what;
    what.own = own;
    what.arena = arena;
    pthread_mutex_lock(&own->lock);
    while (!own->has_ended) {
        wait_a_slice(own);
        if (own->has_ended) break;
        pthread_mutex_unlock(&own->lock);
        R_UnwindProtect(look_for_interrupt, NULL, leave, &what, arena_token(arena));
        pthread_mutex_lock(&own->lock);
    }
    pthread_mutex_unlock(&own->lock);
}

/* Waits for a call that was started, and frees `own`. The object that it gives goes into `handle`, if that is one; a value goes into the
 * arena, which must have room for it, and is returned. */
static fsc_value conclude(pending *own, fsc_status started, fsc_error error, SEXP arena, SEXP handle) {
    fsc_status status;
    fsc_value value;
    if (started != FSC_STATUS_OK) {
        pending_free(own);
        fail(arena, started, error);
    }
    await(own, arena);
    status = own->status;
    error = own->error;
    own->error.id = 0;
    if (handle != R_NilValue) {
        handle_put(handle, own->object.id);
        own->object.id = 0;
    }
    value = arena_push(arena, own->value);
    own->value.id = 0;
    pending_free(own);
    check(arena, status, error);
    return value;
}

static const fsc_error NO_ERROR = {0};

static fsc_value by_thread(task what, uint64_t subject, SEXP arena, SEXP handle, fsc_value argument, const char *name, SEXP seconds) {
    pending *own;
    arena_reserve(arena);
    own = pending_new(arena, what, subject, seconds);
    own->argument = argument;
    if (name != NULL) {
        own->name = malloc(strlen(name) + 1);
        if (own->name == NULL) {
            pending_free(own);
            fail_saying(arena, FSC_STATUS_LIMIT, "out of memory");
        }
        strcpy(own->name, name);
    }
    return conclude(own, start_thread(own), NO_ERROR, arena, handle);
}

static const fsc_value NONE = {0};

SEXP rfsc_list(SEXP client, SEXP simplify, SEXP seconds) {
    const uint64_t id = handle_get(client, A_CLIENT);
    SEXP arena = PROTECT(arena_new()), descriptions;
    const fsc_value value = by_thread(TO_LIST, id, arena, R_NilValue, NONE, NULL, seconds);
    descriptions = PROTECT(value_to_r(arena, value, Rf_asLogical(simplify)));
    arena_free(arena, 0);
    UNPROTECT(2);
    return descriptions;
}

SEXP rfsc_create(SEXP client, SEXP description, SEXP seconds) {
    const uint64_t id = handle_get(client, A_CLIENT);
    SEXP arena = PROTECT(arena_new()), handle = PROTECT(handle_new(AN_OBJECT));
    by_thread(TO_CREATE, id, arena, handle, value_of(arena, description, "description"), NULL, seconds);
    arena_free(arena, 0);
    UNPROTECT(2);
    return handle;
}

SEXP rfsc_upload(SEXP client, SEXP x, SEXP seconds) {
    const uint64_t id = handle_get(client, A_CLIENT);
    SEXP arena = PROTECT(arena_new()), handle = PROTECT(handle_new(AN_OBJECT));
    fsc_value value = value_of(arena, x, "value");
    if (value.id == 0) value = value_null(arena);
    by_thread(TO_UPLOAD, id, arena, handle, value, NULL, seconds);
    arena_free(arena, 0);
    UNPROTECT(2);
    return handle;
}

SEXP rfsc_attribute(SEXP object, SEXP name, SEXP seconds) {
    const uint64_t id = handle_get(object, AN_OBJECT);
    SEXP arena = PROTECT(arena_new()), handle = PROTECT(handle_new(AN_OBJECT));
    by_thread(TO_ATTRIBUTE, id, arena, handle, NONE, utf8(name, "name"), seconds);
    arena_free(arena, 0);
    UNPROTECT(2);
    return handle;
}

/* The object that the call answers, or NULL if it answers nothing. */
SEXP rfsc_call(SEXP object, SEXP args, SEXP kwargs, SEXP seconds) {
    const fsc_object subject = {handle_get(object, AN_OBJECT)};
    SEXP arena = PROTECT(arena_new()), handle = PROTECT(handle_new(AN_OBJECT)), held;
    const fsc_value positional = value_of_args(arena, args), named = value_of_kwargs(arena, kwargs);
    pending *own;
    fsc_error error;
    fsc_status started;
    arena_reserve(arena);
    own = pending_new(arena, TO_CALL, subject.id, seconds);
    started = fsc_object_call_async(subject, positional, named, &own->wait, called, own, &error);
    conclude(own, started, error, arena, handle);
    arena_free(arena, 0);
    held = PROTECT(rfsc_is_held(handle));
    UNPROTECT(3);
    return LOGICAL(held)[0] ? handle : R_NilValue;
}

SEXP rfsc_download(SEXP object, SEXP simplify, SEXP seconds) {
    const fsc_object subject = {handle_get(object, AN_OBJECT)};
    SEXP arena = PROTECT(arena_new()), x;
    pending *own;
    fsc_value value;
    fsc_error error;
    fsc_status started;
    arena_reserve(arena);
    own = pending_new(arena, TO_DOWNLOAD, subject.id, seconds);
    started = fsc_object_download_async(subject, &own->wait, downloaded, own, &error);
    value = conclude(own, started, error, arena, R_NilValue);
    x = PROTECT(value_to_r(arena, value, Rf_asLogical(simplify)));
    arena_free(arena, 0);
    UNPROTECT(2);
    return x;
}

static SEXP of_node(task what, SEXP node, SEXP seconds) {
    const uint64_t id = handle_get(node, A_NODE);
    SEXP arena = PROTECT(arena_new());
    by_thread(what, id, arena, R_NilValue, NONE, NULL, seconds);
    arena_free(arena, 0);
    UNPROTECT(1);
    return R_NilValue;
}

SEXP rfsc_node_start(SEXP node, SEXP seconds) { return of_node(TO_START, node, seconds); }

SEXP rfsc_node_stop(SEXP node, SEXP seconds) { return of_node(TO_STOP, node, seconds); }
