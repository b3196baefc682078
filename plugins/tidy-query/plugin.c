// A request transform: takes parameters out of the query that are none of the upstream's business, and puts the rest in
// order. This file speaks to the gateway; `query.h` knows queries.

#include "gatewright.h"
#include "query.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static pattern patterns[64]; // as many as the schema allows
static size_t count;
static bool sort;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  gw_describe(info, "tidy-query", "0.1.0", "Takes parameters out of the query.", schema, sizeof schema, GW_QUERY, NULL);
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  // The gateway has compared the configuration with the schema already; that a name is there twice, a schema could say
  // too, but not in these words.
  gw_json json = gw_json_of(config), names = gw_json_member(json, "drop"), name = {0};
  for (count = 0; gw_json_next(names, &name); count++) {
    gw_text text = gw_json_text(name);
    bool is_prefix = text.len > 0 && text.ptr[text.len - 1] == '*';
    patterns[count] = (pattern){(const char *)text.ptr, text.len - is_prefix, is_prefix};
    for (size_t i = 0; i < count; i++) {
      if (patterns[i].len != patterns[count].len || patterns[i].is_prefix != is_prefix) continue;
      if (memcmp(patterns[i].at, patterns[count].at, patterns[i].len) != 0) continue;
      errors->ptr = gw_allocate(sizeof *errors->ptr);
      errors->len = 1;
      errors->ptr[0].at = gw_string("/drop");
      errors->ptr[0].message = gw_string("a name is there twice");
      return false;
    }
  }
  sort = gw_json_true(gw_json_member(json, "sort"));
  return true;
}

bool exports_gatewright_plugin_request_transform_transform_request(
    exports_gatewright_plugin_request_transform_request_input_t *input,
    exports_gatewright_plugin_request_transform_request_outcome_t *outcome,
    exports_gatewright_plugin_request_transform_fault_t *fault) {
  (void)fault;
  // What is all zero stays as it is.
  *outcome = (exports_gatewright_plugin_request_transform_request_outcome_t){
      .tag = EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_PROCEED};
  if (input->request.query.is_some) {
    const gw_text *query = &input->request.query.val;
    gw_text tidy = {gw_allocate(query->len), 0};
    tidy.len = query_tidy((const char *)query->ptr, query->len, patterns, count, sort, (char *)tidy.ptr);
    if (tidy.len > 0) {
      outcome->val.proceed.query.tag = GATEWRIGHT_PLUGIN_TYPES_TEXT_EDIT_SET;
      outcome->val.proceed.query.val.set = tidy;
    } else {
      free(tidy.ptr);
      outcome->val.proceed.query.tag = GATEWRIGHT_PLUGIN_TYPES_TEXT_EDIT_CLEAR;
    }
  }
  exports_gatewright_plugin_request_transform_request_input_free(input);
  return true;
}
