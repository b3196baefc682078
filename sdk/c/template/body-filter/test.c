// The plugin's test: the plugin itself, called outside of the gateway.

#include <assert.h>
#include <stdio.h>

#include "plugin.c"

// Natively there is nobody to free for, and no table of filters: the handle stays here.
static exports_gatewright_plugin_body_filter_filter_t *opened_filter;
void exports_gatewright_plugin_body_filter_filter_input_free(exports_gatewright_plugin_body_filter_filter_input_t *input) { (void)input; }
exports_gatewright_plugin_body_filter_own_filter_t exports_gatewright_plugin_body_filter_filter_new(exports_gatewright_plugin_body_filter_filter_t *filter) {
  opened_filter = filter;
  return (exports_gatewright_plugin_body_filter_own_filter_t){1};
}

static void configure(const char *json) {
  gw_text config = gw_string(json);
  exports_gatewright_plugin_lifecycle_list_config_error_t errors = {0};
  assert(exports_gatewright_plugin_lifecycle_configure(&config, &errors));
}

static bool open_for(const char *type) {
  gw_response response = gw_respond(200, "content-type", type, gw_string(""));
  exports_gatewright_plugin_body_filter_filter_input_t input = {.response = {.is_some = true, .val = response.head}};
  exports_gatewright_plugin_body_filter_option_own_filter_t opened;
  exports_gatewright_plugin_body_filter_fault_t fault;
  assert(exports_gatewright_plugin_body_filter_open(&input, &opened, &fault));
  return opened.is_some;
}

static bool quoted(const char *chunk, const char *expected) {
  gw_bytes bytes = gw_bytes_of(gw_string(chunk)), passed;
  exports_gatewright_plugin_body_filter_fault_t fault;
  assert(exports_gatewright_plugin_body_filter_method_filter_push(opened_filter, &bytes, &passed, &fault));
  return gw_equal(passed.ptr, passed.len, expected);
}

int main(void) {
  configure("{\"mark\":\"> \"}");
  assert(!open_for("image/png") && !opened_filter);
  assert(open_for("text/plain; charset=utf-8"));
  assert(quoted("go", "> go") && quoted("ld\n", "ld\n") && quoted("and silver\n", "> and silver\n"));
  exports_gatewright_plugin_body_filter_filter_destructor(opened_filter);
  puts("ok");
}
