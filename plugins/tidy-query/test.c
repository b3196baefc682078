// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for.
void exports_gatewright_plugin_request_transform_request_input_free(
    exports_gatewright_plugin_request_transform_request_input_t *input) {
  (void)input;
}

static bool configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  bool good = exports_gatewright_plugin_lifecycle_configure(&config, &errors);
  assert(good == (errors.len == 0));
  return good;
}

// What is left of a query; none where it goes altogether.
static void assert_left(const char *query, const char *left) {
  exports_gatewright_plugin_request_transform_request_input_t input = {.request.query = {true, gw_string(query)}};
  exports_gatewright_plugin_request_transform_request_outcome_t outcome;
  exports_gatewright_plugin_request_transform_fault_t fault;
  assert(exports_gatewright_plugin_request_transform_transform_request(&input, &outcome, &fault));
  gatewright_plugin_types_text_edit_t *edit = &outcome.val.proceed.query;
  if (!left) {
    assert(edit->tag == GATEWRIGHT_PLUGIN_TYPES_TEXT_EDIT_CLEAR);
  } else {
    assert(edit->tag == GATEWRIGHT_PLUGIN_TYPES_TEXT_EDIT_SET);
    assert(gw_equal(edit->val.set.ptr, edit->val.set.len, left));
  }
}

int main(void) {
  assert(configure("{\"drop\":[\"utm_*\",\"fb\\\"clid\"]}"));
  assert_left("b=2&utm_source=x&a=1&utm_medium", "b=2&a=1");
  assert_left("utm=1&fb\"clid=2&fb\"clid2=3", "utm=1&fb\"clid2=3");
  assert_left("utm_=1", NULL);
  assert_left("", NULL);
  assert_left("&&a&&", "a");

  assert(configure("{\"drop\":[],\"sort\":true}"));
  assert_left("b=2&a=1&a=0&aa&a", "a&a=0&a=1&aa&b=2");

  assert(!configure("{\"drop\":[\"a\",\"b\",\"a\"]}"));
  assert(configure("{\"drop\":[\"a\",\"a*\"]}"));
  puts("ok");
}
