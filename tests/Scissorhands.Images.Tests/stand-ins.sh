#!/usr/bin/env bash
# Makes stand-ins of the images' bases from Debian and this machine's .NET, under the names that the Dockerfiles give; those that
# are there stay. They say nothing about the packages of the real ones.
set -euo pipefail
export BUILDAH_ISOLATION=chroot
docker="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/docker"
name() { sed -n "s/^ARG $1=//p" "$docker/worker-cuda.Dockerfile"; }
sdk=$(name SDK_IMAGE)
runtime=$(name RUNTIME_IMAGE)
buildah inspect --type image "$sdk" >/dev/null 2>&1 && buildah inspect --type image "$runtime" >/dev/null 2>&1 && exit

dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
root=$(mktemp -d)
container=
clean() {
  [ -z "$container" ] || buildah rm "$container" >/dev/null
  rm -rf "$root"
}
trap clean EXIT

debootstrap --variant=minbase bookworm "$root/base" >/dev/null
container=$(buildah from scratch)
buildah add -q "$container" "$root/base" / >/dev/null
buildah run "$container" -- sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends libssl3 ca-certificates libstdc++6 zlib1g >/dev/null'
buildah run "$container" -- useradd -u 1654 app
buildah copy -q "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
for part in dotnet host shared; do
  buildah copy -q "$container" "$dotnet/$part" "/usr/share/dotnet/$part" >/dev/null
done
buildah config --env PATH=/usr/share/dotnet:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env DOTNET_ROOT=/usr/share/dotnet --env APP_UID=1654 "$container"
buildah commit -q "$container" "$runtime" >/dev/null
buildah copy -q "$container" "$dotnet" /usr/share/dotnet >/dev/null
buildah config --env "NUGET_CERT_REVOCATION_MODE=${NUGET_CERT_REVOCATION_MODE:-online}" "$container"
buildah commit -q "$container" "$sdk" >/dev/null
