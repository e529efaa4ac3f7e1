/* Values go in and come out as they were. */
#include <math.h>

#include "check.h"

static void texts_and_numbers(void) {
    fsc_value map = json("{\"n\": 9007199254740993, \"x\": 2.0, \"t\": \"\\u00fc\\u0000z\", \"no\": null, \"yes\": true}"), item;
    const char *text;
    size_t length;
    int64_t integer;
    double number;
    int32_t truth;
    CHECK(fsc_value_kind(map) == FSC_KIND_MAP && fsc_value_length(map) == 5);
    WELL(fsc_value_entry(map, "n", &item, &error));
    WELL(fsc_value_integer(item, &integer, &error));
    CHECK(integer == 9007199254740993);
    FAILS(fsc_value_number(item, &number, &error), FSC_STATUS_WRONG_TYPE, "exactly");
    fsc_value_free(item);
    WELL(fsc_value_entry(map, "x", &item, &error));
    WELL(fsc_value_number(item, &number, &error));
    CHECK(number == 2.0 && fsc_value_kind(item) == FSC_KIND_FLOAT && is_json(item, "2.0"));
    FAILS(fsc_value_integer(item, &integer, &error), FSC_STATUS_WRONG_TYPE, "float");
    fsc_value_free(item);
    WELL(fsc_value_entry(map, "t", &item, &error));
    WELL(fsc_value_text(item, &text, &length, &error));
    CHECK(length == 4 && memcmp(text, "\xc3\xbc\0z", 5) == 0);
    fsc_value_free(item);
    WELL(fsc_value_entry(map, "yes", &item, &error));
    WELL(fsc_value_boolean(item, &truth, &error));
    CHECK(truth == 1);
    fsc_value_free(item);
    WELL(fsc_value_entry(map, "absent", &item, &error));
    CHECK(item.id == 0 && fsc_value_kind(item) == FSC_KIND_NONE);
    WELL(fsc_value_key(map, 1, &text, NULL, &error));
    CHECK(strcmp(text, "no") == 0);
    WELL(fsc_value_item(map, 1, &item, &error));
    CHECK(fsc_value_kind(item) == FSC_KIND_NULL);
    fsc_value_free(item);
    FAILS(fsc_value_item(map, 5, &item, &error), FSC_STATUS_INVALID_ARGUMENT, "5 items");
    fsc_value_free(map);
}

static void arrays(void) {
    const double numbers[6] = {1, 2.5, -0.0, 4, 5, 6};
    const int64_t integers[3] = {INT64_MIN, 0, INT64_MAX};
    const uint8_t missing[6] = {0, 1, 0, 0, 0, 1};
    const size_t shape[2] = {2, 3}, three[1] = {3}, empty[1] = {0};
    const double *back;
    const int64_t *integers_back;
    const size_t *shape_back;
    size_t count, dimensions;
    fsc_value array, row;
    WELL(fsc_value_from_f64(numbers, NULL, shape, 2, &array, &error));
    WELL(fsc_value_as_f64(array, &back, &count, &error));
    CHECK(count == 6 && memcmp(back, numbers, sizeof numbers) == 0);
    WELL(fsc_value_shape(array, &shape_back, &dimensions, &error));
    CHECK(dimensions == 2 && shape_back[0] == 2 && shape_back[1] == 3);
    CHECK(fsc_value_length(array) == 2 && is_json(array, "[[1.0,2.5,-0.0],[4.0,5.0,6.0]]"));
    WELL(fsc_value_item(array, 1, &row, &error));
    CHECK(is_json(row, "[4.0,5.0,6.0]"));
    FAILS(fsc_value_as_i64(array, &integers_back, &count, &error), FSC_STATUS_WRONG_TYPE, "integers");
    fsc_value_free(row);
    fsc_value_free(array);
    WELL(fsc_value_from_f64(numbers, missing, shape, 2, &array, &error));
    CHECK(is_json(array, "[[1.0,null,-0.0],[4.0,5.0,null]]"));
    fsc_value_free(array);
    WELL(fsc_value_from_i64(integers, NULL, three, 1, &array, &error));
    CHECK(fsc_value_kind(array) == FSC_KIND_INTEGERS);
    WELL(fsc_value_as_i64(array, &integers_back, &count, &error));
    CHECK(count == 3 && memcmp(integers_back, integers, sizeof integers) == 0);
    FAILS(fsc_value_as_f64(array, &back, &count, &error), FSC_STATUS_WRONG_TYPE, "number 0");
    fsc_value_free(array);
    WELL(fsc_value_from_i64(NULL, NULL, empty, 1, &array, &error));
    CHECK(is_json(array, "[]"));
    fsc_value_free(array);
    array = json("[1, 2.5]");
    WELL(fsc_value_as_f64(array, &back, &count, &error));
    CHECK(count == 2 && back[0] == 1.0 && back[1] == 2.5);
    fsc_value_free(array);
}

static void what_is_not_finite_is_refused(void) {
    const double bad[2][2] = {{1, NAN}, {INFINITY, 1}};
    const uint8_t missing[2] = {0, 1};
    const size_t shape[1] = {2};
    fsc_value value;
    FAILS(fsc_value_from_f64(bad[0], NULL, shape, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "number 1");
    FAILS(fsc_value_from_f64(bad[1], NULL, shape, 1, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "number 0");
    CHECK(value.id == 0);
    WELL(fsc_value_from_f64(bad[0], missing, shape, 1, &value, &error));
    CHECK(is_json(value, "[1.0,null]"));
    fsc_value_free(value);
    FAILS(fsc_value_from_json("[1e999]", FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "JSON");
    FAILS(fsc_value_from_json("{\"a\": ", FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "byte 6");
    FAILS(fsc_value_from_json("1 2", FSC_TERMINATED, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "document");
}

static void numbers_with_gaps_are_copied(void) {
    fsc_value list = json("[1, null, 2.5]"), whole = json("[[1, 2], [3, 4]]"), texts = json("[1, \"a\"]");
    double numbers[4] = {9, 9, 9, 9};
    int64_t integers[4];
    uint8_t missing[4];
    size_t count;
    WELL(fsc_value_copy_f64(list, NULL, missing, 0, &count, &error));
    CHECK(count == 3);
    WELL(fsc_value_copy_f64(list, numbers, missing, 4, &count, &error));
    CHECK(count == 3 && numbers[0] == 1 && isnan(numbers[1]) && numbers[2] == 2.5 && numbers[3] == 9);
    CHECK(missing[0] == 0 && missing[1] == 1 && missing[2] == 0);
    FAILS(fsc_value_copy_f64(list, numbers, NULL, 4, &count, &error), FSC_STATUS_WRONG_TYPE, "item 1");
    FAILS(fsc_value_copy_f64(texts, numbers, missing, 4, &count, &error), FSC_STATUS_WRONG_TYPE, "item 1");
    FAILS(fsc_value_copy_i64(list, integers, missing, 4, &count, &error), FSC_STATUS_WRONG_TYPE, "item 2");
    WELL(fsc_value_copy_i64(whole, integers, NULL, 4, &count, &error));
    CHECK(count == 4 && integers[0] == 1 && integers[3] == 4);
    FAILS(fsc_value_copy_i64(whole, NULL, NULL, 4, &count, &error), FSC_STATUS_INVALID_ARGUMENT, "null");
    fsc_value_free(texts);
    fsc_value_free(whole);
    fsc_value_free(list);
}

static void single_values(void) {
    const uint8_t bytes[3] = {0, 255, 1}, *back;
    size_t length;
    fsc_value value;
    WELL(fsc_value_from_text("a \"quoted\" text\n", FSC_TERMINATED, &value, &error));
    CHECK(is_json(value, "\"a \\\"quoted\\\" text\\n\""));
    fsc_value_free(value);
    WELL(fsc_value_from_text("cut off", 3, &value, &error));
    CHECK(is_json(value, "\"cut\""));
    fsc_value_free(value);
    WELL(fsc_value_from_number(2.0, &value, &error));
    CHECK(is_json(value, "2.0"));
    fsc_value_free(value);
    FAILS(fsc_value_from_number(NAN, &value, &error), FSC_STATUS_INVALID_ARGUMENT, "finite");
    WELL(fsc_value_from_integer(INT64_MIN, &value, &error));
    CHECK(is_json(value, "-9223372036854775808"));
    fsc_value_free(value);
    WELL(fsc_value_from_boolean(7, &value, &error));
    CHECK(is_json(value, "true"));
    fsc_value_free(value);
    WELL(fsc_value_from_bytes(bytes, 3, &value, &error));
    WELL(fsc_value_bytes(value, &back, &length, &error));
    CHECK(length == 3 && memcmp(back, bytes, 3) == 0);
    fsc_value_free(value);
}

static void values_are_composed(void) {
    const char *const names[3] = {"a", NULL, "b"}, *const keys[2] = {"x", "y"}, *const twice[2] = {"x", "x"};
    fsc_value parts[2], list, map, more;
    WELL(fsc_value_from_texts(names, 3, &parts[0], &error));
    parts[1] = NO_VALUE;
    WELL(fsc_value_list(parts, 2, &list, &error));
    CHECK(is_json(list, "[[\"a\",null,\"b\"],null]"));
    WELL(fsc_value_map(keys, parts, 2, &map, &error));
    WELL(fsc_value_with(map, "x", list, &more, &error));
    fsc_value_free(list);
    fsc_value_free(parts[0]);
    CHECK(is_json(map, "{\"x\":[\"a\",null,\"b\"],\"y\":null}"));
    CHECK(is_json(more, "{\"x\":[[\"a\",null,\"b\"],null],\"y\":null}"));
    FAILS(fsc_value_map(twice, parts, 0, &list, &error) == FSC_STATUS_OK
              ? fsc_value_with(more, NULL, NO_VALUE, &list, &error) : FSC_STATUS_OK,
          FSC_STATUS_INVALID_ARGUMENT, "key must not be null");
    parts[0] = parts[1];
    FAILS(fsc_value_map(twice, parts, 2, &list, &error), FSC_STATUS_INVALID_ARGUMENT, "differ");
    fsc_value_free(map);
    fsc_value_free(more);
}

int main(void) {
    texts_and_numbers();
    arrays();
    what_is_not_finite_is_refused();
    numbers_with_gaps_are_copied();
    single_values();
    values_are_composed();
    WELL(fsc_shutdown(&error));
    puts("ok");
    return 0;
}
