# The image of the collector and of all that people ask. make images builds it, as
# agent.Dockerfile says.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${BASE} AS certificates
RUN apt-get update -qq && apt-get install -qq --no-install-recommends ca-certificates

# glibc and libgcc_s, for DuckDB.
FROM ${BASE}
ARG TARGETARCH
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="gpumeter" \
      org.opencontainers.image.description="Lays the GPUs you rented against what you bought" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/gpumeter/gpumeter" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0644 bin/stage/common/gpumeter.licenses.gz /usr/share/doc/gpumeter/licenses.gz
COPY --chown=65532:65532 bin/stage/common/empty/ /var/lib/gpumeter/
COPY --chmod=0755 bin/stage/${TARGETARCH}/gpumeter /usr/bin/gpumeter
USER 65532:65532
VOLUME /var/lib/gpumeter
EXPOSE 9410
ENTRYPOINT ["/usr/bin/gpumeter"]
CMD ["collector", "--data", "/var/lib/gpumeter"]
