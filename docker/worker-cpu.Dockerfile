# A worker that computes on the processor.
#   docker build -f docker/worker-cpu.Dockerfile -t scissorhands-worker-cpu .
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0.401-noble
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/aspnet:10.0.12-noble

FROM ${SDK_IMAGE} AS build
# The commit: coordinators take only workers of the same build.
ARG REVISION=
WORKDIR /source
COPY .editorconfig global.json Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY build/ build/
COPY src/ src/
# Packages, half a gigabyte of libtorch among them, are kept in a cache of the builder.
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish src/Scissorhands.Worker.Program -c Release -r linux-x64 --self-contained false \
      -p:TorchBackend=cpu -p:SourceRevisionId="${REVISION}" -p:DebugType=none -o /app

FROM ${RUNTIME_IMAGE}
ARG REVISION=
LABEL org.opencontainers.image.title="scissorhands-worker-cpu" \
      org.opencontainers.image.description="Worker of Scissorhands.Distributed, on the processor" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
ENV SCISSORHANDS_LOG=json \
    HOME=/tmp \
    XDG_CACHE_HOME=/var/lib/scissorhands/cache \
    DOTNET_EnableDiagnostics=0
COPY --from=build /app /app
WORKDIR /var/lib/scissorhands
RUN chown 1654:1654 /var/lib/scissorhands
USER 1654
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/app/scissorhands-worker", "health", "ready", "--metrics-port", "9464"]
ENTRYPOINT ["/app/scissorhands-worker"]
CMD ["--device", "cpu", "--metrics-port", "9464"]
