#!/bin/sh
# SPDX-License-Identifier: MIT
# What a token costs, for each algorithm, with keys and tokens of `hedge token`.
#   tests/bench/bench_auth.sh BUILD
set -eu
build=$1
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
for alg in HS256 RS256 ES256 EdDSA; do
    $build/examples/hedge token keys --alg $alg --kid $alg --out "$run" >"$run/said"
    key=$run/$alg.key.json
    [ $alg != HS256 ] || key=$run/$alg.jwks.json
    $build/examples/hedge token sign --key "$key" --sub $alg --scope 'size read' --iss bench \
        --aud hedged >>"$run/tokens"
    sed 's/^{"keys":\[//; s/\]}$//' "$run/$alg.jwks.json" >>"$run/keys"
done
(umask 077; { printf '{"keys":['; paste -sd, "$run/keys"; printf ']}'; } >"$run/jwks.json")
$build/tests/bench/bench_auth "$run/jwks.json" bench hedged <"$run/tokens"
