import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { checkImages } from "./images.ts";

const root = resolve(import.meta.dirname, "../../../..");

test("every image that this repository names has a version", () => {
  for (const pattern of [
    "deploy/docker/*Dockerfile",
    "docker-compose.yml",
    "deploy/compose/*.yml",
    "deploy/helm/*/values.yaml",
  ]) {
    const paths = globSync(pattern, { cwd: root });
    assert.notEqual(paths.length, 0, pattern);
    assert.deepEqual(
      checkImages(Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]))),
      [],
    );
  }
});

const digest = `sha256:${"a".repeat(64)}`;

test("images with a version or a digest, stages and variables are taken", () => {
  const dockerfile = `# syntax=docker/dockerfile:1\nARG A_IMAGE=a.example:5000/a:1\nFROM --platform=$B a:1 AS x\nFROM x AS y\nFROM \${A_IMAGE}\nFROM a@${digest}\nCOPY --from=x --link / /\nFROM scratch\n`;
  const compose = "services:\n  a: { image: 'our/a:${TAG}', build: . }\n  b:\n    image: b:1.2\n";
  const values = `image: { prefix: our/, tag: "" }\nimages: { a: "a@${digest}" }\n`;
  assert.deepEqual(checkImages({ "a.Dockerfile": dockerfile, "compose.yml": compose, "values.yaml": values }), []);
});

for (const [path, text, image] of [
  ["Dockerfile", "FROM node\n", "node"],
  ["Dockerfile", "FROM --platform=$BUILDPLATFORM node:latest AS a\n", "node:latest"],
  ["Dockerfile", "ARG RUNTIME_IMAGE=a.example:5000/node\n", "a.example:5000/node"],
  ["Dockerfile", "FROM a:1 AS b\nCOPY --link --from=busybox / /\n", "busybox"],
  ["Dockerfile", "# syntax=docker/dockerfile\n", "docker/dockerfile"],
  ["Dockerfile", "FROM node@sha256:abc\n", "node@sha256:abc"],
  ["compose.yml", "services: { a: { image: redis } }\n", "redis"],
  ["compose.yml", "x-a: &a { image: redis:latest }\nservices: { a: { build: . } }\n", "redis:latest"],
  ["values.yaml", "images:\n  a: quay.io/a/a\n", "quay.io/a/a"],
] as const) {
  test(`refused: ${image} in ${path}`, () =>
    assert.deepEqual(checkImages({ [path]: text }), [
      `${path}: the image ${image} names no version: NAME:VERSION or NAME@sha256:DIGEST`,
    ]));
}
