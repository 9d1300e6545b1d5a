# A worker that computes on NVIDIA GPUs: CUDA 12.8, whose libraries come with libtorch; the driver comes from the node.
#   docker build -f docker/worker-cuda.Dockerfile -t scissorhands-worker-cuda .
#   docker run --gpus all scissorhands-worker-cuda --device cuda:0
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0.401-noble
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/aspnet:10.0.12-noble
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-base-ubuntu24.04

FROM ${SDK_IMAGE} AS build
# The commit: coordinators take only workers of the same build.
ARG REVISION=
WORKDIR /source
COPY .editorconfig global.json Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY build/ build/
COPY src/ src/
# Packages, gigabytes of libtorch and CUDA among them, are kept in a cache of the builder.
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish src/Scissorhands.Worker.Program -c Release -r linux-x64 --self-contained false \
      -p:TorchBackend=cuda -p:SourceRevisionId="${REVISION}" -p:DebugType=none -o /app

FROM ${RUNTIME_IMAGE} AS runtime

FROM ${CUDA_IMAGE}
ARG REVISION=
LABEL org.opencontainers.image.title="scissorhands-worker-cuda" \
      org.opencontainers.image.description="Worker of Scissorhands.Distributed, on NVIDIA GPUs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# Of the driver, what computes and what tells how the device is.
ENV SCISSORHANDS_LOG=json \
    HOME=/tmp \
    XDG_CACHE_HOME=/var/lib/scissorhands/cache \
    DOTNET_ROOT=/usr/share/dotnet \
    DOTNET_EnableDiagnostics=0 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=runtime /usr/share/dotnet /usr/share/dotnet
COPY --from=build /app /app
WORKDIR /var/lib/scissorhands
RUN chown 1654:1654 /var/lib/scissorhands
USER 1654
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/app/scissorhands-worker", "health", "ready", "--metrics-port", "9464"]
ENTRYPOINT ["/app/scissorhands-worker"]
CMD ["--device", "cuda:0", "--metrics-port", "9464"]
