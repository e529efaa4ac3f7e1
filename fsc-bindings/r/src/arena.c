/* Values that a conversion makes on its way, as a stack. */
#include <stdlib.h>

#include "rfsc.h"

typedef struct {
    fsc_value *items;
    size_t count, capacity;
} stack;

static stack *stack_of(SEXP arena) { return (stack *)R_ExternalPtrAddr(arena); }

static void finalize(SEXP arena) {
    stack *own = stack_of(arena);
    if (own == NULL) return;
    arena_free(arena, 0);
    R_ClearExternalPtr(arena);
    free(own->items);
    free(own);
}

/* To be protected by the caller. */
SEXP arena_new(void) {
    SEXP arena = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    stack *own;
    R_RegisterCFinalizerEx(arena, finalize, FALSE);
    own = calloc(1, sizeof *own);
    if (own == NULL) Rf_error("out of memory");
    R_SetExternalPtrAddr(arena, own);
    UNPROTECT(1);
    return arena;
}

/* Makes room for one more value: before it is made, so that it always has a place to go. */
void arena_reserve(SEXP arena) {
    stack *own = stack_of(arena);
    if (own->count == own->capacity) {
        size_t capacity = own->capacity ? 2 * own->capacity : 16;
        fsc_value *items = realloc(own->items, capacity * sizeof *items);
        if (items == NULL) fail_saying(arena, FSC_STATUS_LIMIT, "out of memory");
        own->items = items;
        own->capacity = capacity;
    }
}

/* Takes a value over. There must be room. */
fsc_value arena_push(SEXP arena, fsc_value value) {
    stack *own = stack_of(arena);
    own->items[own->count++] = value;
    return value;
}

size_t arena_mark(SEXP arena) { return stack_of(arena)->count; }

/* Frees what was pushed since the mark. */
void arena_free(SEXP arena, size_t mark) {
    stack *own = stack_of(arena);
    while (own->count > mark) fsc_value_free(own->items[--own->count]);
}

/* By which a jump of R's through our frames goes on after they have freed what is theirs; made when it is first asked for. */
SEXP arena_token(SEXP arena) {
    if (R_ExternalPtrProtected(arena) == R_NilValue) R_SetExternalPtrProtected(arena, R_MakeUnwindCont());
    return R_ExternalPtrProtected(arena);
}
