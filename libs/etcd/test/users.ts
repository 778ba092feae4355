import { type ClientTls, connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { Permission_Type } from "../src/gen/etcd/api/authpb/auth.ts";
import {
  AuthDefinition,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
} from "../src/gen/etcd/api/etcdserverpb/rpc.ts";

/** The users of a test: `root`, and one that may use the keys below "test/". */
export const root = { username: "root", password: "root-password" };
export const orders = { username: "orders", password: "orders-password" };

/** Adds the users and lets the server ask for them. */
export async function enableUsers(url: string, tls?: ClientTls): Promise<void> {
  await using channel = await connect(new URL(url).host, noTelemetry, { transport: "http2", tls });
  const auth = createClient(AuthDefinition, channel);
  await auth.roleAdd({ name: "root" });
  await auth.roleAdd({ name: "tester" });
  const perm = {
    permType: Permission_Type.READWRITE,
    key: Buffer.from("test/"),
    rangeEnd: Buffer.from("test0"), // The byte after "/".
  };
  await auth.roleGrantPermission(AuthRoleGrantPermissionRequest.fromPartial({ name: "tester", perm }));
  for (const { username, password } of [root, orders]) {
    await auth.userAdd(AuthUserAddRequest.fromPartial({ name: username, password }));
  }
  await auth.userGrantRole({ user: root.username, role: "root" });
  await auth.userGrantRole({ user: orders.username, role: "tester" });
  await auth.authEnable({});
}

/** Changes the password of `orders`, as root. */
export async function changePassword(url: string, password: string): Promise<void> {
  await using channel = await connect(new URL(url).host, noTelemetry, { transport: "http2" });
  const auth = createClient(AuthDefinition, channel);
  const { token } = await auth.authenticate({ name: root.username, password: root.password });
  await auth.userChangePassword({ name: orders.username, password, hashedPassword: "" }, { metadata: { token } });
}
