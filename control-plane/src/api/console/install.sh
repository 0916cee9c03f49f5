#!/bin/sh
# Brings a Dharma agent to this host.
#
#   curl -fsS @CONSOLE@/install.sh | sudo sh -s -- --token-file FILE
#
# Packages that this script could install by itself come with a later version. Until then it looks for the program
# dharma-agent on this host and enrolls it. Nothing is downloaded and nothing is changed besides the agent's state.
set -eu

server="@ENROLL@"
token_file=""
program="${DHARMA_AGENT:-dharma-agent}"

usage() {
    echo "usage: install.sh --token-file FILE [--server HOST:PORT]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
        --token-file) [ $# -ge 2 ] || usage; token_file="$2"; shift 2 ;;
        --server) [ $# -ge 2 ] || usage; server="$2"; shift 2 ;;
        *) usage ;;
    esac
done
[ -n "$token_file" ] || usage
[ -r "$token_file" ] || { echo "install.sh: cannot read $token_file" >&2; exit 1; }

if ! command -v "$program" >/dev/null 2>&1; then
    echo "install.sh: there is no program dharma-agent on this host." >&2
    echo "Packages are not published yet. Copy the program from the machine that built it, for example" >&2
    echo "    scp target/release/dharma-agent $(hostname):/usr/local/bin/" >&2
    echo "and run this line again (or name its place in DHARMA_AGENT)." >&2
    exit 1
fi

exec "$program" enroll --server "$server" --token-file "$token_file"
