# Lectern and nothing else: one static binary, which is not root and needs no
# file system that it could write to, unless it keeps its store in /data.
#
#   docker build --build-arg VERSION=v1.2.3 --build-arg COMMIT="$(git rev-parse HEAD)" -t lectern .
#   docker run --name lectern --read-only -p 127.0.0.1:8080:8080 -v lectern:/data -e LECTERN_HOSTS=localhost lectern
#   docker exec lectern /lectern passport --user t1 --role instructor
#
# The second prints what goes behind http://localhost:8080/#passport= to sign an
# instructor in: an instance that others may reach prints no such link by itself.
FROM golang:1.26-bookworm AS build
WORKDIR /src
# First what changes seldom, so that it stays in the cache.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG COMMIT=
# The pages are built already (web/dist): Go is all it takes. The time zones are
# for `lectern why`, by TZ.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata \
      -ldflags "-s -w -X main.release=${VERSION} -X main.commit=${COMMIT}" \
      -o /out/lectern ./cmd/lectern

# What the image has beside the binary: the authorities (for rediss://, TLS to
# Postgres, a JWKS by https), a name for the user, and a folder that is the
# user's, as a volume there will be.
RUN mkdir -p /out/data /out/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'lectern:x:65532:65532::/data:/none' > /out/etc/passwd

FROM scratch
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/lectern /lectern
# By number: Kubernetes's runAsNonRoot wants to see that it is not 0.
USER 65532:65532
WORKDIR /data
# Loopback is the container's own here. What is published, and to whom, is said
# where it runs; the operations listener belongs on an inside network.
ENV LECTERN_LISTEN=0.0.0.0:8080 \
    LECTERN_OPS_LISTEN=0.0.0.0:8081 \
    LECTERN_DATA=/data \
    LECTERN_LOG_FORMAT=json
EXPOSE 8080 8081
# The embedded store and its keys. With LECTERN_POSTGRES_URL it stays empty.
VOLUME /data
# Live, not ready: an instance whose store is away must not be killed for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/lectern", "health"]
# SIGTERM sends everyone away in order within LECTERN_DRAIN: give it more than
# that before SIGKILL (docker stop -t 30).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/lectern"]
CMD ["serve"]
