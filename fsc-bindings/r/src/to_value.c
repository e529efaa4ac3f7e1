/* From R to the library: what stands for what says ?fsc_types.
 *
 * Errors name the position as R's user would write it: data$age[3], data[2, 1]. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rfsc.h"

/* Where we are in an argument. */
typedef struct step {
    const struct step *outer;
    const char *name; /* or null: then it is `index` that counts */
    R_xlen_t index;   /* from 0 */
} step;

/* The largest whole number up to which doubles are exact. */
#define EXACT 9007199254740992.0

static fsc_value convert(SEXP arena, SEXP x, const step *at, int is_column);

static void write_path(const step *at, char *text, size_t room) {
    size_t used;
    if (at == NULL) return;
    write_path(at->outer, text, room);
    used = strlen(text);
    if (at->name != NULL) {
        snprintf(text + used, room - used, used == 0 ? "%s" : "$%s", at->name);
    } else if (used == 0) {
        snprintf(text, room, "argument %lld", (long long)at->index + 1);
    } else {
        snprintf(text + used, room - used, "[[%lld]]", (long long)at->index + 1);
    }
}

static void refuse(SEXP arena, const step *at, const char *what) __attribute__((noreturn));
static void refuse(SEXP arena, const step *at, const char *what) {
    char message[1024] = "";
    size_t used;
    if (at == NULL) strcpy(message, "the call");
    write_path(at, message, sizeof message / 2);
    used = strlen(message);
    snprintf(message + used, sizeof message - used, " %s", what);
    fail_saying(arena, FSC_STATUS_INVALID_ARGUMENT, message);
}

/* Refuses the element at `index`, in the order of R. */
static void refuse_element(SEXP arena, SEXP x, const step *at, R_xlen_t index, const char *what) __attribute__((noreturn));
static void refuse_element(SEXP arena, SEXP x, const step *at, R_xlen_t index, const char *what) {
    char text[512] = "";
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (XLENGTH(x) == 1 && dim == R_NilValue) refuse(arena, at, what);
    if (dim == R_NilValue) {
        snprintf(text, sizeof text, "[%lld] %s", (long long)index + 1, what);
    } else {
        size_t used = 0;
        int i;
        for (i = 0; i < LENGTH(dim) && used < sizeof text - 64; i++) {
            const int extent = INTEGER_RO(dim)[i];
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i == 0 ? "[" : ", ", (long long)(index % extent) + 1);
            index /= extent;
        }
        snprintf(text + used, sizeof text - used, "] %s", what);
    }
    {
        char message[1024] = "";
        write_path(at, message, sizeof message / 2);
        strncat(message, text, sizeof message - strlen(message) - 1);
        fail_saying(arena, FSC_STATUS_INVALID_ARGUMENT, message);
    }
}

/* An error of the library, which does not know where in an argument it is. */
static fsc_value finish(SEXP arena, const step *at, fsc_status status, fsc_value value, fsc_error error) {
    char message[1024] = "";
    size_t used;
    if (status == FSC_STATUS_OK) return arena_push(arena, value);
    if (status != FSC_STATUS_INVALID_ARGUMENT || at == NULL || error.id == 0) fail(arena, status, error);
    write_path(at, message, sizeof message / 2);
    used = strlen(message);
    snprintf(message + used, sizeof message - used, ": %s", fsc_error_message(error));
    fsc_error_free(error);
    fail_saying(arena, FSC_STATUS_INVALID_ARGUMENT, message);
}

/* Whether a vector goes as one number rather than as a list of one. */
static int is_scalar(SEXP x, int is_column) {
    return XLENGTH(x) == 1 && !is_column && Rf_getAttrib(x, R_DimSymbol) == R_NilValue && !Rf_inherits(x, "AsIs");
}

/* Extents, as the wire has them. */
static size_t shape_of(SEXP x, size_t **shape) {
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    const size_t dimensions = dim == R_NilValue ? 1 : (size_t)LENGTH(dim);
    size_t i;
    *shape = (size_t *)(void *)R_alloc(dimensions, sizeof **shape);
    if (dim == R_NilValue) (*shape)[0] = (size_t)XLENGTH(x);
    else for (i = 0; i < dimensions; i++) (*shape)[i] = (size_t)INTEGER_RO(dim)[i];
    return dimensions;
}

/* R runs through an array by its first index, the wire by its last. Walks in the wire's order; `from` is the place in R's. */
typedef struct {
    const size_t *shape;
    size_t dimensions;
    size_t *at, *stride;
    size_t from;
} walk;

static walk walk_along(const size_t *shape, size_t dimensions) {
    walk w;
    size_t i, stride = 1;
    w.shape = shape;
    w.dimensions = dimensions;
    w.at = (size_t *)(void *)R_alloc(dimensions, sizeof(size_t));
    w.stride = (size_t *)(void *)R_alloc(dimensions, sizeof(size_t));
    for (i = 0; i < dimensions; i++) {
        w.at[i] = 0;
        w.stride[i] = stride;
        stride *= shape[i];
    }
    w.from = 0;
    return w;
}

static void walk_on(walk *w) {
    size_t i = w->dimensions;
    while (i-- > 0) {
        w->from += w->stride[i];
        if (++w->at[i] < w->shape[i]) return;
        w->from -= w->stride[i] * w->shape[i];
        w->at[i] = 0;
    }
}

/* One number that is no list. */
static fsc_value one_integer(SEXP arena, int64_t number) {
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_integer(number, &value, &error), error);
    return arena_push(arena, value);
}

static fsc_value one_double(SEXP arena, double number) {
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_number(number, &value, &error), error);
    return arena_push(arena, value);
}

static fsc_value one_text(SEXP arena, const char *text) {
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_text(text, FSC_TERMINATED, &value, &error), error);
    return arena_push(arena, value);
}

static fsc_value of_i64(SEXP arena, const step *at, const int64_t *numbers, const uint8_t *missing, const size_t *shape, size_t dimensions) {
    fsc_value value;
    fsc_error error;
    fsc_status status;
    arena_reserve(arena);
    status = fsc_value_from_i64(numbers, missing, shape, dimensions, &value, &error);
    return finish(arena, at, status, value, error);
}

static fsc_value of_f64(SEXP arena, const step *at, const double *numbers, const uint8_t *missing, const size_t *shape, size_t dimensions) {
    fsc_value value;
    fsc_error error;
    fsc_status status;
    arena_reserve(arena);
    status = fsc_value_from_f64(numbers, missing, shape, dimensions, &value, &error);
    return finish(arena, at, status, value, error);
}

static int is_whole(double number) {
    return fabs(number) <= EXACT && number == floor(number) && !(number == 0 && signbit(number));
}

static int are_finite(const double *numbers, R_xlen_t count) {
    uint64_t bits;
    R_xlen_t i;
    int wrong = 0;
    for (i = 0; i < count; i++) {
        memcpy(&bits, &numbers[i], sizeof bits);
        wrong |= (bits & 0x7ff0000000000000u) == 0x7ff0000000000000u;
    }
    return !wrong;
}

/* Doubles that are all whole go as integers: R's users write 5 for 5L, and what takes numbers takes integers, too. */
static fsc_value of_doubles(SEXP arena, SEXP x, const step *at, int is_column) {
    const double *numbers = REAL_RO(x);
    const R_xlen_t count = XLENGTH(x);
    uint8_t *missing = NULL;
    size_t *shape;
    const size_t dimensions = shape_of(x, &shape);
    int whole = 1;
    R_xlen_t i;
    walk w;
    if (!are_finite(numbers, count)) {
        missing = (uint8_t *)R_alloc((size_t)count, 1);
        for (i = 0; i < count; i++) {
            missing[i] = R_IsNA(numbers[i]) != 0;
            if (!missing[i] && !R_FINITE(numbers[i])) {
                const char *what = ISNAN(numbers[i])  ? "is NaN: a number, or NA for a missing one, was expected"
                                   : numbers[i] > 0 ? "is Inf: a finite number was expected"
                                                    : "is -Inf: a finite number was expected";
                refuse_element(arena, x, at, i, what);
            }
        }
    }
    for (i = 0; i < count && whole; i++) whole = (missing != NULL && missing[i]) || is_whole(numbers[i]);
    if (is_scalar(x, is_column)) {
        const fsc_value none = {0};
        if (missing != NULL) return none;
        return whole ? one_integer(arena, (int64_t)numbers[0]) : one_double(arena, numbers[0]);
    }
    w = walk_along(shape, dimensions);
    if (whole) {
        int64_t *integers = (int64_t *)(void *)R_alloc((size_t)count, sizeof *integers);
        uint8_t *mask = missing == NULL ? NULL : (uint8_t *)R_alloc((size_t)count, 1);
        for (i = 0; i < count; i++, walk_on(&w)) {
            const int is_missing = missing != NULL && missing[w.from];
            integers[i] = is_missing ? 0 : (int64_t)numbers[w.from];
            if (mask != NULL) mask[i] = (uint8_t)is_missing;
        }
        return of_i64(arena, at, integers, mask, shape, dimensions);
    }
    if (dimensions > 1) {
        double *turned = (double *)(void *)R_alloc((size_t)count, sizeof *turned);
        uint8_t *mask = missing == NULL ? NULL : (uint8_t *)R_alloc((size_t)count, 1);
        for (i = 0; i < count; i++, walk_on(&w)) {
            turned[i] = numbers[w.from];
            if (mask != NULL) mask[i] = missing[w.from];
        }
        numbers = turned;
        missing = mask;
    }
    return of_f64(arena, at, numbers, missing, shape, dimensions);
}

static fsc_value of_integers(SEXP arena, const step *at, SEXP x, int is_column) {
    const int *numbers = INTEGER_RO(x);
    const R_xlen_t count = XLENGTH(x);
    int64_t *integers = (int64_t *)(void *)R_alloc((size_t)count, sizeof *integers);
    uint8_t *missing = (uint8_t *)R_alloc((size_t)count, 1);
    size_t *shape;
    const size_t dimensions = shape_of(x, &shape);
    int any = 0;
    R_xlen_t i;
    walk w = walk_along(shape, dimensions);
    for (i = 0; i < count; i++, walk_on(&w)) {
        integers[i] = numbers[w.from];
        missing[i] = numbers[w.from] == NA_INTEGER;
        any |= missing[i];
    }
    if (is_scalar(x, is_column)) {
        const fsc_value none = {0};
        return any ? none : one_integer(arena, integers[0]);
    }
    return of_i64(arena, at, integers, any ? missing : NULL, shape, dimensions);
}

static fsc_value of_truth(SEXP arena, int truth) {
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_boolean(truth, &value, &error), error);
    return arena_push(arena, value);
}

fsc_value value_null(SEXP arena) {
    fsc_value value;
    fsc_error error;
    arena_reserve(arena);
    check(arena, fsc_value_from_json("null", FSC_TERMINATED, &value, &error), error);
    return arena_push(arena, value);
}

static fsc_value of_list(SEXP arena, const step *at, const fsc_value *items, size_t count) {
    fsc_value value;
    fsc_error error;
    fsc_status status;
    arena_reserve(arena);
    status = fsc_value_list(items, count, &value, &error);
    return finish(arena, at, status, value, error);
}

/* Makes lists of lists, as a shape says, of what comes in the wire's order. */
static fsc_value nest(SEXP arena, const step *at, const fsc_value *items, const size_t *shape, size_t dimensions) {
    fsc_value *rows;
    size_t i, stride = 1;
    if (dimensions == 1) return of_list(arena, at, items, shape[0]);
    for (i = 1; i < dimensions; i++) stride *= shape[i];
    rows = (fsc_value *)(void *)R_alloc(shape[0] + 1, sizeof *rows);
    for (i = 0; i < shape[0]; i++) rows[i] = nest(arena, at, items + i * stride, shape + 1, dimensions - 1);
    return of_list(arena, at, rows, shape[0]);
}

static fsc_value of_logicals(SEXP arena, const step *at, SEXP x, int is_column) {
    const int *truths = LOGICAL_RO(x);
    const fsc_value none = {0};
    const size_t count = (size_t)XLENGTH(x);
    size_t *shape, i;
    const size_t dimensions = shape_of(x, &shape);
    fsc_value *items, no, yes;
    walk w = walk_along(shape, dimensions);
    if (is_scalar(x, is_column)) {
        return truths[0] == NA_LOGICAL ? none : of_truth(arena, truths[0]);
    }
    no = of_truth(arena, 0);
    yes = of_truth(arena, 1);
    items = (fsc_value *)(void *)R_alloc(count + 1, sizeof *items);
    for (i = 0; i < count; i++, walk_on(&w)) {
        items[i] = truths[w.from] == NA_LOGICAL ? none : truths[w.from] ? yes : no;
    }
    return nest(arena, at, items, shape, dimensions);
}

static fsc_value of_texts(SEXP arena, const step *at, const char *const *texts, size_t count) {
    fsc_value value;
    fsc_error error;
    fsc_status status;
    arena_reserve(arena);
    status = fsc_value_from_texts(texts, count, &value, &error);
    return finish(arena, at, status, value, error);
}

static fsc_value nest_texts(SEXP arena, const step *at, const char *const *texts, const size_t *shape, size_t dimensions) {
    fsc_value *rows;
    size_t i, stride = 1;
    if (dimensions == 1) return of_texts(arena, at, texts, shape[0]);
    for (i = 1; i < dimensions; i++) stride *= shape[i];
    rows = (fsc_value *)(void *)R_alloc(shape[0] + 1, sizeof *rows);
    for (i = 0; i < shape[0]; i++) rows[i] = nest_texts(arena, at, texts + i * stride, shape + 1, dimensions - 1);
    return of_list(arena, at, rows, shape[0]);
}

/* Texts, or the labels of a factor, whose codes they are looked up by. */
static fsc_value of_characters(SEXP arena, SEXP x, SEXP levels, const step *at, int is_column) {
    const fsc_value none = {0};
    const size_t count = (size_t)XLENGTH(x);
    size_t *shape, i;
    const size_t dimensions = shape_of(x, &shape);
    const char **texts = (const char **)(void *)R_alloc(count + 1, sizeof *texts);
    walk w = walk_along(shape, dimensions);
    if (TYPEOF(x) == INTSXP && TYPEOF(levels) != STRSXP) refuse(arena, at, "is a factor whose levels are no texts: make it anew, by factor()");
    for (i = 0; i < count; i++, walk_on(&w)) {
        SEXP text;
        if (levels == R_NilValue) {
            text = STRING_ELT(x, (R_xlen_t)w.from);
        } else {
            const int code = INTEGER_RO(x)[w.from];
            if (code != NA_INTEGER && (code < 1 || code > LENGTH(levels))) refuse_element(arena, x, at, (R_xlen_t)w.from, "is no level of the factor");
            text = code == NA_INTEGER ? NA_STRING : STRING_ELT(levels, code - 1);
        }
        texts[i] = text == NA_STRING ? NULL : lossless(text);
        if (text != NA_STRING && texts[i] == NULL) {
            refuse_element(arena, x, at, (R_xlen_t)w.from, Rf_getCharCE(text) == CE_BYTES ? "is bytes, not text" : NO_TEXT);
        }
    }
    if (is_scalar(x, is_column)) return texts[0] == NULL ? none : one_text(arena, texts[0]);
    return nest_texts(arena, at, texts, shape, dimensions);
}

/* Keys of a map; a position without a name is an error. */
static const char **keys_of(SEXP arena, SEXP x, SEXP names, const step *at) {
    const R_xlen_t count = XLENGTH(x);
    const char **keys = (const char **)(void *)R_alloc((size_t)count + 1, sizeof *keys);
    R_xlen_t i, twice;
    for (i = 0; i < count; i++) {
        SEXP name = STRING_ELT(names, i);
        if (name == NA_STRING || LENGTH(name) == 0) {
            char what[128];
            snprintf(what, sizeof what, "has names, but none at position %lld: name all items, or none", (long long)i + 1);
            refuse(arena, at, what);
        }
        keys[i] = lossless(name);
        if (keys[i] == NULL) {
            char what[256];
            snprintf(what, sizeof what, "has a name at position %lld that " NO_TEXT, (long long)i + 1);
            refuse(arena, at, what);
        }
    }
    twice = Rf_any_duplicated(names, FALSE);
    if (twice > 0) {
        char what[256];
        snprintf(what, sizeof what, "has the name \"%.160s\" twice, also at position %lld", keys[twice - 1], (long long)twice);
        refuse(arena, at, what);
    }
    return keys;
}

static fsc_value of_object(SEXP arena, const step *at, SEXP handle) {
    const fsc_object object = {handle_get(handle, AN_OBJECT)};
    fsc_value value;
    fsc_error error;
    fsc_status status;
    arena_reserve(arena);
    status = fsc_value_from_object(object, &value, &error);
    return finish(arena, at, status, value, error);
}

/* The handle, where the reference's scripts pass an object: list(representation_uuid = object$representation_uuid). Otherwise NULL. */
static SEXP named_object(SEXP x) {
    SEXP names = Rf_getAttrib(x, R_NamesSymbol), uuid, handle;
    if (XLENGTH(x) != 1 || names == R_NilValue || strcmp(CHAR(STRING_ELT(names, 0)), "representation_uuid") != 0) return R_NilValue;
    uuid = VECTOR_ELT(x, 0);
    if (TYPEOF(uuid) != STRSXP || XLENGTH(uuid) != 1) return R_NilValue;
    handle = Rf_getAttrib(uuid, Rf_install("handle"));
    if (handle == R_NilValue) {
        /* As plain text, by which the package may know it. */
        SEXP call = PROTECT(Rf_lang2(Rf_install("handle_by_text"), uuid)), name = PROTECT(Rf_mkString("fsc"));
        handle = Rf_eval(call, R_FindNamespace(name));
        UNPROTECT(2);
    }
    return handle;
}

static fsc_value of_items(SEXP arena, SEXP x, const step *at) {
    const size_t count = (size_t)XLENGTH(x);
    const int is_frame = Rf_inherits(x, "data.frame");
    SEXP names = PROTECT(Rf_getAttrib(x, R_NamesSymbol));
    const char **keys = names == R_NilValue ? NULL : keys_of(arena, x, names, at);
    fsc_value *items = (fsc_value *)(void *)R_alloc(count + 1, sizeof *items), value;
    fsc_error error;
    fsc_status status;
    const size_t mark = arena_mark(arena);
    size_t i;
    for (i = 0; i < count; i++) {
        step inner;
        inner.outer = at;
        inner.name = keys == NULL ? NULL : keys[i];
        inner.index = (R_xlen_t)i;
        items[i] = convert(arena, VECTOR_ELT(x, (R_xlen_t)i), &inner, is_frame);
    }
    arena_reserve(arena);
    status = keys == NULL ? fsc_value_list(items, count, &value, &error) : fsc_value_map(keys, items, count, &value, &error);
    if (status != FSC_STATUS_OK) finish(arena, at, status, value, error);
    /* What it was made of is no longer needed. */
    arena_free(arena, mark);
    UNPROTECT(1);
    return arena_push(arena, value);
}

/* What R keeps as numbers, but means otherwise. */
static void refuse_classes(SEXP arena, SEXP x, const step *at) {
    if (!OBJECT(x)) return;
    if (Rf_inherits(x, "Date") || Rf_inherits(x, "POSIXt")) {
        refuse(arena, at, "is a date or a time: convert it first, as by as.numeric() to a number or by format() to a text");
    }
    if (Rf_inherits(x, "difftime")) {
        refuse(arena, at, "is a difference of times: convert it first, as by as.numeric(x, units = \"days\")");
    }
    if (Rf_inherits(x, "integer64")) {
        refuse(arena, at, "is of class integer64: convert it first, by as.numeric()");
    }
}

/* Of an array of numbers, only the first extent may be zero. */
static void refuse_emptiness(SEXP arena, SEXP x, const step *at) {
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    char what[128];
    int i;
    if (dim == R_NilValue) return;
    for (i = 1; i < LENGTH(dim); i++) {
        if (INTEGER_RO(dim)[i] > 0) continue;
        if (LENGTH(dim) == 2) snprintf(what, sizeof what, "is a matrix of %d rows and no columns", INTEGER_RO(dim)[0]);
        else snprintf(what, sizeof what, "is an array whose extent %d is zero", i + 1);
        refuse(arena, at, what);
    }
}

static fsc_value convert(SEXP arena, SEXP x, const step *at, int is_column) {
    const fsc_value none = {0};
    char what[128];
    R_CheckStack();
    refuse_classes(arena, x, at);
    if (TYPEOF(x) == INTSXP || TYPEOF(x) == REALSXP) refuse_emptiness(arena, x, at);
    switch (TYPEOF(x)) {
    case NILSXP:
        return none;
    case LGLSXP:
        return of_logicals(arena, at, x, is_column);
    case INTSXP:
        if (Rf_inherits(x, "factor")) return of_characters(arena, x, Rf_getAttrib(x, R_LevelsSymbol), at, is_column);
        return of_integers(arena, at, x, is_column);
    case REALSXP:
        return of_doubles(arena, x, at, is_column);
    case STRSXP:
        return of_characters(arena, x, R_NilValue, at, is_column);
    case VECSXP:
        if (Rf_inherits(x, "fsc_representation")) return of_object(arena, at, VECTOR_ELT(x, 0));
        {
            SEXP handle = PROTECT(named_object(x));
            const fsc_value object = handle == R_NilValue ? none : of_object(arena, at, handle);
            UNPROTECT(1);
            if (object.id != 0) return object;
        }
        if (Rf_inherits(x, "fsc_api") || Rf_inherits(x, "fsc_node")) refuse(arena, at, "is a connection or a node, which can't be sent");
        return of_items(arena, x, at);
    default:
        snprintf(what, sizeof what, "is of type %s, which can't be sent: give numbers, texts, logicals, or lists of them", Rf_type2char(TYPEOF(x)));
        refuse(arena, at, what);
    }
}

/* The value of `x`, which errors call by that name; the null handle for `null`. */
fsc_value value_of(SEXP arena, SEXP x, const char *name) {
    step at;
    at.outer = NULL;
    at.name = name;
    at.index = 0;
    return convert(arena, x, &at, 0);
}

fsc_value value_of_args(SEXP arena, SEXP args) {
    const fsc_value none = {0};
    if (XLENGTH(args) == 0) return none;
    return of_items(arena, args, NULL);
}

fsc_value value_of_kwargs(SEXP arena, SEXP kwargs) {
    const fsc_value none = {0};
    if (XLENGTH(kwargs) == 0) return none;
    return of_items(arena, kwargs, NULL);
}
