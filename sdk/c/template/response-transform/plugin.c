// A response transform: tags responses on their way to the client.

#include "gatewright.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text tag;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  gw_describe(info, "{{name}}", "0.1.0", "Tells the client a tag.", schema, sizeof schema, 0, NULL);
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  (void)errors; // the gateway has compared the configuration with the schema already
  tag = gw_json_text(gw_json_member(gw_json_of(config), "tag"));
  return true;
}

bool exports_gatewright_plugin_response_transform_transform_response(
    exports_gatewright_plugin_response_transform_response_input_t *input,
    exports_gatewright_plugin_response_transform_response_outcome_t *outcome,
    exports_gatewright_plugin_response_transform_fault_t *fault) {
  (void)fault;
  gw_field_edit *edits = gw_allocate(2 * sizeof *edits);
  edits[0] = gw_set("x-tag", gw_copy(tag.ptr, tag.len));
  edits[1] = gw_remove("server");
  // What is all zero stays as it is.
  *outcome = (exports_gatewright_plugin_response_transform_response_outcome_t){
      .tag = EXPORTS_GATEWRIGHT_PLUGIN_RESPONSE_TRANSFORM_RESPONSE_OUTCOME_PROCEED};
  outcome->val.proceed.fields.ptr = edits;
  outcome->val.proceed.fields.len = 2;
  exports_gatewright_plugin_response_transform_response_input_free(input);
  return true;
}
