# One image for all processes: `docker-compose.yml` says which of them a container is.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY src src
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY docs/schemas docs/schemas
# The same build as a start from the checkout, workflow bundle included.
RUN node bin/build-only.mjs && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production NODE_OPTIONS="--enable-source-maps --max-semi-space-size=32" WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js
WORKDIR /app
# Temporal's core verifies TLS against the system's certificates, which the slim image leaves out.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build --chown=node:node /app/package.json /app/package-lock.json ./
COPY --from=build --chown=node:node /app/node_modules node_modules
COPY --from=build --chown=node:node /app/dist dist
COPY --from=build --chown=node:node /app/docs docs
# A volume that is mounted there takes its owner from here.
RUN mkdir /data && chown node:node /data
USER node
STOPSIGNAL SIGTERM
CMD ["node", "dist/workers/api.js"]
