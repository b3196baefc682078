// A body filter: puts a mark before each line of a response, however long the response is.

#include "gatewright.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text mark;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  gw_describe(info, "{{name}}", "0.1.0", "Quotes texts.", schema, sizeof schema, 0, NULL);
  info->needs.response_fields = gw_select((const char *const[]){"content-type", NULL});
  info->needs.response_body = GW_CHUNKS;
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  (void)errors; // the gateway has compared the configuration with the schema already
  mark = gw_json_text(gw_json_member(gw_json_of(config), "mark"));
  return true;
}

// One body on its way. A chunk may end anywhere, so what is known of the line is kept.
struct exports_gatewright_plugin_body_filter_filter_t {
  bool at_beginning;
};

bool exports_gatewright_plugin_body_filter_open(exports_gatewright_plugin_body_filter_filter_input_t *input,
                                                exports_gatewright_plugin_body_filter_option_own_filter_t *opened,
                                                exports_gatewright_plugin_body_filter_fault_t *fault) {
  (void)fault;
  const gw_bytes *type = gw_header(&input->response.val.fields, "content-type");
  // Not some: what is no text passes by.
  *opened = (exports_gatewright_plugin_body_filter_option_own_filter_t){.is_some = type && gw_begins(type, "text/plain")};
  if (opened->is_some) {
    exports_gatewright_plugin_body_filter_filter_t *filter = gw_allocate(sizeof *filter);
    filter->at_beginning = true;
    opened->val = exports_gatewright_plugin_body_filter_filter_new(filter);
  }
  exports_gatewright_plugin_body_filter_filter_input_free(input);
  return true;
}

bool exports_gatewright_plugin_body_filter_method_filter_push(exports_gatewright_plugin_body_filter_filter_t *filter,
                                                              gw_bytes *chunk, gw_bytes *passed,
                                                              exports_gatewright_plugin_body_filter_fault_t *fault) {
  (void)fault;
  size_t lines = 1;
  for (size_t i = 0; i < chunk->len; i++) lines += chunk->ptr[i] == '\n';
  *passed = (gw_bytes){gw_allocate(chunk->len + lines * mark.len), 0};
  for (size_t i = 0; i < chunk->len; i++) {
    if (filter->at_beginning) {
      memcpy(passed->ptr + passed->len, mark.ptr, mark.len);
      passed->len += mark.len;
    }
    passed->ptr[passed->len++] = chunk->ptr[i];
    filter->at_beginning = chunk->ptr[i] == '\n';
  }
  free(chunk->ptr);
  return true;
}

bool exports_gatewright_plugin_body_filter_method_filter_finish(exports_gatewright_plugin_body_filter_filter_t *filter,
                                                                gw_bytes *passed,
                                                                exports_gatewright_plugin_body_filter_fault_t *fault) {
  (void)filter, (void)fault;
  *passed = (gw_bytes){0}; // nothing was held back
  return true;
}

void exports_gatewright_plugin_body_filter_filter_destructor(exports_gatewright_plugin_body_filter_filter_t *filter) {
  free(filter);
}
