/* Handles of the library as external pointers of R, which free them. */
#include <stdlib.h>

#include "rfsc.h"

typedef struct {
    handle_kind kind;
    uint64_t id; /* zero: it was released */
} box;

static SEXP tag(void) { return Rf_install("fsc_handle"); }

/* None of these waits, and all are harmless in a forked process. */
static void let_go(box *own) {
    const uint64_t id = own->id;
    own->id = 0;
    if (id == 0) return;
    switch (own->kind) {
    case A_CLIENT: {
        fsc_client client = {id};
        fsc_client_free(client);
        break;
    }
    case A_NODE: {
        fsc_node node = {id};
        fsc_node_free(node);
        break;
    }
    case AN_OBJECT: {
        fsc_object object = {id};
        fsc_object_free(object);
        break;
    }
    }
}

static void finalize(SEXP handle) {
    box *own = (box *)R_ExternalPtrAddr(handle);
    if (own == NULL) return;
    R_ClearExternalPtr(handle);
    let_go(own);
    free(own);
}

/* An external pointer that names nothing yet: made before what it will name. To be protected by the caller. */
SEXP handle_new(handle_kind kind) {
    SEXP handle = PROTECT(R_MakeExternalPtr(NULL, tag(), R_NilValue));
    box *own;
    R_RegisterCFinalizerEx(handle, finalize, FALSE);
    own = calloc(1, sizeof *own);
    if (own == NULL) Rf_error("out of memory");
    own->kind = kind;
    R_SetExternalPtrAddr(handle, own);
    UNPROTECT(1);
    return handle;
}

void handle_put(SEXP handle, uint64_t id) { ((box *)R_ExternalPtrAddr(handle))->id = id; }

static box *box_of(SEXP handle) {
    if (TYPEOF(handle) != EXTPTRSXP || R_ExternalPtrTag(handle) != tag()) {
        fail_saying(R_NilValue, FSC_STATUS_INVALID_HANDLE, "this is no handle of the package fsc");
    }
    return (box *)R_ExternalPtrAddr(handle);
}

uint64_t handle_get(SEXP handle, handle_kind kind) {
    static const char *const names[] = {"", "client", "node", "object"};
    char message[128];
    const box *own = box_of(handle);
    if (own == NULL) {
        fail_saying(R_NilValue, FSC_STATUS_INVALID_HANDLE, "this was saved by another R session, and ended with it: make it anew");
    }
    if (own->kind != kind) {
        snprintf(message, sizeof message, "this is no %s", names[kind]);
        fail_saying(R_NilValue, FSC_STATUS_INVALID_HANDLE, message);
    }
    if (own->id == 0) {
        snprintf(message, sizeof message, "this %s was released", names[kind]);
        fail_saying(R_NilValue, FSC_STATUS_INVALID_HANDLE, message);
    }
    return own->id;
}

/* Releases what the handle names, if it still names something. */
SEXP rfsc_release(SEXP handle) {
    box *own = box_of(handle);
    if (own != NULL) let_go(own);
    return R_NilValue;
}

SEXP rfsc_is_held(SEXP handle) {
    const box *own = box_of(handle);
    return Rf_ScalarLogical(own != NULL && own->id != 0);
}

/* A reference that does not keep the handle, and the handle as long as it is there. */
SEXP rfsc_weak(SEXP handle) {
    box_of(handle);
    return R_MakeWeakRef(handle, R_NilValue, R_NilValue, FALSE);
}

SEXP rfsc_strong(SEXP weak) { return TYPEOF(weak) == WEAKREFSXP ? R_WeakRefKey(weak) : R_NilValue; }
