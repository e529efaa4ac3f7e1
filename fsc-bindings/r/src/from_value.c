/* From the library to R: what stands for what says ?fsc_types. */
#include <limits.h>
#include <string.h>

#include "rfsc.h"

#define EXACT 9007199254740992LL

/* What the items of a list have in common. */
enum { NOTHING = 0, TRUTHS = 1, NUMBERS = 2, TEXTS = 4, OTHERS = 8, ROWS = 16 };

static SEXP text_of(SEXP arena, const char *text, size_t length) {
    if (length > INT_MAX || memchr(text, 0, length) != NULL) {
        fail_saying(arena, FSC_STATUS_WRONG_TYPE, "the answer has a text with a NUL in it, which R can't hold");
    }
    return Rf_mkCharLenCE(text, (int)length, CE_UTF8);
}

static int fits_int(int64_t number) { return number > INT_MIN && number <= INT_MAX; }

static SEXP of_i64(int64_t number) {
    char text[32];
    if (fits_int(number)) return Rf_ScalarInteger((int)number);
    if (number >= -EXACT && number <= EXACT) return Rf_ScalarReal((double)number);
    snprintf(text, sizeof text, "%lld", (long long)number);
    return Rf_mkString(text);
}

/* The reference has a double in the place of what is too large, R's users get a text. */
static SEXP of_integer(SEXP arena, fsc_value value, int simplify) {
    int64_t number;
    const char *text;
    size_t length;
    fsc_error error;
    const int is_i64 = fsc_value_integer(value, &number, NULL) == FSC_STATUS_OK;
    if (is_i64 && (simplify || fits_int(number))) return of_i64(number);
    check(arena, fsc_value_to_json(value, &text, &length, &error), error);
    return simplify ? Rf_ScalarString(text_of(arena, text, length)) : Rf_ScalarReal(R_strtod(text, NULL));
}

static SEXP with_dim(SEXP x, const size_t *shape, size_t dimensions) {
    SEXP dim;
    size_t i;
    if (dimensions < 2) return x;
    dim = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)dimensions));
    for (i = 0; i < dimensions; i++) INTEGER(dim)[i] = (int)shape[i];
    Rf_setAttrib(x, R_DimSymbol, dim);
    UNPROTECT(1);
    return x;
}

/* The place in R's order of what stands at `at` in the wire's. */
static size_t place_in_r(size_t at, const size_t *shape, size_t dimensions, size_t count) {
    size_t place = 0, stride = count, i = dimensions;
    if (dimensions < 2) return at;
    while (i-- > 0) {
        stride /= shape[i];
        place += at % shape[i] * stride;
        at /= shape[i];
    }
    return place;
}

static SEXP of_array(SEXP arena, fsc_value value, int is_integers) {
    const size_t *shape;
    const int64_t *integers = NULL;
    const double *doubles = NULL;
    size_t dimensions, count, i;
    int type = REALSXP;
    SEXP x;
    fsc_error error;
    check(arena, fsc_value_shape(value, &shape, &dimensions, &error), error);
    if (is_integers) {
        check(arena, fsc_value_as_i64(value, &integers, &count, &error), error);
        type = INTSXP;
        for (i = 0; i < count && type != STRSXP; i++) {
            if (integers[i] < -EXACT || integers[i] > EXACT) type = STRSXP;
            else if (!fits_int(integers[i])) type = REALSXP;
        }
    } else if (fsc_value_as_f64(value, &doubles, &count, NULL) != FSC_STATUS_OK) {
        return R_NilValue; /* an integer among them that no double holds: the caller takes the items one by one */
    }
    x = PROTECT(Rf_allocVector((SEXPTYPE)type, (R_xlen_t)count));
    if (doubles != NULL && dimensions < 2) {
        if (count > 0) memcpy(REAL(x), doubles, count * sizeof *doubles);
    } else {
        int *ints = type == INTSXP ? INTEGER(x) : NULL;
        double *reals = type == REALSXP ? REAL(x) : NULL;
        for (i = 0; i < count; i++) {
            const size_t place = place_in_r(i, shape, dimensions, count);
            if (ints != NULL) ints[place] = (int)integers[i];
            else if (reals != NULL) reals[place] = doubles != NULL ? doubles[i] : (double)integers[i];
            else {
                char text[32];
                snprintf(text, sizeof text, "%lld", (long long)integers[i]);
                SET_STRING_ELT(x, (R_xlen_t)place, Rf_mkChar(text));
            }
        }
    }
    with_dim(x, shape, dimensions);
    UNPROTECT(1);
    return x;
}

static int family_of(fsc_kind kind, SEXP item) {
    switch (kind) {
    case FSC_KIND_NULL:
        return NOTHING;
    case FSC_KIND_BOOLEAN:
        return TRUTHS;
    case FSC_KIND_INTEGER:
    case FSC_KIND_FLOAT:
        return TYPEOF(item) == STRSXP ? OTHERS : NUMBERS; /* a text: no double holds it */
    case FSC_KIND_TEXT:
        return TEXTS;
    case FSC_KIND_LIST:
    case FSC_KIND_INTEGERS:
    case FSC_KIND_FLOATS:
        return ROWS;
    default:
        return OTHERS;
    }
}

/* A vector of items that are `null` or of one family. */
static SEXP vector_of(SEXP items, int family) {
    const R_xlen_t count = XLENGTH(items);
    int type = family == TEXTS ? STRSXP : family == NUMBERS ? INTSXP : LGLSXP;
    SEXP x;
    R_xlen_t i;
    for (i = 0; i < count && type == INTSXP; i++) if (TYPEOF(VECTOR_ELT(items, i)) == REALSXP) type = REALSXP;
    x = PROTECT(Rf_allocVector((SEXPTYPE)type, count));
    for (i = 0; i < count; i++) {
        SEXP item = VECTOR_ELT(items, i);
        const int is_missing = item == R_NilValue;
        if (type == STRSXP) SET_STRING_ELT(x, i, is_missing ? NA_STRING : STRING_ELT(item, 0));
        else if (type == LGLSXP) LOGICAL(x)[i] = is_missing ? NA_LOGICAL : LOGICAL(item)[0];
        else if (type == INTSXP) INTEGER(x)[i] = is_missing ? NA_INTEGER : INTEGER(item)[0];
        else REAL(x)[i] = is_missing ? NA_REAL : Rf_asReal(item);
    }
    UNPROTECT(1);
    return x;
}

static int same_dim(SEXP a, SEXP b) {
    int i;
    if (a == R_NilValue || b == R_NilValue) return a == b;
    if (LENGTH(a) != LENGTH(b)) return 0;
    for (i = 0; i < LENGTH(a); i++) if (INTEGER(a)[i] != INTEGER(b)[i]) return 0;
    return 1;
}

/* A matrix of rows that are vectors of one family and length, or an array of arrays of one shape; otherwise the list of rows as it is. */
static SEXP matrix_of(SEXP rows) {
    const R_xlen_t count = XLENGTH(rows);
    R_xlen_t columns = -1, i, j;
    int type = LGLSXP, dimensions, k;
    SEXP x, dim, inner = Rf_getAttrib(VECTOR_ELT(rows, 0), R_DimSymbol);
    for (i = 0; i < count; i++) {
        SEXP row = VECTOR_ELT(rows, i);
        R_xlen_t known = 0;
        if ((TYPEOF(row) != LGLSXP && TYPEOF(row) != INTSXP && TYPEOF(row) != REALSXP && TYPEOF(row) != STRSXP) ||
            !same_dim(Rf_getAttrib(row, R_DimSymbol), inner) || XLENGTH(row) == 0) return rows;
        if (columns >= 0 && columns != XLENGTH(row)) return rows;
        columns = XLENGTH(row);
        if (TYPEOF(row) == LGLSXP) for (j = 0; j < columns; j++) known += LOGICAL(row)[j] != NA_LOGICAL;
        if (TYPEOF(row) == LGLSXP && known == 0) continue;
        if (type == LGLSXP && i > 0 && TYPEOF(row) != LGLSXP) {
            /* Rows before this one must be all missing. */
            R_xlen_t before;
            for (before = 0; before < i; before++) {
                for (j = 0; j < columns; j++) if (LOGICAL(VECTOR_ELT(rows, before))[j] != NA_LOGICAL) return rows;
            }
        } else if (i > 0 && (type == STRSXP) != (TYPEOF(row) == STRSXP)) return rows;
        else if (i > 0 && type != LGLSXP && TYPEOF(row) == LGLSXP) return rows;
        if (type != REALSXP || TYPEOF(row) == STRSXP) type = TYPEOF(row);
    }
    x = PROTECT(Rf_allocVector((SEXPTYPE)type, count * columns));
    for (i = 0; i < count; i++) {
        SEXP row = PROTECT(Rf_coerceVector(VECTOR_ELT(rows, i), (SEXPTYPE)type));
        for (j = 0; j < columns; j++) {
            const R_xlen_t place = i + j * count;
            if (type == STRSXP) SET_STRING_ELT(x, place, STRING_ELT(row, j));
            else if (type == REALSXP) REAL(x)[place] = REAL(row)[j];
            else if (type == INTSXP) INTEGER(x)[place] = INTEGER(row)[j];
            else LOGICAL(x)[place] = LOGICAL(row)[j];
        }
        UNPROTECT(1);
    }
    dimensions = inner == R_NilValue ? 1 : LENGTH(inner);
    dim = PROTECT(Rf_allocVector(INTSXP, dimensions + 1));
    INTEGER(dim)[0] = (int)count;
    for (k = 0; k < dimensions; k++) INTEGER(dim)[k + 1] = inner == R_NilValue ? (int)columns : INTEGER(inner)[k];
    Rf_setAttrib(x, R_DimSymbol, dim);
    UNPROTECT(2);
    return x;
}

static SEXP of_list(SEXP arena, fsc_value value, int simplify) {
    const size_t count = fsc_value_length(value), mark = arena_mark(arena);
    SEXP items = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)count)), x = items;
    int families = NOTHING;
    size_t i;
    for (i = 0; i < count; i++) {
        fsc_value item;
        fsc_error error;
        fsc_kind kind;
        arena_reserve(arena);
        check(arena, fsc_value_item(value, i, &item, &error), error);
        arena_push(arena, item);
        kind = fsc_value_kind(item);
        SET_VECTOR_ELT(items, (R_xlen_t)i, value_to_r(arena, item, simplify));
        families |= family_of(kind, VECTOR_ELT(items, (R_xlen_t)i));
        if (kind == FSC_KIND_NULL) families |= simplify ? NOTHING : OTHERS;
        arena_free(arena, mark);
    }
    if (simplify && count > 0) {
        if (families == NOTHING || families == TRUTHS || families == NUMBERS || families == TEXTS) x = vector_of(items, families);
        else if (families == ROWS) {
            /* A missing row is no row. */
            int all = 1;
            for (i = 0; i < count; i++) all &= VECTOR_ELT(items, (R_xlen_t)i) != R_NilValue;
            if (all) x = matrix_of(items);
        }
    }
    UNPROTECT(1);
    return x;
}

static SEXP of_map(SEXP arena, fsc_value value, int simplify) {
    const size_t count = fsc_value_length(value), mark = arena_mark(arena);
    SEXP items = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)count));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)count));
    size_t i;
    for (i = 0; i < count; i++) {
        const char *key;
        size_t length;
        fsc_value item;
        fsc_error error;
        check(arena, fsc_value_key(value, i, &key, &length, &error), error);
        SET_STRING_ELT(names, (R_xlen_t)i, text_of(arena, key, length));
        arena_reserve(arena);
        check(arena, fsc_value_item(value, i, &item, &error), error);
        arena_push(arena, item);
        SET_VECTOR_ELT(items, (R_xlen_t)i, value_to_r(arena, item, simplify));
        arena_free(arena, mark);
    }
    Rf_setAttrib(items, R_NamesSymbol, names);
    UNPROTECT(2);
    return items;
}

/* The caller protects what it gets. */
SEXP value_to_r(SEXP arena, fsc_value value, int simplify) {
    fsc_error error;
    const char *text;
    const uint8_t *bytes;
    size_t length;
    int32_t truth;
    double number;
    SEXP x;
    R_CheckStack();
    switch (fsc_value_kind(value)) {
    case FSC_KIND_BOOLEAN:
        check(arena, fsc_value_boolean(value, &truth, &error), error);
        return Rf_ScalarLogical(truth);
    case FSC_KIND_INTEGER:
        return of_integer(arena, value, simplify);
    case FSC_KIND_FLOAT:
        check(arena, fsc_value_number(value, &number, &error), error);
        return Rf_ScalarReal(number);
    case FSC_KIND_TEXT:
        check(arena, fsc_value_text(value, &text, &length, &error), error);
        x = PROTECT(text_of(arena, text, length));
        x = Rf_ScalarString(x);
        UNPROTECT(1);
        return x;
    case FSC_KIND_BYTES:
        check(arena, fsc_value_bytes(value, &bytes, &length, &error), error);
        x = Rf_allocVector(RAWSXP, (R_xlen_t)length);
        if (length > 0) memcpy(RAW(x), bytes, length);
        return x;
    case FSC_KIND_INTEGERS:
    case FSC_KIND_FLOATS:
        x = simplify ? of_array(arena, value, fsc_value_kind(value) == FSC_KIND_INTEGERS) : R_NilValue;
        return x != R_NilValue ? x : of_list(arena, value, simplify);
    case FSC_KIND_LIST:
        return of_list(arena, value, simplify);
    case FSC_KIND_MAP:
        return of_map(arena, value, simplify);
    case FSC_KIND_OBJECT:
        check(arena, fsc_value_to_json(value, &text, &length, &error), error);
        return Rf_ScalarString(text_of(arena, text, length));
    default:
        return R_NilValue;
    }
}
