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

# begin: npm run services writes this from tools/stack/src/services.ts
# The services, and the programs that stand in for other companies' services.
variable "SERVICES" {
  default = ["gateway", "greeter", "orders", "worker", "control-plane", "operator"]
}

variable "STAND_INS" {
  default = ["supplier", "issuer"]
}
# end: npm run services

group "default" {
  targets = concat(SERVICES, STAND_INS)
}

group "release" {
  targets = formatlist("release-%s", SERVICES)
}

group "sbom" {
  targets = formatlist("sbom-%s", SERVICES)
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
  matrix   = { service = concat(SERVICES, STAND_INS) }
  inherits = ["app"]
  args     = { APP = service }
  tags     = ["${REGISTRY}plumbline/${service}:${PLUMBLINE_TAG}"]
}

target "release-service" {
  name      = "release-${service}"
  matrix    = { service = SERVICES }
  inherits  = [service]
  platforms = ["linux/amd64", "linux/arm64"]
}

# Writes dist/sbom/SERVICE/sbom.cdx.json.
target "sbom-service" {
  name     = "sbom-${service}"
  matrix   = { service = SERVICES }
  inherits = [service]
  target   = "sbom"
  tags     = []
  output   = ["type=local,dest=dist/sbom/${service}"]
}
