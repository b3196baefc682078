# Peer: Gatewright, for the side-by-side gateway benchmark. Found with BENCH_PEERS_PATH.
#
#   GATEWRIGHT_BINARY   the program (default: the newer one of target/dist/gatewright, from `cargo xtask release`, and
#                       target/release/gatewright, from `cargo build --release`, of this repository)
#   GATEWRIGHT_GUESTS   the folder of the guests of the Wasm scenarios (default: made by `cargo xtask bench --guests`)
#   GATEWRIGHT_INSTANCES  how their instances are used: fresh (default) or reuse
#
# shellcheck shell=bash

GATEWRIGHT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GATEWRIGHT=$GATEWRIGHT_ROOT/target/release/gatewright
# A file that is there is newer than one that is not.
[ "$GATEWRIGHT_ROOT/target/dist/gatewright" -nt "$GATEWRIGHT" ] && GATEWRIGHT=$GATEWRIGHT_ROOT/target/dist/gatewright
GATEWRIGHT=${GATEWRIGHT_BINARY:-$GATEWRIGHT}
GATEWRIGHT_GUESTS=${GATEWRIGHT_GUESTS:-$GATEWRIGHT_ROOT/target/bench}
GATEWRIGHT_INSTANCES=${GATEWRIGHT_INSTANCES:-fresh}

version() { "$GATEWRIGHT" --version; }

supports() {
  [ -x "$GATEWRIGHT" ] || return 1
  case $1 in
  plain | auth-native | ratelimit | cache-hit | tls | tls-conn | h2 | h2-tls | big-down | big-up) ;;
  auth-wasm) [ -r "$GATEWRIGHT_GUESTS/bearer.wasm" ] || return 1 ;;
  wasm-respond) [ -r "$GATEWRIGHT_GUESTS/responds.wasm" ] || return 1 ;;
  *) return 1 ;;
  esac
}

start() { # SCENARIO THREADS
  local scenario=$1 threads=$2 s tls="" chain="" headers="" plugin="" instances='"fresh"'
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
    plugin=bearer
    chain='{ plugin = "bearer" }'
    headers=', headers = { x-principal = "{auth.principal}" }'
    ;;
  wasm-respond) plugin=responds ;;
  cache-hit) chain='{ use = "cache" }' ;;
  ratelimit) chain="{ use = \"throttle\", rate = \"$BENCH_RATE/s\", burst = $BENCH_BURST, by = \"client\" }" ;;
  esac
  if [ -n "$plugin" ]; then
    mkdir -p "$BENCH_RUN/plugins" && cp "$GATEWRIGHT_GUESTS/$plugin.wasm" "$BENCH_RUN/plugins/"
  fi

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
TOML
    if [ -n "$plugin" ]; then
      cat <<TOML
[plugins]
directory = "plugins"
[plugin.$plugin]
instances = $instances
concurrency = 256
TOML
    fi
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
        echo 'integration = { plugin = "responds" }'
      else
        echo "integration = { http = \"svc$s\", preserve_host = true$headers }"
      fi
    done
  } >"$BENCH_RUN/gateway.toml"
  bench_spawn "$GATEWRIGHT" run --no-watch --log warn "$BENCH_RUN/gateway.toml"
}
