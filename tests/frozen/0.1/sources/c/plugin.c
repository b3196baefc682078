// Every kind and every service once; `tests/frozen/README.md` says what it does.

#include <stdio.h>

#include "gatewright.h"

// The generated names say where each thing comes from; here that is always the plugin interface.
#define PASTE_(a, b) a##b
#define EXPORTED(name) PASTE_(exports_gatewright_plugin_, name)
#define IMPORTED(name) PASTE_(gatewright_plugin_, name)

static const unsigned char schema[] = {
#embed "config.schema.json"
};

static gw_text greeting, origin;

void EXPORTED(lifecycle_describe)(gw_info *info) {
  gw_describe(info, "frozen", "0.1.0", "Every kind and every service, in C.", schema, sizeof schema,
              GW_METHOD | GW_AUTHORITY | GW_PATH | GW_QUERY | GW_PARAMETERS | GW_ROUTE | GW_PEER | GW_CERTIFICATE |
                  GW_ATTRIBUTES | GW_TRACE_PARENT,
              (const char *const[]){"x-user", "x-answer", "x-tier", NULL});
  info->needs.response_fields = gw_select((const char *const[]){"content-type", NULL});
  info->needs.request_body = GW_BUFFERED;
  info->needs.response_body = GW_CHUNKS;
  gw_services(info, (const char *const[]){GW_KV, GW_CACHE, GW_COUNTERS, GW_SECRETS, GW_HTTP_CLIENT, GW_METRICS, GW_CLOCK,
                                          GW_RANDOM, NULL});
}

bool EXPORTED(lifecycle_configure)(gw_text *config, EXPORTED(lifecycle_list_config_error_t) * errors) {
  greeting = gw_json_text(gw_json_member(gw_json_of(config), "greeting"));
  origin = gw_json_text(gw_json_member(gw_json_of(config), "origin"));
  if (!gw_equal(greeting.ptr, greeting.len, "wrong")) return true;
  errors->ptr = gw_allocate(sizeof *errors->ptr);
  errors->len = 1;
  errors->ptr[0] = (EXPORTED(lifecycle_config_error_t)){gw_string("/greeting"), gw_string("is wrong")};
  return false;
}

static bool fails(IMPORTED(types_fault_t) * fault, uint8_t tag, const char *reason) {
  fault->tag = tag;
  fault->val.internal = gw_string(reason);
  return false;
}

bool EXPORTED(authorizer_authorize)(EXPORTED(authorizer_authorize_input_t) * input,
                                    EXPORTED(authorizer_decision_t) * decision, EXPORTED(authorizer_fault_t) * fault) {
  const gw_bytes *user = gw_header(&input->request.fields, "x-user");
  *decision = (EXPORTED(authorizer_decision_t)){.tag = EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_ABSTAIN};
  if (!user) return true;
  if (gw_equal(user->ptr, user->len, "faulty")) return fails(fault, GATEWRIGHT_PLUGIN_TYPES_FAULT_UNAVAILABLE, "asked to fail");
  if (gw_equal(user->ptr, user->len, "mallory")) {
    decision->tag = EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_DENY;
    decision->val.deny.response = gw_respond(403, "content-type", "text/plain", gw_string("not you"));
    decision->val.deny.reason = gw_string("mallory");
    return true;
  }
  decision->tag = EXPORTS_GATEWRIGHT_PLUGIN_AUTHORIZER_DECISION_ALLOW;
  EXPORTED(authorizer_grant_t) *grant = &decision->val.allow;
  IMPORTED(types_attribute_t) *tier = gw_allocate(sizeof *tier);
  *tier = (IMPORTED(types_attribute_t)){.f0 = gw_string("tier"), .f1 = {.tag = GATEWRIGHT_PLUGIN_TYPES_VALUE_TEXT}};
  tier->f1.val.text = gw_string("gold");
  grant->principal = gw_copy(user->ptr, user->len);
  grant->context.ptr = tier;
  grant->context.len = 1;
  grant->usage_key.is_some = true;
  grant->usage_key.val = gw_string("plan");
  grant->scopes = gw_list((const char *const[]){"read", NULL});
  grant->ttl.is_some = true;
  return true;
}

static gw_text attribute(const EXPORTED(integration_exchange_t) * exchange, const char *name) {
  for (size_t i = 0; i < exchange->attributes.val.len; i++) {
    const IMPORTED(types_attribute_t) *it = &exchange->attributes.val.ptr[i];
    if (gw_equal(it->f0.ptr, it->f0.len, name)) return gw_copy(it->f1.val.text.ptr, it->f1.val.text.len);
  }
  return gw_string("");
}

bool EXPORTED(request_transform_transform_request)(EXPORTED(request_transform_request_input_t) * input,
                                                   EXPORTED(request_transform_request_outcome_t) * outcome,
                                                   EXPORTED(request_transform_fault_t) * fault) {
  (void)fault;
  *outcome = (EXPORTED(request_transform_request_outcome_t)){0};
  if (gw_header(&input->request.fields, "x-answer")) {
    outcome->tag = EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_RESPOND;
    outcome->val.respond = gw_respond(418, "content-type", "text/plain", gw_string("answered"));
    return true;
  }
  outcome->tag = EXPORTS_GATEWRIGHT_PLUGIN_REQUEST_TRANSFORM_REQUEST_OUTCOME_PROCEED;
  EXPORTED(request_transform_request_edits_t) *edits = &outcome->val.proceed;
  edits->query.tag = GATEWRIGHT_PLUGIN_TYPES_TEXT_EDIT_SET;
  edits->query.val.set = gw_string("frozen=1");
  edits->fields.ptr = gw_allocate(sizeof *edits->fields.ptr);
  edits->fields.len = 1;
  edits->fields.ptr[0] = gw_set("x-tier", attribute(&input->exchange, "auth.tier"));
  gw_text body = {gw_allocate(input->body.val.len + 1), input->body.val.len + 1};
  memcpy(body.ptr, input->body.val.ptr, input->body.val.len);
  body.ptr[body.len - 1] = '!';
  edits->body.tag = GATEWRIGHT_PLUGIN_TYPES_BODY_EDIT_REPLACE;
  edits->body.val.replace = gw_bytes_of(body);
  edits->attributes.ptr = gw_allocate(sizeof *edits->attributes.ptr);
  edits->attributes.len = 1;
  edits->attributes.ptr[0] =
      (IMPORTED(types_attribute_t)){.f0 = gw_string("seen"), .f1 = {.tag = GATEWRIGHT_PLUGIN_TYPES_VALUE_TRUTH}};
  edits->attributes.ptr[0].f1.val.truth = true;
  return true;
}

bool EXPORTED(response_transform_transform_response)(EXPORTED(response_transform_response_input_t) * input,
                                                     EXPORTED(response_transform_response_outcome_t) * outcome,
                                                     EXPORTED(response_transform_fault_t) * fault) {
  (void)fault;
  *outcome = (EXPORTED(response_transform_response_outcome_t)){
      .tag = EXPORTS_GATEWRIGHT_PLUGIN_RESPONSE_TRANSFORM_RESPONSE_OUTCOME_PROCEED};
  EXPORTED(response_transform_response_edits_t) *edits = &outcome->val.proceed;
  edits->fields.ptr = gw_allocate(sizeof *edits->fields.ptr);
  edits->fields.len = 1;
  edits->fields.ptr[0] = gw_set("x-frozen", gw_copy(greeting.ptr, greeting.len));
  edits->attributes.ptr = gw_allocate(sizeof *edits->attributes.ptr);
  edits->attributes.len = 1;
  edits->attributes.ptr[0] =
      (IMPORTED(types_attribute_t)){.f0 = gw_string("status"), .f1 = {.tag = GATEWRIGHT_PLUGIN_TYPES_VALUE_INTEGER}};
  edits->attributes.ptr[0].f1.val.integer = input->response.status;
  return true;
}

struct EXPORTED(body_filter_filter_t) {
  size_t passed;
};

bool EXPORTED(body_filter_open)(EXPORTED(body_filter_filter_input_t) * input,
                                EXPORTED(body_filter_option_own_filter_t) * opened, EXPORTED(body_filter_fault_t) * fault) {
  (void)fault;
  const gw_bytes *type = gw_header(&input->response.val.fields, "content-type");
  *opened = (EXPORTED(body_filter_option_own_filter_t)){.is_some = type && gw_begins(type, "text/plain")};
  if (!opened->is_some) return true;
  EXPORTED(body_filter_filter_t) *filter = gw_allocate(sizeof *filter);
  filter->passed = 0;
  opened->val = EXPORTED(body_filter_filter_new)(filter);
  return true;
}

bool EXPORTED(body_filter_method_filter_push)(EXPORTED(body_filter_filter_t) * filter, gw_bytes *chunk, gw_bytes *passed,
                                              EXPORTED(body_filter_fault_t) * fault) {
  (void)fault;
  filter->passed += chunk->len;
  for (size_t i = 0; i < chunk->len; i++)
    if (chunk->ptr[i] >= 'a' && chunk->ptr[i] <= 'z') chunk->ptr[i] -= 'a' - 'A';
  *passed = *chunk;
  return true;
}

bool EXPORTED(body_filter_method_filter_finish)(EXPORTED(body_filter_filter_t) * filter, gw_bytes *passed,
                                                EXPORTED(body_filter_fault_t) * fault) {
  (void)fault;
  *passed = gw_bytes_of(gw_string(filter->passed ? "." : ""));
  return true;
}

void EXPORTED(body_filter_filter_destructor)(EXPORTED(body_filter_filter_t) * filter) { free(filter); }

#define MINUTE 60000

// Says what came of the services; false when one of them refused.
static bool services(char *said, size_t room) {
  gw_text name = gw_string("frozen"), k = gw_string("k"), n = gw_string("n"), b = gw_string("b"), secret_name = gw_string("FROZEN");
  uint32_t ttl = MINUTE, no_wait = 0;
  IMPORTED(tuple2_string_string_t) label = {gw_string("in"), gw_string("c")};
  IMPORTED(list_tuple2_string_string_t) labels = {&label, 1}, no_labels = {0};
  if (IMPORTED(log_enabled)(GATEWRIGHT_PLUGIN_LOG_LEVEL_INFO)) IMPORTED(log_write)(GATEWRIGHT_PLUGIN_LOG_LEVEL_INFO, &name, &labels);

  gw_bytes old = gw_bytes_of(gw_string("old")), new = gw_bytes_of(gw_string("new")), value = gw_bytes_of(gw_string("cached"));
  uint64_t revision;
  IMPORTED(option_u64_t) changed;
  IMPORTED(kv_option_entry_t) entry;
  IMPORTED(kv_kv_error_t) kv;
  if (!IMPORTED(kv_set)(&name, &k, &old, &ttl, &revision, &kv)) return false;
  if (!IMPORTED(kv_compare_and_set)(&name, &k, &revision, &new, NULL, &changed, &kv)) return false;
  if (!IMPORTED(kv_get)(&name, &k, &entry, &kv) || !entry.is_some) return false;
  if (!IMPORTED(kv_delete)(&name, &k, &kv)) return false;

  IMPORTED(cache_found_t) computed, cached;
  IMPORTED(cache_cache_error_t) cache;
  if (!IMPORTED(cache_get)(&name, &k, &no_wait, &computed, &cache)) return false;
  if (!IMPORTED(cache_put)(&name, &k, &value, MINUTE, &cache)) return false;
  if (!IMPORTED(cache_get)(&name, &k, NULL, &cached, &cache) || cached.tag != GATEWRIGHT_PLUGIN_CACHE_FOUND_VALUE) return false;
  if (!IMPORTED(cache_forget)(&name, &k, &cache)) return false;

  int64_t counted;
  IMPORTED(counters_bucket_t) bucket;
  IMPORTED(counters_counter_error_t) counter;
  if (!IMPORTED(counters_add)(&name, &n, 2, MINUTE, &counted, &counter)) return false;
  if (!IMPORTED(counters_take)(&name, &b, 1, 10, 0.001, &bucket, &counter)) return false;

  gw_bytes secret, random;
  IMPORTED(secrets_secret_error_t) refused;
  if (!IMPORTED(secrets_get)(&secret_name, &secret, &refused)) return false;

  gw_field from = {gw_string("x-from"), gw_bytes_of(gw_string("frozen"))};
  IMPORTED(http_client_outbound_request_t) requests[2];
  requests[0] = (IMPORTED(http_client_outbound_request_t)){
      .method = gw_string("POST"), .url = origin, .fields = {&from, 1}, .body = gw_bytes_of(gw_string("ping"))};
  requests[1] = requests[0];
  IMPORTED(http_client_full_response_t) sent;
  IMPORTED(http_client_http_error_t) http;
  if (!IMPORTED(http_client_send)(&requests[0], &sent, &http)) return false;
  IMPORTED(http_client_list_outbound_request_t) list = {requests, 2};
  IMPORTED(http_client_list_result_full_response_http_error_t) all;
  IMPORTED(http_client_send_all)(&list, &all);
  for (size_t i = 0; i < all.len; i++)
    if (all.ptr[i].is_err) return false;

  gw_text total = gw_string("frozen_total"), level = gw_string("frozen_level"), seconds = gw_string("frozen_seconds");
  IMPORTED(metrics_add)(&total, 1, &labels);
  IMPORTED(metrics_set)(&level, 0.5, &no_labels);
  IMPORTED(metrics_observe)(&seconds, 0.25, &no_labels);
  uint64_t first = IMPORTED(clock_monotonic_nanos)();
  bool time = IMPORTED(clock_unix_nanos)() > 0 && first <= IMPORTED(clock_monotonic_nanos)();
  IMPORTED(random_bytes)(16, &random);
  bool different = random.len == 16 && IMPORTED(random_number)() != IMPORTED(random_number)();

  snprintf(said, room, "kv=%.*s cache=%s,%.*s counters=%lld,%s,%llu secret=%.*s http=%u,%.*s,%zu time=%s random=%s",
           (int)entry.val.value.len, (char *)entry.val.value.ptr,
           computed.tag == GATEWRIGHT_PLUGIN_CACHE_FOUND_COMPUTE ? "true" : "false", (int)cached.val.value.len,
           (char *)cached.val.value.ptr, (long long)counted, bucket.allowed ? "true" : "false",
           (unsigned long long)bucket.remaining, (int)secret.len, (char *)secret.ptr, sent.head.status, (int)sent.body.len,
           (char *)sent.body.ptr, all.len, time ? "true" : "false", different ? "true" : "false");
  return true;
}

bool EXPORTED(integration_handle)(EXPORTED(integration_integration_input_t) * input,
                                  EXPORTED(integration_full_response_t) * response, EXPORTED(integration_fault_t) * fault) {
  char said[512];
  gw_text path = input->request.path.val, method = input->request.method.val, query = {0};
  if (path.len >= 9 && memcmp(path.ptr + path.len - 9, "/services", 9) == 0) {
    if (!services(said, sizeof said)) return fails(fault, GATEWRIGHT_PLUGIN_TYPES_FAULT_INTERNAL, "a service refused");
  } else {
    const gw_bytes *tier = gw_header(&input->request.fields, "x-tier");
    gw_text principal = attribute(&input->exchange, "auth.principal");
    if (input->request.query.is_some) query = input->request.query.val;
    snprintf(said, sizeof said, "%.*s %.*s %.*s?%.*s %.*s %.*s %.*s", (int)greeting.len, (char *)greeting.ptr, (int)method.len,
             (char *)method.ptr, (int)path.len, (char *)path.ptr, (int)query.len, (char *)query.ptr, tier ? (int)tier->len : 0,
             tier ? (char *)tier->ptr : "", (int)principal.len, (char *)principal.ptr, (int)input->body.len,
             (char *)input->body.ptr);
  }
  *response = gw_respond(200, "content-type", "text/plain", gw_string(said));
  return true;
}
