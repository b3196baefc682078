// Short ways to say what the generated bindings say at length, and just enough JSON to read a configuration.
//
// Memory: what a hook is given is its to free, what it returns is freed by the bindings. Everything returned here is a
// copy made with malloc, so it can be returned. A plugin whose instances serve one call each need not free anything.

#ifndef GATEWRIGHT_H
#define GATEWRIGHT_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gatewright_plugin.h"

typedef gatewright_plugin_string_t gw_text;
typedef gatewright_plugin_list_string_t gw_texts;
typedef gatewright_plugin_list_u8_t gw_bytes;
typedef gatewright_plugin_types_field_t gw_field;
typedef gatewright_plugin_types_fields_t gw_fields;
typedef gatewright_plugin_types_field_edit_t gw_field_edit;
typedef gatewright_plugin_types_full_response_t gw_response;
typedef exports_gatewright_plugin_lifecycle_plugin_info_t gw_info;
typedef exports_gatewright_plugin_lifecycle_field_selection_t gw_field_selection;
typedef exports_gatewright_plugin_lifecycle_part_t gw_part;

static inline void *gw_allocate(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory) abort(); // the end of this call; the gateway answers for the plugin
  return memory;
}

static inline gw_text gw_copy(const void *from, size_t len) {
  gw_text text = {gw_allocate(len), len};
  memcpy(text.ptr, from, len);
  return text;
}

static inline gw_text gw_string(const char *from) { return gw_copy(from, strlen(from)); }

static inline gw_bytes gw_bytes_of(gw_text text) { return (gw_bytes){text.ptr, text.len}; }

static inline bool gw_equal(const void *ptr, size_t len, const char *other) {
  return len == strlen(other) && memcmp(ptr, other, len) == 0;
}

// What a plugin can ask for besides header fields and bodies: `GW_PATH | GW_QUERY`. What it does not ask for is not some.
#define GW_METHOD EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_METHOD
#define GW_AUTHORITY EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_AUTHORITY
#define GW_PATH EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_PATH
#define GW_QUERY EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_QUERY
#define GW_PARAMETERS EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_PARAMETERS
#define GW_ROUTE EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_ROUTE
#define GW_PEER EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_PEER
#define GW_CERTIFICATE EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_CERTIFICATE
#define GW_ATTRIBUTES EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_ATTRIBUTES
#define GW_TRACE_PARENT EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_PART_TRACE_PARENT

// How a plugin wants to see a body: `info->needs.response_body = GW_CHUNKS`.
#define GW_BUFFERED EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_BODY_MODE_BUFFERED
#define GW_CHUNKS EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_BODY_MODE_CHUNKS

// What a plugin can say that it uses; see `gw_services`.
#define GW_KV "kv"
#define GW_CACHE "cache"
#define GW_COUNTERS "counters"
#define GW_SECRETS "secrets"
#define GW_HTTP_CLIENT "http-client"
#define GW_METRICS "metrics"
#define GW_CLOCK "clock"
#define GW_RANDOM "random"

// What a plugin says of itself. Names of fields are a list that ends with NULL; NULL for none.
static inline gw_texts gw_list(const char *const *names) {
  gw_texts list = {0};
  while (names && names[list.len]) list.len++;
  list.ptr = gw_allocate(list.len * sizeof *list.ptr);
  for (size_t i = 0; i < list.len; i++) list.ptr[i] = gw_string(names[i]);
  return list;
}

static inline gw_field_selection gw_select(const char *const *names) {
  gw_field_selection selection = {.tag = EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_FIELD_SELECTION_NONE};
  if (!names || !names[0]) return selection;
  selection.tag = EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_FIELD_SELECTION_NAMED;
  selection.val.named = gw_list(names);
  return selection;
}

static inline void gw_describe(gw_info *info, const char *name, const char *version, const char *description,
                               const void *schema, size_t schema_len, gw_part parts, const char *const *request_fields) {
  *info = (gw_info){
      .name = gw_string(name),
      .version = gw_string(version),
      .description = gw_string(description),
      .config_schema = {.is_some = true, .val = gw_copy(schema, schema_len)},
      .needs = {.parts = parts, .request_fields = gw_select(request_fields), .response_fields = gw_select(NULL)},
      .reuse = EXPORTS_GATEWRIGHT_PLUGIN_LIFECYCLE_REUSE_SERIAL,
  };
}

// What it uses, for the operator to read: a list such as `{GW_KV, GW_CLOCK, NULL}`. Saying so grants nothing.
static inline void gw_services(gw_info *info, const char *const *services) { info->services = gw_list(services); }

// The value of a header field; NULL when it is absent or there more than once.
static inline const gw_bytes *gw_header(const gw_fields *fields, const char *name) {
  const gw_bytes *found = NULL;
  for (size_t i = 0; i < fields->len; i++) {
    if (!gw_equal(fields->ptr[i].f0.ptr, fields->ptr[i].f0.len, name)) continue;
    if (found) return NULL;
    found = &fields->ptr[i].f1;
  }
  return found;
}

static inline bool gw_begins(const gw_bytes *bytes, const char *with) {
  size_t len = strlen(with);
  return bytes->len >= len && memcmp(bytes->ptr, with, len) == 0;
}

// A whole response with one header field.
static inline gw_response gw_respond(uint16_t status, const char *name, const char *value, gw_text body) {
  gw_field *field = gw_allocate(sizeof *field);
  *field = (gw_field){gw_string(name), gw_bytes_of(gw_string(value))};
  return (gw_response){.head = {.status = status, .fields = {field, 1}}, .body = gw_bytes_of(body)};
}

static inline gw_field_edit gw_set(const char *name, gw_text value) {
  gw_field_edit edit = {.tag = GATEWRIGHT_PLUGIN_TYPES_FIELD_EDIT_SET};
  edit.val.set = (gw_field){gw_string(name), gw_bytes_of(value)};
  return edit;
}

static inline gw_field_edit gw_remove(const char *name) {
  gw_field_edit edit = {.tag = GATEWRIGHT_PLUGIN_TYPES_FIELD_EDIT_REMOVE};
  edit.val.remove = gw_string(name);
  return edit;
}

// JSON. The gateway sends a configuration that is valid and fits the plugin's schema, so there is nothing to complain
// about: these find their way in it.

static inline const char *gw_json_space(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',' || *at == ':')) at++;
  return at;
}

// The end of the value that begins here.
static inline const char *gw_json_skip(const char *at, const char *end) {
  int depth = 0;
  bool text = false;
  for (; at < end; at++) {
    if (text) {
      if (*at == '\\') at++;
      else if (*at == '"') text = false;
      if (!text && depth == 0) return at + 1;
    } else if (*at == '"') {
      text = true;
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      if (--depth <= 0) return depth < 0 ? at : at + 1;
    } else if (depth == 0 && (*at == ',' || *at == ' ' || *at == '\n')) {
      return at;
    }
  }
  return end;
}

typedef struct {
  const char *at, *end;
} gw_json;

static inline gw_json gw_json_of(const gw_text *text) {
  return (gw_json){(const char *)text->ptr, (const char *)text->ptr + text->len};
}

// The member of an object; nothing (`at` is NULL) when there is none. Names with escapes are not found.
static inline gw_json gw_json_member(gw_json object, const char *name) {
  const char *at = gw_json_space(object.at, object.end);
  for (at = at < object.end ? at + 1 : at; at < object.end;) {
    at = gw_json_space(at, object.end);
    if (at >= object.end || *at != '"') break;
    const char *name_end = gw_json_skip(at, object.end);
    bool found = gw_equal(at + 1, (size_t)(name_end - at - 2), name);
    at = gw_json_space(name_end, object.end);
    const char *value_end = gw_json_skip(at, object.end);
    if (found) return (gw_json){at, value_end};
    at = value_end;
  }
  return (gw_json){NULL, NULL};
}

// The next element of an array: begin with `element` all zero, end when it says false.
static inline bool gw_json_next(gw_json array, gw_json *element) {
  const char *at = gw_json_space(element->end ? element->end : array.at + 1, array.end);
  if (at >= array.end || *at == ']') return false;
  *element = (gw_json){at, gw_json_skip(at, array.end)};
  return true;
}

// A string, without its escapes.
static inline gw_text gw_json_text(gw_json value) {
  gw_text text = {gw_allocate((size_t)(value.end - value.at)), 0};
  for (const char *at = value.at + 1; at < value.end - 1; at++) {
    if (*at != '\\') {
      text.ptr[text.len++] = (uint8_t)*at;
      continue;
    }
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    at++;
    for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
      if (*at == escapes[i]) text.ptr[text.len++] = (uint8_t)escapes[i + 1];
    if (*at == 'u') { // the gateway escapes only control characters
      char digits[5] = {at[1], at[2], at[3], at[4], 0};
      text.ptr[text.len++] = (uint8_t)strtol(digits, NULL, 16);
      at += 4;
    }
  }
  return text;
}

static inline bool gw_json_true(gw_json value) { return value.at && *value.at == 't'; }

#endif
