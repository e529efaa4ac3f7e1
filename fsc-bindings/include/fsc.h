/* libfsc: federated secure computing from C.
 *
 * Made by `cargo xtask header` from fsc-bindings/src. docs/embedding.md shows how to use it.
 *
 * Handles (fsc_client, fsc_object, fsc_value, ...) are numbers in a structure, passed by value. One that is all zero is null. The library
 * checks each: one that is null, was freed, or is of another kind is an error (FSC_STATUS_INVALID_HANDLE), never undefined behaviour.
 * What a function puts out is the caller's to free, with fsc_..._free, once. Functions that fail put out null.
 *
 * Pointers must be null or good: texts end with NUL, unless a length is given, and are UTF-8; arrays have as many items as is said.
 * The library copies what it keeps. Structures begin with their size, so that they can grow: set it to sizeof, and all else to zero.
 *
 * Functions answer FSC_STATUS_OK, or what kind of thing is wrong, of which there may be more in time; then `error`, which may be null, gets an fsc_error
 * that says it in words and names the parties at fault. It is overwritten by the next one: free it first.
 *
 * Threads: each function says who may call it. "Any thread" means any number of threads at a time, also with the same handle. A
 * function that "waits" has a deadline and can be cancelled (fsc_wait). Callbacks are called from threads of the library, which get no signals, and
 * must not throw or longjmp out of it: that ends the process. After a fork, the child can't use the library if the parent had (FSC_STATUS_FORKED).
 */

#ifndef FSC_H
#define FSC_H

#include <stddef.h>
#include <stdint.h>

/* A library that was built as a client only has no nodes: define FSC_CLIENT_ONLY to leave them out here, too. */
#ifndef FSC_CLIENT_ONLY
#define FSC_WITH_NODE
#define FSC_WITH_SERIAL
#endif

/* A text of that length is as long as its first NUL says. */
#define FSC_TERMINATED SIZE_MAX



/*
 The version of this interface. It grows when a program that was compiled with an older header would not work any more.
 */
#define FSC_ABI_VERSION 1

/*
 How a function ended: zero if well. What was wrong says its `fsc_error`.
 */
enum fsc_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   All is well.
   */
  FSC_STATUS_OK = 0,
  /*
   An argument is null, not UTF-8, out of range, or does not fit the others.
   */
  FSC_STATUS_INVALID_ARGUMENT = 1,
  /*
   A handle is null, of another kind, or was freed.
   */
  FSC_STATUS_INVALID_HANDLE = 2,
  /*
   A value is not of the type that was asked for.
   */
  FSC_STATUS_WRONG_TYPE = 3,
  /*
   The node has refused: `fsc_error_code` says its code, which is that of HTTP.
   */
  FSC_STATUS_REFUSED = 4,
  /*
   Nobody answers there, or the connection broke.
   */
  FSC_STATUS_UNREACHABLE = 5,
  /*
   The deadline of the call has passed.
   */
  FSC_STATUS_TIMED_OUT = 6,
  /*
   The call was cancelled.
   */
  FSC_STATUS_CANCELLED = 7,
  /*
   The node, or the library, was stopped or has not been started.
   */
  FSC_STATUS_STOPPED = 8,
  /*
   This process was forked after the library had started: only the parent can use it.
   */
  FSC_STATUS_FORKED = 9,
  /*
   A function that waits can't be called from here: from a callback that must not, or that it would wait for.
   */
  FSC_STATUS_WOULD_BLOCK = 10,
  /*
   A bound was reached.
   */
  FSC_STATUS_LIMIT = 11,
  /*
   The library was built without this, or is older than what is asked of it.
   */
  FSC_STATUS_UNSUPPORTED = 12,
  /*
   An error of the library.
   */
  FSC_STATUS_INTERNAL = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fsc_status fsc_status;
#else
typedef int32_t fsc_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What a value is.
 */
enum fsc_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   No value: the null handle, or one that is no handle of a value.
   */
  FSC_KIND_NONE = 0,
  /*
   `null`
   */
  FSC_KIND_NULL = 1,
  /*
   `true` or `false`
   */
  FSC_KIND_BOOLEAN = 2,
  /*
   An integer of at most 128 bits: `fsc_value_integer` if it has 64.
   */
  FSC_KIND_INTEGER = 3,
  /*
   A finite double: `fsc_value_number`.
   */
  FSC_KIND_FLOAT = 4,
  /*
   A text: `fsc_value_text`.
   */
  FSC_KIND_TEXT = 5,
  /*
   Bytes: `fsc_value_bytes`.
   */
  FSC_KIND_BYTES = 6,
  /*
   An object on a node.
   */
  FSC_KIND_OBJECT = 7,
  /*
   A dense array that is all integers: `fsc_value_as_i64`, `fsc_value_shape`; or as a list.
   */
  FSC_KIND_INTEGERS = 8,
  /*
   A dense array of doubles, among which may be integers: `fsc_value_as_f64`, `fsc_value_shape`; or as a list.
   */
  FSC_KIND_FLOATS = 9,
  /*
   A list: `fsc_value_length`, `fsc_value_item`.
   */
  FSC_KIND_LIST = 10,
  /*
   A map by text: `fsc_value_length`, `fsc_value_key`, `fsc_value_item`, `fsc_value_entry`.
   */
  FSC_KIND_MAP = 11,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fsc_kind fsc_kind;
#else
typedef int32_t fsc_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

#if defined(FSC_WITH_NODE)
/*
 How a configuration is written.
 */
enum fsc_format
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
#if defined(FSC_WITH_NODE)
  /*
   As the file of `fsc serve`.
   */
  FSC_FORMAT_TOML = 0,
#endif
#if defined(FSC_WITH_NODE)
  /*
   The same in JSON.
   */
  FSC_FORMAT_JSON = 1,
#endif
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fsc_format fsc_format;
#else
typedef int32_t fsc_format;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus
#endif

/*
 How a client asks. A null pointer stands for one that is zero but for its size.
 */
typedef struct fsc_client_options {
  /*
   `sizeof(fsc_client_options)`
   */
  size_t size;
  /*
   The token by which an HTTP node knows its client, or null.
   */
  const char *token;
} fsc_client_options;

/*
 A client of one node. The caller frees it; objects that it has made stay good.
 */
typedef struct fsc_client {
  /*
   Zero is no client.
   */
  uint64_t id;
} fsc_client;

/*
 Why a function has failed. The caller frees it.
 */
typedef struct fsc_error {
  /*
   Zero is no error.
   */
  uint64_t id;
} fsc_error;

#if defined(FSC_WITH_SERIAL)
/*
 A stream of bytes both ways, such as a serial port with a driver of its own. What goes over it is the protocol of serial lines: it
 survives lost and damaged bytes, and needs no more than that they keep their order. `read` and `write` are called from two threads of
 the library, each from one; `close` may be called from another one meanwhile.
 */
typedef struct fsc_stream {
  /*
   `sizeof(fsc_stream)`
   */
  size_t size;
  /*
   What the callbacks get.
   */
  void *state;
  /*
   Waits for at least one byte and reads up to `capacity`: answers how many, zero if the stream has ended, less if it is broken.
   */
  ptrdiff_t (*read)(void *state, uint8_t *bytes, size_t capacity);
  /*
   Waits until at least one of `length` bytes is written: answers how many were, less than one if the stream is broken.
   */
  ptrdiff_t (*write)(void *state, const uint8_t *bytes, size_t length);
  /*
   Makes `read` and `write` come back, now and from now on: the stream is no longer needed. Called once, from a third thread too, and must not
   wait. If they do not come back, their threads stay.
   */
  void (*close)(void *state);
  /*
   Frees the state; null if there is nothing to free. Called once, after all else, and must not wait.
   */
  void (*destroy)(void *state);
  /*
   The baud rate of the UART that it leads to, so that small messages do not wait behind buffers full of large ones; zero if
   it keeps no such pace.
   */
  uint32_t baud;
} fsc_stream;
#endif

/*
 Cancels calls: all that were given it, those to come included. The caller frees it.
 */
typedef struct fsc_cancel {
  /*
   Zero cancels nothing.
   */
  uint64_t id;
} fsc_cancel;

/*
 How long a call waits. A null pointer stands for one that is zero but for its size.
 */
typedef struct fsc_wait {
  /*
   `sizeof(fsc_wait)`
   */
  size_t size;
  /*
   Milliseconds until the call fails (`FSC_STATUS_TIMED_OUT`); zero for an hour.
   */
  uint64_t deadline_ms;
  /*
   By which the call can be cancelled (`FSC_STATUS_CANCELLED`), or null.
   */
  struct fsc_cancel cancel;
} fsc_wait;

/*
 A value: a number, a text, a list, a map, a dense array of numbers. It never changes, so any number of threads may use it, and pointers
 into it are good until it is freed. The caller frees it; nothing that takes a value takes it over.
 */
typedef struct fsc_value {
  /*
   Zero is no value.
   */
  uint64_t id;
} fsc_value;

/*
 An object on a node. The caller frees it, which releases it at the node.
 */
typedef struct fsc_object {
  /*
   Zero is no object.
   */
  uint64_t id;
} fsc_object;

/*
 Gets a line of the log: its level (1 error, 2 warning, 3 information, 4 debugging, which releases do not have), and texts that end with NUL, good as long as it
 runs: where in the library it comes from, and what it says. No line holds data or secrets.
 */
typedef void (*fsc_logged)(void *user, int32_t level, const char *target, const char *message);

#if defined(FSC_WITH_NODE)
/*
 A node in this process. The caller frees it.
 */
typedef struct fsc_node {
  /*
   Zero is no node.
   */
  uint64_t id;
} fsc_node;
#endif

#if defined(FSC_WITH_NODE)
/*
 Where a callback puts what it answers; good as long as it runs.
 */
typedef struct fsc_answer {
  /*
   Zero is none.
   */
  uint64_t id;
} fsc_answer;
#endif

#if defined(FSC_WITH_NODE)
/*
 What a call was given. All of it is good as long as the callback runs, and not the callback's to free. Fields beyond `size` are not there.
 */
typedef struct fsc_arguments {
  /*
   `sizeof(fsc_arguments)` in the library
   */
  size_t size;
  /*
   Who calls, as the node knows its clients: a text that ends with NUL.
   */
  const char *principal;
  /*
   The arguments by position: a list.
   */
  struct fsc_value args;
  /*
   The arguments by name: a map.
   */
  struct fsc_value kwargs;
} fsc_arguments;
#endif

#if defined(FSC_WITH_NODE)
/*
 An object that this program serves. What is null or zero it does not have: without `call` it can't be called, without `content` it can't
 be downloaded. Whatever is not content does not leave the node, unless `call` answers it. `state` must be there until `destroy`: a call may
 still run when its node was stopped.
 */
typedef struct fsc_service {
  /*
   `sizeof(fsc_service)`
   */
  size_t size;
  /*
   What it is, for listings and errors, as "patients": never data. A text that ends with NUL; copied.
   */
  const char *kind;
  /*
   What the callbacks get. They are called from several threads at a time, all of the library.
   */
  void *state;
  /*
   Answers the attribute of that name with `fsc_answer_object`: an object, or a method, which is an object that has `call`. Not zero: there is
   none. Must not wait: it holds up others.
   */
  int32_t (*attribute)(void *state, const char *name, struct fsc_answer answer);
  /*
   Answers a call with one of `fsc_answer_...`, or with nothing. May wait, and may use the library, but not stop the node. Not zero: it has
   failed; why says `fsc_answer_failure`. Of very many calls at a time, some are refused (429).
   */
  int32_t (*call)(void *state, const struct fsc_arguments *call, struct fsc_answer answer);
  /*
   Frees the state. Called once, when nobody holds the object any more, and must not wait: from a thread of the library, or from one that frees,
   starts or stops something. Not called if the function that was given this structure has failed.
   */
  void (*destroy)(void *state);
  /*
   What clients get when they download the object, or null. Stays the caller's.
   */
  struct fsc_value content;
  /*
   What computations on this node may read when the object is passed as `data`: for data that takes part in computations but can't be
   downloaded. Null: the content, if there is any. Stays the caller's.
   */
  struct fsc_value data;
} fsc_service;
#endif

/*
 Gets the answer of a call: what it answers, or the null handle, and the error if `status` is not `FSC_STATUS_OK`, or the null handle.
 Both are the callback's to free.
 */
typedef void (*fsc_called)(void *user,
                           fsc_status status,
                           struct fsc_object answer,
                           struct fsc_error error);

/*
 Gets the content of an object, or the null handle, and the error if `status` is not `FSC_STATUS_OK`, or the null handle. Both are the
 callback's to free.
 */
typedef void (*fsc_downloaded)(void *user,
                               fsc_status status,
                               struct fsc_value content,
                               struct fsc_error error);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 A client of the node at `http://host:port`, at a serial line as `serial:/dev/ttyUSB0?baud=115200`, or at `local:NAME`, which
 is a node of this process. `options` may be null. Asks nothing yet, so that a node that is not there is an error of the first call. Any
 thread.
 */
fsc_status fsc_client_connect(const char *address,
                              const struct fsc_client_options *options,
                              struct fsc_client *client,
                              struct fsc_error *error);

#if defined(FSC_WITH_SERIAL)
/*
 A client of the node at the other end of a stream of bytes, which speaks the protocol of serial lines. The stream is copied; its
 `destroy` is called when the client and all its objects are freed, but not if this fails. Any thread.
 */
fsc_status fsc_client_connect_stream(const struct fsc_stream *stream,
                                     struct fsc_client *client,
                                     struct fsc_error *error);
#endif

/*
 The descriptions of the node's top-level objects, as a list of maps. Any thread; waits.
 */
fsc_status fsc_client_list(struct fsc_client client,
                           const struct fsc_wait *wait,
                           struct fsc_value *descriptions,
                           struct fsc_error *error);

/*
 The top-level object whose description contains the entries of the map `description`, as `{"protocol": "Simon"}`. Any thread; waits.
 */
fsc_status fsc_client_create(struct fsc_client client,
                             struct fsc_value description,
                             const struct fsc_wait *wait,
                             struct fsc_object *object,
                             struct fsc_error *error);

/*
 Stores a value at the node. Any thread; waits.
 */
fsc_status fsc_client_upload(struct fsc_client client,
                             struct fsc_value value,
                             const struct fsc_wait *wait,
                             struct fsc_object *object,
                             struct fsc_error *error);

/*
 Frees a client. Nothing happens to the null client. Any thread.
 */
fsc_status fsc_client_free(struct fsc_client client);

/*
 What went wrong, in words, for whoever has to mend it: a text that ends with NUL and is good until the error is freed. Empty for
 the null error. Any thread.
 */
const char *fsc_error_message(struct fsc_error error);

/*
 The status that came with the error; `FSC_STATUS_OK` for the null error. Any thread.
 */
fsc_status fsc_error_status(struct fsc_error error);

/*
 The code of a node that has refused, as HTTP has them (400 wrong arguments, 403 not allowed, 404 not found, 409 parties disagree,
 429 too much, 502 a peer broke the protocol, 503 a peer is away, 504 a peer is silent); zero otherwise. Any thread.
 */
int32_t fsc_error_code(struct fsc_error error);

/*
 Which parties are at fault, by their places in `network.nodes`: writes at most `capacity` of them to `places`, which may be null, and
 answers how many there are. Any thread.
 */
size_t fsc_error_culprits(struct fsc_error error,
                          size_t *places,
                          size_t capacity);

/*
 Frees an error. Nothing happens to the null error. Any thread.
 */
fsc_status fsc_error_free(struct fsc_error error);

/*
 The version of the interface that this library has. A program that was compiled with another `FSC_ABI_VERSION` must not use it. Any
 thread, at any time.
 */
uint32_t fsc_abi_version(void);

/*
 The release of this library, as "0.1.0": a static text that ends with NUL. Any thread, at any time.
 */
const char *fsc_version(void);

/*
 How many handles this program has and has not freed: for tests that look for leaks. Any thread.
 */
size_t fsc_handles(void);

/*
 Stops all nodes, ends all calls (`FSC_STATUS_STOPPED`), frees all handles, with which pointers into values end, too, and ends the
 library's threads; not needed before a program exits. Any thread but those of the library; waits until all callbacks have come back
 and all streams are closed, or fails after some seconds (`FSC_STATUS_TIMED_OUT`) and leaves those behind. Meanwhile, other functions fail.
 The library can be used again afterwards, also if this has failed.
 */
fsc_status fsc_shutdown(struct fsc_error *error);

/*
 Sends what the library logs up to that level to `logged`, with `user`, in the place of what was told before; null for nobody. It is
 called from any thread, several at a time, and must neither wait nor call the library. When this function has returned, the one before is not called any more. Any
 thread, but not from `logged`.
 */
fsc_status fsc_log(int32_t level,
                   fsc_logged logged,
                   void *user,
                   struct fsc_error *error);

#if defined(FSC_WITH_NODE)
/*
 A node with a configuration: that of `fsc serve`, in TOML or JSON (an `fsc_format`), of `length` bytes, or ending with NUL if
 `length` is `FSC_TERMINATED`; null is an empty one. Paths in it are relative to `folder`, or to the working directory where that is null. Other nodes and clients of this
 process reach it at `local:NAME`; where `name` is null, it gets one, and a name is taken until the node was freed and has stopped. It listens elsewhere
 only if its configuration says so. Any thread.
 */
fsc_status fsc_node_new(const char *name,
                        const char *config,
                        size_t length,
                        int32_t format,
                        const char *folder,
                        struct fsc_node *node,
                        struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Lets the node offer an object of this program to its clients, who find it by its description: a map, as
 `{"namespace": "example", "microservice": "Patients"}`. `name` is for listings. The structure is copied. Before the node is started. Any thread.
 */
fsc_status fsc_node_offer(struct fsc_node node,
                          const char *name,
                          struct fsc_value description,
                          const struct fsc_service *service,
                          struct fsc_error *error);
#endif

#if (defined(FSC_WITH_NODE) && defined(FSC_WITH_SERIAL))
/*
 Takes a stream of bytes for a line of the node, at the address `serial:NAME`, by which its peers at the other end are named. Requests that
 come from there are made as the client `principal`, or refused if that is null. The structure is copied. `destroy` is
 not called if this fails. Before or after the node was started. Any thread.
 */
fsc_status fsc_node_attach(struct fsc_node node,
                           const char *name,
                           const struct fsc_stream *stream,
                           const char *principal,
                           struct fsc_error *error);
#endif

#if (defined(FSC_WITH_NODE) && defined(FSC_WITH_SERIAL))
/*
 Takes the line of that name from the node, and closes its stream. What is pending there fails. Nothing happens if there is none. Any thread.
 */
fsc_status fsc_node_detach(struct fsc_node node,
                           const char *name,
                           struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Starts the node: it listens, opens its lines, and serves, until it is stopped or freed. If this fails, it may be tried again. Any thread; waits
 until the node can be reached.
 */
fsc_status fsc_node_start(struct fsc_node node,
                          const struct fsc_wait *wait,
                          struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 What there is to know of a running node: the map `{"addresses": ["http://127.0.0.1:8001", "local:NAME"], "id": …}`, whose id is `null` if
 the node has no key. Any thread.
 */
fsc_status fsc_node_describe(struct fsc_node node,
                             struct fsc_value *description,
                             struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 A client of the node, without a way between. The node knows it as `principal`, or as `local` if that is null. Any thread.
 */
fsc_status fsc_node_client(struct fsc_node node,
                           const char *principal,
                           struct fsc_client *client,
                           struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Stops the node: its clients get errors that say so, its peers are told, its lines are closed, and then it is gone. Calls of objects that
 this program serves may still run. Nothing happens to one that does not run. Any thread, but not from a call that the node serves; waits
 until it has stopped, half a minute at most unless `wait` says otherwise.
 */
fsc_status fsc_node_stop(struct fsc_node node,
                         const struct fsc_wait *wait,
                         struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Frees a node; one that runs stops, without waiting for that. Nothing happens to the null node. Any thread.
 */
fsc_status fsc_node_free(struct fsc_node node);
#endif

/*
 The attribute of that name: a method, mostly. Any thread; waits.
 */
fsc_status fsc_object_attribute(struct fsc_object object,
                                const char *name,
                                const struct fsc_wait *wait,
                                struct fsc_object *attribute,
                                struct fsc_error *error);

/*
 Calls the object with a list of arguments and a map of named ones, of which either may be the null handle. What it answers is an
 object, or the null handle if it answers nothing. Any thread; waits until the answer is there, which takes as long as the computation.
 */
fsc_status fsc_object_call(struct fsc_object object,
                           struct fsc_value args,
                           struct fsc_value kwargs,
                           const struct fsc_wait *wait,
                           struct fsc_object *answer,
                           struct fsc_error *error);

/*
 The object's content. Any thread; waits.
 */
fsc_status fsc_object_download(struct fsc_object object,
                               const struct fsc_wait *wait,
                               struct fsc_value *content,
                               struct fsc_error *error);

/*
 As `fsc_object_call`, without waiting: `called` is called once, with `user`, from a thread of the library, also when the call is
 cancelled or the library stops; but not if this function itself fails. It may wait, and other callbacks wait for it if it is one of very many. Any thread.
 */
fsc_status fsc_object_call_async(struct fsc_object object,
                                 struct fsc_value args,
                                 struct fsc_value kwargs,
                                 const struct fsc_wait *wait,
                                 fsc_called called,
                                 void *user,
                                 struct fsc_error *error);

/*
 As `fsc_object_download`, without waiting: `downloaded` is called as `fsc_object_call_async` says. Any thread.
 */
fsc_status fsc_object_download_async(struct fsc_object object,
                                     const struct fsc_wait *wait,
                                     fsc_downloaded downloaded,
                                     void *user,
                                     struct fsc_error *error);

/*
 Frees an object and releases it at the node, without waiting for that. Nothing happens to the null object. Any thread.
 */
fsc_status fsc_object_free(struct fsc_object object);

#if defined(FSC_WITH_NODE)
/*
 Whether nobody waits for the answer any more: the client went away, or its deadline has passed. For calls that take long; 1 or 0. From the
 callback.
 */
int32_t fsc_answer_is_idle(struct fsc_answer answer);
#endif

#if defined(FSC_WITH_NODE)
/*
 Answers a call with a value, which the client may download. It stays the caller's. From the callback.
 */
fsc_status fsc_answer_value(struct fsc_answer answer,
                            struct fsc_value value,
                            struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Answers a call or an attribute with an object of this program. The structure is copied. From the callback.
 */
fsc_status fsc_answer_object(struct fsc_answer answer,
                             const struct fsc_service *service,
                             struct fsc_error *error);
#endif

#if defined(FSC_WITH_NODE)
/*
 Answers a call with a failure: its code is that of HTTP (400 wrong arguments, 403 not allowed, 404 not found, 409 not now, 429 too much,
 503 something is missing, 504 it took too long, 500 all else), its message a text that ends with NUL, which the client reads: no
 data. From the callback.
 */
fsc_status fsc_answer_failure(struct fsc_answer answer,
                              int32_t code,
                              const char *message,
                              struct fsc_error *error);
#endif

/*
 What a status means, as a static text that ends with NUL: for where there is no `fsc_error`, as in a forked process. Any
 thread, at any time.
 */
const char *fsc_status_text(int32_t status);

/*
 A value of a JSON text of `length` bytes, or that ends with NUL if `length` is `FSC_TERMINATED`. Integers are exact to 128 bits, NaN
 and infinities are refused, and so is nesting beyond 64 levels. Any thread.
 */
fsc_status fsc_value_from_json(const char *text,
                               size_t length,
                               struct fsc_value *value,
                               struct fsc_error *error);

/*
 A dense array of finite doubles, copied. `shape` has `dimensions` extents, whose product says how many numbers there are; the last
 index runs fastest. Where `missing` is not null, it has a byte for each number, which is not zero if the number is missing (`null`
 in JSON) whatever stands in its place. Any thread.
 */
fsc_status fsc_value_from_f64(const double *numbers,
                              const uint8_t *missing,
                              const size_t *shape,
                              size_t dimensions,
                              struct fsc_value *value,
                              struct fsc_error *error);

/*
 A dense array of 64-bit integers; else as `fsc_value_from_f64`. Any thread.
 */
fsc_status fsc_value_from_i64(const int64_t *numbers,
                              const uint8_t *missing,
                              const size_t *shape,
                              size_t dimensions,
                              struct fsc_value *value,
                              struct fsc_error *error);

/*
 A text of `length` bytes, or that ends with NUL if `length` is `FSC_TERMINATED`; copied. Any thread.
 */
fsc_status fsc_value_from_text(const char *text,
                               size_t length,
                               struct fsc_value *value,
                               struct fsc_error *error);

/*
 Bytes; copied. Any thread.
 */
fsc_status fsc_value_from_bytes(const uint8_t *bytes,
                                size_t length,
                                struct fsc_value *value,
                                struct fsc_error *error);

/*
 A finite double. Any thread.
 */
fsc_status fsc_value_from_number(double number, struct fsc_value *value, struct fsc_error *error);

/*
 A 64-bit integer. Any thread.
 */
fsc_status fsc_value_from_integer(int64_t number, struct fsc_value *value, struct fsc_error *error);

/*
 A truth value: false if `truth` is zero. Any thread.
 */
fsc_status fsc_value_from_boolean(int32_t truth, struct fsc_value *value, struct fsc_error *error);

/*
 A list of `count` texts that end with NUL, each copied; one that is null is missing (`null` in JSON). Any thread.
 */
fsc_status fsc_value_from_texts(const char *const *texts,
                                size_t count,
                                struct fsc_value *value,
                                struct fsc_error *error);

/*
 A list of values, which may share what they hold. The null handle stands for `null`. Any thread.
 */
fsc_status fsc_value_list(const struct fsc_value *items,
                          size_t count,
                          struct fsc_value *value,
                          struct fsc_error *error);

/*
 A map of `count` entries: keys are texts that end with NUL, of which no two are the same; the null handle stands for `null`. Any
 thread.
 */
fsc_status fsc_value_map(const char *const *keys,
                         const struct fsc_value *items,
                         size_t count,
                         struct fsc_value *value,
                         struct fsc_error *error);

/*
 The same map with one more entry, or with another value for an entry: a value of its own. The null handle stands for the empty map
 and for `null`. Any thread.
 */
fsc_status fsc_value_with(struct fsc_value map,
                          const char *key,
                          struct fsc_value item,
                          struct fsc_value *value,
                          struct fsc_error *error);

/*
 The value that stands for an object on a node, as an argument of calls there. It, and what it becomes part of, keeps the object
 until it is freed. Any thread.
 */
fsc_status fsc_value_from_object(struct fsc_object object,
                                 struct fsc_value *value,
                                 struct fsc_error *error);

/*
 What the value is. Any thread.
 */
fsc_kind fsc_value_kind(struct fsc_value value);

/*
 The value in JSON, in `length` bytes and one that is NUL; good until the value is freed. Numbers read back as they were. `length` may
 be null. Any thread.
 */
fsc_status fsc_value_to_json(struct fsc_value value,
                             const char **text,
                             size_t *length,
                             struct fsc_error *error);

/*
 The text, in `length` bytes of UTF-8 and one that is NUL; good until the value is freed. A text may hold NULs itself. `length` may be
 null. Any thread.
 */
fsc_status fsc_value_text(struct fsc_value value,
                          const char **text,
                          size_t *length,
                          struct fsc_error *error);

/*
 The key of an entry of a map, in `length` bytes and one that is NUL; good until the value is freed. Keys are in the order of their
 bytes. `length` may be null. Any thread.
 */
fsc_status fsc_value_key(struct fsc_value value,
                         size_t index,
                         const char **text,
                         size_t *length,
                         struct fsc_error *error);

/*
 The bytes, `length` of them; good until the value is freed. Any thread.
 */
fsc_status fsc_value_bytes(struct fsc_value value,
                           const uint8_t **bytes,
                           size_t *length,
                           struct fsc_error *error);

/*
 The truth value: 0 or 1. Any thread.
 */
fsc_status fsc_value_boolean(struct fsc_value value, int32_t *truth, struct fsc_error *error);

/*
 The number as a double: of a float, or of an integer that a double holds exactly. Any thread.
 */
fsc_status fsc_value_number(struct fsc_value value, double *number, struct fsc_error *error);

/*
 The number as a 64-bit integer: of an integer that fits. Any thread.
 */
fsc_status fsc_value_integer(struct fsc_value value, int64_t *number, struct fsc_error *error);

/*
 The numbers of a dense array, `count` of them in the order of its shape; good until the value is freed. Integers are converted, which
 is an error if a double does not hold one exactly. Doubles are not copied. Any thread.
 */
fsc_status fsc_value_as_f64(struct fsc_value value,
                            const double **numbers,
                            size_t *count,
                            struct fsc_error *error);

/*
 The numbers of a dense array that is all integers; else as `fsc_value_as_f64`. Not copied. Any thread.
 */
fsc_status fsc_value_as_i64(struct fsc_value value,
                            const int64_t **numbers,
                            size_t *count,
                            struct fsc_error *error);

/*
 The extents of a dense array, `dimensions` of them; good until the value is freed. Any thread.
 */
fsc_status fsc_value_shape(struct fsc_value value,
                           const size_t **shape,
                           size_t *dimensions,
                           struct fsc_error *error);

/*
 Copies the numbers of a dense array, or of a list and those within it, in order, to `numbers`, and to `missing` a byte for each that is 1 if it
 is missing (`null`) and 0 if not; a missing one is NaN. `count` gets how many there are; nothing is copied if that is more than `capacity`, so ask with
 zero first, and with `missing`. `missing` may be null: then a missing number is an error. Integers are converted, as in `fsc_value_as_f64`. Any thread.
 */
fsc_status fsc_value_copy_f64(struct fsc_value value,
                              double *numbers,
                              uint8_t *missing,
                              size_t capacity,
                              size_t *count,
                              struct fsc_error *error);

/*
 Copies integers; else as `fsc_value_copy_f64`. A missing one is zero. Any thread.
 */
fsc_status fsc_value_copy_i64(struct fsc_value value,
                              int64_t *numbers,
                              uint8_t *missing,
                              size_t capacity,
                              size_t *count,
                              struct fsc_error *error);

/*
 How many items a list, a map, or the first dimension of an array has, or how many bytes a text; zero of all else. Any thread.
 */
size_t fsc_value_length(struct fsc_value value);

/*
 An item of a list, of a map in the order of its keys, or of an array along its first dimension: a value of its own. Any thread.
 */
fsc_status fsc_value_item(struct fsc_value value,
                          size_t index,
                          struct fsc_value *item,
                          struct fsc_error *error);

/*
 The entry of a map by its key: a value of its own, or the null handle if there is none. Any thread.
 */
fsc_status fsc_value_entry(struct fsc_value value,
                           const char *key,
                           struct fsc_value *item,
                           struct fsc_error *error);

/*
 Frees a value. Nothing happens to the null handle. Any thread, but not while another one uses a pointer into it.
 */
fsc_status fsc_value_free(struct fsc_value value);

/*
 A handle by which calls can be cancelled. Any thread.
 */
fsc_status fsc_cancel_new(struct fsc_cancel *cancel, struct fsc_error *error);

/*
 Cancels all calls that were given this handle, and those that will be. A computation that is cancelled ends at all parties. Any
 thread, also while others wait; not from a signal handler.
 */
fsc_status fsc_cancel_fire(struct fsc_cancel cancel);

/*
 Frees a cancel handle. Calls that were given it go on. Any thread.
 */
fsc_status fsc_cancel_free(struct fsc_cancel cancel);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FSC_H */
