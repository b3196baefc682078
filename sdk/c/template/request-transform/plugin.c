// A request transform: tags requests on their way to the upstream.

#include "gatewright.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text tag;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  static const char *const fields[] = {"x-tag", NULL};
  gw_describe(info, "{{name}}", "0.1.0", "Tells the upstream a tag that no client can forge.", schema, sizeof schema, 0, fields);
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  (void)errors; // the gateway has compared the configuration with the schema already
  tag = gw_json_text(gw_json_member(gw_json_of(config), "tag"));
  return true;
}

bool exports_gatewright_plugin_request_transform_transform_request(
    exports_gatewright_plugin_request_transform_request_input_t *input,
    exports_gatewright_plugin_request_transform_request_outcome_t *outcome,
    exports_gatewright_plugin_request_transform_fault_t *fault) {
  (void)fault;
  *outcome = (exports_gatewright_plugin_request_transform_request_outcome_t){0};
  if (input->request.fields.len > 0) {
    outcome->tag = EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_RESPOND;
    outcome->val.respond = gw_respond(400, "content-type", "text/plain", gw_string("x-tag is not yours to send\n"));
  } else {
    // What is all zero stays as it is.
    outcome->tag = EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_PROCEED;
    gw_field_edit *edit = gw_allocate(sizeof *edit);
    *edit = gw_set("x-tag", gw_copy(tag.ptr, tag.len));
    outcome->val.proceed.fields.ptr = edit;
    outcome->val.proceed.fields.len = 1;
  }
  exports_gatewright_plugin_request_transform_request_input_free(input);
  return true;
}
