# syntax=docker/dockerfile:1
# One image for each Node app: `docker build --build-arg APP=orders -f deploy/docker/node.Dockerfile .`
# All apps share the stages above `app`. A change in the source of one app builds from there, and
# replaces one layer: the app's own.

# The bases by tag, so that a build takes their security fixes. To fix them, give digests:
# `--build-arg BUILD_IMAGE=node@sha256:…`. None stands here, because no source was at hand to check
# them against.
ARG BUILD_IMAGE=node:26-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS dependencies
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY --parents apps/*/package.json libs/*/package.json tests/*/package.json tools/*/package.json deploy/docker/package.json ./
# Install scripts are off: esbuild and buf have their binaries in the package of this platform.
RUN --mount=type=cache,target=/npm-cache npm ci --ignore-scripts --cache /npm-cache

FROM dependencies AS libraries
COPY tsconfig.json buf.yaml buf.gen.yaml ./
COPY protos protos
COPY libs libs
RUN node libs/contracts/src/generate.ts
COPY tools/build tools/build
COPY deploy/docker/*.ts deploy/docker/
RUN node_modules/.bin/esbuild deploy/docker/probe.ts deploy/docker/warm.ts --outdir=/image --platform=node --format=esm --target=node26

FROM libraries AS app
ARG APP
COPY apps/${APP} apps/${APP}
WORKDIR /src/apps/${APP}
RUN node /src/tools/build/app.ts && rm dist/*.map && mkdir dist/compile-cache && mv dist /bundle \
 && echo '{ "type": "module" }' >/bundle/package.json

FROM app AS bill
RUN node /src/tools/build/sbom.ts
# `docker build --target sbom --output .` writes sbom.cdx.json. A release signs it beside the image.
FROM scratch AS sbom
COPY --from=bill /src/*/*/dist/sbom.cdx.json /

FROM ${RUNTIME_IMAGE} AS node
WORKDIR /app
COPY --link --from=libraries /image/probe.js ./

# Runs as the user of the image, because the user id is part of the cache's key.
FROM node AS warm
COPY --chown=65532:65532 --from=app /bundle ./
COPY --from=libraries /image/warm.js /tmp/warm.mjs
RUN ["/nodejs/bin/node", "/tmp/warm.mjs", "/app/compile-cache", "/app"]

FROM node
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/compile-cache
# By itself V8 lets the heap grow to 256 MiB in any container below 512 MiB, which is killed first.
ENV NODE_OPTIONS=--max-old-space-size-percentage=50
# On about one core the threads of the garbage collector take it from the calls (docs/containers.md).
# NODE_OPTIONS does not take the first flag.
ENTRYPOINT ["/nodejs/bin/node", "--single-threaded-gc", "--max-semi-space-size=4"]
# Root owns the files, so the user of the image cannot change them.
COPY --link --chown=0:0 --from=warm /app ./
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["/nodejs/bin/node", "/app/probe.js"]
CMD ["main.js"]
ARG APP
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="plumbline-${APP}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
