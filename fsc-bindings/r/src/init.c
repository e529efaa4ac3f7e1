/* What R can call, and how the library is loaded and left. */
/* For dladdr. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "rfsc.h"

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

static SEXP rfsc_connect(SEXP address, SEXP token) {
    const char *url = utf8(address, "url");
    SEXP handle = PROTECT(handle_new(A_CLIENT));
    fsc_client_options options = {sizeof options, utf8(token, "token")};
    fsc_client client;
    fsc_error error;
    check(R_NilValue, fsc_client_connect(url, &options, &client, &error), error);
    handle_put(handle, client.id);
    UNPROTECT(1);
    return handle;
}

static SEXP rfsc_node_new(SEXP name, SEXP config, SEXP is_json, SEXP folder) {
    const char *own_name = utf8(name, "name"), *text = utf8(config, "config"), *beside = utf8(folder, "folder");
    SEXP handle = PROTECT(handle_new(A_NODE));
    const int format = Rf_asLogical(is_json) ? FSC_FORMAT_JSON : FSC_FORMAT_TOML;
    fsc_node node;
    fsc_error error;
    check(R_NilValue, fsc_node_new(own_name, text, FSC_TERMINATED, format, beside, &node, &error), error);
    handle_put(handle, node.id);
    UNPROTECT(1);
    return handle;
}

static SEXP rfsc_node_describe(SEXP handle) {
    const fsc_node node = {handle_get(handle, A_NODE)};
    SEXP arena = PROTECT(arena_new()), x;
    fsc_value description;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_node_describe(node, &description, &error), error);
    arena_push(arena, description);
    x = PROTECT(value_to_r(arena, description, 1));
    arena_free(arena, 0);
    UNPROTECT(2);
    return x;
}

static SEXP rfsc_node_client(SEXP handle, SEXP principal) {
    const fsc_node node = {handle_get(handle, A_NODE)};
    const char *name = utf8(principal, "principal");
    SEXP own = PROTECT(handle_new(A_CLIENT));
    fsc_client client;
    fsc_error error;
    check(R_NilValue, fsc_node_client(node, name, &client, &error), error);
    handle_put(own, client.id);
    UNPROTECT(1);
    return own;
}

/* A value in JSON, and back: for configurations, and for tests. */
static SEXP rfsc_to_json(SEXP x, SEXP name) {
    SEXP arena = PROTECT(arena_new()), json;
    fsc_value value = value_of(arena, x, utf8(name, "name"));
    const char *text;
    size_t length;
    fsc_error error;
    if (value.id == 0) value = value_null(arena);
    check(arena, fsc_value_to_json(value, &text, &length, &error), error);
    json = PROTECT(Rf_ScalarString(PROTECT(Rf_mkCharLenCE(text, (int)length, CE_UTF8))));
    arena_free(arena, 0);
    UNPROTECT(3);
    return json;
}

static SEXP rfsc_from_json(SEXP json, SEXP simplify) {
    SEXP arena = PROTECT(arena_new()), x;
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_json(utf8(json, "json"), FSC_TERMINATED, &value, &error), error);
    arena_push(arena, value);
    x = PROTECT(value_to_r(arena, value, Rf_asLogical(simplify)));
    arena_free(arena, 0);
    UNPROTECT(2);
    return x;
}

static SEXP rfsc_handles(void) { return Rf_ScalarReal((double)fsc_handles()); }

static SEXP rfsc_version(void) { return Rf_mkString(fsc_version()); }

static SEXP rfsc_shutdown(void) {
    fsc_error error = {0};
    const fsc_status status = fsc_shutdown(&error);
    if (status != FSC_STATUS_FORKED) check(R_NilValue, status, error);
    return R_NilValue;
}

#define ENTRY(name, arguments) {#name, (DL_FUNC)&name, arguments}

static const R_CallMethodDef entries[] = {
    ENTRY(rfsc_attribute, 3),
    ENTRY(rfsc_call, 4),
    ENTRY(rfsc_connect, 2),
    ENTRY(rfsc_create, 3),
    ENTRY(rfsc_download, 3),
    ENTRY(rfsc_from_json, 2),
    ENTRY(rfsc_handles, 0),
    ENTRY(rfsc_is_held, 1),
    ENTRY(rfsc_list, 3),
    ENTRY(rfsc_node_client, 2),
    ENTRY(rfsc_node_new, 4),
    ENTRY(rfsc_node_describe, 1),
    ENTRY(rfsc_node_start, 2),
    ENTRY(rfsc_node_stop, 2),
    ENTRY(rfsc_release, 1),
    ENTRY(rfsc_shutdown, 0),
    ENTRY(rfsc_strong, 1),
    ENTRY(rfsc_to_json, 2),
    ENTRY(rfsc_upload, 3),
    ENTRY(rfsc_version, 0),
    ENTRY(rfsc_weak, 1),
    {NULL, NULL, 0}};

attribute_visible void R_init_fsc(DllInfo *dll) {
    Dl_info place;
    R_registerRoutines(dll, NULL, entries, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
    if (fsc_abi_version() != FSC_ABI_VERSION) {
        Rf_error("libfsc %s is not the one that the package fsc was compiled for: install the package again", fsc_version());
    }
    /* Handles that outlive the package are finalized by code in here, so it stays where it is when R unloads it. */
    if (dladdr((void *)&entries, &place) != 0 && place.dli_fname != NULL) dlopen(place.dli_fname, RTLD_LAZY | RTLD_NODELETE);
}
