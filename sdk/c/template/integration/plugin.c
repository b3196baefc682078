// An integration: the plugin is the upstream, and greets.

#include "gatewright.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text greeting;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  gw_describe(info, "{{name}}", "0.1.0", "Greets.", schema, sizeof schema, GW_QUERY, NULL);
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  (void)errors; // the gateway has compared the configuration with the schema already
  greeting = gw_json_text(gw_json_member(gw_json_of(config), "greeting"));
  return true;
}

// The value of `name=…` in a query, or NULL; escapes stay as they are.
static const uint8_t *name_in(const gatewright_plugin_option_string_t *query, size_t *len) {
  static const char key[] = "name=";
  if (!query->is_some || query->val.len < sizeof key - 1) return NULL;
  if (memcmp(query->val.ptr, key, sizeof key - 1) != 0) return NULL;
  const uint8_t *name = query->val.ptr + sizeof key - 1;
  for (*len = 0; name + *len < query->val.ptr + query->val.len && name[*len] != '&';) ++*len;
  return name;
}

bool exports_gatewright_plugin_integration_handle(exports_gatewright_plugin_integration_integration_input_t *input,
                                                  exports_gatewright_plugin_integration_full_response_t *response,
                                                  exports_gatewright_plugin_integration_fault_t *fault) {
  (void)fault;
  size_t len = 0;
  const uint8_t *name = name_in(&input->request.query, &len);
  if (name) {
    gw_text body = {gw_allocate(greeting.len + len + 4), 0};
    memcpy(body.ptr, greeting.ptr, greeting.len);
    memcpy(body.ptr + greeting.len, ", ", 2);
    memcpy(body.ptr + greeting.len + 2, name, len);
    memcpy(body.ptr + greeting.len + 2 + len, "!\n", 2);
    body.len = greeting.len + len + 4;
    *response = gw_respond(200, "content-type", "text/plain; charset=utf-8", body);
  } else {
    *response = gw_respond(400, "content-type", "text/plain", gw_string("`name` is not there\n"));
  }
  exports_gatewright_plugin_integration_integration_input_free(input);
  return true;
}
