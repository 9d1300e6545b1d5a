# The coordinator: decides, computes nothing, and holds no libtorch.
#   docker build -f docker/coordinator.Dockerfile -t scissorhands-coordinator .
# Bases may be given by digest: --build-arg RUNTIME_IMAGE=mcr.microsoft.com/dotnet/aspnet@sha256:...
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0.401-noble
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/aspnet:10.0.12-noble

FROM ${SDK_IMAGE} AS build
ARG TARGETARCH=amd64
# The commit: coordinators take only workers of the same build, and certificates name it.
ARG REVISION=
WORKDIR /source
COPY .editorconfig global.json Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY build/ build/
COPY src/ src/
# Packages are kept in a cache of the builder, so that a change of the sources restores nothing anew.
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish src/Scissorhands.Coordinator.Program -c Release -a "${TARGETARCH}" --self-contained false \
      -p:SourceRevisionId="${REVISION}" -p:DebugType=none -o /app

FROM ${RUNTIME_IMAGE}
ARG REVISION=
LABEL org.opencontainers.image.title="scissorhands-coordinator" \
      org.opencontainers.image.description="Coordinator of Scissorhands.Distributed: takes deletion requests, leads runs, signs certificates" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# The root file system may be read-only: what is written goes to /tmp, to /var/lib/scissorhands and to the shared storage.
ENV SCISSORHANDS_LOG=json \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    DOTNET_EnableDiagnostics=0
COPY --from=build /app /app
WORKDIR /var/lib/scissorhands
RUN chown 1654:1654 /var/lib/scissorhands
USER 1654
# HTTP, metrics and health, traffic between coordinators, their clients.
EXPOSE 8080 9464 11111 30000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/app/scissorhands-coordinator", "health", "ready", "--metrics-port", "9464"]
ENTRYPOINT ["/app/scissorhands-coordinator"]
CMD ["--http", "http://[::]:8080", "--metrics-port", "9464"]
