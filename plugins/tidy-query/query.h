// Queries. Nothing of the gateway's is here.

#ifndef QUERY_H
#define QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// One `name=value`, somewhere in a query.
typedef struct {
  const char *at;
  size_t len;
} parameter;

// A name, or with `is_prefix` the beginning of one.
typedef struct {
  const char *at;
  size_t len;
  bool is_prefix;
} pattern;

static bool query_is_dropped(parameter one, const pattern *patterns, size_t count) {
  const char *equals = memchr(one.at, '=', one.len);
  size_t name = equals ? (size_t)(equals - one.at) : one.len;
  for (size_t i = 0; i < count; i++) {
    const pattern *pattern = &patterns[i];
    bool fits = pattern->is_prefix ? name >= pattern->len : name == pattern->len;
    if (fits && memcmp(one.at, pattern->at, pattern->len) == 0) return true;
  }
  return false;
}

static int query_compare(const void *left, const void *right) {
  const parameter *a = left, *b = right;
  int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);
  if (order != 0) return order;
  return a->len < b->len ? -1 : a->len > b->len;
}

// Writes what is left of a query to `out`, which has room for all of it, and returns its length. Empty parameters go too.
static size_t query_tidy(const char *query, size_t len, const pattern *patterns, size_t count, bool sort, char *out) {
  size_t most = 1, kept = 0;
  for (size_t i = 0; i < len; i++) most += query[i] == '&';
  parameter *parameters = malloc(most * sizeof *parameters);
  if (!parameters) abort();
  for (const char *at = query, *end = query + len; at < end;) {
    const char *next = memchr(at, '&', (size_t)(end - at));
    if (!next) next = end;
    parameter one = {at, (size_t)(next - at)};
    if (one.len > 0 && !query_is_dropped(one, patterns, count)) parameters[kept++] = one;
    at = next + 1;
  }
  if (sort) qsort(parameters, kept, sizeof *parameters, query_compare);
  size_t written = 0;
  for (size_t i = 0; i < kept; i++) {
    if (i > 0) out[written++] = '&';
    memcpy(out + written, parameters[i].at, parameters[i].len);
    written += parameters[i].len;
  }
  free(parameters);
  return written;
}

#endif
