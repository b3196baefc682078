// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for.
void exports_gatewright_plugin_request_transform_request_input_free(exports_gatewright_plugin_request_transform_request_input_t *input) { (void)input; }

static void configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  assert(exports_gatewright_plugin_lifecycle_configure(&config, &errors));
}

static uint8_t ask(size_t forged) {
  gw_field field = {gw_string("x-tag"), gw_bytes_of(gw_string("red"))};
  exports_gatewright_plugin_request_transform_request_input_t input = {.request.fields = {&field, forged}};
  exports_gatewright_plugin_request_transform_request_outcome_t outcome;
  exports_gatewright_plugin_request_transform_fault_t fault;
  assert(exports_gatewright_plugin_request_transform_transform_request(&input, &outcome, &fault));
  return outcome.tag;
}

int main(void) {
  configure("{\"tag\":\"blue\"}");
  assert(ask(0) == EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_PROCEED);
  assert(ask(1) == EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_RESPOND);
  puts("ok");
}
