// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for.
void exports_gatewright_plugin_integration_integration_input_free(exports_gatewright_plugin_integration_integration_input_t *input) { (void)input; }

static void configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  assert(exports_gatewright_plugin_lifecycle_configure(&config, &errors));
}

static uint16_t ask(const char *query, const char *answer) {
  exports_gatewright_plugin_integration_integration_input_t input = {.request.query = {true, gw_string(query)}};
  exports_gatewright_plugin_integration_full_response_t response;
  exports_gatewright_plugin_integration_fault_t fault;
  assert(exports_gatewright_plugin_integration_handle(&input, &response, &fault));
  assert(!answer || gw_equal(response.body.ptr, response.body.len, answer));
  return response.head.status;
}

int main(void) {
  configure("{\"greeting\":\"Hello\"}");
  assert(ask("name=Ada&x=1", "Hello, Ada!\n") == 200);
  assert(ask("", NULL) == 400);
  puts("ok");
}
