# Peer: Gatewright, for the side-by-side gateway benchmark. Found with BENCH_PEERS_PATH.
#
#   GATEWRIGHT_BINARY   the program (default: target/release/gatewright of this repository)
#   GATEWRIGHT_GUEST    the guest of the Wasm scenarios (default: made by `cargo xtask bench --guest`)
#   GATEWRIGHT_INSTANCES  how its instances are used: fresh (default) or reuse
#
# shellcheck shell=bash

GATEWRIGHT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GATEWRIGHT=${GATEWRIGHT_BINARY:-$GATEWRIGHT_ROOT/target/release/gatewright}
GATEWRIGHT_GUEST=${GATEWRIGHT_GUEST:-$GATEWRIGHT_ROOT/target/bench/bearer.wasm}
GATEWRIGHT_INSTANCES=${GATEWRIGHT_INSTANCES:-fresh}

version() { "$GATEWRIGHT" --version; }

supports() {
  [ -x "$GATEWRIGHT" ] || return 1
  case $1 in
  plain | auth-native | ratelimit | tls | tls-conn | h2 | h2-tls | big-down | big-up) ;;
  auth-wasm | wasm-respond) [ -r "$GATEWRIGHT_GUEST" ] || return 1 ;;
  *) return 1 ;;
  esac
}

start() { # SCENARIO THREADS
  local scenario=$1 threads=$2 s tls="" chain="" headers="" instances='"fresh"'
  [ "$GATEWRIGHT_INSTANCES" = reuse ] && instances='{ reuse = 100000 }'

  case $scenario in
  tls | tls-conn | h2-tls)
    tls="tls = { certificate = \"$BENCH_TLS_CERT\", key = \"$BENCH_TLS_KEY\", min_version = \"1.3\", resumption = false }"
    ;;
  esac
  case $scenario in
  auth-native)
    chain="{ use = \"api-key\", keys = \"keys.toml\", header = \"authorization\", scheme = \"Bearer\" }"
    headers=', headers = { x-principal = "{auth.principal}" }'
    printf '[[key]]\nname = "%s"\nsha256 = "%s"\n' "$BENCH_PRINCIPAL" \
      "$(printf %s "$BENCH_KEY" | sha256sum | cut -d' ' -f1)" >"$BENCH_RUN/keys.toml"
    ;;
  auth-wasm)
    chain='{ plugin = "bearer" }'
    headers=', headers = { x-principal = "{auth.principal}" }'
    ;;
  ratelimit) chain="{ use = \"throttle\", rate = \"$BENCH_RATE/s\", burst = $BENCH_BURST, by = \"client\" }" ;;
  esac
  case $scenario in
  auth-wasm | wasm-respond) mkdir -p "$BENCH_RUN/plugins" && cp "$GATEWRIGHT_GUEST" "$BENCH_RUN/plugins/bearer.wasm" ;;
  esac

  {
    cat <<TOML
[server]
workers = $threads
[listener.bench]
address = "127.0.0.1:$BENCH_PORT"
$tls
limits = { connections = 4096, idle_timeout = "300s" }
[admin]
enabled = false
[access_log]
output = "off"
[plugins]
directory = "plugins"
[plugin.bearer]
instances = $instances
concurrency = 256
TOML
    for s in $(bench_services); do
      cat <<TOML
[upstream.svc$s]
targets = [{ url = "http://127.0.0.1:$((BENCH_UPSTREAM_PORT + s))" }]
[[route]]
name = "svc$s"
path = "/svc$s/{rest+}"
chain = [$chain]
TOML
      if [ "$scenario" = wasm-respond ]; then
        echo 'integration = { plugin = "bearer" }'
      else
        echo "integration = { http = \"svc$s\", preserve_host = true$headers }"
      fi
    done
  } >"$BENCH_RUN/gateway.toml"
  bench_spawn "$GATEWRIGHT" run --no-watch --log warn "$BENCH_RUN/gateway.toml"
}
