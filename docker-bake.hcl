# `docker buildx bake -f docker-bake.hcl` builds every image for this machine. `… release` builds
# for amd64 and arm64. That needs a builder for several platforms (`docker buildx create --use`),
# and `--push`, because the store of an engine holds one platform.

variable "PLUMBLINE_TAG" {
  default = "dev"
}

variable "VERSION" {
  default = "0.0.0-dev"
}

variable "REVISION" {
  default = "unknown"
}

variable "SOURCE" {
  default = "unknown"
}

# The registry to push to: registry.example/team/ with the slash.
variable "REGISTRY" {
  default = ""
}

group "default" {
  targets = ["gateway", "greeter", "orders", "worker", "supplier"]
}

group "release" {
  targets = ["release-gateway", "release-greeter", "release-orders", "release-worker"]
}

group "sbom" {
  targets = ["sbom-gateway", "sbom-greeter", "sbom-orders", "sbom-worker"]
}

target "app" {
  dockerfile = "deploy/docker/node.Dockerfile"
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    SOURCE   = SOURCE
  }
}

target "service" {
  name     = service
  matrix   = { service = ["gateway", "greeter", "orders", "worker"] }
  inherits = ["app"]
  args     = { APP = service }
  tags     = ["${REGISTRY}plumbline/${service}:${PLUMBLINE_TAG}"]
}

target "supplier" {
  inherits = ["app"]
  args     = { APP = "supplier" }
  tags     = ["${REGISTRY}plumbline/supplier:${PLUMBLINE_TAG}"]
}

target "release-service" {
  name      = "release-${service}"
  matrix    = { service = ["gateway", "greeter", "orders", "worker"] }
  inherits  = [service]
  platforms = ["linux/amd64", "linux/arm64"]
}

# Writes dist/sbom/SERVICE/sbom.cdx.json.
target "sbom-service" {
  name     = "sbom-${service}"
  matrix   = { service = ["gateway", "greeter", "orders", "worker"] }
  inherits = [service]
  target   = "sbom"
  tags     = []
  output   = ["type=local,dest=dist/sbom/${service}"]
}
