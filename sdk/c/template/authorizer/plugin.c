// An authorizer: whoever knows the word may pass.

#include "gatewright.h"

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text word;

void exports_gatewright_plugin_lifecycle_describe(gw_info *info) {
  static const char *const fields[] = {"authorization", NULL};
  gw_describe(info, "{{name}}", "0.1.0", "Lets those pass who know the word.", schema, sizeof schema, 0, fields);
}

bool exports_gatewright_plugin_lifecycle_configure(gw_text *config,
                                                   exports_gatewright_plugin_lifecycle_list_config_error_t *errors) {
  (void)errors; // the gateway has compared the configuration with the schema already
  word = gw_json_text(gw_json_member(gw_json_of(config), "word"));
  return true;
}

// Takes as long for a wrong word as for the right one.
static bool is_word(const gw_bytes *said) {
  static const char scheme[] = "Bearer ";
  const size_t before = sizeof scheme - 1;
  if (!said || said->len != before + word.len || memcmp(said->ptr, scheme, before) != 0) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < word.len; i++) difference |= said->ptr[before + i] ^ word.ptr[i];
  return difference == 0;
}

bool exports_gatewright_plugin_authorizer_authorize(exports_gatewright_plugin_authorizer_authorize_input_t *input,
                                                    exports_gatewright_plugin_authorizer_decision_t *decision,
                                                    exports_gatewright_plugin_authorizer_fault_t *fault) {
  (void)fault;
  if (is_word(gw_header(&input->request.fields, "authorization"))) {
    *decision = (exports_gatewright_plugin_authorizer_decision_t){
        .tag = EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_ALLOW,
        .val.allow = {.principal = gw_string("friend")},
    };
  } else {
    *decision = (exports_gatewright_plugin_authorizer_decision_t){
        .tag = EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_DENY,
        .val.deny = {.response = gw_respond(401, "www-authenticate", "Bearer", gw_string("say the word\n")),
                     .reason = gw_string("wrong word")},
    };
  }
  exports_gatewright_plugin_authorizer_authorize_input_free(input);
  return true;
}
