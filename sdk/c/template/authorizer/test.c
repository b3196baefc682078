// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for.
void exports_gatewright_plugin_authorizer_authorize_input_free(exports_gatewright_plugin_authorizer_authorize_input_t *input) { (void)input; }

static void configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  assert(exports_gatewright_plugin_lifecycle_configure(&config, &errors));
}

static uint8_t ask(const char *said) {
  gw_field field = {gw_string("authorization"), gw_bytes_of(gw_string(said))};
  exports_gatewright_plugin_authorizer_authorize_input_t input = {.request.fields = {&field, 1}};
  exports_gatewright_plugin_authorizer_decision_t decision;
  exports_gatewright_plugin_authorizer_fault_t fault;
  assert(exports_gatewright_plugin_authorizer_authorize(&input, &decision, &fault));
  return decision.tag;
}

int main(void) {
  configure("{\"word\":\"se\\\"same\"}");
  assert(ask("Bearer se\"same") == EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_ALLOW);
  assert(ask("Bearer open") == EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_DENY);
  assert(ask("") == EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_DENY);
  puts("ok");
}
