# A target for each image: auth-server, resource-server, gateway, cli, and setup, which makes what they need to
# start. Each holds Node, the libraries of pnpm-lock.yaml and the source it runs; none needs a shell, a
# writable file system or a user name.

FROM node:24-bookworm-slim AS manifests
WORKDIR /daykey
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
COPY packages packages
RUN find packages -type f ! -name package.json -delete && find packages -type d -empty -delete

# Only a changed manifest or lock file installs anew.
FROM node:24-bookworm-slim AS libraries
WORKDIR /daykey
# Taken from the environment of the build where it sets them, for machines behind a mirror or a proxy.
ARG NPM_CONFIG_REGISTRY
COPY --from=manifests /daykey ./
RUN npx --yes pnpm@12.21.0 install --prod --no-optional --frozen-lockfile --reporter=append-only
# Where volumes are mounted: a new volume takes the owner of what it covers.
RUN mkdir -p /mounts/postgres /mounts/migrate /mounts/auth-server /mounts/resource-server \
  /mounts/operator /mounts/tls /mounts/grafana

FROM node:24-bookworm-slim AS runtime
ENV NODE_ENV=production
WORKDIR /daykey
COPY --from=libraries /daykey ./
COPY packages/common packages/common
USER 1000:1000

FROM runtime AS cli
COPY packages/client packages/client
COPY packages/cli packages/cli
# A command compiles nothing then: it takes a third less time. So do the servers, each once below.
USER root
RUN ["node", "packages/common/bin/warm.mjs", "packages/cli/bin/warm.mjs", "packages/cli/node_modules/.cache"]
USER 1000:1000
ENTRYPOINT ["node", "/daykey/packages/cli/bin/daykey.mjs"]

FROM runtime AS server
COPY packages/service packages/service
# One process a container: there are more containers where more is needed.
ENV WORKERS=1
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", \
  "require('http').get({ host: '127.0.0.1', port: process.env.PRIVATE_PORT, path: '/readyz' }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]

FROM server AS auth-server
COPY packages/client packages/client
COPY packages/guard packages/guard
COPY packages/auth-server packages/auth-server
USER root
RUN ["node", "packages/common/bin/warm.mjs", "packages/auth-server/src/main.ts", "packages/auth-server/node_modules/.cache", "--help"]
USER 1000:1000
ENV PRIVATE_PORT=4001
EXPOSE 4000 4001
ENTRYPOINT ["node", "packages/auth-server/src/main.ts"]

FROM server AS resource-server
COPY packages/client packages/client
COPY packages/guard packages/guard
COPY packages/resource-server packages/resource-server
USER root
RUN ["node", "packages/common/bin/warm.mjs", "packages/resource-server/src/main.ts", "packages/resource-server/node_modules/.cache", "--help"]
USER 1000:1000
ENV PRIVATE_PORT=5001
EXPOSE 5000 5001
ENTRYPOINT ["node", "packages/resource-server/src/main.ts"]

FROM server AS gateway
COPY packages/client packages/client
COPY packages/guard packages/guard
COPY packages/gateway packages/gateway
USER root
RUN ["node", "packages/common/bin/warm.mjs", "packages/gateway/src/main.ts", "packages/gateway/node_modules/.cache", "--help"]
USER 1000:1000
ENV PRIVATE_PORT=6001
EXPOSE 6000 6001
ENTRYPOINT ["node", "packages/gateway/src/main.ts"]

FROM server AS setup
COPY packages packages
COPY --from=libraries --chown=1000:1000 /mounts /run/daykey
HEALTHCHECK NONE
ENTRYPOINT ["node", "packages/local/src/containers/main.ts"]
