/* What the C files of the package share.
 *
 * An error of R jumps over C frames. So whatever must be freed belongs to an R object with a finalizer before R gets a chance to jump:
 * handles belong to external pointers, values under construction to an arena. */
#ifndef RFSC_H
#define RFSC_H

#define R_NO_REMAP
#include <Rinternals.h>

#include <fsc.h>

/* What an external pointer of this package names. */
typedef enum { A_CLIENT = 1, A_NODE, AN_OBJECT } handle_kind;

/* handles.c */
SEXP handle_new(handle_kind kind);
void handle_put(SEXP handle, uint64_t id);
uint64_t handle_get(SEXP handle, handle_kind kind);
SEXP rfsc_release(SEXP handle);
SEXP rfsc_is_held(SEXP handle);
SEXP rfsc_weak(SEXP handle);
SEXP rfsc_strong(SEXP weak);

/* arena.c: values that are freed when they are no longer needed, at the latest by the garbage collector. */
SEXP arena_new(void);
void arena_reserve(SEXP arena);
fsc_value arena_push(SEXP arena, fsc_value value);
size_t arena_mark(SEXP arena);
void arena_free(SEXP arena, size_t mark);
SEXP arena_token(SEXP arena);

/* failure.c: these do not return. They free the arena first, which may be R_NilValue. */
void fail(SEXP arena, fsc_status status, fsc_error error) __attribute__((noreturn));
void fail_saying(SEXP arena, fsc_status status, const char *message) __attribute__((noreturn));
/* Does return, if all is well. */
void check(SEXP arena, fsc_status status, fsc_error error);
const char *utf8(SEXP text, const char *what);
const char *lossless(SEXP text);
#define NO_TEXT "is not text in the encoding of this session, nor marked as of another: convert it first, by iconv()"

/* to_value.c, from_value.c */
fsc_value value_of(SEXP arena, SEXP x, const char *name);
fsc_value value_of_args(SEXP arena, SEXP args);
fsc_value value_of_kwargs(SEXP arena, SEXP kwargs);
fsc_value value_null(SEXP arena);
SEXP value_to_r(SEXP arena, fsc_value value, int simplify);

/* wait.c */
SEXP rfsc_list(SEXP client, SEXP simplify, SEXP seconds);
SEXP rfsc_create(SEXP client, SEXP description, SEXP seconds);
SEXP rfsc_upload(SEXP client, SEXP value, SEXP seconds);
SEXP rfsc_attribute(SEXP object, SEXP name, SEXP seconds);
SEXP rfsc_call(SEXP object, SEXP args, SEXP kwargs, SEXP seconds);
SEXP rfsc_download(SEXP object, SEXP simplify, SEXP seconds);
SEXP rfsc_node_start(SEXP node, SEXP seconds);
SEXP rfsc_node_stop(SEXP node, SEXP seconds);

#endif
