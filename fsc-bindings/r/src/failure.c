/* How C code ends with an error of R: by the closure `raise` of the package, which makes a condition of it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "rfsc.h"

static void raise_in_r(fsc_status status, const char *message, int code, const size_t *culprits, size_t count)
    __attribute__((noreturn));

static void raise_in_r(fsc_status status, const char *message, int code, const size_t *culprits, size_t count) {
    SEXP name = PROTECT(Rf_mkString("fsc"));
    SEXP space = PROTECT(R_FindNamespace(name));
    SEXP text = PROTECT(Rf_ScalarString(Rf_mkCharCE(message, CE_UTF8)));
    SEXP number = PROTECT(Rf_ScalarInteger((int)status));
    SEXP node_code = PROTECT(Rf_ScalarInteger(code == 0 ? NA_INTEGER : code));
    SEXP places = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)count));
    SEXP call;
    size_t i;
    for (i = 0; i < count; i++) INTEGER(places)[i] = (int)culprits[i];
    call = PROTECT(Rf_lang5(Rf_install("raise"), number, text, node_code, places));
    Rf_eval(call, space);
    Rf_error("%s", message); /* not reached: `raise` does not return */
}

void fail_saying(SEXP arena, fsc_status status, const char *message) {
    if (arena != R_NilValue) arena_free(arena, 0);
    raise_in_r(status, message, 0, NULL, 0);
}

/* Raises the error of a function of the library, and frees it. */
void fail(SEXP arena, fsc_status status, fsc_error error) {
    /* In a forked process, there is no error but the status. */
    const char *words = error.id == 0 ? "" : fsc_error_message(error);
    const int code = error.id == 0 ? 0 : (int)fsc_error_code(error);
    size_t count = error.id == 0 ? 0 : fsc_error_culprits(error, NULL, 0), *culprits = NULL;
    char *message;
    if (arena != R_NilValue) arena_free(arena, 0);
    if (words[0] == '\0') words = fsc_status_text(status);
    message = R_alloc(strlen(words) + 1, 1);
    strcpy(message, words);
    if (count > 0) {
        culprits = (size_t *)(void *)R_alloc(count, sizeof *culprits);
        fsc_error_culprits(error, culprits, count);
    }
    fsc_error_free(error);
    raise_in_r(status, message, code, culprits, count);
}

void check(SEXP arena, fsc_status status, fsc_error error) {
    if (status != FSC_STATUS_OK) fail(arena, status, error);
}

/* Lets the interrupt that was noticed take its course, as if it came now: R's own handler of the signal is asked to note it again. */
void fail_interrupted(SEXP arena) {
    struct sigaction now;
    if (arena != R_NilValue) arena_free(arena, 0);
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
        raise(SIGINT);
        R_CheckUserInterrupt();
    }
    /* R runs within a program that has handlers of its own, or its interrupts are suspended. */
    fail_saying(R_NilValue, FSC_STATUS_CANCELLED, "the call was interrupted, and so cancelled");
}

/* A text of the caller's, or a null pointer for NULL. */
const char *utf8(SEXP text, const char *what) {
    char message[128];
    if (Rf_isNull(text)) return NULL;
    if (TYPEOF(text) != STRSXP || XLENGTH(text) != 1 || STRING_ELT(text, 0) == NA_STRING) {
        snprintf(message, sizeof message, "%s must be a single text", what);
        fail_saying(R_NilValue, FSC_STATUS_INVALID_ARGUMENT, message);
    }
    return Rf_translateCharUTF8(STRING_ELT(text, 0));
}
