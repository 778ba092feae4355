import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "./secret.ts";
import { urlWithPassword } from "./url-with-password.ts";

for (const { url, password, want } of [
  { url: "postgresql://orders@db:5432/orders", password: "a", want: "postgresql://orders:a@db:5432/orders" },
  { url: "postgresql://orders:old@db/orders?x=1", password: "new", want: "postgresql://orders:new@db/orders?x=1" },
  { url: "redis://redis:6379", password: "a", want: "redis://:a@redis:6379" },
  { url: "redis://user:old@redis:6379", password: undefined, want: "redis://user:old@redis:6379" },
]) {
  test(`${url} with the password ${password} is ${want}`, () => {
    assert.equal(
      urlWithPassword(new Secret(url), password === undefined ? undefined : new Secret(password)).reveal(),
      want,
    );
  });
}

test("a password of any characters is read back as it was", () => {
  const password = "a%41 b/c:d@e?f#g'h\"i\\jÄ|[]";
  const {
    href,
    password: encoded,
    host,
  } = new URL(urlWithPassword(new Secret("postgresql://orders@db/orders"), new Secret(password)).reveal());
  assert.equal(decodeURIComponent(encoded), password);
  assert.equal(host, "db");
  assert.equal(new URL(href).username, "orders");
});

test("a URL without a host is refused, and its error shows neither", () => {
  assert.throws(
    () => urlWithPassword(new Secret("postgresql:///orders?host=/run/hunter1"), new Secret("hunter2")),
    (error: Error) => /has no host/.test(error.message) && !/hunter/.test(String(error.stack)),
  );
});
