/* How C code ends with an error of R: by the closure `raise` of the package, which makes a condition of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rfsc.h"

#include <R_ext/Riconv.h>

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

static int is_ascii(const char *text) {
    for (; *text != '\0'; text++) if ((unsigned char)*text > 127) return 0;
    return 1;
}

static int is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at != 0) {
        const unsigned char first = *at++;
        unsigned low = 0x80, high = 0xbf;
        int more;
        if (first < 0x80) continue;
        if (first >= 0xc2 && first <= 0xdf) more = 1;
        else if (first >= 0xe0 && first <= 0xef) more = 2;
        else if (first >= 0xf0 && first <= 0xf4) more = 3;
        else return 0;
        /* No overlong forms, no surrogates, nothing beyond the last code point. */
        if (first == 0xe0) low = 0xa0;
        if (first == 0xed) high = 0x9f;
        if (first == 0xf0) low = 0x90;
        if (first == 0xf4) high = 0x8f;
        for (; more > 0; more--, low = 0x80, high = 0xbf) {
            if (*at < low || *at > high) return 0;
            at++;
        }
    }
    return 1;
}

/* From the session's encoding. */
static const char *from_native(const char *text) {
    const size_t room = 6 * strlen(text) + 1;
    size_t in_left = strlen(text), out_left = room - 1, done;
    char *converted = R_alloc(room, 1), *out = converted;
    const char *in = text;
    void *converter = Riconv_open("UTF-8", "");
    if (converter == (void *)-1) return NULL;
    done = Riconv(converter, &in, &in_left, &out, &out_left);
    Riconv_close(converter);
    if (done == (size_t)-1 || in_left > 0) return NULL;
    *out = '\0';
    return is_utf8(converted) ? converted : NULL;
}

/* A text in UTF-8, or a null pointer if it can't be converted without loss: R itself would put <e9> in the place of what it can't convert. */
const char *lossless(SEXP text) {
    const char *bytes = CHAR(text);
    if (is_ascii(bytes)) return bytes;
    switch (Rf_getCharCE(text)) {
    case CE_UTF8:
        return is_utf8(bytes) ? bytes : NULL;
    case CE_LATIN1:
        /* As Windows has it: five bytes stand for nothing. */
        return strpbrk(bytes, "\x81\x8d\x8f\x90\x9d") != NULL ? NULL : Rf_translateCharUTF8(text);
    case CE_NATIVE:
        return from_native(bytes);
    default:
        return NULL;
    }
}

/* A text of the caller's, or a null pointer for NULL. */
const char *utf8(SEXP text, const char *what) {
    char message[256];
    const char *converted;
    if (Rf_isNull(text)) return NULL;
    if (TYPEOF(text) != STRSXP || XLENGTH(text) != 1 || STRING_ELT(text, 0) == NA_STRING) {
        snprintf(message, sizeof message, "%s must be a single text", what);
        fail_saying(R_NilValue, FSC_STATUS_INVALID_ARGUMENT, message);
    }
    converted = lossless(STRING_ELT(text, 0));
    if (converted == NULL) {
        snprintf(message, sizeof message, "%s %s", what, NO_TEXT);
        fail_saying(R_NilValue, FSC_STATUS_INVALID_ARGUMENT, message);
    }
    return converted;
}
