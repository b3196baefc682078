// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for.
void exports_gatewright_plugin_response_transform_response_input_free(exports_gatewright_plugin_response_transform_response_input_t *input) { (void)input; }

static void configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  assert(exports_gatewright_plugin_lifecycle_configure(&config, &errors));
}

int main(void) {
  configure("{\"tag\":\"blue\"}");
  exports_gatewright_plugin_response_transform_response_input_t input = {0};
  exports_gatewright_plugin_response_transform_response_outcome_t outcome;
  exports_gatewright_plugin_response_transform_fault_t fault;
  assert(exports_gatewright_plugin_response_transform_transform_response(&input, &outcome, &fault));
  const gw_field *set = &outcome.val.proceed.fields.ptr[0].val.set;
  assert(outcome.val.proceed.fields.len == 2 && gw_equal(set->f1.ptr, set->f1.len, "blue"));
  puts("ok");
}
