# Peer: gatewright.sh with used instances of plugins, beside new ones in the same run.
#
# shellcheck shell=bash

. "$(dirname "${BASH_SOURCE[0]}")/gatewright.sh"
GATEWRIGHT_INSTANCES=reuse
