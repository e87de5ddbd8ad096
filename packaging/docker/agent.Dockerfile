# The agent's image. make images builds it, for amd64 and arm64, from the programs
# that the packages have: nothing is compiled here, and nothing runs in the image
# of another architecture.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${BASE} AS certificates
RUN apt-get update -qq && apt-get install -qq --no-install-recommends ca-certificates

# glibc, because the driver's library is made for it; chown, for the chart.
FROM ${BASE}
ARG TARGETARCH
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="gpumeter-agent" \
      org.opencontainers.image.description="Meters the GPUs of this node" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/gpumeter/gpumeter" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0644 bin/stage/common/gpumeter-agent.licenses.gz /usr/share/doc/gpumeter-agent/licenses.gz
COPY --chown=65532:65532 bin/stage/common/empty/ /var/lib/gpumeter/
COPY --chmod=0755 bin/stage/${TARGETARCH}/gpumeter-agent /usr/bin/gpumeter-agent
# All GPUs, for looking only, where NVIDIA's runtime starts the container.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
USER 65532:65532
VOLUME /var/lib/gpumeter
EXPOSE 9409
ENTRYPOINT ["/usr/bin/gpumeter-agent"]
CMD ["run"]
